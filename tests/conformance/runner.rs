//! The Rust runner: it carries out a stream of operations by the crate's public API.

use std::fmt::{Display, Write};
use trip99::lane::{BeginHalf, EndHalf};
use trip99::{
    Breaker, Call, Config, ConfigError, Event, Events, Gate, Holder, Lane, Observer, Resumed, Snapshot, State,
};

/// What a scenario has made so far. `None` stands for what it has ended.
#[derive(Default)]
pub(crate) struct Runner {
    config: Config,
    breakers: Vec<Option<Breaker>>,
    lanes: Vec<Option<Part>>,
    gates: Vec<Option<Gate>>,
    observers: Vec<Observer>,
    readers: Vec<Events>,
    tickets: Vec<Call>,
}

/// A lane, or a half of one.
enum Part {
    Whole(Box<Lane>),
    Begin(BeginHalf),
    End(EndHalf),
}

/// Does something on the kinds of lane that can do it.
macro_rules! on {
    ($($kind:ident)|+, $lane:expr, $part:ident => $does:expr) => {
        match $lane {
            $(Part::$kind($part) => $does,)+
            #[allow(unreachable_patterns, reason = "where every kind of lane can do it, no kind is left")]
            _ => panic!("this half can't"),
        }
    };
}

impl Runner {
    fn breaker(&mut self, index: u64) -> &mut Breaker {
        self.breakers[index as usize].as_mut().expect("a breaker")
    }

    fn lane(&mut self, index: u64) -> &mut Part {
        self.lanes[index as usize].as_mut().expect("a lane")
    }

    fn gate(&self, index: u64) -> &Gate {
        self.gates[index as usize].as_ref().expect("a gate")
    }

    /// What C's inline test of the gate's byte says; Rust's `allow` has that test within.
    fn passes(&self, gate: &Observer) -> bool {
        let shadow = self.breakers[0].as_ref().is_some_and(|breaker| breaker.config().shadow);
        gate.state() == Some(State::Closed) && !gate.is_halted() && !shadow && !gate.why().unwatched
    }

    /// Slots are given out in order.
    fn keep(&mut self, slot: u64, call: Call) {
        assert_eq!(slot, self.tickets.len() as u64);
        self.tickets.push(call);
    }

    /// Does one operation, and returns what there is to print of it, after its verb.
    pub(crate) fn run(&mut self, verb: &str, args: &[u64]) -> Option<String> {
        let call = |runner: &Self, slot: u64| runner.tickets[slot as usize];
        match (verb, args) {
            ("config", []) => self.config = Config::default(),
            ("create", []) => self.breakers.push(Some(Breaker::new(self.config.clone()).expect("a legal config"))),
            ("destroy", &[b]) => self.breakers[b as usize] = None,
            ("config_of", &[b]) => self.config = self.breaker(b).config().clone(),
            ("reconfigure", &[b]) => {
                let config = self.config.clone();
                return Some(status(self.breaker(b).reconfigure(&config)));
            }
            ("reconfigure_at", &[b, now_ns]) => {
                let config = self.config.clone();
                return Some(status(self.breaker(b).reconfigure_at(now_ns, &config)));
            }
            ("allow_at", &[b, now_ns]) => return Some(u8::from(self.breaker(b).allow_at(now_ns)).to_string()),
            ("begin_at", &[b, now_ns, slot]) => {
                let call = self.breaker(b).begin_at(now_ns);
                self.keep(slot, call);
            }
            ("end_at", &[b, now_ns, slot]) => {
                let call = call(self, slot);
                self.breaker(b).end_at(now_ns, call);
            }
            ("fail_at", &[b, now_ns, slot]) => {
                let call = call(self, slot);
                self.breaker(b).fail_at(now_ns, call);
            }
            ("abandon_at", &[b, now_ns, slot]) => {
                let call = call(self, slot);
                self.breaker(b).abandon_at(now_ns, call);
            }
            ("abandon", &[b, slot]) => {
                let call = call(self, slot);
                self.breaker(b).abandon(call);
            }
            ("record_at", &[b, now_ns, latency_ns]) => self.breaker(b).record_at(now_ns, latency_ns),
            ("record_failure_at", &[b, now_ns, latency_ns]) => self.breaker(b).record_failure_at(now_ns, latency_ns),
            ("record_probe_at", &[b, now_ns, latency_ns, ok]) => {
                self.breaker(b).record_probe_at(now_ns, latency_ns, ok != 0);
            }
            ("release_at", &[b, now_ns]) => self.breaker(b).release_at(now_ns),
            ("trip_at", &[b, now_ns]) => self.breaker(b).trip_at(now_ns),
            ("trip", &[b]) => self.breaker(b).trip(),
            ("release", &[b]) => self.breaker(b).release(),
            ("poll_at", &[b, now_ns]) => self.breaker(b).poll_at(now_ns),
            ("halt_at", &[b, now_ns]) => self.breaker(b).halt_at(now_ns, ""),
            ("resume_at", &[b, now_ns]) => {
                self.breaker(b).resume_at(now_ns, "");
            }
            // C's forms without a time are for any thread: in Rust that is a gate's.
            ("halt", &[b]) => {
                self.breaker(b).gate().halt("");
            }
            ("halt_with", &[b, reason]) => {
                self.breaker(b).gate().halt(&reason.to_string());
            }
            ("halt_as", &[b, holder, reason]) => {
                self.breaker(b).gate().halt_as(part(holder), &reason.to_string());
            }
            ("resume", &[b]) => {
                self.breaker(b).gate().resume("");
            }
            ("resume_as", &[b, holder]) => return Some(resumed(self.breaker(b).gate().resume_as(part(holder), ""))),
            ("quantile_ns", &[b, ppm]) => {
                return Some(self.breaker(b).quantile_ns(ppm as u32).unwrap_or(0).to_string());
            }
            ("quantile_ns_at", &[b, now_ns, ppm]) => {
                return Some(self.breaker(b).quantile_ns_at(now_ns, ppm as u32).unwrap_or(0).to_string());
            }
            ("observe", &[b]) => {
                let breaker = self.breaker(b);
                // It asks nothing, so nobody watches the owner on account of it.
                let seen = breaker.observer();
                let mut text = snapshot(&breaker.snapshot(), breaker.state(), seen.is_halted());
                field(&mut text, "deadline", breaker.next_deadline_ns());
                field(&mut text, "note", note(&seen));
                field(&mut text, "holders", seen.holders().notes().len());
                field(&mut text, "passes", u8::from(self.passes(&seen)));
                return Some(text);
            }
            ("last_event", &[b]) => return Some(event(self.breaker(b).events().last())),
            ("reasons", &[b]) => {
                let reasons: Vec<_> = self.breaker(b).events().map(|event| event.reason.to_string()).collect();
                return Some(reasons.join(" "));
            }
            ("published", &[b]) => {
                let published = self.breaker(b).observer().snapshot();
                return Some(published.map_or("none".into(), |found| snapshot(&found, found.state, found.halted)));
            }
            ("published_is_latest", &[b]) => {
                let breaker = self.breaker(b);
                return Some(u8::from(breaker.observer().snapshot() == Some(breaker.snapshot())).to_string());
            }
            ("lane_open", &[b, capacity]) => {
                let breaker = self.breaker(b);
                let lane = if capacity == 0 { breaker.lane() } else { breaker.lane_with_capacity(capacity as u32) };
                self.lanes.push(Some(Part::Whole(Box::new(lane))));
            }
            ("lane_split", &[l]) => {
                let Some(Part::Whole(lane)) = self.lanes[l as usize].take() else { panic!("a whole lane") };
                let (begin, end) = lane.split();
                self.lanes[l as usize] = Some(Part::Begin(begin));
                self.lanes.push(Some(Part::End(end)));
            }
            ("lane_close", &[l]) => self.lanes[l as usize] = None,
            ("lane_allow", &[l]) => {
                let passes = on!(Whole | Begin, self.lane(l), lane => lane.allow());
                return Some(u8::from(passes).to_string());
            }
            ("lane_release", &[l]) => on!(Whole | Begin, self.lane(l), lane => lane.release()),
            ("lane_begin_at", &[l, now_ns, slot]) => {
                let call = on!(Whole | Begin, self.lane(l), lane => lane.begin_at(now_ns));
                self.keep(slot, call);
            }
            ("lane_end_at", &[l, now_ns, slot]) => {
                let call = call(self, slot);
                on!(Whole | End, self.lane(l), lane => lane.end_at(now_ns, call));
            }
            ("lane_fail_at", &[l, now_ns, slot]) => {
                let call = call(self, slot);
                on!(Whole | Begin | End, self.lane(l), lane => lane.fail_at(now_ns, call));
            }
            ("lane_abandon_at", &[l, now_ns, slot]) => {
                let call = call(self, slot);
                on!(Whole | Begin | End, self.lane(l), lane => lane.abandon_at(now_ns, call));
            }
            ("lane_record_at", &[l, now_ns, latency_ns]) => {
                on!(Whole | Begin | End, self.lane(l), lane => lane.record_at(now_ns, latency_ns));
            }
            ("lane_record_failure_at", &[l, now_ns, latency_ns]) => {
                on!(Whole | Begin | End, self.lane(l), lane => lane.record_failure_at(now_ns, latency_ns));
            }
            ("lane_record_probe_at", &[l, now_ns, latency_ns, ok]) => {
                on!(Whole | End, self.lane(l), lane => lane.record_probe_at(now_ns, latency_ns, ok != 0));
            }
            ("lane_observe", &[l]) => {
                let seen = on!(Whole | Begin | End, self.lane(l), lane => Observer::clone(lane));
                let mut text = observer(&seen);
                field(&mut text, "passes", u8::from(self.passes(&seen)));
                field(&mut text, "dropped", on!(Whole | Begin | End, self.lane(l), lane => lane.dropped()));
                return Some(text);
            }
            ("lane_halt", &[l]) => {
                on!(Whole | Begin | End, self.lane(l), lane => lane.halt(""));
            }
            ("lane_halt", &[l, reason]) => {
                on!(Whole | Begin | End, self.lane(l), lane => lane.halt(&reason.to_string()));
            }
            ("lane_resume", &[l]) => {
                on!(Whole | Begin | End, self.lane(l), lane => lane.resume(""));
            }
            ("gate_handle_of", &[b]) => {
                let gate = self.breaker(b).gate();
                self.gates.push(Some(gate));
            }
            ("gate_handle_close", &[g]) => self.gates[g as usize] = None,
            ("gate_handle_allow", &[g]) => return Some(u8::from(self.gate(g).allow()).to_string()),
            ("gate_handle_release", &[g]) => self.gate(g).release(),
            ("gate_handle_halt", &[g]) => {
                self.gate(g).halt("");
            }
            ("gate_handle_halt", &[g, reason]) => {
                self.gate(g).halt(&reason.to_string());
            }
            ("gate_handle_halt_as", &[g, holder, reason]) => {
                self.gate(g).halt_as(part(holder), &reason.to_string());
            }
            ("gate_handle_resume", &[g]) => {
                self.gate(g).resume("");
            }
            ("gate_handle_resume_as", &[g, holder]) => return Some(resumed(self.gate(g).resume_as(part(holder), ""))),
            ("gate_handle_observe", &[g]) => {
                let mut text = observer(self.gate(g));
                field(&mut text, "passes", u8::from(self.passes(self.gate(g))));
                return Some(text);
            }
            ("observer_of", &[b]) => {
                let observer = self.breaker(b).observer();
                self.observers.push(observer);
            }
            ("observer_observe", &[o]) => return Some(observer(&self.observers[o as usize])),
            ("events_open", &[b]) => {
                let events = self.breaker(b).events();
                self.readers.push(events);
            }
            ("events_next", &[r]) => return Some(event(self.readers[r as usize].next())),
            ("events_missed", &[r]) => return Some(self.readers[r as usize].missed().to_string()),
            ("start_of", &[slot]) => return Some(format!("start_ns={}", call(self, slot).start_ns())),
            (verb, &[value]) if verb.starts_with("set_") => self.set(&verb["set_".len()..], value),
            _ => panic!("the Rust runner doesn't know {verb} {args:?}"),
        }
        None
    }

    fn set(&mut self, name: &str, value: u64) {
        let setting = Config::SETTINGS.iter().find(|setting| setting.field() == name);
        let setting = setting.unwrap_or_else(|| panic!("there is no setting {name}"));
        setting.set(&mut self.config, value).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn status(result: Result<(), ConfigError>) -> String {
    result.map_or_else(|error| format!("refused: {error}"), |()| "ok".into())
}

fn field(text: &mut String, name: &str, value: impl Display) {
    let space = if text.is_empty() { "" } else { " " };
    write!(text, "{space}{name}={value}").expect("a string takes it");
}

/// A part of the engine, whose name is a number here; or the latch.
fn part(number: u64) -> Holder {
    if number == u64::MAX { Holder::LATCH } else { Holder::engine(&number.to_string()) }
}

fn resumed(resumed: Resumed) -> String {
    let name = match resumed {
        Resumed::Done => "done",
        Resumed::StillHeld => "still_held",
        Resumed::NotHeld => "not_held",
        Resumed::Ended => "ended",
        other => panic!("{other:?}"),
    };
    name.into()
}

/// The reason of the latest halt that is held. It is a number here.
fn note(observer: &Observer) -> String {
    match observer.halt_note() {
        None => "none".into(),
        Some(note) if note.reason.is_empty() => "empty".into(),
        Some(note) => note.reason,
    }
}

fn observer(observer: &Observer) -> String {
    let mut text = String::new();
    field(&mut text, "state", observer.state().unwrap_or(State::Open));
    field(&mut text, "halted", u8::from(observer.is_halted()));
    field(&mut text, "note", note(observer));
    field(&mut text, "holders", observer.holders().notes().len());
    text
}

/// The state and the halt are read as other threads read them. The snapshot must agree.
fn snapshot(found: &Snapshot, state: State, halted: bool) -> String {
    let mut text = String::new();
    field(&mut text, "state", state);
    field(&mut text, "halted", u8::from(halted));
    field(&mut text, "snapshot_state", found.state);
    field(&mut text, "snapshot_halted", u8::from(found.halted));
    field(&mut text, "shadow", u8::from(found.shadow));
    field(&mut text, "armed", u8::from(found.armed));
    field(&mut text, "now_ns", found.now_ns);
    field(&mut text, "epoch_ns", found.epoch_ns);
    field(&mut text, "retry_at_ns", found.retry_at_ns);
    field(&mut text, "attempt", found.attempt);
    field(&mut text, "samples", found.samples);
    field(&mut text, "slow", found.slow);
    field(&mut text, "failures", found.failures);
    field(&mut text, "overdue", found.overdue);
    field(&mut text, "in_flight", found.in_flight);
    field(&mut text, "trials_granted", found.trials_granted);
    field(&mut text, "trials_out", found.trials_out);
    field(&mut text, "trials_good", found.trials_good);
    field(&mut text, "recorded", found.recorded);
    field(&mut text, "stale", found.stale);
    field(&mut text, "untracked", found.untracked);
    field(&mut text, "refused", found.refused);
    field(&mut text, "refused_in_shadow", found.refused_in_shadow);
    field(&mut text, "misused", found.misused);
    field(&mut text, "dropped", found.dropped);
    field(&mut text, "events", found.events);
    field(&mut text, "debt_ppm", found.debt_ppm);
    field(&mut text, "oldest_start_ns", found.oldest_start_ns);
    text
}

fn event(event: Option<Event>) -> String {
    let Some(event) = event else { return "none".into() };
    let mut text = String::new();
    field(&mut text, "sequence", event.sequence);
    field(&mut text, "t_ns", event.t_ns);
    field(&mut text, "from", event.from);
    field(&mut text, "to", event.to);
    field(&mut text, "reason", event.reason);
    field(&mut text, "quantile_ns", event.quantile_ns);
    field(&mut text, "retry_at_ns", event.retry_at_ns);
    field(&mut text, "owner_gap_ns", event.owner_gap_ns);
    field(&mut text, "samples", event.samples);
    field(&mut text, "slow", event.slow);
    field(&mut text, "overdue", event.overdue);
    field(&mut text, "failures", event.failures);
    field(&mut text, "attempt", event.attempt);
    field(&mut text, "observed", event.observed);
    field(&mut text, "limit", event.limit);
    field(&mut text, "by_debt", u8::from(event.by_debt));
    field(&mut text, "entry", event.entry);
    text
}
