//! A gate that somebody scribbled on is put right by the owner's next look, halted, and journaled.

use crate::breaker::Breaker;
use crate::config::{Config, State};
use crate::journal::Reason;
use crate::page::HALTED;

const SECOND: u64 = 1_000_000_000;

/// A breaker in this state, with nothing due for an hour.
fn breaker(state: State, shadow: bool) -> Breaker {
    let pause_ns = 3600 * SECOND;
    let config = Config {
        consecutive_failures: 1,
        backoff_base_ns: pause_ns,
        backoff_max_ns: pause_ns,
        jitter_ppm: 0,
        shadow,
        start: if state == State::HalfOpen { State::HalfOpen } else { State::Closed },
        ..Config::default()
    };
    let mut breaker = Breaker::new(config).unwrap_or_else(|error| unreachable!("{error}"));
    breaker.poll_at(0);
    if state == State::Open {
        breaker.record_failure_at(0, 0);
    }
    assert_eq!(breaker.state(), state);
    breaker
}

/// Reasons of the events from the `skip`th on.
fn reasons(breaker: &Breaker, skip: u64) -> Vec<Reason> {
    breaker.events().filter(|event| event.sequence >= skip).map(|event| event.reason).collect()
}

type Look = fn(&mut Breaker);

#[test]
fn the_owners_next_look_puts_the_gate_right_and_halts() {
    let looks: [(&str, Look); 2] =
        [("poll", |breaker| breaker.poll_at(1)), ("allow", |breaker| assert!(!breaker.allow_at(1)))];
    let mut scribbles = 0;
    for state in [State::Closed, State::Open, State::HalfOpen] {
        for shadow in [false, true] {
            for bits in 0..=u8::MAX {
                for (name, look) in looks {
                    let mut breaker = breaker(state, shadow);
                    let observer = breaker.observer();
                    let page = &observer.page;
                    if !is_scribble(page.gate_bits(), bits) || (name == "allow" && bits == 0) {
                        continue; // and a gate of 0 lets `allow` pass without a look
                    }
                    scribbles += 1;
                    let (right, events) = (page.gate_bits(), breaker.snapshot().events);
                    page.scribble_on_gate(bits);
                    look(&mut breaker);
                    let what = format!("{bits:#b} when {state}, shadow {shadow}, found by {name}");
                    assert_eq!(page.gate_bits(), right | HALTED, "{what}");
                    assert_eq!(observer.state(), Some(state), "{what}");
                    assert!(breaker.snapshot().halted && !breaker.allow_at(2), "{what}");
                    assert_eq!(reasons(&breaker, events), [Reason::Halt], "{what}");
                    // It is a halt as any other.
                    breaker.resume_at(3);
                    assert_eq!(page.gate_bits(), right, "{what}");
                    assert_eq!(reasons(&breaker, events), [Reason::Halt, Reason::Resume], "{what}");
                    // Nor does it hide the next ones, between two looks.
                    observer.page.halt();
                    observer.page.resume();
                    breaker.poll_at(10_000_000);
                    assert_eq!(reasons(&breaker, events + 2), [Reason::Halt, Reason::Resume], "{what}");
                }
            }
        }
    }
    assert!(scribbles > 2000, "{scribbles}");
}

/// Whether no halt or resume alone makes these bits of the owner's.
fn is_scribble(owners: u8, bits: u8) -> bool {
    bits & !HALTED != owners & !HALTED
}

#[test]
fn a_scribble_ends_no_halt() {
    for bits in [0, 1, 2, 3, 8, 0x80, u8::MAX] {
        let mut breaker = breaker(State::Open, false);
        breaker.halt_at(1);
        let observer = breaker.observer();
        observer.page.scribble_on_gate(bits);
        breaker.poll_at(2);
        let expected = if bits & !HALTED == 1 { 1 } else { 1 | HALTED }; // that one is a resume
        assert_eq!(observer.page.gate_bits(), expected, "{bits:#b}");
        assert_eq!(breaker.snapshot().halted, expected != 1);
    }
}
