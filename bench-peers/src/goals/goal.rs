//! A goal, and whether this run meets it.

use crate::report::{ratio, table};
use crate::rounds::Spread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    NotResolvable,
    NotMeasured,
}

impl Verdict {
    /// Judges by the median.
    pub(super) fn at_most(figure: f64, limit: f64) -> Self {
        if figure <= limit { Self::Met } else { Self::Missed }
    }

    fn at_least(figure: f64, limit: f64) -> Self {
        if figure >= limit { Self::Met } else { Self::Missed }
    }

    /// Judges a figure that may be wrong by so much. `floor` is the figure of nothing at all: if the machine itself interrupts for
    /// longer than the limit, and often enough, no figure tells anything.
    pub(super) fn within(figure: f64, error: f64, floor: f64, limit: f64) -> Self {
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

pub(crate) struct Goal {
    pub(super) what: String,
    pub(super) goal: String,
    pub(super) figure: String,
    pub(super) verdict: Verdict,
}

impl Goal {
    pub(super) fn ratio(what: impl Into<String>, to: &str, figure: Spread, limit: f64) -> Self {
        Self {
            what: what.into(),
            goal: at_most(to, limit),
            figure: ratio(figure),
            verdict: Verdict::at_most(figure.median, limit),
        }
    }

    /// `None`: it wasn't measured.
    pub(super) fn ratio_if_measured(what: &str, to: &str, figure: Option<Spread>, limit: f64) -> Self {
        match figure {
            Some(figure) => Self::ratio(what, to, figure, limit),
            None => Self::not_measured(what, at_most(to, limit)),
        }
    }

    pub(super) fn ratio_at_least(what: &str, to: &str, figure: Option<Spread>, limit: f64) -> Self {
        let goal = format!("at least {limit} x {to}");
        match figure {
            Some(spread) => Self {
                what: what.to_owned(),
                goal,
                figure: ratio(spread),
                verdict: Verdict::at_least(spread.median, limit),
            },
            None => Self::not_measured(what, goal),
        }
    }

    fn not_measured(what: &str, goal: String) -> Self {
        Self { what: what.to_owned(), goal, figure: "-".to_owned(), verdict: Verdict::NotMeasured }
    }
}

fn at_most(to: &str, limit: f64) -> String {
    format!("at most {limit} x {to}")
}

/// A table.
pub(crate) fn report(goals: impl IntoIterator<Item = Goal>) -> String {
    let rows = goals.into_iter().map(|goal| vec![goal.what, goal.goal, goal.figure, goal.verdict.text().to_owned()]);
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
    fn what_is_at_least_asked_for_is_met_from_its_limit_on() {
        let spread = |median| Spread { low: 0.0, median, high: 9.0 };
        let verdict = |median| Goal::ratio_at_least("", "", Some(spread(median)), 2.0).verdict;
        assert_eq!([2.0, 1.99, f64::NAN].map(verdict), [Verdict::Met, Verdict::Missed, Verdict::Missed]);
    }

    #[test]
    fn what_is_not_measured_is_no_met_goal() {
        let goals = [Goal::ratio_at_least("", "", None, 2.0), Goal::ratio_if_measured("", "", None, 1.0)];
        assert!(goals.iter().all(|goal| goal.verdict == Verdict::NotMeasured));
    }
}
