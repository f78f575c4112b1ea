//! The states of a breaker over a whole trace, in bounded memory, for one line of text.

use trip99::State;

/// Time is cut into equal buckets. When they run out neighbours are joined, so that each bucket is twice as long.
pub(crate) struct Timeline {
    buckets: Vec<Bucket>,
    bucket_ns: u64,
    first_ns: Option<u64>,
}

/// How long each state lasted in a bucket.
#[derive(Clone, Copy, Default)]
struct Bucket {
    ns: [u64; 3],
}

impl Bucket {
    fn add(&mut self, other: Self) {
        for (ns, more_ns) in self.ns.iter_mut().zip(other.ns) {
            *ns = ns.saturating_add(more_ns);
        }
    }

    /// The state to draw. A pause shows, even if it is much shorter than the column.
    fn state(self) -> State {
        let [_, open_ns, half_open_ns] = self.ns;
        match (open_ns, half_open_ns) {
            (0, 0) => State::Closed,
            _ if open_ns >= half_open_ns => State::Open,
            _ => State::HalfOpen,
        }
    }
}

impl Timeline {
    const BUCKETS: usize = 4096;

    pub(crate) fn new() -> Self {
        Self { buckets: Vec::new(), bucket_ns: 1, first_ns: None }
    }

    /// When the timeline begins.
    pub(crate) fn first_ns(&self) -> u64 {
        self.first_ns.unwrap_or(0)
    }

    /// Adds a span, which begins where the one before ended.
    pub(crate) fn add(&mut self, state: State, from_ns: u64, to_ns: u64) {
        let first_ns = *self.first_ns.get_or_insert(from_ns);
        let (mut at_ns, end_ns) = (from_ns - first_ns, to_ns - first_ns);
        while at_ns < end_ns {
            let index = at_ns / self.bucket_ns;
            if index >= Self::BUCKETS as u64 || (end_ns - 1) / self.bucket_ns >= Self::BUCKETS as u64 {
                self.halve();
                continue;
            }
            let bucket_end_ns = (index + 1).saturating_mul(self.bucket_ns).min(end_ns);
            let index = index as usize;
            if self.buckets.len() <= index {
                self.buckets.resize(index + 1, Bucket::default());
            }
            let mut span = Bucket::default();
            span.ns[state as usize] = bucket_end_ns - at_ns;
            self.buckets[index].add(span);
            at_ns = bucket_end_ns;
        }
    }

    fn halve(&mut self) {
        self.bucket_ns = self.bucket_ns.saturating_mul(2);
        let joined = |pair: &[Bucket]| {
            pair.iter().fold(Bucket::default(), |mut sum, &bucket| {
                sum.add(bucket);
                sum
            })
        };
        self.buckets = self.buckets.chunks(2).map(joined).collect();
    }

    /// At most `width` columns, each with the state to draw.
    pub(crate) fn columns(&self, width: usize) -> Vec<State> {
        let count = self.buckets.len();
        let width = width.clamp(1, count.max(1));
        (0..width)
            .map(|column| {
                let buckets = &self.buckets[column * count / width..(column + 1) * count / width];
                buckets.iter().fold(Bucket::default(), |mut sum, &bucket| {
                    sum.add(bucket);
                    sum
                })
            })
            .map(Bucket::state)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Closed, HalfOpen, Open};

    #[test]
    fn columns_follow_the_spans() {
        for scale in [1, 1024, 1 << 40, 1 << 60] {
            let mut timeline = Timeline::new();
            timeline.add(Closed, 0, 4 * scale);
            timeline.add(Open, 4 * scale, 6 * scale);
            timeline.add(HalfOpen, 6 * scale, 7 * scale);
            timeline.add(Closed, 7 * scale, 8 * scale);
            let columns = timeline.columns(8);
            assert!(timeline.buckets.len() <= Timeline::BUCKETS);
            assert_eq!(columns.len(), 8);
            assert_eq!([columns[0], columns[3], columns[5], columns[7]], [Closed, Closed, Open, Closed], "{scale}");
            assert!(columns.contains(&HalfOpen), "{scale}");
        }
    }

    #[test]
    fn a_short_pause_shows() {
        let mut timeline = Timeline::new();
        timeline.add(Closed, 1_000, 1_000_000_000);
        timeline.add(Open, 1_000_000_000, 1_000_000_001);
        timeline.add(Closed, 1_000_000_001, 2_000_000_000);
        let open = timeline.columns(60).iter().filter(|&&state| state == Open).count();
        assert_eq!(open, 1);
    }

    #[test]
    fn nothing_is_one_closed_column() {
        assert_eq!(Timeline::new().columns(60), [Closed]);
    }
}
