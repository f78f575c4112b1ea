//! A process of a lab. It is killed when it is dropped.

use crate::failure::Failure;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it. What it says is appended to a file.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| Failure::new(format_args!("{command:?}: {error}"));
        let log = File::options().create(true).append(true).open(log).map_err(wrong)?;
        let err = log.try_clone().map_err(wrong)?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(err).spawn().map_err(Failure::new)?;
        Ok(Self { child })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Stops it, as a machine that hangs does.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Has it read its configuration again, if it is a server.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Has it send its clients away, one after the other, and end then, if it is a server.
    pub fn lame(&self) {
        self.signal(Signal::USR2);
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
