//! A model of a fleet, which tries out every order of events up to a bound. Agent and governor are the real ones: they are pure, so the
//! model hands them messages and ticks. Messages may be late, lost (never delivered), repeated and reordered; the agent may be killed and
//! start again at any step; a governor may read when it likes.
//!
//! Each invariant has twins that are broken in one way that looks right, and the model must find each of them.

use stateright::{Checker, Model, Property};
use trip99_fleet::agent::{Agent, Heeded, Kept, Limits, Line, PageFacts};
use trip99_fleet::governor::{Found, Governor};
use trip99_fleet::labels::Labels;
use trip99_fleet::message::{Answer, Halt, Id, Record};
use trip99_fleet::selection::Selection;

/// One is a tick. The warden looks at each tick.
const LIMITS: Limits = Limits { lease_ns: 2, stale_after_ns: 0, proven_ns: 1 };
const LOOK: u64 = 1;
const BUCKET: &str = "b";
const PAGE: &str = "/page";

/// A way to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// The lease runs from when the answer came.
    LeaseFromArrival,
    /// An answer counts whatever revision it names.
    UnreadCounts,
    /// However long ago the governor heard the leader.
    AgeIgnored,
    /// The halt is answered before it is on the disk.
    AnswersBeforeDisk,
    /// The disk isn't read at the start.
    DiskForgotten,
    /// A resume lifts all that the agent knows.
    ResumeLiftsAll,
    /// Nobody acts when the lease has run out.
    NoWarden,
}

/// What the bucket has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Halt(usize),
    Tombstones(Vec<usize>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Message {
    Ask { nonce: u64, sent: u64 },
    Answer { nonce: u64, revision: u64, age: u64 },
    Lines(u64),
    Halt(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    now: u64,
    /// The leader's lines after the first, each with when it was written.
    lines: Vec<(Entry, u64)>,
    governor: Governor,
    agent: Option<Agent>,
    disk: Kept,
    /// Halts that the agent has yet to answer.
    unanswered: Vec<usize>,
    answered: Vec<usize>,
    held: bool,
    lease_ends: u64,
    lease_held: bool,
    in_force_since: Option<u64>,
    messages: Vec<Message>,
    said: usize,
    listed: Option<(u64, Vec<usize>)>,
    asks: u64,
    repeats: u32,
    kills: u32,
    resumes: u32,
    /// When the latest ask was sent that a governor has heard.
    heard: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Ask,
    /// The governor reads from the leader before the next step, which is an ask. (A read that no ask follows changes nothing.)
    Read(usize),
    Deliver(usize),
    Repeat(usize),
    Say,
    File(usize),
    Save,
    Kill,
    Start,
    List,
    Resume,
}

#[derive(Clone, Debug)]
struct Fleet {
    flaw: Flaw,
    ticks: u64,
    asks: u64,
    halts: usize,
    repeats: u32,
    kills: u32,
    resumes: u32,
}

fn id(halt: usize) -> Id {
    Id::try_from(format!("0000000{halt}")).unwrap()
}

fn halt(which: usize) -> Halt {
    Halt { id: id(which), selection: Selection::all(), reason: String::new(), who: String::new(), at_ns: 0 }
}

impl State {
    fn revision(&self) -> u64 {
        self.lines.len() as u64 + 1
    }

    fn is_dead(&self, halt: usize) -> bool {
        self.lines.iter().any(|(entry, _)| matches!(entry, Entry::Tombstones(halts) if halts.contains(&halt)))
    }

    /// An order would pass.
    fn passes(&self) -> bool {
        !self.held && !self.lease_held
    }

    fn send(&mut self, message: Message) {
        self.messages.push(message);
        self.messages.sort();
    }

    /// Carries out the agent's verdict.
    fn apply(&mut self) {
        let Some(agent) = &mut self.agent else { return };
        agent.tick(self.now);
        agent.settle(PAGE, &Labels::unknown("page", "h"));
        let page = PageFacts { path: PAGE, lease_ends_ns: self.lease_ends, is_unguarded: false, is_held: self.held };
        let verdict = agent.verdict(&page, self.now);
        self.held = verdict.hold.is_some();
        self.lease_ends = verdict.lease_ends_ns.unwrap_or(self.lease_ends);
    }

    /// The warden of the owner's process.
    fn look(&mut self) {
        if self.lease_ends == 0 {
            self.in_force_since = None;
        } else if self.now >= self.lease_ends {
            (self.lease_held, self.in_force_since) = (true, None);
        } else if self.now - *self.in_force_since.get_or_insert(self.now) >= LIMITS.proven_ns {
            self.lease_held = false;
        }
    }
}

impl Fleet {
    const fn new(flaw: Flaw) -> Self {
        Self { flaw, ticks: 5, asks: 2, halts: 1, repeats: 0, kills: 0, resumes: 0 }
    }

    fn start(&self, state: &mut State) {
        let kept = if self.flaw == Flaw::DiskForgotten { Kept::default() } else { state.disk.clone() };
        state.agent = Some(Agent::new(LIMITS, kept, state.now));
        state.apply();
    }

    fn deliver(&self, state: &mut State, message: &Message) {
        let now = state.now;
        match *message {
            Message::Ask { nonce, sent } => {
                state.heard = state.heard.max(sent);
                if let Some((_, revision, age)) = state.governor.answer(now) {
                    state.send(Message::Answer { nonce, revision, age });
                }
            }
            Message::Answer { nonce, revision, age } => self.answer(state, nonce, revision, age),
            Message::Lines(upto) => {
                let lines = state.lines.clone();
                let Some(agent) = &mut state.agent else { return };
                agent.line(BUCKET, 1, &Line::Nothing, now);
                for (place, (entry, _)) in lines.iter().enumerate().take(upto as usize - 1) {
                    let live: Vec<Id> = agent.kept().book.live().map(|known| known.halt.id.clone()).collect();
                    let revision = place as u64 + 2;
                    match entry {
                        Entry::Halt(which) => agent.line(BUCKET, revision, &Line::Halt(&halt(*which), ""), now),
                        Entry::Tombstones(halts) => {
                            let ids: Vec<Id> = match self.flaw {
                                Flaw::ResumeLiftsAll => live,
                                _ => halts.iter().map(|&halt| id(halt)).collect(),
                            };
                            agent.line(BUCKET, revision, &Line::Tombstones(&ids), now)
                        }
                    };
                }
            }
            Message::Halt(which) => {
                let Some(agent) = &mut state.agent else { return };
                agent.halt(&halt(which), "");
                // Where nobody is killed the disk doesn't matter.
                let is_at_once = self.kills == 0 || self.flaw == Flaw::AnswersBeforeDisk;
                let list = if is_at_once { &mut state.answered } else { &mut state.unanswered };
                if !list.contains(&which) {
                    list.push(which);
                }
            }
        }
        state.apply();
    }

    fn answer(&self, state: &mut State, nonce: u64, revision: u64, age: u64) {
        let now = state.now;
        let Some(agent) = &mut state.agent else { return };
        let mut answer = Answer { nonce: nonce.to_string(), bucket: BUCKET.into(), revision, age_ns: age };
        match self.flaw {
            Flaw::LeaseFromArrival => {
                answer.nonce = format!("again {now}");
                agent.ask(answer.nonce.clone(), now);
            }
            Flaw::UnreadCounts if agent.kept().revision > 0 => answer.revision = agent.kept().revision,
            Flaw::AgeIgnored => answer.age_ns = 0,
            _ => {}
        }
        if agent.answer(&answer, now) == Heeded::Behind {
            state.send(Message::Lines(revision));
        }
    }
}

impl Model for Fleet {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            now: 1,
            lines: Vec::new(),
            governor: Governor::default(),
            agent: None,
            disk: Kept::default(),
            unanswered: Vec::new(),
            answered: Vec::new(),
            held: false,
            lease_ends: 0,
            lease_held: false,
            in_force_since: None,
            messages: Vec::new(),
            said: 0,
            listed: None,
            asks: 0,
            repeats: 0,
            kills: 0,
            resumes: 0,
            heard: 0,
        };
        self.start(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.ticks {
            actions.push(Action::Tick);
        }
        if state.agent.is_some() && state.asks < self.asks {
            actions.push(Action::Ask);
        }
        let has_read = state.governor.answer(state.now) == Some((BUCKET, state.revision(), 0));
        for (place, message) in state.messages.iter().enumerate() {
            if matches!(message, Message::Ask { .. }) && !has_read {
                actions.push(Action::Read(place));
            }
            actions.push(Action::Deliver(place));
            if state.repeats < self.repeats {
                actions.push(Action::Repeat(place));
            }
        }
        if state.said < self.halts {
            actions.push(Action::Say);
        }
        let is_filed = |halt| state.lines.iter().any(|(entry, _)| *entry == Entry::Halt(halt));
        actions.extend((0..state.said).filter(|&halt| !is_filed(halt)).map(Action::File));
        if !state.unanswered.is_empty() && state.agent.is_some() {
            actions.push(Action::Save);
        }
        match state.agent {
            Some(_) if state.kills < self.kills => actions.push(Action::Kill),
            None => actions.push(Action::Start),
            Some(_) => {}
        }
        if state.listed.is_some() {
            actions.push(Action::Resume);
        } else if state.resumes < self.resumes && !state.lines.is_empty() {
            actions.push(Action::List);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => {
                state.now += 1;
                state.apply();
                if self.flaw != Flaw::NoWarden {
                    state.look();
                }
            }
            Action::Ask => {
                state.asks += 1;
                let (nonce, now) = (state.asks, state.now);
                state.agent.as_mut()?.ask(nonce.to_string(), now);
                state.send(Message::Ask { nonce, sent: now });
            }
            Action::Read(place) => {
                let found = Found { bucket: BUCKET.to_owned(), last: state.revision() };
                for revision in state.governor.read(state.now, &found).unwrap() {
                    state.governor.line(Record { revision, envelope: String::new() }, None);
                }
                assert!(state.governor.read(state.now, &found).unwrap().is_empty());
                return self.next_state(&state, Action::Deliver(place));
            }
            Action::Deliver(place) => {
                let message = state.messages.remove(place);
                self.deliver(&mut state, &message);
            }
            Action::Repeat(place) => {
                state.repeats += 1;
                let message = state.messages[place].clone();
                self.deliver(&mut state, &message);
            }
            Action::Say => {
                state.send(Message::Halt(last.said));
                state.said += 1;
            }
            Action::File(halt) => state.lines.push((Entry::Halt(halt), last.now)),
            Action::Save => {
                state.disk = state.agent.as_ref()?.kept().clone();
                state.answered.append(&mut state.unanswered);
            }
            Action::Kill => {
                state.kills += 1;
                state.agent = None;
                state.unanswered.clear();
            }
            Action::Start => self.start(&mut state),
            Action::List => {
                let halts = (0..last.said).filter(|&halt| {
                    last.lines.iter().any(|(entry, _)| *entry == Entry::Halt(halt)) && !last.is_dead(halt)
                });
                state.listed = Some((last.revision(), halts.collect()));
                state.resumes += 1;
            }
            Action::Resume => {
                let (revision, halts) = state.listed.take()?;
                // Only as the very next line.
                if revision == state.revision() {
                    state.lines.push((Entry::Tombstones(halts), last.now));
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an answered halt holds", |_, state: &State| {
                state.answered.iter().all(|&halt| state.held || state.is_dead(halt))
            }),
            Property::always("a halt that the agent knows holds", |_, state: &State| {
                let knows = |agent: &Agent| {
                    (0..state.said).any(|halt| agent.kept().book.get(&id(halt)).is_some() && !state.is_dead(halt))
                };
                state.held || !state.agent.as_ref().is_some_and(knows)
            }),
            Property::always("a filed halt stops by its bound", |_, state: &State| {
                let bound = LIMITS.lease_ns + LIMITS.stale_after_ns + LOOK;
                let is_late = |(entry, written): &(Entry, u64)| match entry {
                    Entry::Halt(halt) => !state.is_dead(*halt) && state.now > written + bound,
                    Entry::Tombstones(_) => false,
                };
                !state.passes() || !state.lines.iter().any(is_late)
            }),
            Property::always("who is cut off stops by its bound", |_, state: &State| {
                !state.passes() || state.now <= state.heard + LIMITS.lease_ns + LOOK
            }),
            // The model isn't empty.
            Property::sometimes("it trades", |_, state: &State| state.passes()),
            Property::sometimes("a halt is answered", |_, state: &State| !state.answered.is_empty()),
            Property::sometimes("it trades after a resume", |_, state: &State| {
                state.passes() && !state.answered.is_empty() && state.lines.len() >= 2
            }),
        ]
    }
}

const TRADES: &str = "it trades";
const ANSWERED: &str = "an answered halt holds";
const FILED: &str = "a filed halt stops by its bound";
const CUT_OFF: &str = "who is cut off stops by its bound";
const RESUMED: &str = "it trades after a resume";

/// Each state up to the bounds of a fleet. `reached` must be among them.
fn check(fleet: Fleet, reached: &[&'static str]) {
    let (bounds, begin) = (fleet.clone(), std::time::Instant::now());
    let checker = fleet.checker().spawn_dfs().join();
    let found = checker.discoveries();
    println!("{} states in {:?}: {bounds:?}", checker.unique_state_count(), begin.elapsed());
    let broken: Vec<_> = found.keys().filter(|name| ![TRADES, "a halt is answered", RESUMED].contains(name)).collect();
    assert!(broken.is_empty(), "{bounds:?}: {broken:?}");
    for name in reached {
        assert!(found.contains_key(name), "{bounds:?} never comes to: {name}");
    }
}

#[test]
fn nothing_passes_that_was_stopped_or_is_cut_off() {
    let fleet = Fleet::new(Flaw::None);
    // More of them take minutes.
    let more = std::env::var("TRIP99_MODEL_MORE").ok().and_then(|more| more.parse().ok()).unwrap_or(0_u64);
    let of = |ticks: u64| Fleet { ticks: ticks + more, ..fleet.clone() };
    check(of(5), &[TRADES, "a halt is answered"]);
    check(Fleet { kills: 1, ..of(3) }, &[TRADES, "a halt is answered"]);
    check(Fleet { repeats: 1, ..of(2) }, &[TRADES, "a halt is answered"]);
    check(Fleet { halts: 0, kills: 1, ..of(5) }, &[TRADES]);
    check(Fleet { resumes: 1, ..of(2) }, &[RESUMED]);
    check(Fleet { kills: 1, repeats: 1, resumes: 1, asks: 1, ..of(1) }, &[TRADES]);
}

/// The counterexample is looked for in breadth, so that it is the shortest one.
fn finds(fleet: Fleet, property: &'static str) {
    let bounds = fleet.clone();
    let checker = fleet.checker().finish_when(stateright::HasDiscoveries::AllOf([property].into())).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "not found by {property:?}: {bounds:?}");
}

#[test]
fn each_broken_twin_is_found() {
    let of = Fleet::new;
    finds(Fleet { halts: 0, ..of(Flaw::LeaseFromArrival) }, CUT_OFF);
    finds(of(Flaw::UnreadCounts), FILED);
    finds(of(Flaw::AgeIgnored), FILED);
    finds(Fleet { ticks: 2, kills: 1, ..of(Flaw::AnswersBeforeDisk) }, ANSWERED);
    finds(Fleet { ticks: 2, kills: 1, ..of(Flaw::DiskForgotten) }, ANSWERED);
    finds(Fleet { halts: 2, ticks: 2, resumes: 1, ..of(Flaw::ResumeLiftsAll) }, ANSWERED);
    finds(Fleet { halts: 0, kills: 1, ..of(Flaw::NoWarden) }, CUT_OFF);
}
