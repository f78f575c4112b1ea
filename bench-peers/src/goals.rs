//! The project's goals, and whether this run meets them.

use crate::cpp;
use crate::detection::{Row, Trip};
use crate::peers::trip99::DEBT_6;
use crate::report::{ratio, table, time};
use crate::rounds::{Line, Spread};
use crate::scaling::quantile::{Case, REPLACED, SLID};
use crate::speed::{ALLOW, LOAD_AND_BRANCH, RDTSC, RECORD};
use crate::traces::{CALMS, FILLS, TROUBLES};
use crate::worst::Worst;

/// About a cycle. Two loops of the same instructions differ by so much, as they lie in memory.
const LAYOUT_NS: f64 = 0.3;
const THIRD: f64 = 1.0 / 3.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    NotResolvable,
    NotMeasured,
}

impl Verdict {
    /// Judges by the median.
    fn at_most(figure: f64, limit: f64) -> Self {
        if figure <= limit { Self::Met } else { Self::Missed }
    }

    /// Judges a figure that may be wrong by so much. `floor` is the figure of nothing at all: if the machine itself interrupts for
    /// longer than the limit, and often enough, no figure tells anything.
    fn within(figure: f64, error: f64, floor: f64, limit: f64) -> Self {
        if figure + error <= limit {
            Self::Met
        } else if figure - error <= limit || floor > limit {
            Self::NotResolvable
        } else {
            Self::Missed
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NotResolvable => "not resolvable here",
            Self::NotMeasured => "not measured",
        }
    }
}

struct Goal {
    what: String,
    goal: String,
    figure: String,
    verdict: Verdict,
}

impl Goal {
    fn ratio(what: impl Into<String>, to: &str, figure: Spread, limit: f64) -> Self {
        let limit_text = if limit == THIRD { "1/3".to_owned() } else { limit.to_string() };
        Self {
            what: what.into(),
            goal: format!("at most {limit_text} x {to}"),
            figure: ratio(figure),
            verdict: Verdict::at_most(figure.median, limit),
        }
    }
}

fn find<'a>(speed: &'a [Line], name: &str) -> &'a Line {
    speed.iter().find(|line| line.name == name).expect("such a line is timed")
}

fn median(ns: &[f64]) -> f64 {
    Spread::of(ns.iter().copied()).median
}

fn allow(speed: &[Line]) -> Goal {
    let (allow, floor) = (find(speed, ALLOW), find(speed, LOAD_AND_BRANCH));
    let over_ns = Spread::of(allow.ns.iter().zip(&floor.ns).map(|(ns, floor_ns)| ns - floor_ns)).median;
    Goal {
        what: "allow, closed, inline".to_owned(),
        goal: format!("a relaxed load and a branch, and at most {LAYOUT_NS} ns, the loop's layout, over it"),
        figure: format!("{} beside {}", time(median(&allow.ns)), time(median(&floor.ns))),
        verdict: Verdict::at_most(over_ns, LAYOUT_NS),
    }
}

fn fastest_rival(speed: &[Line], record_at: &Line, rivals: &[&str]) -> Goal {
    let rivals = speed.iter().filter(|line| rivals.contains(&line.name.as_str()));
    let fastest = rivals.min_by(|a, b| median(&a.ns).total_cmp(&median(&b.ns))).expect("there are rivals");
    let figure = Spread::of_ratios(&record_at.ns, &fastest.ns);
    Goal::ratio("allow_at + record_at, inline", &format!("the fastest rival, {}", fastest.name), figure, THIRD)
}

fn c_abi(cpp: Option<&cpp::Figures>) -> Goal {
    let what = "cb_gate_closed + cb_record_at, in C++";
    let to = "(allow_at + record_at, inline in Rust, + a bare call)";
    match cpp {
        Some(figures) => Goal::ratio(what, to, figures.against_inline_and_a_call(), 1.0),
        None => Goal {
            what: what.to_owned(),
            goal: format!("at most 1 x {to}"),
            figure: "-".to_owned(),
            verdict: Verdict::NotMeasured,
        },
    }
}

fn worst_case(worst: &Worst) -> Goal {
    let (timer_ns, own_ns) = (median(&worst.floor.median_ns), median(&worst.own_ns));
    let over_timer = |ns: &[f64]| (median(ns) - timer_ns).max(0.0);
    let (figure_ns, floor_ns) = (over_timer(&worst.record_at.p9999_ns), over_timer(&worst.floor.p9999_ns));
    let limit_ns = 3.0 * own_ns;
    Goal {
        what: "record_at, P99.99, less the timer".to_owned(),
        goal: format!("at most 3 x its median, {}", time(own_ns)),
        figure: format!("{} to within {}; of nothing {}", whole(figure_ns), whole(worst.step_ns), whole(floor_ns)),
        verdict: Verdict::within(figure_ns, worst.step_ns, floor_ns, limit_ns),
    }
}

fn whole(ns: f64) -> String {
    format!("{ns:.0} ns")
}

fn quantile(cases: &[Case], name: &str, window: usize, to_read_pass: f64) -> Goal {
    let case = find_case(cases, name, window);
    let figure = Spread::of_ratios(&case.ours, &case.read_pass);
    Goal::ratio(of_window(name, window), "a read pass", figure, to_read_pass)
}

fn find_case<'a>(cases: &'a [Case], name: &str, window: usize) -> &'a Case {
    cases.iter().find(|case| case.name == name && case.window == window).expect("such a window is timed")
}

fn of_window(name: &str, window: usize) -> String {
    format!("quantile of {}, {name}", crate::scaling::thousands(window))
}

fn quantile_to_std(cases: &[Case]) -> Goal {
    let case = find_case(cases, SLID, 1024);
    let figure = Spread::of_ratios(&case.ours, &case.std);
    Goal::ratio(of_window(SLID, 1024), "copy + std's select_nth_unstable", figure, 0.1)
}

/// Troubles that no peer may notice sooner.
const SOONEST: [&str; 4] = ["step", "silent", "lost", "flapping"];

fn detection_goals(rows: &[Row]) -> [Goal; 2] {
    let ours = rows.iter().find(|row| row.name == DEBT_6).expect("such a row is fed");
    let rivals: Vec<_> = rows.iter().filter(|row| !row.is_ours).collect();
    [few_false_trips(ours), none_sooner(ours, &rivals)]
}

fn few_false_trips(ours: &Row) -> Goal {
    let counts: Vec<_> = ours.calms.iter().map(|trips| trips.iter().flatten().count()).collect();
    let traces = ours.calms.iter().map(Vec::len).min().unwrap_or(0);
    let worst = counts.iter().max().copied().unwrap_or(0);
    let by_calm = CALMS.iter().zip(counts.chunks(FILLS.len()));
    let figures = by_calm.map(|(calm, counts)| format!("{} {}", calm.name, counts.iter().max().unwrap_or(&0)));
    Goal {
        what: format!("{DEBT_6}: false trips"),
        goal: "at most 1 of 100 on each calm node, at each fill".to_owned(),
        figure: format!("at most, of {traces}: {}", figures.collect::<Vec<_>>().join(", ")),
        verdict: if worst * 100 <= traces { Verdict::Met } else { Verdict::Missed },
    }
}

/// Trace by trace.
fn none_sooner(ours: &Row, rivals: &[&Row]) -> Goal {
    let after_ns = |trip: &Option<Trip>| trip.and_then(|trip| trip.after_ns).unwrap_or(u64::MAX);
    let mut figures = Vec::new();
    let mut verdict = Verdict::Met;
    for (index, trouble) in TROUBLES.iter().enumerate().filter(|(_, trouble)| SOONEST.contains(&trouble.name)) {
        let times_ns = |row: &Row| row.troubles[index].iter().map(after_ns).collect::<Vec<_>>();
        let (own_ns, mut least_ns) = (times_ns(ours), u64::MAX);
        let mut sooner = 0;
        for rival in rivals {
            let rival_ns = times_ns(rival);
            sooner += own_ns.iter().zip(&rival_ns).filter(|(own_ns, rival_ns)| own_ns > rival_ns).count();
            least_ns = rival_ns.into_iter().min().unwrap_or(u64::MAX).min(least_ns);
        }
        let ms = |ns: u64| if ns == u64::MAX { "never".to_owned() } else { format!("{} ms", ns / 1_000_000) };
        let most_ns = own_ns.into_iter().max().unwrap_or(u64::MAX);
        figures.push(format!("{} {}, peers {}", trouble.name, ms(most_ns), ms(least_ns)));
        if sooner > 0 || most_ns == u64::MAX {
            verdict = Verdict::Missed;
        }
    }
    Goal {
        what: format!("{DEBT_6}: {}", SOONEST.join(", ")),
        goal: "it notices each, and no peer sooner, in any trace".to_owned(),
        figure: format!("at most, beside the peers' least: {}", figures.join("; ")),
        verdict,
    }
}

/// A table. `record_at` is the line whose name comes first in the entries, `rivals` are the names of those that aren't
/// trip99.
pub(crate) fn report(
    speed: &[Line],
    record_at: &str,
    rivals: &[&str],
    worst: &Worst,
    cases: &[Case],
    cpp: Option<&cpp::Figures>,
    detection: &[Row],
) -> String {
    let (record, rdtsc) = (find(speed, RECORD), find(speed, RDTSC));
    let goals = [
        allow(speed),
        fastest_rival(speed, find(speed, record_at), rivals),
        Goal::ratio("record, which reads the TSC", "one rdtsc", Spread::of_ratios(&record.ns, &rdtsc.ns), 1.25),
        c_abi(cpp),
        worst_case(worst),
        quantile(cases, SLID, 1024, 1.5),
        quantile_to_std(cases),
        quantile(cases, SLID, 65_536, 2.0),
        quantile(cases, REPLACED, 65_536, 2.0),
    ];
    goals_table(goals.into_iter().chain(detection_goals(detection)))
}

/// The part of the table that comes from traces.
pub(crate) fn of_detection(rows: &[Row]) -> String {
    goals_table(detection_goals(rows).into_iter())
}

fn goals_table(goals: impl Iterator<Item = Goal>) -> String {
    let rows = goals.map(|goal| vec![goal.what, goal.goal, goal.figure, goal.verdict.text().to_owned()]);
    table(&["what", "goal", "this run", "verdict"], &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_its_limit() {
        assert_eq!(Verdict::at_most(1.25, 1.25), Verdict::Met);
        assert_eq!(Verdict::at_most(1.26, 1.25), Verdict::Missed);
        assert_eq!(Verdict::at_most(f64::NAN, 1.25), Verdict::Missed);
    }

    #[test]
    fn what_the_machine_hides_is_neither_met_nor_missed() {
        assert_eq!(Verdict::within(10.0, 5.0, 0.0, 15.0), Verdict::Met);
        assert_eq!(Verdict::within(12.0, 5.0, 0.0, 15.0), Verdict::NotResolvable);
        assert_eq!(Verdict::within(40.0, 5.0, 0.0, 15.0), Verdict::Missed);
        assert_eq!(Verdict::within(40.0, 5.0, 30.0, 15.0), Verdict::NotResolvable);
    }

    #[test]
    fn the_fastest_rival_is_what_counts() {
        let line = |name: &str, ns: f64| {
            let mut line = Line::new(name, |_, _| {});
            line.ns = vec![ns; 5];
            line
        };
        let speed =
            [line("floor", 0.1), line("ours", 3.0), line("slow", 50.0), line("fast", 9.0), line("ours too", 1.0)];
        let goal = fastest_rival(&speed, &speed[1], &["slow", "fast"]);
        assert!(goal.goal.ends_with("fast") && goal.verdict == Verdict::Met, "{} {}", goal.goal, goal.figure);
        assert_eq!(fastest_rival(&speed, &speed[1], &["slow", "fast"]).figure, "0.33 (0.33 to 0.33)");
        assert_eq!(fastest_rival(&speed, &speed[3], &["slow"]).verdict, Verdict::Met);
        assert_eq!(fastest_rival(&speed, &speed[3], &["fast"]).verdict, Verdict::Missed);
    }

    fn row(name: &str, false_trips: usize, after_ms: Option<u64>) -> Row {
        let trip = |after_ns| Trip { after_ns, sent: 0, returned: 0, sent_in_all: 0 };
        let calms = vec![(0..100).map(|trace| (trace < false_trips).then(|| trip(None))).collect(); 9];
        let troubles = vec![vec![after_ms.map(|ms| trip(Some(ms * 1_000_000))); 2]; TROUBLES.len()];
        Row { name: name.to_owned(), is_ours: name == DEBT_6, troubles, calms }
    }

    #[test]
    fn one_false_trip_of_a_hundred_is_the_limit() {
        let verdict = |false_trips| detection_goals(&[row(DEBT_6, false_trips, Some(1))])[0].verdict;
        assert_eq!([0, 1, 2].map(verdict), [Verdict::Met, Verdict::Met, Verdict::Missed]);
    }

    #[test]
    fn no_rival_may_be_sooner() {
        let verdict = |own_ms, rival_ms| {
            let rows = [row(DEBT_6, 0, own_ms), row("slow", 0, None), row("rival", 0, rival_ms)];
            detection_goals(&rows)[1].verdict
        };
        assert_eq!(verdict(Some(225), Some(225)), Verdict::Met);
        assert_eq!(verdict(Some(226), Some(225)), Verdict::Missed);
        assert_eq!(verdict(Some(226), None), Verdict::Met);
        assert_eq!(verdict(None, None), Verdict::Missed, "it must notice");
    }
}
