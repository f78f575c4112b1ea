//! A program in a terminal of its own: keys in, and what the terminal shows.
#![allow(dead_code, reason = "each program uses some of it")]

use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Session {
    child: Child,
    /// The terminal's side.
    master: File,
    /// The program's side, which keeps the terminal as the program leaves it.
    slave: OwnedFd,
    shown: Arc<Mutex<vt100::Parser>>,
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Session {
    /// Runs a program with its arguments, in a terminal of so many columns and rows, which is its controlling one.
    pub(crate) fn start(program: &Path, args: &[&str], environment: &[(&str, &Path)], columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let slave = OpenOptions::new().read(true).write(true).open(path).unwrap();
        tcsetwinsize(&master, size(columns, rows)).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(program).args(args);
        command
            .env("TERM", "xterm-256color")
            .env("RUST_BACKTRACE", "0")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied());
        let side = || slave.try_clone().unwrap();
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let master = File::from(master);
        let shown = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let (mut reader, parser) = (master.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                parser.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Self { child, master, slave: slave.into(), shown }
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).screen_mut().set_size(rows, columns);
        tcsetwinsize(&self.master, size(columns, rows)).unwrap();
    }

    pub(crate) fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn screen(&self) -> vt100::Screen {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).screen().clone()
    }

    /// The text that is shown once it has all of these parts.
    pub(crate) fn wait_for(&self, parts: &[&str]) -> String {
        let begin = Instant::now();
        loop {
            let text = self.screen().contents();
            if parts.iter().all(|part| text.contains(part)) {
                return text;
            }
            assert!(begin.elapsed() < PATIENCE, "{parts:?} in\n{text}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How the program ended, once it has.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it goes on:\n{}", self.screen().contents());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The terminal is as a shell needs it.
    pub(crate) fn is_restored(&self) -> bool {
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        // What the program wrote last may still be on its way.
        let begin = Instant::now();
        while self.screen().alternate_screen() && begin.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        let screen = self.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO) && !screen.alternate_screen() && !screen.hide_cursor()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
