//! A way to a server that can be cut, as a network that takes nothing on any more: connections stay, and what is sent waits.

use crate::failure::Failure;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    is_over: AtomicBool,
    delay_ns: AtomicU64,
}

/// A way.
pub struct Cutter {
    port: u16,
    state: Arc<State>,
}

impl Cutter {
    /// A way from this address to this port of this machine.
    ///
    /// # Errors
    /// There is no port.
    pub fn new(from: Ipv4Addr, to: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind((from, 0)).map_err(Failure::new)?;
        let port = listener.local_addr().map_err(Failure::new)?.port();
        listener.set_nonblocking(true).map_err(Failure::new)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while !shared.is_over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((from, _)) => carry_both(from, to, &shared),
                    Err(_) => thread::sleep(LOOK_EVERY / 4),
                }
            }
        });
        Ok(Self { port, state })
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts it.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
    }

    /// From now on everything takes so much longer.
    pub fn delay(&self, delay: Duration) {
        self.state.delay_ns.store(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
    }
}

fn carry_both(from: TcpStream, to: u16, state: &Arc<State>) {
    let state = Arc::clone(state);
    thread::spawn(move || {
        while state.is_cut.load(Ordering::SeqCst) && !state.is_over.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
        }
        let Ok(onward) = TcpStream::connect(("127.0.0.1", to)) else { return };
        let (Ok(back_from), Ok(back_to)) = (onward.try_clone(), from.try_clone()) else { return };
        let _ = (from.set_nonblocking(false), from.set_nodelay(true), onward.set_nodelay(true));
        let shared = Arc::clone(&state);
        thread::spawn(move || carry(back_from, back_to, &shared));
        carry(from, onward, &state);
    });
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let _ = from.set_read_timeout(Some(LOOK_EVERY));
    let mut buffer = [0; 16_384];
    while !state.is_over.load(Ordering::Relaxed) {
        if state.is_cut.load(Ordering::SeqCst) {
            thread::sleep(LOOK_EVERY);
            continue;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        thread::sleep(Duration::from_nanos(state.delay_ns.load(Ordering::SeqCst)));
        while state.is_cut.load(Ordering::SeqCst) && !state.is_over.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
