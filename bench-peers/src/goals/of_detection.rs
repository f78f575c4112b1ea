//! The goals whose figures come from traces.

use super::goal::{Goal, Verdict};
use crate::detection::{Row, Trip};
use crate::peers::trip99::DEBT_6;
use crate::traces::{CALMS, FILLS, TROUBLES};

/// Troubles that no peer may notice sooner.
const SOONEST: [&str; 4] = ["step", "silent", "lost", "flapping"];

pub(crate) fn of_detection(rows: &[Row]) -> [Goal; 2] {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, false_trips: usize, after_ms: Option<u64>) -> Row {
        let trip = |after_ns| Trip { after_ns, sent: 0, returned: 0, sent_in_all: 0 };
        let calms = vec![(0..100).map(|trace| (trace < false_trips).then(|| trip(None))).collect(); 9];
        let troubles = vec![vec![after_ms.map(|ms| trip(Some(ms * 1_000_000))); 2]; TROUBLES.len()];
        Row { name: name.to_owned(), is_ours: name == DEBT_6, troubles, calms }
    }

    #[test]
    fn one_false_trip_of_a_hundred_is_the_limit() {
        let verdict = |false_trips| of_detection(&[row(DEBT_6, false_trips, Some(1))])[0].verdict;
        assert_eq!([0, 1, 2].map(verdict), [Verdict::Met, Verdict::Met, Verdict::Missed]);
    }

    #[test]
    fn no_rival_may_be_sooner() {
        let verdict = |own_ms, rival_ms| {
            let rows = [row(DEBT_6, 0, own_ms), row("slow", 0, None), row("rival", 0, rival_ms)];
            of_detection(&rows)[1].verdict
        };
        assert_eq!(verdict(Some(225), Some(225)), Verdict::Met);
        assert_eq!(verdict(Some(226), Some(225)), Verdict::Missed);
        assert_eq!(verdict(Some(226), None), Verdict::Met);
        assert_eq!(verdict(None, None), Verdict::Missed, "it must notice");
    }
}
