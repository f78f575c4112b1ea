//! The engine's connection. It connects and logs on without blocking the engine's loop for long.

use crate::demo::wire::{Kind, Message, Wire};
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The engine tries this often to connect again, and waits each time for at most the timeout. (On loopback it takes
/// microseconds.)
const RETRY_NS: u64 = 100_000_000;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(20);

pub(crate) struct Session {
    address: SocketAddr,
    line: Line,
}

enum Line {
    Down {
        retry_at_ns: u64,
    },
    /// The line is connected, but the node hasn't answered the logon yet.
    LoggingOn(Wire<TcpStream>),
    Up {
        wire: Wire<TcpStream>,
        is_broken: bool,
    },
}

impl Session {
    /// A session that [`receive`](Self::receive) will connect.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, line: Line::Down { retry_at_ns: 0 } }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.line, Line::Up { .. })
    }

    /// The node doesn't read what it was sent, so the next message would have to wait.
    pub(crate) fn is_backed_up(&self) -> bool {
        matches!(&self.line, Line::Up { wire, .. } if wire.is_backed_up())
    }

    /// Adds the answers that have come to `answers`. Connects and logs on if that is due. False if the line was up and is lost
    /// now: what was sent will not be answered.
    pub(crate) fn receive(&mut self, now_ns: u64, answers: &mut Vec<Message>) -> bool {
        let was_up = self.is_up();
        let down = Line::Down { retry_at_ns: now_ns.saturating_add(RETRY_NS) };
        match mem::replace(&mut self.line, down).advance(self.address, now_ns, answers) {
            Ok(line) => self.line = line,
            Err(_) => return !was_up, // the line stays down
        }
        true
    }

    /// Sends a request if the line is up; false if it isn't. (If the line breaks now, the next `receive` finds that out.)
    pub(crate) fn send(&mut self, request: Message) -> bool {
        if let Line::Up { wire, is_broken } = &mut self.line {
            *is_broken |= wire.send(request).is_err();
        }
        self.is_up()
    }
}

impl Line {
    /// The line a moment later. An error means that it was lost, or that it still can't be had.
    fn advance(self, address: SocketAddr, now_ns: u64, answers: &mut Vec<Message>) -> io::Result<Self> {
        match self {
            Self::Down { retry_at_ns } if now_ns < retry_at_ns => Ok(self),
            Self::Down { .. } => {
                let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let mut wire = Wire::new(stream);
                wire.send(Message::request(Kind::Logon, 0))?;
                Ok(Self::LoggingOn(wire))
            }
            Self::LoggingOn(mut wire) => {
                let mut logon = Vec::new();
                wire.receive(&mut logon)?;
                Ok(if logon.is_empty() { Self::LoggingOn(wire) } else { Self::Up { wire, is_broken: false } })
            }
            Self::Up { is_broken: true, .. } => Err(io::ErrorKind::BrokenPipe.into()),
            Self::Up { mut wire, is_broken } => {
                wire.flush()?;
                wire.receive(answers)?;
                Ok(Self::Up { wire, is_broken })
            }
        }
    }
}
