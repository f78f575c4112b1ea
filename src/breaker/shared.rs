//! A breaker whose page is in a file: how it begins and ends.

use super::Breaker;
use crate::config::{Config, Start};
use crate::shm::{Link, Options, SharedError, hold_if_lapsed, keep_halts, owners_check};
use crate::started::Started;
use crate::warden::{self, Charge};
use std::path::Path;

impl Breaker {
    /// Makes a breaker whose page is in a file, for other processes to observe and to halt. This needs the feature `shm`, and
    /// Linux. The path is one of [`shared::path`](crate::shared::path), or any other place whose directory only this user may
    /// write to.
    ///
    /// A new page (mode 0600) begins as `start` says, which stands in place of `config.start`. A page that is there is taken over, with any
    /// config. Its events and their numbers go on, after one with [`Reason::Restart`](crate::Reason::Restart), and halts stay. If the last
    /// owner ended cleanly (closed, not halted, with no call in flight for longer than the threshold), the breaker comes back closed, or
    /// half-open if `start` says so. If it ended in any other way, or was killed, the breaker comes back open, for what is left of
    /// its pause; and halted, if `start` says so. [`started`](Self::started) tells which it was.
    ///
    /// Pages lie in memory, and are gone after a reboot. Halts aren't: each is a small file in the
    /// [state folder](crate::shared::state_dir), too, and a new owner reads them.
    ///
    /// A page has one owner at a time, by a lock on the file `.<name>.lock` beside it. That file stays for the next owner. The lock
    /// ends with the breaker or with its process. Children don't inherit the lock, and the breaker must not be used in the child of
    /// a fork (it faults there).
    ///
    /// The file is allocated, populated and locked in memory, so that no operation waits for it. If the limit on locked memory
    /// (`RLIMIT_MEMLOCK`) forbids that, the file isn't locked; [`Observer::owner`](crate::Observer::owner) tells.
    /// The breaker bears whatever others do to the content of the file. It reads back nothing but halts and the trials that
    /// gates took. If the gate, or the word that tells who halts, holds what nobody wrote by the rules, the breaker halts as
    /// [`Holder::DAMAGE`](crate::Holder::DAMAGE). But to truncate the file kills its owner and observers (SIGBUS).
    ///
    /// Everything else is as [`new`](Self::new) has it. Each millisecond that the breaker is busy it reads the operating system's
    /// monotonic clock, so that observers see that it is alive. On most systems that is the vDSO, without a system call.
    /// When the breaker is dropped its gate shows open, so that nobody takes a page without an owner for one that passes.
    ///
    /// # Errors
    /// [`SharedError`]: the page has an owner, whose process the error names; or the page is not ours, truncated, of another
    /// version, or damaged. Then the file is left exactly as it was. To begin anew, remove it.
    pub fn create_shared(path: impl AsRef<Path>, config: Config, start: Start) -> Result<Self, SharedError> {
        Self::create_shared_with(path, config, start, &Options::default())
    }

    /// [`create_shared`](Self::create_shared) at a given time, for an owner with a time of its own. Before the first operation all figures
    /// are by this time.
    ///
    /// # Errors
    /// As `create_shared`.
    pub fn create_shared_at(
        now_ns: u64,
        path: impl AsRef<Path>,
        config: Config,
        start: Start,
    ) -> Result<Self, SharedError> {
        Self::create_shared_with(path, config, start, &Options { now_ns: Some(now_ns), ..Options::default() })
    }

    /// [`create_shared`](Self::create_shared) with options: a group that shares the page, the folder where halts outlive memory, the
    /// time of construction, and no warden.
    ///
    /// # Errors
    /// As `create_shared`.
    pub fn create_shared_with(
        path: impl AsRef<Path>,
        config: Config,
        start: Start,
        options: &Options,
    ) -> Result<Self, SharedError> {
        let mut breaker = Self::new(Config { start: Start::Closed, ..config })?;
        breaker.inner.machine.config.start = start;
        let opened = Link::open(path.as_ref(), breaker.config(), options)?;
        let now_ns = options.now_ns.unwrap_or_else(|| breaker.inner.clock.now_ns());
        if options.warden && warden::is_on() {
            hold_if_lapsed(&opened.page, &breaker.inner.machine.outlet.signature());
        }
        breaker.inner.machine.move_to(opened, now_ns);
        breaker.gate = breaker.inner.machine.outlet.gate_handle();
        if options.warden {
            let (observer, signature) = (breaker.observer(), breaker.inner.machine.outlet.signature());
            let file = Some((owners_check as fn() -> _, keep_halts as fn() -> _));
            let charge = Charge { page: &observer.page, signature, file, is_for_children: false };
            warden::watch(&charge).map_err(SharedError::io(path.as_ref(), "watch"))?;
        }
        Ok(breaker)
    }

    /// How the page was found, if it is in a file: new, or left cleanly or uncleanly by an earlier owner.
    pub fn started(&self) -> Option<Started> {
        self.inner.machine.started_as()
    }
}
