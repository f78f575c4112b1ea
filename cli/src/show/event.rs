//! How events are shown to people: a table of them, and the evidence of each.

use super::{show_count, show_counted, show_exact_ns, show_ns, show_part, show_quantile, show_time, state_style, wrap};
use console::style;
use trip99::{Event, PPM, Reason, State};

/// Columns that a terminal needs for all figures of a table. A narrower one gets fewer.
const WIDE: usize = 110;

/// A table of events. An event has a row, and below it its evidence.
pub(crate) struct EventTable {
    /// The columns of the terminal.
    columns: usize,
}

impl EventTable {
    /// Where the texts below a row begin.
    const INDENT: usize = 15;

    pub(crate) fn new(columns: usize) -> Self {
        Self { columns }
    }

    fn is_wide(&self) -> bool {
        self.columns >= WIDE
    }

    pub(crate) fn header(&self, time: &str, quantile: &str) -> String {
        let samples = if self.is_wide() { format!("  {:>20}", "slow of samples") } else { String::new() };
        let header = format!("{time:>13}  {:<22} {:<20} {quantile:>9}{samples}  pause", "change", "reason");
        style(header).dim().to_string()
    }

    /// An event, with how long after `first_ns` it was.
    pub(crate) fn since(&self, event: &Event, first_ns: u64, quantile_ppm: u32) -> String {
        self.row(event, &show_time(event.t_ns.saturating_sub(first_ns)), Some(quantile_ppm))
    }

    /// An event, with a text for its time. `quantile_ppm` is the quantile that was judged, if that is known.
    pub(crate) fn row(&self, event: &Event, time: &str, quantile_ppm: Option<u32>) -> String {
        let is_wide = self.is_wide();
        // There is no quantile of nothing.
        let quantile = if event.samples == 0 { "-".to_owned() } else { show_ns(event.quantile_ns) };
        let samples = match (event.samples, event.overdue) {
            _ if !is_wide => String::new(),
            (0, _) => format!("  {:>20}", "-"),
            (samples, 0) => format!("  {:>20}", format!("{} of {samples}", event.slow)),
            (samples, overdue) => format!("  {:>20}", format!("{overdue} late, {} of {samples}", event.slow)),
        };
        let to = state_style(event.to);
        let change = if event.from == event.to {
            to.apply_to(format_args!("{:<22}", event.to)).to_string()
        } else {
            format!("{:<9} → {}", event.from, to.apply_to(format_args!("{:<10}", event.to)))
        };
        let row =
            format!("{time:>13}  {change} {:<20} {quantile:>9}{samples}  {}", event.reason, show_pause(event, is_wide));
        let mut lines = vec![row.trim_end().to_owned()];
        let evidence = evidence(event, quantile_ppm).unwrap_or_default();
        lines.extend(self.below(&evidence).map(|line| style(line).dim().to_string()));
        lines.join("\n")
    }

    /// The lines of a text that stands below a row.
    pub(crate) fn below(&self, text: &str) -> impl Iterator<Item = String> + use<> {
        let indent = Self::INDENT;
        wrap(text, self.columns.saturating_sub(indent).max(20))
            .into_iter()
            .map(move |line| format!("{:indent$}{line}", ""))
    }
}

/// How long the pause is that begins with an event, if one does.
pub(crate) fn show_pause(event: &Event, is_wide: bool) -> String {
    let pause_ns = event.retry_at_ns.saturating_sub(event.t_ns);
    // Of these the pause goes on as it was.
    let is_beside = matches!(
        event.reason,
        Reason::Halt
            | Reason::Resume
            | Reason::Reconfigured
            | Reason::OwnerSilent
            | Reason::OwnerBack
            | Reason::Latched
    );
    match event.to {
        _ if is_beside => String::new(),
        State::Open if is_wide => format!("{} (attempt {})", show_ns(pause_ns), event.attempt),
        State::Open => show_ns(pause_ns),
        _ => String::new(),
    }
}

/// As [`evidence`], and how many samples it stands for.
pub(crate) fn evidence_and_samples(event: &Event, quantile_ppm: Option<u32>) -> Option<String> {
    let text = evidence(event, quantile_ppm)?;
    let samples = show_count(event.samples.into());
    let late = match event.overdue {
        0 => String::new(),
        overdue => format!(", {} late", show_count(overdue.into())),
    };
    Some(match event.reason {
        Reason::Latency => format!("{text}, {} of {samples} slow{late}", show_count(event.slow.into())),
        Reason::FailureRate => format!("{text}, {} of {samples}", show_count(event.failures.into())),
        _ => text,
    })
}

/// What was observed, and the limit that it was held against. `quantile_ppm` is the quantile that was judged, if that is known.
/// `None` if the reason says it all.
pub(crate) fn evidence(event: &Event, quantile_ppm: Option<u32>) -> Option<String> {
    let Event { observed, limit, .. } = *event;
    let limited = |what: String| format!("{what}, limit {}", show_ns(limit));
    let time = show_beside(observed, limit, show_ns, show_exact_ns);
    let text = match event.reason {
        Reason::Latency if event.by_debt => {
            format!("debt {} calls, limit {}", show_calls(observed), show_calls(limit))
        }
        Reason::Latency => {
            let quantile = quantile_ppm.map_or("the quantile".to_owned(), show_quantile);
            limited(format!("{quantile} was {time}"))
        }
        Reason::FailureRate => {
            let share = show_beside(observed, limit, |ppm| show_part(ppm, PPM.into()), show_exact_share);
            format!("{share} failed, limit {}", show_part(limit, PPM.into()))
        }
        Reason::ConsecutiveFailures => {
            format!("{} failed in a row, limit {}", show_count(observed), show_count(limit))
        }
        Reason::Spike => limited(format!("a call took {time}")),
        Reason::Stall => limited(format!("a call has been out for {time}")),
        Reason::ProbeFailed => format!("a trial failed after {}", show_ns(observed)),
        Reason::ProbeSlow => limited(format!("a trial took {time}")),
        Reason::ProbeLost => limited(format!("no result for {time}")),
        Reason::Recovered => format!("{} of {}", show_counted(observed, "good result"), show_count(limit)),
        Reason::ClockJumped => limited(format!("the clock went back by {time}")),
        Reason::Reconfigured => {
            format!("settings {} -> {}", show_hash(event.settings_before), show_hash(event.settings_after))
        }
        _ => return None,
    };
    Some(text)
}

/// What was observed, with more digits if it would look like its limit otherwise.
fn show_beside(observed: u64, limit: u64, short: impl Fn(u64) -> String, exact: impl Fn(u64) -> String) -> String {
    let text = short(observed);
    if observed != limit && text == short(limit) { exact(observed) } else { text }
}

/// A share in percent, with all its digits.
fn show_exact_share(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number of calls in ppm, rounded down to thousandths.
pub(crate) fn show_calls(ppm: u64) -> String {
    let text = format!("{}.{:03}", show_count(ppm / u64::from(PPM)), ppm / 1_000 % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A hash of settings.
pub(crate) fn show_hash(hash: u64) -> String {
    format!("{hash:#018x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config};

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000_000_000;

    /// An event can't be made here, so it is made out of one that a breaker made.
    fn event(reason: Reason, observed: u64, limit: u64) -> Event {
        let mut breaker = Breaker::new(Config { spike_count: 1, jitter_ppm: 0, ..Config::default() }).unwrap();
        breaker.record_at(S, 200 * MS + 1);
        let mut event = breaker.events().next().unwrap();
        (event.reason, event.observed, event.limit) = (reason, observed, limit);
        event
    }

    #[test]
    fn each_reason_has_its_evidence() {
        for (reason, observed, limit, text) in [
            (Reason::FailureRate, 512_345, 500_000, "51.2 % failed, limit 50 %"),
            (Reason::FailureRate, 500_100, 500_000, "50.01 % failed, limit 50 %"),
            (Reason::ConsecutiveFailures, 5, 5, "5 failed in a row, limit 5"),
            (Reason::Spike, 250 * MS, 200 * MS, "a call took 250 ms, limit 200 ms"),
            (Reason::Stall, S, S, "a call has been out for 1 s, limit 1 s"),
            (Reason::Stall, S + 1, S, "a call has been out for 1.000000001 s, limit 1 s"),
            (Reason::ProbeFailed, MS, 0, "a trial failed after 1 ms"),
            (Reason::ProbeFailed, 0, 0, "a trial failed after 0 ns"),
            (Reason::ProbeSlow, 190 * MS, 160 * MS, "a trial took 190 ms, limit 160 ms"),
            (Reason::ProbeSlow, 160 * MS + 1, 160 * MS, "a trial took 160.000001 ms, limit 160 ms"),
            (Reason::ProbeLost, 2 * S, 2 * S, "no result for 2 s, limit 2 s"),
            (Reason::Recovered, 10, 10, "10 good results of 10"),
            (Reason::Recovered, 1, 1, "1 good result of 1"),
            (Reason::ClockJumped, 86_400 * S, S, "the clock went back by 24 h 0 min, limit 1 s"),
        ] {
            assert_eq!(evidence(&event(reason, observed, limit), Some(990_000)).as_deref(), Some(text), "{reason}");
        }
        let without = [
            Reason::Retry,
            Reason::Halt,
            Reason::Resume,
            Reason::Restart,
            Reason::Tripped,
            Reason::OwnerSilent,
            Reason::OwnerBack,
            Reason::Latched,
        ];
        for reason in without {
            assert_eq!(evidence(&event(reason, 0, 0), None), None, "{reason}");
        }
    }

    #[test]
    fn a_trip_by_latency_names_its_quantile_or_its_debt() {
        let by_quantile = |quantile_ns| {
            let mut event = event(Reason::Latency, quantile_ns, 200 * MS);
            event.quantile_ns = quantile_ns;
            event
        };
        // Its quantile may be the same number.
        let by_debt = |observed, limit| {
            let mut event = event(Reason::Latency, observed, limit);
            (event.quantile_ns, event.by_debt) = (observed, true);
            event
        };
        for (event, quantile_ppm, text) in [
            (by_quantile(412 * MS), Some(990_000), "P99 was 412 ms, limit 200 ms"),
            (by_quantile(412 * MS), None, "the quantile was 412 ms, limit 200 ms"),
            (by_quantile(200 * MS + 1), Some(999_000), "P99.9 was 200.000001 ms, limit 200 ms"),
            (by_debt(5_940_000, 5_940_000), Some(990_000), "debt 5.94 calls, limit 5.94"),
            (by_debt(6_929_999, 5_940_000), Some(990_000), "debt 6.929 calls, limit 5.94"),
            (by_debt(2_000_000, 2_000_000), None, "debt 2 calls, limit 2"),
        ] {
            assert_eq!(evidence(&event, quantile_ppm).as_deref(), Some(text));
        }
    }

    #[test]
    fn verdicts_on_samples_say_of_how_many() {
        let of = |reason, overdue| {
            let mut event = event(reason, 412 * MS, 200 * MS);
            (event.samples, event.slow, event.overdue, event.failures) = (1_000, 14, overdue, 501);
            evidence_and_samples(&event, Some(990_000))
        };
        let shown = |reason, overdue| of(reason, overdue).unwrap_or_default();
        assert_eq!(shown(Reason::Latency, 0), "P99 was 412 ms, limit 200 ms, 14 of 1 000 slow");
        assert_eq!(shown(Reason::Latency, 2), "P99 was 412 ms, limit 200 ms, 14 of 1 000 slow, 2 late");
        assert!(shown(Reason::FailureRate, 2).ends_with(" failed, limit 20000 %, 501 of 1 000"));
        assert_eq!(shown(Reason::Spike, 2), "a call took 412 ms, limit 200 ms");
        assert_eq!(of(Reason::Halt, 2), None);
    }

    #[test]
    fn a_change_of_settings_has_their_hashes() {
        let mut event = event(Reason::Reconfigured, 0, 0);
        (event.settings_before, event.settings_after) = (0x12ab, u64::MAX);
        let text = "settings 0x00000000000012ab -> 0xffffffffffffffff";
        assert_eq!(evidence(&event, None).as_deref(), Some(text));
    }

    #[test]
    fn a_row_has_figures_and_below_it_the_evidence() {
        let table = EventTable::new(usize::MAX);
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let spike = event(Reason::Spike, 250 * MS, 200 * MS);
        let row = table.since(&spike, 0, 990_000);
        let (row, below) = row.split_once('\n').unwrap();
        assert_eq!(words(row), "1.000 s closed → open spike 200 ms 1 of 1 1 s (attempt 0)");
        assert_eq!(below, "               a call took 250 ms, limit 200 ms");
        let mut late = event(Reason::Retry, 0, 0);
        late.overdue = 1;
        assert_eq!(
            words(&table.row(&late, "now", None)),
            "now closed → open retry 200 ms 1 late, 1 of 1 1 s (attempt 0)"
        );
        // There is no quantile of nothing, and no share of it.
        let mut nothing = event(Reason::Retry, 0, 0);
        (nothing.samples, nothing.slow, nothing.quantile_ns) = (0, 0, 0);
        assert_eq!(words(&table.row(&nothing, "now", None)), "now closed → open retry - - 1 s (attempt 0)");
        let narrow = EventTable::new(80);
        assert_eq!(words(&narrow.row(&nothing, "now", None)), "now closed → open retry - 1 s");
        assert!(narrow.header("time", "P99").chars().count() <= 80);
    }
}
