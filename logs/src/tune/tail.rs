//! How often a debt would reach a limit, from the peaks of its excursions.
#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

/// The normal distribution's quantile for a bound that holds 19 times of 20.
pub(super) const Z: f64 = 1.645;
/// With fewer excursions than this the tail can't be measured.
const FEW: usize = 20;
/// So many excursions above the greatest one seen must be reckoned with, if there were few.
const COUNT_OF_FEW: f64 = 4.0;
/// The least and the most peaks that the tail is measured by.
const LEAST_K: usize = 10;
const MOST_K: usize = 50;

/// Peaks above a level, and how fast they get rarer above it. All levels are debts in calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// So many peaks reached the level.
    count: f64,
    level: f64,
    /// Above the level peaks that are higher by this are rarer by e.
    scale: f64,
    /// The same, and at most as much as the number of peaks can say.
    scale_bound: f64,
    /// The level was reached so often at most.
    count_bound: f64,
}

impl Tail {
    /// The tail of some peaks of debt. `scale_at_least` is that of calls which are slow independently of each other.
    /// `lower` is the tail at a lower threshold, where there are more peaks.
    ///
    /// The mean excess over a level is the scale of an exponential tail (the peaks-over-threshold method). The level is that of the greatest
    /// peak that isn't counted, so that the excesses are as exponentials that are independent of it.
    pub(super) fn new(mut peaks: Vec<f64>, scale_at_least: f64, lower: Option<&Self>) -> Self {
        peaks.sort_unstable_by(|a, b| b.total_cmp(a));
        let k = (peaks.len() / 20).clamp(LEAST_K, MOST_K);
        match peaks.get(k) {
            Some(&level) if peaks.len() >= FEW => {
                let excess = peaks.iter().take(k).map(|peak| peak - level).sum::<f64>() / k as f64;
                Self {
                    count: k as f64,
                    level,
                    scale: excess.max(scale_at_least),
                    scale_bound: excess.max(scale_at_least) * mean_at_most(k),
                    count_bound: count_at_most(k as u64),
                }
            }
            _ => {
                // Nothing is known of the scale but from below; otherwise as for the fewest peaks.
                let bound_of_few = scale_at_least * mean_at_most(LEAST_K);
                Self {
                    count: COUNT_OF_FEW,
                    level: peaks.first().copied().unwrap_or(0.0),
                    scale: lower.map_or(scale_at_least, |lower| lower.scale.max(scale_at_least)),
                    scale_bound: lower.map_or(bound_of_few, |lower| lower.scale_bound.max(scale_at_least)),
                    count_bound: COUNT_OF_FEW,
                }
            }
        }
    }

    /// How many peaks are expected to reach the limit, in the time that the tail was measured in.
    pub(super) fn expected(&self, limit: f64) -> f64 {
        self.count * (-(limit - self.level).max(0.0) / self.scale).exp()
    }

    /// No more than so many, 19 times of 20.
    pub(super) fn bound(&self, limit: f64) -> f64 {
        self.count_bound * (-(limit - self.level).max(0.0) / self.scale_bound).exp()
    }

    /// The least limit whose bound is within so many peaks.
    pub(super) fn limit(&self, peaks: f64) -> f64 {
        self.level + self.scale_bound * (self.count_bound / peaks).ln().max(0.0)
    }
}

/// The upper end of a share, 19 times of 20, when so many of all were seen (Wilson 1927, one-sided).
pub(super) fn share_at_most(seen: usize, all: usize) -> f64 {
    let (n, z2) = (all as f64, Z * Z);
    if all == 0 {
        return 1.0;
    }
    let share = seen as f64 / n;
    let spread = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((share + z2 / (2.0 * n) + spread) / (1.0 + z2 / n)).min(1.0)
}

/// How many more calls of debt make a peak rarer by e, if calls are slow independently with this share: `1 / theta`, where
/// `p e^(theta q) + (1 - p) e^(-theta (1 - q)) = 1` (Cramer and Lundberg). `None` if the debt grows without end.
pub(super) fn independent_scale(share: f64, quantile: f64) -> Option<f64> {
    if share >= 1.0 - quantile {
        return None;
    }
    let excess =
        |theta: f64| share * (theta * quantile).exp() + (1.0 - share) * (-theta * (1.0 - quantile)).exp() - 1.0;
    // It is 0 at 0, falls, and rises through 0 once more.
    let mut high = 1.0;
    while excess(high) < 0.0 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if excess(middle) < 0.0 { low = middle } else { high = middle }
    }
    // Where no call is slow, theta has no end.
    (high > 0.0).then_some(1.0 / high)
}

/// The mean of exponentials is at most so many times the mean of so many that were seen, 19 times of 20.
///
/// Twice their sum, in means, is distributed as chi-square with twice as many degrees of freedom, whose quantile is near that of Wilson and
/// Hilferty (1931).
fn mean_at_most(seen: usize) -> f64 {
    let spread = 1.0 / (9.0 * seen as f64);
    (1.0 - spread - Z * spread.sqrt()).powi(-3)
}

/// No more than so many are expected, 19 times of 20, when this many came (the upper end of a Poisson mean: Garwood 1936).
pub(super) fn count_at_most(seen: u64) -> f64 {
    // The chance of so few is 5 % at the bound, and falls with the mean.
    let chance = |mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = term;
        for count in 1..=seen {
            term *= mean / count as f64;
            sum += term;
        }
        sum
    };
    let n = seen as f64;
    let (mut low, mut high) = (n, n + 4.0 + 4.0 * n.sqrt());
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if chance(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(a: f64, b: f64) {
        assert!((a / b - 1.0).abs() < 1e-3, "{a} {b}");
    }

    #[test]
    fn counts_at_most_are_those_of_the_tables() {
        // Half of the 90 % quantiles of chi-square with 2 n + 2 degrees of freedom.
        for (seen, bound) in [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.513), (10, 16.962), (100, 118.08)] {
            near(count_at_most(seen), bound);
        }
    }

    #[test]
    fn shares_at_most_are_wilsons() {
        near(share_at_most(0, 100), 2.706 / 102.706);
        near(share_at_most(5, 100), 0.09917);
        assert_eq!((share_at_most(0, 0), share_at_most(7, 7)), (1.0, 1.0));
    }

    #[test]
    fn the_scale_solves_its_equation() {
        for (share, quantile) in [(0.002, 0.99), (0.0099, 0.99), (0.05, 0.9), (1e-7, 0.95)] {
            let theta = 1.0 / independent_scale(share, quantile).unwrap();
            near(share * (theta * quantile).exp() + (1.0 - share) * (-theta * (1.0 - quantile)).exp(), 1.0);
            assert!(theta > 1e-3, "{theta}");
        }
        assert_eq!([0.010_001, 0.5].map(|share| independent_scale(share, 0.99)), [None, None]);
    }

    #[test]
    fn means_at_most_are_those_of_the_tables() {
        // By the 5 % quantiles of chi-square with twice as many degrees of freedom: 10.851 (20), 26.509 (40), 77.929 (100).
        for (seen, quantile) in [(10, 10.851), (20, 26.509), (50, 77.929)] {
            let bound = mean_at_most(seen) * quantile / (2.0 * seen as f64);
            assert!((bound - 1.0).abs() < 0.002, "{seen} {bound}");
        }
    }

    #[test]
    fn a_tail_is_what_its_peaks_are() {
        // 1000 peaks, each e times rarer than those lower by 0.5: the 50 greatest tell.
        let peaks: Vec<f64> = (0..1000).map(|rank| 1.0 + 0.5 * (1000.0 / (f64::from(rank) + 0.5)).ln()).collect();
        let tail = Tail::new(peaks, 0.1, None);
        assert_eq!(tail.count, 50.0);
        near(tail.count_bound, 63.287);
        assert!((tail.scale - 0.5).abs() < 0.02, "{tail:?}");
        near(tail.scale_bound / tail.scale, 100.0 / 77.929);
        let limit = tail.limit(0.01);
        near(tail.bound(limit), 0.01);
        assert!(tail.expected(limit) < 0.01 && tail.bound(limit + 0.1) < 0.01);
        // Calls that are independent set the least scale.
        assert_eq!(Tail::new(vec![1.0; 30], 0.7, None).scale, 0.7);
    }

    #[test]
    fn few_peaks_are_taken_for_four_above_the_greatest() {
        let lower = Tail::new((0..100).map(f64::from).collect(), 0.1, None);
        let tail = Tail::new(vec![2.0; 19], 0.1, Some(&lower));
        assert_eq!((tail.count, tail.level, tail.scale), (4.0, 2.0, lower.scale));
        assert_eq!(tail.bound(2.0), 4.0);
        assert_eq!(Tail::new(vec![2.0; 20], 0.1, Some(&lower)).count, 10.0);
        let none = Tail::new(Vec::new(), 0.3, None);
        assert_eq!((none.level, none.scale), (0.0, 0.3));
        assert!(none.scale_bound > 0.4);
    }
}
