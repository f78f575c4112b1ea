//! Halts. The gate's HALTED bit is set and cleared here, with a note of who halted, when and why.

use crate::clock::wall_ns;
use crate::config::State;
use crate::gate::GateByte;
use crate::notes::Notes;
use crate::sync::{AtomicU64, Line, Ordering};

/// Who halted, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HaltNote {
    /// The reason that was given, at most [`HaltNote::MAX_REASON_BYTES`] bytes of it. Control characters are replaced by spaces. The
    /// reason is empty if none was given.
    pub reason: String,
    /// The user that the halter ran as. It is `u32::MAX` without the feature `shm`, as it can't be told then.
    pub uid: u32,
    /// The halter's process.
    pub pid: u32,
    /// The time of the halt, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
}

/// A note has the time, the halter, the length of the text, the text, and the check that all notes have.
const NOTE_WORDS: usize = 31;
const TEXT_WORDS: usize = NOTE_WORDS - 4;

impl HaltNote {
    /// The length of the longest reason, in bytes. A longer reason is cut between characters.
    pub const MAX_REASON_BYTES: usize = TEXT_WORDS * 8;

    fn words(halter: Halter, wall_ns: u64, reason: &str) -> [u64; NOTE_WORDS] {
        let end = (0..=Self::MAX_REASON_BYTES).rfind(|&end| reason.is_char_boundary(end)).unwrap_or(0);
        let (mut text, mut words) = ([0; Self::MAX_REASON_BYTES], [0; NOTE_WORDS]);
        text.iter_mut().zip(reason.bytes().take(end)).for_each(|(place, byte)| *place = byte);
        let Halter { uid, pid } = halter.named();
        let who = u64::from(uid) | u64::from(pid) << 32;
        let text = text.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes));
        let used = [wall_ns, who, end as u64].into_iter().chain(text);
        words.iter_mut().zip(used).for_each(|(word, value)| *word = value);
        words
    }

    /// Returns `None` if no version of this library writes such words.
    fn from_words(words: &[u64; NOTE_WORDS]) -> Option<Self> {
        let &[wall_ns, who, len, ref rest @ ..] = words;
        let mut text: Vec<u8> = rest.iter().take(TEXT_WORDS).flat_map(|word| word.to_le_bytes()).collect();
        let len = usize::try_from(len).ok().filter(|&len| len <= text.len())?;
        text.truncate(len);
        let reason = String::from_utf8(text).ok()?.replace(char::is_control, " ");
        Some(Self { reason, uid: who as u32, pid: (who >> 32) as u32, wall_ns })
    }
}

/// Who halts through a handle.
#[derive(Clone, Copy)]
pub(crate) struct Halter {
    uid: u32,
    /// It is 0 if each halt is to ask which process it is.
    pid: u32,
}

impl Halter {
    /// A handle whose mapping the child of a fork has, too. A halt by it makes system calls.
    pub(crate) const ASKS: Self = Self { uid: 0, pid: 0 };

    fn named(self) -> Self {
        if self.pid == 0 { Self::this_process() } else { self }
    }

    /// A handle that knows its process from the start, so that a halt makes no system call.
    pub(crate) fn this_process() -> Self {
        #[cfg(feature = "shm")]
        let uid = rustix::process::getuid().as_raw();
        #[cfg(not(feature = "shm"))]
        let uid = u32::MAX;
        Self { uid, pid: std::process::id() }
    }
}

/// What the page tells of halts beside the gate's bit.
#[repr(C)]
pub(crate) struct Halts {
    /// How often HALTED was set or cleared, so that a halt that came and went isn't missed. Whoever flips the bit counts the flip
    /// afterwards.
    flips: Line<AtomicU64>,
    notes: Notes<NOTE_WORDS, { if cfg!(loom) { 1 } else { 4 } }>,
}

// Any thread may call these.
impl Halts {
    pub(crate) fn new() -> Self {
        Self { flips: Line(AtomicU64::new(0)), notes: Notes::new() }
    }

    /// Halts, and leaves a note. The gate is shut when this returns. A halt without a reason leaves the note of a halt that is in
    /// force as it is.
    pub(crate) fn halt(&self, gate: &GateByte, halter: Halter, reason: &str) {
        let flipped = gate.halt();
        self.count(flipped);
        if flipped || !reason.is_empty() {
            self.notes.write(HaltNote::words(halter, wall_ns(), reason));
        }
    }

    /// The owner puts a gate right that somebody scribbled on, and halts. It tells the wall time, as its polls never read that clock.
    pub(crate) fn repair(&self, gate: &GateByte, state: State, shadow: bool, halter: Halter, wall_ns: u64) {
        if gate.repair(state, shadow) {
            self.count(true);
            self.notes.write(HaltNote::words(halter, wall_ns, "the gate held what its owner had not written"));
        }
    }

    pub(crate) fn resume(&self, gate: &GateByte) {
        self.count(gate.resume());
    }

    fn count(&self, flipped: bool) {
        if flipped {
            self.flips.0.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn flips(&self) -> u64 {
        self.flips.0.load(Ordering::Acquire)
    }

    /// The note of the latest halt. It is `None` if there was no halt, or if the halter was killed while writing the note.
    pub(crate) fn note(&self) -> Option<HaltNote> {
        HaltNote::from_words(&self.notes.read()?)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const WHO: Halter = Halter { uid: u32::MAX, pid: 7 };

    fn words(reason: &str) -> [u64; NOTE_WORDS] {
        HaltNote::words(WHO, u64::MAX, reason)
    }

    #[test]
    fn notes_survive_their_words() {
        for reason in ["", "a", "12345678", "prices look wrong", "Preisfehler \u{2013} \u{1f6d1}", &"x".repeat(216)] {
            let note = HaltNote { reason: reason.to_owned(), uid: u32::MAX, pid: 7, wall_ns: u64::MAX };
            assert_eq!(HaltNote::from_words(&words(reason)), Some(note));
        }
        assert_eq!(HaltNote::MAX_REASON_BYTES, 216);
    }

    #[test]
    fn long_reasons_are_cut_between_characters_and_control_characters_removed() {
        let read = |reason: &str| HaltNote::from_words(&words(reason)).unwrap().reason;
        assert_eq!(read(&"x".repeat(217)), "x".repeat(216));
        assert_eq!(read(&format!("{}\u{1f6d1}", "x".repeat(214))), "x".repeat(214));
        assert_eq!(read("a\x1b[31mb\n\u{9b}"), "a [31mb  ");
    }

    #[test]
    fn words_that_no_version_writes_are_no_note() {
        for (at, word) in [(2, 217), (2, u64::MAX), (3, u64::MAX)] {
            let mut words = words("abc");
            words[at] = word;
            assert_eq!(HaltNote::from_words(&words), None);
        }
    }

    #[test]
    fn flips_are_counted_and_the_latest_note_stays() {
        let (gate, halts) = (GateByte::new(State::Closed, false), Halts::new());
        assert_eq!((halts.flips(), halts.note()), (0, None));
        halts.halt(&gate, WHO, "first");
        halts.halt(&gate, WHO, "second");
        assert!(gate.is_halted() && halts.flips() == 1);
        halts.resume(&gate);
        halts.resume(&gate);
        assert!(gate.is_clear() && halts.flips() == 2);
        assert_eq!(halts.note().unwrap().reason, "second");
    }

    #[test]
    fn a_halt_without_a_reason_leaves_the_note_of_the_one_in_force() {
        let (gate, halts) = (GateByte::new(State::Open, false), Halts::new());
        halts.halt(&gate, WHO, "first");
        halts.halt(&gate, WHO, "");
        assert_eq!(halts.note().unwrap().reason, "first");
        halts.resume(&gate);
        halts.halt(&gate, WHO, "");
        assert_eq!(halts.note().unwrap().reason, "");
    }

    /// An operator's note is never that of a halt which nobody meant.
    #[test]
    fn a_repair_leaves_a_note_of_its_own() {
        let (gate, halts) = (GateByte::new(State::Open, false), Halts::new());
        halts.halt(&gate, WHO, "an operator's");
        halts.resume(&gate);
        gate.scribble(!crate::gate::HALTED);
        halts.repair(&gate, State::Open, false, Halter::ASKS, 9);
        let note = halts.note().unwrap();
        assert!(gate.is_halted() && halts.flips() == 3 && note.reason.starts_with("the gate held"));
        assert_eq!((note.pid, note.wall_ns), (std::process::id(), 9));
    }
}
