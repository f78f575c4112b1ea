//! How often a page's breaker changed its state: the page's journal keeps the latest events alone, so scrapes count on.

use std::collections::BTreeMap;
use trip99::{Event, Events};

/// Two states and the reason, by their names.
pub(crate) type Transition = [&'static str; 3];

/// What happens sooner or later. They begin as 0, since Prometheus sees no increase in a series that begins as 1.
const USUAL: [Transition; 13] = [
    ["closed", "open", "latency"],
    ["closed", "open", "failure_rate"],
    ["closed", "open", "consecutive_failures"],
    ["closed", "open", "spike"],
    ["closed", "open", "stall"],
    ["closed", "open", "tripped"],
    ["closed", "open", "restart"],
    ["open", "half_open", "retry"],
    ["half_open", "open", "probe_failed"],
    ["half_open", "open", "probe_slow"],
    ["half_open", "open", "probe_lost"],
    ["half_open", "open", "restart"],
    ["half_open", "closed", "recovered"],
];

/// What was counted of one page.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The number of the next event to count.
    next: u64,
    pub(crate) transitions: BTreeMap<Transition, u64>,
    /// Events that were overwritten before a scrape came.
    pub(crate) missed: u64,
}

impl Journal {
    /// A page that is seen for the first time. If its journal is whole, all events count, so that an exporter that restarts goes on with the
    /// same figures. Otherwise counting begins here: a count that falls to another one than 0 looks like that many new events.
    pub(crate) fn begin(events: Events) -> Self {
        let transitions = USUAL.map(|usual| (usual, 0)).into();
        let mut journal = Self { next: 0, transitions, missed: 0 };
        let events: Vec<Event> = events.collect();
        match (events.first(), events.last()) {
            (Some(first), Some(last)) if first.sequence > 0 => journal.next = last.sequence + 1,
            _ => events.iter().for_each(|event| journal.count(event)),
        }
        journal
    }

    /// Counts what is new. A page that was made anew has new events alone.
    pub(crate) fn go_on(&mut self, is_anew: bool, events: Events) {
        if is_anew {
            self.next = 0;
        }
        for event in events {
            self.count(&event);
        }
    }

    fn count(&mut self, event: &Event) {
        if event.sequence < self.next {
            return;
        }
        self.missed += event.sequence - self.next;
        self.next = event.sequence + 1;
        if event.from != event.to {
            *self.transitions.entry([event.from.name(), event.to.name(), event.reason.name()]).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config};

    const S: u64 = 1_000_000_000;

    fn breaker() -> Breaker {
        Breaker::new(Config { spike_count: 1, probes: 1, jitter_ppm: 0, ..Config::default() }).unwrap()
    }

    /// Opens, and after its pause closes again.
    fn trip_and_recover(breaker: &mut Breaker, now_ns: u64) {
        breaker.record_at(now_ns, S);
        assert!(breaker.allow_at(now_ns + 100 * S));
        breaker.record_at(now_ns + 101 * S, 1);
    }

    fn counts(journal: &Journal) -> [u64; 4] {
        let count = |transition: Transition| journal.transitions[&transition];
        [
            count(["closed", "open", "spike"]),
            count(["open", "half_open", "retry"]),
            count(["half_open", "closed", "recovered"]),
            journal.missed,
        ]
    }

    #[test]
    fn each_event_counts_once() {
        let mut breaker = breaker();
        trip_and_recover(&mut breaker, S);
        let mut journal = Journal::begin(breaker.events());
        assert_eq!(counts(&journal), [1, 1, 1, 0]);
        assert_eq!(journal.transitions.len(), USUAL.len(), "what else there is, is 0");
        journal.go_on(false, breaker.events());
        assert_eq!(counts(&journal), [1, 1, 1, 0]);
        trip_and_recover(&mut breaker, 1000 * S);
        journal.go_on(false, breaker.events());
        assert_eq!(counts(&journal), [2, 2, 2, 0]);
    }

    #[test]
    fn what_was_overwritten_is_missed_and_a_worn_journal_begins_at_0() {
        let mut breaker = breaker();
        let mut journal = Journal::begin(breaker.events());
        // The journal keeps 64 events, and each round has 3.
        (0..40).for_each(|round| trip_and_recover(&mut breaker, (1 + round) * 1000 * S));
        journal.go_on(false, breaker.events());
        let [opened, retried, recovered, missed] = counts(&journal);
        assert_eq!((opened + retried + recovered, missed), (64, 120 - 64));

        let mut late = Journal::begin(breaker.events());
        assert_eq!(counts(&late), [0, 0, 0, 0]);
        trip_and_recover(&mut breaker, 100_000 * S);
        late.go_on(false, breaker.events());
        assert_eq!(counts(&late), [1, 1, 1, 0]);
    }

    #[test]
    fn a_page_that_was_made_anew_is_counted_from_its_first_event() {
        let (mut first, mut second) = (breaker(), breaker());
        trip_and_recover(&mut first, S);
        trip_and_recover(&mut second, S);
        let mut journal = Journal::begin(first.events());
        journal.go_on(true, second.events());
        journal.go_on(false, second.events());
        assert_eq!(counts(&journal), [2, 2, 2, 0]);
    }
}
