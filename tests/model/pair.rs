//! The breaker and its model side by side. Both get the same operations, and after each everything is compared.

use super::lane_pair::{LaneOp, LanePair};
use super::lanes::Grants;
use super::{Model, Ticket};
use trip99::{Breaker, Call, Config, Event, Events, Gate, Halted, Holder, Reason, Recovery, Resumed, Snapshot, State};

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Allow,
    Begin,
    Finish {
        which: usize,
        again: bool,
        ok: bool,
    },
    Abandon {
        which: usize,
        again: bool,
    },
    Release,
    Trip,
    Record {
        latency_ns: u64,
        ok: bool,
    },
    Probe {
        latency_ns: u64,
        ok: bool,
    },
    Poll,
    PollAtDeadline {
        before: bool,
    },
    /// By the owner; or, if there are lanes, by another thread.
    Halt {
        who: usize,
        by_gate: bool,
    },
    Resume {
        who: usize,
        by_gate: bool,
    },
    Reconfigure(Change),
    Quantile {
        quantile_ppm: u32,
    },
    /// From here on: what other threads do, if there are lanes.
    GateAllow,
    GateRelease,
    Lane {
        lane: usize,
        op: LaneOp,
    },
}

/// The settings that a reconfiguration changes here.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) quantile_ppm: u32,
    pub(crate) min_slow: u32,
    pub(crate) debt_limit: u32,
    pub(crate) threshold_ns: u64,
    pub(crate) window_age_ns: u64,
    pub(crate) sample_every: u32,
    pub(crate) probes: u32,
    pub(crate) recovery: Recovery,
    pub(crate) shadow: bool,
    pub(crate) backoff_multiplier: u32,
}

impl Change {
    /// What hangs on what is changed follows, if it has to.
    fn of(self, config: &Config) -> Config {
        let above = |limit_ns: u64, value_ns: u64| if value_ns > 0 { value_ns.max(limit_ns + 1) } else { 0 };
        let config = Config {
            quantile_ppm: self.quantile_ppm,
            min_slow: self.min_slow,
            debt_limit: self.debt_limit,
            threshold_ns: self.threshold_ns,
            window_age_ns: above(self.threshold_ns, self.window_age_ns),
            stall_limit_ns: above(self.threshold_ns, config.stall_limit_ns),
            sample_every: self.sample_every,
            probes: self.probes,
            trials_in_flight: config.trials_in_flight.min(self.probes),
            recovery: self.recovery,
            shadow: self.shadow,
            backoff_multiplier: self.backoff_multiplier,
            ..config.clone()
        };
        Config { probe_timeout_ns: above(config.effective_recover_threshold_ns(), config.probe_timeout_ns), ..config }
    }
}

/// An operation, and how far the caller's clock moves before it. Mostly it moves a little, at times far, and at times back or
/// ahead for this operation alone.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) later_ns: u64,
    pub(crate) back_ns: u64,
    pub(crate) ahead_ns: u64,
    pub(crate) op: Op,
}

/// The breaker and its model, side by side.
pub(crate) struct Pair {
    pub(crate) breaker: Breaker,
    pub(crate) model: Model,
    events: Events,
    seen: usize,
    tickets: Vec<(Call, Ticket)>,
    /// The tickets that have not been given back.
    out: Vec<usize>,
    clock_ns: u64,
    /// Who asked last for a halt, rather than for a resume; and whether the owner has looked since.
    halted: [bool; 4],
    looked: bool,
    /// How many entries the operators' log has had, halts and resumes.
    entries: u64,
    /// The settings when the half-open epoch began.
    plan: Config,
    gate: Option<(Gate, Grants)>,
    lanes: Vec<LanePair>,
}

impl Pair {
    pub(crate) fn new(config: Config, clock_ns: u64) -> Self {
        trip99::warden::disable(); // it lives by another time
        let breaker = Breaker::new(config.clone()).expect("a legal config");
        let events = breaker.events();
        let (seen, tickets, out) = (0, Vec::new(), Vec::new());
        let (model, plan) = (Model::new(config.clone()), config);
        let (gate, lanes) = (None, Vec::new());
        Self {
            breaker,
            model,
            events,
            seen,
            tickets,
            out,
            clock_ns,
            halted: [false; 4],
            looked: true,
            entries: 0,
            plan,
            gate,
            lanes,
        }
    }

    /// With a gate, and with lanes of these capacities. Every second lane is split.
    pub(crate) fn with_lanes(config: Config, clock_ns: u64, capacities: &[u32]) -> Self {
        // Stamps that leap would make an owner silent: `silent_owner` is about that.
        let config = Config { owner_timeout_ns: 0, ..config };
        let mut pair = Self::new(config, clock_ns);
        pair.gate = Some((pair.breaker.gate(), Grants::default()));
        for (index, &capacity) in capacities.iter().enumerate() {
            pair.lanes.push(LanePair::open(&mut pair.breaker, &mut pair.model, capacity, index % 2 == 1));
        }
        pair
    }

    /// A ticket that is out, or with `again` any ticket that ever was out.
    fn ticket(&mut self, which: usize, again: bool) -> Option<(Call, Ticket)> {
        let chosen = match again {
            true if !self.tickets.is_empty() => which % self.tickets.len(),
            false if !self.out.is_empty() => self.out.swap_remove(which % self.out.len()),
            _ => return None,
        };
        Some(self.tickets[chosen]).filter(|&(_, ticket)| self.model.may_return(ticket))
    }

    pub(crate) fn apply(&mut self, step: &Step) {
        self.clock_ns = self.clock_ns.saturating_add(step.later_ns);
        let now_ns = self.clock_ns.saturating_add(step.ahead_ns).saturating_sub(step.back_ns);
        let before = self.breaker.snapshot();
        let (breaker, model) = (&mut self.breaker, &mut self.model);
        match step.op.clone() {
            Op::Allow => assert_eq!(breaker.allow_at(now_ns), model.allow(now_ns)),
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
            Op::Trip => {
                breaker.trip_at(now_ns);
                model.trip(now_ns);
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
                self.looked = true;
                breaker.poll_at(now_ns);
                model.poll(now_ns);
            }
            Op::PollAtDeadline { before } => {
                let deadline_ns = model.next_deadline_ns();
                if deadline_ns < self.clock_ns.saturating_add(5000) {
                    let at_ns = deadline_ns.saturating_sub(u64::from(before)).max(self.clock_ns);
                    self.clock_ns = at_ns;
                    breaker.poll_at(at_ns);
                    model.poll(at_ns);
                }
            }
            Op::Halt { who, by_gate } => {
                let (holder, reason) = (holder(who), format!("halt {}", self.entries));
                self.halted[who] = true;
                match &self.gate {
                    Some((gate, _)) if by_gate => {
                        assert_eq!(gate.halt_as(holder, &reason), Halted::Done);
                        model.halt(holder, &reason);
                    }
                    _ => {
                        let now_ns = now_ns.max(model.latest_ns.saturating_sub(100));
                        breaker.halt_as_at(now_ns, holder, &reason);
                        model.halt_at(now_ns, holder, &reason);
                    }
                }
            }
            Op::Resume { who, by_gate } => {
                let holder = holder(who);
                self.halted[who] = false;
                let (resumed, expected) = match &self.gate {
                    Some((gate, _)) if by_gate => {
                        self.looked = false;
                        (gate.resume_as(holder, ""), model.resume(holder))
                    }
                    _ => {
                        self.looked = true;
                        let now_ns = now_ns.max(model.latest_ns.saturating_sub(100));
                        (breaker.resume_as_at(now_ns, holder, ""), model.resume_at(now_ns, holder))
                    }
                };
                let expected = match expected {
                    (false, _) => Resumed::NotHeld,
                    (true, true) => Resumed::StillHeld,
                    (true, false) => Resumed::Done,
                };
                assert_eq!(resumed, expected);
            }
            Op::Reconfigure(change) => {
                let config = change.of(&model.config);
                assert_eq!(breaker.reconfigure_at(now_ns, &config), Ok(()));
                model.reconfigure(now_ns, config);
            }
            Op::Quantile { quantile_ppm } => {
                assert_eq!(breaker.quantile_ns_at(now_ns, quantile_ppm), model.quantile(now_ns, quantile_ppm));
            }
            Op::GateAllow => {
                if let Some((gate, grants)) = &mut self.gate {
                    assert_eq!(gate.allow(), model.gate_allow(grants));
                }
            }
            Op::GateRelease => {
                if let Some((gate, grants)) = &mut self.gate {
                    gate.release();
                    model.gate_release(grants);
                }
            }
            Op::Lane { lane, op } => {
                let count = self.lanes.len();
                if let Some(lane) = self.lanes.get_mut(lane % count.max(1)) {
                    lane.apply(&mut self.breaker, &mut self.model, now_ns, op);
                }
            }
        }
        for event in self.compare() {
            self.check_event(event, &before);
        }
        self.check_invariants();
        // To ask for a quantile takes note of the time, which would hide the owner's gaps. So half of the cases don't ask.
        if self.plan.window_len.is_multiple_of(2) {
            for quantile_ppm in [1, 500_000, 990_000, 999_999] {
                let now_ns = self.model.latest_ns;
                assert_eq!(
                    self.breaker.quantile_ns_at(now_ns, quantile_ppm),
                    self.model.quantile(now_ns, quantile_ppm)
                );
            }
        }
    }

    /// Compares everything that can be seen. Returns what happened.
    fn compare(&mut self) -> Vec<Event> {
        let (model, snapshot) = (&mut self.model, self.breaker.snapshot());
        assert_eq!(self.breaker.state(), model.state);
        assert_eq!(self.breaker.next_deadline_ns(), model.next_deadline_ns());
        assert_eq!(
            (snapshot.state, snapshot.halted, snapshot.shadow),
            (model.state, model.halted, model.config.shadow)
        );
        let (samples, slow, failed, overdue) = model.counts();
        let seen = [snapshot.samples, snapshot.slow, snapshot.failures, snapshot.overdue].map(|count| count as usize);
        assert_eq!(seen, [samples, slow, failed, overdue]);
        assert_eq!(snapshot.debt_ppm, model.seen_debt_ppm(model.state));
        assert_eq!(snapshot.armed, samples + overdue >= model.config.min_samples as usize);
        assert_eq!(snapshot.in_flight as usize, model.tracked());
        let trials =
            if model.state == State::HalfOpen { (model.granted(), model.noted_out, model.good) } else { (0, 0, 0) };
        assert_eq!((snapshot.trials_granted, snapshot.trials_out, snapshot.trials_good), trials);
        assert_eq!((snapshot.now_ns, snapshot.epoch_ns), (model.latest_ns, model.epoch_ns));
        assert_eq!((snapshot.retry_at_ns, snapshot.attempt), (model.retry_at_ns, model.attempt()));
        assert_eq!((snapshot.recorded, snapshot.stale), (model.recorded, model.stale));
        assert_eq!((snapshot.untracked, snapshot.misused), (model.untracked, model.misused));
        assert_eq!(snapshot.dropped, model.dropped);
        assert_eq!((snapshot.refused, snapshot.refused_in_shadow), (model.refused, model.refused_in_shadow));
        let observer = self.breaker.observer();
        if observer.log_entries() != self.entries {
            self.entries = observer.log_entries();
            assert_eq!((observer.log_entries(), model.halts.entries()), (self.entries, self.entries));
            let holders = observer.holders();
            let notes = holders.notes().iter().map(|note| (note.holder, note.entry, note.reason.clone()));
            let held = model.halts.held().into_iter().map(|(holder, entry, reason)| (Some(holder), entry, reason));
            assert!(notes.eq(held), "{holders:?}");
        }
        let happened: Vec<Event> = self.events.by_ref().collect();
        for &event in &happened {
            assert_eq!(event.sequence, self.seen as u64);
            assert_eq!(Some(without_wall_time(event)), model.events.get(self.seen).copied());
            self.seen += 1;
        }
        assert_eq!((self.seen, self.events.missed()), (model.events.len(), 0));
        happened
    }

    /// Checks what holds for each transition, whatever the model says. `before` is the snapshot before the operation.
    fn check_event(&mut self, event: Event, before: &Snapshot) {
        match event.to {
            // A pause is never over when it begins.
            State::Open if event.from != State::Open => {
                assert!(event.retry_at_ns > event.t_ns || event.retry_at_ns == u64::MAX);
            }
            State::HalfOpen if event.reason == Reason::Retry => self.plan = self.breaker.config().clone(),
            // The breaker never closes without all the good results, and all of them were granted in this epoch.
            State::Closed if event.reason == Reason::Recovered && self.lanes.is_empty() => {
                // (While the breaker is open these counts are 0. One good check may come with the end of the pause.)
                assert_eq!(before.trials_good + 1, self.plan.probes);
                if self.plan.recovery == Recovery::Trials {
                    assert_eq!((before.trials_granted, before.trials_out), (self.plan.probes, 1));
                }
            }
            _ => {}
        }
    }

    /// Checks what holds at any time, whatever the model says.
    fn check_invariants(&self) {
        let (snapshot, observer) = (self.breaker.snapshot(), self.breaker.observer());
        // Nothing automatic clears a halt, and the latch alone sets one. One that nobody holds ends when the owner looks.
        let is_latched = observer.holders().notes().iter().any(|note| note.holder == Some(Holder::LATCH));
        let (halted, is_held) = (observer.is_halted(), is_latched || self.halted.contains(&true));
        assert!(snapshot.halted == halted && (halted || !is_held) && (!halted || is_held || !self.looked));
        assert!(snapshot.trials_out <= self.plan.trials_in_flight && snapshot.trials_granted <= self.plan.probes);
        assert!(snapshot.trials_out + snapshot.trials_good <= snapshot.trials_granted || snapshot.trials_granted == 0);
        assert!(snapshot.slow <= snapshot.samples && snapshot.failures <= snapshot.samples);
        assert!(snapshot.samples <= self.breaker.config().window_len);
        let on_lanes: u32 = self.lanes.iter().map(LanePair::calls).sum();
        assert!(snapshot.in_flight <= self.breaker.config().max_in_flight + on_lanes);
        // The gate never shows closed while the automatic state is another.
        assert_eq!(observer.state(), Some(snapshot.state));
        assert!(snapshot.state == State::Open || snapshot.retry_at_ns == u64::MAX);
    }
}

/// In whose name somebody halts.
fn holder(who: usize) -> Holder {
    match who {
        0 => Holder::ENGINE,
        1 => Holder::engine("risk"),
        3 => Holder::LATCH,
        _ => Holder::new("ann@desk-7").expect("a name"),
    }
}

fn without_wall_time(event: Event) -> super::Event {
    super::Event {
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
        observed: event.observed,
        limit: event.limit,
        by_debt: event.by_debt,
        entry: event.entry,
    }
}
