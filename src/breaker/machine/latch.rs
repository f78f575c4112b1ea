//! The latch: a node that flaps stays out until somebody resumes.

use crate::config::Config;

/// Counts the openings since the breaker was last closed for `stable_after` on end.
#[derive(Default)]
pub(super) struct Latch {
    openings: u32,
}

impl Latch {
    /// Counts an opening. `closed_ns` is how long the breaker had been closed: 0 if it opens from half-open. True if the breaker has
    /// opened as often as `latch_after` allows, or more often.
    pub(super) fn open(&mut self, closed_ns: u64, config: &Config) -> bool {
        if closed_ns >= config.stable_after_ns {
            self.reset();
        }
        self.openings = self.openings.saturating_add(1);
        config.latch_after > 0 && self.openings >= config.latch_after
    }

    /// Counts anew. To be called when the latch's halt is resumed.
    pub(super) fn reset(&mut self) {
        self.openings = 0;
    }

    /// The count, for the next owner of the page.
    pub(super) fn openings(&self) -> u32 {
        self.openings
    }

    /// Goes on from the count that an earlier owner left.
    pub(super) fn restore(&mut self, openings: u32) {
        self.openings = openings;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_count_until_the_breaker_was_closed_for_long_enough() {
        let config = Config { latch_after: 3, stable_after_ns: 100, ..Config::default() };
        let mut latch = Latch::default();
        let mut open = |closed_ns| (latch.open(closed_ns, &config), latch.openings());
        assert_eq!([u64::MAX, 0, 99].map(&mut open), [(false, 1), (false, 2), (true, 3)]);
        assert_eq!([0, 100, 0, 0].map(open), [(true, 4), (false, 1), (false, 2), (true, 3)]);
        latch.reset();
        assert!(!latch.open(0, &config) && latch.openings() == 1);
        latch.restore(2);
        assert!(latch.open(0, &config));
        latch.restore(u32::MAX);
        assert!(latch.open(0, &config) && !latch.open(0, &Config::default()));
    }
}
