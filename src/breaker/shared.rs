//! A breaker whose page is in a file: how it begins and ends.

use super::Breaker;
use crate::config::Config;
use crate::shm::{Link, SharedError};
use std::path::Path;

impl Breaker {
    /// A breaker whose page is in a file, for other processes to observe and to halt: at a path from
    /// [`shared_path`](crate::shared::path), or any other place whose directory only this user may write to. Feature `shm`;
    /// Linux.
    ///
    /// A new page (mode 0600) begins with `config.start`. One that is there is taken over, with any config: its events and
    /// their numbers go on, and the first operation adds one with [`Reason::Restart`](crate::Reason::Restart). A halt stays.
    /// If its last owner ended while closed, by dropping the breaker, it comes back closed; otherwise, if it was open or
    /// half-open, or was killed or panicked, it comes back open. Then its pause begins with the first operation, and is that
    /// of the attempt that it was at.
    ///
    /// A page has one owner at a time, by a lock on the file `.<name>.lock` beside it, which stays for the next owner. The
    /// right to it ends with the breaker or its process; children don't inherit it, and the breaker itself must not be used in
    /// the child of a fork (it faults there).
    ///
    /// The file is allocated, populated and locked in memory, so that no operation waits for it. If the limit on locked
    /// memory (`RLIMIT_MEMLOCK`) forbids that, the breaker does without; [`Observer::owner`](crate::Observer::owner) tells.
    /// Whatever others do to the content of the file is borne: nothing but the halt bit and the trials that gates took is
    /// read back, and a gate that this owner didn't write refuses all that its one load doesn't let pass. To truncate the
    /// file, though, kills its owner and observers (SIGBUS).
    ///
    /// As [`new`](Self::new) otherwise: allocates only here. Each millisecond that it is busy it reads the operating system's
    /// monotonic clock, for observers to see that it is alive: on most systems by the vDSO, without a system call.
    /// When it is dropped the gate shows open: who looks at a page that nobody owns shall not think that it passes.
    ///
    /// # Errors
    /// [`SharedError`]: the page has an owner, whose process it names; or it is not ours, truncated, of another version, or
    /// damaged. Then the file is left exactly as it was. To begin anew, remove it.
    pub fn create_shared(path: impl AsRef<Path>, config: Config) -> Result<Self, SharedError> {
        let mut breaker = Self::new(config)?;
        breaker.machine.move_to(Link::open(path.as_ref(), breaker.config())?);
        Ok(breaker)
    }
}
