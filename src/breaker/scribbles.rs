//! A gate that somebody scribbled on refuses. The owner's next look puts it right, halts, and journals that.

use super::Breaker;
use crate::config::{Config, Start, State};
use crate::event::Reason;
use crate::holder::Holder;

const HALTED: u8 = 0b0100;
const UNWATCHED: u8 = 0b1_0000;
const TURN: u8 = 0b1110_0000;

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
        start: if state == State::HalfOpen { Start::HalfOpen } else { Start::Closed },
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
                    if !is_scribble(page.gate().byte(), bits) || (name == "allow" && bits == 0) {
                        continue; // and a gate of 0 lets `allow` pass without a look
                    }
                    scribbles += 1;
                    let (right, events) = (page.gate().byte(), breaker.snapshot().events);
                    page.gate().scribble(bits);
                    look(&mut breaker);
                    let what = format!("{bits:#b} when {state}, shadow {shadow}, found by {name}");
                    assert_eq!(page.gate().byte() & !TURN, right | HALTED, "{what}");
                    assert_eq!(observer.state(), Some(state), "{what}");
                    assert!(breaker.snapshot().halted && !breaker.allow_at(2), "{what}");
                    assert_eq!(reasons(&breaker, events), [Reason::Halt], "{what}");
                    // It is a halt as any other.
                    breaker.resume_as_at(3, Holder::DAMAGE, "");
                    assert_eq!(page.gate().byte(), right, "{what}");
                    assert_eq!(reasons(&breaker, events), [Reason::Halt, Reason::Resume], "{what}");
                    // Nor does it hide the next ones, between two looks.
                    let gate = breaker.gate();
                    gate.halt("");
                    gate.resume("");
                    breaker.poll_at(10_000_000);
                    assert_eq!(reasons(&breaker, events + 2), [Reason::Halt, Reason::Resume], "{what}");
                }
            }
        }
    }
    assert!(scribbles > 2000, "{scribbles}");
}

/// Whether nobody may make these bits of the owner's.
fn is_scribble(owners: u8, bits: u8) -> bool {
    let others = HALTED | UNWATCHED | TURN;
    bits & !others != owners & !others || (bits & HALTED != 0) != (bits & TURN != 0)
}

#[test]
fn a_scribble_ends_no_halt() {
    for bits in [0, 1, 2, 3, 8, 0x80, u8::MAX] {
        let mut breaker = breaker(State::Open, false);
        breaker.halt_at(1, "");
        let observer = breaker.observer();
        observer.page.gate().scribble(bits);
        breaker.poll_at(2);
        assert_eq!(observer.page.gate().byte() & !TURN, 1 | HALTED, "{bits:#b}");
        assert!(breaker.snapshot().halted);
    }
}

#[test]
fn a_gate_that_somebody_else_wrote_to_refuses_through_every_transition() {
    // Values that this breaker never has: state 3, SHADOW, HALTED without a turn, and a turn without HALTED.
    for bits in (0..=u8::MAX).filter(|&bits| bits & 3 == 3 || bits & 8 != 0 || is_scribble(0, bits & !3)) {
        let config = Config { consecutive_failures: 1, jitter_ppm: 0, ..Config::default() };
        let mut breaker = Breaker::new(config).unwrap_or_else(|error| unreachable!("{error}"));
        breaker.observer().page.gate().scribble(bits);
        assert!(!breaker.allow_at(0), "{bits:#b}");
        breaker.record_failure_at(0, 0);
        assert!(!breaker.allow_at(1) && !breaker.allow_at(1_000_000_000), "{bits:#b} when {}", breaker.state());
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

#[test]
fn a_halt_by_a_gate_is_journaled_by_the_next_poll() {
    let mut breaker = breaker(State::Closed, false);
    let gate = breaker.gate();
    gate.halt("");
    breaker.poll_at(1);
    gate.resume("");
    breaker.poll_at(2);
    let events: Vec<_> = breaker.events().map(|event| (event.t_ns, event.reason)).collect();
    assert_eq!(events, [(1, Reason::Halt), (2, Reason::Resume)]);
}
