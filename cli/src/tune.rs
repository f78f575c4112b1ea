//! `trip99 tune` makes settings that fit a log.

mod html;
mod json;
mod options;
mod settings;
mod text;

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::log::{self, Log, PATIENCE};
use crate::report::report_arg;
use crate::show::{columns, show_every, show_ns};
use crate::target::Target;
use crate::warnings::Warnings;
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use trip99::Reason;
use trip99_logs::Row;
use trip99_logs::profile::{Profile, Profiler};
use trip99_logs::report::Thinner;
use trip99_logs::tune::{Difference, LEAST_HELD_BACK, Step, TuneOptions, Tuned, tune_telling};

pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help)
    };
    Command::new("tune")
        .args_override_self(true)
        .about("Make settings that fit a log, and tell what they would have done")
        .long_about(
            "Make settings that fit a log, and tell what they would have done.\n\n\
             It leaves out what was an outage by hindsight: calls that were lost, or took longer than a second and than five \
             medians. Of the pairs of quantile and threshold whose false trips, by the log's own tail, stay within half the budget it \
             takes the one that notices faults soonest. The settings go to --out, or to the end of the report: a TOML file for --config, \
             Config::from_toml and cb_config_load.\n\n\
             The odds are those of settings that the first part of the log alone gives, judged by the part that is held back.",
        )
        .arg(format_arg("Text for people, or one JSON object"))
        .args([
            text("false-trips", "N/TIME", "The budget of false trips [default: 1/30d]"),
            text(
                "detect-within",
                "DURATION",
                "A link that is five times slower, or silent, is noticed within this time, in the median",
            ),
            text("threshold", "DURATION", "The threshold, if it is given [default: made of the log]"),
            text("quantile", "SHARE", "The quantile, if it is given [default: made of the log]"),
            text(
                "bad",
                "T0..T1,...",
                "Times to leave out, too: 12:00..12:30 (UTC), dates like 2026-11-28T12:00:00Z, +90s (after the first row), or stamps",
            ),
            text("hold-back", "SHARE", "The last part of the log, to judge by [default: 50%]"),
        ])
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Write the settings to this TOML file"),
        )
        .arg(report_arg())
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file whose table [columns] tells how the log is read"),
        )
        .next_help_heading("How the log is read")
        .args(log::args())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut warnings = Warnings::default();
    let asked = options::read(matches)?;
    let report = Target::of(matches, "report", &["log", "config"])?;
    let settings = Target::of(matches, "out", &["log", "config"])?;
    if let (Some(report), Some(settings)) = (&report, &settings) {
        settings.check_other(report)?;
    }
    let mut log = Log::open(matches)?;
    let mut profiler = Profiler::default();
    let mut thinner = report.is_some().then(Thinner::default);
    let mut rows: Vec<Row> = Vec::new();
    for row in log.rows.by_ref() {
        let row = row?;
        profiler.take(&row);
        thinner.iter_mut().for_each(|thinner| thinner.take(&row));
        rows.push(row);
    }
    log.progress.finish();
    let options = asked.resolve(rows.first().map_or(0, |row| row.start_ns))?;
    let bar = bar();
    let tuned = tune_telling(&rows, &options, |step| show_step(&bar, step));
    bar.finish_and_clear();
    let tuned = tuned.map_err(|error| Failure::new(format_args!("{}: {error}", log.name)))?;
    let found = Found { name: log.name.clone(), profile: profiler.finish(), options, tuned };
    log.warn(&mut warnings);
    found.warn(&mut warnings);
    if let Some(settings) = &settings {
        settings.write(&found.toml())?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if is_json(matches) {
        json::write(&found, warnings.texts(), &mut Json(&mut out))?;
    } else {
        text::write(&found, matches.get_one::<PathBuf>("out").map(PathBuf::as_path), columns(), &mut out)?;
    }
    out.flush()?;
    if let (Some(report), Some(thinner)) = (&report, thinner) {
        report.write(&html::report(&found, &rows, thinner.finish(), warnings.texts().to_vec()).html())?;
    }
    warnings.tell_all();
    Ok(())
}

/// Who notices a link that is five times slower only after more calls than this is told so.
const MANY_CALLS: u64 = 100;

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(Step::ALL.len() as u64), ProgressDrawTarget::hidden()).with_style(style)
}

fn show_step(bar: &ProgressBar, step: Step) {
    if bar.elapsed() > PATIENCE {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar.set_message(match step {
        Step::Outages => "looking for outages",
        Step::Settings => "making settings",
        Step::HeldBack => "judging by what is held back",
        Step::Replays => "replaying",
        Step::Faults => "putting faults into the log",
    });
    bar.set_position(Step::ALL.iter().position(|&other| other == step).unwrap_or(0) as u64);
}

/// A log, and what was made of it.
struct Found {
    name: String,
    profile: Profile,
    options: TuneOptions,
    tuned: Tuned,
}

impl Found {
    fn budget_a_month(&self) -> f64 {
        options::budget_a_month(&self.options)
    }

    /// What the log can't promise, and what is odd about it.
    fn warn(&self, warnings: &mut Warnings) {
        let Self { tuned, options, .. } = self;
        self.profile.warnings(&tuned.config, show_ns).iter().for_each(|warning| warnings.keep(warning));
        let odds = tuned.odds();
        let budget = show_every(self.budget_a_month());
        match &tuned.held_back {
            None if options.hold_back_ppm > 0 => warnings.keep(format_args!(
                "nothing was held back, as that takes {LEAST_HELD_BACK} healthy calls in each part; the odds are those of the calls that \
                 the settings were made of, and too kind; try a longer log"
            )),
            None => warnings.keep("nothing was held back; the odds are those of the calls that the settings were made of, and too kind"),
            Some(held_back) => {
                if let Some(difference) = held_back.difference {
                    warnings.keep(format_args!(
                        "the parts of the log differ: {}; no settings made of one part keep their odds in the other",
                        show_difference(difference)
                    ));
                }
                let others = held_back.proof.false_trips.iter().filter(|trip| trip.reason != Reason::Latency).count();
                if others > 0 {
                    warnings.keep(format_args!(
                        "{others} of the false trips in the part that was held back are of other rules than the debt's; see --format json"
                    ));
                }
            }
        }
        if odds.bound_a_month > self.budget_a_month() {
            warnings.keep(format_args!(
                "{} of log can't promise {budget}: it promises {} at best; a log of {} without a false trip could",
                show_ns(tuned.healthy_span_ns),
                show_every(odds.bound_a_month),
                show_ns(options::enough_ns(&self.options))
            ));
        }
        let five_times = tuned.faults.first().and_then(|fault| fault.median_calls);
        if five_times.is_none_or(|calls| calls > MANY_CALLS) {
            warnings.keep(format_args!(
                "a link that is five times slower is noticed {}: the log has slow times of its own, and the budget lets few of them trip; \
                 leave out what was no healthy time (--bad), or allow more false trips (--false-trips)",
                five_times.map_or("seldom".to_owned(), |calls| format!("after {calls} calls"))
            ));
        }
        if let (Some(within_ns), false) = (options.detect_within_ns, tuned.is_quick) {
            warnings.keep(format_args!(
                "no settings within the budget notice faults within {}: these take {} in the median; try a larger --false-trips",
                show_ns(within_ns),
                show_ns(tuned.chosen.median_delay_ns)
            ));
        }
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
            let part = |ppm: u64| crate::show::show_part(ppm, trip99::PPM.into());
            format!("{} of the calls are slow in the first, {} in the last", part(before_ppm), part(after_ppm))
        }
        _ => "their latencies".to_owned(),
    }
}
