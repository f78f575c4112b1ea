//! Signed messages in every order, and again and again: what an agent holds is what a naive reader of the same messages would hold, and never
//! less than each halt that it was told and that no line of the bucket has named as over.

use proptest::prelude::*;
use std::collections::BTreeSet;
use trip99_fleet::agent::{Agent, Limits};
use trip99_fleet::hear;
use trip99_fleet::keys::Key;
use trip99_fleet::labels::Labels;
use trip99_fleet::message::{self, Body, Halt, Id, Record, Resume};
use trip99_fleet::selection::Selection;
use trip99_fleet::trust::{Role, Trust};

const PAGE: &str = "/page";
const BUCKET: &str = "b";
const HALTS: usize = 4;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Resumer,
    /// A resumer whose key was revoked.
    Revoked,
    Halter,
    Nobody,
    /// A resumer's signature below another text.
    Changed,
}

/// A line of the bucket after the first one, which only names the bucket.
#[derive(Clone, Debug)]
enum Entry {
    Halt(usize),
    Resume(By, Vec<usize>),
}

/// What reaches the agent.
#[derive(Clone, Debug)]
enum Arrival {
    /// A halt, beside the bucket.
    Halt(usize),
    /// A resume, where halts are heard.
    ResumeAsHalt(usize),
    /// A halt that no halter has signed.
    Forged(usize),
    /// The line of the bucket with this number, counted from 1.
    Line(u64),
    /// That line, as one of another bucket.
    OfAnotherBucket(u64),
    /// The agent is killed, and starts again with what is on its disk.
    Restart,
}

struct Fleet {
    trust: Trust,
    keys: [Key; 4],
}

fn id(halt: usize) -> Id {
    Id::try_from(format!("0000000{halt}")).unwrap()
}

impl Fleet {
    fn new() -> Self {
        let keys = [(); 4].map(|()| Key::new().unwrap());
        let [halter, resumer, revoked, _] = &keys;
        let mut trust = Trust::new("f", vec!["nats://a".to_owned()], 3);
        trust.add(Role::Halter, "ann", &halter.public());
        trust.add(Role::Resumer, "bob", &resumer.public());
        trust.add(Role::Resumer, "eve", &revoked.public());
        trust.revoke(&revoked.public());
        Self { trust, keys }
    }

    fn seal(&self, by: By, body: &Body) -> String {
        let [halter, resumer, revoked, nobody] = &self.keys;
        let key = match by {
            By::Halter => halter,
            By::Resumer | By::Changed => resumer,
            By::Revoked => revoked,
            By::Nobody => nobody,
        };
        let text = message::seal(key, "f", body).unwrap();
        if by == By::Changed { text.replace("\\\"reason\\\":\\\"", "\\\"reason\\\":\\\"x") } else { text }
    }

    fn halt(&self, by: By, halt: usize) -> String {
        let (reason, who) = (String::new(), String::new());
        self.seal(by, &Body::Halt(Halt { id: id(halt), selection: Selection::all(), reason, who, at_ns: 0 }))
    }

    fn resume(&self, by: By, halts: &[usize]) -> String {
        let (reason, who, bucket) = (String::new(), String::new(), BUCKET.to_owned());
        let ids = halts.iter().map(|&halt| id(halt)).collect();
        let id = Id::try_from("0000000f".to_owned()).unwrap();
        self.seal(by, &Body::Resume(Resume { id, ids, bucket, revision: 1, reason, who, at_ns: 0 }))
    }

    fn line(&self, entries: &[Entry], revision: u64) -> Option<Record> {
        let envelope = match (revision, entries.get(usize::try_from(revision).ok()?.checked_sub(2)?)) {
            (_, Some(Entry::Halt(halt))) => self.halt(By::Halter, *halt),
            (_, Some(Entry::Resume(by, halts))) => self.resume(*by, halts),
            _ => return None,
        };
        Some(Record { revision, envelope })
    }
}

/// Who reads the same, simply.
#[derive(Default)]
struct Twin {
    revision: u64,
    known: BTreeSet<usize>,
    over: BTreeSet<usize>,
}

impl Twin {
    /// True if the line can be understood.
    fn read(&mut self, entries: &[Entry], revision: u64) {
        if revision != self.revision + 1 {
            return;
        }
        match usize::try_from(revision).ok().and_then(|place| place.checked_sub(2)).map(|place| &entries[place]) {
            None => {}
            Some(Entry::Halt(halt)) => _ = self.known.insert(*halt),
            Some(Entry::Resume(By::Resumer, halts)) => self.over.extend(halts),
            Some(Entry::Resume(By::Changed, _)) => return, // it is never read, and so nothing after it is
            Some(Entry::Resume(..)) => {}
        }
        self.revision = revision;
    }

    fn held(&self) -> BTreeSet<Id> {
        self.known.difference(&self.over).map(|&halt| id(halt)).collect()
    }
}

fn held(agent: &Agent) -> BTreeSet<Id> {
    agent.kept().book.holding(PAGE).map(|known| known.halt.id.clone()).collect()
}

fn limits() -> Limits {
    Limits::default()
}

fn halts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..HALTS, 0..3)
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let by = prop_oneof![
        4 => Just(By::Resumer), 1 => Just(By::Revoked), 1 => Just(By::Halter), 1 => Just(By::Nobody), 1 => Just(By::Changed)
    ];
    let entry =
        prop_oneof![(0..HALTS).prop_map(Entry::Halt), (by, halts()).prop_map(|(by, ids)| Entry::Resume(by, ids))];
    prop::collection::vec(entry, 0..7)
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = prop_oneof![
        3 => (0..HALTS).prop_map(Arrival::Halt),
        1 => (0..HALTS).prop_map(Arrival::ResumeAsHalt),
        1 => (0..HALTS).prop_map(Arrival::Forged),
        12 => (1_u64..9).prop_map(Arrival::Line),
        1 => (1_u64..9).prop_map(Arrival::OfAnotherBucket),
        1 => Just(Arrival::Restart),
    ];
    prop::collection::vec(arrival, 0..60)
}

proptest! {
    #[test]
    fn whatever_the_order_no_halt_is_lifted_but_by_a_line_that_names_it(entries in entries(), arrivals in arrivals()) {
        let fleet = Fleet::new();
        let (mut agent, mut twin) = (Agent::new(limits(), Default::default(), 0), Twin::default());
        let labels = Labels::known("page", "h", []);
        for (now_ns, arrival) in (1..).zip(&arrivals) {
            let read = |agent: &mut Agent, bucket: &str, revision: u64| {
                let first = Record { revision: 1, envelope: String::new() };
                let record = if revision == 1 { Some(first) } else { fleet.line(&entries, revision) };
                record.map(|record| hear::line(agent, &fleet.trust, bucket, &record, now_ns))
            };
            match arrival {
                Arrival::Halt(halt) => {
                    let text = fleet.halt(By::Halter, *halt);
                    agent.halt(&hear::halt(&fleet.trust, text.as_bytes()).unwrap(), &text);
                    twin.known.insert(*halt);
                }
                Arrival::ResumeAsHalt(halt) => {
                    let text = fleet.resume(By::Resumer, &[*halt]);
                    prop_assert!(hear::halt(&fleet.trust, text.as_bytes()).is_err());
                }
                Arrival::Forged(halt) => {
                    for by in [By::Resumer, By::Revoked, By::Nobody] {
                        prop_assert!(hear::halt(&fleet.trust, fleet.halt(by, *halt).as_bytes()).is_err());
                    }
                }
                Arrival::Line(revision) => {
                    if read(&mut agent, BUCKET, *revision).is_some() {
                        twin.read(&entries, *revision);
                    }
                }
                Arrival::OfAnotherBucket(revision) if agent.kept().bucket.is_some() => _ = read(&mut agent, "c", *revision),
                Arrival::OfAnotherBucket(_) => {}
                Arrival::Restart => {
                    let text = serde_json::to_string(agent.kept()).unwrap();
                    agent = Agent::new(limits(), serde_json::from_str(&text).unwrap(), now_ns);
                }
            }
            agent.settle(PAGE, &labels);
            prop_assert_eq!(held(&agent), twin.held(), "after {:?}", arrival);
            prop_assert_eq!(agent.kept().revision, twin.revision);
            let facts = trip99_fleet::agent::PageFacts { path: PAGE, lease_ends_ns: 0, is_unguarded: false, is_held: false };
            prop_assert!(twin.held().is_empty() || agent.verdict(&facts, now_ns).hold.is_some_and(|hold| hold.id.is_some()));
        }
    }
}
