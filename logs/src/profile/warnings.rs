//! What is odd about a log: it is likely not what it is taken for.

use super::Profile;
use crate::outages::outage_limit_ns;
use crate::row::Row;
use std::fmt;
use trip99::Config;

/// What is odd about a log, where, and what to do. One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWarning(String);

impl fmt::Display for LogWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// More calls a second than these no node answers.
const IMPOSSIBLE_RATE: u64 = 10_000_000;
/// From so few rows nothing is concluded.
const FEW: u64 = 10;
/// A share of fewer rows than these says little.
const MANY: u64 = 100;
const SECOND_NS: u64 = 1_000_000_000;

impl Profile {
    /// What is odd about the log, if it is to be judged by these settings. `show` writes nanoseconds as the reader likes them.
    pub fn warnings(&self, config: &Config, show: impl Fn(u64) -> String) -> Vec<LogWarning> {
        let found = [
            self.rate(&show),
            self.equal_starts(),
            self.coarse(config, &show),
            self.outage_at_the_end(&show),
            self.trials(config, &show),
        ];
        found.into_iter().flatten().map(LogWarning).collect()
    }

    fn rate(&self, show: &impl Fn(u64) -> String) -> Option<String> {
        let is_impossible = self.calls_in_1000_s()? > IMPOSSIBLE_RATE * 1000;
        (is_impossible && self.rows >= FEW).then(|| {
            let (rows, span) = (self.rows, show(self.span_ns()));
            format!(
                "rows 1 to {rows}: {rows} calls start within {span}; are the stamps in another unit than nanoseconds?"
            )
        })
    }

    fn equal_starts(&self) -> Option<String> {
        let equal = self.equal;
        let how_many =
            if equal.longest == self.rows { "all rows".to_owned() } else { format!("{} rows", equal.longest) };
        (equal.longest >= FEW && equal.longest > self.rows / 2).then(|| {
            let Self { rows, .. } = self;
            format!(
                "row {}: {how_many} of {rows} start at {}; was the number cut off, or are the stamps coarse?",
                equal.row, equal.start_ns
            )
        })
    }

    /// A breaker can't tell slow from fast by stamps that are coarser than its threshold.
    fn coarse(&self, config: &Config, show: &impl Fn(u64) -> String) -> Option<String> {
        // If one of them is finer, it is that which counts.
        let coarsest_ns = match (self.stamp_resolution_ns, self.latency_resolution_ns) {
            (0, _) => return None, // one start, or none
            (stamps_ns, 0) => stamps_ns,
            (stamps_ns, latencies_ns) => super::gcd(stamps_ns, latencies_ns),
        };
        let is_coarse = coarsest_ns > config.threshold_ns || coarsest_ns >= SECOND_NS;
        (is_coarse && self.rows >= FEW).then(|| {
            format!(
                "rows 1 to {}: every start and latency is a multiple of {}, and the threshold is {}; log finer stamps",
                self.rows,
                show(coarsest_ns),
                show(config.threshold_ns)
            )
        })
    }

    /// A call that takes longer than this is one of an outage.
    fn outage_ns(&self) -> u64 {
        outage_limit_ns(self.quantiles_ns.first().copied().flatten().unwrap_or(0))
    }

    fn outage_at_the_end(&self, show: &impl Fn(u64) -> String) -> Option<String> {
        let limit_ns = self.outage_ns();
        let is_bad = |row: &Row| !row.ok || row.latency_ns.is_none_or(|latency_ns| latency_ns > limit_ns);
        let is_outage = self.rows >= 2 * FEW && self.latest.len() == super::LATEST && self.latest.iter().all(is_bad);
        is_outage.then(|| {
            format!(
                "rows {} to {}: the log ends in an outage (the last {} calls failed, never came back, or took longer than {}); \
                 its end is not the outage's",
                self.rows + 1 - super::LATEST as u64,
                self.rows,
                super::LATEST,
                show(limit_ns)
            )
        })
    }

    /// The chance that all trials of a node are good that is as well as this log, but for its outages: calls that never came back, or that
    /// took as long as in an outage.
    #[expect(clippy::float_arithmetic, reason = "a chance is told to people; no decision hangs on it")]
    fn trials(&self, config: &Config, show: &impl Fn(u64) -> String) -> Option<String> {
        let (limit_ns, outage_ns) = (config.effective_recover_threshold_ns(), self.outage_ns());
        let healthy = self.latencies_ns.len() as u64 - self.slower_than(outage_ns);
        let slow = self.slower_than(limit_ns).saturating_sub(self.slower_than(outage_ns));
        let within_ns = limit_ns.min(outage_ns);
        let failed = self.failed_ns.iter().filter(|&&latency_ns| latency_ns <= within_ns).count() as u64;
        let good = 1.0 - (slow + failed) as f64 / healthy.max(1) as f64;
        let chance = good.powf(config.probes.into());
        (healthy >= MANY && chance < 0.9).then(|| {
            format!(
                "rows 1 to {}: of {} trials in a row, all would be good with a chance of {:.0} % (up to {} is good); try a \
                 larger recover_threshold, or fewer probes",
                self.rows,
                config.probes,
                chance * 100.0,
                show(limit_ns)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{profile, row};
    use super::*;

    const MS: u64 = 1_000_000;

    fn warnings(rows: &[Row]) -> Vec<String> {
        let config = Config::default();
        profile(rows).warnings(&config, |ns| format!("{ns} ns")).iter().map(ToString::to_string).collect()
    }

    fn rows(count: u64, make: impl Fn(u64) -> Row) -> Vec<Row> {
        (0..count).map(make).collect()
    }

    #[track_caller]
    fn check(odd: &[Row], text: &str, even: &[Row]) {
        let found = warnings(odd);
        assert!(found.iter().any(|warning| warning.contains(text)), "{found:?}");
        assert_eq!(warnings(even), Vec::<String>::new());
    }

    #[test]
    fn an_impossible_rate() {
        let at =
            |step_ns: u64| rows(300, move |call| row(1_700_000_000_000 + call * step_ns, Some(5 * MS + call), true));
        check(&at(10), "300 calls start within 2990 ns", &at(100));
    }

    #[test]
    fn many_equal_starts() {
        let start_ns = i32::MAX as u64;
        let equal = |count: u64| {
            rows(20, move |call| row(start_ns + call.saturating_sub(count - 1) * MS, Some(15 * MS + call), true))
        };
        check(&equal(20), "row 1: all rows of 20 start at 2147483647", &equal(10));
        check(&equal(11), "row 1: 11 rows of 20 start at 2147483647", &equal(10));
    }

    #[test]
    fn stamps_that_are_coarser_than_the_threshold() {
        let second = |fine_ns: u64| rows(100, move |call| row(call / 4 * SECOND_NS, Some(call % 2 * fine_ns), true));
        let found = warnings(&second(SECOND_NS));
        assert!(
            found.iter().any(|text| text.contains("is a multiple of 1000000000 ns, and the threshold is 200000000")),
            "{found:?}"
        );
        assert_eq!(warnings(&second(1)), Vec::<String>::new());
        let at = |unit_ns: u64| rows(100, move |call| row(call * unit_ns, Some(0), true));
        check(&at(200 * MS + 1), "is a multiple of 200000001 ns", &at(200 * MS));
    }

    #[test]
    fn an_outage_at_the_end() {
        let bad_from =
            |first: u64| rows(1000, move |call| row(call * 100 * MS, (call < first).then_some(5 * MS + call), true));
        check(&bad_from(995), "rows 996 to 1000: the log ends in an outage", &bad_from(996));
        let slow = |last_ns: u64| {
            rows(1000, move |call| row(call * 100 * MS, Some(if call < 995 { 5 * MS + call } else { last_ns }), true))
        };
        check(&slow(SECOND_NS + 1), "took longer than 1000000000 ns", &slow(159 * MS));
    }

    #[test]
    fn trials_that_a_healthy_node_would_fail() {
        // 0.99^10 is 90.4 %, 0.98^10 is 81.7 %.
        let slow = |share: u64| {
            rows(1000, move |call| {
                row(call * 100 * MS, Some(if call % 100 < share { 161 * MS } else { 5 * MS + call }), true)
            })
        };
        check(&slow(2), "of 10 trials in a row, all would be good with a chance of 82 % (up to 160000000 ns", &slow(1));
        // Failed calls are bad, once each.
        let failed = |share: u64, latency_ns: u64| {
            rows(1000, move |call| {
                let is_bad = call % 100 < share;
                row(call * 100 * MS, Some(if is_bad { latency_ns } else { 5 * MS + call }), !is_bad)
            })
        };
        check(&failed(2, 6 * MS), "a chance of 82 %", &failed(1, 6 * MS));
        check(&failed(2, 161 * MS), "a chance of 82 %", &failed(1, 161 * MS));
    }

    #[test]
    fn trials_do_not_meet_the_outages_of_the_log() {
        // A tenth of the calls never came back, or took longer than a second: those of an outage in the middle.
        let outage = |latency_ns: Option<u64>, ok| {
            rows(1000, move |call| match call {
                400..500 => row(call * 100 * MS, latency_ns, ok),
                _ => row(call * 100 * MS, Some(5 * MS + call), true),
            })
        };
        for (latency_ns, ok) in [(None, true), (Some(SECOND_NS + 1), true), (Some(SECOND_NS + 1), false)] {
            assert_eq!(warnings(&outage(latency_ns, ok)), Vec::<String>::new(), "{latency_ns:?}");
        }
        let found = warnings(&outage(Some(SECOND_NS), true));
        assert!(found.iter().any(|text| text.contains("a chance of 35 %")), "{found:?}");
    }
}
