//! The gate's byte, which every ask reads. It has the automatic state and two flags that lie over the state.
//!
//! ```text
//!  bits 0-1  state   0 closed, 1 open, 2 half-open; only the owner changes it
//!  bit  2    HALTED  somebody has halted trading; any thread changes it
//!  bit  3    SHADOW  refuse nothing (a halt still refuses); only the owner changes it
//! ```
//!
//! A byte of 0 lets every call pass. A byte that no version writes refuses.

use crate::config::State;
use crate::sync::{AtomicU8, Ordering, fence};
use crate::words::Word;

const STATE: u8 = 0b0011;
pub(crate) const HALTED: u8 = 0b0100;
const SHADOW: u8 = 0b1000;

/// The bits that are the owner's.
const fn owners(state: State, shadow: bool) -> u8 {
    state as u8 | if shadow { SHADOW } else { 0 }
}

/// What the byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) state: State,
    pub(crate) halted: bool,
    pub(crate) shadow: bool,
}

#[repr(transparent)]
pub(crate) struct GateByte(AtomicU8);

impl GateByte {
    pub(crate) fn new(state: State, shadow: bool) -> Self {
        Self(AtomicU8::new(owners(state, shadow)))
    }

    #[inline]
    pub(crate) fn bits(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// True if every call may pass and nothing else is to be done: the gate is closed, and neither halted nor in shadow.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.bits() == 0
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.bits() & HALTED != 0
    }

    /// What the byte says; `None` if no version writes such a byte. What was written before the byte is seen after this.
    pub(crate) fn read(&self) -> Option<Reading> {
        let bits = self.bits();
        fence(Ordering::Acquire); // see `load_acquire`
        let state = State::from_word((bits & STATE).into())?;
        let is_known = bits & !(STATE | HALTED | SHADOW) == 0;
        is_known.then_some(Reading { state, halted: bits & HALTED != 0, shadow: bits & SHADOW != 0 })
    }

    /// True unless the byte holds just what the owner put there, halted or not. Nobody may pass a foreign byte.
    pub(crate) fn is_foreign(&self, state: State, shadow: bool) -> bool {
        self.bits() & !HALTED != owners(state, shadow)
    }

    /// True if the byte holds just this.
    #[inline]
    pub(crate) fn shows(&self, state: State, shadow: bool, halted: bool) -> bool {
        self.bits() == owners(state, shadow) | if halted { HALTED } else { 0 }
    }

    /// Sets HALTED. True if it wasn't set. Any thread may call this.
    pub(crate) fn halt(&self) -> bool {
        self.0.fetch_or(HALTED, Ordering::AcqRel) & HALTED == 0
    }

    /// Clears HALTED. True if it was set. Any thread may call this.
    pub(crate) fn resume(&self) -> bool {
        self.0.fetch_and(!HALTED, Ordering::AcqRel) & HALTED != 0
    }

    // Only the owner changes the owner's bits. So the owner flips the bits that differ. That needs no retry, and it leaves HALTED
    // alone, which others change at any time.

    pub(crate) fn change_state(&self, from: State, to: State) {
        self.0.fetch_xor(from as u8 ^ to as u8, Ordering::AcqRel);
    }

    pub(crate) fn change_shadow(&self, from: bool, to: bool) {
        self.0.fetch_xor(if from == to { 0 } else { SHADOW }, Ordering::AcqRel);
    }

    /// A new owner's bits replace the earlier one's.
    pub(crate) fn take_over(&self, state: State, shadow: bool) {
        let earlier = self.bits() & !HALTED;
        self.0.fetch_xor(earlier ^ owners(state, shadow), Ordering::AcqRel);
    }

    /// Puts a byte right that somebody else wrote to, and halts, as nobody knows what else is wrong. True if it wasn't halted.
    pub(crate) fn repair(&self, state: State, shadow: bool) -> bool {
        self.0.swap(owners(state, shadow) | HALTED, Ordering::AcqRel) & HALTED == 0
    }

    /// The address of the byte, for C, which reads the byte inline.
    #[cfg(not(loom))]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    impl GateByte {
        pub(crate) fn scribble(&self, bits: u8) {
            self.0.store(bits, Ordering::Relaxed);
        }
    }

    const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

    #[test]
    fn bits_are_as_published() {
        for (state, bits) in STATES.into_iter().zip(0..) {
            let gate = GateByte::new(state, false);
            assert_eq!(gate.bits(), bits);
            assert_eq!([gate.halt(), gate.halt()], [true, false]);
            assert_eq!(gate.bits(), bits | 4);
            gate.change_shadow(false, true);
            assert_eq!(gate.bits(), bits | 12);
            assert_eq!([gate.resume(), gate.resume()], [true, false]);
            assert_eq!(gate.bits(), bits | 8);
            for to in STATES {
                gate.change_state(state, to);
                assert_eq!(gate.bits(), to as u8 | 8);
                assert_eq!(gate.read(), Some(Reading { state: to, halted: false, shadow: true }));
                gate.change_state(to, state);
            }
        }
    }

    #[test]
    fn only_what_the_owner_put_there_is_its_own() {
        for bits in 0..=u8::MAX {
            let gate = GateByte::new(State::Open, false);
            gate.scribble(bits);
            assert_eq!(gate.is_foreign(State::Open, false), bits & !HALTED != 1, "{bits:#b}");
            assert_eq!(gate.shows(State::Open, false, true), bits == 5, "{bits:#b}");
            assert_eq!(gate.is_clear(), bits == 0);
            assert_eq!(gate.read().is_some(), bits < 16 && bits & 3 != 3, "{bits:#b}");
            let halted = bits & HALTED != 0;
            assert_eq!((gate.repair(State::Closed, true), gate.bits()), (!halted, SHADOW | HALTED));
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    fn check(change_state: fn(&GateByte, State, State)) {
        loom::model(move || {
            let gate = Arc::new(GateByte::new(State::Closed, false));
            let halter = {
                let gate = Arc::clone(&gate);
                loom::thread::spawn(move || gate.halt())
            };
            change_state(&gate, State::Closed, State::Open);
            change_state(&gate, State::Open, State::HalfOpen);
            halter.join().unwrap();
            assert_eq!(gate.bits(), State::HalfOpen as u8 | HALTED, "the halt is lost");
        });
    }

    /// A halt from another thread survives the owner's transition, whichever comes first.
    #[test]
    fn a_halt_is_never_lost_to_a_transition() {
        check(GateByte::change_state);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "the halt is lost")]
    fn a_transition_by_load_and_store_would_lose_a_halt() {
        check(|gate, from, to| {
            let bits = gate.0.load(Ordering::Acquire);
            gate.0.store(bits ^ from as u8 ^ to as u8, Ordering::Release);
        });
    }
}
