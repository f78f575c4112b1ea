//! A clock that jumped. One stamp from the far future makes each honest one count as the latest time seen, so that nothing ever
//! becomes due again. So when too many operations come with a time far before that, the breaker believes them.
//!
//! A calm operation counts nothing. Only once one of the latest 64 came from far back, the next timer is made due at once: then each
//! operation takes its slow half, which counts here. Before that there is nothing to count.

use super::Machine;
use crate::config::State;
use crate::event::Reason;

/// A time that is more than this before the latest seen is far back.
pub(super) const LIMIT_NS: u64 = 1_000_000_000;
/// The clock has jumped if so many of the latest 64 operations came from far back.
const MANY: u32 = 8;

/// Which of the owner's latest 64 operations came from far back.
#[derive(Default)]
pub(super) struct FarBack {
    /// A bit for each, the latest one lowest.
    latest: u64,
    /// Nobody is to look.
    is_off: bool,
}

impl FarBack {
    /// True if there is something to count: each operation is to be noted.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.latest != 0
    }

    /// Takes note of an operation, which came so long before the latest time seen. True if the clock has jumped. Then the count
    /// begins anew.
    fn note(&mut self, back_ns: u64) -> bool {
        self.latest = (self.latest << 1) | u64::from(back_ns > LIMIT_NS && !self.is_off);
        let has_jumped = self.latest.count_ones() >= MANY;
        if has_jumped {
            self.latest = 0;
        }
        has_jumped
    }

    /// From now on no clock jumps.
    pub(super) fn turn_off(&mut self) {
        *self = Self { latest: 0, is_off: true };
    }
}

impl Machine {
    /// To be called once with the time of each operation that may matter here: one that is before the latest time, or by which a
    /// timer is due.
    #[inline]
    pub(in crate::breaker) fn look_at_clock(&mut self, now_ns: u64) {
        if now_ns < self.latest_ns || self.far_back.is_any() {
            self.count_operation(now_ns);
        }
    }

    #[cold]
    fn count_operation(&mut self, now_ns: u64) {
        let back_ns = self.latest_ns.saturating_sub(now_ns);
        if self.far_back.note(back_ns) {
            self.jump_back(now_ns, back_ns);
        } else if self.far_back.is_any() {
            self.wake_ns = 0;
        }
    }

    /// What was told on the old clock says nothing on the new one. The breaker pauses, and begins anew.
    #[cold]
    fn jump_back(&mut self, now_ns: u64, back_ns: u64) {
        self.judge.expire(self.latest_ns); // what is too old is gone for good
        (self.latest_ns, self.previous_ns, self.horizon_ns) = (now_ns, now_ns, now_ns);
        (self.beat_ns, self.polled_ns) = (now_ns, self.polled_ns.min(now_ns));
        let is_latched = if self.state == State::Open {
            self.pause_anew();
            self.journal_because(State::Open, Reason::ClockJumped, back_ns);
            false
        } else {
            self.shut(Reason::ClockJumped, back_ns)
        };
        self.judge.end_calm();
        self.tap_forgotten();
        self.judge.begin_epoch(now_ns);
        self.finish_opening(is_latched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the operations at which the clock has jumped.
    fn jumps(backs_ns: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let mut far_back = FarBack::default();
        (1..).zip(backs_ns).filter_map(|(number, back_ns)| far_back.note(back_ns).then_some(number)).collect()
    }

    #[test]
    fn exactly_the_limit_is_not_far() {
        assert_eq!(jumps([LIMIT_NS; 100]), []);
        assert_eq!(jumps([LIMIT_NS + 1; 8]), [8]);
        assert_eq!(jumps([u64::MAX; 25]), [8, 16, 24], "the count begins anew");
    }

    #[test]
    fn eight_of_64_are_many_and_eight_of_65_are_not() {
        let far_first_and_last =
            |len: usize| (0..len).map(move |number| if number < 7 || number == len - 1 { LIMIT_NS + 1 } else { 0 });
        assert_eq!(jumps(far_first_and_last(64)), [64]);
        assert_eq!(jumps(far_first_and_last(65)), []);
        assert_eq!(jumps([LIMIT_NS + 1; 7].into_iter().chain([0; 100])), []);
    }

    #[test]
    fn nothing_is_left_to_count_after_64_others() {
        let mut far_back = FarBack::default();
        far_back.note(LIMIT_NS + 1);
        let counted = (0..100).take_while(|_| far_back.is_any() && !far_back.note(0)).count();
        assert_eq!(counted, 64);
        far_back.turn_off();
        assert!((0..100).all(|_| !far_back.note(u64::MAX) && !far_back.is_any()));
    }
}
