//! A `Config` as keys and values, for serde. The tool's TOML has them, too.

use super::{Config, ConfigError, Setting, SettingKind};
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// Writes a map of all settings by [name](Setting::name), in the order of the fields. Durations and names are strings, shares
/// are floats, and the rest are numbers and booleans. A number that TOML can't hold is a string. This needs the feature `serde`.
///
/// ```
/// let json = serde_json::to_string(&trip99::Config::default())?;
/// assert!(json.starts_with(r#"{"quantile":0.99,"threshold":"200ms","window_len":1024,"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Self::SETTINGS.len()))?;
        for setting in Self::SETTINGS {
            let (number, text) = (setting.get(self), setting.show(self));
            match (setting.kind, i64::try_from(number), text.parse::<f64>()) {
                (SettingKind::Switch, ..) => map.serialize_entry(setting.name, &(number != 0))?,
                (SettingKind::Count | SettingKind::Number, Ok(number), _) => {
                    map.serialize_entry(setting.name, &number)?
                }
                (SettingKind::Share, _, Ok(share)) => map.serialize_entry(setting.name, &share)?,
                _ => map.serialize_entry(setting.name, &text)?,
            }
        }
        map.end()
    }
}

/// Reads a map of settings by name. Names may have underscores or dashes. A missing key leaves the setting's default, or
/// what [follows](Config::for_threshold) from the threshold. A value may
/// be a string (`"200ms"`, `"0.99"`), a number (a duration's is in nanoseconds) or a boolean. This needs the feature `serde`.
///
/// It is an error if a key is unknown or comes twice, if a value can't be read, or if a value isn't legal. The message names the
/// key, the value and what is legal. So a config that was read is legal.
///
/// ```
/// let config: trip99::Config = serde_json::from_str(r#"{"threshold": "5ms", "quantile": 0.999}"#)?;
/// assert_eq!((config.threshold_ns, config.quantile_ppm, config.probes), (5_000_000, 999_000, 10));
///
/// let error = serde_json::from_str::<trip99::Config>(r#"{"window_len": 10}"#).expect_err("min_samples is 20");
/// assert!(error.to_string().starts_with("min_samples is 20; legal: 1 to 10, as window_len is 10"));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut config = Config::default();
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some(setting) = Config::setting(&key) else {
                let names: Vec<&str> = Config::SETTINGS.iter().map(Setting::name).collect();
                return Err(A::Error::custom(format_args!("{key} is not a setting; legal: {}", names.join(", "))));
            };
            if seen.contains(&setting.name) {
                return Err(A::Error::custom(format_args!("{key} is set twice; legal: once")));
            }
            seen.push(setting.name);
            map.next_value_seed(Slot { setting, config: &mut config })?;
        }
        let config = config.with_followers(|setting| seen.contains(&setting.name));
        config.validate().map_err(refusal)?;
        Ok(config)
    }
}

/// The setting and the config that a value is for. The value is made a text, which is read as the tool reads it.
struct Slot<'a> {
    setting: &'static Setting,
    config: &'a mut Config,
}

fn refusal<E: Error>(error: ConfigError) -> E {
    E::custom(error.in_text(|setting| setting.name.to_owned()))
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {} {}", self.setting.name, self.setting.form())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.setting.set_text(self.config, text).map_err(refusal)
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<(), E> {
        self.visit_str(&on.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    /// The text is the shortest decimal fraction that is this float. If the file had at most 15 digits, these are the same ones.
    /// A whole number keeps a decimal, so that a count of 2.0 is as illegal as one of 2.5.
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        let text = number.to_string();
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        self.visit_str(&if is_whole { text + ".0" } else { text })
    }
}
