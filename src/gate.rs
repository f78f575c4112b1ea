//! The gate's byte, which every ask reads. It has the automatic state, and flags that lie over the state.
//!
//! ```text
//!  bits 0-1  state      0 closed, 1 open, 2 half-open; only the owner changes it. 3: the owner of this handle has ended
//!  bit  2    HALTED     somebody has halted trading; halters set it, and the owner alone clears it (see `halts`)
//!  bit  3    SHADOW     refuse nothing (a halt still refuses); only the owner changes it
//!  bit  4    UNWATCHED  nobody judges, so refuse; whoever finds the owner silent sets it, and the owner's poll clears it
//!  bits 5-7  turn       each halt moves it by one, from 1 to 7; 0 without HALTED. So the owner's clear can tell that somebody
//!                       halted meanwhile
//! ```
//!
//! A byte of 0 lets every call pass. A byte that no version writes refuses.

use crate::config::State;
use crate::sync::{AtomicU8, Ordering, fence};
use crate::words::Word;

const STATE: u8 = 0b0000_0011;
const HALTED: u8 = 0b0000_0100;
const SHADOW: u8 = 0b0000_1000;
const UNWATCHED: u8 = 0b0001_0000;
const TURN: u8 = 0b1110_0000;
const TURN_SHIFT: u32 = TURN.trailing_zeros();
/// Turns go from 1 to this.
const TURNS: u8 = 7;
/// In place of the state: who asks by this handle asks nobody.
const ENDED: u8 = STATE;

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
    pub(crate) unwatched: bool,
}

impl Reading {
    /// Nobody passes, whatever the state: somebody halted, or nobody watches.
    pub(crate) const fn refuses_all(&self) -> bool {
        self.halted || self.unwatched && !self.shadow
    }
}

/// A byte as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits(u8);

impl Bits {
    /// The bit that tells of a halt.
    pub(crate) const HALTED: u16 = HALTED as u16;

    pub(crate) const fn of(state: State, shadow: bool) -> Self {
        Self(owners(state, shadow))
    }

    pub(crate) const fn is_halted(self) -> bool {
        self.0 & HALTED != 0
    }

    pub(crate) const fn is_unwatched(self) -> bool {
        self.0 & UNWATCHED != 0
    }

    /// These bits, but that somebody watches.
    pub(crate) const fn watched(self) -> Self {
        Self(self.0 & !UNWATCHED)
    }

    const fn turn(self) -> u8 {
        (self.0 & TURN) >> TURN_SHIFT
    }

    /// There is a turn exactly while HALTED is set.
    const fn is_consistent(self) -> bool {
        self.is_halted() == (self.turn() != 0)
    }

    /// True unless the byte holds just what the owner put there, and what others may add. Nobody may pass a foreign byte.
    pub(crate) fn is_foreign(self, state: State, shadow: bool) -> bool {
        self.0 & (STATE | SHADOW) != owners(state, shadow) || !self.is_consistent()
    }

    /// These bits after one more halt. `count` grows with each halt. It is read after the bits, so that no halt gets a turn of the past.
    fn halted(self, count: impl FnOnce() -> u64) -> Self {
        let turn = match self.turn() {
            0 => (count() % u64::from(TURNS)) as u8,
            turn => turn % TURNS,
        };
        Self(self.0 & !TURN | HALTED | (turn + 1) << TURN_SHIFT)
    }

    /// What the bits say; `None` if no version writes them, and for the gate of an owner that has ended.
    pub(crate) fn read(self) -> Option<Reading> {
        let state = State::from_word((self.0 & STATE).into())?;
        self.is_consistent().then_some(Reading {
            state,
            halted: self.is_halted(),
            shadow: self.0 & SHADOW != 0,
            unwatched: self.is_unwatched(),
        })
    }
}

impl From<Bits> for u16 {
    #[inline]
    fn from(bits: Bits) -> Self {
        bits.0.into()
    }
}

#[repr(transparent)]
pub(crate) struct GateByte(AtomicU8);

impl GateByte {
    pub(crate) fn new(state: State, shadow: bool) -> Self {
        Self(AtomicU8::new(owners(state, shadow)))
    }

    /// The gate of an owner that has ended. It refuses for ever.
    pub(crate) fn ended() -> Self {
        Self(AtomicU8::new(ENDED))
    }

    /// The byte. The order is relaxed: see [`seen`](Self::seen).
    #[inline]
    pub(crate) fn bits(&self) -> Bits {
        Bits(self.0.load(Ordering::Relaxed))
    }

    /// True if every call may pass and nothing else is to be done: the gate is closed, and no flag is set.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.bits().0 == 0
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.bits().is_halted()
    }

    /// The byte. What was written before it is seen after this.
    #[inline]
    pub(crate) fn seen(&self) -> Bits {
        let bits = self.bits();
        fence(Ordering::Acquire); // see `load_acquire`
        bits
    }

    /// What the byte says; `None` if no version writes such a byte. What was written before the byte is seen after this.
    pub(crate) fn read(&self) -> Option<Reading> {
        self.seen().read()
    }

    // Any thread may call these.

    /// Sets HALTED and moves the turn. `count` tells how many halts there were so far, this one included.
    pub(crate) fn halt(&self, count: impl Fn() -> u64) {
        let mut seen = self.seen();
        while let Err(other) = self.replace(seen, seen.halted(&count)) {
            seen = other;
        }
    }

    /// The owner is silent: nobody judges. True if nobody had told so before.
    pub(crate) fn set_unwatched(&self) -> bool {
        self.0.fetch_or(UNWATCHED, Ordering::AcqRel) & UNWATCHED == 0
    }

    fn replace(&self, seen: Bits, with: Bits) -> Result<(), Bits> {
        self.0.compare_exchange(seen.0, with.0, Ordering::AcqRel, Ordering::Acquire).map(|_| ()).map_err(Bits)
    }

    // Only the owner may call these.

    /// Clears HALTED, unless the byte has changed since it was seen. The owner has seen meanwhile that nobody holds a halt. True if
    /// HALTED is cleared.
    pub(crate) fn clear_halted(&self, seen: Bits) -> bool {
        self.replace(seen, Bits(seen.0 & !(HALTED | TURN))).is_ok()
    }

    pub(crate) fn clear_unwatched(&self) {
        self.0.fetch_and(!UNWATCHED, Ordering::AcqRel);
    }

    // Only the owner changes the owner's bits. So the owner flips the bits that differ. That needs no retry, and it leaves the others'
    // bits alone.

    pub(crate) fn change_state(&self, from: State, to: State) {
        self.0.fetch_xor(from as u8 ^ to as u8, Ordering::AcqRel);
    }

    pub(crate) fn change_shadow(&self, from: bool, to: bool) {
        self.0.fetch_xor(if from == to { 0 } else { SHADOW }, Ordering::AcqRel);
    }

    /// A new owner's bits replace the earlier one's. It watches from now on.
    pub(crate) fn take_over(&self, state: State, shadow: bool) {
        let earlier = self.bits().0 & (STATE | SHADOW);
        self.0.fetch_xor(earlier ^ owners(state, shadow), Ordering::AcqRel);
        self.clear_unwatched();
    }

    /// Puts a byte right that somebody else wrote to, and halts, as nobody knows what else is wrong.
    pub(crate) fn repair(&self, state: State, shadow: bool, count: impl Fn() -> u64) {
        self.0.swap(Bits::of(state, shadow).halted(count).0, Ordering::AcqRel);
    }

    /// From now on the byte refuses for ever: its owner has ended.
    pub(crate) fn end(&self) {
        self.0.fetch_or(ENDED, Ordering::AcqRel);
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

        /// The byte as it lies there.
        pub(crate) fn byte(&self) -> u8 {
            self.bits().0
        }
    }

    const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

    #[test]
    fn bits_are_as_published() {
        for (state, bits) in STATES.into_iter().zip(0..) {
            let gate = GateByte::new(state, false);
            assert_eq!(gate.byte(), bits);
            gate.halt(|| 7);
            assert_eq!(gate.byte(), bits | 4 | 1 << 5);
            gate.change_shadow(false, true);
            assert_eq!(gate.byte(), bits | 12 | 1 << 5);
            assert!(gate.clear_halted(gate.seen()));
            assert_eq!(gate.byte(), bits | 8);
            for to in STATES {
                gate.change_state(state, to);
                assert_eq!(gate.byte(), to as u8 | 8);
                let reading = Reading { state: to, halted: false, shadow: true, unwatched: false };
                assert_eq!(gate.read(), Some(reading));
                gate.change_state(to, state);
            }
            assert_eq!([gate.set_unwatched(), gate.set_unwatched()], [true, false]);
            assert_eq!(gate.byte(), bits | 24);
            gate.clear_unwatched();
            assert_eq!(gate.byte(), bits | 8);
        }
    }

    #[test]
    fn each_halt_moves_the_turn_from_1_to_7_and_round() {
        let gate = GateByte::new(State::Closed, false);
        for halt in 0..20 {
            gate.halt(|| 0);
            assert_eq!(gate.byte() >> 5, halt % 7 + 1);
        }
        for count in 0..20 {
            let gate = GateByte::new(State::Closed, false);
            gate.halt(|| count);
            assert_eq!(u64::from(gate.byte() >> 5), count % 7 + 1, "without HALTED the count says the turn");
        }
    }

    #[test]
    fn a_clear_fails_if_the_byte_has_moved() {
        let gate = GateByte::new(State::Closed, false);
        gate.halt(|| 1);
        let seen = gate.seen();
        gate.halt(|| 2);
        assert!(!gate.clear_halted(seen) && gate.is_halted());
    }

    #[test]
    fn only_what_the_owner_put_there_and_others_may_add_is_no_foreign_byte() {
        for bits in 0..=u8::MAX {
            let gate = GateByte::new(State::Open, false);
            gate.scribble(bits);
            let is_consistent = (bits & 4 != 0) == (bits >> 5 != 0);
            let is_own = bits & 0b1011 == 1 && is_consistent;
            assert_eq!(gate.bits().is_foreign(State::Open, false), !is_own, "{bits:#b}");
            assert_eq!(gate.is_clear(), bits == 0);
            assert_eq!(gate.read().is_some(), bits & 3 != 3 && is_consistent, "{bits:#b}");
            gate.repair(State::Closed, true, || 6);
            assert_eq!(gate.byte(), SHADOW | HALTED | 7 << 5);
        }
    }

    #[test]
    fn an_ended_gate_refuses_whatever_it_showed() {
        for bits in 0..=u8::MAX {
            let gate = GateByte::new(State::Closed, false);
            gate.scribble(bits);
            gate.end();
            assert!(!gate.is_clear() && gate.read().is_none(), "{bits:#b}");
        }
        assert!(GateByte::ended().read().is_none());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    impl GateByte {
        /// A twin of [`halt`](Self::halt): the turn is that of a count which was read before the byte.
        pub(crate) fn halt_with_turn_of(&self, count: u64) {
            let turn = (count % u64::from(TURNS) + 1) as u8;
            let mut seen = self.seen();
            while let Err(other) = self.replace(seen, Bits(seen.0 & !TURN | HALTED | turn << TURN_SHIFT)) {
                seen = other;
            }
        }
    }

    fn check(change_state: fn(&GateByte, State, State)) {
        loom::model(move || {
            let gate = Arc::new(GateByte::new(State::Closed, false));
            let halter = {
                let gate = Arc::clone(&gate);
                loom::thread::spawn(move || gate.halt(|| 1))
            };
            change_state(&gate, State::Closed, State::Open);
            change_state(&gate, State::Open, State::HalfOpen);
            halter.join().unwrap();
            assert_eq!(gate.bits(), Bits(State::HalfOpen as u8 | HALTED | 2 << 5), "the halt is lost");
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
