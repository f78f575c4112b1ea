//! Settings of a file and of a threshold for C, and what is unwise about settings.

use super::config::{cb_config, ends_within_a_field, give, is_version, read_or_default, shortened};
use super::pointers::{not_null, text, write_text};
use super::status::{
    CB_STATUS_BAD_SETTINGS, CB_STATUS_IO, CB_STATUS_STRUCT_SIZE, CB_STATUS_UNKNOWN_SETTING, Failure, cb_status, guard,
};
use crate::config::{Config, GivenError};
use core::ffi::c_char;
use core::time::Duration;
use std::path::Path;

/// Sets every field to its default for this threshold: stall_limit_ns is 5 thresholds and at least 1 s, probe_timeout_ns 10
/// thresholds and at least 2 s, window_age_ns 10 thresholds and at least 60 s. With cb_config_init and a threshold of 1 s or more
/// these have to be set, too.
///
/// @param config        As for cb_config_init.
/// @param size          As for cb_config_init.
/// @param threshold_ns  Strictly above it a call is slow. Its range is checked by cb_create.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_config_init_for(config: *mut cb_config, size: usize, threshold_ns: u64) {
    let settings = Config::for_threshold(Duration::from_nanos(threshold_ns));
    // SAFETY: by the caller.
    unsafe { give(config, size, &settings) };
}

/// Reads settings from a TOML file, as `trip99 replay --config` does: its keys are the names of the fields without _ns and _ppm, with
/// underscores or dashes. A duration is a string like "200ms" or a number of nanoseconds, a share is a fraction like 0.99. What isn't
/// given is as cb_config_init_for sets it for the file's threshold. The tool's table "columns", about logs, is skipped.
///
/// @param path    The file, in UTF-8. Must not be NULL.
/// @param config  Where the settings go, which are legal then. It is left as it is if there is an error. Must not be NULL.
/// @param size    sizeof *config, as for cb_config_init.
/// @return        CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_BAD_NAME (the path isn't UTF-8), CB_STATUS_IO (the file can't be
///                read), CB_STATUS_BAD_SETTINGS (cb_error_text() names file, line and key of the first mistake, and what is legal),
///                CB_STATUS_STRUCT_SIZE, or CB_STATUS_UNKNOWN_SETTING (the file has a setting from after the caller's header).
///
/// Thread: any. It reads a file and allocates, so it is for start-up.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_config_load(path: *const c_char, config: *mut cb_config, size: usize) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let path = unsafe { text("path", path) }?;
        not_null("config", config)?;
        if !is_version(size) || ends_within_a_field(size) {
            return Err(Failure::new(
                CB_STATUS_STRUCT_SIZE,
                format_args!("size is {size}, and {} in this version; pass sizeof *config", size_of::<cb_config>()),
            ));
        }
        let settings = Config::load(Path::new(path))?;
        let told = shortened(&settings, size)?;
        if let Some(setting) = Config::SETTINGS.iter().find(|setting| setting.get(&told) != setting.get(&settings)) {
            return Err(Failure::new(
                CB_STATUS_UNKNOWN_SETTING,
                format_args!("{path}: {} is a setting from after the caller's header", setting.name()),
            ));
        }
        // SAFETY: by the caller.
        unsafe { give(config, size, &settings) };
        Ok(())
    })
}

impl From<GivenError> for Failure {
    fn from(error: GivenError) -> Self {
        let status = if error.is_unreadable() { CB_STATUS_IO } else { CB_STATUS_BAD_SETTINGS };
        Self::new(status, format_args!("{error}"))
    }
}

/// One of the warnings about settings that are legal, but hardly meant so: a quantile that the window can't resolve, say. It is one
/// line.
///
/// @param config    The settings. NULL stands for the defaults, about which there is no warning.
/// @param index     0, 1, ... until there is no such warning.
/// @param buffer    Where the text goes. It ends with a zero. It is never cut: if there is no room for it, an empty text is there. NULL is
///                  fine.
/// @param capacity  The size of the buffer. 0: nothing is written.
/// @return          The length of the text, without the zero. If that is capacity or more, nothing but an empty text was written. 0: there
///                  are no more warnings, or the settings aren't legal or can't be read, as cb_create would say (of what can't be read
///                  cb_error_text() tells why).
///
/// Thread: any. It allocates.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_config_warning(
    config: *const cb_config,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: by the caller.
    let settings = unsafe { read_or_default(config) }.ok().filter(|settings| settings.validate().is_ok());
    let warning = settings.and_then(|settings| settings.warnings().into_iter().nth(index));
    let text = warning.map_or_else(String::new, |warning| warning.to_string());
    // SAFETY: by the caller.
    unsafe { write_text(text.as_bytes(), buffer, capacity) };
    text.len()
}
