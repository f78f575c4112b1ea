//! What was made of a log, in words: each setting with its reason, the odds, and a TOML file.

use super::{Proof, TuneOptions, Tuned};
use crate::profile::Profile;
use crate::show::{show_count, show_counted, show_every, show_ns, show_part, show_quantile, wrap_by};
use trip99::Config;

/// The columns that a comment of the file takes at most.
const COLUMNS: usize = 100;

/// Settings that were made of a log, and what else their words tell of.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The settings, and what is known of them.
    pub tuned: &'a Tuned,
    /// What was asked for.
    pub options: &'a TuneOptions,
    /// What is in the log.
    pub profile: &'a Profile,
}

/// Why the settings are what they are, in this order.
type Reason = fn(&Told) -> String;

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

fn quantile(told: &Told<'_>) -> String {
    let (tuned, options) = (told.tuned, told.options);
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

fn threshold(told: &Told<'_>) -> String {
    let tuned = told.tuned;
    let share = show_part(tuned.chosen.slow, tuned.healthy);
    let given = if told.options.threshold_ns.is_some() { "as given; " } else { "" };
    let [median_ns, ..] = tuned.healthy_ns;
    let slower = match tuned.chosen.slow {
        0 => "no healthy call is slower".to_owned(),
        1 => "1 healthy call is slower".to_owned(),
        slow => format!("{} healthy calls are slower ({share})", show_count(slow)),
    };
    format!("{given}{slower}; the median is {}", show_ns(median_ns))
}

fn debt_limit(told: &Told<'_>) -> String {
    let bound = show_every(told.tuned.chosen.bound_a_month);
    let budget = show_every(told.options.budget_a_month());
    format!("the least within half the budget ({budget}): by the log's own tail no more than {bound}")
}

fn window_age(told: &Told<'_>) -> String {
    let minute = told.tuned.config.window_age_ns == 60_000_000_000;
    if minute { "the least: 250 calls take no longer" } else { "250 calls take so long, on average" }.to_owned()
}

fn stall_limit(told: &Told<'_>) -> String {
    let tuned = told.tuned;
    let [.., greatest_ns] = tuned.healthy_ns;
    let greatest = format!("the greatest healthy latency is {}", show_ns(greatest_ns));
    if tuned.config.stall_limit_ns == tuned.outage_limit_ns {
        return format!("what takes longer is an outage; {greatest}");
    }
    format!("{greatest}; a quarter of the budget is for this rule")
}

fn recover_threshold(told: &Told<'_>) -> String {
    let config = &told.tuned.config;
    let limit_ns = config.effective_recover_threshold_ns();
    let slower = told.profile.slower_than(limit_ns);
    let share = show_part(slower, told.profile.rows);
    if config.recover_threshold_ns == 0 {
        return format!("0 is 80 % of the threshold: {share} of all calls are slower");
    }
    format!(
        "the threshold itself: at 80 % of it healthy calls would fail their trials too often; {share} of all calls are slower"
    )
}

fn probes(_: &Told<'_>) -> String {
    "so many good trials in a row a healthy link has with a chance of 90 %, or 10".to_owned()
}

impl Told<'_> {
    /// Those that were made: name, value, reason.
    pub fn settings(&self) -> Vec<(&'static str, String, String)> {
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
    pub fn toml(&self) -> String {
        let mut toml = String::new();
        let comment = |text: &str, toml: &mut String| {
            wrap_by(text, COLUMNS - 2, |text| text.chars().count())
                .iter()
                .for_each(|line| *toml += &format!("# {line}\n"));
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
                toml += &setting.show_toml(&self.tuned.config);
            }
        }
        toml
    }

    /// What the log can promise, in one sentence.
    pub fn promise(&self) -> String {
        let tuned = self.tuned;
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

    /// What is known of false trips, in sentences.
    pub fn odds(&self) -> Vec<String> {
        let Self { tuned, options, profile } = *self;
        let odds = tuned.odds();
        let mut texts = Vec::new();
        let times = |proof: &Proof| match proof.false_trips.len() {
            0 => "never".to_owned(),
            1 => "once".to_owned(),
            count => format!("{count} times"),
        };
        match &tuned.held_back {
        Some(held_back) => texts.push(format!(
            "Settings made in the same way of the first {} calls alone ({}) would have tripped falsely {} in the {} of the {} that were \
             held back.",
            show_count(profile.rows.saturating_sub(held_back.rows as u64)),
            show_rule(&held_back.config),
            times(&held_back.proof),
            show_ns(held_back.proof.span_ns),
            show_counted(held_back.rows as u64, "call"),
        )),
        None => texts.push(format!(
            "These settings would have tripped falsely {} in the {} that they were made of. Nothing was held back to judge by.",
            times(&tuned.whole),
            show_ns(tuned.whole.span_ns)
        )),
    }
        let bound = show_every(odds.bound_a_month);
        let with_suspects = match odds.bound_with_suspects_a_month > odds.bound_a_month {
            true => format!(
                " ({} if what was an outage by hindsight is counted as false, too)",
                show_every(odds.bound_with_suspects_a_month)
            ),
            false => String::new(),
        };
        let whose = if tuned.held_back.is_some() { "those settings" } else { "these settings" };
        texts.push(format!(
        "So false trips of {whose} are no more frequent than {bound}{with_suspects}, 19 times of 20. The budget is {}.",
        show_every(options.budget_a_month())
    ));
        if let Some(held_back) = &tuned.held_back {
            let (these, those) = (show_rule(&tuned.config), show_rule(&held_back.config));
            texts.push(match these == those {
            true => "The settings above are made of all calls, and trip by the same rule. So there is no call left to judge them by: the \
                     bound is that of those settings."
                .to_owned(),
            false => format!(
                "The settings above are made of all calls, and trip by another rule ({these}). There is no call left to judge them by: the \
                 bound is that of those settings. It tells of these as far as settings that are made in the same way are alike."
            ),
        });
        }
        let expected = show_every(odds.expected_a_month);
        texts.push(if tuned.chosen.expected_a_month < odds.expected_a_month {
        format!("By the tail of the log's own debts they are rarer than {expected}; no forecast goes beyond ten times the log's length.")
    } else {
        format!("By the tail of the log's own debts {expected} is to be expected.")
    });
        texts
    }
}

/// A text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// What the debt trips by.
fn show_rule(config: &Config) -> String {
    let (quantile, threshold) = (show_quantile(config.quantile_ppm), show_ns(config.threshold_ns));
    format!("{quantile} above {threshold}, debt {}", config.debt_limit)
}
