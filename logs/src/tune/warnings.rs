//! What a log can't promise of the settings that were made of it.

use super::{Difference, LEAST_HELD_BACK, TuneOptions, Tuned};
use crate::show::{show_every, show_ns, show_part};
use trip99::{PPM, Reason};

/// Who notices a link that is five times slower only after more calls than this is told so.
const MANY_CALLS: u64 = 100;

impl Tuned {
    /// What the log can't promise, each in one line that tells what to do. `name` tells what the reader calls an option: `bad`,
    /// `false-trips`. `more` is where the reader finds all figures.
    pub fn warnings(&self, options: &TuneOptions, name: impl Fn(&str) -> String, more: &str) -> Vec<String> {
        let found = [
            self.nothing_held_back(options),
            self.parts_differ(),
            self.other_rules(more),
            self.too_little_log(options),
            self.slow_to_notice(&name),
            self.not_in_time(options, &name),
        ];
        found.into_iter().flatten().collect()
    }

    fn nothing_held_back(&self, options: &TuneOptions) -> Option<String> {
        let kind = "the odds are those of the calls that the settings were made of, and too kind";
        match (&self.held_back, options.hold_back_ppm) {
            (Some(_), _) => None,
            (None, 0) => Some(format!("nothing was held back; {kind}")),
            (None, _) => Some(format!(
                "nothing was held back, as that takes {LEAST_HELD_BACK} healthy calls in each part; {kind}; try a longer log"
            )),
        }
    }

    fn parts_differ(&self) -> Option<String> {
        let difference = show_difference(self.held_back.as_ref()?.difference?);
        Some(format!(
            "the parts of the log differ: {difference}; no settings made of one part keep their odds in the other"
        ))
    }

    fn other_rules(&self, more: &str) -> Option<String> {
        let trips = &self.held_back.as_ref()?.proof.false_trips;
        let others = trips.iter().filter(|trip| trip.reason != Reason::Latency).count();
        (others > 0).then(|| {
            format!(
                "{others} of the false trips in the part that was held back are of other rules than the debt's; see {more}"
            )
        })
    }

    fn too_little_log(&self, options: &TuneOptions) -> Option<String> {
        let odds = self.odds();
        (odds.bound_a_month > options.budget_a_month()).then(|| {
            format!(
                "{} of log can't promise {}: it promises {} at best; a log of {} without a false trip could",
                show_ns(self.healthy_span_ns),
                show_every(options.budget_a_month()),
                show_every(odds.bound_a_month),
                show_ns(options.enough_ns())
            )
        })
    }

    fn slow_to_notice(&self, name: impl Fn(&str) -> String) -> Option<String> {
        let five_times = self.faults.first().and_then(|fault| fault.median_calls);
        five_times.is_none_or(|calls| calls > MANY_CALLS).then(|| {
            format!(
                "a link that is five times slower is noticed {}: the log has slow times of its own, and the budget lets few of them trip; \
                 leave out what was no healthy time ({}), or allow more false trips ({})",
                five_times.map_or("seldom".to_owned(), |calls| format!("after {calls} calls")),
                name("bad"),
                name("false-trips")
            )
        })
    }

    fn not_in_time(&self, options: &TuneOptions, name: impl Fn(&str) -> String) -> Option<String> {
        let within_ns = options.detect_within_ns.filter(|_| !self.is_quick)?;
        Some(format!(
            "no settings within the budget notice faults within {}: these take {} in the median; try a larger {}",
            show_ns(within_ns),
            show_ns(self.chosen.median_delay_ns),
            name("false-trips")
        ))
    }
}

fn show_difference(difference: Difference) -> String {
    match difference {
        Difference::Median(before_ns, after_ns) => {
            format!("the median is {} in the first, {} in the last", show_ns(before_ns), show_ns(after_ns))
        }
        Difference::P99(before_ns, after_ns) => {
            format!("P99 is {} in the first, {} in the last", show_ns(before_ns), show_ns(after_ns))
        }
        Difference::SlowCalls(before_ppm, after_ppm) => {
            let part = |ppm: u64| show_part(ppm, PPM.into());
            format!("{} of the calls are slow in the first, {} in the last", part(before_ppm), part(after_ppm))
        }
    }
}
