//! The project's goals, and whether this run meets them.

mod goal;
mod of_detection;

pub(crate) use goal::{Goal, report};
pub(crate) use of_detection::of_detection;

use crate::cpp;
use crate::peers::trip99::{RECORD_AT, TICKETS};
use crate::report::time;
use crate::rounds::{Line, Spread};
use crate::scaling::quantile::{self, REPLACED, SLID};
use crate::scaling::{many, thousands, threads};
use crate::shown::{self, IN_A_FILE, IN_A_FILE_WITH_A_TAP, PRIVATE};
use crate::speed::{ALLOW, LOAD_AND_BRANCH, RDTSC, RECORD, TWO_RDTSC};
use crate::timing::Timing;
use crate::worst::{MEDIAN, P9999, Timed, Worst};
use goal::Verdict;

/// About a cycle. Two loops of the same instructions differ by so much, as they lie in memory.
const LAYOUT_NS: f64 = 0.3;
/// Of a breaker with the default settings.
const MAX_BYTES: usize = 65_536;

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
    Goal::ratio("allow_at + record_at, inline", &format!("the fastest rival, {}", fastest.name), figure, 0.1)
}

/// Beside a floor of the same table.
fn to_floor(speed: &[Line], what: &str, line: &str, to: &str, floor: &str, limit: f64) -> Goal {
    let (line, floor) = (find(speed, line), find(speed, floor));
    Goal::ratio(what, to, Spread::of_ratios(&line.ns, &floor.ns), limit)
}

fn through_c(cpp: Option<&cpp::Figures>) -> [Goal; 2] {
    [
        Goal::ratio_if_measured(
            "cb_gate_closed + cb_record_at, in C++",
            "(allow_at + record_at, inline in Rust, + a bare call)",
            cpp.map(cpp::Figures::against_inline_and_a_call),
            1.0,
        ),
        Goal::ratio_if_measured(
            "cb_gate_closed + cb_begin + cb_end, in C++",
            "two rdtsc",
            cpp.map(cpp::Figures::tickets_to_two_rdtsc),
            1.35,
        ),
    ]
}

fn worst_case(what: &str, timed: &Timed, worst: &Worst) -> Goal {
    let over_timer = |timed: &Timed| (timed.at(P9999) - worst.floor.at(MEDIAN)).max(0.0);
    let (figure_ns, floor_ns, own_ns) = (over_timer(timed), over_timer(&worst.floor), median(&timed.own_ns));
    Goal {
        what: format!("{what}, P99.99, less the timer"),
        goal: format!("at most 3 x its median, {}", time(own_ns)),
        figure: format!("{} to within {}; of nothing {}", time(figure_ns), time(worst.error_ns), time(floor_ns)),
        verdict: Verdict::within(figure_ns, worst.error_ns, floor_ns, 3.0 * own_ns),
    }
}

fn of_quantiles(cases: &[quantile::Case]) -> Vec<Goal> {
    let goal = |name, window, to, limit| {
        let case = cases.iter().find(|case| case.name == name && case.window == window);
        let case = case.expect("such a window is timed");
        let (to, base) = match to {
            To::ReadPass => ("a read pass", &case.read_pass),
            To::Std => ("copy + std's select_nth_unstable", &case.std),
        };
        let what = format!("quantile of {}, {name}", thousands(window));
        Goal::ratio(what, to, Spread::of_ratios(&case.ours, base), limit)
    };
    vec![
        goal(SLID, 1024, To::ReadPass, 1.3),
        goal(SLID, 1024, To::Std, 0.1),
        goal(REPLACED, 1024, To::ReadPass, 4.0),
        goal(SLID, 65_536, To::ReadPass, 2.0),
        goal(REPLACED, 65_536, To::ReadPass, 2.0),
        goal(SLID, 64, To::Std, 1.0),
        goal(REPLACED, 64, To::Std, 1.0),
    ]
}

/// What a quantile is compared to.
enum To {
    ReadPass,
    Std,
}

pub(crate) fn of_many(cases: &[many::Case]) -> Vec<Goal> {
    let goal = |case: &many::Case| {
        let what = match case.count {
            1 => "1 breaker in a loop".to_owned(),
            count => format!("{} breakers in one loop", thousands(count)),
        };
        Goal::ratio(what, many::RIVAL, Spread::of_ratios(&case.ours, &case.recloser), 1.0)
    };
    cases.iter().map(goal).collect()
}

fn of_memory(bytes: usize) -> Goal {
    Goal {
        what: "a private breaker, default settings, inline and heap".to_owned(),
        goal: format!("at most {} bytes", thousands(MAX_BYTES)),
        figure: format!("{} bytes", thousands(bytes)),
        verdict: if bytes <= MAX_BYTES { Verdict::Met } else { Verdict::Missed },
    }
}

fn of_shown(cases: &[shown::Case]) -> [Goal; 2] {
    let ns = |name| &cases.iter().find(|case| case.name == name).expect("such a breaker is timed").ns;
    let goal =
        |name, limit| Goal::ratio(name, "that of a private breaker", Spread::of_ratios(ns(name), ns(PRIVATE)), limit);
    [goal(IN_A_FILE, 1.5), goal(IN_A_FILE_WITH_A_TAP, 2.0)]
}

pub(crate) fn of_timing(timing: &Timing) -> Vec<Goal> {
    let Timing { entries, speed, worst, .. } = timing;
    let rivals: Vec<_> = entries.iter().filter(|entry| !entry.is_ours()).map(|entry| entry.name).collect();
    let mut goals = vec![
        allow(speed),
        fastest_rival(speed, find(speed, RECORD_AT), &rivals),
        to_floor(speed, "record, which reads the TSC", RECORD, "one rdtsc", RDTSC, 1.15),
        to_floor(speed, "allow + begin + end, which read the TSC twice", TICKETS, "two rdtsc", TWO_RDTSC, 1.25),
    ];
    goals.extend(through_c(timing.cpp.as_ref()));
    goals.push(worst_case("record_at", &worst.record_at, worst));
    goals.push(worst_case("poll_at + record_at", &worst.polled, worst));
    goals.extend(of_quantiles(&timing.quantiles));
    goals.extend(of_many(&timing.many));
    goals.push(of_memory(timing.memory.bytes()));
    goals.extend(of_shown(&timing.shown));
    let lane = threads::lane_to_recloser(&timing.threads);
    goals.push(Goal::ratio_at_least("one trader, a lane and an owner that polls", "recloser's throughput", lane, 2.0));
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_rival_is_what_counts() {
        let line = |name: &str, ns: f64| {
            let mut line = Line::new(name, |_, _| {});
            line.ns = vec![ns; 5];
            line
        };
        let speed =
            [line("floor", 0.1), line("ours", 0.9), line("slow", 90.0), line("fast", 9.0), line("ours too", 1.0)];
        let goal = fastest_rival(&speed, &speed[1], &["slow", "fast"]);
        assert!(goal.goal.ends_with("fast") && goal.verdict == Verdict::Met, "{} {}", goal.goal, goal.figure);
        assert_eq!(fastest_rival(&speed, &speed[1], &["slow", "fast"]).figure, "0.10 (0.10 to 0.10)");
        assert_eq!(fastest_rival(&speed, &speed[3], &["slow"]).verdict, Verdict::Met);
        assert_eq!(fastest_rival(&speed, &speed[3], &["fast"]).verdict, Verdict::Missed);
    }

    #[test]
    fn a_breaker_may_take_so_many_bytes() {
        assert_eq!([65_536, 65_537].map(|bytes| of_memory(bytes).verdict), [Verdict::Met, Verdict::Missed]);
    }

    #[test]
    fn many_breakers_are_held_against_as_many_of_recloser() {
        let case = |count, ours, recloser| many::Case::of(count, vec![ours; 5], vec![recloser; 5]);
        let goals = of_many(&[case(1, 2.0, 2.0), case(10_000, 2.1, 2.0)]);
        assert_eq!(goals.iter().map(|goal| goal.verdict).collect::<Vec<_>>(), [Verdict::Met, Verdict::Missed]);
        assert_eq!(goals[1].what, "10 000 breakers in one loop");
    }

    #[test]
    fn what_others_see_is_held_against_a_private_breaker() {
        let cases = |in_a_file, tapped| {
            let case = |(name, ns)| shown::Case { name, ns: vec![ns; 5] };
            [(PRIVATE, 2.0), ("another", 9.0), (IN_A_FILE, in_a_file), (IN_A_FILE_WITH_A_TAP, tapped)].map(case)
        };
        let verdicts = |cases: [shown::Case; 4]| of_shown(&cases).map(|goal| goal.verdict);
        assert_eq!(verdicts(cases(3.0, 4.0)), [Verdict::Met; 2]);
        assert_eq!(verdicts(cases(3.1, 4.1)), [Verdict::Missed; 2]);
    }

    #[test]
    fn each_quantile_is_held_against_its_own_base() {
        let case = |name, window| quantile::Case {
            name,
            window,
            read_pass: vec![1.0; 5],
            std: vec![20.0; 5],
            ours: vec![1.9; 5],
        };
        let cases: Vec<_> = [64, 1024, 65_536].into_iter().flat_map(|n| [case(SLID, n), case(REPLACED, n)]).collect();
        let (met, missed) = (Verdict::Met, Verdict::Missed);
        let verdicts: Vec<_> = of_quantiles(&cases).iter().map(|goal| goal.verdict).collect();
        assert_eq!(verdicts, [missed, met, met, met, met, met, met]);
    }

    #[test]
    fn the_worst_is_held_against_its_own_median() {
        let timed = |median_ns, p9999_ns, own_ns| {
            let mut each_ns = vec![median_ns; 10_000];
            each_ns[9998..].fill(p9999_ns);
            Timed::of(vec![own_ns; 5], each_ns)
        };
        let worst = |error_ns| Worst {
            floor: timed(10.0, 11.0, 0.3),
            record_at: timed(12.0, 15.0, 2.0),
            polled: timed(13.0, 30.0, 4.0),
            error_ns,
        };
        let verdicts =
            |worst: Worst| [&worst.record_at, &worst.polled].map(|timed| worst_case("", timed, &worst).verdict);
        assert_eq!(verdicts(worst(0.5)), [Verdict::Met, Verdict::Missed]);
        assert_eq!(verdicts(worst(10.0)), [Verdict::NotResolvable; 2]);
    }
}
