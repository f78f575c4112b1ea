//! One breaker for several threads: trip99 through lanes, rivals shared as they are.

use crate::effort::Effort;
use crate::load::{Load, STEP_NS};
use crate::peers::{Shared, circuitbreaker_rs, failsafe, recloser, trip99};
use crate::report::{digits, ratio, spread, table};
use crate::rounds::Spread;
use ::trip99::{Breaker, Config, Gate, Lane};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

const ROUNDS: usize = 101;
/// Of each thread that trades, in a round.
const CALLS: usize = 1 << 14;
/// A lane has room for a round, however late the owner polls: what is dropped would be cheap.
const LANE: u32 = 2 * CALLS as u32;

/// Where the threads of a round meet.
struct Stage {
    threads: usize,
    arrived: AtomicUsize,
    /// Threads that still send to the owner.
    senders: AtomicUsize,
}

impl Stage {
    /// All start together. Nobody sleeps: to be woken up takes as long as many calls.
    fn meet(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.threads {
            thread::yield_now();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Asks and reports.
    Trader,
    /// Likewise, and owns the breaker.
    TradingOwner,
    /// Only polls.
    Owner,
}

struct Worker<'a> {
    role: Role,
    /// Returns when its own calls were over.
    work: Box<dyn FnMut(&Stage) -> Instant + Send + 'a>,
}

impl<'a> Worker<'a> {
    fn trader(mut calls: impl FnMut() + Send + 'a) -> Self {
        let work = move |stage: &Stage| {
            calls();
            let over = Instant::now();
            stage.senders.fetch_sub(1, Ordering::Release);
            over
        };
        Self { role: Role::Trader, work: Box::new(work) }
    }

    /// Goes on until all is taken in.
    fn owner(owner: &'a mut Owner) -> Self {
        let role = if owner.trades { Role::TradingOwner } else { Role::Owner };
        let work = |stage: &Stage| {
            owner.calls();
            let over = Instant::now();
            while stage.senders.load(Ordering::Acquire) > 0 {
                owner.poll();
            }
            owner.poll();
            over
        };
        Self { role, work: Box::new(work) }
    }
}

/// What a round took.
struct Round {
    /// Nanoseconds of a call, to the traders, and to an owner that trades.
    trader_ns: Option<f64>,
    owner_ns: Option<f64>,
    /// Million calls a second, from the start until all are judged.
    throughput: f64,
}

fn run(workers: &mut [Worker<'_>]) -> Round {
    let senders = workers.iter().filter(|worker| worker.role == Role::Trader).count();
    let stage = Stage { threads: workers.len(), arrived: AtomicUsize::new(0), senders: AtomicUsize::new(senders) };
    let times: Vec<_> = thread::scope(|scope| {
        let stage = &stage;
        let mut running = Vec::new();
        for Worker { role, work } in workers {
            running.push(scope.spawn(move || {
                stage.meet();
                let begin = Instant::now();
                let calls_over = work(stage);
                (*role, begin, calls_over, Instant::now())
            }));
        }
        running.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
    });
    let call_ns = |of: Role| {
        let of_role = times.iter().filter(|&&(role, ..)| role == of);
        let ns: Vec<_> =
            of_role.map(|(_, begin, over, _)| (*over - *begin).as_secs_f64() * 1e9 / CALLS as f64).collect();
        (!ns.is_empty()).then(|| ns.iter().sum::<f64>() / ns.len() as f64)
    };
    let begin = times.iter().map(|&(_, begin, ..)| begin).min().expect("some work");
    let end = times.iter().map(|&(.., end)| end).max().expect("some work");
    let traders = times.iter().filter(|&&(role, ..)| role != Role::Owner).count();
    Round {
        trader_ns: call_ns(Role::Trader),
        owner_ns: call_ns(Role::TradingOwner),
        throughput: (traders * CALLS) as f64 / (end - begin).as_secs_f64() / 1e6,
    }
}

/// Plays a round, and returns how many calls were dropped in all rounds.
type Play = Box<dyn FnMut() -> (Round, u64)>;

struct Line {
    name: String,
    /// Threads that make calls, and all.
    traders: usize,
    threads: usize,
    play: Play,
    rounds: Vec<Round>,
    dropped: u64,
}

impl Line {
    fn new(name: &str, traders: usize, threads: usize, play: impl FnMut() -> (Round, u64) + 'static) -> Self {
        Self { name: name.to_owned(), traders, threads, play: Box::new(play), rounds: Vec::new(), dropped: 0 }
    }
}

/// A thread with a lane.
struct Sender {
    gate: Gate,
    lane: Lane,
    load: Load,
}

impl Sender {
    fn calls(&mut self) {
        let Self { gate, lane, load } = self;
        load.run(CALLS, |now_ns, latency_ns| {
            if black_box(&mut *gate).allow() {
                black_box(&mut *lane).record_at(now_ns, latency_ns);
            }
        });
    }
}

struct Owner {
    breaker: Breaker,
    trades: bool,
    load: Load,
    /// As late as the senders' latest call.
    now_ns: u64,
    told: u64,
}

impl Owner {
    fn calls(&mut self) {
        if self.trades {
            let breaker = &mut self.breaker;
            self.load.run(CALLS, |now_ns, latency_ns| {
                let breaker = black_box(&mut *breaker);
                if breaker.allow_at(now_ns) {
                    breaker.record_at(now_ns, latency_ns);
                }
                breaker.poll_at(now_ns);
            });
        }
    }

    fn poll(&mut self) {
        black_box(&mut self.breaker).poll_at(self.now_ns);
    }
}

fn ours(name: &str, senders: usize, trades: bool) -> Line {
    let mut breaker = trip99::breaker(Config::default());
    let mut sender = |_| Sender { gate: breaker.gate(), lane: breaker.lane_with_capacity(LANE), load: Load::new() };
    let mut senders: Vec<_> = (0..senders).map(&mut sender).collect();
    let mut owner = Owner { breaker, trades, load: Load::new(), now_ns: 0, told: 0 };
    Line::new(name, senders.len() + usize::from(trades), senders.len() + 1, move || {
        owner.now_ns += CALLS as u64 * STEP_NS;
        owner.told += ((senders.len() + usize::from(trades)) * CALLS) as u64;
        let mut workers: Vec<_> = senders.iter_mut().map(|sender| Worker::trader(|| sender.calls())).collect();
        workers.push(Worker::owner(&mut owner));
        let round = run(&mut workers);
        drop(workers);
        let snapshot = owner.breaker.snapshot();
        assert_eq!(snapshot.recorded + snapshot.dropped, owner.told, "what isn't judged is counted as dropped");
        (round, snapshot.dropped)
    })
}

fn rival(name: &str, traders: usize, breaker: impl Shared + 'static) -> Line {
    let mut loads: Vec<_> = (0..traders).map(|_| Load::new()).collect();
    Line::new(name, traders, traders, move || {
        let breaker = &breaker;
        let trader = |load| {
            let load: &mut Load = load;
            Worker::trader(|| load.run(CALLS, |_, latency_ns| black_box(breaker).call_shared(latency_ns)))
        };
        (run(&mut loads.iter_mut().map(trader).collect::<Vec<_>>()), 0)
    })
}

/// Those of one trader, then those of two.
fn lines() -> Vec<Line> {
    let rivals = |traders| {
        [
            rival("recloser", traders, recloser::make()),
            rival("failsafe", traders, failsafe::make()),
            rival("circuitbreaker-rs", traders, circuitbreaker_rs::make()),
        ]
    };
    let mut lines =
        vec![ours("trip99: the owner trades", 0, true), ours("trip99: a lane, and an owner that polls", 1, false)];
    lines.extend(rivals(1));
    lines.push(ours("trip99: a lane, and the owner trades, too", 1, true));
    lines.push(ours("trip99: two lanes, and an owner that polls", 2, false));
    lines.extend(rivals(2));
    lines
}

/// A table.
pub(crate) fn measure(effort: Effort) -> String {
    let mut lines = lines();
    // The first round warms up.
    for round in 0..=effort.rounds(ROUNDS) {
        for line in &mut lines {
            let (figures, dropped) = (line.play)();
            line.dropped = dropped;
            if round > 0 {
                line.rounds.push(figures);
            }
        }
    }
    let recloser = |traders| {
        let line = lines.iter().find(|line| line.traders == traders && line.name == "recloser");
        line.expect("one for each number of traders")
    };
    let throughput = |line: &Line| line.rounds.iter().map(|round| round.throughput).collect::<Vec<_>>();
    let row = |line: &Line| {
        let of = |what: fn(&Round) -> Option<f64>| {
            let ns: Vec<_> = line.rounds.iter().filter_map(what).collect();
            if ns.is_empty() { "-".to_owned() } else { spread(&ns) }
        };
        let million = Spread::of(throughput(line));
        vec![
            line.name.clone(),
            line.traders.to_string(),
            line.threads.to_string(),
            of(|round| round.trader_ns),
            of(|round| round.owner_ns),
            format!("{} ({} to {})", digits(million.median), digits(million.low), digits(million.high)),
            ratio(Spread::of_ratios(&throughput(line), &throughput(recloser(line.traders)))),
            line.dropped.to_string(),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let header = [
        "one breaker",
        "traders",
        "threads",
        "a call, to a trader",
        "to an owner that trades",
        "M calls/s, all judged",
        "x recloser",
        "dropped",
    ];
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_judged_once_by_whoever_makes_it() {
        for (senders, trades) in [(0, true), (1, false), (1, true), (2, false)] {
            let mut line = ours("", senders, trades);
            let (round, dropped) = (line.play)();
            assert_eq!(dropped, 0, "a lane has room for a round");
            assert_eq!((round.trader_ns.is_some(), round.owner_ns.is_some()), (senders > 0, trades));
            assert!(round.throughput > 0.0);
        }
    }
}
