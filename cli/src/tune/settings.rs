//! The settings that were made, each with its reason; and as a TOML file.

use super::Found;
use crate::settings::show_toml_line;
use crate::show::{show_count, show_every, show_ns, show_part, show_quantile, wrap};
use trip99::Config;

/// The columns that a comment of the file takes at most.
const COLUMNS: usize = 100;

/// Why the settings are what they are, in this order.
type Reason = fn(&Found) -> String;

const REASONS: [(&str, Reason); 9] = [
    ("quantile", quantile),
    ("threshold", threshold),
    ("debt_limit", debt_limit),
    ("window_age", window_age),
    ("stall_limit", stall_limit),
    ("recover_threshold", recover_threshold),
    ("probes", probes),
    ("spike_count", |_| "off: the debt sees what slow calls in a row would show".to_owned()),
    ("max_in_flight", |_| "four times the most that were in flight at once".to_owned()),
];

fn quantile(found: &Found) -> String {
    let (tuned, options) = (&found.tuned, &found.options);
    if options.quantile_ppm.is_some() {
        return "as given".to_owned();
    }
    let pairs = show_count(tuned.candidates.len() as u64);
    let delay = show_ns(tuned.chosen.mean_delay_ns as u64);
    let quantile = show_quantile(tuned.chosen.quantile_ppm);
    format!(
        "of {pairs} pairs of quantile and threshold, {quantile} and this threshold notice the faults below soonest: within {delay} on average"
    )
}

fn threshold(found: &Found) -> String {
    let tuned = &found.tuned;
    let share = show_part(tuned.chosen.slow, tuned.healthy);
    let given = if found.options.threshold_ns.is_some() { "as given; " } else { "" };
    let [median_ns, ..] = tuned.healthy_ns;
    let slower = match tuned.chosen.slow {
        0 => "no healthy call is slower".to_owned(),
        1 => "1 healthy call is slower".to_owned(),
        slow => format!("{} healthy calls are slower ({share})", show_count(slow)),
    };
    format!("{given}{slower}; the median is {}", show_ns(median_ns))
}

fn debt_limit(found: &Found) -> String {
    let bound = show_every(found.tuned.chosen.bound_a_month);
    let budget = show_every(found.budget_a_month());
    format!("the least within half the budget ({budget}): by the log's own tail no more than {bound}")
}

fn window_age(found: &Found) -> String {
    let minute = found.tuned.config.window_age_ns == 60_000_000_000;
    if minute { "the least: 250 calls take no longer" } else { "250 calls take so long, on average" }.to_owned()
}

fn stall_limit(found: &Found) -> String {
    let tuned = &found.tuned;
    let [.., greatest_ns] = tuned.healthy_ns;
    let greatest = format!("the greatest healthy latency is {}", show_ns(greatest_ns));
    if tuned.config.stall_limit_ns == tuned.outage_limit_ns {
        return format!("what takes longer is an outage; {greatest}");
    }
    format!("{greatest}; a quarter of the budget is for this rule")
}

fn recover_threshold(found: &Found) -> String {
    let config = &found.tuned.config;
    let limit_ns = config.effective_recover_threshold_ns();
    let slower = found.profile.slower_than(limit_ns);
    let share = show_part(slower, found.profile.rows);
    if config.recover_threshold_ns == 0 {
        return format!("0 is 80 % of the threshold: {share} of all calls are slower");
    }
    format!(
        "the threshold itself: at 80 % of it healthy calls would fail their trials too often; {share} of all calls are slower"
    )
}

fn probes(_: &Found) -> String {
    "so many good trials in a row a healthy link has with a chance of 90 %, or 10".to_owned()
}

impl Found {
    /// Those that were made: name, value, reason.
    pub(super) fn settings(&self) -> Vec<(&'static str, String, String)> {
        let config = &self.tuned.config;
        let by_default = Config::default();
        let made = REASONS.iter().filter_map(|(name, reason)| {
            let setting = Config::setting(name)?;
            let is_asked = *name != "max_in_flight" || setting.get(config) != setting.get(&by_default);
            is_asked.then(|| (setting.name(), setting.show(config), reason(self)))
        });
        made.collect()
    }

    /// A file of the settings. What it doesn't have follows the threshold, or is as by default.
    pub(super) fn toml(&self) -> String {
        let mut toml = String::new();
        let comment = |text: &str, toml: &mut String| {
            wrap(text, COLUMNS - 2).iter().for_each(|line| *toml += &format!("# {line}\n"));
        };
        let head = format!(
            "trip99 tune made these settings of {} calls over {}. {}",
            show_count(self.profile.rows),
            show_ns(self.profile.span_ns()),
            self.promise()
        );
        comment(&head, &mut toml);
        for (name, _, reason) in self.settings() {
            if let Some(setting) = Config::setting(name) {
                toml.push('\n');
                comment(&sentence(&reason), &mut toml);
                toml += &show_toml_line(setting, &self.tuned.config);
            }
        }
        toml
    }

    /// What the log can promise, in one sentence.
    pub(super) fn promise(&self) -> String {
        let tuned = &self.tuned;
        let bound = show_every(tuned.odds().bound_a_month);
        match &tuned.held_back {
            Some(held_back) => format!(
                "Settings made in the same way of the first part of the log, judged by the {} that were held back, trip falsely no more \
                 often than {bound}, 19 times of 20.",
                show_ns(held_back.proof.span_ns)
            ),
            None => format!(
                "By the {} of log that they were made of false trips are no more frequent than {bound}, 19 times of 20.",
                show_ns(tuned.whole.span_ns)
            ),
        }
    }
}

/// A text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
