//! The node's process as the demo sees it: the demo starts it, tells it what to do, and ends it.

use crate::demo::script::Phase;
use crate::failure::Failure;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The subcommand that is the node.
pub(crate) const SUBCOMMAND: &str = "demo-node";

/// The process ends with its standard input, so it doesn't outlive the demo, however the demo ends.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    address: SocketAddr,
}

impl Process {
    /// Starts the process, and waits until it listens.
    pub(crate) fn start() -> Result<Self, Failure> {
        let failed = |error| Failure::new(format_args!("the node can't be started: {error}"));
        let program = env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let mut process = Self { child, input, address: (Ipv4Addr::LOCALHOST, 0).into() };
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        let port = line.trim().parse();
        process.address.set_port(port.map_err(|_| Failure::new(format_args!("the node said {line:?}, not its port")))?);
        Ok(process)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells the node to begin a phase.
    pub(crate) fn enter(&mut self, phase: Phase) -> Result<(), Failure> {
        let Some(input) = &mut self.input else { return Ok(()) };
        // This is no failure to write the report: there a closed pipe means that the reader has had enough.
        writeln!(input, "{}", phase.name())
            .map_err(|error| Failure::new(format_args!("the node is gone in the middle of the demo: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // The node doesn't end by itself. Nothing more can be done if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
