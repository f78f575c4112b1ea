//! The warden, which watches the breakers of a process.

/// Turns the warden of this process off, for breakers, gates, lanes and pages that come after this call. The warden is a thread of this
/// library. Without it nobody finds that an owner is silent but lanes that send orders; nobody finds that a page was removed under a
/// running engine; and the engine's own halts don't outlive memory. (The field warden of cb_shared_options does the same for one page.)
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_warden_disable() {
    crate::warden::disable();
}
