//! What settings would have done: replays in shadow, over the log and over the log with faults in it.
#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

use super::MONTH_NS;
use super::score::{SEED, STARTS, faults};
use super::side_by_side::side_by_side;
use super::tail::count_at_most;
use crate::error::LogError;
use crate::fault::{Fault, random_of};
use crate::outages::Span;
use crate::pauses::{Pause, Pauses};
use crate::replay::{Replay, Report, Summary, replay};
use crate::row::{Row, RowKind};
use trip99::{Config, Event, Reason, State};

/// A trip so long after an outage is still due to it.
pub const AFTER_OUTAGE_NS: u64 = 60_000_000_000;

/// So many calls come before a fault, so that debts are as they would have been.
const CALLS_BEFORE: usize = 500;
/// A fault that isn't noticed within so many calls isn't noticed.
pub const CALLS_AFTER: usize = 2_000;

/// What settings would have done with a log, or a part of it.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The time that the rows take, without outages, in nanoseconds.
    pub span_ns: u64,
    /// When trading would have been paused, and why.
    pub pauses: Vec<Pause>,
    /// What led to those of the pauses that no outage explains.
    pub false_trips: Vec<Event>,
    /// The outages in the rows, and how many of them would have been noticed.
    pub outages: usize,
    /// See there.
    pub noticed: usize,
    /// How long trading would have been paused, in nanoseconds.
    pub paused_ns: u64,
}

impl Proof {
    /// Replays the rows in shadow, so that what was recorded goes on while the breaker is open.
    pub fn new(config: &Config, rows: &[Row], outages: &[Span]) -> Result<Self, LogError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Self::default()) };
        let mut seen = Seen::default();
        let config = Config { shadow: true, ..config.clone() };
        let summary = replay(&config, rows.iter().copied().map(Ok), &mut seen)?;
        let of_rows = |outage: &&Span| outage.to_ns >= first.start_ns && outage.from_ns <= last.start_ns;
        let outages: Vec<Span> = outages.iter().filter(of_rows).copied().collect();
        let with_after = |outage: &Span| Span { to_ns: outage.to_ns.saturating_add(AFTER_OUTAGE_NS), ..*outage };
        // A stall is due to the call that stalls. In shadow a call may be lost while the breaker is half-open, and stall once it is closed.
        let is_due_to = |event: &Event, outage: &Span| {
            let due = with_after(outage);
            due.has(event.t_ns) || event.reason == Reason::Stall && due.has(event.t_ns.saturating_sub(event.observed))
        };
        let is_false = |event: &Event| !outages.iter().any(|outage| is_due_to(event, outage));
        let is_noticed = |outage: &&Span| {
            let due = with_after(outage);
            seen.pauses.iter().any(|pause| pause.from_ns <= due.to_ns && due.from_ns <= pause.to_ns)
        };
        let left_out_ns: u64 = outages
            .iter()
            .map(|outage| outage.to_ns.min(last.start_ns).saturating_sub(outage.from_ns.max(first.start_ns)))
            .sum();
        Ok(Self {
            span_ns: (last.start_ns - first.start_ns).saturating_sub(left_out_ns),
            false_trips: seen.pauses.iter().filter_map(|pause| pause.opening).filter(is_false).collect(),
            noticed: outages.iter().filter(is_noticed).count(),
            outages: outages.len(),
            paused_ns: summary.open_ns + summary.half_open_ns,
            pauses: seen.pauses,
        })
    }

    /// False trips in 30 days: no more are to be expected, 19 times of 20, by this proof alone.
    pub fn bound_a_month(&self) -> f64 {
        self.at_most_a_month(self.false_trips.len())
    }

    /// The same if each trip is false.
    pub fn bound_with_suspects_a_month(&self) -> f64 {
        self.at_most_a_month(self.pauses.len())
    }

    fn at_most_a_month(&self, trips: usize) -> f64 {
        count_at_most(trips as u64) * MONTH_NS as f64 / self.span_ns.max(1) as f64
    }
}

/// Takes note of pauses.
#[derive(Default)]
struct Seen {
    current: Pauses,
    pauses: Vec<Pause>,
}

impl Report for Seen {
    type Error = LogError;

    fn begin(&mut self, _: &Config) -> Result<(), LogError> {
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), LogError> {
        self.current.transition(event);
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> Result<(), LogError> {
        self.pauses = std::mem::take(&mut self.current).finish(summary);
        Ok(())
    }
}

/// How a fault would have been noticed that begins at one of several calls of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultProof {
    /// What goes wrong.
    pub fault: Fault,
    /// How often it was tried.
    pub tried: usize,
    /// How often it was noticed within [`CALLS_AFTER`].
    pub noticed: usize,
    /// The median number of calls that began before it was noticed. `None` if it was noticed less than half the time.
    pub median_calls: Option<u64>,
    /// The median time until it was noticed, in nanoseconds.
    pub median_ns: Option<u64>,
}

/// Puts each fault into the log, each time at another call.
pub(super) fn fault_proofs(
    config: &Config,
    rows: &[Row],
    outages: &[Span],
    median_ns: u64,
) -> Result<Vec<FaultProof>, LogError> {
    let begins = begins(rows, outages);
    let faults = faults(median_ns);
    let trials: Vec<(Fault, usize)> =
        faults.iter().flat_map(|&fault| begins.iter().map(move |&begin| (fault, begin))).collect();
    let found = side_by_side(&trials, |&(fault, begin)| noticed_after(config, rows, begin, &fault));
    let mut found = found.into_iter();
    let proof = |fault: &Fault| {
        let found = found.by_ref().take(begins.len()).collect::<Result<Vec<_>, _>>()?;
        // A breaker that is open already notices nothing.
        let tried: Vec<Noticed> = found.into_iter().flatten().collect();
        let part = |of: fn(&(u64, u64)) -> u64| {
            // Who noticed nothing comes last.
            let mut all: Vec<u64> = tried.iter().map(|noticed| noticed.0.as_ref().map_or(u64::MAX, of)).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().filter(|&median| median != u64::MAX)
        };
        Ok(FaultProof {
            fault: *fault,
            tried: tried.len(),
            noticed: tried.iter().filter(|noticed| noticed.0.is_some()).count(),
            median_calls: part(|&(calls, _)| calls),
            median_ns: part(|&(_, after_ns)| after_ns),
        })
    };
    faults.iter().map(proof).collect()
}

/// The indices of healthy rows, evenly spread.
fn begins(rows: &[Row], outages: &[Span]) -> Vec<usize> {
    let is_healthy =
        |&(_, row): &(usize, &Row)| row.kind == RowKind::Ask && !outages.iter().any(|outage| outage.has(row.start_ns));
    let healthy: Vec<usize> = rows.iter().enumerate().filter(is_healthy).map(|(index, _)| index).collect();
    let begins = (0..STARTS).filter_map(|start| healthy.get((2 * start + 1) * healthy.len() / (2 * STARTS)).copied());
    let mut begins: Vec<usize> = begins.collect();
    begins.dedup();
    begins
}

/// After how many calls, and after how long, if it was noticed.
struct Noticed(Option<(u64, u64)>);

/// `None` if the breaker wasn't closed when the fault began.
fn noticed_after(config: &Config, rows: &[Row], begin: usize, fault: &Fault) -> Result<Option<Noticed>, LogError> {
    let from = begin.saturating_sub(CALLS_BEFORE);
    let Some(begin_ns) = rows.get(begin).map(|row| row.start_ns) else { return Ok(None) };
    let part = (from..).zip(rows.iter().skip(from).take(begin - from + CALLS_AFTER));
    let made =
        part.map(|(index, row)| if index < begin { *row } else { fault.apply(row, random_of(SEED, index as u64)) });
    let mut first = First { begin_ns, state: State::Closed, trip: None };
    let config = Config { shadow: true, ..config.clone() };
    match until_enough(&config, made, &mut first) {
        Err(Stop::Log(error)) => return Err(error),
        Ok(()) | Err(Stop::Enough) => {}
    }
    if first.state != State::Closed {
        return Ok(None);
    }
    Ok(Some(Noticed(first.trip.map(|trip| {
        let calls = rows.iter().skip(begin).take_while(|row| row.start_ns <= trip.t_ns).count();
        (calls as u64, trip.t_ns - begin_ns)
    }))))
}

fn until_enough(config: &Config, rows: impl Iterator<Item = Row>, first: &mut First) -> Result<(), Stop> {
    let mut replay = Replay::of_few(config, first, (CALLS_BEFORE + CALLS_AFTER) as u32)?;
    for row in rows {
        replay.push(row)?;
    }
    replay.finish()?;
    Ok(())
}

/// Looks for the first trip from a moment on.
struct First {
    begin_ns: u64,
    /// That of the breaker at that moment.
    state: State,
    trip: Option<Event>,
}

enum Stop {
    Enough,
    Log(LogError),
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Report for First {
    type Error = Stop;

    fn begin(&mut self, _: &Config) -> Result<(), Stop> {
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), Stop> {
        if event.t_ns < self.begin_ns {
            self.state = event.to;
            return Ok(());
        }
        self.trip = Some(*event).filter(|_| self.state == State::Closed);
        Err(Stop::Enough)
    }

    fn end(&mut self, _: &Summary) -> Result<(), Stop> {
        Ok(())
    }
}
