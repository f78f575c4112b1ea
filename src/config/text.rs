//! Settings as text: `200ms`, `0.99`, `half-open`. The tool's options, its files and serde have settings in this form.

use super::{Config, ConfigError, ConfigWarning, PPM, Recovery, Setting, SettingKind, Start};
use crate::words::Word;
use core::time::Duration;

/// These functions need the feature `serde`.
impl Setting {
    /// The setting's value in `config`, as text.
    ///
    /// ```
    /// let threshold = trip99::Config::setting("threshold").expect("there is one");
    /// assert_eq!(threshold.show(&trip99::Config::default()), "200ms");
    /// ```
    pub fn show(&self, config: &Config) -> String {
        self.show_value(self.get(config))
    }

    /// A value of this setting as text. A number that is no value of this setting is shown as a number.
    pub fn show_value(&self, value: u64) -> String {
        match self.kind {
            SettingKind::Duration => show_ns(value),
            SettingKind::Share => show_share(value),
            kind => kind.name_of(value).map_or_else(|| value.to_string(), |name| name.replace('_', "-")),
        }
    }

    /// Sets the value in `config` from a text. Names may have underscores in place of dashes. A duration without a unit is in
    /// nanoseconds. The value may lie outside of its legal range: [`Config::validate`] tells that.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] if the text is no value of this setting. Nothing is changed then.
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
        let is_set = self.parse(text).and_then(|value| self.set(config, value).ok());
        is_set.ok_or_else(|| {
            let zero = if self.or_zero { "0 or " } else { "" };
            let range = match (self.min(config), self.max(config)) {
                (min, _) if self.is_above() => format!(", {zero}above {}", self.show_value(min - 1)),
                (0, max) if max == self.kind.max() => String::new(), // the form says it all
                (min, u64::MAX) => format!(", {zero}at least {}", self.show_value(min)),
                (min, max) => format!(", {zero}from {} to {}", self.show_value(min), self.show_value(max)),
            };
            let legal = format!("{}{range}", self.form());
            ConfigError::Unreadable { field: self.field, text: text.to_owned(), legal }
        })
    }

    /// The setting's value in `config`, as a line of the tool's TOML.
    ///
    /// ```
    /// let threshold = trip99::Config::setting("threshold").expect("there is one");
    /// assert_eq!(threshold.show_toml(&trip99::Config::default()), "threshold = \"200ms\"\n");
    /// ```
    pub fn show_toml(&self, config: &Config) -> String {
        let text = self.show(config);
        let is_bare = match self.kind {
            // TOML has no greater integers.
            SettingKind::Number => self.get(config) <= i64::MAX as u64,
            SettingKind::Share | SettingKind::Count | SettingKind::Switch => true,
            // 0 turns a setting off, or leaves it to another one.
            _ => text == "0",
        };
        let quote = if is_bare { "" } else { "\"" };
        format!("{} = {quote}{text}{quote}\n", self.name)
    }

    fn parse(&self, text: &str) -> Option<u64> {
        match self.kind {
            SettingKind::Duration => parse_ns(text),
            SettingKind::Share => parse_share(text),
            SettingKind::Count | SettingKind::Number => parse_number(text),
            SettingKind::Switch | SettingKind::Recovery | SettingKind::Start => {
                let name = text.replace('-', "_").replace("trial_calls", "trials");
                (0..=self.kind.max()).find(|&value| self.kind.name_of(value) == Some(&name))
            }
        }
    }

    /// What a text for this setting must look like.
    pub(super) const fn form(&self) -> &'static str {
        match self.kind {
            SettingKind::Duration => "a duration like 200ms, 1.5s or 1m, or a number of nanoseconds",
            SettingKind::Share => "a fraction like 0.99, with at most six decimals",
            SettingKind::Count | SettingKind::Number => "a whole number",
            SettingKind::Switch => "true or false",
            SettingKind::Recovery => "trials or health-checks",
            SettingKind::Start => "closed, half-open or halted",
        }
    }
}

impl SettingKind {
    /// The name of a value, with underscores. It is `None` if this kind has no such value, or has numbers for values.
    fn name_of(self, value: u64) -> Option<&'static str> {
        match self {
            Self::Switch => bool::from_word(value).map(|on| if on { "true" } else { "false" }),
            Self::Recovery => Recovery::from_word(value).map(Recovery::name),
            Self::Start => Start::from_word(value).map(Start::name),
            Self::Duration | Self::Share | Self::Count | Self::Number => None,
        }
    }
}

impl ConfigError {
    /// This error for somebody who wrote text. Each setting is called what `place` calls it, and values are as
    /// [`Setting::show_value`] has them. This function needs the feature `serde`.
    ///
    /// ```
    /// use trip99::Config;
    ///
    /// let error = Config { window_len: 10, ..Config::default() }.validate().expect_err("min_samples is 20");
    /// let text = error.in_text(|setting| format!("[breaker] {}", setting.name()));
    /// assert_eq!(text, "[breaker] min_samples is 20; legal: 1 to 10, as [breaker] window_len is 10");
    /// ```
    pub fn in_text(&self, place: impl Fn(&Setting) -> String) -> String {
        let (name, show) = places(place);
        self.message(name, show)
    }
}

impl ConfigWarning {
    /// This warning for somebody who wrote text, as [`ConfigError::in_text`] has errors. This function needs the feature `serde`.
    pub fn in_text(&self, place: impl Fn(&Setting) -> String) -> String {
        let (name, show) = places(place);
        self.message(name, show)
    }
}

/// How a message calls a field, and writes a value of it.
fn places(place: impl Fn(&Setting) -> String) -> (impl Fn(&str) -> String, impl Fn(&str, u64) -> String) {
    let find = |field: &str| Config::SETTINGS.iter().find(|setting| setting.field == field);
    (
        move |field: &str| find(field).map_or_else(|| field.to_owned(), &place),
        move |field: &str, value| find(field).map_or_else(|| value.to_string(), |setting| setting.show_value(value)),
    )
}

/// Reads `200ms`, `1.5s`, `1m 30s`. A bare number is nanoseconds.
fn parse_ns(text: &str) -> Option<u64> {
    parse_number(text).or_else(|| u64::try_from(humantime::parse_duration(text).ok()?.as_nanos()).ok())
}

fn show_ns(ns: u64) -> String {
    const ENDS: [u64; 2] = [u64::MAX >> 1, u64::MAX]; // nobody knows them in years
    match ns {
        0 => "0".into(),
        _ if ENDS.contains(&ns) => format!("{ns}ns"),
        _ => humantime::format_duration(Duration::from_nanos(ns)).to_string().replace(' ', ""),
    }
}

/// Digits alone: the standard library would take a plus sign, too.
fn parse_number(text: &str) -> Option<u64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Reads a decimal fraction from 0 to 1 that is a whole number of parts per million.
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
