//! Halts and resumes of a page in a file, by its path and in any condition.

use super::halt_results::{
    CB_HALT_ENDED, CB_RESUME_ENDED, cb_halt_result, cb_resume_result, halt_result, resume_result,
};
use super::halting::{holder_of, not_built_in, tell};
use super::pointers::reason_or_none;
use super::shared_places::named_page;
use super::status::{CB_STATUS_NOT_DURABLE, CB_STATUS_ODD_PAGE, CB_STATUS_SHARED_REFUSED, Failure, cb_status, guard};
use crate::handles::{HaltNote, Halted, Resumed};
use crate::holder::Holder;
use crate::shm::{Halter, SharedError, login};
use core::ffi::c_char;
use core::fmt::Display;
use std::io;
use std::path::Path;

/// Halts the breaker of a page in a file, which is usually another process's, in whatever condition the page is: damaged, of another
/// version, with several names. The gate is shut when this function returns. The owner's next poll adds the event. A page without an
/// owner keeps the halt for the next owner.
///
/// The halt comes first. Then it is made durable, so that it outlives a power failure: this waits for a disk.
///
/// @param path_or_name  A path has a '/'. A plain name has none, and is looked for as by cb_shared_find. Must not be NULL.
/// @param holder        In whose name, as for cb_halt_as; but nobody halts as "engine" here. NULL stands for the user who runs this
///                      process (USER@HOST).
/// @param reason        As for cb_halt_with.
/// @param result        As for cb_halt_with.
/// @return              CB_STATUS_OK: halted. CB_STATUS_NOT_DURABLE and CB_STATUS_ODD_PAGE: halted, but cb_error_text() tells what is
///                      amiss. Otherwise the page that the path leads to isn't halted: CB_STATUS_NULL_POINTER,
///                      CB_STATUS_SHARED_REFUSED (it is no page), CB_STATUS_BAD_NAME or CB_STATUS_IO (there is none, say).
///
/// Thread: any, but no hot thread, as this opens the file. Who halts more than once has cb_gate_handle_open. The owner's own
/// process has cb_halt_with.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_shared(
    path_or_name: *const c_char,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    guard(|| {
        // First, as what follows may fail. SAFETY: by the caller.
        unsafe { tell(result, CB_HALT_ENDED as cb_halt_result) };
        // SAFETY: by the caller.
        let (path, name, reason) =
            unsafe { (named_page(path_or_name)?, holder_or_login(holder)?, reason_or_none(reason)) };
        if !holder.is_null() {
            not_built_in(name)?;
        }
        // SAFETY: by the caller.
        let halter = halt(&path, name, &reason, |halted| unsafe { tell(result, halt_result(halted)) })?;
        conclude("halted", &halter, make_durable(&halter, name))
    })
}

/// Lifts a halt of a page in a file. When nobody else holds one, the owner's next poll lets the automatic state decide again, and adds
/// the event. Then the files are unlinked by which the halt outlived memory.
///
/// @param path_or_name  As for cb_halt_shared. Must not be NULL.
/// @param holder        Whose halt, as for cb_resume_as. NULL stands for the user who runs this process (USER@HOST).
/// @param reason        As for cb_resume_with.
/// @param result        As for cb_resume_with.
/// @return              CB_STATUS_OK, or CB_STATUS_NOT_DURABLE or CB_STATUS_ODD_PAGE: result says what came of it, and of the latter two
///                      cb_error_text() tells what is amiss. Otherwise nothing is resumed: as for cb_halt_shared, and
///                      CB_STATUS_SHARED_REFUSED also for a page of another version.
///
/// Thread: any, but no hot thread.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_shared(
    path_or_name: *const c_char,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    guard(|| {
        // First, as what follows may fail. SAFETY: by the caller.
        unsafe { tell(result, CB_RESUME_ENDED as cb_resume_result) };
        // SAFETY: by the caller.
        let (path, name, reason) =
            unsafe { (named_page(path_or_name)?, holder_or_login(holder)?, reason_or_none(reason)) };
        let halter = Halter::open(&path)?;
        let Some((resumed, note)) = resume(&halter, name, &reason) else {
            return Err(Failure::new(
                CB_STATUS_SHARED_REFUSED,
                format_args!("{} keeps no holders that this version can lift", path.display()),
            ));
        };
        // SAFETY: by the caller.
        unsafe { tell(result, resume_result(resumed)) };
        conclude("resumed", &halter, note.map_or(Ok(()), |note| forget(&halter, &note)))
    })
}

/// # Safety
/// `holder` is NULL or a string that ends with a zero.
unsafe fn holder_or_login(holder: *const c_char) -> Result<Holder, Failure> {
    // SAFETY: by the caller.
    if holder.is_null() { Ok(login()) } else { unsafe { holder_of(holder) } }
}

/// How often a page may be replaced by another one while it is being halted.
const TRIES: u32 = 10;

/// Halts the page that the path leads to. If the path leads to another one by then, that one is halted, too. `tell` is told what came of
/// each halt.
fn halt(path: &Path, holder: Holder, reason: &str, tell: impl Fn(Halted)) -> Result<Halter, SharedError> {
    let mut tries = 1;
    loop {
        let halter = Halter::open(path)?;
        let halted = halter.halt(holder, reason);
        tell(halted);
        if halted != Halted::Replaced || tries == TRIES {
            return Ok(halter);
        }
        tries += 1;
    }
}

fn make_durable(halter: &Halter, holder: Holder) -> io::Result<()> {
    let holders = halter.holders().ok_or_else(|| io::Error::other("its page is not one of this version"))?;
    let holds = |name: &Holder| holders.notes().iter().any(|note| note.holder == Some(*name));
    // A page keeps sixteen names. Those that came later share one.
    let name = [holder, Holder::OTHERS].into_iter().find(holds).unwrap_or(holder);
    halter.make_durable(name).map(|_| ())
}

/// Lifts the halt of a holder, and returns its note if it was lifted; `None` if the page has no holders.
fn resume(halter: &Halter, holder: Holder, reason: &str) -> Option<(Resumed, Option<HaltNote>)> {
    loop {
        let mut list = halter.holders()?;
        let is_meant = |(_, note): &(usize, &HaltNote)| note.holder == Some(holder);
        let Some((place, note)) = list.notes().iter().enumerate().find(is_meant) else {
            return Some((Resumed::NotHeld, None));
        };
        let note = note.clone();
        match halter.resume(&mut list, place, reason) {
            // Somebody else came between: the list is made anew, as this holder's halt is what was asked for.
            Resumed::Changed => {}
            resumed @ (Resumed::Done | Resumed::StillHeld | Resumed::NoOwner) => return Some((resumed, Some(note))),
            resumed => return Some((resumed, None)),
        }
    }
}

/// Where there is no folder, there is no file.
fn forget(halter: &Halter, note: &HaltNote) -> io::Result<()> {
    match halter.forget(note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        forgotten => forgotten,
    }
}

/// What is amiss, after it is done.
fn conclude(done: &str, halter: &Halter, durable: io::Result<()>) -> Result<(), Failure> {
    let amiss = |status, what: &dyn Display| Err(Failure::new(status, format_args!("{done}; but {what}")));
    let warnings = halter.warnings().join("; ");
    match durable {
        Err(error) if warnings.is_empty() => amiss(CB_STATUS_NOT_DURABLE, &format_args!("it isn't durable: {error}")),
        Err(error) => amiss(CB_STATUS_NOT_DURABLE, &format_args!("it isn't durable: {error}; and {warnings}")),
        Ok(()) if !warnings.is_empty() => amiss(CB_STATUS_ODD_PAGE, &warnings),
        Ok(()) => Ok(()),
    }
}
