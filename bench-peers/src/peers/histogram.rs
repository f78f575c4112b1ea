//! A breaker made from hdrhistogram: it records each call, and asks for the P99 each time.
//!
//! A histogram doesn't forget. So there are two, and each call is recorded in both. The older is judged; every 512 calls
//! it is cleared, and they change places. What is judged are the latest 512 to 1024.

use super::{Entry, MIN_SAMPLES, Peer, THRESHOLD_NS, WINDOW};
use hdrhistogram::Histogram;

/// Whole microseconds, and two digits: fewer buckets to look through than with nanoseconds, or three.
const UNIT_NS: u64 = 1000;
const DIGITS: u8 = 2;
const LONGEST_NS: u64 = 60_000_000_000;

pub(crate) fn entry() -> Entry {
    Entry {
        name: "hdrhistogram: record, value_at_quantile",
        judges: "P99 of the latest 512 to 1024 calls, to within 1 %",
        clock: "no",
        virtual_time: Ok("yes"),
        make: || Box::new(Judge { older: histogram(), younger: histogram(), is_open: false }),
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS / UNIT_NS, DIGITS).expect("legal bounds")
}

struct Judge {
    older: Histogram<u64>,
    younger: Histogram<u64>,
    is_open: bool,
}

impl Peer for Judge {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        if self.is_open {
            return;
        }
        self.older.saturating_record(latency_ns / UNIT_NS);
        self.younger.saturating_record(latency_ns / UNIT_NS);
        self.is_open =
            self.older.len() >= MIN_SAMPLES as u64 && self.older.value_at_quantile(0.99) > THRESHOLD_NS / UNIT_NS;
        if self.younger.len() == WINDOW as u64 / 2 {
            self.older.reset();
            std::mem::swap(&mut self.older, &mut self.younger);
        }
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_calls_are_judged() {
        let mut judge = Judge { older: histogram(), younger: histogram(), is_open: false };
        for call in 0..10 * WINDOW as u64 {
            judge.call(0, 1_000_000);
            let judged = judge.older.len();
            assert!(judged == call + 1 || (512..1024).contains(&judged), "{judged} after {call}");
        }
    }
}
