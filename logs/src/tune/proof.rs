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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000_000_000;

    /// One failed call opens; nothing else does but a stall.
    fn config() -> Config {
        Config {
            threshold_ns: 100 * MS,
            consecutive_failures: 1,
            spike_count: 0,
            debt_limit: 0,
            stall_limit_ns: 0,
            probes: 1,
            backoff_base_ns: 5 * S,
            jitter_ppm: 0,
            ..Config::default()
        }
    }

    /// A call each second that takes 10 ms, but for those that fail: each is so slow that it ends at this moment.
    fn rows(seconds: u64, fail_ns: &[u64]) -> Vec<Row> {
        let row = |start_ns, latency_ns, ok| Row { start_ns, latency_ns: Some(latency_ns), ok, kind: RowKind::Ask };
        let mut rows: Vec<Row> = (0..seconds).map(|second| row(second * S, 10 * MS, true)).collect();
        rows.extend(fail_ns.iter().map(|&end_ns| row(end_ns - 10 * MS, 10 * MS, false)));
        rows.sort_by_key(|row| row.start_ns);
        rows
    }

    fn span(from_ns: u64, to_ns: u64) -> Span {
        Span { from_ns, to_ns }
    }

    fn proof(rows: &[Row], outages: &[Span]) -> Proof {
        Proof::new(&config(), rows, outages).expect("a log")
    }

    #[test]
    fn a_trip_up_to_a_minute_after_an_outage_is_due_to_it() {
        let outage = span(100 * S, 110 * S);
        let counts = |end_ns| {
            let proof = proof(&rows(300, &[end_ns]), &[outage]);
            assert_eq!((proof.pauses.len(), proof.outages), (1, 1));
            (proof.false_trips.len(), proof.noticed)
        };
        assert_eq!((counts(100 * S), counts(110 * S), counts(170 * S)), ((0, 1), (0, 1), (0, 1)));
        assert_eq!(counts(170 * S + 1), (1, 0));
        // A pause that isn't over when the outage begins is a false one, and notices it.
        assert_eq!((counts(100 * S - 1), counts(50 * S)), ((1, 1), (1, 0)));
    }

    #[test]
    fn a_stall_is_due_to_the_outage_in_which_its_call_began() {
        let config = Config { stall_limit_ns: 90 * S, consecutive_failures: 0, ..config() };
        let false_trips = |start_ns: u64| {
            let mut rows = rows(400, &[]);
            rows.push(Row { start_ns, latency_ns: None, ok: true, kind: RowKind::Ask });
            rows.sort_by_key(|row| row.start_ns);
            let proof = Proof::new(&config, &rows, &[span(100 * S, 110 * S)]).expect("a log");
            assert_eq!(proof.pauses.len(), 1);
            proof.false_trips.len()
        };
        // It stalls 90 s later: more than a minute after the outage.
        assert_eq!([100 * S, 110 * S, 170 * S, 170 * S + 1].map(false_trips), [0, 0, 0, 1]);
    }

    #[test]
    fn outages_take_their_time_from_the_span() {
        let rows = rows(101, &[]);
        assert_eq!(proof(&rows, &[]).span_ns, 100 * S);
        assert_eq!(proof(&rows, &[span(40 * S, 50 * S)]).span_ns, 90 * S);
        // At both ends of the log, and beyond them.
        let ends = [span(0, 10 * S), span(95 * S, 500 * S)];
        assert_eq!((proof(&rows, &ends).span_ns, proof(&rows, &ends).outages), (85 * S, 2));
        assert_eq!(
            (proof(&rows, &[span(0, 500 * S)]).span_ns, proof(&rows, &[span(101 * S, 102 * S)]).outages),
            (0, 0)
        );
        let none = proof(&[], &[span(0, 1)]);
        assert_eq!((none.span_ns, none.outages, none.pauses.len()), (0, 0, 0));
        assert_eq!(proof(&rows[..1], &[]).span_ns, 0);
    }

    #[test]
    fn a_bound_is_that_of_poisson() {
        let bounds = |false_trips, pauses| {
            let event = proof(&rows(300, &[100 * S]), &[]).false_trips[0];
            let made = proof(&rows(300, &[100 * S]), &[]).pauses[0].clone();
            let proof = Proof {
                span_ns: MONTH_NS / 2,
                false_trips: vec![event; false_trips],
                pauses: vec![made; pauses],
                ..Proof::default()
            };
            (proof.bound_a_month(), proof.bound_with_suspects_a_month())
        };
        let is_near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-3;
        // Half of the 90 % quantiles of chi-square with 2 and 4 degrees of freedom, for half a month.
        let (bound, with_suspects) = bounds(0, 1);
        assert!(is_near(bound, 2.0 * 2.9957) && is_near(with_suspects, 2.0 * 4.7439), "{bound} {with_suspects}");
        assert!(is_near(bounds(1, 1).0, 2.0 * 4.7439));
        assert!(Proof::default().bound_a_month() > 1e9, "no log promises nothing");
    }

    #[test]
    fn faults_begin_at_healthy_rows_evenly_spread() {
        assert_eq!(begins(&[], &[]), [0; 0]);
        assert_eq!(begins(&rows(1, &[]), &[]), [0]);
        let all = begins(&rows(60, &[]), &[]);
        assert_eq!(all, (0..30).map(|start| 2 * start + 1).collect::<Vec<_>>());
        let rest = begins(&rows(60, &[]), &[span(0, 29 * S)]);
        assert_eq!((rest[0], rest.len()), (30, 30));
        assert_eq!(begins(&rows(60, &[]), &[span(0, 60 * S)]), [0; 0]);
    }

    #[test]
    fn a_fault_is_noticed_after_calls_and_a_time() {
        // Calls that take five times as long are slow: three of them are a debt of three.
        let config = Config { threshold_ns: 40 * MS, debt_limit: 3, consecutive_failures: 0, ..config() };
        let rows = rows(3000, &[]);
        let five = Fault::Slower { times_ppm: 5_000_000 };
        let noticed = |config: &Config, begin| {
            noticed_after(config, &rows, begin, &five).ok().flatten().and_then(|noticed| noticed.0)
        };
        // At 1 ns more than 40 ms the third is overdue.
        assert_eq!([0, 1, 1500].map(|begin| noticed(&config, begin)), [Some((3, 2 * S + 40 * MS + 1)); 3]);
        // The last two aren't enough.
        assert_eq!((noticed(&config, 2997).is_some(), noticed(&config, 2998)), (true, None));
        // As slow as the threshold is good.
        assert_eq!(noticed(&Config { threshold_ns: 50 * MS, ..config.clone() }, 1500), None);
        let found = fault_proofs(&config, &rows, &[], 10 * MS).expect("a log");
        let first = &found[0];
        assert_eq!((first.fault, first.tried, first.noticed), (five, 30, 30));
        assert_eq!((first.median_calls, first.median_ns), (Some(3), Some(2 * S + 40 * MS + 1)));
        let none = fault_proofs(&config, &rows, &[span(0, 9999 * S)], 10 * MS).expect("a log");
        assert_eq!((none[0].tried, none[0].median_calls), (0, None));
    }
}
