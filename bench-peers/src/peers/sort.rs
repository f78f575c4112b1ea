//! A breaker made by hand: std's sort, of a copy of the ring, at each call.

use super::Entry;
use super::ring::Ring;

pub(super) const NAME: &str = "std: sort_unstable";

pub(crate) fn entry() -> Entry {
    Entry {
        name: NAME,
        judges: "exact P99 of the latest 1024 calls",
        clock: "no",
        virtual_time: Err("not fed: it trips as by selection"),
        make: || {
            Box::new(Ring::new(|latencies_ns: &mut [u64], place: usize| {
                latencies_ns.sort_unstable();
                latencies_ns[place]
            }))
        },
    }
}
