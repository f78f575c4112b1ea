//! A thread that owns breakers, with health checks and listeners that C gives.

mod callbacks;
mod loan;

pub use self::callbacks::{cb_check, cb_listen};

use self::callbacks::{Check, Listener};
use self::loan::{Loan, Supervised};
use super::handle::{Listed, cb_breaker};
use super::pointers::{cleared, free, make, required, required_mut, text};
use super::standing::Standing;
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_INTERNAL, CB_STATUS_IO, CB_STATUS_NOT_NOW, CB_STATUS_OUT_OF_RANGE, Failure,
    cb_status, guard,
};
use crate::supervisor::{Supervisor, SupervisorError};
use core::ffi::{c_char, c_void};
use core::time::Duration;

/// A thread that owns breakers, so that they keep time with nobody asking. The thread takes in what lanes say, fires timers, has
/// a node checked while its breaker is half-open with CB_RECOVERY_HEALTH_CHECKS, and feeds listeners.
///
/// From cb_supervisor_start to cb_supervisor_stop the supervisor owns its breakers. Nobody else may call the functions marked
/// "Thread: owner" then, cb_destroy included. (A caller who does so all the same does no harm, and is told: see cb_breaker.)
/// Functions marked "Thread: any" go on, and gates, lanes and readers of events stay valid. After the stop, the thread that
/// stopped the supervisor owns the breakers. So a breaker's handle stays its caller's, to be destroyed in the end.
///
/// A supervisor's breakers run on the real clock. Add none that has seen virtual time.
pub struct cb_supervisor {
    interval: Duration,
    nodes: Vec<Supervised>,
    listeners: Vec<Listener>,
    /// While it runs, the nodes' breakers are lent to it.
    running: Option<Supervisor>,
}

impl cb_supervisor {
    /// What it `gives`, while it runs, of the breaker of this name. `idle` is the function that gives it otherwise.
    pub(super) fn give<T>(
        &self,
        name: &str,
        idle: &str,
        gives: impl FnOnce(&Supervisor) -> Option<T>,
    ) -> Result<T, Failure> {
        if !self.nodes.iter().any(|node| node.name == name) {
            return Err(no_breaker(name));
        }
        self.running.as_ref().and_then(gives).ok_or_else(|| {
            Failure::new(CB_STATUS_NOT_NOW, format_args!("the supervisor doesn't run: use {idle} for {name}"))
        })
    }
}

/// Makes a supervisor, which does nothing until it is started.
///
/// @param interval_ns  How often the supervisor polls its breakers. A lane's report, or the event of a halt, may wait this long.
///                     Timers that are due earlier fire earlier, and a check's result is heard at once. 1000000 (1 ms) is a
///                     good start. 0 = without a pause, which takes a whole CPU.
/// @param out          Where the supervisor goes; NULL goes there if there is an error. Must not be NULL.
/// @return             CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. Give the supervisor to cb_supervisor_destroy in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_create(interval_ns: u64, out: *mut *mut cb_supervisor) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let out = unsafe { cleared("out", out) }?;
        let interval = Duration::from_nanos(interval_ns);
        *out = make(cb_supervisor { interval, nodes: Vec::new(), listeners: Vec::new(), running: None });
        Ok(())
    })
}

/// Adds a breaker. The breaker stays the caller's until cb_supervisor_start.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        The breaker's name for checks and listeners: in UTF-8, not empty, and not another breaker's. The name is
///                    copied. Must not be NULL.
/// @param breaker     From cb_create or cb_create_shared, and not destroyed. Once the breaker is destroyed, the supervisor
///                    can't be started any more; see cb_destroy. Must not be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER, or CB_STATUS_BAD_NAME. CB_STATUS_NOT_NOW: the supervisor runs or
///                    has this breaker already, or another supervisor owns the breaker.
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_add(
    supervisor: *mut cb_supervisor,
    name: *const c_char,
    breaker: *mut cb_breaker,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (supervisor, name) = unsafe { (idle(supervisor)?, text("name", name)?) };
        // SAFETY: by the caller.
        let handle = unsafe { required("breaker", breaker) }?;
        if name.is_empty() {
            return Err((&SupervisorError::NoName).into());
        }
        for node in &supervisor.nodes {
            if node.name == name {
                return Err((&SupervisorError::SameName { breaker: name.to_owned() }).into());
            }
            if node.breaker.is(breaker) {
                return Err(Failure::new(CB_STATUS_NOT_NOW, format_args!("{name} is here already, as {}", node.name)));
            }
        }
        match handle.standing() {
            Standing::Owned => {}
            other => return Err(other.failure(name)),
        }
        // SAFETY: by the caller it came from `cb_create`; it isn't destroyed, as it is Owned.
        let breaker = unsafe { Listed::new(breaker) };
        supervisor.nodes.push(Supervised { name: name.to_owned(), breaker, check: None });
        Ok(())
    })
}

/// Has a node checked by a function of the caller's while its breaker is half-open. The check replaces an earlier one.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        The name of a breaker that was added, and that recovers by CB_RECOVERY_HEALTH_CHECKS. Must not be NULL.
/// @param every_ns    How far apart checks begin: less than the breaker's probe_timeout_ns. 0 = 100 ms, or a quarter of
///                    probe_timeout_ns if that is less.
/// @param check       See cb_check. Must not be NULL.
/// @param context     The check is called with it. May be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_BAD_NAME or CB_STATUS_NOT_NOW. (cb_supervisor_start
///                    sees whether the settings fit.)
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_check(
    supervisor: *mut cb_supervisor,
    name: *const c_char,
    every_ns: u64,
    check: cb_check,
    context: *mut c_void,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (node, check) = unsafe { (node(supervisor, name)?, Check::call(check, context)?) };
        node.check = Some((check, Duration::from_nanos(every_ns)));
        Ok(())
    })
}

/// Has a node checked while its breaker is half-open: a TCP connection must be possible. That proves that the machine is up
/// and something listens, but not that it answers. The check replaces an earlier one.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        As for cb_supervisor_check.
/// @param every_ns    As for cb_supervisor_check.
/// @param address     An address and a port in figures, as in "10.0.0.7:9000"; IPv6 in brackets. The caller resolves names:
///                    a static program couldn't do that by this library. Must not be NULL.
/// @return            As for cb_supervisor_check, and CB_STATUS_BAD_NAME also if the address isn't one.
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_check_tcp(
    supervisor: *mut cb_supervisor,
    name: *const c_char,
    every_ns: u64,
    address: *const c_char,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (node, check) = unsafe { (node(supervisor, name)?, Check::tcp(address)?) };
        node.check = Some((check, Duration::from_nanos(every_ns)));
        Ok(())
    })
}

/// Adds a listener, for all the breakers. Each listener has a thread of its own: a slow one delays nobody else.
///
/// At each start a listener begins with the oldest event that each journal still has.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param listen      See cb_listen. Must not be NULL.
/// @param context     The listener is called with it. May be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER or CB_STATUS_NOT_NOW.
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_listen(
    supervisor: *mut cb_supervisor,
    listen: cb_listen,
    context: *mut c_void,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (supervisor, listener) = unsafe { (idle(supervisor)?, Listener::new(listen, context)?) };
        supervisor.listeners.push(listener);
        Ok(())
    })
}

/// Starts a supervisor. From here on its thread owns the breakers.
///
/// @param supervisor  Must not be NULL.
/// @return            CB_STATUS_OK, or an error, which starts nothing, and leaves the breakers as they were:
///                    CB_STATUS_NULL_POINTER.
///                    CB_STATUS_NOT_NOW: the supervisor runs already or has no breaker, or one of its breakers is with another
///                    supervisor or was destroyed.
///                    CB_STATUS_OUT_OF_RANGE: a breaker with a check recovers by trials, or its checks are too far apart.
///                    CB_STATUS_IO: the operating system gave no thread.
///                    CB_STATUS_INTERNAL: a mistake in this library. After this error alone the breakers refuse, and all
///                    that their owner may do with them is to destroy them.
///
/// Thread: the owner of all its breakers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_start(supervisor: *mut cb_supervisor) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { idle(supervisor) }?;
        // Callbacks may not be called any more once it is stopped, however long they take.
        let mut builder = Supervisor::builder().interval(supervisor.interval).stop_timeout(Duration::MAX);
        for &listener in &supervisor.listeners {
            builder = builder.listener(move |name, notice| listener.tell(name, notice));
        }
        // SAFETY: by the caller, who owns all its breakers.
        let (loan, breakers) = unsafe { Loan::take_out(&supervisor.nodes) }?;
        for (node, breaker) in supervisor.nodes.iter().zip(breakers) {
            builder = builder.node(node.supervise(breaker));
        }
        match builder.start() {
            Ok(running) => {
                supervisor.running = Some(running);
                loan.goes_on();
                Ok(())
            }
            Err(error) => {
                let failure = Failure::from(error.error());
                // SAFETY: they were lent right here, and come back in order.
                unsafe { loan.take_back(error.into_breakers().into_iter().map(|(_, breaker)| breaker)) };
                Err(failure)
            }
        }
    })
}

/// Stops a supervisor. The supervisor takes in what lanes said before, and tells listeners what came of that. Then this function
/// waits for the listeners, and for a check that is under way, however long they take. When it returns, no callback runs any
/// more, and the caller is the breakers' owner. At that moment no other thread may be calling a function marked "Thread: owner",
/// as that thread would not be the owner. The supervisor may be started again.
///
/// Nobody judges calls meanwhile, so stop trading first.
///
/// @param supervisor  Must not be NULL. If the supervisor doesn't run, nothing happens.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER. CB_STATUS_INTERNAL: the supervisor's thread died of a mistake in
///                    this library. Then its breakers refuse, and all that the owner may do with them is to destroy them.
///
/// Thread: any, one at a time; none of its callbacks.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_stop(supervisor: *mut cb_supervisor) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { required_mut("supervisor", supervisor) }?;
        let Some(running) = supervisor.running.take() else { return Ok(()) };
        let loan = Loan::at_its_end(&supervisor.nodes);
        let breakers = running.stop();
        if breakers.len() != supervisor.nodes.len() {
            return Err(Failure::new(CB_STATUS_INTERNAL, format_args!("the supervisor's thread panicked")));
        }
        // SAFETY: they were lent at the start, and come back in order.
        unsafe { loan.take_back(breakers.into_iter().map(|(_, breaker)| breaker)) };
        Ok(())
    })
}

/// Stops a supervisor if it runs, as cb_supervisor_stop does, and ends it. The breakers stay, and are the caller's.
///
/// @param supervisor  From cb_supervisor_create, and not destroyed before. NULL is fine: nothing happens.
///
/// Thread: any, when no other thread uses the supervisor any more; none of its callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_destroy(supervisor: *mut cb_supervisor) {
    // SAFETY: by the caller. A stop that finds a mistake has nobody to tell.
    _ = unsafe { cb_supervisor_stop(supervisor) };
    // SAFETY: by the caller.
    unsafe { free(supervisor) };
}

/// # Safety
/// `supervisor` is NULL or from `cb_supervisor_create`, and nobody else uses it.
unsafe fn idle<'a>(supervisor: *mut cb_supervisor) -> Result<&'a mut cb_supervisor, Failure> {
    // SAFETY: by the caller.
    let supervisor = unsafe { required_mut("supervisor", supervisor) }?;
    if supervisor.running.is_some() {
        return Err(Failure::new(CB_STATUS_NOT_NOW, format_args!("the supervisor runs")));
    }
    Ok(supervisor)
}

/// # Safety
/// As [`idle`] and [`text`].
unsafe fn node<'a>(supervisor: *mut cb_supervisor, name: *const c_char) -> Result<&'a mut Supervised, Failure> {
    // SAFETY: by the caller.
    let (supervisor, name) = unsafe { (idle(supervisor)?, text("name", name)?) };
    let node = supervisor.nodes.iter_mut().find(|node| node.name == name);
    node.ok_or_else(|| no_breaker(name))
}

fn no_breaker(name: &str) -> Failure {
    Failure::new(CB_STATUS_BAD_NAME, format_args!("no breaker has the name {name:?}"))
}

impl From<&SupervisorError> for Failure {
    fn from(error: &SupervisorError) -> Self {
        let status = match error {
            SupervisorError::NoBreakers => CB_STATUS_NOT_NOW,
            SupervisorError::NoName | SupervisorError::SameName { .. } => CB_STATUS_BAD_NAME,
            SupervisorError::NeverChecked { .. } | SupervisorError::CheckEvery { .. } => CB_STATUS_OUT_OF_RANGE,
            SupervisorError::Thread(_) => CB_STATUS_IO,
        };
        Self::new(status, format_args!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::{
        CB_STATUS_OK, cb_allow, cb_begin, cb_create, cb_destroy, cb_end, cb_error_text, cb_gate_of, cb_lane,
        cb_lane_allow, cb_lane_close, cb_lane_open, cb_reconfigure, cb_record,
    };
    use core::ffi::CStr;
    use core::ptr;

    fn create() -> *mut cb_breaker {
        let mut breaker = ptr::null_mut();
        // SAFETY: NULL is the defaults, and the pointer is there to be written.
        assert_eq!(unsafe { cb_create(ptr::null(), &raw mut breaker) }, CB_STATUS_OK as u32);
        breaker
    }

    /// The first breaker has been lent, and made a node of; the second has been lent.
    #[test]
    fn a_start_that_panics_half_way_leaves_handles_that_refuse() {
        let breakers = [create(), create()];
        let mut supervisor = ptr::null_mut();
        let mut lane: *mut cb_lane = ptr::null_mut();
        // SAFETY: all from this API, each used by this thread alone, and destroyed once.
        unsafe {
            assert_eq!(cb_supervisor_create(0, &raw mut supervisor), CB_STATUS_OK as u32);
            for (name, breaker) in [c"good", c"bad"].into_iter().zip(breakers) {
                assert_eq!(cb_supervisor_add(supervisor, name.as_ptr(), breaker), CB_STATUS_OK as u32);
            }
            assert_eq!(cb_lane_open(breakers[0], 0, &raw mut lane), CB_STATUS_OK as u32);
            (&mut *supervisor).nodes[1].check = Some((Check::Panics, Duration::ZERO));
            assert_eq!(cb_supervisor_start(supervisor), CB_STATUS_INTERNAL as u32);

            for breaker in breakers {
                assert!(!cb_allow(breaker));
                cb_end(breaker, cb_begin(breaker));
                cb_record(breaker, u64::MAX >> 1);
                assert!(!cb_gate_of(breaker).is_null());
                let config = crate::ffi::cb_config::from_config(&crate::config::Config::default());
                assert_eq!(cb_reconfigure(breaker, &raw const config), CB_STATUS_NOT_NOW as u32);
            }
            assert!(!cb_lane_allow(lane), "nobody judges any more");
            assert_eq!(cb_supervisor_stop(supervisor), CB_STATUS_OK as u32); // it doesn't run
            assert_eq!(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW as u32);
            let text = CStr::from_ptr(cb_error_text()).to_str().unwrap();
            assert_eq!(text, "good went down with a supervisor that panicked: destroy it, and create another");
            cb_destroy(breakers[0]);
            assert_eq!(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW as u32);
            cb_supervisor_destroy(supervisor);
            cb_destroy(breakers[1]);
            cb_lane_close(lane);
        }
    }
}
