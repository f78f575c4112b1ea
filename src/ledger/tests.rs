#![expect(clippy::unwrap_used, reason = "helpers of tests are of tests, too")]

use super::*;

fn epoch(number: u32) -> Epoch {
    Epoch::from_number(number).unwrap()
}

fn ledger(number: u32, room: u16) -> Ledger {
    let ledger = Ledger::default();
    ledger.renew(epoch(number), room);
    ledger
}

fn out(ledger: &Ledger, number: u32, room: u16) -> Option<u32> {
    ledger.look(epoch(number), room).map(|seen| seen.out)
}

#[test]
fn a_word_survives_its_bits() {
    for bits in [0, 1, u64::MAX, IDLE, 1 << 33, 1 << 63, 0xffff, 0xffff_0000, 0x0123_4567_89ab_cdef] {
        assert_eq!(Word::from_bits(bits).to_bits(), bits);
    }
    let word = Word { epoch: 3, idle: true, pending: 2, left: 1 };
    assert_eq!(word.to_bits(), 0x7_0002_0001);
}

#[test]
fn epochs_count_from_1_and_begin_again() {
    assert_eq!(Epoch::after(None).number(), 1);
    assert_eq!(Epoch::after(Some(epoch(1))).number(), 2);
    assert_eq!(Epoch::after(Some(epoch(Epoch::MAX))).number(), 1);
    assert_eq!([0, Epoch::MAX + 1, u32::MAX].map(Epoch::from_number), [None; 3]);
}

#[test]
fn no_more_are_granted_than_there_are() {
    assert_eq!(Ledger::default().take(), None);
    let ledger = ledger(7, 2);
    assert_eq!([ledger.take(), ledger.take(), ledger.take()], [Some(epoch(7)), Some(epoch(7)), None]);
    assert_eq!((out(&ledger, 7, 2), out(&ledger, 6, 2)), (Some(2), None));
    ledger.settle(epoch(7), 2, 1);
    ledger.settle(epoch(6), 2, 1);
    ledger.settle(epoch(7), 2, 0);
    assert_eq!([ledger.take(), ledger.take()], [Some(epoch(7)), None]);
    ledger.settle(epoch(7), 2, 1);
    ledger.revoke(Some(epoch(7)));
    assert_eq!((ledger.take(), ledger.claim(), out(&ledger, 7, 2)), (None, None, Some(2)));
}

#[test]
fn as_many_as_a_setting_may_say() {
    let ledger = ledger(Epoch::MAX, u16::MAX);
    for _ in 0..65_535 {
        assert!(ledger.take().is_some());
    }
    assert_eq!((ledger.take(), out(&ledger, Epoch::MAX, u16::MAX)), (None, Some(65_535)));
    for _ in 0..65_535 {
        ledger.give_back(epoch(Epoch::MAX));
    }
    ledger.give_back(epoch(Epoch::MAX));
    assert_eq!(ledger.look(epoch(Epoch::MAX), u16::MAX), Some(Seen { out: 0, was_idle: true }));
}

#[test]
fn each_grant_is_given_back_by_a_release_of_its_own() {
    let ledger = ledger(1, 3);
    for _ in 0..3 {
        ledger.take();
    }
    ledger.give_back(epoch(1));
    ledger.give_back(epoch(1));
    assert_eq!(out(&ledger, 1, 3), Some(1));
    assert_eq!([ledger.claim(), ledger.claim()], [Some(epoch(1)), None]);
    ledger.give_back(epoch(1));
    assert_eq!(out(&ledger, 1, 3), Some(1), "the last has begun");
    ledger.give_back_begun(epoch(1));
    assert_eq!((out(&ledger, 1, 3), ledger.take()), (Some(0), Some(epoch(1))));
}

#[test]
fn whoever_begins_next_has_the_trial() {
    let ledger = ledger(1, 2);
    assert_eq!(ledger.claim(), None);
    assert_eq!([ledger.take(), ledger.take()], [Some(epoch(1)); 2]);
    assert_eq!([ledger.claim(), ledger.claim(), ledger.claim()], [Some(epoch(1)), Some(epoch(1)), None]);
    ledger.unclaim(epoch(2));
    assert_eq!(ledger.claim(), None);
    ledger.unclaim(epoch(1));
    assert_eq!((ledger.claim(), out(&ledger, 1, 2)), (Some(epoch(1)), Some(2)));
}

#[test]
fn trials_of_another_epoch_are_not_given_back() {
    let ledger = ledger(Epoch::MAX, 1);
    assert_eq!(ledger.take(), Some(epoch(Epoch::MAX)));
    ledger.give_back(epoch(1));
    ledger.give_back_begun(epoch(1));
    assert_eq!(out(&ledger, Epoch::MAX, 1), Some(1));
    ledger.renew(epoch(1), 1);
    assert_eq!(ledger.take(), Some(epoch(1)));
    ledger.give_back(epoch(Epoch::MAX));
    ledger.give_back_begun(epoch(Epoch::MAX));
    assert_eq!(out(&ledger, 1, 1), Some(1));
}

#[test]
fn the_owner_learns_that_all_were_back_between_two_looks() {
    let ledger = ledger(1, 2);
    let look = || ledger.look(epoch(1), 2).unwrap();
    assert_eq!(look(), Seen { out: 0, was_idle: true });
    ledger.take();
    ledger.take();
    assert_eq!(look(), Seen { out: 2, was_idle: false });
    ledger.give_back(epoch(1));
    ledger.take();
    assert_eq!(look(), Seen { out: 2, was_idle: false });
    ledger.give_back(epoch(1));
    ledger.claim();
    ledger.give_back_begun(epoch(1));
    ledger.take();
    assert_eq!(look(), Seen { out: 1, was_idle: true });
    assert_eq!(look(), Seen { out: 1, was_idle: false });
}

#[test]
fn a_word_that_no_ledger_has_is_not_believed() {
    let ledger = ledger(1, 2);
    ledger.word.store(Word { epoch: 1, idle: false, pending: 0, left: 3 }.to_bits(), Ordering::Relaxed);
    assert_eq!(ledger.look(epoch(1), 2), None);
    ledger.room.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(ledger.look(epoch(1), 2), None);
    ledger.word.store(u64::MAX, Ordering::Relaxed);
    ledger.unclaim(epoch(Epoch::MAX));
    ledger.give_back_begun(epoch(Epoch::MAX));
    assert_eq!(ledger.word.load(Ordering::Relaxed), u64::MAX);
}

#[test]
fn nobody_gives_back_to_an_epoch_that_is_over_nor_more_than_have_begun() {
    let ledger = ledger(1, 2);
    assert_eq!([ledger.take(), ledger.claim(), ledger.take()], [Some(epoch(1)); 3]);
    ledger.give_back_begun(epoch(1));
    ledger.give_back_begun(epoch(1));
    assert_eq!(out(&ledger, 1, 2), Some(1), "the other is pending");
    ledger.revoke(Some(epoch(1)));
    ledger.give_back_begun(epoch(1));
    ledger.give_back(epoch(1));
    assert_eq!(ledger.take(), None);
}

#[test]
fn a_handle_whose_call_began_has_one_less_to_give_back() {
    let grants = Grants::default();
    grants.begin(epoch(5));
    grants.add(epoch(5));
    grants.add(epoch(5));
    grants.begin(epoch(4));
    grants.begin(epoch(5));
    assert_eq!([grants.take(), grants.take()], [Some(epoch(5)), None]);
}

#[test]
fn a_handle_gives_back_what_it_was_granted_last() {
    let grants = Grants::default();
    assert_eq!(grants.take(), None);
    grants.add(epoch(5));
    grants.add(epoch(5));
    assert_eq!([grants.take(), grants.take(), grants.take()], [Some(epoch(5)), Some(epoch(5)), None]);
    grants.add(epoch(5));
    grants.add(epoch(6));
    assert_eq!([grants.take(), grants.take()], [Some(epoch(6)), None], "the other's epoch is over");
    for _ in 0..70_000 {
        grants.add(epoch(Epoch::MAX));
    }
    assert_eq!((0..70_000).filter(|_| grants.take().is_some()).count(), 65_535);
}

#[test]
fn what_shadow_let_pass_is_no_trial_to_give_back() {
    let grants = Grants::default();
    grants.pass();
    assert_eq!(grants.take(), None);
    grants.add(epoch(5));
    grants.pass();
    grants.pass();
    assert_eq!([grants.take(), grants.take(), grants.take()], [None, None, Some(epoch(5))]);
    for _ in 0..70_000 {
        grants.pass();
    }
    grants.add(epoch(5));
    assert_eq!([grants.take(), grants.take()], [Some(epoch(5)), None]);
}
