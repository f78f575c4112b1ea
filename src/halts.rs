//! Halts: who holds one, and the steps by which a halt comes and goes. No halt is lost, whoever is killed between two steps.
//!
//! A halt belongs to a holder. Each holder has a slot, and the word has a bit for each slot:
//!
//! ```text
//!  bits 63-24  count   how many halts and resumes there were. It grows with each, in the same step as the bit changes
//!  bits 23-8   names   a bit for each of 16 names; a name keeps its slot for the page's life
//!  bits  7-0   own     a bit for each of trip99's own names
//! ```
//!
//! ```text
//!   halter                             resumer                         owner, at each poll
//!   1 sets its bit, counts             1 reads the word                1 reads the gate's byte
//!   2 writes its entry of the log      2 clears its bit, counts,       2 reads the word
//!   3 sets HALTED, and moves             if the word is still          3 if no bit is set: clears HALTED, if the byte is
//!     the turn                           the one that it read            still the one that it read
//!                                      3 writes its entry                if a bit is set: sets HALTED, if it isn't set
//! ```
//!
//! Only the owner clears HALTED, and it reads the byte before the word. If a halter has set its bit after the owner read the word, then
//! its third step comes after the owner read the byte. That step changes the byte, as it moves the turn; so the owner's clear fails, or
//! comes before it. A turn would come again only after seven halts between two steps of the owner. While HALTED is clear the count
//! tells the next turn, so that a turn doesn't begin at 1 again.
//!
//! A halter that is killed after its first step has halted all the same: the owner sets HALTED for it.
//!
//! The count numbers the entries of the log. So the order of the entries is the order in which the bits changed.

use crate::config::State;
use crate::gate::{Bits, GateByte};
use crate::holder::{BUILT_IN, Holder, NAME_WORDS};
use crate::log::{self, Author, Deed, Entry, Place, Read};
use crate::sync::{AtomicU64, Line, Ordering, load_acquire};

/// How many names a page keeps. Those that come later share one of trip99's own slots.
const NAMES: usize = if cfg!(loom) { 2 } else { 16 };
const OWN: usize = BUILT_IN.len();
pub(crate) const SLOTS: usize = OWN + NAMES;
const COUNT_SHIFT: u32 = 24;
const BITS: u64 = (1 << COUNT_SHIFT) - 1;

/// The word as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Held(u64);

impl Held {
    /// Counts are up to this, and 0 comes after it.
    pub(crate) const MAX_COUNT: u64 = u64::MAX >> COUNT_SHIFT;

    /// Between two looks of the owner there are never more halts and resumes than this.
    const MOST_STEPS: u64 = 1 << 32;

    /// How many halts and resumes there were, modulo 2^40: the number of the latest entry of the log. 0 before the first.
    pub(crate) const fn count(self) -> u64 {
        self.0 >> COUNT_SHIFT
    }

    pub(crate) const fn is_any(self) -> bool {
        self.0 & BITS != 0
    }

    pub(crate) const fn has(self, slot: u8) -> bool {
        self.0 & BITS & bit(slot) != 0
    }

    /// The slots whose holders hold a halt.
    pub(crate) fn slots(self) -> impl Iterator<Item = u8> {
        (0..SLOTS as u8).filter(move |&slot| self.has(slot))
    }

    /// Another word than this one.
    pub(crate) const fn inverted(self) -> Self {
        Self(!self.0)
    }

    /// False if halts and resumes can't have made this word of that one: somebody scribbled on it. Each changes one bit, and counts.
    pub(crate) const fn can_follow(self, earlier: Self) -> bool {
        let steps = self.count().wrapping_sub(earlier.count()) & Self::MAX_COUNT;
        let changed = ((self.0 ^ earlier.0) & BITS).count_ones();
        steps <= Self::MOST_STEPS && changed as u64 <= steps
    }

    const fn counted(self) -> Self {
        Self((self.count().wrapping_add(1) << COUNT_SHIFT) | self.0 & BITS)
    }

    const fn with(self, slot: u8) -> Self {
        Self(self.counted().0 | bit(slot))
    }

    /// The word after the halt of this slot is lifted. `None` if there is none.
    pub(crate) fn lifted(self, slot: u8) -> Option<Self> {
        self.has(slot).then(|| self.without(slot))
    }

    const fn without(self, slot: u8) -> Self {
        Self(self.counted().0 & !bit(slot))
    }
}

const fn bit(slot: u8) -> u64 {
    (1_u64 << (slot & 63)) & BITS
}

#[repr(C)]
struct Name {
    /// 0 until a name has claimed the slot.
    hash: AtomicU64,
    words: [AtomicU64; NAME_WORDS],
}

/// What the page tells of halts beside the gate's byte and the log.
#[repr(C)]
pub(crate) struct Halts {
    word: Line<AtomicU64>,
    names: Line<[Name; NAMES]>,
}

/// Slots of trip99's own names.
pub(crate) const LATCH: u8 = 2;
pub(crate) const DAMAGE: u8 = 3;
pub(crate) const OTHERS: u8 = OWN as u8 - 1;

impl Halts {
    pub(crate) fn new() -> Self {
        let name = |_| Name { hash: AtomicU64::new(0), words: core::array::from_fn(|_| AtomicU64::new(0)) };
        Self { word: Line(AtomicU64::new(0)), names: Line(core::array::from_fn(name)) }
    }

    /// The word. What was written before it is seen after this.
    #[inline]
    pub(crate) fn held(&self) -> Held {
        Held(load_acquire(&self.word.0))
    }

    /// True if the word is still this one.
    #[inline]
    pub(crate) fn is_still(&self, held: Held) -> bool {
        self.word.0.load(Ordering::Relaxed) == held.0
    }

    /// From now on counts are above this. To be called by an owner before it opens.
    pub(crate) fn count_from(&self, count: u64) {
        let raised = |word| {
            let held = Held(word);
            (held.count() < count).then_some(count << COUNT_SHIFT | held.0 & BITS)
        };
        let _ = self.word.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, raised);
    }

    // Slots.

    /// The slot of a holder, which claims one if it has none.
    pub(crate) fn claim(&self, holder: Holder) -> u8 {
        if let Some(own) = BUILT_IN.iter().position(|own| *own == holder) {
            return own as u8;
        }
        let hash = holder.hash();
        for (place, name) in self.names.0.iter().enumerate() {
            let claimed = name.hash.compare_exchange(0, hash, Ordering::AcqRel, Ordering::Acquire);
            if claimed.is_ok() || claimed == Err(hash) {
                // Whoever claims the slot may be killed here. So each halter writes the name; it is always the same one.
                name.words.iter().zip(holder.words()).for_each(|(word, value)| word.store(value, Ordering::Release));
                return (OWN + place) as u8;
            }
        }
        OTHERS
    }

    /// The slot of a holder, if it has one.
    pub(crate) fn find(&self, holder: Holder) -> Option<u8> {
        let own = BUILT_IN.iter().position(|own| *own == holder);
        let named = || {
            let place = self.names.0.iter().position(|name| load_acquire(&name.hash) == holder.hash());
            place.map(|place| OWN + place)
        };
        own.or_else(named).map(|slot| slot as u8)
    }

    /// The name of a slot. `None` if no name has claimed it, or if whoever claimed it was killed before it told its name.
    pub(crate) fn name(&self, slot: u8) -> Option<Holder> {
        let slot = usize::from(slot);
        if let Some(own) = BUILT_IN.get(slot) {
            return Some(*own);
        }
        let name = self.names.0.get(slot.checked_sub(OWN)?)?;
        let holder = Holder::from_words(core::array::from_fn(|word| {
            name.words.get(word).map_or(0, |word| word.load(Ordering::Acquire))
        }))?;
        (holder.hash() == load_acquire(&name.hash)).then_some(holder)
    }

    // The steps. Any thread of any process may be killed between two of them.

    /// A halter's first step. Returns the word after it.
    pub(crate) fn hold(&self, slot: u8) -> Held {
        let set = |word| Some(Held(word).with(slot).0);
        let word = self.word.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, set);
        Held(word.unwrap_or_default()).with(slot)
    }

    /// A halter's third step.
    pub(crate) fn shut(&self, gate: &GateByte) {
        gate.halt(|| self.held().count());
    }

    /// A resumer's second step, from the word that it read. Returns the word after it, or the word that is there now.
    pub(crate) fn lift(&self, listed: Held, slot: u8) -> Result<Held, Held> {
        let lifted = listed.without(slot);
        self.word
            .0
            .compare_exchange(listed.0, lifted.0, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| lifted)
            .map_err(Held)
    }

    /// Sets HALTED if somebody holds a halt.
    pub(crate) fn shut_if_held(&self, gate: &GateByte) {
        if self.held().is_any() && !gate.is_halted() {
            self.shut(gate);
        }
    }

    /// The owner's steps, at each poll and before it opens. True if HALTED is as the word says.
    pub(crate) fn settle(&self, gate: &GateByte) -> bool {
        let seen = gate.seen();
        self.settle_after(gate, seen)
    }

    fn settle_after(&self, gate: &GateByte, seen: Bits) -> bool {
        match (self.held().is_any(), seen.is_halted()) {
            (true, false) => {
                self.shut(gate);
                true
            }
            (false, true) => gate.clear_halted(seen),
            _ => true,
        }
    }
}

/// All that a halt touches: the gate, the word and the names, and the log. `notes` has the latest entry of each slot; it is empty for a
/// breaker whose page is in no file. There the log alone has the entries.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) gate: &'a GateByte,
    pub(crate) halts: &'a Halts,
    pub(crate) log: &'a [Place],
    pub(crate) notes: &'a [Place],
}

/// Who acts, in whose name, when and why.
#[derive(Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) holder: Holder,
    pub(crate) author: Author,
    pub(crate) wall_ns: u64,
    pub(crate) reason: &'a str,
}

impl Act<'_> {
    fn entry(&self, deed: Deed, slot: u8) -> Entry<'_> {
        let Self { holder, author, wall_ns, reason } = *self;
        Entry { deed, slot, holder, author, wall_ns, reason }
    }
}

impl Desk<'_> {
    /// Halts. The gate is shut when this returns. Returns the number of the entry.
    pub(crate) fn halt(&self, act: &Act<'_>) -> u64 {
        let slot = self.halts.claim(act.holder);
        let number = self.halts.hold(slot).count();
        let entry = act.entry(Deed::Halt, slot);
        log::write(self.log, number, &entry);
        log::write_at(self.notes.get(usize::from(slot)), number, &entry);
        self.halts.shut(self.gate);
        number
    }

    /// The owner puts a gate right that somebody scribbled on, and halts.
    pub(crate) fn repair(&self, state: State, shadow: bool, act: &Act<'_>) {
        self.halt(act);
        self.gate.repair(state, shadow, || self.halts.held().count());
    }

    /// Lifts the halt of a slot, if the word is still the one that was listed. The gate goes on to refuse until the owner has looked.
    /// Returns the word after this, or the word that is there now.
    pub(crate) fn resume(&self, listed: Held, slot: u8, act: &Act<'_>) -> Result<Held, Held> {
        let held = self.halts.lift(listed, slot)?;
        log::write(self.log, held.count(), &act.entry(Deed::Resume, slot));
        Ok(held)
    }

    /// A halt that notes and log tell of, that nobody lifted, and that the word doesn't tell: its slot and its number. Somebody scribbled on
    /// the word; or a resumer is about to write its entry, or was killed before. For an owner that takes over.
    #[cfg(feature = "shm")]
    pub(crate) fn lost_halt(&self) -> Option<(u8, u64)> {
        (0..SLOTS as u8).find_map(|slot| {
            let (halted, _) = self.note(slot)?;
            let held = self.halts.held();
            let later = held.count().wrapping_sub(halted) & Held::MAX_COUNT;
            let is_lifted = |number| log::deed(self.log, number) == Some((Deed::Resume, slot));
            // What came long ago the log no longer tells.
            let is_told = later < self.log.len() as u64;
            let is_lost = !held.has(slot)
                && (later > Held::MAX_COUNT / 2
                    || is_told && !(1..=later).any(|step| is_lifted(halted.wrapping_add(step))));
            is_lost.then_some((slot, halted))
        })
    }

    /// The latest halt of a slot, with the number of its entry. `None` if its text isn't kept, or was never told.
    pub(crate) fn note(&self, slot: u8) -> Option<(u64, Read)> {
        let is_halt = |entry: &(u64, Read)| entry.1.slot == slot && entry.1.deed == Deed::Halt;
        let places = self.log.iter().chain(self.notes.get(usize::from(slot)));
        places.filter_map(log::read_at).filter(is_halt).max_by_key(|&(number, _)| number)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Page {
        gate: GateByte,
        halts: Halts,
        log: [Place; 4],
        notes: [Place; SLOTS],
    }

    impl Page {
        fn new() -> Self {
            let place = |_| Place::new();
            Self {
                gate: GateByte::new(State::Closed, false),
                halts: Halts::new(),
                log: core::array::from_fn(place),
                notes: core::array::from_fn(place),
            }
        }

        fn desk(&self) -> Desk<'_> {
            Desk { gate: &self.gate, halts: &self.halts, log: &self.log, notes: &self.notes }
        }

        fn halt(&self, name: &str) -> u64 {
            self.desk().halt(&act(name))
        }

        fn resume(&self, name: &str) {
            let Some(slot) = self.halts.find(act(name).holder) else { unreachable!("{name}") };
            assert!(self.desk().resume(self.halts.held(), slot, &act(name)).is_ok());
        }

        fn holders(&self) -> Vec<String> {
            self.halts.held().slots().filter_map(|slot| self.halts.name(slot)).map(|name| name.to_string()).collect()
        }
    }

    fn act(name: &str) -> Act<'_> {
        let Some(holder) = Holder::parse(name) else { unreachable!("{name}") };
        Act { holder, author: Author::new(1, 2, 3, "host"), wall_ns: 4, reason: name }
    }

    #[test]
    fn each_holder_has_a_halt_of_its_own_and_the_owner_alone_opens() {
        let page = Page::new();
        assert_eq!([page.halt("a"), page.halt("engine"), page.halt("a")], [1, 2, 3]);
        assert_eq!(page.holders(), ["engine", "a"]);
        page.resume("a");
        assert!(page.gate.is_halted() && page.halts.settle(&page.gate) && page.gate.is_halted());
        assert_eq!(page.holders(), ["engine"]);
        page.resume("engine");
        assert!(page.gate.is_halted(), "a resume is under way");
        assert!(page.halts.settle(&page.gate) && page.gate.is_clear());
        assert_eq!(page.halts.held().count(), 5);
        // What is not held is lifted without harm.
        page.resume("a");
        assert!(!page.halts.held().is_any());
    }

    #[test]
    fn sixteen_names_have_slots_and_the_others_share_one() {
        let page = Page::new();
        for number in 0..16 {
            page.halt(&format!("n{number}"));
        }
        page.halt("one-more");
        page.halt("and-more");
        assert_eq!(page.holders().len(), 17);
        assert_eq!(page.holders()[0], "others");
        assert_eq!(page.halts.find(Holder::parse("one-more").unwrap()), None);
        page.resume("n3");
        assert_eq!(page.halts.claim(Holder::parse("n3").unwrap()), OWN as u8 + 3, "kept for the page's life");
        assert_eq!(page.desk().note(OTHERS).unwrap().1.holder.to_string(), "and-more");
    }

    #[test]
    fn a_resumer_whose_list_is_old_lifts_nothing() {
        let page = Page::new();
        page.halt("a");
        let (listed, slot) = (page.halts.held(), page.halts.claim(act("a").holder));
        page.halt("a");
        assert_eq!(page.desk().resume(listed, slot, &act("a")), Err(page.halts.held()));
        assert!(page.halts.held().has(slot));
    }

    #[test]
    fn the_latest_halt_of_a_slot_is_told_as_long_as_it_is_kept() {
        let page = Page::new();
        page.halt("a");
        for _ in 0..10 {
            page.halt("b");
        }
        let slot = |name: &str| page.halts.claim(act(name).holder);
        assert_eq!(
            page.desk().note(slot("a")).map(|(number, note)| (number, note.reason())),
            Some((1, "a".to_owned()))
        );
        assert_eq!(page.desk().note(slot("b")).map(|(number, _)| number), Some(11));
        let desk = Desk { notes: &[], ..page.desk() };
        assert_eq!((desk.note(slot("a")), desk.note(slot("b")).map(|(number, _)| number)), (None, Some(11)));
    }

    #[test]
    fn a_wall_clock_that_is_set_back_changes_neither_order_nor_holders() {
        let page = Page::new();
        let at = |wall_ns, reason| Act { wall_ns, reason, ..act("a") };
        page.desk().halt(&at(1000, "earlier"));
        page.desk().halt(&at(7, "later"));
        let slot = page.halts.claim(act("a").holder);
        for notes in [&page.notes[..], &[]] {
            let (number, note) = Desk { notes, ..page.desk() }.note(slot).unwrap();
            assert_eq!((number, note.reason().as_str(), note.wall_ns), (2, "later", 7));
        }
        let listed = page.halts.held();
        assert!(page.desk().resume(listed, slot, &at(3, "")).is_ok_and(|held| !held.is_any()));
        assert_eq!(log::read(&page.log, 3).map(|entry| entry.deed), Some(Deed::Resume));
    }

    #[test]
    fn a_halter_that_was_killed_after_any_step_has_halted() {
        // Before the first step it has not.
        let page = Page::new();
        let slot = page.halts.claim(act("a").holder);
        assert!(page.halts.settle(&page.gate) && page.gate.is_clear());
        page.halts.hold(slot);
        assert!(page.halts.settle(&page.gate) && page.gate.is_halted());
        assert_eq!((page.holders(), page.desk().note(slot)), (vec!["a".to_owned()], None));
        // A name that was claimed and not told.
        page.halts.names.0[1].hash.store(7, Ordering::Relaxed);
        assert_eq!(page.halts.name(OWN as u8 + 1), None);
    }

    #[test]
    fn a_word_that_nobody_can_have_made_is_told_from_others() {
        let page = Page::new();
        let mut words = vec![page.halts.held()];
        for name in ["a", "b", "a", "engine"] {
            page.halt(name);
            words.push(page.halts.held());
        }
        for name in ["b", "engine", "a"] {
            page.resume(name);
            words.push(page.halts.held());
        }
        for (place, word) in words.iter().enumerate() {
            assert!(words[..=place].iter().all(|earlier| word.can_follow(*earlier)));
            assert!(words[place + 1..].iter().all(|later| !word.can_follow(*later)), "time goes on");
            assert!((0..24).all(|bit| !Held(word.0 ^ 1 << bit).can_follow(*word)));
        }
        assert!(!Held(0).can_follow(words[1]) && Held(0).can_follow(Held(0)));
    }

    #[cfg(feature = "shm")]
    #[test]
    fn a_halt_that_the_word_lost_is_told_by_its_note() {
        let page = Page::new();
        assert!(page.desk().lost_halt().is_none());
        page.halt("a");
        let held = page.halts.held();
        assert!(page.desk().lost_halt().is_none());
        for lost in [0, held.0 & !BITS] {
            page.halts.word.0.store(lost, Ordering::Relaxed);
            assert!(page.desk().lost_halt().is_some());
        }
        page.halts.word.0.store(held.0, Ordering::Relaxed);
        page.resume("a");
        assert!(page.desk().lost_halt().is_none());
        // A log of four entries tells nothing of what came long ago.
        for _ in 0..3 {
            page.halt("b");
            page.resume("b");
            assert!(page.desk().lost_halt().is_none());
        }
    }

    #[test]
    fn any_word_is_taken_without_harm() {
        let page = Page::new();
        for bit in 0..64 {
            page.halts.word.0.store(u64::MAX << bit, Ordering::Relaxed);
            page.halt("a");
            page.resume("a");
            page.halts.settle(&page.gate);
            assert!(!page.halts.held().has(page.halts.claim(act("a").holder)));
        }
    }
}

#[cfg(all(test, loom))]
#[path = "halts/loom_tests.rs"]
mod loom_tests;
