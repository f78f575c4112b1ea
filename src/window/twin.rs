//! The window against a naive twin, where the failures' bits take more than one word, or end in the middle of one.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;

const THRESHOLD_NS: u64 = 100;
const LENS: [usize; 10] = [1, 2, 63, 64, 65, 127, 128, 129, 320, 1000];

/// Keeps whole samples, and recounts each time.
struct Twin {
    samples: VecDeque<Sample>,
    len: usize,
    threshold_ns: u64,
    age_ns: u64,
}

impl Twin {
    fn expire(&mut self, now_ns: u64) {
        let age_ns = self.age_ns;
        self.samples.retain(|sample| age_ns == 0 || now_ns - sample.end_ns < age_ns);
    }

    fn push(&mut self, sample: Sample) {
        self.expire(sample.end_ns);
        self.samples.push_back(sample);
        if self.samples.len() > self.len {
            self.samples.pop_front();
        }
    }

    fn counts(&self) -> (usize, usize, usize) {
        let slow = self.samples.iter().filter(|sample| sample.latency_ns > self.threshold_ns).count();
        let failed = self.samples.iter().filter(|sample| !sample.ok).count();
        (self.samples.len(), slow, failed)
    }
}

/// Both, and what is needed to know that something was tested.
struct Pair {
    window: Window,
    twin: Twin,
    now_ns: u64,
    is_calm: bool,
    replaced: usize,
    most_failed: usize,
}

impl Pair {
    fn new(len: usize, age_ns: u64) -> Self {
        let twin = Twin { samples: VecDeque::new(), len, threshold_ns: THRESHOLD_NS, age_ns };
        Self {
            window: Window::new(len as u32, THRESHOLD_NS, age_ns),
            twin,
            now_ns: 1,
            is_calm: false,
            replaced: 0,
            most_failed: 0,
        }
    }

    /// As the breaker does: in the calm way where that may be, otherwise in the other. It looks whether that may be after
    /// a sample of the other way alone, and not after one has expired.
    fn take(&mut self, latency_ns: u64, ok: bool) {
        let below_ns = self.twin.threshold_ns + 1;
        let sample = Sample { end_ns: self.now_ns, latency_ns, ok };
        let may_be_calm = self.is_calm && ok && latency_ns < below_ns && self.now_ns < self.window.calm_until_ns();
        if may_be_calm && self.window.replace_calm(self.now_ns, latency_ns) {
            if self.window.is_look_due() {
                self.is_calm = self.window.look_for_calm();
            }
            self.replaced += 1;
            let left = self.twin.samples.front().copied();
            assert!(left.is_some_and(|left| left.ok && left.latency_ns < below_ns), "{left:?} was not calm");
        } else {
            self.window.push(self.now_ns, latency_ns, ok);
            self.is_calm = self.window.look_for_calm();
        }
        self.twin.push(sample);
    }

    fn compare_counts(&mut self) {
        let counts = (self.window.len(), self.window.slow, self.window.failed());
        assert_eq!(counts, self.twin.counts(), "window of {} at {}", self.twin.len, self.now_ns);
        self.most_failed = self.most_failed.max(counts.2);
    }

    fn compare_samples(&self) {
        let samples: VecDeque<_> = (0..self.twin.len).map_while(|age| self.window.ring.get(age)).collect();
        assert_eq!(samples, self.twin.samples, "window of {} at {}", self.twin.len, self.now_ns);
        assert_eq!(self.window.live(self.now_ns), self.twin.counts());
    }
}

/// Failures come rarely, in turns with none, some and many of them; so do slow samples, gaps in time and clearing.
fn drive(len: usize, age_ns: u64, seed: u64) -> Pair {
    let mut random = StdRng::seed_from_u64(seed);
    let mut pair = Pair::new(len, age_ns);
    for turn in 0..12 {
        let (fail, slow) = [(0.0, 0.0), (0.01, 0.0), (0.0, 0.02), (0.005, 0.005), (0.5, 0.1), (1.0, 0.0)][turn % 6];
        for step in 0..len + random.random_range(1..200) {
            pair.now_ns += random.random_range(0..3);
            let latency_ns = if random.random_bool(slow) { THRESHOLD_NS + 1 } else { random.random_range(0..=90) };
            pair.take(latency_ns, !random.random_bool(fail));
            if len <= 129 || step % 8 == 0 {
                pair.compare_counts(); // O(window)
            }
            if step % 61 == 0 {
                pair.compare_samples();
            }
        }
        pair.compare_samples();
        match turn % 4 {
            0 => {
                pair.window.clear();
                pair.twin.samples.clear();
            }
            1 => {
                // Some leave, one by one, or all at once.
                pair.now_ns += random.random_range(0..age_ns * 2 + 1);
                pair.window.expire(pair.now_ns);
                pair.twin.expire(pair.now_ns);
            }
            2 => {
                pair.twin.threshold_ns = THRESHOLD_NS - random.random_range(0..20);
                pair.window.set_limits(pair.twin.threshold_ns, age_ns);
            }
            _ => {}
        }
        pair.compare_counts();
        pair.compare_samples();
    }
    pair
}

#[test]
fn windows_of_one_word_and_of_many_count_as_their_twins() {
    for len in LENS {
        for (seed, age_ns) in [(1, 0), (2, len as u64 / 2 + 1), (3, len as u64 * 3)] {
            let pair = drive(len, age_ns, seed);
            assert!(pair.most_failed > 0, "no failure in a window of {len}");
            assert!(pair.replaced > 0 || len < 3 || age_ns > 0, "nothing was calm in a window of {len}");
        }
    }
}

/// One failure at each place in turn: it stays for `len` samples, and leaves no other failure behind.
#[test]
fn a_failure_at_each_place_stays_until_it_is_replaced() {
    for len in LENS {
        // Of each word and of the long ones: the first places, the last ones, and some between.
        for place in (0..len).filter(|place| len <= 129 || [0, 1, 31, 62, 63].contains(&(place % 64))) {
            let mut pair = Pair::new(len, 0);
            let mut take = |count: usize, ok| {
                (0..count).for_each(|_| pair.take(7, ok));
                let oldest_ok = pair.window.ring.get(0).map(|sample| sample.ok);
                (pair.window.failed(), oldest_ok)
            };
            assert_eq!(take(len + place, true), (0, Some(true)));
            assert_eq!(take(1, false), (1, Some(len > 1)));
            assert_eq!(take(len - 1, true), (1, Some(false)), "place {place} of {len}");
            assert_eq!(take(1, true), (0, Some(true)), "place {place} of {len}");
            pair.compare_samples();
        }
    }
}

/// What a cleared window held fails nobody: not the samples that come to the same places later.
#[test]
fn no_failure_outlives_a_clear() {
    for len in LENS {
        for fresh in [1, len.div_ceil(2), len, 2 * len] {
            let mut pair = Pair::new(len, 0);
            (0..len).for_each(|_| pair.take(1, false));
            pair.compare_counts();
            pair.window.clear();
            pair.twin.samples.clear();
            // The first fails again, so that the bits are looked at.
            (0..fresh).for_each(|step| pair.take(1, step > 0));
            pair.compare_counts();
            pair.compare_samples();
        }
    }
}

/// A failure costs the calm its own place, not those around it; and there is a look at each so many words.
#[test]
fn samples_beside_a_failure_are_calm() {
    for place in [0, 10, 62, 63, 64, 500, 998, 999] {
        let mut pair = Pair::new(1000, 0);
        (0..1000).for_each(|slot| pair.take(7, slot != place));
        assert_eq!(pair.replaced, 0);
        // That one goes, and the next comes in its place.
        (0..1000).for_each(|slot| pair.take(7, slot != place));
        assert!((990..1000).contains(&pair.replaced), "{} with a failure at {place}", pair.replaced);
    }
}

/// Those that expired, looked at by somebody in the midst of the calm, have left room: the next take nobody's place.
#[test]
fn no_sample_takes_the_place_of_one_that_expired() {
    for len in LENS {
        for left in [1, len / 2, len - 1].into_iter().filter(|left| (1..len).contains(left)) {
            let mut pair = Pair::new(len, 20 * len as u64);
            let take = |pair: &mut Pair, later_ns| {
                pair.now_ns += later_ns;
                pair.take(7, true);
            };
            (0..len + 1).for_each(|_| take(&mut pair, 10));
            assert!(pair.is_calm);
            pair.now_ns += 10 * (len + left) as u64;
            pair.window.expire(pair.now_ns);
            pair.twin.expire(pair.now_ns);
            assert_eq!(pair.window.len(), len - left);
            for _ in 0..len.min(9) {
                take(&mut pair, 1); // nothing else expires by this
                pair.compare_samples();
            }
        }
    }
}
