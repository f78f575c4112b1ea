//! How long a breaker pauses.

use crate::config::{Config, PPM};

/// Computes the length of pauses: exponential backoff with jitter, and gradual forgiveness.
pub(crate) struct Backoff {
    base_ns: u64,
    multiplier: u64,
    max_ns: u64,
    jitter_ppm: u32,
    stable_after_ns: u64,
    /// The first attempt whose pause is `max_ns`. It is 0 if pauses don't grow.
    last_attempt: u32,
    /// The attempt of the latest opening. It is `None` before the first opening.
    attempt: Option<u32>,
    random: SplitMix64,
}

impl Backoff {
    /// `seed` seeds the jitter.
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        let mut backoff = Self {
            base_ns: config.backoff_base_ns,
            multiplier: config.backoff_multiplier.into(),
            max_ns: config.backoff_max_ns,
            jitter_ppm: config.jitter_ppm,
            stable_after_ns: config.stable_after_ns,
            last_attempt: 0,
            attempt: None,
            random: SplitMix64(seed),
        };
        // There are at most 64 rounds: the pause at least doubles in each, and saturates.
        while backoff.multiplier > 1 && backoff.pause_ns(backoff.last_attempt) < backoff.max_ns {
            backoff.last_attempt += 1;
        }
        backoff
    }

    /// Applies new settings from the next opening on.
    pub(crate) fn set_limits(&mut self, config: &Config) {
        *self = Self { attempt: self.attempt, ..Self::new(config, self.random.0) };
    }

    /// Counts an opening, and returns how long the breaker pauses, jitter included. `closed_ns` is how long the breaker had been
    /// closed: 0 if it opens from half-open.
    pub(crate) fn next_pause_ns(&mut self, closed_ns: u64) -> u64 {
        // `stable_after_ns` is at least 1. This form of division can't panic whatever it is.
        let forgiven = closed_ns.checked_div(self.stable_after_ns).unwrap_or(u64::MAX);
        let attempt = self.attempt.map_or(0, |attempt| (u64::from(attempt) + 1).saturating_sub(forgiven));
        self.attempt = Some(attempt.min(self.last_attempt.into()) as u32);
        self.same_pause_ns()
    }

    /// Goes on from the attempt that an earlier owner left.
    pub(crate) fn restore(&mut self, attempt: Option<u32>) {
        self.attempt = attempt.map(|attempt| attempt.min(self.last_attempt));
    }

    /// How long the breaker pauses once more, jitter included. No opening is counted.
    pub(crate) fn same_pause_ns(&mut self) -> u64 {
        let pause_ns = self.pause_ns(self.attempt());
        pause_ns.saturating_add(self.jitter_ns(pause_ns))
    }

    /// The attempt of the latest opening; 0 before the first opening.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(0)
    }

    /// `min(base * multiplier^attempt, max)`.
    fn pause_ns(&self, attempt: u32) -> u64 {
        self.base_ns.saturating_mul(self.multiplier.saturating_pow(attempt)).min(self.max_ns)
    }

    /// `pause * jitter * u`, with `u` uniform in [0, 1) in steps of 2^-32.
    fn jitter_ns(&mut self, pause_ns: u64) -> u64 {
        if self.jitter_ppm == 0 {
            return 0;
        }
        let u = u128::from(self.random.next() >> 32);
        // The product has at most 64 + 20 + 32 bits, so it fits.
        let extra_ns = (u128::from(pause_ns) * u128::from(self.jitter_ppm) * u) >> 32;
        u64::try_from(extra_ns / u128::from(PPM)).unwrap_or(u64::MAX)
    }
}

/// A generator of random numbers: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. The
/// constants are those of Vigna's `splitmix64.c`.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn backoff(config: Config) -> Backoff {
        Backoff::new(&config, 1)
    }

    fn without_jitter() -> Config {
        Config { jitter_ppm: 0, ..Config::default() }
    }

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let mut backoff = backoff(without_jitter());
        let pauses: Vec<u64> = (0..9).map(|_| backoff.next_pause_ns(0) / SECOND).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.attempt(), 6);
    }

    #[test]
    fn the_attempt_stops_at_the_first_that_pauses_for_the_maximum() {
        for (base, multiplier, max, last) in [
            (1, 2, 1, 0),
            (1, 1, 100, 0),
            (1, 2, 2, 1),
            (1, 2, 3, 2),
            (3, 16, 48, 1),
            (3, 16, 49, 2),
            (1, 2, u64::MAX, 64),
            (u64::MAX, 16, u64::MAX, 0),
        ] {
            let config = Config {
                backoff_base_ns: base,
                backoff_multiplier: multiplier,
                backoff_max_ns: max,
                ..without_jitter()
            };
            assert_eq!(config.validate(), Ok(()));
            let mut backoff = backoff(config);
            for _ in 0..100 {
                backoff.next_pause_ns(0);
            }
            assert_eq!(backoff.attempt(), last, "{base} {multiplier} {max}");
        }
    }

    #[test]
    fn time_closed_forgives_an_attempt_for_each_span() {
        let mut backoff = backoff(without_jitter());
        for _ in 0..4 {
            backoff.next_pause_ns(0);
        }
        assert_eq!(backoff.attempt(), 3);
        for (closed_ns, attempt) in
            [(0, 4), (30 * SECOND - 1, 5), (30 * SECOND, 5), (60 * SECOND, 4), (90 * SECOND, 2), (u64::MAX, 0), (0, 1)]
        {
            backoff.next_pause_ns(closed_ns);
            assert_eq!(backoff.attempt(), attempt, "after {closed_ns} ns closed");
        }
    }

    #[test]
    fn the_first_opening_is_attempt_0() {
        for closed_ns in [0, 1, u64::MAX] {
            let mut backoff = backoff(without_jitter());
            assert_eq!(backoff.next_pause_ns(closed_ns), SECOND);
            assert_eq!(backoff.attempt(), 0);
        }
    }

    #[test]
    fn jitter_is_uniform_bounded_and_seeded() {
        let config = Config { backoff_max_ns: SECOND, jitter_ppm: 250_000, ..Config::default() };
        let draw = |seed| {
            let mut backoff = Backoff::new(&config, seed);
            (0..4000).map(|_| backoff.next_pause_ns(0) - SECOND).collect::<Vec<u64>>()
        };
        let extra_ns = draw(1);
        assert!(extra_ns.iter().all(|&extra_ns| extra_ns < SECOND / 4));
        for quarter in 0..4 {
            let within = |&&extra_ns: &&u64| extra_ns / (SECOND / 16) == quarter;
            let count = extra_ns.iter().filter(within).count();
            assert!((850..1150).contains(&count), "quarter {quarter}: {count} of 4000");
        }
        assert_eq!(draw(1), extra_ns);
        assert_ne!(draw(2), extra_ns);
    }

    #[test]
    fn jitter_on_an_endless_pause_saturates() {
        let config =
            Config { backoff_base_ns: u64::MAX, backoff_max_ns: u64::MAX, jitter_ppm: PPM, ..Config::default() };
        assert_eq!(Backoff::new(&config, 1).next_pause_ns(0), u64::MAX);
    }

    /// The published first outputs for seed 0 of the reference implementation, `splitmix64.c`.
    #[test]
    fn splitmix64_matches_its_reference() {
        let mut random = SplitMix64(0);
        assert_eq!([random.next(), random.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}
