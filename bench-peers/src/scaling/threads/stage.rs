//! Threads that start together, and what they took.

use super::CALLS;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Of the time of a thread's calls: the others start within so much of it.
const TOGETHER: f64 = 0.2;

/// Where the threads of a round meet.
pub(super) struct Stage {
    threads: usize,
    cores: usize,
    arrived: AtomicUsize,
    /// Threads that still send to the owner.
    senders: AtomicUsize,
}

impl Stage {
    /// One entry for each thread.
    fn has_cores(&self) -> bool {
        self.threads <= self.cores
    }

    /// All threads start together. No thread sleeps before that, as waking up takes as long as many calls.
    fn meet(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.threads {
            thread::yield_now();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks and reports.
    Trader,
    /// Asks and reports, and owns the breaker.
    TradingOwner,
    /// Only polls.
    Owner,
}

pub(super) struct Worker<'a> {
    role: Role,
    /// Returns when its own calls were over.
    work: Box<dyn FnMut(&Stage) -> Instant + Send + 'a>,
}

impl<'a> Worker<'a> {
    pub(super) fn trader(mut calls: impl FnMut() + Send + 'a) -> Self {
        let work = move |stage: &Stage| {
            calls();
            let over = Instant::now();
            stage.senders.fetch_sub(1, Ordering::Release);
            over
        };
        Self { role: Role::Trader, work: Box::new(work) }
    }

    /// `calls` are its own, if it trades. Then it polls until all is taken in; without a core of its own it lets others
    /// run in between.
    pub(super) fn owner<O: Send>(owner: &'a mut O, role: Role, calls: fn(&mut O), poll: fn(&mut O)) -> Self {
        let work = move |stage: &Stage| {
            calls(owner);
            let over = Instant::now();
            while stage.senders.load(Ordering::Acquire) > 0 {
                poll(owner);
                if !stage.has_cores() {
                    thread::yield_now();
                }
            }
            poll(owner);
            over
        };
        Self { role, work: Box::new(work) }
    }
}

/// What a round took.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// Those that trade started together, and so did the owner if there is a core for it. Otherwise the threads had
    /// their turns on one core, as others were on the rest, and it isn't parallel work that was timed.
    pub(super) is_parallel: bool,
    /// Nanoseconds of a call, to the traders, and to an owner that trades.
    pub(super) trader_ns: Option<f64>,
    pub(super) owner_ns: Option<f64>,
    /// Million calls a second, from the start until all are judged.
    pub(super) throughput: f64,
}

pub(super) fn run(workers: &mut [Worker<'_>]) -> Round {
    let senders = workers.iter().filter(|worker| worker.role == Role::Trader).count();
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let stage =
        Stage { threads: workers.len(), cores, arrived: AtomicUsize::new(0), senders: AtomicUsize::new(senders) };
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
    let seconds = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64();
    let call_ns = |of: Role| {
        let of_role = times.iter().filter(|&&(role, ..)| role == of);
        let ns: Vec<_> = of_role.map(|&(_, begin, over, _)| seconds(begin, over) * 1e9 / CALLS as f64).collect();
        (!ns.is_empty()).then(|| ns.iter().sum::<f64>() / ns.len() as f64)
    };
    let together = || times.iter().filter(|&&(role, ..)| stage.has_cores() || role != Role::Owner);
    let begins = || together().map(|&(_, begin, ..)| begin);
    let apart = seconds(begins().min().expect("some trade"), begins().max().expect("some trade"));
    let traders = || times.iter().filter(|&&(role, ..)| role != Role::Owner);
    let shortest = traders().map(|&(_, begin, over, _)| seconds(begin, over)).fold(f64::MAX, f64::min);
    let begin = times.iter().map(|&(_, begin, ..)| begin).min().expect("some work");
    let end = times.iter().map(|&(.., end)| end).max().expect("some work");
    Round {
        is_parallel: apart <= TOGETHER * shortest,
        trader_ns: call_ns(Role::Trader),
        owner_ns: call_ns(Role::TradingOwner),
        throughput: (traders().count() * CALLS) as f64 / seconds(begin, end) / 1e6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_round_lasts_until_the_owner_has_heard_all() {
        let sleep = |ms| thread::sleep(Duration::from_millis(ms));
        let mut polls = 0;
        let poll = |polls: &mut u32| {
            *polls += 1;
            thread::sleep(Duration::from_millis(1));
        };
        let round = {
            let owner = Worker::owner(&mut polls, Role::Owner, |_| {}, poll);
            run(&mut [Worker::trader(|| sleep(20)), owner])
        };
        let ns = round.trader_ns.expect("there is a trader") * CALLS as f64;
        assert!(ns >= 20e6 && round.owner_ns.is_none());
        assert!(polls > 1 && round.throughput < CALLS as f64 / 0.020 / 1e6);
    }
}
