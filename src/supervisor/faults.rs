//! What goes wrong on the supervisor's threads, told and counted.

use core::any::Any;
use core::fmt;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that went wrong while the supervisor went on. [`on_fault`](super::SupervisorBuilder::on_fault) is told of it. Its
/// text says everything.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault<'a> {
    /// A health check found the node in trouble, as checks are meant to.
    CheckFailed {
        /// The breaker's name.
        breaker: &'a str,
        /// What the check returned.
        error: &'a (dyn Error + Send + Sync + 'static),
    },
    /// A health check panicked. The check counts as failed, and will be called again.
    CheckPanicked {
        /// The breaker's name.
        breaker: &'a str,
        /// What it panicked with, if that is text.
        message: &'a str,
    },
    /// A listener panicked. The listener goes on with the next event.
    ListenerPanicked {
        /// The name of the breaker that the event was about.
        breaker: &'a str,
        /// What it panicked with, if that is text.
        message: &'a str,
    },
    /// A check or a listener was still busy when the time for stopping was up. Its thread goes on until it returns.
    LeftRunning {
        /// What is still busy, in words.
        what: &'a str,
    },
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckFailed { breaker, error } => write!(f, "the health check of {breaker} failed: {error}"),
            Self::CheckPanicked { breaker, message } => write!(f, "the health check of {breaker} panicked: {message}"),
            Self::ListenerPanicked { breaker, message } => {
                write!(f, "a listener panicked at an event of {breaker}: {message}")
            }
            Self::LeftRunning { what } => write!(f, "{what} is still busy: its thread is left to itself"),
        }
    }
}

/// How often each [`Fault`] happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// Health checks that failed without a panic.
    pub checks_failed: u64,
    /// Health checks that panicked.
    pub checks_panicked: u64,
    /// Events at which a listener panicked.
    pub listeners_panicked: u64,
}

pub(super) type OnFault = Box<dyn Fn(&Fault<'_>) + Send + Sync>;

/// Counts faults, and tells whoever wants to know.
#[derive(Default)]
pub(super) struct Reports {
    checks_failed: AtomicU64,
    checks_panicked: AtomicU64,
    listeners_panicked: AtomicU64,
    on_fault: Option<OnFault>,
}

impl Reports {
    pub(super) fn new(on_fault: Option<OnFault>) -> Self {
        Self { on_fault, ..Self::default() }
    }

    pub(super) fn tell(&self, fault: &Fault<'_>) {
        let count = match fault {
            Fault::CheckFailed { .. } => Some(&self.checks_failed),
            Fault::CheckPanicked { .. } => Some(&self.checks_panicked),
            Fault::ListenerPanicked { .. } => Some(&self.listeners_panicked),
            Fault::LeftRunning { .. } => None,
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(on_fault) = &self.on_fault {
            // Nobody is left to be told of a panic of this closure. The panic hook has been told.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| on_fault(fault))) {
                core::mem::forget(payload); // its drop may panic, too
            }
        }
    }

    pub(super) fn faults(&self) -> Faults {
        Faults {
            checks_failed: self.checks_failed.load(Ordering::Relaxed),
            checks_panicked: self.checks_panicked.load(Ordering::Relaxed),
            listeners_panicked: self.listeners_panicked.load(Ordering::Relaxed),
        }
    }
}

/// What a panic was about.
pub(super) fn message(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "(not a text)",
    }
}
