//! The window's latencies once more, where observers can read them. The owner writes them, and never reads them.

use crate::handle::Handle;
use crate::sync::{AtomicU64, Line, Ordering, fence, load_acquire};

/// The low bits of the state have the number of samples in the window, which is up to 2^20. The other bits count samples, modulo
/// 2^43, which every number of slots divides.
const LEN_BITS: u32 = 21;

/// The latest samples that entered the window. Sample `i` is in slot `i % slots`. There are twice as many slots as the window has
/// samples. So an owner disturbs a reader only if it takes in a whole window's worth of samples meanwhile.
///
/// One word tells which samples are in the window, so that the samples can't be torn from their number, not even by the owner's
/// death.
#[repr(C)]
pub(crate) struct Mirror<S: ?Sized = [AtomicU64]> {
    /// How many samples ever entered, and (in the low bits) how many of the latest ones are in the window.
    state: Line<AtomicU64>,
    /// There is a power of two of them.
    slots: S,
}

/// Readers of fewer slots would be disturbed by a few samples.
const MIN_SLOTS: u32 = 1024;

/// The logarithm of the number of slots for a window of `window_len` samples.
pub(crate) fn slots_log2(window_len: u32) -> u32 {
    (window_len.next_power_of_two() * 2).max(MIN_SLOTS).ilog2()
}

const fn pack(entered: u64, len: usize) -> u64 {
    entered << LEN_BITS | len as u64
}

const fn unpack(state: u64) -> (u64, usize) {
    (state >> LEN_BITS, (state & ((1 << LEN_BITS) - 1)) as usize)
}

impl Mirror {
    /// How many samples had entered when an earlier owner left.
    pub(crate) fn entered(&self) -> u64 {
        unpack(self.state.0.load(Ordering::Relaxed)).0
    }

    /// A sample enters after those that this state counts, and the state becomes the other one. Only the owner may call this.
    /// `FENCED` is true except in a loom model, which shows that it must be true.
    #[inline]
    fn push<const FENCED: bool>(&self, before: u64, latency_ns: u64, after: u64) {
        if FENCED {
            // A reader that sees this sample in a slot also sees that the samples before it entered.
            fence(Ordering::Release);
        }
        if let Some(slot) = self.slots.get((before >> LEN_BITS) as usize & (self.slots.len() - 1)) {
            slot.store(latency_ns, Ordering::Relaxed);
        }
        self.state.0.store(after, Ordering::Release);
    }

    /// How many samples had entered at one moment, and the window's latencies at that moment, oldest first. It is `None` if the owner
    /// overwrote some of them meanwhile, or if no owner writes such a state.
    pub(crate) fn read(&self) -> Option<(u64, Vec<u64>)> {
        self.read_while(|_| {})
    }

    /// `meanwhile` runs before the sample of this age is read. Only tests do something in it.
    #[inline]
    fn read_while(&self, meanwhile: impl Fn(u64)) -> Option<(u64, Vec<u64>)> {
        let (entered, len) = unpack(load_acquire(&self.state.0));
        if len > self.slots.len() / 2 {
            return None;
        }
        let oldest = entered.wrapping_sub(len as u64);
        let latency_ns = |sample: u64| self.slots.get(sample as usize & (self.slots.len() - 1));
        let samples = (0..len as u64).inspect(|&age| meanwhile(age));
        let samples = samples.filter_map(|age| latency_ns(oldest.wrapping_add(age)));
        let latencies_ns = samples.map(|slot| slot.load(Ordering::Relaxed)).collect();
        // Pairs with the fence in `push`.
        fence(Ordering::Acquire);
        let (later, _) = unpack(self.state.0.load(Ordering::Relaxed));
        let entered_meanwhile = later.wrapping_sub(entered) & (u64::MAX >> LEN_BITS);
        // One more sample may be on its way into its slot.
        (entered_meanwhile < (self.slots.len() - len) as u64).then_some((entered, latencies_ns))
    }
}

/// The owner's end of the mirror.
pub(crate) struct MirrorWriter {
    mirror: Handle<Mirror>,
    /// As in the mirror.
    state: u64,
}

impl MirrorWriter {
    /// It goes on with the count of an earlier owner. The window is empty.
    pub(crate) fn new(mirror: Handle<Mirror>) -> Self {
        let state = pack(mirror.entered(), 0);
        mirror.state.0.store(state, Ordering::Release);
        Self { mirror, state }
    }

    /// A sample entered the window, which has `len` samples by now.
    #[inline]
    pub(crate) fn push(&mut self, latency_ns: u64, len: usize) {
        self.enter(latency_ns, pack(unpack(self.state).0.wrapping_add(1), len));
    }

    /// A sample entered the window in the place of the oldest.
    #[inline]
    pub(crate) fn replace(&mut self, latency_ns: u64) {
        self.enter(latency_ns, self.state.wrapping_add(1 << LEN_BITS));
    }

    /// A sample enters, and the state becomes this one.
    #[inline]
    fn enter(&mut self, latency_ns: u64, after: u64) {
        self.mirror.push::<true>(self.state, latency_ns, after);
        self.state = after;
    }

    /// The window has `len` samples by now.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        let (entered, shown) = unpack(self.state);
        if shown != len {
            self.state = pack(entered, len);
            self.mirror.state.0.store(self.state, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use super::*;

    fn mirror<const N: usize>() -> Mirror<[AtomicU64; N]> {
        Mirror { state: Line(AtomicU64::new(0)), slots: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    fn push(mirror: &Mirror, entered: u64, latency_ns: u64, len: usize) {
        mirror.push::<true>(pack(entered, 0), latency_ns, pack(entered.wrapping_add(1), len));
    }

    fn set_len(mirror: &Mirror, entered: u64, len: usize) {
        mirror.state.0.store(pack(entered, len), Ordering::Release);
    }

    fn latencies_ns(mirror: &Mirror) -> Option<Vec<u64>> {
        mirror.read().map(|(_, latencies_ns)| latencies_ns)
    }

    #[test]
    fn slots_hold_the_window_twice() {
        for window_len in [1, 100, 512, 513, 1024, 65_536, (1 << 20) - 1, 1 << 20] {
            let slots = 1 << slots_log2(window_len);
            assert!(slots >= 2 * window_len && slots <= (4 * window_len).max(MIN_SLOTS), "{window_len}: {slots}");
        }
    }

    #[test]
    fn it_shows_the_window_as_it_slides_shrinks_and_empties() {
        let mirror: &Mirror = &mirror::<8>();
        assert_eq!(latencies_ns(mirror), Some(vec![]));
        for entered in 0..30 {
            let len = (entered as usize + 1).min(4);
            push(mirror, entered, entered * 10, len);
            let expected: Vec<u64> = (entered + 1 - len as u64..=entered).map(|sample| sample * 10).collect();
            assert_eq!(latencies_ns(mirror), Some(expected));
        }
        set_len(mirror, 30, 1);
        assert_eq!(latencies_ns(mirror), Some(vec![290]));
        set_len(mirror, 30, 0);
        assert_eq!((latencies_ns(mirror), mirror.entered()), (Some(vec![]), 30));
    }

    /// The writer shows what a plain queue has, over the count's wrap-around, too.
    #[test]
    fn the_writer_shows_a_window_that_fills_slides_shrinks_and_goes_on() {
        let handle: Handle<Mirror> = Handle::new(mirror::<8>()).part(|mirror| -> &Mirror { mirror });
        let last = u64::MAX >> LEN_BITS;
        set_len(&handle, last - 5, 3);
        let mut writer = MirrorWriter::new(handle.clone());
        let mut window = std::collections::VecDeque::new();
        for latency_ns in 0..30 {
            match latency_ns {
                0..=3 => writer.push(latency_ns, window.len() + 1),
                20 => {
                    window.drain(..2);
                    writer.set_len(2);
                    writer.push(latency_ns, 3);
                }
                21 => writer.push(latency_ns, 4),
                _ => {
                    window.pop_front();
                    writer.replace(latency_ns);
                }
            }
            window.push_back(latency_ns);
            assert_eq!(latencies_ns(&handle), Some(window.iter().copied().collect()), "{latency_ns}");
        }
        assert_eq!(handle.entered(), 24, "30 after the last but five");
    }

    #[test]
    fn the_count_wraps() {
        let mirror: &Mirror = &mirror::<8>();
        let last = u64::MAX >> LEN_BITS;
        push(mirror, last, 1, 1);
        push(mirror, last.wrapping_add(1), 2, 2);
        assert_eq!(latencies_ns(mirror), Some(vec![1, 2]));
    }

    /// The owner takes in samples while the window is read: what was read is the window as it was, or nothing.
    #[test]
    fn a_window_that_the_owner_overwrites_meanwhile_is_refused() {
        let (mut whole, mut refused) = (0, 0);
        // Samples before, in the window, and taken in before the sample of this age is read.
        for (before, len) in [(4, 4), (10, 4), (10, 3), (10, 1), (u64::MAX >> LEN_BITS, 2)] {
            for at_age in 0..len as u64 {
                for taken_in in 0..20 {
                    // The owner may be between a sample's slot and its state, too.
                    for is_halfway in [false, true] {
                        let mirror: &Mirror = &mirror::<8>();
                        let number = |sample: u64| before.wrapping_sub(len as u64).wrapping_add(sample);
                        (0..len as u64).for_each(|sample| push(mirror, number(sample), sample, len));
                        let expected: Vec<u64> = (0..len as u64).collect();
                        let read = mirror.read_while(|age| {
                            if age == at_age {
                                let fresh = |sample: u64| before.wrapping_add(sample);
                                (0..taken_in).for_each(|sample| push(mirror, fresh(sample), 1000, len));
                                if is_halfway {
                                    mirror.slots[fresh(taken_in) as usize % 8].store(1000, Ordering::Relaxed);
                                }
                            }
                        });
                        let what = format!("{taken_in} samples after {before}, halfway {is_halfway}, at age {at_age}");
                        match &read {
                            Some((_, latencies_ns)) => assert_eq!(*latencies_ns, expected, "{what}"),
                            None => assert!(taken_in >= 8 - len as u64, "refused for nothing: {what}"),
                        }
                        *(if read.is_some() { &mut whole } else { &mut refused }) += 1;
                    }
                }
            }
        }
        assert!(whole > 0 && refused > 0, "{whole} whole, {refused} refused");
    }

    #[test]
    fn any_state_is_read_without_harm() {
        let mirror = mirror::<8>();
        for bit in 0..64 {
            mirror.state.0.store(u64::MAX << bit, Ordering::Relaxed);
            let _ = (&mirror as &Mirror).read();
            mirror.state.0.store(1 << bit, Ordering::Relaxed);
            let _ = (&mirror as &Mirror).read();
        }
        mirror.state.0.store(5, Ordering::Relaxed);
        assert_eq!((&mirror as &Mirror).read(), None);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// Two slots for a window of one: the third sample overwrites the first.
    fn check<const FENCED: bool>() {
        loom::model(|| {
            let mirror =
                Arc::new(Mirror { state: Line(AtomicU64::new(0)), slots: [AtomicU64::new(0), AtomicU64::new(0)] });
            let owner = {
                let mirror = Arc::clone(&mirror);
                loom::thread::spawn(move || {
                    let mirror: &Mirror = &*mirror;
                    (0..3).for_each(|entered| {
                        mirror.push::<FENCED>(pack(entered, 1), entered + 100, pack(entered + 1, 1))
                    });
                })
            };
            let reader: &Mirror = &*mirror;
            if let Some((entered, latencies_ns)) = reader.read() {
                let expected: Vec<u64> = (entered > 0).then(|| entered + 99).into_iter().collect();
                assert_eq!(latencies_ns, expected, "a sample of another window");
            }
            owner.join().unwrap();
            assert_eq!(reader.read(), Some((3, vec![102])));
        });
    }

    #[test]
    fn a_reader_sees_one_window_or_none() {
        check::<true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "a sample of another window")]
    fn without_the_fence_it_would_see_two_mixed() {
        check::<false>();
    }
}
