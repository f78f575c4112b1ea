//! Why calls are refused now, for the text of a reject.

use super::Observer;
use super::halting::HaltNote;
use crate::config::State;
use crate::event::{Event, Reason};
use crate::page::Page;
use std::fmt;

/// Why calls are refused at one moment, or that they pass. Its text is one line without control characters.
///
/// ```
/// use trip99::{Breaker, Config, Holder};
///
/// let mut breaker = Breaker::new(Config::default())?;
/// let gate = breaker.gate();
/// assert_eq!(gate.why().to_string(), "passes");
/// gate.halt_as(Holder::engine("risk"), "position limit");
/// assert_eq!(gate.why().to_string(), "refused: halted by engine.risk (position limit)");
/// # Ok::<(), trip99::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Why {
    /// True if calls are refused. While the breaker is half-open all calls but trials are.
    pub refuses: bool,
    /// The automatic state. `None` if the gate holds a value that no version writes.
    pub state: Option<State>,
    /// Trading is halted.
    pub halted: bool,
    /// The owner is silent, so nobody judges.
    pub unwatched: bool,
    /// The breaker refuses nothing but what is halted.
    pub shadow: bool,
    /// The breaker that gave this handle has ended. The other fields tell nothing then.
    pub ended: bool,
    /// The lane that was asked has no room for another call.
    pub lane_full: bool,
    /// What led to the state. `None` if nothing did so far, or if the journal no longer has it.
    pub reason: Option<Reason>,
    /// What was observed when that led to the state, and the limit that it was held against: [`Event::observed`] tells what they are for
    /// each reason. 0 if `reason` is `None`.
    pub observed: u64,
    /// See `observed`.
    pub limit: u64,
    /// Since when the state is what it is, in nanoseconds since the Unix epoch; 0 if `reason` is `None`.
    pub since_wall_ns: u64,
    /// When the latest pause ends or ended, on the breaker's clock; `u64::MAX` before the first.
    pub retry_at_ns: u64,
    /// Who holds a halt. If nobody does and trading is halted, then whoever halted has resumed, and the owner hasn't polled since.
    pub holders: Vec<HaltNote>,
}

impl Observer {
    /// Why calls are refused now, for the text of a reject. This allocates, and makes no system call.
    pub fn why(&self) -> Why {
        let gate = self.page.gate().read();
        if self.page.has_ended() {
            return Why::ended(); // what is in the page may be a later owner's
        }
        let state = gate.map(|gate| gate.state);
        let latest = latest_transition(&self.page).filter(|event| Some(event.to) == state);
        Why {
            refuses: gate.is_none_or(|gate| gate.refuses_all() || gate.state != State::Closed && !gate.shadow),
            state,
            halted: self.page.gate().is_halted(),
            unwatched: gate.is_some_and(|gate| gate.unwatched),
            shadow: gate.is_some_and(|gate| gate.shadow),
            ended: false,
            reason: latest.map(|event| event.reason),
            observed: latest.map_or(0, |event| event.observed),
            limit: latest.map_or(0, |event| event.limit),
            since_wall_ns: latest.map_or(0, |event| event.wall_ns),
            retry_at_ns: self.retry_at_ns(),
            holders: self.holders().notes().to_vec(),
            ..Why::ended()
        }
    }
}

impl Why {
    pub(crate) const fn ended() -> Self {
        Self {
            refuses: true,
            state: Some(State::Open),
            halted: false,
            unwatched: false,
            shadow: false,
            ended: true,
            lane_full: false,
            reason: None,
            observed: 0,
            limit: 0,
            since_wall_ns: 0,
            retry_at_ns: u64::MAX,
            holders: Vec::new(),
        }
    }

    /// As a lane sees it.
    pub(crate) fn of_lane(self, lane_full: bool) -> Self {
        let refuses = self.refuses || lane_full && !self.shadow;
        Self { refuses, lane_full, ..self }
    }
}

/// The latest event that the journal has of a new state, or of a new owner.
fn latest_transition(page: &Page) -> Option<Event> {
    let journal = page.journal();
    let head = journal.head();
    let sequences = (1..=journal.len() as u64).map_while(|back| head.checked_sub(back));
    let mut events = sequences.filter_map(|sequence| Event::from_words(&journal.at(sequence)?));
    events.find(|event| event.from != event.to || event.reason == Reason::Restart)
}

/// The time of day.
struct Utc(u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0 / 1_000_000;
        let (s, m, h) = (ms / 1000 % 60, ms / 60_000 % 60, ms / 3_600_000 % 24);
        write!(f, "{h:02}:{m:02}:{s:02}.{:03} UTC", ms % 1000)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.refuses, self.shadow) {
            (true, _) => "refused",
            (false, true) => "passes, in shadow",
            (false, false) => "passes",
        })?;
        let mut separators = [": "].into_iter().chain(std::iter::repeat("; "));
        let mut next = || separators.next().unwrap_or_default();
        if self.ended {
            return write!(f, "{}the breaker has ended", next());
        }
        if !self.holders.is_empty() {
            write!(f, "{}halted by ", next())?;
            self.list_holders(f)?;
        } else if self.halted {
            write!(f, "{}halted until the owner polls, as nobody holds a halt any more", next())?;
        }
        if self.unwatched {
            write!(f, "{}nobody watches, as the owner is silent", next())?;
        }
        if self.lane_full {
            write!(f, "{}the lane is full", next())?;
        }
        let state = match self.state {
            Some(State::Closed) => return Ok(()),
            Some(State::Open) => "open",
            Some(State::HalfOpen) => "half-open, for trials alone,",
            None => return write!(f, "{}the gate is damaged", next()),
        };
        match self.reason {
            Some(reason) => write!(f, "{}{state} since {}: {reason}", next(), Utc(self.since_wall_ns)),
            None => write!(f, "{}{}", next(), state.trim_end_matches(',')),
        }
    }
}

impl Why {
    fn list_holders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.holders.len().saturating_sub(1);
        for (place, note) in self.holders.iter().enumerate() {
            f.write_str(if place == 0 {
                ""
            } else if place == last {
                " and "
            } else {
                ", "
            })?;
            match note.holder {
                Some(holder) => write!(f, "{holder}")?,
                None => f.write_str("somebody")?,
            }
            write!(f, " ({})", note.reason_or_none())?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::holder::Holder;
    use crate::{Breaker, Observer};

    fn text(observer: &Observer) -> String {
        observer.why().to_string()
    }

    fn quick() -> Config {
        Config { spike_count: 1, jitter_ppm: 0, ..Config::default() }
    }

    /// The time of day is replaced by T.
    fn timeless(text: &str) -> String {
        let Some((before, rest)) = text.split_once(" since ") else { unreachable!("{text}") };
        let Some((time, after)) = rest.split_once(" UTC") else { unreachable!("{text}") };
        assert!(time.len() == 12 && time.chars().all(|c| c.is_ascii_digit() || ":.".contains(c)), "{time}");
        format!("{before} since T{after}")
    }

    #[test]
    fn each_cause_is_told() {
        let mut breaker = Breaker::new(quick()).unwrap();
        let gate = breaker.gate();
        assert_eq!(text(&gate), "passes");
        gate.halt("");
        gate.halt_as(Holder::engine("risk"), "position limit");
        gate.halt_as(Holder::new("ann@desk-7").unwrap(), "prices look wrong");
        assert_eq!(
            text(&gate),
            "refused: halted by engine (no reason given), engine.risk (position limit) and ann@desk-7 (prices look wrong)"
        );
        breaker.record_at(7, u64::MAX >> 1);
        gate.resume("");
        gate.resume_as(Holder::engine("risk"), "");
        breaker.poll_at(8);
        assert_eq!(timeless(&text(&gate)), "refused: halted by ann@desk-7 (prices look wrong); open since T: spike");
        gate.resume_as(Holder::new("ann@desk-7").unwrap(), "");
        assert!(
            text(&gate).starts_with("refused: halted until the owner polls, as nobody holds a halt any more; open")
        );
        breaker.poll_at(9);
        assert_eq!(timeless(&text(&gate)), "refused: open since T: spike");
        let why = gate.why();
        assert_eq!((why.state, why.reason, why.retry_at_ns), (Some(State::Open), Some(Reason::Spike), 1_000_000_007));
        assert_eq!((why.observed, why.limit), (u64::MAX >> 1, 200_000_000));
        breaker.poll_at(1_000_000_007);
        assert_eq!(timeless(&text(&gate)), "refused: half-open, for trials alone, since T: retry");
        gate.page.gate().set_unwatched();
        assert!(text(&gate).starts_with("refused: nobody watches, as the owner is silent; half-open, for trials"));
        gate.page.gate().scribble(7);
        assert_eq!(
            text(&gate),
            "refused: halted until the owner polls, as nobody holds a halt any more; the gate is damaged"
        );
        drop(breaker);
        assert_eq!(text(&gate), "refused: the breaker has ended");
        assert!(gate.why().refuses);
    }

    #[test]
    fn shadow_refuses_only_what_is_halted() {
        let mut breaker = Breaker::new(Config { shadow: true, ..quick() }).unwrap();
        let gate = breaker.gate();
        assert_eq!(text(&gate), "passes, in shadow");
        breaker.record_at(7, u64::MAX >> 1);
        gate.page.gate().set_unwatched();
        let unwatched = "passes, in shadow: nobody watches, as the owner is silent; open since T: spike";
        assert_eq!((timeless(&text(&gate)).as_str(), gate.allow(), gate.why().refuses), (unwatched, true, false));
        gate.halt("stop");
        assert_eq!(timeless(&text(&gate)).find("refused: halted by engine (stop); nobody"), Some(0));
        assert!(!gate.allow() && gate.why().refuses);
    }

    #[test]
    fn a_full_lane_says_so() {
        let mut breaker = Breaker::new(quick()).unwrap();
        let mut lane = breaker.lane_with_capacity(4);
        while lane.allow() {
            assert_eq!(lane.why().to_string(), "passes");
            let _ = lane.begin();
        }
        assert_eq!(lane.why().to_string(), "refused: the lane is full");
        assert_eq!(lane.observer().why().to_string(), "passes", "another thread's lane has room");
    }

    #[test]
    fn it_is_one_line_whatever_the_reasons() {
        let mut breaker = Breaker::new(quick()).unwrap();
        let gate = breaker.gate();
        gate.halt("a\n\x1b[31m\u{202e}b\u{85}");
        assert_eq!(text(&gate), "refused: halted by engine (a  [31m b )");
    }

    #[test]
    fn a_transition_that_is_no_longer_kept_is_not_made_up() {
        let mut breaker = Breaker::new(quick()).unwrap();
        let observer = breaker.observer();
        breaker.record_at(7, u64::MAX >> 1);
        for _ in 0..32 {
            breaker.halt_at(8, "");
            let _ = breaker.resume_at(8, "");
        }
        assert_eq!(text(&observer), "refused: open");
        assert_eq!(Utc(86_399_999 * 1_000_000 + 86_400_000_000_000).to_string(), "23:59:59.999 UTC");
    }
}
