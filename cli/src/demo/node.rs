//! The node that the demo trades with. It is a process of its own that answers orders, well or badly, as it is told.
//!
//! The node's first line of output is its port. Each line of its input names the phase that begins. The node ends when its
//! input ends.

use crate::demo::script::Phase;
use crate::demo::wire::{Kind, Message, Wire};
use crate::failure::Failure;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The node sleeps for so long between two turns, so that a core is left for the engine.
const NAP: Duration = Duration::from_micros(200);

/// Serves until standard input ends.
pub(crate) fn run() -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format_args!("the node can't listen on 127.0.0.1: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    writeln!(io::stdout(), "{port}")?;
    let phases = read_phases();
    let mut node = Node::new(listener);
    loop {
        match phases.try_recv() {
            Ok(phase) => node.phase = phase,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        node.turn(Instant::now());
        thread::sleep(NAP);
    }
}

/// The phases that standard input names. A thread of its own reads them, as reading blocks.
fn read_phases() -> Receiver<Phase> {
    let (sender, phases) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let Some(phase) = Phase::from_name(&line) else { return };
            if sender.send(phase).is_err() {
                return;
            }
        }
    });
    phases
}

struct Node {
    listener: TcpListener,
    /// The newest connection. The node closes an older one.
    client: Option<Wire<TcpStream>>,
    phase: Phase,
    /// Answers, each with the moment when it is to be sent.
    answers: BinaryHeap<Reverse<(Instant, u64, Kind)>>,
    random: u64,
}

impl Node {
    /// The listener must not block.
    fn new(listener: TcpListener) -> Self {
        Self { listener, client: None, phase: Phase::Calm, answers: BinaryHeap::new(), random: 1 }
    }

    fn turn(&mut self, now: Instant) {
        while let Ok((stream, _)) = self.listener.accept() {
            let prepared = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
            self.client = prepared.ok().map(|()| Wire::new(stream));
            self.answers.clear();
        }
        if self.phase == Phase::Lost {
            self.client = None;
        }
        if self.serve(now).is_err() {
            self.client = None;
        }
    }

    fn serve(&mut self, now: Instant) -> io::Result<()> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let mut requests = Vec::new();
        let received = client.receive(&mut requests);
        for Message { kind, id, .. } in requests {
            let after = match (kind, self.phase) {
                (Kind::Logon, _) => Some(Duration::ZERO),
                (_, Phase::Calm) => Some(between(&mut self.random, 1_000, 3_000)),
                (_, Phase::Slow) => Some(between(&mut self.random, 350_000, 500_000)),
                (_, Phase::Silent | Phase::Lost) => None,
            };
            self.answers.extend(after.map(|after| Reverse((now + after, id, kind))));
        }
        while let Some(&Reverse((at, id, kind))) = self.answers.peek()
            && at <= now
        {
            self.answers.pop();
            client.send(Message::request(kind, id).answer())?;
        }
        client.flush()?;
        received
    }
}

/// A random duration between two bounds in microseconds, by xorshift64.
fn between(random: &mut u64, low_us: u64, high_us: u64) -> Duration {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    Duration::from_micros(low_us + *random % (high_us - low_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::session::Session;

    /// Lets both go on until the session says so.
    fn go_on(
        node: &mut Node,
        session: &mut Session,
        answers: &mut Vec<Message>,
        until: impl Fn(&Session, bool, &[Message]) -> bool,
    ) {
        let begin = Instant::now();
        loop {
            node.turn(Instant::now());
            let now_ns = begin.elapsed().as_nanos() as u64;
            let is_lost = !session.receive(now_ns, answers);
            if until(session, is_lost, answers) {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
    }

    #[test]
    fn a_session_logs_on_and_trades_and_comes_back_after_it_was_lost() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut session = Session::new(listener.local_addr().unwrap());
        let (mut node, mut answers) = (Node::new(listener), Vec::new());
        let [first, second, third] = [1, 2, 3].map(|id| Message::request(Kind::Order, id));
        assert!(!session.send(first));
        go_on(&mut node, &mut session, &mut answers, |session, _, _| session.is_up());
        assert!(session.send(first) && session.send(second));
        go_on(&mut node, &mut session, &mut answers, |_, _, answers| answers.len() == 2);
        answers.sort_by_key(|answer| answer.id);
        assert_eq!(answers, [first.answer(), second.answer()]);

        node.phase = Phase::Silent;
        assert!(session.send(third));
        let (begin, mut none) = (Instant::now(), Vec::new());
        go_on(&mut node, &mut session, &mut none, |_, _, _| begin.elapsed() > Duration::from_millis(50));
        assert_eq!(none, []);

        node.phase = Phase::Lost;
        go_on(&mut node, &mut session, &mut none, |_, is_lost, _| is_lost);
        let begin = Instant::now();
        go_on(&mut node, &mut session, &mut none, |session, _, _| {
            assert!(!session.is_up());
            begin.elapsed() > Duration::from_millis(300)
        });

        node.phase = Phase::Calm;
        go_on(&mut node, &mut session, &mut none, |session, _, _| session.is_up());
        assert!(session.send(third));
        go_on(&mut node, &mut session, &mut none, |_, _, answers| answers == [third.answer()]);
    }

    #[test]
    fn delays_stay_within_their_bounds_and_spread_over_them() {
        let mut random = 1;
        let delays: Vec<u128> = (0..1000).map(|_| between(&mut random, 350, 500).as_micros()).collect();
        assert!(delays.iter().all(|delay| (350..500).contains(delay)));
        assert!(delays.iter().min() < Some(&355) && delays.iter().max() > Some(&495));
    }
}
