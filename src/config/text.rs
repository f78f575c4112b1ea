//! Settings as text: `200ms`, `0.99`, `half-open`. The tool's options and files are read so, and what serde reads.

use super::{Config, ConfigError, PPM, Recovery, Setting, SettingKind, State};
use crate::words::Word;
use core::time::Duration;

/// Needs the feature `serde`.
impl Setting {
    /// The value as it is written.
    ///
    /// ```
    /// let threshold = trip99::Config::setting("threshold").expect("there is one");
    /// assert_eq!(threshold.show(&trip99::Config::default()), "200ms");
    /// ```
    pub fn show(&self, config: &Config) -> String {
        self.show_value(self.get(config))
    }

    /// A value of this setting as it is written. What is no such value is shown as a number.
    pub fn show_value(&self, value: u64) -> String {
        match (self.kind, value) {
            (SettingKind::Duration, ns) => show_ns(ns),
            (SettingKind::Share, ppm) => show_share(ppm),
            (SettingKind::Switch, 0) => "false".into(),
            (SettingKind::Switch, 1) => "true".into(),
            (SettingKind::Recovery, TRIALS) => "trials".into(),
            (SettingKind::Recovery, HEALTH_CHECKS) => "health-checks".into(),
            (SettingKind::Start, state) => {
                State::from_word(state).map_or_else(|| state.to_string(), |state| state.name().replace('_', "-"))
            }
            (_, number) => number.to_string(),
        }
    }

    /// Sets the value from how it is written. Names may have underscores in place of dashes; a duration without a unit is
    /// nanoseconds. The value may lie outside of its legal range: [`Config::validate`] tells that.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`]. Nothing is changed then.
    ///
    /// ```
    /// use trip99::Config;
    ///
    /// let mut config = Config::default();
    /// let quantile = Config::setting("quantile").expect("there is one");
    /// quantile.set_text(&mut config, "0.999")?;
    /// assert_eq!(config.quantile_ppm, 999_000);
    /// assert!(quantile.set_text(&mut config, "99.9 %").is_err());
    /// # Ok::<(), trip99::ConfigError>(())
    /// ```
    pub fn set_text(&self, config: &mut Config, text: &str) -> Result<(), ConfigError> {
        let value = self.parse(text);
        let is_set = value.and_then(|value| self.set(config, value).ok());
        is_set.ok_or_else(|| {
            let range = match (self.min(config), self.max(config)) {
                (0, max) if max == self.kind.max() => String::new(), // the form says it all
                (min, u64::MAX) => format!(", at least {}", self.show_value(min)),
                (min, max) => format!(", from {} to {}", self.show_value(min), self.show_value(max)),
            };
            ConfigError::Unreadable {
                field: self.field,
                text: text.to_owned(),
                legal: format!("{}{range}", self.form()),
            }
        })
    }

    fn parse(&self, text: &str) -> Option<u64> {
        match self.kind {
            SettingKind::Duration => parse_ns(text),
            SettingKind::Share => parse_share(text),
            SettingKind::Count | SettingKind::Number => parse_number(text),
            SettingKind::Switch => ["false", "true"].iter().position(|name| *name == text).map(|value| value as u64),
            SettingKind::Recovery => match text.replace('_', "-").as_str() {
                "trials" | "trial-calls" => Some(TRIALS),
                "health-checks" => Some(HEALTH_CHECKS),
                _ => None,
            },
            SettingKind::Start => match text.replace('-', "_").as_str() {
                name if name == State::Closed.name() => Some(State::Closed as u64),
                name if name == State::HalfOpen.name() => Some(State::HalfOpen as u64),
                _ => None,
            },
        }
    }

    /// What a text must look like.
    pub(super) const fn form(&self) -> &'static str {
        match self.kind {
            SettingKind::Duration => "a duration like 200ms, 1.5s or 1m, or a number of nanoseconds",
            SettingKind::Share => "a fraction like 0.99, with at most six decimals",
            SettingKind::Count | SettingKind::Number => "a whole number",
            SettingKind::Switch => "true or false",
            SettingKind::Recovery => "trials or health-checks",
            SettingKind::Start => "closed or half-open",
        }
    }
}

impl ConfigError {
    /// This error for somebody who wrote text: each setting is called what `place` calls it, and values are as
    /// [`Setting::show_value`] has them. Needs the feature `serde`.
    ///
    /// ```
    /// use trip99::Config;
    ///
    /// let error = Config { window_len: 50, ..Config::default() }.validate().expect_err("min_samples is 100");
    /// let text = error.in_text(|setting| format!("[breaker] {}", setting.name()));
    /// assert_eq!(text, "[breaker] min_samples is 100; legal: 1 to 50, as [breaker] window_len is 50");
    /// ```
    pub fn in_text(&self, place: impl Fn(&Setting) -> String) -> String {
        let of_field = |field: &str| Config::SETTINGS.iter().find(|setting| setting.field == field);
        let Some(setting) = of_field(self.field()) else { return self.to_string() };
        let at = place(setting);
        match self {
            Self::OutOfRange { value, min, max, bound, .. } => {
                let value = setting.show_value(*value);
                let range = match *max {
                    u64::MAX => format!("at least {}", setting.show_value(*min)),
                    max => format!("{} to {}", setting.show_value(*min), setting.show_value(max)),
                };
                let because = bound.and_then(|(field, value)| Some((of_field(field)?, value)));
                let because = because.map_or_else(String::new, |(other, value)| {
                    format!(", as {} is {}", place(other), other.show_value(value))
                });
                format!("{at} is {value}; legal: {range}{because}")
            }
            Self::StartOpen => format!("{at} is open; legal: {}", setting.form()),
            Self::Fixed { value, current, .. } => {
                let (value, current) = (setting.show_value(*value), setting.show_value(*current));
                format!("{at} is {value}; legal: {current}, as it is fixed at construction")
            }
            Self::Unreadable { text, legal, .. } => format!("{at} is {text:?}; legal: {legal}"),
        }
    }
}

const TRIALS: u64 = Recovery::Trials as u64;
const HEALTH_CHECKS: u64 = Recovery::HealthChecks as u64;

/// `200ms`, `1.5s`, `1m 30s`; a bare number is nanoseconds.
fn parse_ns(text: &str) -> Option<u64> {
    if is_digits(text) {
        return text.parse().ok();
    }
    u64::try_from(humantime::parse_duration(text).ok()?.as_nanos()).ok()
}

fn show_ns(ns: u64) -> String {
    match ns {
        0 => "0".into(),
        _ => humantime::format_duration(Duration::from_nanos(ns)).to_string().replace(' ', ""),
    }
}

fn parse_number(text: &str) -> Option<u64> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// A decimal fraction from 0 to 1, exactly in parts per million.
fn parse_share(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 6 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" | "" => format!("{decimals:0<6}").parse().ok(),
        "1" if decimals.is_empty() => Some(PPM.into()),
        _ => None,
    }
}

fn show_share(ppm: u64) -> String {
    let million = u64::from(PPM);
    let text = format!("{}.{:06}", ppm / million, ppm % million);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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
            assert_eq!(parse_ns(text), Some(ns), "{text}");
        }
        for text in ["", "-1", "1.5", "abc", "1parsec", "18446744073709551616", "600years", "0.5ns", "ms", "1e3"] {
            assert_eq!(parse_ns(text), None, "{text}");
        }
    }

    #[test]
    fn shares() {
        let million = u64::from(PPM);
        for (text, ppm) in [
            ("0", 0),
            ("1", million),
            ("1.0", million),
            ("1.", million),
            ("0.99", 990_000),
            ("0.5000000000", 500_000),
            (".5", 500_000),
            (".0", 0),
            ("0.000001", 1),
            ("0.999999", 999_999),
            ("0.0", 0),
            ("0.", 0),
        ] {
            assert_eq!(parse_share(text), Some(ppm), "{text}");
        }
        for text in [
            "",
            ".",
            "1.1",
            "2",
            "99",
            "0.9999999",
            "-0.5",
            "0,5",
            "50%",
            "0.5x",
            "1e-3",
            "+0.5",
            "0.-5",
            "0.+5",
            "nan",
            "00.5",
            "01",
            "0.5.5",
            " 0.5",
            "1.000001",
            "0.٣",
        ] {
            assert_eq!(parse_share(text), None, "{text}");
        }
    }

    /// A naive twin: the digits themselves.
    #[test]
    fn each_share_of_six_decimals_is_read_and_shown_exactly() {
        for ppm in 0..=PPM {
            let text = if ppm == PPM { "1.000000".to_owned() } else { format!("0.{ppm:06}") };
            let shown = show_share(ppm.into());
            assert_eq!(parse_share(&text), Some(ppm.into()), "{text}");
            assert_eq!(parse_share(&shown), Some(ppm.into()), "{shown}");
            let short = text.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(shown, if short.is_empty() { "0" } else { short });
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(parse_number("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1.0", "18446744073709551616", "ten", "0x10"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
        let probes = Config::setting("probes").unwrap();
        let mut config = Config::default();
        assert_eq!(probes.set_text(&mut config, "4294967295"), Ok(()));
        assert!(probes.set_text(&mut config, "4294967296").is_err());
        assert_eq!(config.probes, u32::MAX);
    }
}
