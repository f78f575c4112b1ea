//! The script: what the node does to its clients, and when it goes on to the next trouble.

/// How the node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Calm,
    Slow,
    Silent,
    Lost,
}

impl Phase {
    /// The phase's name on the line to the node, and where there is little room.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Lost => "lost",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Calm, Self::Slow, Self::Silent, Self::Lost].into_iter().find(|phase| phase.name() == name)
    }

    /// The phase's name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Slow => "slow answers",
            Self::Silent => "no answers",
            Self::Lost => "connection lost",
        }
    }

    /// What the node does, after its title.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Calm => "it answers after 1 to 3 ms",
            Self::Slow => "they come after 350 to 500 ms",
            Self::Silent => "it reads orders, and that is all",
            Self::Lost => "it closes this one, and new ones at once",
        }
    }
}

const MS: u64 = 1_000_000;

/// The troubles, and how long each lasts. No trouble ends close to a moment when a trial is due: otherwise microseconds would
/// decide whether the trial meets the trouble. With the demo's backoff, trials go out some 0.7, 1.9 and 4.1 s after each of the
/// first two troubles began, and 0.5, 1.5 and 3.5 s after the last began.
const TROUBLES: [(Phase, u64); 3] = [(Phase::Slow, 3500 * MS), (Phase::Silent, 3500 * MS), (Phase::Lost, 3000 * MS)];

/// The next trouble begins when trading has gone on for so long.
const SETTLED_NS: u64 = 2000 * MS;

/// If trading hasn't gone on for so long by this time after a trouble, the script ends: trading has not resumed.
const PATIENCE_NS: u64 = 8000 * MS;

/// What is to happen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cue {
    Wait,
    Begin(Phase),
    End,
}

/// Follows the script. Calm lasts until trading has settled, not for a fixed time. On a busy machine a hiccup between two
/// troubles may pause trading, and only an engine that trades can notice a trouble.
pub(crate) struct Director {
    troubles: std::slice::Iter<'static, (Phase, u64)>,
    phase: Phase,
    since_ns: u64,
    /// The phase lasts at least so long.
    lasts_ns: u64,
}

impl Director {
    /// The script begins with calm.
    pub(crate) fn new(now_ns: u64) -> Self {
        Self { troubles: TROUBLES.iter(), phase: Phase::Calm, since_ns: now_ns, lasts_ns: 0 }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// `trading_since_ns`: when the breaker closed last, if it is closed now.
    pub(crate) fn cue(&mut self, now_ns: u64, trading_since_ns: Option<u64>) -> Cue {
        let so_far_ns = now_ns.saturating_sub(self.since_ns);
        let settled = trading_since_ns.is_some_and(|since_ns| now_ns.saturating_sub(since_ns) >= SETTLED_NS);
        if so_far_ns < self.lasts_ns {
            return Cue::Wait;
        }
        (self.phase, self.lasts_ns) = match self.phase {
            Phase::Calm if settled => match self.troubles.next() {
                Some(&trouble) => trouble,
                None => return Cue::End,
            },
            Phase::Calm if so_far_ns >= PATIENCE_NS => return Cue::End,
            Phase::Calm => return Cue::Wait,
            _ => (Phase::Calm, 0),
        };
        self.since_ns = now_ns;
        Cue::Begin(self.phase)
    }
}

/// The troubles, in the order of the script.
pub(crate) fn troubles() -> impl Iterator<Item = Phase> {
    TROUBLES.into_iter().map(|(phase, _)| phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the script in steps of 20 ms; each trouble pauses trading at once, and trading resumes `pause_ms` after
    /// the trouble. Returns the phases with their starts, and the end, in milliseconds.
    fn play(pause_ms: u64) -> (Vec<(Phase, u64)>, u64) {
        let mut director = Director::new(0);
        let mut phases = vec![(Phase::Calm, 0)];
        for now_ms in (0..100_000).step_by(20) {
            let since_ms = match *phases.last().unwrap() {
                (Phase::Calm, 0) => Some(0),
                (Phase::Calm, start_ms) => Some(start_ms + pause_ms).filter(|&since_ms| since_ms <= now_ms),
                _ => None,
            };
            match director.cue(now_ms * MS, since_ms.map(|since_ms| since_ms * MS)) {
                Cue::Wait => {}
                Cue::Begin(phase) => phases.push((phase, now_ms)),
                Cue::End => return (phases, now_ms),
            }
        }
        panic!("the script doesn't end: {phases:?}");
    }

    #[test]
    fn every_trouble_comes_and_calm_follows_each_until_trading_has_settled() {
        use Phase::{Calm, Lost, Silent, Slow};
        let (phases, end_ms) = play(600);
        let expected = [(Calm, 0), (Slow, 2000), (Calm, 5500), (Silent, 8100), (Calm, 11_600), (Lost, 14_200)];
        assert_eq!(phases, [&expected[..], &[(Calm, 17_200)]].concat());
        assert_eq!(end_ms, 19_800);
    }

    #[test]
    fn it_ends_early_if_trading_does_not_resume() {
        let (phases, end_ms) = play(60_000);
        assert_eq!(phases.last(), Some(&(Phase::Calm, 5500)));
        assert_eq!(end_ms, 13_500);
    }

    #[test]
    fn phases_have_names() {
        for phase in [Phase::Calm].into_iter().chain(troubles()) {
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
        assert_eq!(Phase::from_name("storm"), None);
    }
}
