//! The pauses of a replay, and how those of two replays of one log differ.

use crate::replay::Summary;
use trip99::{Event, State};

/// A time in which a breaker is not closed, from when it leaves closed to when it closes again.
#[derive(Clone, Debug)]
pub struct Pause {
    /// When it began.
    pub from_ns: u64,
    /// When it ended.
    pub to_ns: u64,
    /// Whether it ended by itself. Otherwise the log did.
    pub is_over: bool,
    /// How often the breaker opened again meanwhile.
    pub reopens: u64,
    /// What led to it. `None` if the breaker starts so.
    pub opening: Option<Event>,
}

impl Pause {
    /// How long it is.
    pub fn len_ns(&self) -> u64 {
        self.to_ns - self.from_ns
    }
}

/// Gathers pauses. It is to be told what a [`Report`](crate::replay::Report) is told.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    pauses: Vec<Pause>,
    /// The one that isn't over.
    current: Option<Pause>,
}

impl Pauses {
    /// Time passes in one state.
    pub fn span(&mut self, state: State, from_ns: u64) {
        if state != State::Closed && self.current.is_none() {
            self.begin(from_ns, None);
        }
    }

    /// The breaker changed its state.
    pub fn transition(&mut self, event: &Event) {
        match (event.from, event.to) {
            (State::Closed, State::Open) => self.begin(event.t_ns, Some(*event)),
            (State::HalfOpen, State::Open) => {
                if let Some(pause) = &mut self.current {
                    pause.reopens += 1;
                }
            }
            (_, State::Closed) => self.end_current(event.t_ns, true),
            _ => {}
        }
    }

    /// The replay is over.
    pub fn finish(mut self, summary: &Summary) -> Vec<Pause> {
        self.end_current(summary.end_ns, false);
        self.pauses
    }

    fn begin(&mut self, from_ns: u64, opening: Option<Event>) {
        self.current = Some(Pause { from_ns, to_ns: from_ns, is_over: false, reopens: 0, opening });
    }

    fn end_current(&mut self, to_ns: u64, is_over: bool) {
        self.pauses.extend(self.current.take().map(|pause| Pause { to_ns, is_over, ..pause }));
    }
}

/// Pauses of two replays that belong together: those that have a moment in common, and what these have one in common with. It is one pause
/// that the other replay doesn't have, or there are some on both sides.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Those of the old settings, in order.
    pub old: Vec<Pause>,
    /// Those of the new settings, in order.
    pub new: Vec<Pause>,
}

impl Difference {
    /// When the first of them began.
    pub fn from_ns(&self) -> u64 {
        self.old.iter().chain(&self.new).map(|pause| pause.from_ns).min().unwrap_or(0)
    }

    /// When the last of them ended.
    pub fn to_ns(&self) -> u64 {
        self.old.iter().chain(&self.new).map(|pause| pause.to_ns).max().unwrap_or(0)
    }

    /// How much later than the old ones the new ones begin; negative if sooner. `None` if there are none on one side.
    pub fn later_ns(&self) -> Option<i128> {
        Some(i128::from(self.new.first()?.from_ns) - i128::from(self.old.first()?.from_ns))
    }

    /// How much longer than the old ones the new ones last in all; negative if shorter.
    pub fn longer_ns(&self) -> i128 {
        let len_ns = |pauses: &[Pause]| pauses.iter().map(|pause| i128::from(pause.len_ns())).sum::<i128>();
        len_ns(&self.new) - len_ns(&self.old)
    }
}

/// What belongs together of two lists of pauses, in order. The pauses of a list are in order, and one begins when the one before is over or
/// later.
pub fn differences(old: Vec<Pause>, new: Vec<Pause>) -> Vec<Difference> {
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    let mut found: Vec<Difference> = Vec::new();
    // When the last pause of each side ends. One of an earlier difference is over before any other one begins.
    let (mut old_to_ns, mut new_to_ns) = (None, None);
    loop {
        let next_ns = [&mut old, &mut new].map(|side| side.peek().map(|pause| pause.from_ns));
        // A pause has a moment in common with one of the other side that isn't over by then. (Those of its own side are.)
        let joins = |next_ns: Option<u64>, other_to_ns| next_ns.is_some_and(|from_ns| Some(from_ns) <= other_to_ns);
        let [old_joins, new_joins] = [joins(next_ns[0], new_to_ns), joins(next_ns[1], old_to_ns)];
        let is_old = match next_ns {
            // Of two that begin at once the one that belongs to the last difference comes first: it may bring the other one in.
            [Some(old_ns), Some(new_ns)] if old_ns == new_ns => old_joins || !new_joins,
            [Some(old_ns), Some(new_ns)] => old_ns < new_ns,
            [old_ns, _] => old_ns.is_some(),
        };
        let Some(pause) = (if is_old { old.next() } else { new.next() }) else { return found };
        if !(if is_old { old_joins } else { new_joins }) {
            found.push(Difference::default());
        }
        let to_ns = Some(pause.to_ns);
        if let Some(last) = found.last_mut() {
            if is_old {
                old_to_ns = to_ns;
                last.old.push(pause);
            } else {
                new_to_ns = to_ns;
                last.new.push(pause);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pause(from_ns: u64, to_ns: u64) -> Pause {
        Pause { from_ns, to_ns, is_over: true, reopens: 0, opening: None }
    }

    fn pauses(ends: &[(u64, u64)]) -> Vec<Pause> {
        ends.iter().map(|&(from_ns, to_ns)| pause(from_ns, to_ns)).collect()
    }

    type Ends = Vec<(u64, u64)>;

    fn ends(pauses: &[Pause]) -> Ends {
        pauses.iter().map(|pause| (pause.from_ns, pause.to_ns)).collect()
    }

    fn found(old: &[(u64, u64)], new: &[(u64, u64)]) -> Vec<(Ends, Ends)> {
        let found = differences(pauses(old), pauses(new));
        found.iter().map(|one| (ends(&one.old), ends(&one.new))).collect()
    }

    #[test]
    fn what_has_a_moment_in_common_belongs_together() {
        let both = |old: &[(u64, u64)], new: &[(u64, u64)]| vec![(old.to_vec(), new.to_vec())];
        for (old, new) in [
            (&[(1, 5)][..], &[(1, 5)][..]),
            (&[(1, 5)], &[(5, 9)]),
            (&[(5, 9)], &[(1, 5)]),
            (&[(1, 9)], &[(2, 3), (4, 5), (9, 11)]),
            (&[(1, 3), (4, 8)], &[(3, 4), (8, 8)]),
            (&[(7, 7)], &[(7, 7)]),
        ] {
            assert_eq!(found(old, new), both(old, new));
            assert_eq!(found(new, old), both(new, old));
        }
        assert_eq!(found(&[(1, 5)], &[(6, 9)]), [(vec![(1, 5)], vec![]), (vec![], vec![(6, 9)])]);
        assert_eq!(found(&[(1, 5), (5, 6)], &[]), [(vec![(1, 5)], vec![]), (vec![(5, 6)], vec![])]);
        assert_eq!(found(&[], &[]), []);
    }

    #[test]
    fn sooner_and_longer_are_told() {
        let one = &differences(pauses(&[(10, 20)]), pauses(&[(8, 12), (15, 40)]))[0];
        assert_eq!((one.from_ns(), one.to_ns(), one.later_ns(), one.longer_ns()), (8, 40, Some(-2), 19));
        let one = &differences(vec![pause(0, u64::MAX)], vec![pause(u64::MAX, u64::MAX)])[0];
        assert_eq!((one.later_ns(), one.longer_ns()), (Some(u64::MAX.into()), -i128::from(u64::MAX)));
        let one = &differences(pauses(&[]), pauses(&[(3, 5)]))[0];
        assert_eq!((one.later_ns(), one.longer_ns()), (None, 2));
    }

    /// The naive twin: pauses that have a moment in common get one number, until no number changes any more.
    fn naive(old: &[(u64, u64)], new: &[(u64, u64)]) -> Vec<(Ends, Ends)> {
        let all: Vec<(bool, (u64, u64))> =
            old.iter().map(|&ends| (true, ends)).chain(new.iter().map(|&ends| (false, ends))).collect();
        let mut numbers: Vec<usize> = (0..all.len()).collect();
        loop {
            let before = numbers.clone();
            for (i, &(i_is_old, a)) in all.iter().enumerate() {
                for (j, &(j_is_old, b)) in all.iter().enumerate() {
                    if i_is_old != j_is_old && a.0 <= b.1 && b.0 <= a.1 {
                        let least = numbers[i].min(numbers[j]);
                        (numbers[i], numbers[j]) = (least, least);
                    }
                }
            }
            if numbers == before {
                break;
            }
        }
        let of = |number: usize, is_old: bool| -> Ends {
            let mine = all.iter().zip(&numbers).filter(|((old, _), mine)| *old == is_old && **mine == number);
            mine.map(|((_, ends), _)| *ends).collect()
        };
        let groups = (0..all.len()).filter(|number| numbers.contains(number));
        groups.map(|number| (of(number, true), of(number, false))).collect()
    }

    /// Pauses in order, of any length, which may touch.
    fn some_pauses() -> impl Strategy<Value = Ends> {
        proptest::collection::vec((0_u64..4, 0_u64..5), 0..8).prop_map(|steps| {
            let mut at = 0;
            let step = |(gap, len): (u64, u64)| {
                let from = at + gap;
                at = from + len;
                (from, at)
            };
            steps.into_iter().map(step).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn differences_are_those_of_the_naive_twin(old in some_pauses(), new in some_pauses()) {
            let sorted = |mut groups: Vec<(Ends, Ends)>| {
                groups.sort();
                groups
            };
            let found = found(&old, &new);
            let begins = found.iter().map(|(old, new)| old.iter().chain(new).map(|ends| ends.0).min());
            prop_assert!(begins.is_sorted());
            prop_assert_eq!(sorted(found), sorted(naive(&old, &new)));
        }
    }
}
