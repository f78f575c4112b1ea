//! A breaker belongs to one thread of one process. Any other use is an exception, and touches nothing.

use crate::errors::OwnerError;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::thread::{self, ThreadId};

/// How often this process is a child of a fork of what it was when the module was imported.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Python calls this in the child of each fork.
#[pyfunction]
pub(crate) fn note_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

pub(crate) fn of_another_process(pid: u32) -> PyErr {
    OwnerError::new_err(format!(
        "the breaker belongs to process {pid}, of which this one is a fork; legal: a breaker of its own, or an Observer of its page"
    ))
}

/// A value for one thread. Nobody waits for the lock: it is there so that a wrong thread can't get at the value.
pub(crate) struct Owned<T> {
    thread: ThreadId,
    forks: u64,
    pid: u32,
    value: Mutex<Option<T>>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { thread: thread::current().id(), forks: forks(), pid: std::process::id(), value: Mutex::new(Some(value)) }
    }

    /// Calls `act` with the value.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        self.check()?;
        match self.value.try_lock() {
            Ok(mut value) => value.as_mut().map(act).ok_or_else(ended),
            Err(TryLockError::Poisoned(_)) => Err(ended()),
            Err(TryLockError::WouldBlock) => Err(OwnerError::new_err("the breaker is in use already")),
        }
    }

    /// Takes the value out. `None` if it is out already.
    pub(crate) fn take(&self) -> PyResult<Option<T>> {
        self.check()?;
        Ok(self.value.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// The value, when Python drops it, on whichever thread. A child of a fork lets go of its copy without touching it.
    pub(crate) fn drop_out(&mut self) -> Option<T> {
        let value = self.value.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if self.forks == forks() {
            return value;
        }
        std::mem::forget(value);
        None
    }

    fn check(&self) -> PyResult<()> {
        if self.forks != forks() {
            return Err(of_another_process(self.pid));
        }
        if self.thread != thread::current().id() {
            return Err(OwnerError::new_err(
                "the breaker belongs to the thread that made it; legal on another thread: its observer(), \
                 or a breaker of that thread's own",
            ));
        }
        Ok(())
    }
}

fn ended() -> PyErr {
    OwnerError::new_err("the breaker has ended; legal: a new one")
}
