//! A breaker made by hand: std's selection, from a copy of the ring, at each call.

use super::Entry;
use super::ring::Ring;

pub(super) const NAME: &str = "std: select_nth_unstable";

pub(crate) fn entry() -> Entry {
    Entry {
        name: NAME,
        judges: "exact P99 of the latest 1024 calls",
        clock: "no",
        virtual_time: Ok("yes"),
        make: || Box::new(Ring::new(|latencies_ns: &mut [u64], place| *latencies_ns.select_nth_unstable(place).1)),
    }
}
