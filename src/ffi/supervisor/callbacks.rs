//! What C gives a supervisor to call: checks and listeners.

use crate::config::to_ns;
use crate::ffi::events::cb_event;
use crate::ffi::pointers::text;
use crate::ffi::status::{CB_STATUS_BAD_NAME, Failure};
use crate::supervisor::{CheckError, Node, Notice, TcpConnect};
use core::ffi::{c_char, c_void};
use core::ptr;
use core::time::Duration;
use std::ffi::CString;
use std::net::SocketAddr;

/// Asks a node, once, whether it is well. The time that the check takes is judged like the latency of a trial. The check may
/// block. It should give up after timeout_ns, which is the breaker's probe_timeout_ns: a later result is ignored, and no other
/// check of this breaker begins before this one returns. False: the node isn't well, and the breaker opens again.
///
/// The check is called on a thread of the supervisor's, the same each time. So the context must be fit for another thread. The
/// check must return: no exception and no longjmp may leave it. It must not stop or destroy its supervisor, which waits for it.
pub type cb_check = Option<unsafe extern "C" fn(context: *mut c_void, timeout_ns: u64) -> bool>;

/// Is told each event of each breaker of a supervisor. The events of one breaker come in order. The event is valid during the
/// call. If events were overwritten before this listener came to them, `event` is NULL, and `missed` tells how many they were.
/// Otherwise `missed` is 0.
///
/// The listener is called on a thread of its own, the same each time. Its context must be fit for that thread. It must return
/// as a cb_check does, and must not stop or destroy its supervisor either.
pub type cb_listen =
    Option<unsafe extern "C" fn(context: *mut c_void, name: *const c_char, event: *const cb_event, missed: u64)>;

/// The caller's own.
#[derive(Clone, Copy)]
struct Context(*mut c_void);

// SAFETY: whoever makes a check or a listener of it promises that another thread may have it.
unsafe impl Send for Context {}

impl Context {
    fn get(self) -> *mut c_void {
        self.0
    }
}

#[derive(Clone)]
pub(super) enum Check {
    Call(Call),
    Tcp(TcpConnect),
    #[cfg(test)]
    Panics,
}

#[derive(Clone, Copy)]
pub(super) struct Call {
    check: unsafe extern "C" fn(*mut c_void, u64) -> bool,
    context: Context,
}

impl Check {
    /// # Safety
    /// Another thread may call `check` with `context`, as long as the supervisor runs.
    pub(super) unsafe fn call(check: cb_check, context: *mut c_void) -> Result<Self, Failure> {
        let check = check.ok_or_else(|| Failure::null("check"))?;
        Ok(Self::Call(Call { check, context: Context(context) }))
    }

    /// # Safety
    /// As [`text`].
    pub(super) unsafe fn tcp(address: *const c_char) -> Result<Self, Failure> {
        // SAFETY: by the caller.
        let address = unsafe { text("address", address) }?;
        // Without names: `getaddrinfo` isn't for programs that are static altogether, and linkers warn of it.
        let tcp = address.parse::<SocketAddr>().ok().and_then(|address| TcpConnect::new(address).ok());
        let no_address =
            || Failure::new(CB_STATUS_BAD_NAME, format_args!("{address:?} is no address and port in figures"));
        tcp.map(Self::Tcp).ok_or_else(no_address)
    }

    pub(super) fn of_node(self, node: Node) -> Node {
        match self {
            #[cfg(test)]
            Self::Panics => panic!("half-way"),
            Self::Tcp(tcp) => node.health_check(tcp),
            Self::Call(call) => node.health_check(move |timeout: Duration| -> Result<(), CheckError> {
                let Call { check, context } = call;
                let timeout_ns = to_ns(timeout);
                // SAFETY: whoever made this promised that it may be called so.
                if unsafe { check(context.get(), timeout_ns) } { Ok(()) } else { Err("the check says no".into()) }
            }),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Listener {
    listen: unsafe extern "C" fn(*mut c_void, *const c_char, *const cb_event, u64),
    context: Context,
}

impl Listener {
    /// # Safety
    /// Another thread may call `listen` with `context`, as long as the supervisor runs.
    pub(super) unsafe fn new(listen: cb_listen, context: *mut c_void) -> Result<Self, Failure> {
        let listen = listen.ok_or_else(|| Failure::null("listen"))?;
        Ok(Self { listen, context: Context(context) })
    }

    pub(super) fn tell(self, name: &str, notice: Notice) {
        let name = CString::new(name).unwrap_or_default(); // it came from C, so it has no zero within
        let (event, missed) = match notice {
            Notice::Event(event) => (Some(cb_event::from(event)), 0),
            Notice::Missed(count) => (None, count),
        };
        let event = event.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: whoever made this promised that it may be called so. Name and event outlive the call.
        unsafe { (self.listen)(self.context.get(), name.as_ptr(), event, missed) };
    }
}
