//! What a user asks of settings: a budget, spans to leave out, values that are given.

use crate::failure::Failure;
use clap::ArgMatches;
use std::fmt::Display;
use std::time::Duration;
use trip99::{Config, PPM};
use trip99_logs::Moment;
use trip99_logs::outages::Span;
use trip99_logs::tune::{MONTH_NS, TuneOptions};

/// The most that may be held back, in percent.
const MOST_HELD_BACK: u32 = 90;

/// The options, but for spans, which need the log's first row.
pub(super) struct Asked {
    options: TuneOptions,
    /// The ends of each span as they were written, and read.
    bad: Vec<(String, [End; 2])>,
}

#[derive(Clone, Copy)]
enum End {
    Moment(Moment),
    /// By the log's clock, in nanoseconds.
    Stamp(u64),
}

pub(super) fn read(matches: &ArgMatches) -> Result<Asked, Failure> {
    let get = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let mut options = TuneOptions::default();
    if let Some(text) = get("false-trips") {
        (options.false_trips, options.within_ns) = budget(text).ok_or_else(|| {
            wrong("--false-trips", text, "a number above 0 and a time of at least 1 s, like 1/30d or 2/1d")
        })?;
    }
    if let Some(text) = get("detect-within") {
        let ns = duration_ns(text).filter(|&ns| ns > 0);
        options.detect_within_ns =
            Some(ns.ok_or_else(|| wrong("--detect-within", text, "a duration above 0, like 1s"))?);
    }
    options.threshold_ns = setting(get("threshold"), "threshold")?;
    options.quantile_ppm = setting(get("quantile"), "quantile")?.and_then(|ppm| u32::try_from(ppm).ok());
    if let Some(text) = get("hold-back") {
        let percent = text.strip_suffix('%').and_then(|percent| percent.trim_end().parse::<u32>().ok());
        let percent = percent.filter(|&percent| percent <= MOST_HELD_BACK);
        let percent =
            percent.ok_or_else(|| wrong("--hold-back", text, "a whole number of percent up to 90%, like 50%"))?;
        options.hold_back_ppm = PPM / 100 * percent;
    }
    let bad = get("bad").into_iter().flat_map(|text| text.split(',')).map(|text| Ok((text.to_owned(), ends(text)?)));
    Ok(Asked { options, bad: bad.collect::<Result<_, Failure>>()? })
}

impl Asked {
    /// With the spans of a log whose first row starts then.
    pub(super) fn resolve(mut self, first_ns: u64) -> Result<TuneOptions, Failure> {
        for (text, [from, to]) in self.bad {
            let at = |end: End| match end {
                End::Moment(moment) => {
                    moment.ns(first_ns).map_err(|error| Failure::new(format_args!("--bad {text:?}: {error}")))
                }
                End::Stamp(ns) => Ok(ns),
            };
            let (from_ns, to_ns) = (at(from)?, at(to)?);
            if to_ns < from_ns {
                return Err(wrong("--bad", &text, "an end that is no sooner than its begin"));
            }
            self.options.bad.push(Span { from_ns, to_ns });
        }
        Ok(self.options)
    }
}

fn wrong(option: &str, text: &str, legal: impl Display) -> Failure {
    Failure::new(format_args!("{option} is {text:?}; legal: {legal}"))
}

fn duration_ns(text: &str) -> Option<u64> {
    let duration: Duration = humantime::parse_duration(text).ok()?;
    u64::try_from(duration.as_nanos()).ok()
}

fn budget(text: &str) -> Option<(u32, u64)> {
    let (count, time) = text.split_once('/')?;
    let count = count.trim().parse().ok().filter(|&count| count > 0)?;
    let within_ns = duration_ns(time.trim()).filter(|&ns| ns >= 1_000_000_000)?;
    Some((count, within_ns))
}

fn ends(text: &str) -> Result<[End; 2], Failure> {
    let (from, to) =
        text.split_once("..").ok_or_else(|| wrong("--bad", text, "T0..T1, like 12:00..12:30 or +90s..+2m"))?;
    let end = |end: &str| match end.parse() {
        Ok(ns) => Ok(End::Stamp(ns)),
        Err(_) => match Moment::parse(end) {
            Ok(moment) => Ok(End::Moment(moment)),
            Err(error) => Err(Failure::new(format_args!("--bad {text:?}: {error}, or a stamp in ns"))),
        },
    };
    Ok([end(from.trim())?, end(to.trim())?])
}

/// A value of a breaker's setting, within its legal range.
fn setting(text: Option<&str>, name: &str) -> Result<Option<u64>, Failure> {
    let (Some(text), Some(setting)) = (text, Config::setting(name)) else { return Ok(None) };
    let mut config = Config::default();
    setting.set_text(&mut config, text).map_err(|error| Failure::new(format_args!("--{name}: {error}")))?;
    let value = setting.get(&config);
    if !(setting.min(&config)..=setting.max(&config)).contains(&value) {
        let [min, max] = [setting.min(&config), setting.max(&config)].map(|bound| setting.show_value(bound));
        return Err(wrong(&format!("--{name}"), text, format_args!("from {min} to {max}")));
    }
    Ok(Some(value))
}

/// The budget, in trips in 30 days.
#[expect(clippy::float_arithmetic, reason = "for people")]
pub(super) fn budget_a_month(options: &TuneOptions) -> f64 {
    f64::from(options.false_trips) * MONTH_NS as f64 / options.within_ns as f64
}

/// How long a log without a false trip must be so that its held-back part can promise the budget: three times as long as the budget
/// allows for one, and that is held back.
#[expect(clippy::float_arithmetic, reason = "for people")]
pub(super) fn enough_ns(options: &TuneOptions) -> u64 {
    let share = f64::from(options.hold_back_ppm.max(1)) / f64::from(PPM);
    (3.0 * options.within_ns as f64 / f64::from(options.false_trips) / share) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_time() {
        assert_eq!(budget("1/30d"), Some((1, MONTH_NS)));
        assert_eq!(budget("2 / 1h"), Some((2, 3_600_000_000_000)));
        for text in ["", "1", "1/", "/30d", "0/30d", "-1/30d", "1/0s", "1/30", "1.5/30d"] {
            assert_eq!(budget(text), None, "{text}");
        }
    }

    #[test]
    fn ends_are_moments_or_stamps() {
        let of = |text: &str| {
            ends(text).map(|ends| {
                ends.map(|end| match end {
                    End::Moment(moment) => moment.ns(1_000).unwrap_or(u64::MAX),
                    End::Stamp(ns) => ns,
                })
            })
        };
        assert_eq!(of("+90s..100000000000000").unwrap(), [90_000_001_000, 100_000_000_000_000]);
        for text in ["", "12:00", "12:00..", "x..y", "1..2..3"] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
