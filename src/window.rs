//! The rolling window: the ring, expiry by age, and the exceedance counts that make a verdict O(1).

use crate::quantile::Samples;
use crate::ring::{Ring, Sample};

#[cfg(test)]
mod twin;

/// The ring comes first: see `breaker::machine`.
#[repr(C)]
pub(crate) struct Window {
    ring: Ring,
    /// A sample strictly above this is slow.
    pub(crate) threshold_ns: u64,
    /// A sample of this age is too old. 0 = no limit.
    age_ns: u64,
    /// How many of the samples in the ring are slow.
    pub(crate) slow: usize,
    /// No sample is too old before this time. It may be earlier than needed.
    expires_ns: u64,
}

impl Window {
    /// See [`Ring::CALM_BYTES`].
    #[cfg(test)]
    pub(crate) const CALM_BYTES: usize = core::mem::offset_of!(Self, ring) + Ring::CALM_BYTES;

    pub(crate) fn new(len: u32, threshold_ns: u64, age_ns: u64) -> Self {
        Self { ring: Ring::new(len), threshold_ns, age_ns, slow: 0, expires_ns: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    #[inline]
    pub(crate) fn failed(&self) -> usize {
        self.ring.failed()
    }

    /// When the newest sample ended; 0 if there is none.
    pub(crate) fn newest_ns(&self) -> u64 {
        let newest = self.len().checked_sub(1).and_then(|age| self.ring.get(age));
        newest.map_or(0, |newest| newest.end_ns)
    }

    /// How many samples ever entered.
    #[inline]
    pub(crate) fn pushed(&self) -> u64 {
        self.ring.pushed()
    }

    /// The latencies, in the form that quantiles are asked of.
    pub(crate) fn samples(&mut self) -> Samples<'_> {
        let first = self.pushed() - self.len() as u64;
        let (older_ns, newer_ns) = self.ring.latencies_ns();
        Samples { older_ns, newer_ns, first }
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.slow = 0;
        self.expires_ns = 0; // a clock that jumped goes on earlier
    }

    /// Adds a sample that ended at `now_ns`. No earlier sample ended after that. Expired samples leave first, and then the oldest
    /// one if the window is full.
    #[inline]
    pub(crate) fn push(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.expire(now_ns);
        let dropped = self.ring.push(Sample { end_ns: now_ns, latency_ns, ok });
        let dropped_slow = dropped.is_some_and(|dropped| dropped.latency_ns > self.threshold_ns);
        self.slow = self.slow + usize::from(latency_ns > self.threshold_ns) - usize::from(dropped_slow);
    }

    /// [`push`](Self::push) of a sample that succeeded and isn't slow, where that changes no count. That is so if nothing expires, as it
    /// must not (see [`calm_until_ns`](Self::calm_until_ns)), and if the sample that leaves succeeded and wasn't slow, either, as
    /// [`look_for_calm`](Self::look_for_calm) has found. Otherwise this returns false, and nothing is changed.
    #[inline(always)]
    pub(crate) fn replace_calm(&mut self, now_ns: u64, latency_ns: u64) -> bool {
        debug_assert!(latency_ns <= self.threshold_ns && now_ns < self.expires_ns);
        self.ring.replace_calm(now_ns, latency_ns)
    }

    /// No sample is too old before this time. It may be earlier than needed; it is later than a sample that was pushed just now.
    #[inline]
    pub(crate) fn calm_until_ns(&self) -> u64 {
        self.expires_ns
    }

    /// After a calm sample: whether it is to look again, as there may be no more of them.
    #[inline(always)]
    pub(crate) fn is_look_due(&self) -> bool {
        self.ring.is_look_due()
    }

    /// Whether the next sample may come by [`replace_calm`](Self::replace_calm).
    #[inline]
    pub(crate) fn look_for_calm(&mut self) -> bool {
        self.ring.look_for_calm(self.slow > 0, self.threshold_ns)
    }

    /// Drops the samples that are too old at `now_ns`.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64) {
        if now_ns >= self.expires_ns {
            self.expire_some(now_ns);
        }
    }

    /// This takes O(1) if all samples are too old, as after a quiet spell. (If any failed, a word for each 64 samples is cleared.)
    /// Otherwise this takes O(1), about a nanosecond, for each sample that leaves. At most a window leaves at once, and each sample
    /// leaves only once.
    #[cold]
    fn expire_some(&mut self, now_ns: u64) {
        if self.len() > 0 && self.is_expired(self.newest_ns(), now_ns) {
            self.clear();
        }
        while let Some(oldest) = self.ring.get(0).filter(|oldest| self.is_expired(oldest.end_ns, now_ns)) {
            self.ring.pop();
            self.slow -= usize::from(oldest.latency_ns > self.threshold_ns);
        }
        // Samples that are still to come end now or later.
        let next_ns = self.ring.get(0).map_or(now_ns, |oldest| oldest.end_ns);
        self.expires_ns = if self.age_ns > 0 { next_ns.saturating_add(self.age_ns) } else { u64::MAX };
    }

    /// What `len`, `slow` and `failed` will be once the samples that are too old at `now_ns` have left.
    pub(crate) fn live(&self, now_ns: u64) -> (usize, usize, usize) {
        let mut live = (self.len(), self.slow, self.failed());
        let samples = (0..self.ring.len()).map_while(|age| self.ring.get(age));
        for sample in samples.take_while(|sample| self.is_expired(sample.end_ns, now_ns)) {
            live.0 -= 1;
            live.1 -= usize::from(sample.latency_ns > self.threshold_ns);
            live.2 -= usize::from(!sample.ok);
        }
        live
    }

    /// Applies new limits to the samples that are there.
    pub(crate) fn set_limits(&mut self, threshold_ns: u64, age_ns: u64) {
        self.threshold_ns = threshold_ns;
        self.age_ns = age_ns;
        self.expires_ns = 0;
        let (older, newer) = self.ring.latencies_ns();
        self.slow = older.iter().chain(newer).filter(|&&latency_ns| latency_ns > threshold_ns).count();
    }

    #[inline]
    fn is_expired(&self, end_ns: u64, now_ns: u64) -> bool {
        self.age_ns > 0 && now_ns.saturating_sub(end_ns) >= self.age_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keeps everything and recounts each time.
    struct Twin {
        samples: Vec<Sample>,
        len: usize,
        threshold_ns: u64,
        age_ns: u64,
    }

    impl Twin {
        fn push(&mut self, sample: Sample) {
            self.expire(sample.end_ns);
            self.samples.push(sample);
            if self.samples.len() > self.len {
                self.samples.remove(0);
            }
        }

        fn expire(&mut self, now_ns: u64) {
            let age_ns = self.age_ns;
            self.samples.retain(|sample| age_ns == 0 || now_ns - sample.end_ns < age_ns);
        }

        fn counts(&self) -> (usize, usize, usize) {
            let slow = self.samples.iter().filter(|sample| sample.latency_ns > self.threshold_ns).count();
            let failed = self.samples.iter().filter(|sample| !sample.ok).count();
            (self.samples.len(), slow, failed)
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push { later_ns: u64, latency_ns: u64, ok: bool },
        Expire { later_ns: u64 },
        SetLimits { threshold_ns: u64, age_ns: u64 },
        Clear,
    }

    fn op() -> impl Strategy<Value = Op> {
        let later_ns = || prop_oneof![6 => 0u64..8, 1 => 20u64..60];
        prop_oneof![
            16 => (later_ns(), 0u64..20, prop::bool::weighted(0.8))
                .prop_map(|(later_ns, latency_ns, ok)| Op::Push { later_ns, latency_ns, ok }),
            4 => later_ns().prop_map(|later_ns| Op::Expire { later_ns }),
            1 => (1u64..20, 0u64..50).prop_map(|(threshold_ns, age_ns)| Op::SetLimits { threshold_ns, age_ns }),
            1 => Just(Op::Clear),
        ]
    }

    proptest! {
        #[test]
        fn counts_equal_a_recount(
            len in 1usize..12,
            start_ns in prop_oneof![Just(0), Just(u64::MAX - 100)],
            ops in prop::collection::vec(op(), 0..200),
        ) {
            let mut window = Window::new(len as u32, 10, 30);
            let mut twin = Twin { samples: Vec::new(), len, threshold_ns: 10, age_ns: 30 };
            let mut now_ns: u64 = start_ns;
            let mut pushed = 0;
            for op in ops {
                match op {
                    Op::Push { later_ns, latency_ns, ok } => {
                        now_ns = now_ns.saturating_add(later_ns);
                        window.push(now_ns, latency_ns, ok);
                        pushed += 1;
                        twin.push(Sample { end_ns: now_ns, latency_ns, ok });
                    }
                    Op::Expire { later_ns } => {
                        now_ns = now_ns.saturating_add(later_ns);
                        twin.expire(now_ns);
                        prop_assert_eq!(window.live(now_ns), twin.counts());
                        window.expire(now_ns);
                    }
                    Op::SetLimits { threshold_ns, age_ns } => {
                        window.set_limits(threshold_ns, age_ns);
                        twin.threshold_ns = threshold_ns;
                        twin.age_ns = age_ns;
                    }
                    Op::Clear => {
                        window.clear();
                        twin.samples.clear();
                    }
                }
                prop_assert_eq!((window.len(), window.slow, window.failed()), twin.counts());
                let samples = window.samples();
                let latencies = [samples.older_ns, samples.newer_ns].concat();
                prop_assert_eq!(samples.first + latencies.len() as u64, pushed);
                prop_assert_eq!(latencies, twin.samples.iter().map(|sample| sample.latency_ns).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_sample_leaves_at_its_age_and_not_before() {
        let mut window = Window::new(4, 10, 30);
        window.push(100, 11, false);
        window.expire(129);
        assert_eq!((window.len(), window.slow, window.failed()), (1, 1, 1));
        window.expire(130);
        assert_eq!((window.len(), window.slow, window.failed()), (0, 0, 0));
    }
}
