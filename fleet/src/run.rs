//! Programs that run until they are told to end: the agent of a host, and a governor.

pub mod recent;
pub mod saving;
pub mod metrics;
pub mod agent;
pub mod governor;

use crate::failure::{Failure, warn};
use crate::files::Watched;
use crate::keys::Key;
use crate::time::MS;
use crate::trust::{Role, Trust};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// So long after a halt nobody begins to write it to a disk. The gates that are shut at the same time, of other hosts through the same
/// servers and of other agents on the same processors, come first. Nobody is answered before the disk has it.
pub const GATES_FIRST_NS: u64 = 10 * MS;

/// What both need to know.
pub struct Member {
    /// The fleet's file, as it was read last.
    pub trust: Trust,
    /// This member's key.
    pub key: Key,
    /// This member's name in its role.
    pub name: String,
    file: Watched,
}

impl Member {
    /// Reads the fleet's file and the key.
    ///
    /// # Errors
    /// One of them can't be read, or the key has not this role.
    pub fn read(fleet: &Path, key: &Path, role: Role) -> Result<Self, Failure> {
        let mut file = Watched::new(fleet);
        file.has_changed();
        let (trust, key) = (Trust::read(fleet)?, Key::read(key)?);
        let name = match trust.name(role, &key.public()) {
            Ok(name) => name.to_owned(),
            Err(why) => {
                return Err(Failure::new(format_args!(
                    "the key {} is no {role}'s: {why}; legal: a key that {} lists below [{role}s]",
                    key.public(),
                    fleet.display()
                )));
            }
        };
        Ok(Self { trust, key, name, file })
    }

    /// Reads the fleet's file again if it has changed. If it can't be read, what was read before stays.
    pub fn read_again(&mut self) {
        if !self.file.has_changed() {
            return;
        }
        match Trust::read(self.file.path()) {
            Ok(trust) if trust.fleet == self.trust.fleet => {
                if trust.servers != self.trust.servers {
                    warn("other servers count only after a new start");
                }
                self.trust = trust;
            }
            Ok(trust) => warn(format_args!("{} is of another fleet now: {}", self.path().display(), trust.fleet)),
            Err(failure) => warn(format_args!("{failure}; what was read before stays")),
        }
    }

    fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }
}

/// Ends by SIGTERM, SIGINT or SIGHUP.
pub struct Endings([Signal; 3]);

impl Endings {
    /// From now on the signals end nothing by themselves.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn new() -> Result<Self, Failure> {
        let of = |kind| signal(kind).map_err(Failure::new);
        Ok(Self([of(SignalKind::terminate())?, of(SignalKind::interrupt())?, of(SignalKind::hangup())?]))
    }

    /// Waits for one.
    pub async fn wait(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// How this host calls itself.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
