//! Halts and resumes: in whose name, and what came of them. Any thread may do both.

use super::halt_results::{
    CB_HALT_ENDED, CB_RESUME_ENDED, cb_halt_result, cb_resume_result, halt_result, resume_result,
};
use super::handle::cb_breaker;
use super::pointers::{not_null, reason_or_none, text};
use super::status::{CB_STATUS_BAD_NAME, Failure, cb_status, guard};
use crate::handles::Gate;
use crate::holder::Holder;
use core::ffi::c_char;
use core::ptr;

/// What is done to a gate.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    Halt,
    Resume,
}

impl Deed {
    /// Nothing was done.
    const fn in_vain(self) -> u32 {
        match self {
            Self::Halt => CB_HALT_ENDED as u32,
            Self::Resume => CB_RESUME_ENDED as u32,
        }
    }

    fn run(self, gate: &Gate, holder: Holder, reason: &str) -> u32 {
        match self {
            Self::Halt => halt_result(gate.halt_as(holder, reason)),
            Self::Resume => resume_result(gate.resume_as(holder, reason)),
        }
    }

    /// Whether this may be done in this name: anybody's halt may be lifted, but nobody halts in one of trip99's own names. `engine` is
    /// for handles that a breaker gave.
    fn check(self, gate: &Gate, holder: Holder) -> Result<(), Failure> {
        let is_engines = holder == Holder::ENGINE && gate.holder() == Holder::ENGINE;
        match self {
            Self::Halt if !is_engines => not_built_in(holder),
            _ => Ok(()),
        }
    }
}

/// Nobody halts in one of trip99's own names.
pub(super) fn not_built_in(holder: Holder) -> Result<(), Failure> {
    if holder.is_built_in() {
        Err(Failure::new(
            CB_STATUS_BAD_NAME,
            format_args!("holder {holder} is a name of trip99's own; legal: engine.NAME, or a name of your own"),
        ))
    } else {
        Ok(())
    }
}

/// Tells what came of it, if the caller wants to know.
///
/// # Safety
/// `result` is NULL or may be written.
pub(super) unsafe fn tell(result: *mut u32, value: u32) {
    if !result.is_null() {
        // SAFETY: by the caller.
        unsafe { result.write(value) };
    }
}

/// In the gate's own name. No gate: nothing is done.
///
/// # Safety
/// `reason` is NULL or a string that ends with a zero; `result` is NULL or may be written.
pub(super) unsafe fn act(deed: Deed, gate: Option<&Gate>, reason: *const c_char, result: *mut u32) {
    // SAFETY: by the caller.
    let value = gate.map(|gate| deed.run(gate, gate.holder(), &unsafe { reason_or_none(reason) }));
    // SAFETY: by the caller.
    unsafe { tell(result, value.unwrap_or(deed.in_vain())) };
}

/// In a holder's name. `argument` is what an error calls the gate.
///
/// # Safety
/// `holder` and `reason` are NULL or strings that end with a zero; `result` is NULL or may be written.
pub(super) unsafe fn act_as(
    deed: Deed,
    gate: Option<&Gate>,
    argument: &str,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut u32,
) -> Result<(), Failure> {
    // First, as what follows may fail. SAFETY: by the caller.
    unsafe { tell(result, deed.in_vain()) };
    let gate = gate.ok_or_else(|| Failure::null(argument))?;
    // SAFETY: by the caller.
    let holder = unsafe { holder_of(holder) }?;
    deed.check(gate, holder)?;
    // SAFETY: by the caller.
    unsafe { tell(result, deed.run(gate, holder, &reason_or_none(reason))) };
    Ok(())
}

/// A name that must not be NULL.
///
/// # Safety
/// `holder` is NULL or a string that ends with a zero.
pub(super) unsafe fn holder_of(holder: *const c_char) -> Result<Holder, Failure> {
    not_null("holder", holder)?;
    // SAFETY: by the caller.
    let name = unsafe { text("holder", holder) }?;
    Holder::parse(name).ok_or_else(|| {
        let most = Holder::MAX_BYTES;
        Failure::new(
            CB_STATUS_BAD_NAME,
            format_args!("holder is {name:?}; legal: 1 to {most} of letters, digits and ._@:+-"),
        )
    })
}

/// Halts trading: the breaker refuses every call until the halt is lifted, whatever its automatic state. The gate is shut when this
/// function returns. The owner's next cb_poll (or refused cb_allow) adds the event.
///
/// The halt is the engine's own: its holder is "engine". Each holder has a halt of its own, and cb_resume lifts this one alone.
/// Threads that halt for reasons of their own have names of their own: see cb_halt_as.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    unsafe { cb_halt_with(breaker, ptr::null(), ptr::null_mut()) };
}

/// Halts trading, as cb_halt does, says why, and tells what came of it.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param reason   Why, for people, in UTF-8. What isn't UTF-8 is replaced. 216 bytes of it are kept (cb_get_holders,
///                 cb_get_halt_note, cb_log_entry). NULL and "" give no reason.
/// @param result   Where a cb_halt_result_value goes. NULL is fine.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_with(breaker: *mut cb_breaker, reason: *const c_char, result: *mut cb_halt_result) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Halt, cb_breaker::gate(breaker), reason, result) };
}

/// Halts trading in the name of this holder, which has a halt of its own. So a part of the engine halts and resumes for itself:
/// "engine.risk", say. The page keeps 16 names for its life; those that come later share one halt, of the holder "others".
///
/// @param breaker  Must not be NULL.
/// @param holder   1 to 32 of letters, digits and ._@:+-. It must be none of trip99's own names but "engine": start, latch,
///                 damage, drill, fleet, fleet-lease, others. Must not be NULL.
/// @param reason   As for cb_halt_with.
/// @param result   As for cb_halt_with.
/// @return         CB_STATUS_OK, or CB_STATUS_NULL_POINTER or CB_STATUS_BAD_NAME. Unless it is CB_STATUS_OK nothing is halted.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_as(
    breaker: *mut cb_breaker,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Halt, cb_breaker::gate(breaker), "breaker", holder, reason, result) })
}

/// Lifts the engine's own halt, which cb_halt set. When nobody else holds a halt, the owner's next cb_poll (or cb_allow) lets the
/// automatic state decide again, which went on meanwhile, and adds the event.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    unsafe { cb_resume_with(breaker, ptr::null(), ptr::null_mut()) };
}

/// Lifts the engine's own halt, as cb_resume does, says why, and tells what came of it.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param reason   As for cb_halt_with. The operators' log keeps it (cb_log_entry).
/// @param result   Where a cb_resume_result_value goes. NULL is fine.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_with(
    breaker: *mut cb_breaker,
    reason: *const c_char,
    result: *mut cb_resume_result,
) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Resume, cb_breaker::gate(breaker), reason, result) };
}

/// Lifts the halt of this holder, whoever set it: cb_get_holders tells the names.
///
/// @param breaker  Must not be NULL.
/// @param holder   As for cb_halt_as, or any of trip99's own names. Must not be NULL.
/// @param reason   As for cb_resume_with.
/// @param result   As for cb_resume_with.
/// @return         As for cb_halt_as. Unless it is CB_STATUS_OK nothing is resumed.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_as(
    breaker: *mut cb_breaker,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Resume, cb_breaker::gate(breaker), "breaker", holder, reason, result) })
}

// At a given time. What any thread may do comes first, so that a halt isn't lost, whoever owns the breaker.

/// The owner adds the events of what was done. Nothing is done here while a supervisor owns the breaker.
///
/// # Safety
/// The caller is the owner.
unsafe fn note_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_if_there(breaker) } {
        owner.note_halts_at(now_ns);
    }
}

/// cb_halt at a given time. It adds the event at once, and fires no timers. While a supervisor owns the breaker, this does what
/// cb_halt does: a halt is never lost, and its event comes with the supervisor's next poll.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_halt_with_at(breaker, now_ns, ptr::null(), ptr::null_mut()) };
}

/// cb_halt_with at a given time, as cb_halt_at is cb_halt.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_halt_with.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_with_at(
    breaker: *mut cb_breaker,
    now_ns: u64,
    reason: *const c_char,
    result: *mut cb_halt_result,
) {
    // SAFETY: by the caller.
    unsafe {
        cb_halt_with(breaker, reason, result);
        note_at(breaker, now_ns);
    }
}

/// cb_halt_as at a given time, as cb_halt_at is cb_halt.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_halt_as.
/// @return        As for cb_halt_as.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_as_at(
    breaker: *mut cb_breaker,
    now_ns: u64,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    // SAFETY: by the caller.
    unsafe {
        let status = cb_halt_as(breaker, holder, reason, result);
        note_at(breaker, now_ns);
        status
    }
}

/// cb_resume at a given time. The automatic state decides again at once, if nobody else holds a halt. It adds the event at once, and
/// fires no timers. While a supervisor owns the breaker, this does what cb_resume does.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_resume_with_at(breaker, now_ns, ptr::null(), ptr::null_mut()) };
}

/// cb_resume_with at a given time, as cb_resume_at is cb_resume.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_resume_with.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_with_at(
    breaker: *mut cb_breaker,
    now_ns: u64,
    reason: *const c_char,
    result: *mut cb_resume_result,
) {
    // SAFETY: by the caller.
    unsafe {
        cb_resume_with(breaker, reason, result);
        note_at(breaker, now_ns);
    }
}

/// cb_resume_as at a given time, as cb_resume_at is cb_resume.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_resume_as.
/// @return        As for cb_resume_as.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_as_at(
    breaker: *mut cb_breaker,
    now_ns: u64,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    // SAFETY: by the caller.
    unsafe {
        let status = cb_resume_as(breaker, holder, reason, result);
        note_at(breaker, now_ns);
        status
    }
}
