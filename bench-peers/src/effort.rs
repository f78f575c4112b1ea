//! How much is measured: everything, or only enough to see that the command runs.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// Only enough to see that the command runs.
    Quick,
}

impl Effort {
    /// Odd, so that there is a middle one.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.min(5),
        }
    }

    /// From so many seeds.
    pub(crate) fn traces(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => 1,
        }
    }
}
