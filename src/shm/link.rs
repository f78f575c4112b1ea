//! The owner's side: what the owner takes over from the file, and what it tells beside the page.

use super::durable::{self, Kept};
use super::error::SharedError;
use super::layout::{File, Legacy, Sizes, seal};
use super::lock::{OwnerLock, own_pid, own_pid_namespace};
use super::mapping::{Access, EndedGate, Mapping};
use super::options::Options;
use super::state_dir::make_state_dir;
use crate::config::{Config, State};
use crate::handle::Handle;
use crate::mirror::MirrorWriter;
use crate::page::Page;
use crate::started::Started;
use crate::sync::Ordering;
use crate::words::Word;
use std::path::Path;
use std::sync::Arc;

/// The link of a breaker to the file that its page is in. A breaker whose page is in no file has an empty link.
#[derive(Default)]
pub(crate) struct Link(Option<Shared>);

struct Shared {
    file: Handle<File>,
    mapping: Arc<Mapping>,
    mirror: MirrorWriter,
    /// What takes the gate's place at the end.
    ended_gate: Option<EndedGate>,
    /// This field is last, so that the lock is let go after all else.
    _lock: OwnerLock,
}

/// A page that nobody else owns.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) page: Page,
    /// What an earlier owner left. It is `None` if the page is new.
    pub(crate) legacy: Option<Legacy>,
    /// The halts that outlived memory.
    pub(crate) kept: Vec<Kept>,
}

/// CLOCK_MONOTONIC in nanoseconds, which all processes of this boot share: the time of leases.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// A clock of the operating system, in nanoseconds. The vDSO reads it without a system call. libc is asked, as rustix's function can
/// panic.
#[expect(unsafe_code, reason = "a call to libc")]
fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `now` alone. It can't fail for this clock, and if it did, it would leave the zeros.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// CLOCK_BOOTTIME in nanoseconds.
pub(super) fn boot_ns() -> u64 {
    clock_ns(libc::CLOCK_BOOTTIME)
}

/// This boot of the machine, as the kernel names it; zeros if it doesn't.
pub(super) fn boot_id() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits = text.chars().filter_map(|digit| digit.to_digit(16));
    let id = digits.fold(0_u128, |id, digit| id << 4 | u128::from(digit));
    [(id >> 64) as u64, id as u64]
}

impl Link {
    /// Takes the lock, and then the page: makes one, or checks the one that is there. State and gate of a page that is there stay.
    pub(crate) fn open(path: &Path, config: &Config, options: &Options) -> Result<Opened, SharedError> {
        let permissions = options.apply(path)?;
        let state_dir = make_state_dir(options)?;
        let mut lock = OwnerLock::take(path, permissions)?;
        let sizes = Sizes::of(config);
        let (mapping, legacy) = match Mapping::open(path, Access::Own, Some(&mut lock))? {
            Some(mapping) => {
                let legacy = mapping.file().legacy(path, boot_id(), boot_ns())?;
                permissions.share(path, &mapping.descriptor)?;
                (mapping.grow(sizes)?, Some(legacy))
            }
            None => (Mapping::create(path, sizes, config.shadow, permissions, &mut lock)?, None),
        };
        let memory_locked = mapping.settle();
        mapping.file().front.set_state_dir(state_dir.as_deref());
        let kept = state_dir.map_or(Ok(Vec::new()), |folder| durable::read(&folder, path))?;
        let ended_gate = Some(EndedGate::prepare(path)?);
        let file = mapping.handle();
        file.front.owner.seal.store(0, Ordering::SeqCst); // from now on an end is unclean
        file.front.header.set_owner_version();
        file.front.owner.set_process(own_pid(), own_pid_namespace());
        file.front.owner.boot_id.iter().zip(boot_id()).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        file.front.owner.memory_locked.store(memory_locked.into(), Ordering::Relaxed);
        let mirror = MirrorWriter::new(file.part(|file| &file.mirror));
        let page = mapping.page();
        let link = Self(Some(Shared { file, mapping, mirror, ended_gate, _lock: lock }));
        link.beat();
        Ok(Opened { link, page, legacy, kept })
    }

    /// Whether there is a mirror, which is told of each sample.
    pub(crate) fn has_mirror(&self) -> bool {
        self.0.is_some()
    }

    /// A sample entered the window, which has `window_len` samples by now.
    #[inline]
    pub(crate) fn entered(&mut self, latency_ns: u64, window_len: usize) {
        if let Some(shared) = &mut self.0 {
            shared.mirror.push(latency_ns, window_len);
        }
    }

    /// A sample entered the window in the place of the oldest.
    #[inline]
    pub(crate) fn replaced(&mut self, latency_ns: u64) {
        if let Some(shared) = &mut self.0 {
            shared.mirror.replace(latency_ns);
        }
    }

    /// Samples may have left the window, which has `window_len` samples by now.
    #[inline]
    pub(crate) fn left(&mut self, window_len: usize) {
        if let Some(shared) = &mut self.0 {
            shared.mirror.set_len(window_len);
        }
    }

    /// The breaker is about to open, for a pause of this length. To be called before the gate opens.
    pub(crate) fn opening(&self, attempt: u32, pause_ns: u64) {
        if let Some(shared) = &self.0 {
            let owner = &shared.file.front.owner;
            owner.attempt.store(u64::from(attempt) + 1, Ordering::Release);
            owner.pause_ends_ns.store(boot_ns().saturating_add(pause_ns), Ordering::Release);
        }
    }

    /// The breaker is about to end while it is in no pause. Its gate will show open, so whatever pause the page tells of is made to look
    /// as long as can be: the next owner pauses in full. To be called before the gate opens.
    pub(crate) fn ends_in_no_pause(&self) {
        if let Some(shared) = &self.0 {
            shared.file.front.owner.pause_ends_ns.store(u64::MAX, Ordering::Release);
        }
    }

    /// How many openings the latch has counted.
    pub(crate) fn set_openings(&self, openings: u32) {
        if let Some(shared) = &self.0 {
            shared.file.front.owner.openings.store(openings.into(), Ordering::Release);
        }
    }

    /// How the page was found.
    pub(crate) fn set_started(&self, started: Started) {
        if let Some(shared) = &self.0 {
            shared.file.front.owner.started.store(started.to_word(), Ordering::Release);
        }
    }

    /// The owner has journaled the operators' log up to this entry.
    pub(crate) fn journaled(&self, entry: u64) {
        if let Some(shared) = &self.0 {
            shared.file.front.owner.journaled.store(entry, Ordering::Release);
        }
    }

    /// Tells that the owner is alive, and at work.
    pub(crate) fn beat(&self) {
        if let Some(shared) = &self.0 {
            shared.file.front.owner.heartbeat_ns.store(monotonic_ns(), Ordering::Release);
        }
    }

    /// False in the child of a fork, if the page is in a file: the child has no such page.
    pub(crate) fn is_owners(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| shared.mapping.is_here())
    }

    /// The breaker ends: all its handles refuse from now on, whoever takes the page over later. False if the page is in no file.
    pub(crate) fn end_gate(&mut self) -> bool {
        let Some(shared) = &mut self.0 else { return false };
        let is_replaced = shared.ended_gate.take().is_some_and(|gate| shared.mapping.end_gate(gate));
        if !is_replaced {
            // The handles go on to show the page's gate. So nobody may take the page over as long as this process lives.
            core::mem::forget(self.0.take());
        }
        true
    }

    /// The breaker ends cleanly, in this state and after so many events.
    pub(crate) fn seal(&self, state: State, events: u64) {
        if let Some(Shared { file, .. }) = &self.0 {
            let attempt = file.front.owner.attempt.load(Ordering::Relaxed);
            file.front.owner.seal.store(seal(state, attempt, events), Ordering::Release);
        }
    }
}
