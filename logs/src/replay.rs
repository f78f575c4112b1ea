//! Drives a breaker over a log, in virtual time.
//!
//! At one instant timers come first, then calls that end (in sending order), then rows. After each such step the order begins
//! again. Between steps the breaker is polled exactly at each of its deadlines. After the last step it is not
//! polled any more.

use crate::error::LogError;
use crate::row::{Row, RowKind};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use trip99::{Breaker, Call, Config, Event, Events, State};

/// Learns what happens, as it happens.
pub trait Report {
    /// Why the report ends early: the log has a mistake, or nobody reads the report any more.
    type Error: From<LogError>;

    /// The replay begins, with these settings.
    fn begin(&mut self, config: &Config) -> Result<(), Self::Error>;
    /// Time passes in one state. Each span begins where the one before ended, from the first row to the last step.
    fn span(&mut self, _state: State, _from_ns: u64, _to_ns: u64) {}
    /// The breaker changed its state.
    fn transition(&mut self, event: &Event) -> Result<(), Self::Error>;
    /// The replay is over.
    fn end(&mut self, summary: &Summary) -> Result<(), Self::Error>;
}

/// What became of the calls of a log, and of the breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that asked: those that were allowed, and those that were refused.
    pub asked: u64,
    /// Rows that asked, and were allowed.
    pub allowed: u64,
    /// Rows that asked, and were refused.
    pub refused: u64,
    /// Rows that didn't ask.
    pub free: u64,
    /// Those of the allowed rows that were refused when they were recorded: nobody knows how their calls would have gone.
    pub unknown: u64,
    /// Calls that began and never came back.
    pub lost: u64,
    /// How often the breaker opened while it was closed.
    pub trips: u64,
    /// How often it opened while it was half-open.
    pub reopens: u64,
    /// How long it was open, in nanoseconds.
    pub open_ns: u64,
    /// How long it was half-open, in nanoseconds.
    pub half_open_ns: u64,
    /// When the first row was.
    pub first_ns: u64,
    /// When the last row or completion was.
    pub end_ns: u64,
    /// The state at the end.
    pub state: State,
    /// Rows that asked while a verdict was possible: while there were enough samples and overdue calls.
    pub armed: u64,
    /// Whether a verdict was possible at any time, and the most samples and overdue calls that there were before it was.
    pub was_armed: bool,
    /// See `was_armed`.
    pub most_samples: u32,
    /// The longest time from leaving closed to closing again (or to the end).
    pub longest_pause_ns: u64,
}

/// The most that a breaker can track.
const MAX_IN_FLIGHT: u32 = 1 << 20;

/// A replay tracks every call, and two replays of one trace are the same. Nobody is there to resume after a halt.
fn lift_limits(config: &Config) -> Config {
    Config { max_in_flight: MAX_IN_FLIGHT, jitter_ppm: 0, latch_after: 0, ..config.clone() }
}

/// A call that will end. Calls are ordered by when they end, then by when they were sent.
struct Due {
    end_ns: u64,
    /// The number of the call, counted from when the calls were sent.
    sequence: u64,
    how: End,
    call: Call,
}

#[derive(Clone, Copy)]
enum End {
    Good,
    Failed,
    Abandoned,
}

impl End {
    fn of(row: &Row) -> Self {
        match (row.kind, row.ok) {
            (RowKind::Withdrawn, _) => Self::Abandoned,
            (_, true) => Self::Good,
            (_, false) => Self::Failed,
        }
    }
}

impl Due {
    fn key(&self) -> (u64, u64) {
        (self.end_ns, self.sequence)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

struct Replay<'a, R> {
    breaker: Breaker,
    events: Events,
    report: &'a mut R,
    due: BinaryHeap<Reverse<Due>>,
    /// How many calls have begun.
    begun: u64,
    summary: Summary,
    now_ns: u64,
    paused_since_ns: Option<u64>,
}

/// Replays the rows, which start in ascending order. Returns the summary that the report has got, too.
pub fn replay<R: Report>(
    config: &Config,
    rows: impl Iterator<Item = Result<Row, LogError>>,
    report: &mut R,
) -> Result<Summary, R::Error> {
    let breaker = Breaker::new(lift_limits(config)).map_err(LogError::new)?;
    report.begin(config)?;
    let mut replay = Replay {
        events: breaker.events(),
        summary: Summary { state: breaker.state(), ..Summary::default() },
        breaker,
        report,
        due: BinaryHeap::new(),
        begun: 0,
        now_ns: 0,
        paused_since_ns: None,
    };
    replay.run(rows)?;
    replay.finish()
}

impl<R: Report> Replay<'_, R> {
    fn run(&mut self, mut rows: impl Iterator<Item = Result<Row, LogError>>) -> Result<(), R::Error> {
        let mut next_row = rows.next().transpose()?;
        if let Some(row) = next_row {
            self.now_ns = row.start_ns;
            self.summary.first_ns = row.start_ns;
            self.paused_since_ns = (self.breaker.state() != State::Closed).then_some(row.start_ns);
        }
        loop {
            let next_end_ns = self.due.peek().map(|Reverse(due)| due.end_ns);
            match (next_end_ns, next_row) {
                (Some(end_ns), row) if row.is_none_or(|row| end_ns <= row.start_ns) => {
                    self.poll_until(end_ns)?;
                    self.complete();
                }
                (_, Some(row)) => {
                    self.poll_until(row.start_ns)?;
                    self.take_row(row);
                    next_row = rows.next().transpose()?;
                }
                (_, None) => return Ok(()),
            }
            self.look()?;
        }
    }

    /// Fires each timer up to `until_ns` exactly at its deadline. Then the time is `until_ns`.
    fn poll_until(&mut self, until_ns: u64) -> Result<(), R::Error> {
        loop {
            let deadline_ns = self.breaker.next_deadline_ns();
            if deadline_ns > until_ns || deadline_ns == u64::MAX {
                break;
            }
            // A deadline may be past: that of a call that became overdue before the breaker closed.
            self.advance(deadline_ns.max(self.now_ns));
            self.breaker.poll_at(self.now_ns);
            self.look()?;
        }
        self.advance(until_ns);
        Ok(())
    }

    fn advance(&mut self, to_ns: u64) {
        let (from_ns, state) = (self.now_ns, self.breaker.state());
        self.now_ns = to_ns;
        let span_ns = to_ns - from_ns;
        match state {
            State::Closed => {}
            State::Open => self.summary.open_ns += span_ns,
            State::HalfOpen => self.summary.half_open_ns += span_ns,
        }
        self.report.span(state, from_ns, to_ns);
    }

    fn take_row(&mut self, row: Row) {
        if row.kind == RowKind::Free {
            self.summary.free += 1;
            return self.begin(row);
        }
        self.summary.asked += 1;
        if !self.breaker.allow_at(self.now_ns) {
            self.summary.refused += 1;
        } else if row.kind == RowKind::Refused {
            (self.summary.allowed, self.summary.unknown) = (self.summary.allowed + 1, self.summary.unknown + 1);
            self.breaker.release_at(self.now_ns);
        } else {
            self.summary.allowed += 1;
            self.begin(row);
        }
        // Not before the ask: a calm breaker learns the time from the call that begins. A call that has only begun counts for
        // nothing yet.
        self.summary.armed += u64::from(self.breaker.snapshot().armed);
    }

    fn begin(&mut self, row: Row) {
        let call = self.breaker.begin_at(self.now_ns);
        self.begun += 1;
        match row.latency_ns {
            Some(latency_ns) => {
                let end_ns = row.start_ns.saturating_add(latency_ns);
                self.due.push(Reverse(Due { end_ns, sequence: self.begun, how: End::of(&row), call }));
            }
            None => self.summary.lost += 1,
        }
    }

    fn complete(&mut self) {
        if let Some(Reverse(Due { how, call, .. })) = self.due.pop() {
            match how {
                End::Good => self.breaker.end_at(self.now_ns, call),
                End::Failed => self.breaker.fail_at(self.now_ns, call),
                End::Abandoned => self.breaker.abandon_at(self.now_ns, call),
            }
        }
    }

    /// Looks at what a step or a poll has done.
    fn look(&mut self) -> Result<(), R::Error> {
        if !self.summary.was_armed {
            let snapshot = self.breaker.snapshot();
            self.note_samples(snapshot.samples + snapshot.overdue);
        }
        self.take_events()
    }

    /// There are so many samples and overdue calls for a verdict.
    fn note_samples(&mut self, samples: u32) {
        self.summary.most_samples = self.summary.most_samples.max(samples);
        self.summary.was_armed |= samples >= self.breaker.config().min_samples;
    }

    fn take_events(&mut self) -> Result<(), R::Error> {
        while let Some(event) = self.events.next() {
            // The verdict that trips sees overdue calls, which an open breaker doesn't count any more.
            self.note_samples(event.samples);
            match (event.from, event.to) {
                (State::Closed, State::Open) => {
                    self.summary.trips += 1;
                    self.paused_since_ns = Some(event.t_ns);
                }
                (State::HalfOpen, State::Open) => self.summary.reopens += 1,
                (_, State::Closed) => self.end_pause(event.t_ns),
                _ => {}
            }
            self.report.transition(&event)?;
        }
        match self.events.missed() {
            0 => Ok(()),
            missed => Err(LogError::new(format_args!("{missed} transitions at {} ns were lost", self.now_ns)).into()),
        }
    }

    fn end_pause(&mut self, now_ns: u64) {
        if let Some(since_ns) = self.paused_since_ns.take() {
            self.summary.longest_pause_ns = self.summary.longest_pause_ns.max(now_ns - since_ns);
        }
    }

    fn finish(mut self) -> Result<Summary, R::Error> {
        self.end_pause(self.now_ns);
        self.summary.end_ns = self.now_ns;
        self.summary.state = self.breaker.state();
        if self.breaker.snapshot().untracked > 0 {
            return Err(LogError::new(format_args!(
                "more than {MAX_IN_FLIGHT} calls are in flight at once; legal: no more, or a stall_limit that ends it"
            ))
            .into());
        }
        self.report.end(&self.summary)?;
        Ok(self.summary)
    }
}
