//! A thread that owns breakers, with health checks and listeners that C gives.

use super::breaker::cb_breaker;
use super::events::cb_event;
use super::handle::{Listed, Standing};
use super::lane::{capacity_or_default, cb_lane, hand_out_lane};
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_INTERNAL, CB_STATUS_IO, CB_STATUS_NOT_NOW, CB_STATUS_OUT_OF_RANGE, Failure,
    cb_status, guard, text,
};
use crate::breaker::Breaker;
use crate::config::to_ns;
use crate::supervisor::{CheckError, Node, Notice, Supervisor, SupervisorError, TcpConnect};
use core::ffi::{c_char, c_void};
use core::ptr;
use core::time::Duration;
use std::ffi::CString;
use std::net::SocketAddr;

/// Asks a node, once, whether it is well; how long that takes is judged like the latency of a trial. It may block, but
/// should give up after timeout_ns, the breaker's probe_timeout_ns: what comes later than that is ignored, and no other
/// check of this breaker begins before this one returns. False: the node isn't well, and the breaker opens again.
///
/// Called on a thread of the supervisor's, the same each time, so the context must be fit for another thread. It must
/// return: no exception and no longjmp may leave it. Nor may it stop or destroy its supervisor, which waits for it.
pub type cb_check = Option<unsafe extern "C" fn(context: *mut c_void, timeout_ns: u64) -> bool>;

/// Is told each event of each breaker of a supervisor, in order for each. The event is valid during the call. It is NULL if
/// events were overwritten before this listener came to them; then `missed`, otherwise 0, says how many.
///
/// Called on a thread of its own, the same each time: as for cb_check.
pub type cb_listen =
    Option<unsafe extern "C" fn(context: *mut c_void, name: *const c_char, event: *const cb_event, missed: u64)>;

/// A thread that owns breakers, so that they keep time with nobody asking: it takes in what lanes say, fires timers, has a
/// node checked while its breaker is half-open with CB_RECOVERY_HEALTH_CHECKS, and feeds listeners.
///
/// From cb_supervisor_start to cb_supervisor_stop it is the owner of its breakers: nobody else may call what says "Thread:
/// owner", cb_destroy included. (Who does all the same does no harm, and is told: see cb_breaker.) What says "Thread: any" goes
/// on, and gates, lanes and readers of events stay valid. After the stop the thread that stopped it is the owner. So a
/// breaker's handle stays its caller's, to be destroyed in the end.
///
/// Breakers here run on the real clock: add none that has seen virtual time.
pub struct cb_supervisor {
    interval: Duration,
    nodes: Vec<Supervised>,
    listeners: Vec<(unsafe extern "C" fn(*mut c_void, *const c_char, *const cb_event, u64), Context)>,
    /// While it runs, the nodes' breakers are lent to it.
    running: Option<Supervisor>,
}

struct Supervised {
    name: String,
    breaker: Listed,
    check: Option<(Check, Duration)>,
}

#[derive(Clone)]
enum Check {
    Call(unsafe extern "C" fn(*mut c_void, u64) -> bool, Context),
    Tcp(TcpConnect),
    #[cfg(test)]
    Panics,
}

/// The caller's own, who promises that another thread may have it.
#[derive(Clone, Copy)]
struct Context(*mut c_void);

// SAFETY: by contract of the functions that take one.
unsafe impl Send for Context {}

impl Context {
    fn get(self) -> *mut c_void {
        self.0
    }
}

/// Makes a supervisor, which does nothing until it is started.
///
/// @param interval_ns  How often it polls its breakers. So long a lane's report or the event of a halt may wait; timers that are
///                     due earlier fire earlier, and a check's result is heard at once. 0 = without a pause: takes a whole CPU. 1000000
///                     (1 ms) is a good start.
/// @param out          Where the supervisor goes. Must not be NULL.
/// @return             CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. The supervisor is to be given to cb_supervisor_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_create(interval_ns: u64, out: *mut *mut cb_supervisor) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        let interval = Duration::from_nanos(interval_ns);
        let supervisor = cb_supervisor { interval, nodes: Vec::new(), listeners: Vec::new(), running: None };
        // SAFETY: by the caller.
        unsafe { out.write(Box::into_raw(Box::new(supervisor))) };
        Ok(())
    })
}

/// Adds a breaker. It stays the caller's until cb_supervisor_start.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        For checks and listeners: in UTF-8, not empty, and another for each. Must not be NULL. It is copied.
/// @param breaker     From cb_create or cb_create_shared, and not destroyed. The supervisor can't be started any more once it
///                    is; see cb_destroy. Must not be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_BAD_NAME, or CB_STATUS_NOT_NOW: the supervisor
///                    runs, or has this breaker, or another supervisor owns it.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_add(
    supervisor: *mut cb_supervisor,
    name: *const c_char,
    breaker: *mut cb_breaker,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { idle(supervisor) }?;
        // SAFETY: by the caller.
        let name = unsafe { text("name", name) }?;
        if breaker.is_null() {
            return Err(Failure::null("breaker"));
        }
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
        // SAFETY: by the caller.
        match unsafe { cb_breaker::standing_of(breaker) } {
            Standing::Owned => {}
            other => return Err(other.failure(name)),
        }
        // SAFETY: by the caller.
        let breaker = unsafe { Listed::new(breaker) };
        supervisor.nodes.push(Supervised { name: name.to_owned(), breaker, check: None });
        Ok(())
    })
}

/// Has a node checked while its breaker is half-open: by a function of the caller's. Replaces the check that it had.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        That of a breaker that was added, and that recovers by CB_RECOVERY_HEALTH_CHECKS. Must not be NULL.
/// @param every_ns    How far apart checks begin: less than the breaker's probe_timeout_ns. 0 = 100 ms, or a quarter of
///                    probe_timeout_ns if that is less.
/// @param check       See cb_check. Must not be NULL.
/// @param context     Is handed to it. May be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_BAD_NAME or CB_STATUS_NOT_NOW. (Whether the settings
///                    fit is for cb_supervisor_start to see.)
///
/// Thread: any, one at a time.
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
        let node = unsafe { idle(supervisor).and_then(|supervisor| node(supervisor, name)) }?;
        let check = check.ok_or_else(|| Failure::null("check"))?;
        node.check = Some((Check::Call(check, Context(context)), Duration::from_nanos(every_ns)));
        Ok(())
    })
}

/// Has a node checked while its breaker is half-open: that a TCP connection can be made. That proves that the machine is up
/// and something listens, not that it answers. Replaces the check that the node had.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param name        As for cb_supervisor_check.
/// @param every_ns    As for cb_supervisor_check.
/// @param address     As in "10.0.0.7:9000"; IPv6 in brackets. Names are for the caller to resolve: a static program couldn't
///                    use what does that here. Must not be NULL.
/// @return            As cb_supervisor_check, and CB_STATUS_BAD_NAME also if the address isn't one.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_check_tcp(
    supervisor: *mut cb_supervisor,
    name: *const c_char,
    every_ns: u64,
    address: *const c_char,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let node = unsafe { idle(supervisor).and_then(|supervisor| node(supervisor, name)) }?;
        // SAFETY: by the caller.
        let address = unsafe { text("address", address) }?;
        let no_address =
            || Failure::new(CB_STATUS_BAD_NAME, format_args!("{address:?} is no address and port in figures"));
        // Without names: `getaddrinfo` isn't for programs that are static altogether, and linkers warn of it.
        let tcp =
            address.parse::<SocketAddr>().map(TcpConnect::new).map_err(|_| no_address())?.map_err(|_| no_address())?;
        node.check = Some((Check::Tcp(tcp), Duration::from_nanos(every_ns)));
        Ok(())
    })
}

/// Adds a listener, for all the breakers. Each has a thread of its own: a slow one delays nobody else.
///
/// At each start it begins with the oldest event that each journal still has.
///
/// @param supervisor  Must not be NULL, nor run.
/// @param listen      See cb_listen. Must not be NULL.
/// @param context     Is handed to it. May be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER or CB_STATUS_NOT_NOW.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_listen(
    supervisor: *mut cb_supervisor,
    listen: cb_listen,
    context: *mut c_void,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { idle(supervisor) }?;
        supervisor.listeners.push((listen.ok_or_else(|| Failure::null("listen"))?, Context(context)));
        Ok(())
    })
}

/// Starts: from here on the supervisor's thread owns the breakers.
///
/// @param supervisor  Must not be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER; CB_STATUS_NOT_NOW: it runs, has no breaker, or one of them is
///                    with another supervisor or was destroyed; CB_STATUS_OUT_OF_RANGE: a breaker with a check recovers by
///                    trials, or its checks are too far apart; CB_STATUS_IO: no thread. Then it doesn't run, and the
///                    breakers are as they were. CB_STATUS_INTERNAL: a mistake in this library. Then it doesn't run, and the
///                    breakers refuse; all that their owner may do with them is to destroy them.
///
/// Thread: the owner of all its breakers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_start(supervisor: *mut cb_supervisor) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { idle(supervisor) }?;
        // Callbacks may not be called any more once it is stopped, however long they take.
        let mut builder = Supervisor::builder().interval(supervisor.interval).stop_timeout(Duration::MAX);
        for &(listen, context) in &supervisor.listeners {
            // SAFETY: by the caller, who gave both.
            builder = builder.listener(move |name, notice| unsafe { tell(listen, context, name, notice) });
        }
        let mut lent = Vec::with_capacity(supervisor.nodes.len());
        let mut loan = Loan(&[]);
        for (index, node) in supervisor.nodes.iter().enumerate() {
            // SAFETY: by the caller.
            match unsafe { node.breaker.lend() } {
                Ok(breaker) => {
                    loan.0 = supervisor.nodes.get(..=index).unwrap_or_default();
                    lent.push(breaker);
                }
                Err(standing) => {
                    // SAFETY: these were lent right here.
                    unsafe { loan.take_back(lent) };
                    return Err(match standing {
                        Standing::Lent | Standing::LentAndDestroyed => {
                            Failure::new(CB_STATUS_NOT_NOW, format_args!("{} is with another supervisor", node.name))
                        }
                        other => other.failure(&node.name),
                    });
                }
            }
        }
        for (node, breaker) in supervisor.nodes.iter().zip(lent) {
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

/// Opens a lane of a breaker that the supervisor owns, for another thread. The owner hears it from its next poll on, and
/// allocates nothing for it. (Of a breaker that no supervisor owns, cb_lane_open opens lanes.)
///
/// @param supervisor  Must not be NULL.
/// @param name        That of a breaker that was added. Must not be NULL.
/// @param capacity    As for cb_lane_open. 0 = 4096.
/// @param out         Where the lane goes; NULL goes there if there is an error. Must not be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER; CB_STATUS_BAD_NAME: no breaker has this name;
///                    CB_STATUS_NOT_NOW: the supervisor doesn't run.
///
/// Thread: any, while no other one starts, stops, changes or destroys the supervisor. The lane is to be given to
/// cb_lane_close, before or after the supervisor or the breaker is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_lane(
    supervisor: *const cb_supervisor,
    name: *const c_char,
    capacity: u32,
    out: *mut *mut cb_lane,
) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: by the caller.
        let supervisor = unsafe { supervisor.as_ref() }.ok_or_else(|| Failure::null("supervisor"))?;
        // SAFETY: by the caller.
        let name = unsafe { text("name", name) }?;
        if !supervisor.nodes.iter().any(|node| node.name == name) {
            return Err(no_breaker(name));
        }
        let lane = supervisor
            .running
            .as_ref()
            .and_then(|running| running.lane_with_capacity(name, capacity_or_default(capacity)));
        let lane = lane.ok_or_else(|| {
            Failure::new(
                CB_STATUS_NOT_NOW,
                format_args!("the supervisor doesn't run: open a lane of {name} by cb_lane_open"),
            )
        })?;
        // SAFETY: by the caller.
        unsafe { hand_out_lane(lane, out) };
        Ok(())
    })
}

/// Stops: takes in what lanes said before, tells listeners what came of it, and waits for them and for a check that is under
/// way, however long they take. When this returns, no callback runs any more, and the caller is the breakers' owner. It may
/// be started again. No other thread may be calling what says "Thread: owner" at that moment: it would not be the owner.
///
/// Nobody judges calls meanwhile: stop trading first.
///
/// @param supervisor  Must not be NULL. If it doesn't run, nothing happens.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER; CB_STATUS_INTERNAL: its thread died of a mistake in this
///                    library. Then its breakers refuse, and all that the owner may do with them is to destroy them.
///
/// Thread: any, one at a time; none of its callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_stop(supervisor: *mut cb_supervisor) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let supervisor = unsafe { supervisor.as_mut() }.ok_or_else(|| Failure::null("supervisor"))?;
        let Some(running) = supervisor.running.take() else { return Ok(()) };
        let loan = Loan(&supervisor.nodes);
        let breakers = running.stop();
        if breakers.len() != supervisor.nodes.len() {
            return Err(Failure::new(CB_STATUS_INTERNAL, format_args!("the supervisor's thread panicked")));
        }
        // SAFETY: they were lent at the start, and come back in order.
        unsafe { loan.take_back(breakers.into_iter().map(|(_, breaker)| breaker)) };
        Ok(())
    })
}

/// Stops a supervisor if it runs, as cb_supervisor_stop does, and ends it. Its breakers stay, and are the caller's.
///
/// @param supervisor  From cb_supervisor_create, and not destroyed before. NULL is fine.
///
/// Thread: any, when no other thread uses it any more; none of its callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_destroy(supervisor: *mut cb_supervisor) {
    if !supervisor.is_null() {
        // SAFETY: by the caller.
        unsafe { cb_supervisor_stop(supervisor) };
        // SAFETY: by the caller.
        drop(unsafe { Box::from_raw(supervisor) });
    }
}

/// # Safety
/// `supervisor` is NULL or from `cb_supervisor_create`, and nobody else uses it.
unsafe fn idle<'a>(supervisor: *mut cb_supervisor) -> Result<&'a mut cb_supervisor, Failure> {
    // SAFETY: by the caller.
    let supervisor = unsafe { supervisor.as_mut() }.ok_or_else(|| Failure::null("supervisor"))?;
    if supervisor.running.is_some() {
        return Err(Failure::new(CB_STATUS_NOT_NOW, format_args!("the supervisor runs")));
    }
    Ok(supervisor)
}

/// # Safety
/// As [`text`].
unsafe fn node(supervisor: &mut cb_supervisor, name: *const c_char) -> Result<&mut Supervised, Failure> {
    // SAFETY: by the caller.
    let name = unsafe { text("name", name) }?;
    let node = supervisor.nodes.iter_mut().find(|node| node.name == name);
    node.ok_or_else(|| no_breaker(name))
}

fn no_breaker(name: &str) -> Failure {
    Failure::new(CB_STATUS_BAD_NAME, format_args!("no breaker has the name {name:?}"))
}

/// What these nodes lent, on its way. If it ends here, by a panic, the breakers are gone, and their handles refuse.
struct Loan<'a>(&'a [Supervised]);

impl Loan<'_> {
    /// # Safety
    /// These are the nodes' breakers, in order, as they were lent.
    unsafe fn take_back(mut self, breakers: impl IntoIterator<Item = Breaker>) {
        for breaker in breakers {
            let Some((node, rest)) = self.0.split_first() else { break };
            // SAFETY: by the caller.
            unsafe { node.breaker.take_back(breaker) };
            self.0 = rest;
        }
    }

    /// A supervisor has the breakers.
    fn goes_on(mut self) {
        self.0 = &[];
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|node| node.breaker.lose());
    }
}

impl Supervised {
    fn supervise(&self, breaker: Breaker) -> Node {
        let node = Node::new(self.name.as_str(), breaker);
        let Some((check, every)) = &self.check else { return node };
        let node = if every.is_zero() { node } else { node.check_every(*every) };
        match check.clone() {
            #[cfg(test)]
            Check::Panics => panic!("half-way"),
            Check::Tcp(tcp) => node.health_check(tcp),
            Check::Call(check, context) => node.health_check(move |timeout: Duration| -> Result<(), CheckError> {
                // SAFETY: by the caller of `cb_supervisor_check`, who gave both.
                if unsafe { check(context.get(), to_ns(timeout)) } { Ok(()) } else { Err("the check says no".into()) }
            }),
        }
    }
}

/// # Safety
/// `listen` may be called with the context.
unsafe fn tell(
    listen: unsafe extern "C" fn(*mut c_void, *const c_char, *const cb_event, u64),
    context: Context,
    name: &str,
    notice: Notice,
) {
    // It came from C, so it has no zero within.
    let name = CString::new(name).unwrap_or_default();
    match notice {
        Notice::Event(event) => {
            let event = cb_event::from(event);
            // SAFETY: by the caller.
            unsafe { listen(context.get(), name.as_ptr(), &raw const event, 0) };
        }
        Notice::Missed(count) => {
            // SAFETY: by the caller.
            unsafe { listen(context.get(), name.as_ptr(), ptr::null(), count) };
        }
    }
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
            cb_supervisor_create(0, &raw mut supervisor);
            for (name, breaker) in [c"good", c"bad"].into_iter().zip(breakers) {
                assert_eq!(cb_supervisor_add(supervisor, name.as_ptr(), breaker), CB_STATUS_OK as u32);
            }
            assert_eq!(cb_lane_open(breakers[0], 0, &raw mut lane), CB_STATUS_OK as u32);
            (&mut *supervisor).nodes[1].check = Some((Check::Panics, Duration::ZERO));
            assert_eq!(cb_supervisor_start(supervisor), CB_STATUS_INTERNAL as u32);

            for breaker in breakers {
                assert!(!cb_allow(breaker));
                cb_end(breaker, cb_begin(breaker));
                cb_record(breaker, u64::MAX);
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
