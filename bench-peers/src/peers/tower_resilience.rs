//! tower-resilience-circuitbreaker: shares of failed and of slow calls. A service, so that each call is a future: here
//! one that is ready at once, polled once, with a waker that does nothing.
//!
//! It measures a call by its own clock. So its rule on slow calls, though on, can't see the latency of a trace, and
//! slow calls are told as failures.

use super::{Entry, Peer, SLOW_SHARE, Slow, THRESHOLD_NS, WINDOW, outcome};
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};
use tower_service::Service;

pub(crate) fn entry() -> Entry {
    Entry {
        name: "tower-resilience-circuitbreaker",
        judges: "error rate, and rate of slow calls, of all calls since it last closed, once there are 1024",
        clock: "4 times: it measures the latency",
        virtual_time: Ok("as failures: it counts them; the latencies that it measures are its own clock's"),
        make: || Box::new(judge(Duration::from_nanos(THRESHOLD_NS))),
    }
}

fn judge(slow: Duration) -> Judge {
    let layer = CircuitBreakerLayer::builder()
        .failure_rate_threshold(SLOW_SHARE)
        .slow_call_duration_threshold(slow)
        .slow_call_rate_threshold(SLOW_SHARE)
        .sliding_window_size(WINDOW)
        .build()
        .expect("a legal configuration");
    Judge(layer.layer_fn(Node))
}

/// Answers at once as the request says.
#[derive(Clone)]
struct Node;

impl Service<Result<(), Slow>> for Node {
    type Response = ();
    type Error = Slow;
    type Future = Ready<Result<(), Slow>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Slow>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Result<(), Slow>) -> Self::Future {
        ready(request)
    }
}

struct Judge(CircuitBreaker<Node, DefaultClassifier>);

impl Peer for Judge {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(())) = self.0.poll_ready(&mut context) {
            let mut response = self.0.call(black_box(outcome(latency_ns)));
            assert!(response.as_mut().poll(&mut context).is_ready(), "nobody else holds its lock");
        }
    }

    fn is_open(&self) -> bool {
        self.0.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_measures_itself_is_judged() {
        let mut judge = judge(Duration::ZERO);
        for _ in 0..WINDOW {
            judge.call(0, 0);
        }
        assert!(judge.is_open());
    }
}
