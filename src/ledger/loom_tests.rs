use super::*;
use crate::sync::Arc;

fn epoch(number: u32) -> Epoch {
    Epoch::from_number(number).unwrap()
}

fn ledger(room: u16) -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::default());
    ledger.renew(epoch(1), room);
    ledger
}

fn spawn<T: 'static>(ledger: &Arc<Ledger>, run: impl FnOnce(&Ledger) -> T + 'static) -> loom::thread::JoinHandle<T> {
    let ledger = Arc::clone(ledger);
    loom::thread::spawn(move || run(&ledger))
}

/// Two threads ask, the owner ends the epoch and begins another.
fn check_takers(take: fn(&Ledger) -> Option<Epoch>) {
    loom::model(move || {
        let ledger = ledger(1);
        let takers = [spawn(&ledger, take), spawn(&ledger, take)];
        ledger.revoke(Some(epoch(1)));
        let left_over = ledger.take();
        ledger.renew(epoch(2), 1);
        let mine = ledger.take();
        let mut taken: Vec<_> = takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect();
        assert_eq!(left_over, None);
        taken.extend(mine);
        for number in [1, 2] {
            assert!(taken.iter().filter(|&&of| of == epoch(number)).count() <= 1, "a trial is granted twice");
        }
        assert!(taken.contains(&epoch(2)));
    });
}

/// Never more are granted than there is room for, and none of the first epoch once it is over.
#[test]
fn trials_are_never_granted_twice_nor_after_their_epoch() {
    check_takers(Ledger::take);
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "a trial is granted twice")]
fn trials_taken_by_load_and_store_would_be_granted_twice() {
    check_takers(|ledger| {
        let word = Word::from_bits(ledger.word.load(Ordering::Acquire));
        let taken = Word { left: word.left.checked_sub(1)?, pending: word.pending + 1, ..word };
        ledger.word.store(taken.to_bits(), Ordering::Release);
        Epoch::from_number(word.epoch)
    });
}

/// The owner makes room for another while a trial is granted, and begun.
fn check_owner(settle: fn(&Ledger)) {
    loom::model(move || {
        let ledger = ledger(2);
        let taker = spawn(&ledger, |ledger| {
            let taken = [ledger.take(), ledger.take()].into_iter().flatten().count() as u32;
            ledger.claim();
            taken
        });
        let seen = ledger.look(epoch(1), 2).unwrap().out;
        settle(&ledger);
        let taken = taker.join().unwrap();
        assert!(seen <= taken);
        // A result that came in is out no more: here of a trial that wasn't granted, so that the count says so.
        let left = Word::from_bits(ledger.word.load(Ordering::Acquire)).left;
        assert_eq!(u32::from(left), 3 - taken, "a grant is forgotten");
    });
}

#[test]
fn the_owner_learns_of_every_grant() {
    check_owner(|ledger| ledger.settle(epoch(1), 3, 1));
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "a grant is forgotten")]
fn trials_added_by_load_and_store_would_hide_a_grant() {
    check_owner(|ledger| {
        let word = Word::from_bits(ledger.word.load(Ordering::Acquire));
        ledger.word.store(Word { left: word.left + 1, ..word }.to_bits(), Ordering::Release);
    });
}

/// One gives its grant back while another begins a call, and the owner looks.
fn check_give_back(give_back: fn(&Ledger, Epoch)) {
    loom::model(move || {
        let ledger = ledger(2);
        ledger.take();
        ledger.take();
        let beginner = spawn(&ledger, |ledger| u32::from(ledger.claim().is_some()));
        let releaser = spawn(&ledger, move |ledger| give_back(ledger, epoch(1)));
        let seen = ledger.look(epoch(1), 2).unwrap().out;
        assert!((1..=2).contains(&seen));
        releaser.join().unwrap();
        assert_eq!(beginner.join().unwrap(), 1, "a pending trial has vanished");
        assert_eq!(ledger.look(epoch(1), 2).unwrap().out, 1, "a trial is lost");
        assert_eq!(ledger.claim(), None, "a trial that has begun is pending again");
    });
}

#[test]
fn a_grant_is_given_back_once_and_no_begun_trial_with_it() {
    check_give_back(|ledger, epoch| _ = ledger.give_back(epoch));
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "a trial")] // is lost, or pending again
fn a_give_back_by_load_and_store_would_grant_a_trial_twice() {
    check_give_back(|ledger, _| {
        let word = Word::from_bits(ledger.word.load(Ordering::Acquire));
        ledger.word.store(Word { left: word.left + 1, pending: word.pending - 1, ..word }.to_bits(), Ordering::Release);
    });
}

fn check_epochs(give_back: fn(&Ledger, Epoch)) {
    loom::model(move || {
        let ledger = ledger(1);
        let taker = spawn(&ledger, move |ledger| {
            if let Some(epoch) = ledger.take() {
                give_back(ledger, epoch);
            }
        });
        ledger.revoke(Some(epoch(1)));
        ledger.renew(epoch(2), 2);
        let mine = ledger.take();
        taker.join().unwrap();
        let out = ledger.look(epoch(2), 2).unwrap().out;
        let theirs = Word::from_bits(ledger.word.load(Ordering::Acquire)).pending;
        assert_eq!(mine, Some(epoch(2)));
        assert_eq!((out, theirs), (1, 1), "given back to another epoch");
    });
}

/// A trial given back reaches its own epoch only.
#[test]
fn a_trial_given_back_reaches_its_own_epoch_only() {
    check_epochs(|ledger, epoch| _ = ledger.give_back(epoch));
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "given back to another epoch")]
fn a_trial_given_back_whatever_the_epoch_would_reach_another() {
    check_epochs(|ledger, _| {
        ledger.update(|word| Some(Word { pending: word.pending.checked_sub(1)?, left: word.left + 1, ..word }));
    });
}

/// All are given back, and granted again, between two looks: the owner learns that none was out.
fn check_idle(give_back: fn(&Ledger, Epoch)) {
    loom::model(move || {
        let ledger = ledger(1);
        ledger.take();
        ledger.look(epoch(1), 1);
        let holder = spawn(&ledger, move |ledger| {
            give_back(ledger, epoch(1));
            ledger.take();
        });
        let mut was_idle = ledger.look(epoch(1), 1).unwrap().was_idle;
        holder.join().unwrap();
        was_idle |= ledger.look(epoch(1), 1).unwrap().was_idle;
        assert!(was_idle, "the lease of the second grant began with the first");
    });
}

#[test]
fn the_owner_learns_that_none_was_out() {
    check_idle(|ledger, epoch| _ = ledger.give_back(epoch));
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "the lease of the second grant")]
fn a_give_back_that_does_not_say_so_would_keep_the_old_lease() {
    check_idle(|ledger, _| {
        ledger.update(|word| Some(Word { pending: word.pending.checked_sub(1)?, left: word.left + 1, ..word }));
    });
}

/// A call that had claimed a trial is abandoned while its epoch ends and another begins; meanwhile somebody asks.
fn check_abandoned(give_back_begun: fn(&Ledger, Epoch)) {
    loom::model(move || {
        let ledger = ledger(1);
        ledger.take();
        ledger.claim();
        let abandoner = spawn(&ledger, move |ledger| give_back_begun(ledger, epoch(1)));
        ledger.revoke(Some(epoch(1)));
        let between = ledger.take();
        ledger.renew(epoch(2), 1);
        let mine = ledger.take();
        abandoner.join().unwrap();
        assert_eq!((between, mine, ledger.take()), (None, Some(epoch(2)), None), "a trial of an epoch that is over");
    });
}

#[test]
fn an_abandoned_trial_goes_with_its_epoch() {
    check_abandoned(Ledger::give_back_begun);
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "a trial of an epoch that is over")]
fn without_a_look_at_the_room_it_would_be_granted_once_more() {
    check_abandoned(|ledger, epoch| {
        ledger.update(|word| word.of(epoch).map(|word| word.with_one_back(ledger.room())));
    });
}
