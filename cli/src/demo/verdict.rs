//! What the breaker made of each trouble, and whether it did its job.

use crate::demo::script::{Phase, troubles};
use crate::failure::Failure;
use trip99::{Event, Reason, State};

/// A trouble of the script, with the times at which the node was told to begin it and to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) phase: Phase,
    pub(crate) start_ns: u64,
    /// `None` if it hasn't ended.
    pub(crate) end_ns: Option<u64>,
}

/// A trouble, and the pause that it led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) trouble: Trouble,
    pub(crate) trip: Option<(u64, Reason)>,
    /// When trading went on for good, after the trouble.
    pub(crate) resumed_ns: Option<u64>,
}

/// A trip so soon after a trouble still belongs to that trouble.
const MARGIN_NS: u64 = 1_000_000_000;

/// Finds the pause of each trouble: from the first trip in its time to the last closing before the next trouble.
///
/// Apart from that it doesn't matter how long things take, as a busy machine may be late.
pub(crate) fn episodes(troubles: &[Trouble], events: &[Event]) -> Vec<Episode> {
    let until = |index: usize| troubles.get(index + 1).map_or(u64::MAX, |next| next.start_ns);
    let episode = |(index, &trouble): (usize, &Trouble)| {
        let span = trouble.start_ns..until(index);
        let mut within = events.iter().filter(|event| span.contains(&event.t_ns));
        let last_ns = trouble.end_ns.map_or(u64::MAX, |end_ns| end_ns.saturating_add(MARGIN_NS));
        let is_trip = |event: &&Event| event.from == State::Closed && event.to == State::Open && event.t_ns <= last_ns;
        let trip = within.clone().find(is_trip);
        let last = within.rfind(|event| event.from != event.to);
        // It would be odd if the breaker closed for good before the trouble ended. But then trading goes on when it ends.
        let resumed = last.filter(|event| trip.is_some() && trouble.end_ns.is_some() && event.to == State::Closed);
        Episode {
            trouble,
            trip: trip.map(|event| (event.t_ns, event.reason)),
            resumed_ns: resumed.map(|event| event.t_ns),
        }
    };
    troubles.iter().enumerate().map(episode).collect()
}

/// An error that names each trouble of the script that didn't pause trading, or after which it didn't resume.
pub(crate) fn judge(episodes: &[Episode]) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    for phase in troubles() {
        let title = phase.title();
        match episodes.iter().find(|episode| episode.trouble.phase == phase) {
            None => wrong.push(format!("the script did not get as far as \"{title}\"")),
            Some(Episode { trip: None, .. }) => wrong.push(format!("\"{title}\" did not pause trading")),
            Some(Episode { resumed_ns: None, .. }) => wrong.push(format!("trading did not resume after \"{title}\"")),
            Some(_) => {}
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Phase::{Lost, Silent, Slow};
    use State::{Closed, HalfOpen, Open};
    use trip99::{Breaker, Config};

    const S: u64 = 1_000_000_000;

    /// An event can't be made here, so it is made out of one that a breaker made.
    fn event(t_ns: u64, from: State, to: State, reason: Reason) -> Event {
        let mut breaker = Breaker::new(Config { spike_count: 1, ..Config::default() }).unwrap();
        breaker.record_at(1_000_000_000, 200_000_001);
        let mut event = breaker.events().next().unwrap();
        (event.t_ns, event.from, event.to, event.reason) = (t_ns, from, to, reason);
        event
    }

    /// A pause from one time to another, with an attempt to resume in the middle.
    fn pause(from_ns: u64, to_ns: u64, reason: Reason) -> [Event; 5] {
        let (from_ns, to_ns) = (from_ns * S, to_ns * S);
        let middle_ns = from_ns.midpoint(to_ns);
        [
            event(from_ns, Closed, Open, reason),
            event(middle_ns, Open, HalfOpen, Reason::Retry),
            event(middle_ns, HalfOpen, Open, Reason::ProbeSlow),
            event(to_ns, Open, HalfOpen, Reason::Retry),
            event(to_ns, HalfOpen, Closed, Reason::Recovered),
        ]
    }

    fn script() -> [Trouble; 3] {
        [(Slow, 100), (Silent, 200), (Lost, 300)].map(|(phase, start_ns)| Trouble {
            phase,
            start_ns: start_ns * S,
            end_ns: Some((start_ns + 50) * S),
        })
    }

    fn good() -> Vec<Event> {
        let spans = [(120, 160, Reason::Latency), (230, 270, Reason::Stall), (301, 351, Reason::ConsecutiveFailures)];
        spans.into_iter().flat_map(|(from_ns, to_ns, reason)| pause(from_ns, to_ns, reason)).collect()
    }

    fn message(result: Result<(), Failure>) -> String {
        match result {
            Err(Failure::Message(message)) => message,
            _ => String::new(),
        }
    }

    #[test]
    fn each_trouble_has_its_pause() {
        let episodes = episodes(&script(), &good());
        let found: Vec<_> = episodes.iter().map(|episode| (episode.trip, episode.resumed_ns)).collect();
        let expected = [
            (Some((120 * S, Reason::Latency)), Some(160 * S)),
            (Some((230 * S, Reason::Stall)), Some(270 * S)),
            (Some((301 * S, Reason::ConsecutiveFailures)), Some(351 * S)),
        ];
        assert_eq!(found, expected);
        assert_eq!(message(judge(&episodes)), "");
    }

    #[test]
    fn a_trouble_without_a_trip_is_an_error() {
        let events: Vec<Event> = good().into_iter().filter(|event| !(200 * S..300 * S).contains(&event.t_ns)).collect();
        let wrong = message(judge(&episodes(&script(), &events)));
        assert_eq!(wrong, "\"no answers\" did not pause trading");
        assert_eq!(message(judge(&episodes(&script(), &[]))).matches("did not pause").count(), 3);
        // One that comes long after it has nothing to do with it.
        let events: Vec<Event> = events.into_iter().chain(pause(252, 260, Reason::Latency)).collect();
        assert_eq!(message(judge(&episodes(&script(), &events))), wrong);
    }

    #[test]
    fn a_pause_without_end_is_an_error() {
        let mut events = good();
        events.pop();
        let wrong = message(judge(&episodes(&script(), &events)));
        assert_eq!(wrong, "trading did not resume after \"connection lost\"");
        // Nor does it count if trading pauses again.
        events
            .extend([event(360 * S, HalfOpen, Closed, Reason::Recovered), event(361 * S, Closed, Open, Reason::Spike)]);
        assert_eq!(message(judge(&episodes(&script(), &events))), wrong);
    }

    #[test]
    fn a_script_that_ended_early_is_an_error() {
        let wrong = message(judge(&episodes(&script()[..2], &good()[..10])));
        assert_eq!(wrong, "the script did not get as far as \"connection lost\"");
    }

    #[test]
    fn another_pause_between_two_troubles_is_no_error() {
        let mut events = good();
        events.splice(5..5, pause(170, 190, Reason::Latency));
        let episodes = episodes(&script(), &events);
        assert_eq!((episodes[0].trip.map(|(t_ns, _)| t_ns), episodes[0].resumed_ns), (Some(120 * S), Some(190 * S)));
        assert_eq!(message(judge(&episodes)), "");
    }
}
