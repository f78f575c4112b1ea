//! Whether a breaker notices the faults of a log.

use super::InjectionSpan;
use crate::replay::{Report, Summary};
use crate::row::Row;
use trip99::{Config, Event, Reason, State};

/// A report that finds out, besides, whether the breaker notices faults: whether it opens, or opens again, while a fault lasts, or while
/// a call that began in it is unanswered. A call that never comes back is unanswered until the breaker has forgotten it.
#[derive(Clone, Debug)]
pub struct Watched<R> {
    report: R,
    fates: Vec<Fate>,
    /// How long a call that never comes back may still be noticed.
    lost_ns: u64,
}

/// What became of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// When it began and ended.
    pub span: InjectionSpan,
    /// How many calls began while it lasted.
    pub calls: u64,
    /// How the breaker noticed it, if it did.
    pub noticed: Option<Noticed>,
    /// When the last of its calls is answered.
    unanswered_until_ns: u64,
    /// How many calls began since it did.
    calls_since: u64,
}

/// How a breaker noticed a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// When it opened.
    pub t_ns: u64,
    /// How long after the fault's begin.
    pub after_ns: u64,
    /// By which rule.
    pub reason: Reason,
    /// How many calls had begun since the fault did.
    pub after_calls: u64,
}

impl<R> Watched<R> {
    /// Watches for faults at these times.
    pub fn new(report: R, spans: impl IntoIterator<Item = InjectionSpan>) -> Self {
        let fate = |span| Fate { span, calls: 0, noticed: None, unanswered_until_ns: 0, calls_since: 0 };
        Self { report, fates: spans.into_iter().map(fate).collect(), lost_ns: 0 }
    }

    /// The report, and what became of each fault.
    pub fn into_parts(self) -> (R, Vec<Fate>) {
        (self.report, self.fates)
    }
}

/// A call that never comes back counts as overdue until it is too old for the window, and stalls even then.
fn lost_ns(config: &Config) -> u64 {
    let age_ns = if config.window_age_ns == 0 { u64::MAX } else { config.window_age_ns };
    age_ns.max(config.stall_limit_ns)
}

impl Fate {
    fn begin(&mut self, row: &Row, lost_ns: u64) {
        if row.start_ns < self.span.from_ns {
            return;
        }
        self.calls_since += 1;
        if self.span.has(row.start_ns) {
            self.calls += 1;
            let end_ns = row.start_ns.saturating_add(row.latency_ns.unwrap_or(lost_ns));
            self.unanswered_until_ns = self.unanswered_until_ns.max(end_ns);
        }
    }

    fn open(&mut self, event: &Event) {
        let (t_ns, from_ns) = (event.t_ns, self.span.from_ns);
        // Before one of its calls has begun nobody can have noticed it.
        let is_its = self.calls > 0 && (t_ns < self.span.to_ns || t_ns <= self.unanswered_until_ns);
        if is_its && self.noticed.is_none() {
            let after_ns = t_ns.saturating_sub(from_ns);
            self.noticed = Some(Noticed { t_ns, after_ns, reason: event.reason, after_calls: self.calls_since });
        }
    }
}

impl<R: Report> Report for Watched<R> {
    type Error = R::Error;

    fn begin(&mut self, config: &Config) -> Result<(), R::Error> {
        self.lost_ns = lost_ns(config);
        self.report.begin(config)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.report.span(state, from_ns, to_ns);
    }

    fn began(&mut self, row: &Row) {
        self.fates.iter_mut().for_each(|fate| fate.begin(row, self.lost_ns));
        self.report.began(row);
    }

    fn transition(&mut self, event: &Event) -> Result<(), R::Error> {
        if event.to == State::Open {
            self.fates.iter_mut().for_each(|fate| fate.open(event));
        }
        self.report.transition(event)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), R::Error> {
        self.report.end(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::LogError;
    use crate::replay::Replay;
    use crate::row::RowKind;

    struct Nothing;

    impl Report for Nothing {
        type Error = LogError;

        fn begin(&mut self, _: &Config) -> Result<(), LogError> {
            Ok(())
        }

        fn transition(&mut self, _: &Event) -> Result<(), LogError> {
            Ok(())
        }

        fn end(&mut self, _: &Summary) -> Result<(), LogError> {
            Ok(())
        }
    }

    /// The threshold is 100, and a call stalls at 500.
    fn config() -> Config {
        Config { spike_count: 3, backoff_base_ns: 1000, stall_limit_ns: 500, threshold_ns: 100, ..Config::default() }
    }

    fn fate(config: &Config, rows: &[(u64, Option<u64>)], from_ns: u64, to_ns: u64) -> Fate {
        let mut replay = Replay::new(config, Watched::new(Nothing, [InjectionSpan { from_ns, to_ns }])).unwrap();
        for &(start_ns, latency_ns) in rows {
            replay.push(Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }).unwrap();
        }
        let (_, report) = replay.finish().unwrap();
        report.into_parts().1.remove(0)
    }

    fn noticed(rows: &[(u64, Option<u64>)], from_ns: u64, to_ns: u64) -> Option<(u64, u64, &'static str, u64)> {
        let noticed = fate(&config(), rows, from_ns, to_ns).noticed?;
        Some((noticed.t_ns, noticed.after_ns, noticed.reason.name(), noticed.after_calls))
    }

    const SPIKE: [(u64, Option<u64>); 5] =
        [(0, Some(5)), (200, Some(101)), (300, Some(101)), (400, Some(101)), (450, Some(60))];

    #[test]
    fn a_spike_is_noticed_while_its_calls_are_unanswered() {
        // The third slow call comes back at 501.
        assert_eq!(noticed(&SPIKE, 200, 500), Some((501, 301, "spike", 4)));
        assert_eq!(noticed(&SPIKE, 100, 401), Some((501, 401, "spike", 4)), "after its end");
        assert_eq!(noticed(&SPIKE, 200, 400), None, "the last of its calls came back at 401");
        assert_eq!(noticed(&SPIKE, 400, 401), Some((501, 101, "spike", 2)));
        assert_eq!(noticed(&SPIKE, 450, 451), Some((501, 51, "spike", 1)), "its own call is still out");
        assert_eq!(noticed(&SPIKE, 451, 600), None, "none of its calls has begun");
        assert_eq!(fate(&config(), &SPIKE, 200, 400).calls, 2);
    }

    #[test]
    fn a_fault_is_noticed_as_long_as_it_lasts() {
        // The call that stalls began before it.
        let rows = [(0, None), (200, Some(5)), (700, Some(5))];
        assert_eq!(noticed(&rows, 200, 501), Some((500, 300, "stall", 1)));
        assert_eq!(noticed(&rows, 200, 500), None);
    }

    #[test]
    fn a_call_that_never_comes_back_is_noticed_when_it_stalls() {
        let rows = [(0, Some(5)), (200, None), (300, Some(5)), (2000, Some(5)), (2100, None), (2700, Some(5))];
        assert_eq!(noticed(&rows[..4], 200, 201), Some((700, 500, "stall", 2)));
        // A trial that is late reopens, and that is noticed.
        assert_eq!(noticed(&rows, 2100, 2101), Some((2181, 81, "probe_slow", 1)));
    }

    #[test]
    fn a_call_that_never_comes_back_is_forgotten() {
        let mut config = Config { stall_limit_ns: 0, window_age_ns: 1000, ..config() };
        let rows =
            |slow_ns: u64| [(0, None), (slow_ns - 30, Some(101)), (slow_ns - 20, Some(101)), (slow_ns - 10, Some(101))];
        let is_noticed = |config: &Config, slow_ns| fate(config, &rows(slow_ns), 0, 1).noticed.is_some();
        assert!(is_noticed(&config, 909) && !is_noticed(&config, 910), "at 1000 and 1001");
        config.window_age_ns = 0;
        assert!(is_noticed(&config, 1 << 60));
    }
}
