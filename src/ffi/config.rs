//! The settings as C sees them.

use super::status::{CB_STATUS_OUT_OF_RANGE, CB_STATUS_STRUCT_SIZE, CB_STATUS_UNKNOWN_SETTING, Failure};
use super::structs::{MAX_SIZE, Versioned, read_in, write_out};
use crate::config::{Config, Recovery, Start, State};
use crate::words::Word;
use core::mem::offset_of;

/// One of cb_state_value.
pub type cb_state = u32;

/// The automatic state of a breaker. A halt is not a state: it lies over all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_state_value {
    /// Calls pass, and every sample is judged.
    CB_STATE_CLOSED = 0,
    /// Calls are refused until retry_at_ns.
    CB_STATE_OPEN = 1,
    /// Only trials (or none, with health checks) pass, to find out whether the node has recovered.
    CB_STATE_HALF_OPEN = 2,
}

/// One of cb_start_value.
pub type cb_start = u32;

/// How a breaker starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_start_value {
    /// Calls pass from the first one on.
    CB_START_CLOSED = 0,
    /// Only trials pass, until enough of them are good.
    CB_START_HALF_OPEN = 2,
    /// Closed, and halted by the holder "start" until somebody resumes.
    CB_START_HALTED = 3,
}

/// One of cb_recovery_value.
pub type cb_recovery = u32;

/// Who tests the node while the breaker is half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_recovery_value {
    /// A few of the caller's own calls, granted by cb_allow.
    CB_RECOVERY_TRIALS = 0,
    /// Checks that the caller makes and reports by cb_record_probe; cb_allow grants nothing.
    CB_RECOVERY_HEALTH_CHECKS = 1,
}

pub use cb_recovery_value::*;
pub use cb_start_value::*;
pub use cb_state_value::*;

const _: () = {
    assert!(CB_STATE_CLOSED as u32 == State::Closed as u32);
    assert!(CB_STATE_OPEN as u32 == State::Open as u32);
    assert!(CB_STATE_HALF_OPEN as u32 == State::HalfOpen as u32);
    assert!(CB_START_CLOSED as u32 == Start::Closed as u32);
    assert!(CB_START_HALF_OPEN as u32 == Start::HalfOpen as u32);
    assert!(CB_START_HALTED as u32 == Start::Halted as u32);
    assert!(CB_RECOVERY_TRIALS as u32 == Recovery::Trials as u32);
    assert!(CB_RECOVERY_HEALTH_CHECKS as u32 == Recovery::HealthChecks as u32);
};

/// The settings of a breaker. Get the defaults by cb_config_init, then change what you need. Times are nanoseconds
/// (UINT64_MAX is never), shares are parts per million (ppm).
///
/// In a zeroed struct some zeros are outside their legal ranges, so begin with cb_config_init.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_config {
    /// sizeof(cb_config), set by cb_config_init: tells which version of this struct the caller was compiled with. To
    /// cb_get_config 0 and what is above 4096 stand for the first version's, 152, which it then says here; below that it
    /// leaves the struct as it is. cb_create and cb_reconfigure refuse all of these.
    pub struct_size: u32,
    /// The quantile that is judged. 1 to 999999; default 990000.
    pub quantile_ppm: u32,
    /// Strictly above it a call is slow. 1 to 9223372036854775807; default 200 ms.
    pub threshold_ns: u64,
    /// A sample leaves the window when it is this old; 0 = off. 0 or above threshold_ns; default 60 s.
    pub window_age_ns: u64,
    /// At most this many of the latest samples are judged. 1 to 1048576; default 1024. Fixed at creation.
    pub window_len: u32,
    /// The first of each so many samples enters the window; above 1, calls don't become overdue. Every sample counts for
    /// everything else. 1 to 1048576; default 1.
    pub sample_every: u32,
    /// Below this many samples the breaker is not armed: no verdict on the quantile or the failure rate. 1 to window_len;
    /// default 20.
    pub min_samples: u32,
    /// The quantile must be over the threshold at this many verdicts in a row. 1 to 1048576; default 1.
    pub confirm_verdicts: u32,
    /// Trips when more than this share of the window failed. 1000000 means never. 0 to 1000000; default 500000.
    pub failure_rate_ppm: u32,
    /// Trips when this many samples in a row failed; 0 = off. Default 5.
    pub consecutive_failures: u32,
    /// What the spike rule calls slow: strictly above it; 0 = the threshold. Default 0.
    pub spike_limit_ns: u64,
    /// Trips when this many samples in a row are above the spike limit; 0 = off. It works from the first sample on. Default 5.
    pub spike_count: u32,
    /// Calls in flight that are tracked; newer ones beyond it are only counted. 1 to 1048576; default 1024. Fixed at creation.
    pub max_in_flight: u32,
    /// Trips when one call has been in flight for this long; 0 = off. 0 or above threshold_ns; default 1 s.
    pub stall_limit_ns: u64,
    /// A trial slower than this is a failed trial; 0 = 80 % of the threshold. 0 to threshold_ns; default 0.
    pub recover_threshold_ns: u64,
    /// Who tests the node while half-open. CB_RECOVERY_TRIALS or CB_RECOVERY_HEALTH_CHECKS; default CB_RECOVERY_TRIALS.
    pub recovery: cb_recovery,
    /// Trials or checks that must all be good to close. 1 to 65535; default 10.
    pub probes: u32,
    /// Trials out at the same time. 1 to probes; default 1.
    pub trials_in_flight: u32,
    /// Each further pause is so many times longer. 1 to 16; default 2.
    pub backoff_multiplier: u32,
    /// No result for this long while one is due reopens. Above recover_threshold_ns; default 2 s.
    pub probe_timeout_ns: u64,
    /// The first pause. At least 1; default 1 s.
    pub backoff_base_ns: u64,
    /// The longest pause, before jitter. At least backoff_base_ns; default 60 s.
    pub backoff_max_ns: u64,
    /// A pause grows by up to this share of itself, at random. 0 to 1000000; default 100000.
    pub jitter_ppm: u32,
    /// How it starts. CB_START_CLOSED, CB_START_HALF_OPEN or CB_START_HALTED; default CB_START_CLOSED. Fixed at creation.
    pub start: cb_start,
    /// Seeds the jitter; 0 draws a seed. It is drawn at creation, so that breakers don't retry in step. Default 0.
    pub jitter_seed: u64,
    /// Forgives one attempt for each such span spent closed. At least 1; default 30 s.
    pub stable_after_ns: u64,
    /// Judge and report as usual, but refuse nothing. A halt still refuses. 0 or 1; default 0.
    pub shadow: u32,
    /// The opening that is this many-th, reopenings included, halts too; 0 = off. Openings are counted since the breaker was
    /// last closed for stable_after_ns on end. 0 to 1048576; default 0.
    pub latch_after: u32,
    /// Gates and lanes refuse when the owner has been silent for this long; 0 = off. 0 or at least 10 ms; default 1 s.
    pub owner_timeout_ns: u64,
    /// Below this many slow samples there is no verdict on the quantile; 0 = what a full window needs. More than that is never
    /// asked for: window_len - ceil(quantile * window_len) + 1. 0 to 1048576; default 6.
    pub min_slow: u32,
    /// Trips at a debt of this many slow calls, in place of the window's quantile; 0 = off. A slow sample that enters the window
    /// while closed adds quantile to the debt, another pays off 1 - quantile. 0 to 1048576; default 0.
    pub debt_limit: u32,
    /// Observers may follow each call: at least so many of the latest are kept; 0 = off. cb_tap_open gives a reader. 0 to 1048576;
    /// default 0. Fixed at creation.
    pub tap_len: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_config {
    const FIRST_SIZE: usize = 152;
}

/// No version is shorter. Above all not the size of a pointer, which `cb_config_init(p, sizeof p)` tells by mistake.
const MIN_SIZE: usize = 16;

/// No version ends within one of these.
const WIDE_FIELDS: [usize; 11] = [
    offset_of!(cb_config, threshold_ns),
    offset_of!(cb_config, window_age_ns),
    offset_of!(cb_config, spike_limit_ns),
    offset_of!(cb_config, stall_limit_ns),
    offset_of!(cb_config, recover_threshold_ns),
    offset_of!(cb_config, probe_timeout_ns),
    offset_of!(cb_config, backoff_base_ns),
    offset_of!(cb_config, backoff_max_ns),
    offset_of!(cb_config, jitter_seed),
    offset_of!(cb_config, stable_after_ns),
    offset_of!(cb_config, owner_timeout_ns),
];

const _: () = {
    assert!(offset_of!(cb_config, struct_size) == 0);
    assert!(cb_config::FIRST_SIZE <= size_of::<cb_config>());
    assert!(size_of::<cb_config>() == WIDE_FIELDS.len() * 8 + 22 * 4, "no padding");
    assert!(align_of::<cb_config>() == 8);
};

impl cb_config {
    pub(super) fn from_config(config: &Config) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            quantile_ppm: config.quantile_ppm,
            threshold_ns: config.threshold_ns,
            window_age_ns: config.window_age_ns,
            window_len: config.window_len,
            sample_every: config.sample_every,
            min_samples: config.min_samples,
            confirm_verdicts: config.confirm_verdicts,
            failure_rate_ppm: config.failure_rate_ppm,
            consecutive_failures: config.consecutive_failures,
            spike_limit_ns: config.spike_limit_ns,
            spike_count: config.spike_count,
            max_in_flight: config.max_in_flight,
            stall_limit_ns: config.stall_limit_ns,
            recover_threshold_ns: config.recover_threshold_ns,
            recovery: config.recovery as u32,
            probes: config.probes,
            trials_in_flight: config.trials_in_flight,
            backoff_multiplier: config.backoff_multiplier,
            probe_timeout_ns: config.probe_timeout_ns,
            backoff_base_ns: config.backoff_base_ns,
            backoff_max_ns: config.backoff_max_ns,
            jitter_ppm: config.jitter_ppm,
            start: config.start as u32,
            jitter_seed: config.jitter_seed,
            stable_after_ns: config.stable_after_ns,
            shadow: config.shadow.into(),
            latch_after: config.latch_after,
            owner_timeout_ns: config.owner_timeout_ns,
            min_slow: config.min_slow,
            debt_limit: config.debt_limit,
            tap_len: config.tap_len,
            reserved: 0,
        }
    }

    /// The ranges of numbers are checked by the breaker; here only what has no number in Rust.
    fn to_config(self) -> Result<Config, Failure> {
        if self.reserved != 0 {
            return Err(illegal("reserved", self.reserved, "0"));
        }
        Ok(Config {
            quantile_ppm: self.quantile_ppm,
            threshold_ns: self.threshold_ns,
            window_len: self.window_len,
            window_age_ns: self.window_age_ns,
            sample_every: self.sample_every,
            min_samples: self.min_samples,
            min_slow: self.min_slow,
            debt_limit: self.debt_limit,
            confirm_verdicts: self.confirm_verdicts,
            failure_rate_ppm: self.failure_rate_ppm,
            consecutive_failures: self.consecutive_failures,
            spike_limit_ns: self.spike_limit_ns,
            spike_count: self.spike_count,
            stall_limit_ns: self.stall_limit_ns,
            max_in_flight: self.max_in_flight,
            recover_threshold_ns: self.recover_threshold_ns,
            recovery: match self.recovery {
                0 => Recovery::Trials,
                1 => Recovery::HealthChecks,
                value => return Err(illegal("recovery", value, "0 (trials) or 1 (health checks)")),
            },
            probes: self.probes,
            trials_in_flight: self.trials_in_flight,
            probe_timeout_ns: self.probe_timeout_ns,
            backoff_base_ns: self.backoff_base_ns,
            backoff_multiplier: self.backoff_multiplier,
            backoff_max_ns: self.backoff_max_ns,
            jitter_ppm: self.jitter_ppm,
            jitter_seed: self.jitter_seed,
            stable_after_ns: self.stable_after_ns,
            latch_after: self.latch_after,
            owner_timeout_ns: self.owner_timeout_ns,
            start: read_start(self.start)?,
            tap_len: self.tap_len,
            shadow: match self.shadow {
                0 => false,
                1 => true,
                value => return Err(illegal("shadow", value, "0 or 1")),
            },
            rest_by_default: (),
        })
    }
}

pub(super) fn illegal(field: &str, value: u32, legal: &str) -> Failure {
    Failure::new(CB_STATUS_OUT_OF_RANGE, format_args!("{field} is {value}; legal: {legal}"))
}

pub(super) fn read_start(start: cb_start) -> Result<Start, Failure> {
    let legal = "0 (closed), 2 (half-open) or 3 (halted)";
    Start::from_word(start.into()).ok_or_else(|| illegal("start", start, legal))
}

/// # Safety
/// As [`read_in`].
pub(super) unsafe fn read_config(config: *const cb_config) -> Result<Config, Failure> {
    let wrong_size = |size: usize| {
        Failure::new(
            CB_STATUS_STRUCT_SIZE,
            format_args!(
                "struct_size of the configuration is {size}, and {} in this version; set it by cb_config_init",
                size_of::<cb_config>()
            ),
        )
    };
    let mut known = cb_config::from_config(&Config::default());
    // SAFETY: by the caller.
    let (size, more) = unsafe { read_in(config, &mut known) }.map_err(wrong_size)?;
    if size < MIN_SIZE || ends_within_a_field(size) {
        return Err(wrong_size(size));
    }
    if more {
        return Err(Failure::new(
            CB_STATUS_UNKNOWN_SETTING,
            format_args!("the configuration has a setting from after this version, {}", env!("CARGO_PKG_VERSION")),
        ));
    }
    known.to_config()
}

/// NULL = the defaults.
///
/// # Safety
/// As [`read_in`], but for NULL.
pub(super) unsafe fn read_or_default(config: *const cb_config) -> Result<Config, Failure> {
    if config.is_null() {
        return Ok(Config::default());
    }
    // SAFETY: by the caller.
    unsafe { read_config(config) }
}

/// Sets every field to its default.
///
/// @param config  Where to. NULL is fine: nothing happens.
/// @param size    sizeof *config: tells the library which version of the struct the caller was compiled with. If no version
///                has this size (below 152 or above 4096), then struct_size alone is set, so that cb_create refuses it; below
///                4 or above UINT32_MAX nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_config_init(config: *mut cb_config, size: usize) {
    // SAFETY: by the caller.
    unsafe { give(config, size, &Config::default()) };
}

/// Whether a version of the struct may have this size.
pub(super) fn is_version(size: usize) -> bool {
    (cb_config::FIRST_SIZE..=MAX_SIZE).contains(&size)
}

/// No version ends there.
pub(super) fn ends_within_a_field(size: usize) -> bool {
    !size.is_multiple_of(4) || size.checked_sub(4).is_some_and(|last| WIDE_FIELDS.contains(&last))
}

/// Writes settings to a caller's struct of this size.
///
/// # Safety
/// `config` is NULL or valid for writing `size` bytes.
pub(super) unsafe fn give(config: *mut cb_config, size: usize, settings: &Config) {
    let (false, Ok(told)) = (config.is_null() || size < 4, u32::try_from(size)) else { return };
    // SAFETY: by the caller; `struct_size` comes first.
    unsafe { config.cast::<u32>().write(told) };
    if is_version(size) {
        // SAFETY: by the caller.
        unsafe { write_out(config, &cb_config::from_config(settings)) };
    }
}

/// The settings that a caller tells whose struct has this size, and was given these.
pub(super) fn shortened(settings: &Config, size: usize) -> Result<Config, Failure> {
    let mut told = cb_config::from_config(settings);
    told.struct_size = size.min(size_of::<cb_config>()) as u32;
    // SAFETY: it is at least as long as it says.
    unsafe { read_config(&raw const told) }
}

/// A hash of all settings: the same for the same settings on every machine, and in every version that has them. So a log or a dashboard
/// shows at a glance which settings are in force. It is the sum, modulo 2^64, of the FNV-1a hashes of the texts NAME=NUMBER, one for
/// each setting, with its name in text (without _ns and _ppm) and its number in decimal.
///
/// @param config  The settings. NULL stands for the defaults. Their ranges aren't checked.
/// @return        The hash. It is 0 if the settings can't be read, as cb_create would say: struct_size is wrong, a setting isn't known,
///                or recovery, start or shadow has no meaning. cb_error_text() then tells which.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_config_hash(config: *const cb_config) -> u64 {
    // SAFETY: by the caller.
    unsafe { read_or_default(config) }.map_or(0, |config| config.stable_hash())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Setting, SettingKind};

    /// The fields of `cb_config` as they stand above: doc, name, type.
    fn fields() -> Vec<(String, &'static str, &'static str)> {
        let source = include_str!("config.rs");
        let body = source.split("pub struct cb_config {").nth(1).unwrap().split("\n}").next().unwrap();
        let mut doc = String::new();
        let mut fields = Vec::new();
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix("/// ") {
                Some(more) => doc = format!("{doc} {more}").trim().to_owned(),
                None => {
                    let (name, form) = line.strip_prefix("pub ").unwrap().split_once(": ").unwrap();
                    fields.push((std::mem::take(&mut doc), name, form.trim_end_matches(',')));
                }
            }
        }
        fields
    }

    fn is_wide(setting: &Setting) -> bool {
        matches!(setting.kind(), SettingKind::Duration | SettingKind::Number)
    }

    /// Legal range and default, as C's docs say them.
    fn facts(setting: &Setting) -> String {
        let config = Config::default();
        let name = |value: u64| match (setting.kind(), value) {
            (SettingKind::Recovery, 0) => "CB_RECOVERY_TRIALS".to_owned(),
            (SettingKind::Recovery, 1) => "CB_RECOVERY_HEALTH_CHECKS".to_owned(),
            (SettingKind::Start, 0) => "CB_START_CLOSED".to_owned(),
            (SettingKind::Start, 2) => "CB_START_HALF_OPEN".to_owned(),
            (SettingKind::Start, 3) => "CB_START_HALTED".to_owned(),
            (SettingKind::Duration, ns) if ns > 0 && ns % 1_000_000_000 == 0 => format!("{} s", ns / 1_000_000_000),
            (SettingKind::Duration, ns) if ns > 0 && ns % 1_000_000 == 0 => format!("{} ms", ns / 1_000_000),
            (_, number) => number.to_string(),
        };
        let end = |field: Option<&str>, value: u64| field.map_or(value.to_string(), str::to_owned);
        let (min, max) = (setting.min(&config), setting.max(&config));
        let (least, greatest) = (end(setting.min_field(), min), end(setting.max_field(), max));
        let default = name(setting.get(&config));
        let fixed = if setting.is_fixed() { " Fixed at creation." } else { "" };
        match setting.kind() {
            SettingKind::Start => format!("{}, {} or {}; default {default}.{fixed}", name(0), name(2), name(3)),
            SettingKind::Recovery | SettingKind::Switch => {
                format!("{} or {}; default {default}.{fixed}", name(min), name(max))
            }
            _ if (min, max) == (0, u64::MAX) || (min, max) == (0, u32::MAX.into()) => {
                format!("Default {default}.{fixed}")
            }
            _ if setting.is_above() => {
                let zero = if setting.or_zero() { "0 or above" } else { "Above" };
                format!("{zero} {}; default {default}.{fixed}", setting.min_field().unwrap())
            }
            _ if setting.or_zero() && max == u64::MAX => {
                format!("0 or at least {}; default {default}.{fixed}", name(min))
            }
            _ if max == u64::MAX => format!("At least {least}; default {default}.{fixed}"),
            _ => format!("{least} to {greatest}; default {default}.{fixed}"),
        }
    }

    #[test]
    fn every_setting_is_a_field_of_its_width_that_says_its_meaning_range_and_default() {
        let mut fields = fields();
        assert_eq!(fields.remove(0).1, "struct_size");
        assert_eq!(fields.pop().map(|field| field.1), Some("reserved"));
        assert_eq!(fields.len(), Config::SETTINGS.len());
        for setting in Config::SETTINGS {
            let name = setting.field();
            let Some((doc, _, form)) = fields.iter().find(|field| field.1 == name) else { panic!("no field {name}") };
            assert!(doc.starts_with(&format!("{}. ", setting.doc())), "{name}: {doc}");
            assert!(doc.ends_with(&format!(". {}", facts(setting))), "{name}: {doc}; {}", facts(setting));
            assert_eq!(*form == "u64", is_wide(setting), "{name}");
        }
    }

    /// Each setting changed alone changes its own field alone, to that number, and comes back.
    #[test]
    fn every_setting_goes_to_its_field_and_back() {
        let mut offset = 0;
        let mut wide = Vec::new();
        for (_, name, form) in fields() {
            let size = if form == "u64" { 8 } else { 4 };
            if size == 8 {
                wide.push(offset);
            }
            if let Some(setting) = Config::SETTINGS.iter().find(|setting| setting.field() == name) {
                let default = Config::default();
                let mut config = default.clone();
                // The greatest number that isn't the default tells a narrower field.
                let max = if setting.kind() == SettingKind::Start { 2 } else { u64::MAX >> (64 - 8 * size) };
                let number = if setting.set(&mut config, max).is_ok() { max } else { 1 };
                setting.set(&mut config, number).unwrap();
                assert_ne!(config, default, "{name}");

                let told = bytes(cb_config::from_config(&config));
                let mut expected = bytes(cb_config::from_config(&default));
                expected[offset..offset + size].copy_from_slice(&number.to_ne_bytes()[..size]);
                assert_eq!(told, expected, "{name}");
                assert_eq!(cb_config::from_config(&config).to_config().ok(), Some(config), "{name}");
            }
            offset += size;
        }
        assert_eq!(offset, size_of::<cb_config>());
        assert_eq!(wide, WIDE_FIELDS);
    }

    fn bytes(config: cb_config) -> [u8; size_of::<cb_config>()] {
        // SAFETY: it has no padding, as asserted above, and every byte of an integer is initialised.
        unsafe { core::mem::transmute(config) }
    }
}
