//! The engine: one busy thread that trades with the node, as far as its breaker lets it.

use crate::demo::session::Session;
use crate::demo::wire::{Kind, Message};
use crate::failure::Failure;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use trip99::{Breaker, Call, Observer, State};
use trip99_logs::{Row, RowKind};

const MS: u64 = 1_000_000;

/// The engine wants to send an order this often.
pub(crate) const ORDER_EVERY_NS: u64 = 2 * MS;
/// When more orders than this rest, the engine cancels the oldest, as ordinary business.
const MAX_RESTING: usize = 32;
/// The engine gives up on a request that hasn't been answered for so long.
const GIVE_UP_NS: u64 = 2000 * MS;
/// The engine computes the quantile this often, for the view.
const QUANTILE_EVERY_NS: u64 = 100 * MS;
/// How long the engine waits for the first connection, and at the end for the last answers.
const LOGON_PATIENCE_NS: u64 = 5000 * MS;
const CLOSING_PATIENCE_NS: u64 = 500 * MS;

/// What the engine's thread shows others while it runs. Each figure is exact, but two figures may be a turn apart.
#[derive(Default)]
pub(crate) struct Gauges {
    /// The breaker's clock.
    pub(crate) now_ns: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) resting: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    /// 0 if there are no samples.
    pub(crate) quantile_ns: AtomicU64,
    /// Others set this to end the engine.
    pub(crate) stop: AtomicBool,
}

/// What became of orders and cancels. In the end every order that was sent was answered, failed or given up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Orders that failed because the connection was lost, or because there was none.
    pub(crate) failed: u64,
    pub(crate) unanswered: u64,
    pub(crate) refused: u64,
    pub(crate) cancels: u64,
    /// Those of the cancels that were sent while trading was paused.
    pub(crate) cancels_in_pauses: u64,
    pub(crate) cancels_answered: u64,
}

/// What the engine leaves behind.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// The calls that the breaker judged, by start: orders ask, and cancels are free.
    pub(crate) rows: Vec<Row>,
}

/// A request that hasn't been answered yet.
struct Pending {
    request: Message,
    call: Call,
    /// Its index in the rows.
    row: usize,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    Failed,
    GivenUp,
}

pub(crate) struct Engine {
    breaker: Breaker,
    /// A view of that breaker.
    observer: Observer,
    session: Session,
    gauges: Arc<Gauges>,
    /// Requests without an answer, in the order of sending.
    pending: VecDeque<Pending>,
    /// Orders that rest at the node, the oldest first.
    resting: VecDeque<u64>,
    next_order_ns: u64,
    next_quantile_ns: u64,
    tally: Tally,
    rows: Vec<Row>,
}

impl Engine {
    /// Makes an engine, and logs it on to the node.
    pub(crate) fn start(breaker: Breaker, node: SocketAddr, gauges: Arc<Gauges>) -> Result<Self, Failure> {
        let mut session = Session::new(node);
        let start_ns = breaker.now_ns();
        while !session.is_up() {
            let now_ns = breaker.now_ns();
            if now_ns.saturating_sub(start_ns) > LOGON_PATIENCE_NS {
                return Err(Failure::new(format_args!("the node at {node} lets nobody log on")));
            }
            session.receive(now_ns, &mut Vec::new());
            thread::yield_now();
        }
        let now_ns = breaker.now_ns();
        gauges.now_ns.store(now_ns, Relaxed);
        Ok(Self {
            observer: breaker.observer(),
            breaker,
            session,
            gauges,
            pending: VecDeque::new(),
            resting: VecDeque::new(),
            next_order_ns: now_ns,
            next_quantile_ns: now_ns,
            tally: Tally::default(),
            rows: Vec::new(),
        })
    }

    /// Trades until it is told to stop. Then it cancels what rests and awaits the last answers.
    pub(crate) fn run(mut self) -> Outcome {
        while !self.gauges.stop.load(Relaxed) {
            self.turn(self.breaker.now_ns(), true);
            thread::yield_now(); // the node and the view need a core, too
        }
        let end_ns = self.breaker.now_ns().saturating_add(CLOSING_PATIENCE_NS);
        while !(self.pending.is_empty() && self.resting.is_empty()) && self.breaker.now_ns() < end_ns {
            self.turn(self.breaker.now_ns(), false);
            thread::yield_now();
        }
        self.end_all(self.breaker.now_ns(), End::GivenUp);
        // The trace's time begins with the first order.
        let first_ns = self.rows.first().map_or(0, |row| row.start_ns);
        self.rows.iter_mut().for_each(|row| row.start_ns -= first_ns);
        Outcome { tally: self.tally, rows: self.rows }
    }

    fn turn(&mut self, now_ns: u64, wants_orders: bool) {
        self.breaker.poll_at(now_ns);
        let mut answers = Vec::new();
        let is_lost = !self.session.receive(now_ns, &mut answers);
        for answer in answers {
            let sent = |pending: &Pending| pending.request.answer() == answer;
            if let Some(pending) = self.pending.iter().position(sent).and_then(|index| self.pending.remove(index)) {
                self.end(now_ns, pending, End::Answered);
            }
        }
        if is_lost {
            self.end_all(now_ns, End::Failed);
        }
        let is_too_old = |pending: &Pending| now_ns.saturating_sub(pending.call.start_ns()) >= GIVE_UP_NS;
        while self.pending.front().is_some_and(is_too_old) {
            if let Some(pending) = self.pending.pop_front() {
                self.end(now_ns, pending, End::GivenUp);
            }
        }
        let is_paused = self.breaker.state() != State::Closed || self.observer.is_halted();
        let may_rest = if is_paused || !wants_orders { 0 } else { MAX_RESTING };
        while self.session.is_up() && self.resting.len() > may_rest {
            self.cancel_oldest(now_ns, is_paused);
        }
        if wants_orders && now_ns >= self.next_order_ns {
            // After a hiccup the engine goes on from here, without a burst to make up for it.
            self.next_order_ns = now_ns.max(self.next_order_ns + ORDER_EVERY_NS);
            self.order(now_ns);
        }
        self.show(now_ns);
    }

    fn order(&mut self, now_ns: u64) {
        if !self.breaker.allow_at(now_ns) {
            self.tally.refused += 1;
            return;
        }
        if self.session.is_backed_up() {
            self.breaker.release_at(now_ns); // if it was a trial, another turn can send it
            return;
        }
        self.tally.sent += 1;
        let request = Message::request(Kind::Order, self.tally.sent);
        self.send(now_ns, request, RowKind::Ask);
    }

    /// The breaker is not asked: a cancel takes risk away.
    fn cancel_oldest(&mut self, now_ns: u64, is_paused: bool) {
        if let Some(id) = self.resting.pop_front() {
            self.tally.cancels += 1;
            self.tally.cancels_in_pauses += u64::from(is_paused);
            self.send(now_ns, Message::request(Kind::Cancel, id), RowKind::Free);
        }
    }

    fn send(&mut self, now_ns: u64, request: Message, kind: RowKind) {
        let call = self.breaker.begin_at(now_ns);
        let row = self.rows.len();
        self.rows.push(Row { start_ns: now_ns, latency_ns: None, ok: true, kind });
        let pending = Pending { request, call, row };
        if self.session.send(request) {
            self.pending.push_back(pending);
        } else {
            self.end(now_ns, pending, End::Failed);
        }
    }

    fn end_all(&mut self, now_ns: u64, how: End) {
        while let Some(pending) = self.pending.pop_front() {
            self.end(now_ns, pending, how);
        }
    }

    fn end(&mut self, now_ns: u64, Pending { request, call, row }: Pending, how: End) {
        if how == End::Answered {
            self.breaker.end_at(now_ns, call);
        } else {
            self.breaker.fail_at(now_ns, call);
        }
        // A call that was given up has no result.
        if let Some(row) = self.rows.get_mut(row).filter(|_| how != End::GivenUp) {
            row.latency_ns = Some(now_ns - row.start_ns);
            row.ok = how == End::Answered;
        }
        let tally = &mut self.tally;
        match (request.kind, how) {
            (Kind::Order, End::Answered) => {
                tally.answered += 1;
                self.resting.push_back(request.id);
            }
            (Kind::Order, End::Failed) => tally.failed += 1,
            (Kind::Order, End::GivenUp) => tally.unanswered += 1,
            (Kind::Cancel, End::Answered) => tally.cancels_answered += 1,
            // As far as anybody knows, the order still rests.
            (Kind::Cancel, _) => self.resting.push_back(request.id),
            (Kind::Logon, _) => {}
        }
    }

    fn show(&mut self, now_ns: u64) {
        let gauges = &self.gauges;
        gauges.now_ns.store(now_ns, Relaxed);
        gauges.sent.store(self.tally.sent, Relaxed);
        gauges.refused.store(self.tally.refused, Relaxed);
        gauges.resting.store(self.resting.len() as u64, Relaxed);
        gauges.in_flight.store(self.pending.len() as u64, Relaxed);
        if now_ns >= self.next_quantile_ns {
            self.next_quantile_ns = now_ns + QUANTILE_EVERY_NS;
            let quantile_ppm = self.breaker.config().quantile_ppm;
            gauges.quantile_ns.store(self.breaker.quantile_ns_at(now_ns, quantile_ppm).unwrap_or(0), Relaxed);
        }
    }
}
