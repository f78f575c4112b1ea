//! Settings by name: command-line options and TOML keys, read by one parser and checked by the library.

use crate::failure::Failure;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use toml::de::{DeTable, DeValue};
use trip99::{Config, ConfigError, PPM, Recovery, State};

/// Where a setting lives, and so how it is written.
pub(crate) enum Slot<'a> {
    Ns(&'a mut u64),
    Number(&'a mut u64),
    Count(&'a mut u32),
    Share(&'a mut u32),
    Recovery(&'a mut Recovery),
    Start(&'a mut State),
    Switch(&'a mut bool),
}

pub(crate) struct Setting {
    /// As a TOML key; as an option, with dashes.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    slot: fn(&mut Config) -> Slot<'_>,
}

/// Every field of `Config`, in the order of its declaration.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("quantile", "The quantile that is judged", |c| Slot::Share(&mut c.quantile_ppm)),
    setting("threshold", "Strictly above it a call is slow", |c| Slot::Ns(&mut c.threshold_ns)),
    setting("window_len", "At most this many latest samples are judged", |c| Slot::Count(&mut c.window_len)),
    setting("window_age", "A sample this old leaves the window; 0 = off", |c| Slot::Ns(&mut c.window_age_ns)),
    setting("sample_every", "The first of each so many samples enters the window", |c| {
        Slot::Count(&mut c.sample_every)
    }),
    setting("min_samples", "No verdict below this many samples", |c| Slot::Count(&mut c.min_samples)),
    setting("confirm_verdicts", "So many verdicts in a row must be over the threshold", |c| {
        Slot::Count(&mut c.confirm_verdicts)
    }),
    setting("failure_rate", "Trips when more than this share of the window failed", |c| {
        Slot::Share(&mut c.failure_rate_ppm)
    }),
    setting("consecutive_failures", "Trips when so many samples in a row failed; 0 = off", |c| {
        Slot::Count(&mut c.consecutive_failures)
    }),
    setting("spike_limit", "What the spike rule calls slow; 0 = the threshold", |c| Slot::Ns(&mut c.spike_limit_ns)),
    setting("spike_count", "Trips when so many samples in a row exceed the spike limit; 0 = off", |c| {
        Slot::Count(&mut c.spike_count)
    }),
    setting("stall_limit", "Trips when one call has been in flight for so long; 0 = off", |c| {
        Slot::Ns(&mut c.stall_limit_ns)
    }),
    setting("max_in_flight", "Calls in flight that are tracked; a replay tracks all", |c| {
        Slot::Count(&mut c.max_in_flight)
    }),
    setting("recover_threshold", "A trial slower than this is bad; 0 = 80 % of the threshold", |c| {
        Slot::Ns(&mut c.recover_threshold_ns)
    }),
    setting("recovery", "Who tests the node; a replay can't make health checks", |c| Slot::Recovery(&mut c.recovery)),
    setting("probes", "Trials that must all be good to close", |c| Slot::Count(&mut c.probes)),
    setting("trials_in_flight", "Trials out at the same time", |c| Slot::Count(&mut c.trials_in_flight)),
    setting("probe_timeout", "No result for this long while one is due reopens", |c| Slot::Ns(&mut c.probe_timeout_ns)),
    setting("backoff_base", "The first pause", |c| Slot::Ns(&mut c.backoff_base_ns)),
    setting("backoff_multiplier", "Each further pause is so many times longer", |c| {
        Slot::Count(&mut c.backoff_multiplier)
    }),
    setting("backoff_max", "The longest pause", |c| Slot::Ns(&mut c.backoff_max_ns)),
    setting("jitter", "A pause grows by up to this share, at random; not in a replay", |c| {
        Slot::Share(&mut c.jitter_ppm)
    }),
    setting("jitter_seed", "Seeds the jitter; 0 draws a seed", |c| Slot::Number(&mut c.jitter_seed)),
    setting("stable_after", "Forgives one attempt for each such span spent closed", |c| {
        Slot::Ns(&mut c.stable_after_ns)
    }),
    setting("start", "The first state", |c| Slot::Start(&mut c.start)),
    setting("shadow", "Judge as usual, but refuse nothing", |c| Slot::Switch(&mut c.shadow)),
];

const fn setting(name: &'static str, help: &'static str, slot: fn(&mut Config) -> Slot<'_>) -> Setting {
    Setting { name, help, slot }
}

impl Setting {
    /// As an option, without the leading dashes.
    pub(crate) fn option(&self) -> String {
        self.name.replace('_', "-")
    }

    pub(crate) fn is_switch(&self) -> bool {
        matches!((self.slot)(&mut Config::default()), Slot::Switch(_))
    }

    /// The value as it would be written.
    pub(crate) fn show(&self, config: &Config) -> String {
        match (self.slot)(&mut config.clone()) {
            Slot::Ns(ns) => show_ns(*ns),
            Slot::Number(number) => number.to_string(),
            Slot::Count(count) => count.to_string(),
            Slot::Share(ppm) => show_share(*ppm),
            Slot::Recovery(Recovery::Trials) => "trials".to_owned(),
            Slot::Recovery(Recovery::HealthChecks) => "health-checks".to_owned(),
            Slot::Start(state) => state.name().replace('_', "-"),
            Slot::Switch(on) => on.to_string(),
        }
    }

    /// The range, to be added to what is legal; empty if the kind of value says it all.
    fn show_range(&self, config: &Config) -> String {
        let name = |field: &str| field.trim_end_matches("_ns").trim_end_matches("_ppm") == self.name;
        match config.ranges().into_iter().find(|(field, ..)| name(field)) {
            Some((_, _, min, u64::MAX)) => format!(", at least {}", self.show_number(min)),
            Some((_, _, min, max)) => format!(", from {} to {}", self.show_number(min), self.show_number(max)),
            None => String::new(),
        }
    }

    /// A number of the library's as the value would be written.
    fn show_number(&self, number: u64) -> String {
        match (self.slot)(&mut Config::default()) {
            Slot::Ns(_) => show_ns(number),
            Slot::Share(_) => u32::try_from(number).map_or_else(|_| number.to_string(), show_share),
            _ => number.to_string(),
        }
    }

    /// Sets the value from how it is written; an error says what is legal.
    fn set(&self, config: &mut Config, text: &str) -> Result<(), String> {
        match (self.slot)(config) {
            Slot::Ns(ns) => *ns = parse_ns(text)?,
            Slot::Number(number) => *number = parse_number(text, u64::MAX)?,
            Slot::Count(count) => *count = parse_number(text, u32::MAX.into())?.try_into().unwrap_or(u32::MAX),
            Slot::Share(ppm) => *ppm = parse_share(text)?,
            Slot::Recovery(recovery) => {
                *recovery = match text {
                    "trials" | "trial-calls" | "trial_calls" => Recovery::Trials,
                    "health-checks" | "health_checks" => Recovery::HealthChecks,
                    _ => return Err(illegal(text, "trials or health-checks")),
                }
            }
            Slot::Start(state) => {
                *state = match text {
                    "closed" => State::Closed,
                    "half-open" | "half_open" => State::HalfOpen,
                    _ => return Err(illegal(text, "closed or half-open")),
                }
            }
            Slot::Switch(on) => {
                *on = match text {
                    "true" => true,
                    "false" => false,
                    _ => return Err(illegal(text, "true or false")),
                }
            }
        }
        Ok(())
    }
}

fn illegal(text: &str, legal: &str) -> String {
    format!("is {text:?}; legal: {legal}")
}

/// `200ms`, `1.5s`, `1m 30s`; a bare number is nanoseconds.
fn parse_ns(text: &str) -> Result<u64, String> {
    let legal = "a duration like 200ms, 1.5s or 1m, or a number of nanoseconds";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| illegal(text, legal));
    }
    let duration = humantime::parse_duration(text).map_err(|_| illegal(text, legal))?;
    u64::try_from(duration.as_nanos()).map_err(|_| illegal(text, legal))
}

fn parse_number(text: &str, max: u64) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|&number| number <= max).ok_or_else(|| illegal(text, "a whole number"))
}

/// A decimal fraction from 0 to 1, exactly in parts per million.
fn parse_share(text: &str) -> Result<u32, String> {
    let legal = "a fraction like 0.99, with at most six decimals";
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let decimals = decimals.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let ppm = match whole {
        _ if !digits(decimals) || decimals.len() > 6 => None,
        "0" | "" if !text.trim_matches('.').is_empty() => format!("{decimals:0<6}").parse().ok(),
        "1" if decimals.is_empty() => Some(PPM),
        _ => None,
    };
    ppm.ok_or_else(|| illegal(text, legal))
}

fn show_ns(ns: u64) -> String {
    match ns {
        0 => "0".to_owned(),
        _ => humantime::format_duration(Duration::from_nanos(ns)).to_string().replace(' ', ""),
    }
}

fn show_share(ppm: u32) -> String {
    let text = format!("{}.{:06}", ppm / PPM, ppm % PPM);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The options that make these settings out of the defaults.
pub(crate) fn show_options(config: &Config) -> String {
    let differ = |setting: &&Setting| setting.show(config) != setting.show(&Config::default());
    let options = SETTINGS.iter().filter(differ).map(|setting| {
        let equals = if setting.is_switch() { "=" } else { " " };
        format!("--{}{equals}{}", setting.option(), setting.show(config))
    });
    options.collect::<Vec<_>>().join(" ")
}

/// Settings under construction, with the place that each was set at.
#[derive(Default)]
pub(crate) struct Settings {
    config: Config,
    places: HashMap<&'static str, String>,
}

impl Settings {
    /// Sets one; `place` names the option, or the file, line and key.
    pub(crate) fn set(&mut self, setting: &'static Setting, text: &str, place: String) -> Result<(), Failure> {
        setting
            .set(&mut self.config, text)
            .map_err(|wrong| Failure::new(format_args!("{place} {wrong}{}", setting.show_range(&self.config))))?;
        self.places.insert(setting.name, place);
        Ok(())
    }

    /// Sets what a TOML file holds: field names as keys, with underscores or dashes.
    pub(crate) fn set_from_file(&mut self, path: &Path) -> Result<(), Failure> {
        let file = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format_args!("{file}: {error}; legal: a readable TOML file")))?;
        let line = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        let table = DeTable::parse(&text).map_err(|error| {
            let line = line(error.span().map_or(0, |span| span.start));
            let message = error.message().replace('\n', "; ");
            Failure::new(format_args!(
                "{file}: line {line}: {message}; legal: TOML, each key once, as in threshold = \"200ms\""
            ))
        })?;
        // In the order of the file, so that the first mistake is the one reported.
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut seen = HashMap::new();
        for (key, value) in entries {
            let at = format!("{file}: line {}: {}", line(key.span().start), key.get_ref());
            let name = key.get_ref().replace('-', "_");
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
                return Err(Failure::new(format_args!("{at} is not a setting; legal: {}", names.join(", "))));
            };
            if seen.insert(setting.name, ()).is_some() {
                return Err(Failure::new(format_args!("{at} is set twice; legal: once")));
            }
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Boolean(on) => on.to_string(),
                other => {
                    let kind = other.type_str();
                    return Err(Failure::new(format_args!(
                        "{at} is of type {kind}; legal: a string, a decimal number, true or false"
                    )));
                }
            };
            self.set(setting, &text, at)?;
        }
        Ok(())
    }

    /// The settings, if every one is in its legal range, and a replay can do them.
    pub(crate) fn finish(self) -> Result<Config, Failure> {
        if let Err(error) = self.config.validate() {
            return Err(self.out_of_range(&error));
        }
        if self.config.recovery == Recovery::HealthChecks {
            let place = self.place("recovery");
            return Err(Failure::new(format_args!(
                "{place} is health-checks; legal: trials, as a trace holds no checks"
            )));
        }
        Ok(self.config)
    }

    /// The library's error, by the names and in the units that were written.
    fn out_of_range(&self, error: &ConfigError) -> Failure {
        let name = error.field().trim_end_matches("_ns").trim_end_matches("_ppm");
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let (Some(setting), &ConfigError::OutOfRange { value, min, max, .. }) = (setting, error) else {
            return Failure::new(error);
        };
        let range = match max {
            u64::MAX => format!("at least {}", setting.show_number(min)),
            _ => format!("{} to {}", setting.show_number(min), setting.show_number(max)),
        };
        // Some bounds are other settings' values, and those may be the ones to change.
        let bound = match name {
            "min_samples" => "window_len",
            "recover_threshold" => "threshold",
            "trials_in_flight" => "probes",
            "backoff_max" => "backoff_base",
            _ => "",
        };
        let because = match SETTINGS.iter().find(|setting| setting.name == bound) {
            Some(other) => format!(", as {} is {}", self.place(bound), other.show(&self.config)),
            None => String::new(),
        };
        let value = setting.show_number(value);
        Failure::new(format_args!("{} is {value}; legal: {range}{because}", self.place(name)))
    }

    /// Where a setting was set.
    fn place(&self, name: &str) -> String {
        let default = || format!("--{} (by default)", name.replace('_', "-"));
        self.places.get(name).cloned().unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ns) in [
            ("0", 0),
            ("7", 7),
            ("0s", 0),
            ("200ms", 200_000_000),
            ("1.5s", 1_500_000_000),
            ("1m 30s", 90_000_000_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("5ns", 5),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(parse_ns(text), Ok(ns), "{text}");
        }
        for text in ["", "-1", "1.5", "abc", "1parsec", "18446744073709551616", "600years", "0.5ns", "ms", "1e3"] {
            assert!(parse_ns(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares() {
        for (text, ppm) in [
            ("0", 0),
            ("1", PPM),
            ("1.0", PPM),
            ("0.99", 990_000),
            ("0.5000000000", 500_000),
            (".5", 500_000),
            ("0.000001", 1),
            ("0.999999", 999_999),
            ("0.0", 0),
            ("0.", 0),
        ] {
            assert_eq!(parse_share(text), Ok(ppm), "{text}");
            assert_eq!(parse_share(&show_share(ppm)), Ok(ppm), "{text}");
        }
        for text in
            ["", ".", "1.1", "2", "99", "0.9999999", "-0.5", "0,5", "50%", "0.5x", "1e-3", "+0.5", "0.-5", "nan"]
        {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(parse_number("4294967295", u32::MAX.into()), Ok(u64::from(u32::MAX)));
        for text in ["", "-1", "+1", "1.0", "4294967296", "ten", "0x10"] {
            assert!(parse_number(text, u32::MAX.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_those_that_differ() {
        let config = Config { threshold_ns: 5_000_000, failure_rate_ppm: 250_000, shadow: true, ..Config::default() };
        assert_eq!(show_options(&config), "--threshold 5ms --failure-rate 0.25 --shadow=true");
        assert_eq!(show_options(&Config::default()), "");
    }

    #[test]
    fn every_setting_reads_what_it_shows_and_no_field_is_forgotten() {
        let other = Config {
            quantile_ppm: 500_001,
            threshold_ns: 1_000_001,
            window_len: 77,
            window_age_ns: 0,
            sample_every: 3,
            min_samples: 5,
            confirm_verdicts: 2,
            failure_rate_ppm: 1,
            consecutive_failures: 9,
            spike_limit_ns: 8,
            spike_count: 7,
            stall_limit_ns: 6,
            max_in_flight: 12,
            recover_threshold_ns: 13,
            recovery: Recovery::HealthChecks,
            probes: 14,
            trials_in_flight: 2,
            probe_timeout_ns: 15,
            backoff_base_ns: 16,
            backoff_multiplier: 3,
            backoff_max_ns: 17,
            jitter_ppm: 18,
            jitter_seed: 19,
            stable_after_ns: 20,
            start: State::HalfOpen,
            shadow: true,
        };
        let mut config = Config::default();
        for setting in SETTINGS {
            assert_ne!(setting.show(&config), setting.show(&other), "{}", setting.name);
            setting.set(&mut config, &setting.show(&other)).unwrap();
        }
        assert_eq!(config, other);
    }
}
