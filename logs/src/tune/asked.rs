//! What a user asks of settings, as texts: a budget, spans to leave out, values that are given.

use super::{MONTH_NS, TuneOptions};
use crate::error::LogError;
use crate::moment::Moment;
use crate::outages::Span;
use std::fmt::Display;
use std::time::Duration;
use trip99::{Config, PPM};

/// The most that may be held back, in percent.
const MOST_HELD_BACK: u32 = 90;

/// The options, but for spans, which need the log's first row.
///
/// ```
/// use trip99_logs::tune::Asked;
///
/// let asked = Asked::read(|name| (name == "false-trips").then_some("2/1d"), |name| format!("--{name}"))?;
/// assert_eq!(asked.resolve(0)?.false_trips, 2);
/// let wrong = Asked::read(|name| (name == "hold-back").then_some("91%"), |name| format!("--{name}"));
/// assert!(wrong.err().expect("too much").to_string().starts_with("--hold-back is \"91%\"; legal:"));
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
pub struct Asked {
    options: TuneOptions,
    /// What messages call `bad`.
    bad_name: String,
    /// The ends of each span as they were written, and read.
    bad: Vec<(String, [End; 2])>,
}

#[derive(Clone, Copy)]
enum End {
    Moment(Moment),
    /// By the log's clock, in nanoseconds.
    Stamp(u64),
}

impl Asked {
    /// Reads `false-trips`, `detect-within`, `threshold`, `quantile`, `hold-back` and `bad`, as far as `get` has a text for them. `name` tells
    /// what messages call each.
    ///
    /// # Errors
    /// A text is none of its option.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>, name: impl Fn(&str) -> String) -> Result<Self, LogError> {
        let mut options = TuneOptions::default();
        if let Some(text) = get("false-trips") {
            (options.false_trips, options.within_ns) = budget(text).ok_or_else(|| {
                let legal = "a number above 0 and a time of at least 1 s, like 1/30d or 2/1d";
                wrong(&name("false-trips"), text, legal)
            })?;
        }
        if let Some(text) = get("detect-within") {
            let ns = duration_ns(text).filter(|&ns| ns > 0);
            options.detect_within_ns =
                Some(ns.ok_or_else(|| wrong(&name("detect-within"), text, "a duration above 0, like 1s"))?);
        }
        options.threshold_ns = setting(get("threshold"), "threshold", &name)?;
        options.quantile_ppm = setting(get("quantile"), "quantile", &name)?.and_then(|ppm| u32::try_from(ppm).ok());
        if let Some(text) = get("hold-back") {
            let percent = text.strip_suffix('%').and_then(|percent| percent.trim_end().parse::<u32>().ok());
            let percent = percent.filter(|&percent| percent <= MOST_HELD_BACK);
            let legal = "a whole number of percent up to 90%, like 50%";
            options.hold_back_ppm = PPM / 100 * percent.ok_or_else(|| wrong(&name("hold-back"), text, legal))?;
        }
        let bad_name = name("bad");
        let bad = get("bad").into_iter().flat_map(|text| text.split(','));
        let bad = bad.map(|text| Ok((text.to_owned(), ends(text, &bad_name)?))).collect::<Result<_, LogError>>()?;
        Ok(Self { options, bad_name, bad })
    }

    /// With the spans of a log whose first row starts then.
    ///
    /// # Errors
    /// A span ends before it begins; or it is at a date, and the log's stamps have none.
    pub fn resolve(mut self, first_ns: u64) -> Result<TuneOptions, LogError> {
        let bad_name = self.bad_name;
        for (text, [from, to]) in self.bad {
            let at = |end: End| match end {
                End::Moment(moment) => {
                    moment.ns(first_ns).map_err(|error| LogError::new(format_args!("{bad_name} {text:?}: {error}")))
                }
                End::Stamp(ns) => Ok(ns),
            };
            let (from_ns, to_ns) = (at(from)?, at(to)?);
            if to_ns < from_ns {
                return Err(wrong(&bad_name, &text, "an end that is no sooner than its begin"));
            }
            self.options.bad.push(Span { from_ns, to_ns });
        }
        Ok(self.options)
    }
}

fn wrong(option: &str, text: &str, legal: impl Display) -> LogError {
    LogError::new(format_args!("{option} is {text:?}; legal: {legal}"))
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

fn ends(text: &str, name: &str) -> Result<[End; 2], LogError> {
    let (from, to) =
        text.split_once("..").ok_or_else(|| wrong(name, text, "T0..T1, like 12:00..12:30 or +90s..+2m"))?;
    let end = |end: &str| match end.parse() {
        Ok(ns) => Ok(End::Stamp(ns)),
        Err(_) => match Moment::parse(end) {
            Ok(moment) => Ok(End::Moment(moment)),
            Err(error) => Err(LogError::new(format_args!("{name} {text:?}: {error}, or a stamp in ns"))),
        },
    };
    Ok([end(from.trim())?, end(to.trim())?])
}

/// A value of a breaker's setting, within its legal range.
fn setting(text: Option<&str>, name: &str, shown: impl Fn(&str) -> String) -> Result<Option<u64>, LogError> {
    let (Some(text), Some(setting)) = (text, Config::setting(name)) else { return Ok(None) };
    let mut config = Config::default();
    setting.set_text(&mut config, text).map_err(|error| LogError::new(format_args!("{}: {error}", shown(name))))?;
    let value = setting.get(&config);
    if !(setting.min(&config)..=setting.max(&config)).contains(&value) {
        let [min, max] = [setting.min(&config), setting.max(&config)].map(|bound| setting.show_value(bound));
        return Err(wrong(&shown(name), text, format_args!("from {min} to {max}")));
    }
    Ok(Some(value))
}

impl TuneOptions {
    /// The budget, in trips in 30 days.
    pub fn budget_a_month(&self) -> f64 {
        f64::from(self.false_trips) * MONTH_NS as f64 / self.within_ns as f64
    }

    /// How long a log without a false trip must be so that its held-back part can promise the budget, in nanoseconds: three times as long
    /// as the budget allows for one, and that is held back.
    pub fn enough_ns(&self) -> u64 {
        let share = f64::from(self.hold_back_ppm.max(1)) / f64::from(PPM);
        (3.0 * self.within_ns as f64 / f64::from(self.false_trips) / share) as u64
    }
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
            ends(text, "--bad").map(|ends| {
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
