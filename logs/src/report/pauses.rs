//! The pauses of a replay.

use super::data::Pause;
use crate::error::LogError;
use crate::replay::{Report, Summary};
use trip99::{Config, Event, State};

/// Takes note of the pauses of a replay, each with its evidence, in the words that `evidence` has for an event.
pub struct Pauses<F> {
    evidence: F,
    pauses: Vec<Pause>,
    /// The one that isn't over.
    under_way: Option<Pause>,
}

impl<F: Fn(&Event) -> String> Pauses<F> {
    /// None yet.
    pub fn new(evidence: F) -> Self {
        Self { evidence, pauses: Vec::new(), under_way: None }
    }

    /// Those that there were: ascending. To be called after the replay. One that wasn't over at its end ends there.
    pub fn finish(self) -> Vec<Pause> {
        self.pauses
    }
}

/// It may be a replay's report, alone or as one of [`Both`].
impl<F: Fn(&Event) -> String> Report for Pauses<F> {
    type Error = LogError;

    fn begin(&mut self, config: &Config) -> Result<(), LogError> {
        // When that is, the summary tells.
        let is_paused = config.start.state() != State::Closed;
        self.under_way = is_paused.then(|| Pause { reason: "start".to_owned(), ..Pause::default() });
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), LogError> {
        match (event.from, event.to) {
            (State::Closed, State::Open) => {
                self.under_way = Some(Pause {
                    from_ns: event.t_ns,
                    to_ns: event.t_ns,
                    reason: event.reason.name().to_owned(),
                    evidence: (self.evidence)(event),
                    reopened: 0,
                });
            }
            (State::HalfOpen, State::Open) => {
                self.under_way.iter_mut().for_each(|pause| pause.reopened += 1);
            }
            (_, State::Closed) => {
                self.pauses.extend(self.under_way.take().map(|pause| Pause { to_ns: event.t_ns, ..pause }));
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> Result<(), LogError> {
        self.pauses.extend(self.under_way.take().map(|pause| Pause { to_ns: summary.end_ns, ..pause }));
        if let Some(first) = self.pauses.first_mut() {
            first.from_ns = first.from_ns.max(summary.first_ns);
        }
        Ok(())
    }
}

/// Without a report nobody learns anything.
impl<A: Report<Error = LogError>> Report for Option<A> {
    type Error = LogError;

    fn begin(&mut self, config: &Config) -> Result<(), LogError> {
        self.iter_mut().try_for_each(|report| report.begin(config))
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.iter_mut().for_each(|report| report.span(state, from_ns, to_ns));
    }

    fn transition(&mut self, event: &Event) -> Result<(), LogError> {
        self.iter_mut().try_for_each(|report| report.transition(event))
    }

    fn end(&mut self, summary: &Summary) -> Result<(), LogError> {
        self.iter_mut().try_for_each(|report| report.end(summary))
    }
}

/// Two reports of one replay.
pub struct Both<'a, A, B>(pub &'a mut A, pub &'a mut B);

impl<A: Report, B: Report<Error = LogError>> Report for Both<'_, A, B> {
    type Error = A::Error;

    fn begin(&mut self, config: &Config) -> Result<(), A::Error> {
        self.1.begin(config)?;
        self.0.begin(config)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.1.span(state, from_ns, to_ns);
        self.0.span(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), A::Error> {
        self.1.transition(event)?;
        self.0.transition(event)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), A::Error> {
        self.1.end(summary)?;
        self.0.end(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::replay;
    use crate::row::Row;
    use trip99::Start;

    const S: u64 = 1_000_000_000;

    fn pauses(config: &Config, latencies_ns: &[Option<u64>]) -> (Vec<Pause>, Summary) {
        let rows = latencies_ns.iter().enumerate().map(|(call, &latency_ns)| {
            Ok(Row { start_ns: 7 * S + call as u64 * S, latency_ns, ok: true, kind: Default::default() })
        });
        let mut pauses = Pauses::new(|event: &Event| format!("{} of {}", event.observed, event.limit));
        let summary = replay(config, rows, &mut pauses).unwrap();
        (pauses.finish(), summary)
    }

    fn config() -> Config {
        Config { threshold_ns: 100, spike_count: 2, probes: 1, ..Config::default() }
    }

    #[test]
    fn a_pause_goes_from_the_trip_to_the_closing() {
        // Opens at 8 s + 200 ns, half-open at 9 s and a bit, the slow trial of 10 s reopens it for 2 s, and that of 13 s is good.
        let slow = Some(200);
        let fast = Some(50);
        let (pauses, summary) = pauses(&config(), &[slow, slow, fast, slow, fast, fast, fast, fast]);
        let from_ns = 8 * S + 200;
        let expected = Pause {
            from_ns,
            to_ns: 13 * S + 50,
            reason: "spike".to_owned(),
            evidence: "200 of 100".to_owned(),
            reopened: 1,
        };
        assert_eq!(pauses, [expected]);
        assert_eq!((summary.trips, summary.reopens), (1, 1));
        assert_eq!(pauses[0].to_ns - pauses[0].from_ns, summary.longest_pause_ns);
    }

    #[test]
    fn a_pause_that_is_not_over_ends_with_the_log() {
        let (pauses, summary) = pauses(&config(), &[Some(200), Some(200), Some(50)]);
        assert_eq!(summary.state, State::Open);
        assert_eq!((pauses.len(), pauses[0].from_ns, pauses[0].to_ns), (1, 8 * S + 200, summary.end_ns));
    }

    #[test]
    fn a_start_that_is_not_closed_is_a_pause() {
        let half_open = Config { start: Start::HalfOpen, ..config() };
        let (found, _) = pauses(&half_open, &[Some(50), Some(50)]);
        assert_eq!((found[0].from_ns, found[0].to_ns, found[0].reason.as_str()), (7 * S, 7 * S + 50, "start"));
        let (found, summary) = pauses(&half_open, &[]);
        assert_eq!((found.len(), found[0].from_ns, found[0].to_ns), (1, 0, summary.end_ns));
        assert_eq!(pauses(&config(), &[Some(50)]).0, []);
    }
}
