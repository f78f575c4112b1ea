//! The owner's side: what it takes over from the file, and what it tells beside the page.

use super::error::SharedError;
use super::layout::{File, Legacy};
use super::lock::{OwnerLock, own_pid};
use super::mapping::{Access, Mapping, refusal};
use crate::config::{Config, State};
use crate::handle::Handle;
use crate::mirror::slots_log2;
use crate::page::PageHandle;
use crate::sync::Ordering;
use std::path::Path;
use std::sync::Arc;

/// Of a breaker whose page is in a file; otherwise nothing.
pub(crate) struct Link(Option<Shared>);

struct Shared {
    file: Handle<File>,
    mapping: Arc<Mapping>,
    /// Samples that ever entered the window, by any owner.
    entered: u64,
    /// Of them, in the window as the mirror shows it.
    len: usize,
    /// The state that an earlier owner left, until the first operation.
    restart: Option<State>,
    /// Last, so that the page is let go after all else.
    _lock: OwnerLock,
}

/// A page that nobody else owns.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) page: PageHandle,
    /// `None` of a new page.
    pub(crate) legacy: Option<Legacy>,
}

/// CLOCK_MONOTONIC, which all processes share. By the vDSO, without a system call (and by libc, as rustix's can panic).
#[expect(unsafe_code, reason = "a call to libc")]
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `now` alone. It can't fail for this clock, and would leave zeros.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

impl Link {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Takes the lock, then the page: makes it, or checks the one that is there. Its state and gate are as they were.
    pub(crate) fn open(path: &Path, config: &Config) -> Result<Opened, SharedError> {
        let lock = OwnerLock::take(path)?;
        let slots_log2 = slots_log2(config.window_len);
        let (mapping, legacy) = match Mapping::open(path, Access::Own)? {
            Some(mapping) => {
                let legacy = mapping.file().legacy().map_err(|flaw| refusal(path, flaw))?;
                (mapping.grow(slots_log2)?, Some(legacy))
            }
            None => (Mapping::create(path, slots_log2, config.start, config.shadow)?, None),
        };
        let memory_locked = mapping.settle();
        let file = mapping.handle();
        file.owner.break_seal();
        file.owner.pid.store(own_pid().into(), Ordering::Relaxed);
        file.owner.memory_locked.store(memory_locked.into(), Ordering::Relaxed);
        let entered = file.mirror.entered();
        file.mirror.set_len(entered, 0);
        let page = mapping.page();
        let restart = legacy.map(|legacy| legacy.state);
        let link = Self(Some(Shared { file, mapping, entered, len: 0, restart, _lock: lock }));
        link.beat();
        Ok(Opened { link, page, legacy })
    }

    /// A sample entered the window, which has so many by now.
    #[inline]
    pub(crate) fn entered(&mut self, latency_ns: u64, window_len: usize) {
        if let Some(shared) = &mut self.0 {
            shared.file.mirror.push(shared.entered, latency_ns, window_len);
            shared.entered = shared.entered.wrapping_add(1);
            shared.len = window_len;
        }
    }

    /// Samples may have left the window, which has so many by now.
    #[inline]
    pub(crate) fn left(&mut self, window_len: usize) {
        if let Some(shared) = &mut self.0
            && shared.len != window_len
        {
            shared.file.mirror.set_len(shared.entered, window_len);
            shared.len = window_len;
        }
    }

    /// The breaker is about to open. To be called before the gate does.
    pub(crate) fn opening(&self, attempt: u32) {
        if let Some(shared) = &self.0 {
            shared.file.owner.set_attempt(attempt);
        }
    }

    /// The owner is alive, and at work.
    pub(crate) fn beat(&self) {
        if let Some(shared) = &self.0 {
            shared.file.owner.heartbeat_ns.store(monotonic_ns(), Ordering::Release);
        }
    }

    /// The state that an earlier owner left; only once.
    pub(crate) fn take_restart(&mut self) -> Option<State> {
        self.0.as_mut()?.restart.take()
    }

    /// True if there is no page in a file.
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// True if there is a page in a file, and this is not the child of a fork, which has none.
    pub(crate) fn is_here(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.mapping.is_here())
    }

    /// A clean end, in this state and after so many events.
    pub(crate) fn seal(&self, state: State, events: u64) {
        if let Some(shared) = &self.0 {
            shared.file.owner.seal(state, events);
        }
    }
}
