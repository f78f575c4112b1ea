//! Settings as somebody gives them: by name and as text, from a file and by options.

use super::{Config, ConfigError, ConfigWarning, Setting};
use core::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Settings under construction, with the place that each was given at: so a mistake is told with its place. What isn't given has its
/// default, or [follows](Config::for_threshold) the threshold. This needs the feature `toml`.
///
/// ```
/// use trip99::Config;
/// use trip99::settings::Given;
///
/// let mut given = Given::default();
/// given.set_from_toml("threshold = \"5s\"\nwindow_len = 10", "node.toml")?;
/// let min_samples = Config::setting("min_samples").expect("there is one");
/// let error = given.clone().finish().unwrap_err();
/// assert_eq!(error.to_string(), "min_samples (by default) is 20; legal: 1 to 10, as node.toml: line 2: window_len is 10");
///
/// given.set(min_samples, "5", "--min-samples".to_owned())?;
/// assert_eq!(given.finish()?.stall_limit_ns, 25_000_000_000);
/// # Ok::<(), trip99::settings::GivenError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Given {
    config: Config,
    /// The settings that were given, each with its place.
    places: Vec<(&'static str, String)>,
}

/// A table that isn't about the breaker. It tells the tool what the columns of a log mean, so that one file has all about a node.
const LOG_TABLE: &str = "columns";

/// What is wrong with the settings that were given, and where, and what is legal. It is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenError {
    text: String,
    is_unreadable: bool,
}

impl GivenError {
    fn new(text: String) -> Self {
        Self { text, is_unreadable: false }
    }

    /// True if the file couldn't be read at all.
    pub const fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }
}

impl fmt::Display for GivenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for GivenError {}

impl Given {
    /// Sets one. `place` is what messages call it: an option, say. What was given for it before is forgotten.
    ///
    /// # Errors
    /// The text is no value of this setting. Nothing is changed then.
    pub fn set(&mut self, setting: &Setting, text: &str, place: String) -> Result<(), GivenError> {
        setting.set_text(&mut self.config, text).map_err(|error| GivenError::new(error.in_text(|_| place.clone())))?;
        self.places.retain(|(name, _)| *name != setting.name);
        self.places.push((setting.name, place));
        Ok(())
    }

    /// Sets what a TOML text holds. Its keys are the settings' names, with underscores or dashes. A duration is a string like `"200ms"`
    /// or a number of nanoseconds. `file` is what messages call the text; it may be empty. A table `[columns]` is skipped: it tells the
    /// tool how to read a log.
    ///
    /// # Errors
    /// The text is no TOML, a key is unknown or comes twice, or a value is none of its setting. The first mistake is told.
    pub fn set_from_toml(&mut self, text: &str, file: &str) -> Result<(), GivenError> {
        let file = if file.is_empty() { String::new() } else { format!("{file}: ") };
        let line = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        let table = DeTable::parse(text).map_err(|error| {
            let line = line(error.span().map_or(0, |span| span.start));
            let message = error.message().replace('\n', "; ");
            GivenError::new(format!(
                "{file}line {line}: {message}; legal: TOML, each key once, as in threshold = \"200ms\""
            ))
        })?;
        // In the order of the text, so that the first mistake is the one told.
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut seen = Vec::new();
        for (key, value) in entries {
            let at = format!("{file}line {}: {}", line(key.span().start), key.get_ref());
            if key.get_ref() == LOG_TABLE {
                match value.get_ref() {
                    DeValue::Table(_) => continue,
                    other => {
                        let kind = other.type_str();
                        return Err(GivenError::new(format!(
                            "{at} is of type {kind}; legal: a table, which is the tool's"
                        )));
                    }
                }
            }
            let Some(setting) = Config::setting(key.get_ref()) else {
                let names: Vec<&str> = Config::SETTINGS.iter().map(Setting::name).collect();
                return Err(GivenError::new(format!("{at} is not a setting; legal: {}", names.join(", "))));
            };
            if seen.contains(&setting.name) {
                return Err(GivenError::new(format!("{at} is set twice; legal: once")));
            }
            seen.push(setting.name);
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Boolean(on) => on.to_string(),
                other => {
                    let kind = other.type_str();
                    let legal = "legal: a string, a decimal number, true or false";
                    return Err(GivenError::new(format!("{at} is of type {kind}; {legal}")));
                }
            };
            self.set(setting, &text, at)?;
        }
        Ok(())
    }

    /// [`set_from_toml`](Self::set_from_toml) of a file.
    ///
    /// # Errors
    /// As there; or the file can't be read, or isn't UTF-8.
    pub fn set_from_file(&mut self, path: &Path) -> Result<(), GivenError> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| GivenError {
            text: format!("{file}: {error}; legal: a readable TOML file"),
            is_unreadable: error.kind() != ErrorKind::InvalidData, // that is, UTF-8
        })?;
        self.set_from_toml(&text, &file)
    }

    /// The settings.
    ///
    /// # Errors
    /// One of them isn't legal.
    pub fn finish(self) -> Result<Config, GivenError> {
        let is_given = |setting: &Setting| self.places.iter().any(|(name, _)| *name == setting.name);
        let config = self.config.clone().with_followers(is_given);
        let in_places = |error: ConfigError| GivenError::new(error.in_text(|setting| self.place(setting)));
        config.validate().map_err(in_places)?;
        Ok(config)
    }

    /// What messages call a setting: the place where it was given, or its name.
    pub fn place(&self, setting: &Setting) -> String {
        let given = self.places.iter().find(|(name, _)| *name == setting.name);
        given.map_or_else(|| format!("{} (by default)", setting.name), |(_, place)| place.clone())
    }

    /// A warning about these settings, in which each is called what [`place`](Self::place) calls it.
    pub fn show_warning(&self, warning: &ConfigWarning) -> String {
        warning.in_text(|setting| self.place(setting))
    }
}

/// These functions need the feature `toml`.
impl Config {
    /// Reads settings from a TOML text: the one that the tool's `--config` takes. Its keys are the settings' [names](Setting::name). What
    /// isn't given has its default, or [follows](Self::for_threshold) the threshold. The tool's table `[columns]` is skipped.
    ///
    /// # Errors
    /// [`GivenError`] names line and key of the first mistake, and what is legal.
    ///
    /// ```
    /// use trip99::Config;
    ///
    /// let config = Config::from_toml("threshold = \"5ms\"\ndebt_limit = 6\nspike_count = 0\n")?;
    /// assert_eq!((config.threshold_ns, config.debt_limit), (5_000_000, 6));
    /// let error = Config::from_toml("\nthreshold = \"soon\"").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2: threshold is \"soon\"; legal: a duration like 200ms"));
    /// # Ok::<(), trip99::settings::GivenError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, GivenError> {
        let mut given = Given::default();
        given.set_from_toml(text, "")?;
        given.finish()
    }

    /// [`from_toml`](Self::from_toml) of a file. Messages name the file, too.
    ///
    /// # Errors
    /// As there; or the file can't be read, or isn't UTF-8.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, GivenError> {
        let mut given = Given::default();
        given.set_from_file(path.as_ref())?;
        given.finish()
    }
}
