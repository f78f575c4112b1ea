//! One breaker for several threads: trip99 through lanes, rivals shared as they are.

mod stage;

use crate::effort::Effort;
use crate::load::{Load, STEP_NS};
use crate::peers::{Shared, circuitbreaker_rs, failsafe, recloser, trip99};
use crate::report::{ratio, spread, table};
use crate::rounds::Spread;
use ::trip99::{Breaker, Config, Gate, Lane};
use stage::{Role, Round, Worker, run};
use std::hint::black_box;
use std::thread;

const ROUNDS: usize = 101;
/// For a round whose threads start together.
const TRIES: usize = 10;
/// Fewer rounds say nothing.
const ENOUGH_ROUNDS: usize = 3;
/// Of each thread that trades, in a round.
const CALLS: usize = 1 << 14;
/// A lane has room for a round, however late the owner polls: what is dropped would be cheap.
const LANE: u32 = 2 * CALLS as u32;

/// Plays a round, and returns how many calls were dropped in all rounds.
type Play = Box<dyn FnMut() -> (Round, u64)>;

pub(crate) struct Line {
    name: String,
    /// Threads that make calls, and all.
    traders: usize,
    threads: usize,
    play: Play,
    /// Of each round, if its threads started together.
    rounds: Vec<Option<Round>>,
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
    load: Load,
    /// As late as the senders' latest call.
    now_ns: u64,
    told: u64,
}

impl Owner {
    fn calls(&mut self) {
        let breaker = &mut self.breaker;
        self.load.run(CALLS, |now_ns, latency_ns| {
            let breaker = black_box(&mut *breaker);
            if breaker.allow_at(now_ns) {
                breaker.record_at(now_ns, latency_ns);
            }
            breaker.poll_at(now_ns);
        });
    }

    fn poll(&mut self) {
        black_box(&mut self.breaker).poll_at(self.now_ns);
    }
}

fn ours(name: &str, senders: usize, trades: bool) -> Line {
    ours_with(name, senders, trades, LANE)
}

fn ours_with(name: &str, senders: usize, trades: bool, lane_len: u32) -> Line {
    let mut breaker = trip99::breaker(Config::default());
    let mut sender = |_| Sender { gate: breaker.gate(), lane: breaker.lane_with_capacity(lane_len), load: Load::new() };
    let mut senders: Vec<_> = (0..senders).map(&mut sender).collect();
    let mut owner = Owner { breaker, load: Load::new(), now_ns: 0, told: 0 };
    Line::new(name, senders.len() + usize::from(trades), senders.len() + 1, move || {
        owner.now_ns += CALLS as u64 * STEP_NS;
        owner.told += ((senders.len() + usize::from(trades)) * CALLS) as u64;
        let mut workers: Vec<_> = senders.iter_mut().map(|sender| Worker::trader(|| sender.calls())).collect();
        let (role, calls): (Role, fn(&mut Owner)) =
            if trades { (Role::TradingOwner, Owner::calls) } else { (Role::Owner, |_| {}) };
        workers.push(Worker::owner(&mut owner, role, calls, Owner::poll));
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

const LANE_AND_OWNER: &str = "trip99: a lane, and an owner that polls";
const RECLOSER: &str = "recloser";

/// Those of one trader, then those of two.
fn lines() -> Vec<Line> {
    let rivals = |traders| {
        [
            rival(RECLOSER, traders, recloser::make()),
            rival("failsafe", traders, failsafe::make()),
            rival("circuitbreaker-rs", traders, circuitbreaker_rs::make()),
        ]
    };
    let mut lines = vec![ours("trip99: the owner trades", 0, true), ours(LANE_AND_OWNER, 1, false)];
    lines.extend(rivals(1));
    lines.push(ours("trip99: a lane, and the owner trades, too", 1, true));
    lines.push(ours("trip99: two lanes, and an owner that polls", 2, false));
    lines.extend(rivals(2));
    lines
}

pub(crate) fn measure(effort: Effort) -> Vec<Line> {
    let mut lines = lines();
    // The first round warms up.
    for round in 0..=effort.rounds(ROUNDS) {
        for line in &mut lines {
            let mut try_round = || {
                let (figures, dropped) = (line.play)();
                line.dropped = dropped;
                figures.is_parallel.then_some(figures)
            };
            let figures = (0..TRIES).find_map(|_| try_round());
            if round > 0 {
                line.rounds.push(figures);
            }
        }
    }
    lines
}

fn recloser(lines: &[Line], traders: usize) -> &Line {
    let line = lines.iter().find(|line| line.traders == traders && line.name == RECLOSER);
    line.expect("one for each number of traders")
}

/// Round by round. `None`: the threads seldom ran side by side.
fn throughput_ratio(line: &Line, to: &Line) -> Option<Spread> {
    let pairs = line.rounds.iter().zip(&to.rounds);
    let ratios = pairs.filter_map(|(round, to)| Some((*round)?.throughput / (*to)?.throughput));
    enough(ratios.collect()).map(Spread::of)
}

/// The throughput of one trader's lane and its owner, beside recloser's.
pub(crate) fn lane_to_recloser(lines: &[Line]) -> Option<Spread> {
    let lane = lines.iter().find(|line| line.name == LANE_AND_OWNER).expect("such a line is timed");
    throughput_ratio(lane, recloser(lines, lane.traders))
}

pub(crate) fn report(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let rounds = || line.rounds.iter().flatten();
        let all_of = |what: fn(&Round) -> Option<f64>| rounds().filter_map(what).collect::<Vec<_>>();
        let times = |what| enough(all_of(what)).map(|ns| spread(&ns));
        let throughput = enough(all_of(|round| Some(round.throughput))).map(|million| ratio(Spread::of(million)));
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        vec![
            line.name.clone(),
            line.traders.to_string(),
            threads(line.threads),
            or_dash(times(|round| round.trader_ns)),
            or_dash(times(|round| round.owner_ns)),
            or_dash(throughput),
            or_dash(throughput_ratio(line, recloser(lines, line.traders)).map(ratio)),
            line.dropped.to_string(),
            format!("{} of {}", rounds().count(), line.rounds.len()),
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
        "throughput x recloser",
        "dropped",
        "rounds",
    ];
    table(&header, &rows)
}

/// More than there are cores take turns on them.
fn threads(count: usize) -> String {
    match thread::available_parallelism() {
        Ok(cores) if count > cores.get() => format!("{count} on {cores} cores"),
        _ => count.to_string(),
    }
}

fn enough(figures: Vec<f64>) -> Option<Vec<f64>> {
    (figures.len() >= ENOUGH_ROUNDS).then_some(figures)
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

    #[test]
    fn throughputs_are_compared_in_rounds_that_both_ran_in_parallel() {
        let line = |name: &str, throughputs: [Option<f64>; 5]| {
            let mut line = Line::new(name, 1, 1, || panic!("it isn't played"));
            let round = |throughput| Round { is_parallel: true, trader_ns: None, owner_ns: None, throughput };
            line.rounds = throughputs.map(|throughput| throughput.map(round)).to_vec();
            line
        };
        let recloser = || line(RECLOSER, [Some(10.0), Some(10.0), Some(20.0), None, Some(20.0)]);
        let lane = line(LANE_AND_OWNER, [Some(30.0), Some(10.0), Some(40.0), Some(99.0), None]);
        let ratio = lane_to_recloser(&[lane, recloser()]).expect("three rounds are enough");
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.0, 2.0, 2.0));
        let seldom = line(LANE_AND_OWNER, [Some(30.0), None, Some(40.0), Some(99.0), None]);
        assert!(lane_to_recloser(&[seldom, recloser()]).is_none());
    }

    #[test]
    fn what_a_full_lane_drops_is_counted() {
        let (_, dropped) = (ours_with("", 1, true, 4).play)();
        assert!(dropped > 0, "the owner can't keep pace with a lane of four messages");
    }
}
