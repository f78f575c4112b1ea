//! The protocol under every order of its steps: halters, resumers and owners, each of them killed anywhere. And what looks right and
//! loses a halt: a twin for each step.

use super::*;
use crate::sync::Arc;
use loom::thread;

struct Page {
    gate: GateByte,
    halts: Halts,
}

/// Whose halts the models are about.
const A: u8 = 0;
const B: u8 = 1;

fn page() -> Arc<Page> {
    Arc::new(Page { gate: GateByte::new(State::Closed, false), halts: Halts::new() })
}

fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

impl Page {
    fn halt(&self, slot: u8) {
        self.halts.hold(slot);
        self.halts.shut(&self.gate);
    }

    /// Resumes, listing again as often as somebody else came first.
    fn resume(&self, slot: u8) {
        let mut listed = self.halts.held();
        while let Err(other) = self.halts.lift(listed, slot) {
            listed = other;
        }
    }

    fn poll(&self) {
        self.halts.settle(&self.gate);
    }
}

/// A has halted. While somebody resumes for A and the owner polls, B halts. From the moment when B's halt returns nothing passes.
fn check(resume: fn(&Page), poll: fn(&Page), halt: fn(&Page)) {
    model(move || {
        let page = page();
        page.halt(A);
        let [resumer, owner, halter] = [resume, poll, halt].map(|act| {
            let page = Arc::clone(&page);
            move || act(&page)
        });
        let resumer = thread::spawn(resumer);
        let owner = thread::spawn(owner);
        halter();
        assert!(page.gate.is_halted(), "B's halt is lost");
        resumer.join().unwrap();
        owner.join().unwrap();
        assert!(page.gate.is_halted(), "B's halt is lost");
        page.poll();
        assert!(page.gate.is_halted() && page.halts.held().has(B), "B's halt is lost");
        page.resume(B);
        page.poll();
        assert!(page.gate.is_clear(), "nobody holds, and it is halted");
    });
}

#[test]
fn no_halt_is_lost() {
    check(|page| page.resume(A), Page::poll, |page| page.halt(B));
}

/// Two owners: one was stopped between two steps while another took over. (The lock keeps them apart; the protocol doesn't rely on it.)
#[test]
fn no_halt_is_lost_between_two_owners() {
    check(
        |page| {
            page.resume(A);
            page.poll();
        },
        Page::poll,
        |page| page.halt(B),
    );
}

#[test]
fn no_halt_is_lost_among_three_halters() {
    model(|| {
        let page = page();
        let halters = [A, B].map(|slot| {
            let page = Arc::clone(&page);
            thread::spawn(move || {
                page.halt(slot);
                assert!(page.gate.is_halted());
                if slot == A {
                    page.resume(A);
                }
            })
        });
        page.poll();
        for halter in halters {
            halter.join().unwrap();
        }
        assert!(page.gate.is_halted(), "B's halt is lost");
        page.poll();
        assert!(page.gate.is_halted(), "B's halt is lost");
        page.halt(2);
        page.resume(B);
        page.poll();
        assert!(page.gate.is_halted(), "the third halt is lost");
    });
}

/// A participant that is killed after any of its steps takes nobody's halt with it, and its own holds from its first step on.
#[test]
fn whoever_is_killed_loses_no_halt() {
    for steps_of_halter in 0..=2 {
        for steps_of_owner in 0..=2 {
            model(move || {
                let page = page();
                page.halt(A);
                let halter = {
                    let page = Arc::clone(&page);
                    thread::spawn(move || {
                        if steps_of_halter > 0 {
                            page.halts.hold(B);
                        }
                        if steps_of_halter > 1 {
                            page.halts.shut(&page.gate);
                        }
                    })
                };
                let owner = {
                    let page = Arc::clone(&page);
                    thread::spawn(move || {
                        let seen = page.gate.seen();
                        if steps_of_owner == 1 {
                            let _ = page.halts.held();
                        } else if steps_of_owner == 2 {
                            page.halts.settle_after(&page.gate, seen);
                        }
                    })
                };
                page.resume(A);
                owner.join().unwrap();
                halter.join().unwrap();
                page.poll(); // the next owner's, before it opens
                page.poll();
                assert_eq!(page.gate.is_halted(), steps_of_halter > 0, "B's halt is lost, or A's stays");
            });
        }
    }
}

/// Two names that claim slots at once have two slots, and one name has one.
#[test]
fn names_claim_slots_of_their_own() {
    for (other, same) in [("b", false), ("a", true)] {
        model(move || {
            let page = page();
            let claim = |name: &str| page.halts.claim(Holder::parse(name).unwrap());
            let first = {
                let page = Arc::clone(&page);
                thread::spawn(move || page.halts.claim(Holder::parse("a").unwrap()))
            };
            let second = claim(other);
            let first = first.join().unwrap();
            assert_eq!(first == second, same, "two names in one slot");
            assert_eq!(page.halts.name(first), Holder::parse("a"));
        });
    }
}

// What looks right.

/// A resumer that looks whether anybody else holds, and then clears HALTED itself.
#[test]
#[should_panic(expected = "B's halt is lost")]
fn a_resumer_that_clears_after_its_look_would_lose_one() {
    check(
        |page| {
            page.resume(A);
            if !page.halts.held().is_any() {
                let mut seen = page.gate.seen();
                while !page.gate.clear_halted(seen) {
                    seen = page.gate.seen();
                }
            }
        },
        |_| {},
        |page| page.halt(B),
    );
}

/// An owner whose clear is bound to a byte that it read after the look.
#[test]
#[should_panic(expected = "B's halt is lost")]
fn a_clear_that_is_not_bound_to_the_byte_before_the_look_would_lose_one() {
    check(
        |page| page.resume(A),
        |page| {
            let is_any = page.halts.held().is_any();
            let seen = page.gate.seen();
            if !is_any && seen.is_halted() {
                page.gate.clear_halted(seen);
            }
        },
        |page| page.halt(B),
    );
}

/// The turn begins at 1 again when HALTED was cleared: then an owner that was held up takes B's halt for A's.
#[test]
#[should_panic(expected = "B's halt is lost")]
fn a_turn_that_begins_at_1_again_would_lose_one() {
    fn halt(page: &Page, slot: u8) {
        page.halts.hold(slot);
        page.gate.halt(|| 1); // as A's halt was the first
    }
    check(
        |page| {
            page.resume(A);
            page.poll();
        },
        Page::poll,
        |page| halt(page, B),
    );
}

/// A turn that is made from a count which was read before the byte: a third halter, held up, brings an old turn back.
#[test]
#[should_panic(expected = "B's halt is lost")]
fn a_turn_from_a_count_that_is_read_before_the_byte_would_lose_one() {
    model(|| {
        let page = page();
        let count = page.halts.hold(A).count();
        page.gate.halt_with_turn_of(count);
        // Another halter has A's name, too, and has read the count before A's halt was counted.
        let owner = {
            let page = Arc::clone(&page);
            thread::spawn(move || page.poll())
        };
        let slow = {
            let page = Arc::clone(&page);
            thread::spawn(move || {
                page.halts.hold(2);
                page.gate.halt_with_turn_of(count);
            })
        };
        page.resume(A);
        let count = page.halts.hold(B).count();
        page.gate.halt_with_turn_of(count);
        slow.join().unwrap();
        assert!(page.gate.is_halted(), "B's halt is lost");
        owner.join().unwrap();
        assert!(page.gate.is_halted(), "B's halt is lost");
    });
}

/// A slot that is free again when its holder resumes: two names in one slot, and a resume of the one lifts the other's halt.
#[test]
#[should_panic(expected = "B's halt is lost")]
fn a_slot_that_is_free_again_would_lose_one() {
    check_slots(|page| {
        page.resume(A);
        page.halts.names.0[0].hash.store(0, Ordering::Release);
    });
}

#[test]
fn a_slot_that_is_kept_loses_none() {
    check_slots(|page| {
        let slot = page.halts.claim(Holder::parse("a").unwrap());
        page.resume(slot);
    });
}

/// Two operators resume for `a`, while `b` halts for the first time.
fn check_slots(resume: fn(&Page)) {
    model(move || {
        let page = page();
        let halt = |page: &Page, name: &str| {
            let slot = page.halts.claim(Holder::parse(name).unwrap());
            page.halt(slot);
            slot
        };
        let slot = halt(&page, "a");
        let first = {
            let page = Arc::clone(&page);
            thread::spawn(move || resume(&page))
        };
        let second = {
            let page = Arc::clone(&page);
            thread::spawn(move || page.resume(slot))
        };
        let of_b = halt(&page, "b");
        first.join().unwrap();
        second.join().unwrap();
        assert!(page.halts.held().has(of_b), "B's halt is lost");
    });
}
