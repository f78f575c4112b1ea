//! What is in a log, at the head of a report.

use crate::show::{show_count, show_counted, show_ns, show_part};
use std::cell::{OnceCell, RefCell};
use trip99_logs::Row;
use trip99_logs::profile::{Profile, Profiler, QUANTILES};

/// What is in a log: for each line its name, and what it says.
pub(crate) fn show_profile(profile: &Profile, threshold_ns: u64) -> Vec<(&'static str, String)> {
    let calls = show_counted(profile.rows, "call");
    let Some(greatest_ns) = profile.greatest_ns else {
        return vec![("log", format!("{calls}, none of which came back"))];
    };
    let rate =
        profile.calls_in_1000_s().map_or(String::new(), |calls| format!(", {} a second", show_thousandth(calls)));
    let silence = profile.silence;
    let after_ns = silence.from_ns - profile.first_ns;
    let quantiles = QUANTILES.iter().zip(profile.quantiles_ns);
    let quantiles = quantiles.filter_map(|((_, name), ns)| Some(format!("{name} {}", show_ns(ns?))));
    let quantiles: Vec<String> = quantiles.chain([format!("greatest {}", show_ns(greatest_ns))]).collect();
    let slow = profile.slower_than(threshold_ns);
    let finest = |ns: u64| if ns == 0 { "-".to_owned() } else { show_ns(ns) };
    vec![
        (
            "log",
            format!(
                "{calls} over {}{rate}; the longest silence {}, after {}",
                show_ns(profile.span_ns()),
                show_ns(silence.len_ns),
                show_ns(after_ns)
            ),
        ),
        ("", quantiles.join(", ")),
        (
            "",
            format!(
                "{} slower than {} ({}), {} failed, {} never came back, {} in flight at the end",
                show_count(slow),
                show_ns(threshold_ns),
                show_part(slow, profile.rows),
                show_count(profile.failed),
                show_count(profile.lost),
                show_count(profile.in_flight)
            ),
        ),
        (
            "",
            format!(
                "stamps are multiples of {}, latencies of {}",
                finest(profile.stamp_resolution_ns),
                finest(profile.latency_resolution_ns)
            ),
        ),
    ]
}

/// The same lines, by names that tell more where there are no columns.
pub(crate) fn show_named_profile(profile: &Profile, threshold_ns: u64) -> impl Iterator<Item = (&'static str, String)> {
    let names = ["calls", "latency", "", "resolution"];
    names.into_iter().zip(show_profile(profile, threshold_ns)).map(|(name, (_, text))| (name, text))
}

/// A number of thousandths, rounded down, with as many decimals as tell something.
fn show_thousandth(thousandths: u64) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match whole {
        100.. => show_count(whole),
        10.. => format!("{whole}.{}", rest / 100),
        _ => format!("{whole}.{:02}", rest / 10),
    }
}

/// What the rows make, taken note of as they pass by.
#[derive(Default)]
pub(crate) struct Looked {
    profiler: RefCell<Profiler>,
    profile: OnceCell<Profile>,
}

impl Looked {
    pub(crate) fn take(&self, row: &Row) {
        self.profiler.borrow_mut().take(row);
    }

    /// To be called when all rows are taken.
    pub(crate) fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| self.profiler.take().finish())
    }
}
