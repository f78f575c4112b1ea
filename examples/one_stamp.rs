//! One stamp for a turn of the loop. An engine that watches many nodes from one thread reads the clock once in each turn, and gives the time to
//! all of its breakers. This times such turns beside turns in which each operation reads the clock by itself.
//!
//! `cargo run --release --example one_stamp`

use std::hint::black_box;
use std::time::Instant;
use trip99::{Breaker, Config, ConfigError};

const BREAKERS: usize = 8;
const TURNS: u32 = 10_000;
const ROUNDS: usize = 51;
const LATENCY_NS: u64 = 1_000_000;

/// Each operation reads the clock.
fn turn(breakers: &mut [Breaker]) {
    for breaker in breakers {
        if breaker.allow() {
            breaker.record(black_box(LATENCY_NS));
        }
        breaker.poll();
    }
}

/// The clock is read once. All breakers of a process have the same one.
fn turn_at(breakers: &mut [Breaker]) {
    let Some(now_ns) = breakers.first().map(Breaker::now_ns) else { return };
    for breaker in breakers {
        if breaker.allow_at(now_ns) {
            breaker.record_at(now_ns, black_box(LATENCY_NS));
        }
        breaker.poll_at(now_ns);
    }
}

/// What a turn costs for each breaker, in nanoseconds.
fn time(breakers: &mut [Breaker], turn: fn(&mut [Breaker])) -> f64 {
    let begin = Instant::now();
    for _ in 0..TURNS {
        turn(black_box(breakers));
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS) / BREAKERS as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn main() -> Result<(), ConfigError> {
    let mut breakers =
        (0..BREAKERS).map(|_| Breaker::new(Config::default())).collect::<Result<Vec<_>, ConfigError>>()?;
    let (mut own_ns, mut shared_ns) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own_ns.push(time(&mut breakers, turn));
        shared_ns.push(time(&mut breakers, turn_at));
    }
    let (own_ns, shared_ns) = (median(own_ns), median(shared_ns));
    println!("{BREAKERS} breakers in one loop: allow, record and poll of each, medians of {ROUNDS} rounds");
    println!("  each operation reads the clock  {own_ns:6.1} ns a breaker");
    println!("  one stamp for the turn          {shared_ns:6.1} ns a breaker, {:.2} x", shared_ns / own_ns);
    Ok(())
}
