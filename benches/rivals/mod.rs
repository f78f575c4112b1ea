//! Other ways to a quantile.

/// The value at index `k` if the values were sorted, as in Floyd and Rivest, "Algorithm 489: The Algorithm SELECT", Communications of
/// the ACM 18(3), 1975. It moves the values about.
pub(crate) fn floyd_rivest(values: &mut [u64], k: usize) -> u64 {
    select_between(values, 0, values.len() - 1, k);
    values[k]
}

fn select_between(values: &mut [u64], mut left: usize, mut right: usize, k: usize) {
    while left < right {
        if right - left > 600 {
            // Selects in a sample first: k then lies between two values that are close to it.
            let (n, i) = ((right - left + 1) as f64, (k - left + 1) as f64);
            let z = n.ln();
            let s = 0.5 * (2.0 * z / 3.0).exp();
            let sd = 0.5 * (z * s * (n - s) / n).sqrt() * if i < n / 2.0 { -1.0 } else { 1.0 };
            let low = (k as f64 - i * s / n + sd).max(left as f64) as usize;
            let high = (k as f64 + (n - i) * s / n + sd).min(right as f64) as usize;
            select_between(values, low, high, k);
        }
        let pivot = values[k];
        let (mut i, mut j) = (left, right);
        values.swap(left, k);
        if values[right] > pivot {
            values.swap(left, right);
        }
        while i < j {
            values.swap(i, j);
            i += 1;
            j -= 1;
            while values[i] < pivot {
                i += 1;
            }
            while values[j] > pivot {
                j -= 1;
            }
        }
        if values[left] == pivot {
            values.swap(left, j);
        } else {
            j += 1;
            values.swap(j, right);
        }
        if j <= k {
            left = j + 1;
        }
        if k <= j {
            // If j is 0, k is, too, and the loop is over.
            right = j.saturating_sub(1);
        }
    }
}

/// A heap of values with their slots in the window. The top is the greatest value, or, upside down, the least.
struct Heap {
    entries: Vec<(u64, u32)>,
    flip: u64,
}

impl Heap {
    fn key(&self, place: usize) -> u64 {
        self.entries[place].0 ^ self.flip
    }

    /// Moves the entry at `place` to where it belongs, and writes down the places of all that move.
    fn sift(&mut self, mut place: usize, places: &mut [u32]) {
        let entry = self.entries[place];
        let key = entry.0 ^ self.flip;
        while place > 0 && self.key((place - 1) / 2) < key {
            place = self.put(self.entries[(place - 1) / 2], place, (place - 1) / 2, places);
        }
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.entries.len() && self.key(child) < self.key(child + 1) {
                child += 1;
            }
            if child >= self.entries.len() || self.key(child) <= key {
                break;
            }
            place = self.put(self.entries[child], place, child, places);
        }
        self.put(entry, place, place, places);
    }

    /// Puts an entry at `place`, and returns `free`.
    fn put(&mut self, entry: (u64, u32), place: usize, free: usize, places: &mut [u32]) -> usize {
        self.entries[place] = entry;
        places[entry.1 as usize] = place as u32;
        free
    }
}

/// Two heaps around a quantile of a window: what is at most the quantile, and the rest. (Haerdle and Steiger, "Algorithm AS 296:
/// Optimal Median Smoothing", Applied Statistics 44(2), 1995, which is for the median.)
pub(crate) struct Heaps {
    low: Heap,
    high: Heap,
    /// The place of each slot in its heap.
    places: Vec<u32>,
    is_high: Vec<bool>,
}

impl Heaps {
    /// All values must be equal. The quantile is the value at index `rank` among them, sorted.
    pub(crate) fn new(values: &[u64], rank: usize) -> Self {
        let slots = values.iter().copied().zip(0..);
        Self {
            low: Heap { entries: slots.clone().take(rank + 1).collect(), flip: 0 },
            high: Heap { entries: slots.skip(rank + 1).collect(), flip: u64::MAX },
            places: (0..=rank as u32).chain(0..).take(values.len()).collect(),
            is_high: (0..values.len()).map(|slot| slot > rank).collect(),
        }
    }

    /// The value in a slot of the window is another one now.
    pub(crate) fn replace(&mut self, slot: usize, value: u64) {
        let heap = if self.is_high[slot] { &mut self.high } else { &mut self.low };
        let place = self.places[slot] as usize;
        heap.entries[place].0 = value;
        heap.sift(place, &mut self.places);
        if let (Some(low), Some(high)) = (self.low.entries.first_mut(), self.high.entries.first_mut())
            && low.0 > high.0
        {
            std::mem::swap(low, high);
            (self.is_high[low.1 as usize], self.is_high[high.1 as usize]) = (false, true);
            self.low.sift(0, &mut self.places);
            self.high.sift(0, &mut self.places);
        }
    }

    pub(crate) fn quantile(&self) -> u64 {
        self.low.entries[0].0
    }
}
