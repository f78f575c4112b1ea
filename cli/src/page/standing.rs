//! How a breaker stands, in the words of a trading desk.

use crate::page::reading::Reading;
use console::Style;
use trip99::State;

/// The worst that holds of a page. The most urgent comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It can't be read, or its gate holds what no version writes.
    Unreadable,
    /// Nobody judges, though there is an owner.
    Unwatched,
    /// It has no owner, and the latest one didn't end cleanly.
    Gone,
    Halted,
    Paused,
    Testing,
    /// It has no owner, and the latest one ended cleanly.
    Ended,
    Trading,
}

impl Standing {
    /// For machines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unwatched => "unwatched",
            Self::Gone | Self::Ended => "gone",
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::Testing => "testing",
            Self::Trading => "trading",
        }
    }

    /// For people. What somebody has to look at is in capitals, so that it stands out without colour.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unwatched => "UNWATCHED",
            Self::Halted => "HALTED",
            Self::Gone | Self::Ended => "no owner",
            other => other.name(),
        }
    }

    /// The exit status of `--check`.
    pub(crate) fn check(self) -> u8 {
        match self {
            Self::Trading => 0,
            Self::Paused | Self::Testing => 10,
            Self::Halted => 11,
            Self::Unwatched | Self::Gone | Self::Ended | Self::Unreadable => 12,
        }
    }

    pub(crate) fn style(self) -> Style {
        match self {
            Self::Trading => Style::new().green(),
            Self::Testing | Self::Gone | Self::Ended => Style::new().yellow(),
            Self::Paused => Style::new().red(),
            Self::Unreadable | Self::Unwatched | Self::Halted => Style::new().red().bold(),
        }
    }
}

impl Reading {
    pub(crate) fn standing(&self) -> Standing {
        let ended_cleanly = || self.comes_back.as_ref().is_some_and(|back| back.state == State::Closed && !back.halted);
        match self.state {
            _ if !self.has_owner() && ended_cleanly() => Standing::Ended,
            _ if !self.has_owner() => Standing::Gone,
            // A process that is stopped judges nothing, whether somebody has noticed or not.
            _ if self.unwatched || self.stopped => Standing::Unwatched,
            _ if self.halted => Standing::Halted,
            None => Standing::Unreadable,
            Some(State::Closed) => Standing::Trading,
            // Orders pass, whatever the breaker thinks of them.
            _ if self.shadow => Standing::Trading,
            Some(State::Open) => Standing::Paused,
            Some(State::HalfOpen) => Standing::Testing,
        }
    }

    /// The word, with the state's technical name beside: `HALTED (half_open)`. Of a page without an owner it is what an owner would come
    /// back as.
    pub(crate) fn state_words(&self) -> String {
        let standing = self.standing();
        if self.has_owner() {
            return format!("{} ({})", standing.word(), self.state_name());
        }
        let back = self.comes_back.as_ref();
        match back {
            Some(back) if back.halted => format!("{}, {}", standing.word(), Standing::Halted.word()),
            Some(back) => format!("{} ({})", standing.word(), back.state.name()),
            None => format!("{} (unknown)", standing.word()),
        }
    }

    /// As [`state_words`](Self::state_words), with all that lies over the state.
    pub(crate) fn show_state(&self) -> String {
        let standing = self.standing();
        let is_halted_too = self.has_owner() && self.halted && standing != Standing::Halted;
        let also = [(is_halted_too, Standing::Halted.word()), (self.shadow, "in shadow"), (self.stopped, "stopped")];
        let also: String = also.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| format!(", {word}")).collect();
        standing.style().apply_to(self.state_words() + &also).to_string()
    }
}
