//! A session as FIX engines have it. One thread sends orders, another hears their answers, and each reports through its half of
//! one lane. At times the sender sleeps for longer than a call may be in flight. The node isn't to blame for that, so the breaker
//! doesn't trip.
//!
//! `cargo run --release --example sender_and_receiver`

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Call, Config};

/// How long the venue takes to answer.
const ROUND_TRIP: Duration = Duration::from_millis(2);
/// Longer than `stall_limit`, which is 1 s.
const NAP: Duration = Duration::from_millis(1500);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut breaker = Breaker::new(Config::default())?;
    let (mut begins, mut ends) = breaker.lane().split();
    let (wire, answers) = mpsc::channel::<(Call, Instant)>();

    let sender = thread::spawn(move || {
        let mut refused = 0;
        for order in 1..=600 {
            if begins.allow() {
                let call = begins.begin();
                if wire.send((call, Instant::now())).is_err() {
                    begins.fail(call); // the session is gone
                }
            } else {
                refused += 1;
            }
            thread::sleep(if order % 300 == 0 { NAP } else { Duration::from_millis(1) });
        }
        refused
    });
    let receiver = thread::spawn(move || {
        for (call, sent) in answers {
            thread::sleep(ROUND_TRIP.saturating_sub(sent.elapsed()));
            ends.end(call);
        }
    });

    while !(sender.is_finished() && receiver.is_finished()) {
        breaker.poll();
        thread::sleep(Duration::from_micros(200));
    }
    let refused = sender.join().map_err(|_| "the sender panicked")?;
    receiver.join().map_err(|_| "the receiver panicked")?;
    breaker.poll();

    for event in breaker.events() {
        println!("{} -> {}: {}", event.from, event.to, event.reason);
    }
    let p99 = Duration::from_nanos(breaker.quantile_ns(990_000).unwrap_or(0));
    let snapshot = breaker.snapshot();
    println!("{} calls, P99 {p99:.1?}, {refused} refused", snapshot.recorded);
    println!("misused {}, dropped {}, still in flight {}", snapshot.misused, snapshot.dropped, snapshot.in_flight);
    Ok(())
}
