//! What a breaker's tap tells is enough to replay the day: the trace made of it brings a breaker with the same settings to the same
//! transitions.

use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use trip99::{Breaker, Call, Config, Event, State, Tap};
use trip99_logs::replay::{Report, Summary, replay};
use trip99_logs::{LogError, Row, RowKind, Tapped};

/// What an engine wants to do: a call begins so long after the one before.
#[derive(Clone, Debug)]
struct Wish {
    step_ns: u64,
    latency_ns: Option<u64>,
    ok: bool,
    kind: RowKind,
    /// The engine has no ticket for it, if it is alone.
    has_ticket: bool,
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let step_ns = prop_oneof![20 => 1..30_u64, 5 => Just(0), 2 => 100..3000_u64];
    let latency_ns = prop_oneof![
        40 => (0..100_u64).prop_map(Some), 6 => (90..130_u64).prop_map(Some), 4 => (200..1500_u64).prop_map(Some), 1 => Just(None)
    ];
    let kind = prop_oneof![10 => Just(RowKind::Ask), 3 => Just(RowKind::Free), 2 => Just(RowKind::Withdrawn)];
    let ok = prop_oneof![12 => Just(true), 1 => Just(false)];
    let wish = (step_ns, latency_ns, ok, kind, any::<bool>())
        .prop_map(|(step_ns, latency_ns, ok, kind, has_ticket)| Wish { step_ns, latency_ns, ok, kind, has_ticket });
    prop::collection::vec(wish, 1..400)
}

fn configs() -> impl Strategy<Value = Config> {
    let verdict = (1..40_u32, 0..4_u32, 0..4_u32, prop_oneof![Just(0), Just(500_u64), Just(5000)]);
    let runs = (0..4_u32, 0..4_u32, prop_oneof![Just(0_u64), 101..900_u64], any::<bool>());
    let recovery = (1..5_u32, 1..3_u32, 50..2000_u64, 100..500_u64);
    (verdict, runs, recovery).prop_map(|(verdict, runs, recovery)| Config {
        quantile_ppm: 900_000,
        threshold_ns: 100,
        window_len: verdict.0,
        min_samples: verdict.0.min(5),
        min_slow: verdict.1,
        debt_limit: verdict.2,
        window_age_ns: verdict.3,
        consecutive_failures: runs.0,
        spike_count: runs.1,
        stall_limit_ns: runs.2,
        shadow: runs.3 && runs.2 > 800, // seldom
        probes: recovery.0,
        trials_in_flight: recovery.1.min(recovery.0),
        probe_timeout_ns: recovery.2.max(90),
        backoff_base_ns: recovery.3,
        backoff_max_ns: 4000,
        stable_after_ns: 3000,
        jitter_ppm: 0,
        tap_len: 4096,
        ..Config::default()
    })
}

/// A call that is under way; the earliest end first, and of these the first to begin.
type Due = Reverse<(u64, u64)>;

struct Engine {
    breaker: Breaker,
    due: BinaryHeap<Due>,
    /// Each call: its ticket or its start, and how it ends.
    calls: Vec<(Result<Call, u64>, bool, RowKind)>,
    events: Vec<Event>,
    reader: trip99::Events,
}

impl Engine {
    fn new(config: &Config) -> Self {
        let breaker = Breaker::new(config.clone()).unwrap();
        Self { reader: breaker.events(), breaker, due: BinaryHeap::new(), calls: Vec::new(), events: Vec::new() }
    }

    fn look(&mut self) {
        self.events.extend(self.reader.by_ref());
    }

    fn poll_until(&mut self, now_ns: u64, latest_ns: &mut u64) {
        while self.breaker.next_deadline_ns() <= now_ns {
            *latest_ns = (*latest_ns).max(self.breaker.next_deadline_ns());
            self.breaker.poll_at(*latest_ns);
            self.look();
        }
    }

    /// All that ends until then, each after the timers that are due by then.
    fn go_on_until(&mut self, now_ns: u64, latest_ns: &mut u64) {
        while let Some(&Reverse((end_ns, number))) = self.due.peek()
            && end_ns <= now_ns
        {
            self.due.pop();
            self.poll_until(end_ns, latest_ns);
            *latest_ns = end_ns;
            let (call, ok, kind) = self.calls[number as usize];
            match (call, kind, ok) {
                (Ok(call), RowKind::Withdrawn, _) => self.breaker.abandon_at(end_ns, call),
                (Ok(call), _, true) => self.breaker.end_at(end_ns, call),
                (Ok(call), _, false) => self.breaker.fail_at(end_ns, call),
                (Err(start_ns), _, true) => self.breaker.record_at(end_ns, end_ns - start_ns),
                (Err(start_ns), _, false) => self.breaker.record_failure_at(end_ns, end_ns - start_ns),
            }
            self.look();
        }
    }

    fn wish(&mut self, wish: &Wish, now_ns: u64, latest_ns: &mut u64) {
        self.go_on_until(now_ns, latest_ns);
        self.poll_until(now_ns, latest_ns);
        *latest_ns = now_ns;
        let begins = wish.kind == RowKind::Free || self.breaker.allow_at(now_ns);
        self.look();
        if begins {
            // A withdrawn call has a ticket to abandon.
            let call = if wish.has_ticket || wish.kind == RowKind::Withdrawn {
                Ok(self.breaker.begin_at(now_ns))
            } else {
                Err(now_ns)
            };
            let number = self.calls.len() as u64;
            self.calls.push((call, wish.ok, wish.kind));
            if let Some(latency_ns) = wish.latency_ns {
                self.due.push(Reverse((now_ns + latency_ns, number)));
            }
            self.look();
        }
    }
}

#[derive(Default)]
struct Transitions(Vec<Event>);

impl Report for Transitions {
    type Error = LogError;
    fn begin(&mut self, _: &Config) -> Result<(), LogError> {
        Ok(())
    }
    fn transition(&mut self, event: &Event) -> Result<(), LogError> {
        self.0.push(*event);
        Ok(())
    }
    fn end(&mut self, _: &Summary) -> Result<(), LogError> {
        Ok(())
    }
}

fn rows_of(tap: Tap) -> Vec<Row> {
    let mut tapped = Tapped::default();
    let mut tap = tap;
    tap.by_ref().for_each(|row| tapped.take(row));
    assert_eq!(tap.missed(), 0);
    let rows = tapped.rows_before(u64::MAX).collect();
    assert_eq!((tapped.out_of_order(), tapped.late()), (0, 0));
    rows
}

fn replayed(config: &Config, rows: &[Row]) -> Vec<Event> {
    let mut transitions = Transitions::default();
    replay(config, rows.iter().copied().map(Ok), &mut transitions).unwrap();
    transitions.0
}

/// Without what depends on the process: its clock and its other events.
fn figures(event: &Event) -> impl PartialEq + std::fmt::Debug + use<> {
    let verdict = (event.samples, event.slow, event.overdue, event.failures, event.quantile_ns, event.by_debt);
    (
        event.t_ns,
        event.from,
        event.to,
        event.reason,
        event.attempt,
        event.retry_at_ns,
        event.observed,
        event.limit,
        verdict,
    )
}

/// Plays the wishes, and returns the transitions and the rows of the tap.
fn played(config: &Config, wishes: &[Wish], with_tickets: bool) -> (Vec<Event>, Vec<Row>) {
    let mut engine = Engine::new(config);
    // In shadow nobody can tell a call that doesn't ask from one whose ask passed in shadow alone.
    let kind = |kind| if config.shadow && kind == RowKind::Free { RowKind::Ask } else { kind };
    let tap = engine.breaker.tap().unwrap();
    let (mut now_ns, mut latest_ns) = (1_000_000, 0);
    for wish in wishes {
        now_ns += wish.step_ns;
        engine.wish(&Wish { has_ticket: with_tickets, kind: kind(wish.kind), ..wish.clone() }, now_ns, &mut latest_ns);
    }
    engine.go_on_until(u64::MAX, &mut latest_ns);
    engine.breaker.destroy_at(latest_ns);
    (engine.events, rows_of(tap))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_of_the_tap_comes_to_the_same_transitions(config in configs(), wishes in wishes()) {
        // The order of what began at the same nanosecond isn't told, and while half-open it decides who is the trial.
        let wishes: Vec<Wish> = wishes.into_iter().map(|wish| Wish { step_ns: wish.step_ns.max(1), ..wish }).collect();
        let (events, rows) = played(&config, &wishes, true);
        prop_assert!(rows.is_sorted_by_key(|row| row.start_ns));
        // One row for each call and each refused ask.
        prop_assert_eq!(rows.len(), wishes.len());
        let replayed = replayed(&config, &rows);
        // A replay ends with its last row or completion. The engine may have polled after that, if its last calls were lost.
        let end_ns = rows.iter().map(|row| row.start_ns + row.latency_ns.unwrap_or(0)).max().unwrap_or(0);
        prop_assert_eq!(
            events.iter().filter(|event| event.t_ns <= end_ns).map(figures).collect::<Vec<_>>(),
            replayed.iter().map(figures).collect::<Vec<_>>(),
            "{:?}", rows
        );
    }

    /// Calls without tickets: one row for each that came back, in the order of their starts.
    #[test]
    fn calls_without_tickets_have_rows(config in configs(), wishes in wishes()) {
        let wishes: Vec<Wish> = wishes.into_iter().map(|wish| Wish { kind: RowKind::Ask, ..wish }).collect();
        let (_, rows) = played(&config, &wishes, false);
        prop_assert!(rows.is_sorted_by_key(|row| row.start_ns));
        let lost = |rows: &[Row]| rows.iter().filter(|row| row.latency_ns.is_none() && row.kind == RowKind::Ask).count();
        prop_assert_eq!(lost(&rows), 0, "nobody knows of them");
        prop_assert!(rows.len() >= wishes.iter().filter(|wish| wish.latency_ns.is_some()).count());
    }
}

/// Without trouble there would be nothing to compare.
#[test]
fn wishes_make_trouble() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut opened, mut closed, mut kinds) = (0, 0, [0; 4]);
    for _ in 0..100 {
        let config = configs().new_tree(&mut runner).unwrap().current();
        let wishes = wishes().new_tree(&mut runner).unwrap().current();
        let (events, rows) = played(&config, &wishes, true);
        opened += events.iter().filter(|event| event.to == State::Open).count();
        closed += events.iter().filter(|event| event.to == State::Closed).count();
        rows.iter().for_each(|row| kinds[row.kind as usize] += 1);
    }
    assert!(opened > 200 && closed > 20, "{opened}, {closed}");
    assert!(kinds.iter().all(|&count| count > 100), "{kinds:?}");
}
