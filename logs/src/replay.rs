//! Drives a breaker over a log, in virtual time.
//!
//! At one instant timers come first, then calls that end (in sending order), then rows. After each such step the order begins
//! again. Between steps the breaker is polled exactly at each of its deadlines. After the last step it is not
//! polled any more.

mod due;
mod oddities;
mod report;

use crate::error::LogError;
use crate::row::{Row, RowKind};
use due::{Due, End};
pub use oddities::{armed_verdict, check_settings, oddities};
pub use report::{Report, Summary};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use trip99::{Breaker, Config, Events, State};

/// The most that a breaker can track.
const MAX_IN_FLIGHT: u32 = 1 << 20;

/// A replay tracks every call, and two replays of one trace are the same. Nobody is there to resume after a halt.
fn lift_limits(config: &Config, max_in_flight: u32) -> Config {
    Config { max_in_flight, jitter_ppm: 0, latch_after: 0, tap_len: 0, ..config.clone() }
}

/// A replay under way, that takes row by row. Several may go over one log side by side.
///
/// ```
/// use trip99::{Config, Event};
/// use trip99_logs::replay::{Replay, Report, Summary};
/// use trip99_logs::{LogError, Row, RowKind};
///
/// struct Silent;
///
/// impl Report for Silent {
///     type Error = LogError;
///     fn begin(&mut self, _: &Config) -> Result<(), LogError> { Ok(()) }
///     fn transition(&mut self, _: &Event) -> Result<(), LogError> { Ok(()) }
///     fn end(&mut self, _: &Summary) -> Result<(), LogError> { Ok(()) }
/// }
///
/// let mut replay = Replay::new(&Config::default(), Silent)?;
/// replay.push(Row { start_ns: 0, latency_ns: Some(5_000_000), ok: true, kind: RowKind::Ask })?;
/// let (summary, _) = replay.finish()?;
/// assert_eq!((summary.asked, summary.end_ns), (1, 5_000_000));
/// # Ok::<(), LogError>(())
/// ```
pub struct Replay<R> {
    breaker: Breaker,
    events: Events,
    report: R,
    due: BinaryHeap<Reverse<Due>>,
    /// How many calls have begun.
    begun: u64,
    summary: Summary,
    /// `None` before the first row.
    now_ns: Option<u64>,
    paused_since_ns: Option<u64>,
}

/// Replays the rows, which start in ascending order. Returns the summary that the report has got, too.
pub fn replay<R: Report>(
    config: &Config,
    rows: impl Iterator<Item = Result<Row, LogError>>,
    report: &mut R,
) -> Result<Summary, R::Error> {
    let mut replay = Replay::new(config, report)?;
    for row in rows {
        replay.push(row?)?;
    }
    let (summary, report) = replay.finish()?;
    report.end(&summary)?;
    Ok(summary)
}

impl<R: Report> Replay<R> {
    /// Begins a report.
    ///
    /// # Errors
    ///
    /// No breaker has these settings; or the report fails.
    pub fn new(config: &Config, report: R) -> Result<Self, R::Error> {
        Self::of_few(config, report, MAX_IN_FLIGHT)
    }

    /// A replay of so few calls, or of more of which no more are in flight at once. It takes less memory, and time to make it ready.
    pub(crate) fn of_few(config: &Config, mut report: R, calls: u32) -> Result<Self, R::Error> {
        let breaker = Breaker::new(lift_limits(config, calls.clamp(1, MAX_IN_FLIGHT))).map_err(LogError::new)?;
        report.begin(config)?;
        Ok(Self {
            events: breaker.events(),
            summary: Summary { state: breaker.state(), ..Summary::default() },
            breaker,
            report,
            due: BinaryHeap::new(),
            begun: 0,
            now_ns: None,
            paused_since_ns: None,
        })
    }

    /// Takes the next row, which doesn't start before the one before, and all that comes before it.
    ///
    /// # Errors
    ///
    /// Those of the report.
    pub fn push(&mut self, row: Row) -> Result<(), R::Error> {
        if self.now_ns.is_none() {
            self.now_ns = Some(row.start_ns);
            self.summary.first_ns = row.start_ns;
            self.paused_since_ns = (self.breaker.state() != State::Closed).then_some(row.start_ns);
        }
        self.complete_until(row.start_ns)?;
        self.poll_until(row.start_ns)?;
        self.take_row(row);
        self.look()
    }

    /// Takes the calls that are in flight to their ends. Gives the report back, whose [`end`](Report::end) is not called.
    ///
    /// # Errors
    ///
    /// Those of the report; or there were more calls in flight than a breaker tracks.
    pub fn finish(mut self) -> Result<(Summary, R), R::Error> {
        self.complete_until(u64::MAX)?;
        let now_ns = self.now();
        self.end_pause(now_ns);
        self.summary.end_ns = now_ns;
        self.summary.state = self.breaker.state();
        if self.breaker.snapshot().untracked > 0 {
            return Err(LogError::new(format_args!(
                "more than {MAX_IN_FLIGHT} calls are in flight at once; legal: no more, or a stall_limit that ends it"
            ))
            .into());
        }
        Ok((self.summary, self.report))
    }

    /// 0 before the first row.
    fn now(&self) -> u64 {
        self.now_ns.unwrap_or(0)
    }

    /// Takes the calls to their ends that end by `until_ns`, each after the timers before it.
    fn complete_until(&mut self, until_ns: u64) -> Result<(), R::Error> {
        while let Some(end_ns) = self.due.peek().map(|Reverse(due)| due.end_ns)
            && end_ns <= until_ns
        {
            self.poll_until(end_ns)?;
            self.complete();
            self.look()?;
        }
        Ok(())
    }

    /// Fires each timer up to `until_ns` exactly at its deadline. Then the time is `until_ns`.
    fn poll_until(&mut self, until_ns: u64) -> Result<(), R::Error> {
        loop {
            let deadline_ns = self.breaker.next_deadline_ns();
            if deadline_ns > until_ns || deadline_ns == u64::MAX {
                break;
            }
            // A deadline may be past: that of a call that became overdue before the breaker closed.
            self.advance(deadline_ns.max(self.now()));
            self.breaker.poll_at(self.now());
            self.look()?;
        }
        self.advance(until_ns);
        Ok(())
    }

    fn advance(&mut self, to_ns: u64) {
        let (from_ns, state) = (self.now(), self.breaker.state());
        self.now_ns = Some(to_ns);
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
        if !self.breaker.allow_at(self.now()) {
            self.summary.refused += 1;
        } else if row.kind == RowKind::Refused {
            (self.summary.allowed, self.summary.unknown) = (self.summary.allowed + 1, self.summary.unknown + 1);
            if self.summary.unknown == 1 {
                self.summary.first_unknown_row = self.summary.asked + self.summary.free;
            }
            self.breaker.release_at(self.now());
        } else {
            self.summary.allowed += 1;
            self.begin(row);
        }
        // Not before the ask: a calm breaker learns the time from the call that begins. A call that has only begun counts for
        // nothing yet.
        self.summary.armed += u64::from(self.breaker.snapshot().armed);
    }

    fn begin(&mut self, row: Row) {
        let call = self.breaker.begin_at(self.now());
        self.begun += 1;
        self.report.began(&row);
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
            let now_ns = self.now();
            match how {
                End::Good => self.breaker.end_at(now_ns, call),
                End::Failed => self.breaker.fail_at(now_ns, call),
                End::Abandoned => self.breaker.abandon_at(now_ns, call),
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
            missed => Err(LogError::new(format_args!("{missed} transitions at {} ns were lost", self.now())).into()),
        }
    }

    fn end_pause(&mut self, now_ns: u64) {
        if let Some(since_ns) = self.paused_since_ns.take() {
            self.summary.longest_pause_ns = self.summary.longest_pause_ns.max(now_ns - since_ns);
        }
    }
}
