//! The memory of one breaker: bytes inline, and on the heap.

use super::thousands;
use crate::heap::held_by;
use crate::load::Load;
use crate::peers::{Entry, Peer, WINDOW, trip99};
use crate::report::table;
use ::trip99::{Breaker, Config};

pub(crate) struct Figures {
    name: String,
    inline: usize,
    heap: usize,
}

impl Figures {
    pub(crate) fn bytes(&self) -> usize {
        self.inline + self.heap
    }
}

/// A breaker that nobody else sees, with the default settings.
pub(crate) fn default_breaker() -> Figures {
    figures("trip99: the default settings", || Box::new(trip99::make(Config::default())))
}

/// Once it has been used.
fn figures(name: &str, make: impl Fn() -> Box<dyn Peer>) -> Figures {
    let make_and_use = || {
        let mut peer = make();
        peer.run(&mut Load::new(), 2 * WINDOW);
        peer
    };
    // What the first one of all allocates for those to come (the clock, a thread's part of a collector) isn't its own.
    make_and_use();
    let (peer, held) = held_by(make_and_use);
    let inline = size_of_val(&*peer);
    Figures { name: name.to_owned(), inline, heap: held - inline }
}

fn ours(window_len: u32, max_in_flight: u32) -> Figures {
    let config = Config { window_len, max_in_flight, min_samples: 64, ..Config::default() };
    let (window, calls) = (thousands(window_len as usize), thousands(max_in_flight as usize));
    figures(&format!("trip99: window {window}, {calls} in flight"), || Box::new(trip99::make(config.clone())))
}

/// What a lane adds, to its breaker as well.
fn lane() -> Figures {
    let mut breaker = trip99::breaker(Config::default());
    let (lane, heap) = held_by(|| breaker.lane());
    let name = format!("trip99: a lane, {} messages", thousands(Breaker::LANE_CAPACITY as usize));
    Figures { name, inline: size_of_val(&lane), heap }
}

/// trip99 of these sizes, then each rival as it is set for the other tables.
fn measure(entries: &[Entry]) -> Vec<Figures> {
    let sizes = [(64, 16), (1024, 16), (65_536, 1024), (1 << 20, 1024)];
    let own = sizes.map(|(window_len, max_in_flight)| ours(window_len, max_in_flight));
    let rivals = entries.iter().filter(|entry| !entry.is_ours());
    let rivals = rivals.map(|entry| figures(entry.name, entry.make));
    own.into_iter().chain([lane()]).chain(rivals).collect()
}

/// A table.
pub(crate) fn report(default: &Figures, entries: &[Entry]) -> String {
    let row = |figures: &Figures| {
        let bytes = [figures.inline, figures.heap, figures.bytes()].map(thousands);
        [figures.name.clone()].into_iter().chain(bytes).collect()
    };
    let rows: Vec<_> = [row(default)].into_iter().chain(measure(entries).iter().map(row)).collect();
    table(&["one of", "inline", "on the heap", "bytes in all"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_by_what_a_longer_window_holds() {
        let (short, long) = (ours(1024, 16), ours(2048, 16));
        assert_eq!(short.inline, long.inline);
        // A latency and its stamp, at least.
        assert!(long.heap - short.heap >= 1024 * 16, "{} and {}", short.heap, long.heap);
        let (default, same) = (default_breaker(), ours(1024, 1024));
        assert_eq!((default.inline, default.heap, default.bytes()), (same.inline, same.heap, same.inline + same.heap));
    }
}
