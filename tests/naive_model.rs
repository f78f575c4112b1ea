//! The breaker against a naive model of itself, under random operations and random settings: after each operation
//! everything that can be seen is equal. And what must hold whatever happens, checked on the way.

mod model;

use model::{Model, Ticket};
use proptest::prelude::*;
use proptest::sample::Index;
use trip99::{Breaker, Call, Config, Event, Events, Reason, Recovery, State};

#[derive(Clone, Debug)]
enum Op {
    Allow,
    Begin,
    Finish { which: Index, again: bool, ok: bool },
    Abandon { which: Index, again: bool },
    Release,
    Record { latency_ns: u64, ok: bool },
    Probe { latency_ns: u64, ok: bool },
    Poll,
    PollAtDeadline { before: bool },
    Halt,
    Resume,
    Reconfigure(Change),
    Quantile { quantile_ppm: u32 },
}

/// What a reconfiguration changes, of what may change.
#[derive(Clone, Debug)]
struct Change {
    threshold_ns: u64,
    window_age_ns: u64,
    sample_every: u32,
    probes: u32,
    recovery: Recovery,
    shadow: bool,
    backoff_multiplier: u32,
}

/// An operation, and how far the caller's clock moves before it: mostly little, at times far, or back for this one.
#[derive(Clone, Debug)]
struct Step {
    later_ns: u64,
    back_ns: u64,
    op: Op,
}

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![3 => Just(Recovery::Trials), 1 => Just(Recovery::HealthChecks)]
}

fn latency_ns() -> impl Strategy<Value = u64> {
    // Around the thresholds (10 and 40), their four fifths, and the spike limit.
    prop_oneof![8 => 0u64..60, 2 => prop::sample::select(vec![8, 9, 10, 11, 32, 33, 40, 41]), 1 => Just(u64::MAX)]
}

fn change() -> impl Strategy<Value = Change> {
    let judged = (prop::sample::select(vec![10, 40]), prop::sample::select(vec![0, 30, 200]), 1u32..4);
    let rest = (1u32..5, recovery(), any::<bool>(), 1u32..4);
    (judged, rest).prop_map(
        |((threshold_ns, window_age_ns, sample_every), (probes, recovery, shadow, backoff_multiplier))| Change {
            threshold_ns,
            window_age_ns,
            sample_every,
            probes,
            recovery,
            shadow,
            backoff_multiplier,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let ok = || prop::bool::weighted(0.8);
    let again = || prop::bool::weighted(0.05);
    prop_oneof![
        20 => Just(Op::Allow),
        20 => Just(Op::Begin),
        20 => (any::<Index>(), again(), ok()).prop_map(|(which, again, ok)| Op::Finish { which, again, ok }),
        3 => (any::<Index>(), again()).prop_map(|(which, again)| Op::Abandon { which, again }),
        4 => Just(Op::Release),
        20 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| Op::Record { latency_ns, ok }),
        6 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| Op::Probe { latency_ns, ok }),
        6 => Just(Op::Poll),
        6 => any::<bool>().prop_map(|before| Op::PollAtDeadline { before }),
        1 => Just(Op::Halt),
        2 => Just(Op::Resume),
        1 => change().prop_map(Op::Reconfigure),
        2 => (0u32..=1_000_000).prop_map(|quantile_ppm| Op::Quantile { quantile_ppm }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let later_ns = prop_oneof![8 => 0u64..3, 4 => 0u64..10, 1 => 0u64..100];
    let back_ns = prop_oneof![15 => Just(0u64), 1 => 0u64..100];
    (later_ns, back_ns, op()).prop_map(|(later_ns, back_ns, op)| Step { later_ns, back_ns, op })
}

fn config() -> impl Strategy<Value = Config> {
    let window = (prop::sample::select(vec![1u32, 2, 3, 8, 30]), 1u32..7, prop::sample::select(vec![0u64, 1, 30, 200]));
    let verdict = (prop::sample::select(vec![1u32, 500_000, 900_000, 990_000, 999_999]), 1u32..4, 1u32..4);
    let rules = (0u32..4, 0u32..4, prop::sample::select(vec![0u32, 300_000, 500_000, 1_000_000]));
    let calls = (prop::sample::select(vec![0u64, 15, 60, 300]), prop::sample::select(vec![1u32, 2, 4, 50]));
    let trials = (recovery(), 1u32..5, 1u32..5, prop::sample::select(vec![3u64, 200, 1000]), 0u64..10);
    let backoff =
        (prop::sample::select(vec![1u64, 10, 40]), 1u32..4, prop::sample::select(vec![1u64, 3, 20]), 1u64..500);
    let modes = (prop::bool::weighted(0.2), prop::bool::weighted(0.15));
    (window, verdict, rules, calls, trials, backoff, modes).prop_map(
        |(window, verdict, rules, calls, trials, backoff, (half_open, shadow))| Config {
            threshold_ns: 10,
            window_len: window.0,
            min_samples: window.1.min(window.0),
            window_age_ns: window.2,
            quantile_ppm: verdict.0,
            confirm_verdicts: verdict.1,
            sample_every: if verdict.2 == 3 { 3 } else { 1 },
            consecutive_failures: rules.0 * 2,
            spike_count: rules.1 * 2,
            failure_rate_ppm: rules.2,
            // Not 0: a reconfigured threshold would change it, and runs aren't judged anew.
            spike_limit_ns: 35,
            stall_limit_ns: calls.0,
            max_in_flight: calls.1,
            recovery: trials.0,
            probes: trials.1,
            trials_in_flight: trials.2.min(trials.1),
            probe_timeout_ns: trials.3,
            recover_threshold_ns: trials.4,
            backoff_base_ns: backoff.0,
            backoff_multiplier: backoff.1,
            backoff_max_ns: backoff.0 * backoff.2,
            stable_after_ns: backoff.3,
            start: if half_open { State::HalfOpen } else { State::Closed },
            shadow,
            jitter_ppm: 0,
            jitter_seed: 0,
        },
    )
}

/// Both, side by side.
struct Pair {
    breaker: Breaker,
    model: Model,
    events: Events,
    seen: usize,
    tickets: Vec<(Call, Ticket)>,
    /// Those that have not been given back.
    out: Vec<usize>,
    clock_ns: u64,
}

impl Pair {
    fn new(config: Config, clock_ns: u64) -> Self {
        let breaker = Breaker::new(config.clone()).expect("a legal config");
        let events = breaker.events();
        let (seen, tickets, out) = (0, Vec::new(), Vec::new());
        Self { breaker, model: Model::new(config), events, seen, tickets, out, clock_ns }
    }

    /// A ticket that is out; or, `again`, any that ever was.
    fn ticket(&mut self, which: Index, again: bool) -> Option<(Call, Ticket)> {
        let chosen = match again {
            true if !self.tickets.is_empty() => which.index(self.tickets.len()),
            false if !self.out.is_empty() => self.out.swap_remove(which.index(self.out.len())),
            _ => return None,
        };
        Some(self.tickets[chosen]).filter(|&(_, ticket)| self.model.may_return(ticket))
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.clock_ns = self.clock_ns.saturating_add(step.later_ns);
        let now_ns = self.clock_ns.saturating_sub(step.back_ns);
        let (breaker, model) = (&mut self.breaker, &mut self.model);
        match step.op.clone() {
            Op::Allow => prop_assert_eq!(breaker.allow_at(now_ns), model.allow(now_ns)),
            Op::Begin => {
                self.out.push(self.tickets.len());
                self.tickets.push((breaker.begin_at(now_ns), model.begin(now_ns)));
            }
            Op::Finish { which, again, ok } => {
                if let Some((call, ticket)) = self.ticket(which, again) {
                    if ok {
                        self.breaker.end_at(now_ns, call)
                    } else {
                        self.breaker.fail_at(now_ns, call)
                    }
                    self.model.finish(now_ns, ticket, ok);
                }
            }
            Op::Abandon { which, again } => {
                if let Some((call, ticket)) = self.ticket(which, again) {
                    self.breaker.abandon_at(now_ns, call);
                    self.model.abandon(now_ns, ticket);
                }
            }
            Op::Release => {
                breaker.release_at(now_ns);
                model.release(now_ns);
            }
            Op::Record { latency_ns, ok } => {
                if ok {
                    breaker.record_at(now_ns, latency_ns)
                } else {
                    breaker.record_failure_at(now_ns, latency_ns)
                }
                model.record(now_ns, latency_ns, ok);
            }
            Op::Probe { latency_ns, ok } => {
                breaker.record_probe_at(now_ns, latency_ns, ok);
                model.record_probe(now_ns, latency_ns, ok);
            }
            Op::Poll => {
                breaker.poll_at(now_ns);
                model.poll(now_ns);
            }
            Op::PollAtDeadline { before } => {
                let deadline_ns = model.next_deadline();
                if deadline_ns < self.clock_ns.saturating_add(5000) {
                    let at_ns = deadline_ns.saturating_sub(u64::from(before)).max(self.clock_ns);
                    self.clock_ns = at_ns;
                    breaker.poll_at(at_ns);
                    model.poll(at_ns);
                }
            }
            Op::Halt => {
                breaker.halt_at(now_ns);
                model.set_halt(now_ns, true);
            }
            Op::Resume => {
                breaker.resume_at(now_ns);
                model.set_halt(now_ns, false);
            }
            Op::Reconfigure(change) => {
                let mut config = model.config.clone();
                config.threshold_ns = change.threshold_ns;
                config.window_age_ns = change.window_age_ns;
                config.sample_every = change.sample_every;
                config.probes = change.probes;
                config.trials_in_flight = config.trials_in_flight.min(change.probes);
                config.recovery = change.recovery;
                config.shadow = change.shadow;
                config.backoff_multiplier = change.backoff_multiplier;
                prop_assert_eq!(breaker.reconfigure_at(now_ns, &config), Ok(()));
                model.reconfigure(now_ns, config);
            }
            Op::Quantile { quantile_ppm } => {
                prop_assert_eq!(breaker.quantile_at(now_ns, quantile_ppm), model.quantile(now_ns, quantile_ppm));
            }
        }
        self.compare()?;
        self.check_invariants()
    }

    /// Everything that can be seen.
    fn compare(&mut self) -> Result<(), TestCaseError> {
        let (model, snapshot) = (&mut self.model, self.breaker.snapshot());
        prop_assert_eq!(self.breaker.state(), model.state);
        prop_assert_eq!(self.breaker.next_deadline(), model.next_deadline());
        prop_assert_eq!(
            (snapshot.state, snapshot.halted, snapshot.shadow),
            (model.state, model.halted, model.config.shadow)
        );
        let (samples, slow, failed, overdue) = model.counts();
        let seen = [snapshot.samples, snapshot.slow, snapshot.failed, snapshot.overdue].map(|count| count as usize);
        prop_assert_eq!(seen, [samples, slow, failed, overdue]);
        prop_assert_eq!(snapshot.armed, samples + overdue >= model.config.min_samples as usize);
        prop_assert_eq!(snapshot.in_flight as usize, model.tracked());
        let trials = if model.state == State::HalfOpen { (model.granted, model.out, model.good) } else { (0, 0, 0) };
        prop_assert_eq!((snapshot.trials_granted, snapshot.trials_out, snapshot.trials_good), trials);
        prop_assert_eq!((snapshot.now_ns, snapshot.epoch_ns), (model.latest_ns, model.epoch_ns));
        prop_assert_eq!((snapshot.retry_at_ns, snapshot.attempt), (model.retry_at_ns, model.attempt()));
        prop_assert_eq!((snapshot.recorded, snapshot.stale), (model.recorded, model.stale));
        prop_assert_eq!((snapshot.untracked, snapshot.misused), (model.untracked, model.misused));
        prop_assert_eq!((snapshot.refused, snapshot.refused_in_shadow), (model.refused, model.refused_in_shadow));
        for event in self.events.by_ref() {
            prop_assert_eq!(event.sequence, self.seen as u64);
            prop_assert_eq!(Some(without_wall_time(event)), model.events.get(self.seen).copied());
            self.seen += 1;
        }
        prop_assert_eq!((self.seen, self.events.missed()), (model.events.len(), 0));
        Ok(())
    }

    /// What holds whatever happens.
    fn check_invariants(&self) -> Result<(), TestCaseError> {
        let (snapshot, observer) = (self.breaker.snapshot(), self.breaker.observer());
        prop_assert!(snapshot.trials_out <= snapshot.trials_granted);
        prop_assert!(snapshot.slow <= snapshot.samples && snapshot.failed <= snapshot.samples);
        prop_assert!(snapshot.samples <= self.breaker.config().window_len);
        prop_assert!(snapshot.in_flight <= self.breaker.config().max_in_flight);
        // The gate never shows closed while the automatic state is open.
        prop_assert_eq!(observer.state(), Some(snapshot.state));
        prop_assert_eq!(observer.is_halted(), snapshot.halted);
        prop_assert!(
            snapshot.state != State::Open
                || snapshot.retry_at_ns == u64::MAX
                || snapshot.retry_at_ns > snapshot.epoch_ns
        );
        Ok(())
    }
}

fn without_wall_time(event: Event) -> model::Event {
    model::Event {
        t_ns: event.t_ns,
        from: event.from,
        to: event.to,
        reason: event.reason,
        quantile_ns: event.quantile_ns,
        samples: event.samples,
        slow: event.slow,
        overdue: event.overdue,
        failures: event.failures,
        attempt: event.attempt,
        retry_at_ns: event.retry_at_ns,
        owner_gap_ns: event.owner_gap_ns,
    }
}

proptest! {
    #[test]
    fn the_breaker_equals_its_naive_model(
        config in config(),
        clock_ns in prop::sample::select(vec![0, 1000, 1 << 50, u64::MAX - 3000]),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut pair = Pair::new(config, clock_ns);
        for step in &steps {
            pair.apply(step)?;
        }
    }
}

/// The random operations would prove little if they didn't reach everything.
#[test]
fn random_operations_reach_every_reason_and_every_count() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::new();
    let mut counts = [0; 6];
    for _ in 0..200 {
        let config = config().new_tree(&mut runner).expect("a config").current();
        let steps = prop::collection::vec(step(), 250).new_tree(&mut runner).expect("steps").current();
        let mut pair = Pair::new(config, 1000);
        for step in &steps {
            pair.apply(step).expect("equal");
        }
        for event in &pair.model.events {
            *reasons.entry(event.reason.name()).or_insert(0) += 1;
        }
        let snapshot = pair.breaker.snapshot();
        let more = [
            snapshot.stale,
            snapshot.untracked,
            snapshot.refused,
            snapshot.refused_in_shadow,
            snapshot.misused,
            pair.model.events.iter().filter(|event| event.overdue > 0 && event.reason == Reason::Latency).count()
                as u64,
        ];
        counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    }
    assert!(reasons.len() == 12 && reasons.values().all(|&count| count >= 5), "{reasons:?}");
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
}
