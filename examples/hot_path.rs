//! An order that asks and an answer that is told, each a function of its own, so that the disassembly can be read.
//! `benches/README.md` shows it with notes.

use std::hint::black_box;
use trip99::{Breaker, Config};

#[inline(never)]
fn ask(breaker: &mut Breaker, now_ns: u64) -> bool {
    breaker.allow_at(now_ns)
}

#[inline(never)]
fn tell(breaker: &mut Breaker, now_ns: u64, latency_ns: u64) {
    breaker.record_at(now_ns, latency_ns);
}

fn main() -> Result<(), trip99::ConfigError> {
    let mut breaker = Breaker::new(Config::default())?;
    for now_ns in 0..black_box(10_000) {
        if ask(&mut breaker, now_ns) {
            tell(&mut breaker, now_ns, black_box(5_000_000));
        }
    }
    println!("{breaker:?}");
    Ok(())
}
