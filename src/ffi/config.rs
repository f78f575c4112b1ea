//! The settings as C sees them.

use super::status::{CB_STATUS_OUT_OF_RANGE, CB_STATUS_STRUCT_SIZE, CB_STATUS_UNKNOWN_SETTING, Failure};
use super::structs::{MAX_SIZE, Versioned, read_in, write_out};
use crate::config::{Config, Recovery, State};
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
pub use cb_state_value::*;

const _: () = {
    assert!(CB_STATE_CLOSED as u32 == State::Closed as u32);
    assert!(CB_STATE_OPEN as u32 == State::Open as u32);
    assert!(CB_STATE_HALF_OPEN as u32 == State::HalfOpen as u32);
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
    /// The quantile that is judged. 1 to 999999; default 990000, the P99.
    pub quantile_ppm: u32,
    /// Strictly above it a call is slow. At least 1; default 200 ms.
    pub threshold_ns: u64,
    /// A sample leaves the window when it is this old. 0 = off; default 60 s.
    pub window_age_ns: u64,
    /// At most this many of the latest samples are judged. 1 to 1048576; default 1024. Fixed at creation.
    pub window_len: u32,
    /// Sampling rate: the first of each so many samples enters the window; every sample counts for everything else.
    /// Above 1, overdue calls don't count in the verdict. 1 to 1048576; default 1.
    pub sample_every: u32,
    /// No verdict on the quantile or the failure rate below this many samples. 1 to window_len; default 100.
    pub min_samples: u32,
    /// The quantile must be over the threshold at this many verdicts in a row. 1 to 1048576; default 1.
    pub confirm_verdicts: u32,
    /// Trips when more than this share of the window failed. 0 to 1000000 (= never); default 500000.
    pub failure_rate_ppm: u32,
    /// Trips when this many samples in a row failed. 0 = off; default 5.
    pub consecutive_failures: u32,
    /// What the spike rule calls slow: strictly above it. 0 = threshold_ns, the default.
    pub spike_limit_ns: u64,
    /// Trips when this many samples in a row are slower than spike_limit_ns, from the first sample on. 0 = off; default 5.
    pub spike_count: u32,
    /// Calls in flight that are tracked. 1 to 1048576; default 1024. Fixed at creation.
    pub max_in_flight: u32,
    /// Trips when one call has been in flight for this long. 0 = off; default 1 s.
    pub stall_limit_ns: u64,
    /// A trial slower than this is a failed trial. 0 = 80 % of threshold_ns, the default; at most threshold_ns.
    pub recover_threshold_ns: u64,
    /// Who tests the node while half-open: a cb_recovery_value. Default CB_RECOVERY_TRIALS.
    pub recovery: cb_recovery,
    /// Trials or checks that must all be good to close. 1 to 65535; default 10.
    pub probes: u32,
    /// Trials out at the same time. 1 to probes; default 1.
    pub trials_in_flight: u32,
    /// Each further pause is so many times longer. 1 to 16; default 2.
    pub backoff_multiplier: u32,
    /// No result for this long while one is due reopens. At least 1; default 2 s.
    pub probe_timeout_ns: u64,
    /// The first pause. At least 1; default 1 s.
    pub backoff_base_ns: u64,
    /// The longest pause, before jitter. At least backoff_base_ns; default 60 s.
    pub backoff_max_ns: u64,
    /// A pause grows by up to this share of itself, at random. 0 to 1000000; default 100000.
    pub jitter_ppm: u32,
    /// The first state: CB_STATE_CLOSED (default) or CB_STATE_HALF_OPEN. Fixed at creation.
    pub start: cb_state,
    /// Seeds the jitter. 0, the default, draws a seed at creation, so that breakers don't retry in step.
    pub jitter_seed: u64,
    /// Forgives one attempt for each such span spent closed. At least 1; default 30 s.
    pub stable_after_ns: u64,
    /// 1: judge and report as usual, but refuse nothing; a halt still refuses. 0 or 1; default 0.
    pub shadow: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_config {
    const FIRST_SIZE: usize = 152;
}

/// No version is shorter. Above all not the size of a pointer, which `cb_config_init(p, sizeof p)` tells by mistake.
const MIN_SIZE: usize = 16;

/// No version ends within one of these.
const WIDE_FIELDS: [usize; 10] = [
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
];

const _: () = {
    assert!(offset_of!(cb_config, struct_size) == 0);
    assert!(cb_config::FIRST_SIZE <= size_of::<cb_config>());
    assert!(size_of::<cb_config>() == WIDE_FIELDS.len() * 8 + 18 * 4, "no padding");
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
            reserved: 0,
        }
    }

    /// The ranges of numbers are checked by the breaker; here only what has no number in Rust.
    fn to_config(self) -> Result<Config, Failure> {
        let illegal = |field: &str, value: u32, legal: &str| {
            Failure::new(CB_STATUS_OUT_OF_RANGE, format_args!("{field} is {value}; legal: {legal}"))
        };
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
            start: match State::from_word(self.start.into()) {
                Some(State::Open) | None => return Err(illegal("start", self.start, "0 (closed) or 2 (half-open)")),
                Some(start) => start,
            },
            shadow: match self.shadow {
                0 => false,
                1 => true,
                value => return Err(illegal("shadow", value, "0 or 1")),
            },
        })
    }
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
    let cut = size.checked_sub(4).is_some_and(|last| WIDE_FIELDS.contains(&last));
    if size < MIN_SIZE || size % 4 != 0 || cut {
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
    let (false, Ok(told)) = (config.is_null() || size < 4, u32::try_from(size)) else { return };
    // SAFETY: by the caller; `struct_size` comes first.
    unsafe { config.cast::<u32>().write(told) };
    if (cb_config::FIRST_SIZE..=MAX_SIZE).contains(&size) {
        // SAFETY: by the caller.
        unsafe { write_out(config, &cb_config::from_config(&Config::default())) };
    }
}
