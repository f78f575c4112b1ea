//! A listener for the `tracing` crate.

use super::Notice;
use crate::config::State;

/// Logs each event with `tracing`, under the target `trip99` and with the figures as fields. An event that opens a breaker is a
/// warning, and so is a notice of missed events. Every other event is information. Needs the feature `tracing`.
///
/// ```
/// use trip99::supervisor::log_to_tracing;
/// use trip99::{Breaker, Config, Supervisor};
///
/// let supervisor = Supervisor::builder()
///     .breaker("gateway", Breaker::new(Config::default())?)
///     .listener(log_to_tracing)
///     .start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn log_to_tracing(name: &str, notice: Notice) {
    match notice {
        Notice::Event(event) => {
            // `tracing` wants the level as a constant at each place that logs.
            macro_rules! log {
                ($level:ident) => {
                    ::tracing::$level!(
                        target: "trip99",
                        breaker = name,
                        sequence = event.sequence,
                        from = event.from.name(),
                        to = event.to.name(),
                        reason = event.reason.name(),
                        quantile_ns = event.quantile_ns,
                        samples = event.samples,
                        slow = event.slow,
                        overdue = event.overdue,
                        failures = event.failures,
                        attempt = event.attempt,
                        retry_at_ns = (event.retry_at_ns != u64::MAX).then_some(event.retry_at_ns),
                        t_ns = event.t_ns,
                        wall_ns = event.wall_ns,
                        owner_gap_ns = event.owner_gap_ns,
                        observed = event.observed,
                        limit = event.limit,
                        "{name}: {} -> {}: {}",
                        event.from,
                        event.to,
                        event.reason
                    )
                };
            }
            if event.from != State::Open && event.to == State::Open {
                log!(warn);
            } else {
                log!(info);
            }
        }
        Notice::Missed(count) => {
            ::tracing::warn!(target: "trip99", breaker = name, missed = count, "{name}: {count} events missed");
        }
    }
}
