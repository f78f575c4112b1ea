//! Settings by name: command-line options and TOML keys, which the library declares, reads and checks.

use crate::failure::Failure;
use crate::warnings::Warnings;
use std::path::Path;
use std::time::Duration;
use trip99::Config;
use trip99::settings::{Given, Setting, SettingKind};
use trip99_logs::replay::check_settings;

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
        "jitter" | "latch_after" | "owner_timeout" | "tap_len" => "; not in a replay",
        "stall_limit" => "; at least 5 thresholds if it isn't given",
        "window_age" | "probe_timeout" => "; at least 10 thresholds if it isn't given",
        _ => "",
    };
    format!("{}{in_replay} [default: {}]", setting.doc(), setting.show(&Config::default()))
}

/// The settings that differ from the defaults, and from what follows the threshold, each with that other value as text.
pub(crate) fn differing(config: &Config) -> impl Iterator<Item = (&'static Setting, String)> {
    let by_default = Config::for_threshold(Duration::from_nanos(config.threshold_ns));
    Config::SETTINGS.iter().filter_map(move |setting| {
        let other = if setting.name() == "threshold" { &Config::default() } else { &by_default };
        (setting.get(config) != setting.get(other)).then(|| (setting, setting.show(other)))
    })
}

/// The TOML that makes these settings. It is empty if they are the defaults.
pub(crate) fn show_toml(config: &Config) -> String {
    differing(config).map(|(setting, _)| show_toml_line(setting, config)).collect()
}

/// A setting as a line of TOML.
pub(crate) fn show_toml_line(setting: &Setting, config: &Config) -> String {
    setting.show_toml(config)
}

/// The options that make these settings out of the defaults, and of what follows the threshold.
pub(crate) fn show_options(config: &Config) -> String {
    let options = differing(config).map(|(setting, _)| {
        let equals = if is_switch(setting) { "=" } else { " " };
        format!("--{}{equals}{}", option(setting), setting.show(config))
    });
    options.collect::<Vec<_>>().join(" ")
}

/// Settings for a replay under construction, with the place that each was set at.
#[derive(Default)]
pub(crate) struct Settings(Given);

impl Settings {
    /// Sets one; `place` names the option.
    pub(crate) fn set(&mut self, setting: &Setting, text: &str, place: String) -> Result<(), Failure> {
        self.0.set(setting, text, place).map_err(Failure::new)
    }

    /// Sets what a TOML file holds: field names as keys, with underscores or dashes.
    pub(crate) fn set_from_file(&mut self, path: &Path) -> Result<(), Failure> {
        self.0.set_from_file(path).map_err(Failure::new)
    }

    /// The settings, if every one is in its legal range, and a replay can do them. Warns of what is legal but unwise.
    pub(crate) fn finish(self, warnings: &mut Warnings) -> Result<Config, Failure> {
        let place = |name: &str| Config::setting(name).map_or_else(String::new, |setting| self.0.place(setting));
        let config = self.0.clone().finish().map_err(Failure::new)?;
        check_settings(&config, place)?.into_iter().for_each(|warning| warnings.tell(warning));
        config.warnings().iter().for_each(|warning| warnings.tell(self.0.show_warning(warning)));
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::Start;

    #[test]
    fn toml_has_what_differs_and_is_read_again() {
        let mut config = Config { threshold_ns: 5_000_000, shadow: true, start: Start::HalfOpen, ..Config::default() };
        assert_eq!(show_toml(&config), "threshold = \"5ms\"\nstart = \"half-open\"\nshadow = true\n");
        (config.failure_rate_ppm, config.jitter_ppm, config.jitter_seed) = (250_000, 1_000_000, u64::MAX);
        assert_eq!(Config::from_toml(&show_toml(&config)).ok(), Some(config));
        assert_eq!(show_toml(&Config::default()), "");
        let slow = Config::for_threshold(Duration::from_secs(1));
        assert_eq!(Config::from_toml(&show_toml(&slow)).ok(), Some(slow));
    }

    #[test]
    fn options_are_those_that_differ() {
        let config = Config { threshold_ns: 5_000_000, failure_rate_ppm: 250_000, shadow: true, ..Config::default() };
        assert_eq!(show_options(&config), "--threshold 5ms --failure-rate 0.25 --shadow=true");
        assert_eq!(show_options(&Config::default()), "");
        let slow = Config::for_threshold(Duration::from_secs(1));
        assert_eq!(show_options(&slow), "--threshold 1s");
        assert_eq!(show_options(&Config { stall_limit_ns: 2_000_000_000, ..slow }), "--threshold 1s --stall-limit 2s");
    }
}
