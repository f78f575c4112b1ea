//! Settings by name: command-line options and TOML keys, which the library declares, reads and checks.

use crate::failure::Failure;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use toml::de::{DeTable, DeValue};
use trip99::settings::{Setting, SettingKind};
use trip99::{Config, ConfigError, Recovery, Start};

/// As an option, without the leading dashes.
pub(crate) fn option(setting: &Setting) -> String {
    setting.name().replace('_', "-")
}

pub(crate) fn is_switch(setting: &Setting) -> bool {
    setting.kind() == SettingKind::Switch
}

/// What it is for, what a replay makes of it, and its default.
pub(crate) fn help(setting: &Setting) -> String {
    let in_replay = match setting.name() {
        "max_in_flight" => "; a replay tracks all",
        "recovery" => "; a replay can't make health checks",
        "start" => "; closed or half-open in a replay",
        "jitter" | "latch_after" | "owner_timeout" => "; not in a replay",
        _ => "",
    };
    format!("{}{in_replay} [default: {}]", setting.doc(), setting.show(&Config::default()))
}

/// The options that make these settings out of the defaults.
pub(crate) fn show_options(config: &Config) -> String {
    let differ = |setting: &&Setting| setting.get(config) != setting.get(&Config::default());
    let options = Config::SETTINGS.iter().filter(differ).map(|setting| {
        let equals = if is_switch(setting) { "=" } else { " " };
        format!("--{}{equals}{}", option(setting), setting.show(config))
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
        let done = setting.set_text(&mut self.config, text);
        done.map_err(|error| Failure::new(error.in_text(|_| place.clone())))?;
        self.places.insert(setting.name(), place);
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
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let at = format!("{file}: line {}: {}", line(key.span().start), key.get_ref());
            let Some(setting) = Config::setting(key.get_ref()) else {
                let names: Vec<&str> = Config::SETTINGS.iter().map(Setting::name).collect();
                return Err(Failure::new(format_args!("{at} is not a setting; legal: {}", names.join(", "))));
            };
            if !seen.insert(setting.name()) {
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
        let in_places = |error: ConfigError| Failure::new(error.in_text(|setting| self.place(setting.name())));
        self.config.validate().map_err(in_places)?;
        if self.config.recovery == Recovery::HealthChecks {
            let place = self.place("recovery");
            return Err(Failure::new(format_args!(
                "{place} is health-checks; legal: trials, as a trace holds no checks"
            )));
        }
        if self.config.start == Start::Halted {
            let place = self.place("start");
            return Err(Failure::new(format_args!(
                "{place} is halted; legal: closed or half-open, as nobody is there to resume"
            )));
        }
        Ok(self.config)
    }

    /// What a replay doesn't do, although it was asked to.
    pub(crate) fn warning(&self) -> Option<String> {
        let halts = self.config.latch_after > 0;
        let place = self.place("latch_after");
        halts.then(|| {
            format!("{place} is {}; a replay ignores it, as nobody is there to resume", self.config.latch_after)
        })
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
    fn options_are_those_that_differ() {
        let config = Config { threshold_ns: 5_000_000, failure_rate_ppm: 250_000, shadow: true, ..Config::default() };
        assert_eq!(show_options(&config), "--threshold 5ms --failure-rate 0.25 --shadow=true");
        assert_eq!(show_options(&Config::default()), "");
    }
}
