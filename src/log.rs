//! The operators' log: who halted and resumed, when and why.
//!
//! Any thread of any process writes here, and may be killed at any moment. No writer waits for another. Each writer has the number
//! of its entry from the word of `halts`, and writes to the place of this number (a seqlock). Two writers may be at one place only if
//! one was held up while as many others as there are places came and went. The check tells then that their words are mixed.

use crate::holder::{Holder, NAME_WORDS, to_words};
use crate::seqlock::SeqLock;

/// One entry: the time, what was done, by whom, the length of the text, the text, and the check of all that.
pub(crate) const ENTRY_WORDS: usize = TEXT_WORDS + NAME_WORDS + HOST_WORDS + 5;
const TEXT_WORDS: usize = if cfg!(loom) { 1 } else { 27 };
const HOST_WORDS: usize = 4;

/// The place of one entry.
pub(crate) type Place = SeqLock<ENTRY_WORDS>;

/// Who acts by a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    /// The user. It is `u32::MAX` if it can't be told.
    pub(crate) uid: u32,
    /// The user who logged in.
    pub(crate) login_uid: u32,
    pub(crate) pid: u32,
    pub(crate) host: [u64; HOST_WORDS],
}

impl Author {
    #[cfg(not(feature = "shm"))]
    pub(crate) fn this_process() -> Self {
        Self { uid: u32::MAX, login_uid: u32::MAX, pid: std::process::id(), host: [0; HOST_WORDS] }
    }

    pub(crate) fn new(uid: u32, login_uid: u32, pid: u32, host: &str) -> Self {
        Self { uid, login_uid, pid, host: to_words(host.as_bytes()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Halt = 1,
    Resume = 2,
}

impl Deed {
    fn from_word(word: u64) -> Option<Self> {
        match word & 0xff {
            1 => Some(Self::Halt),
            2 => Some(Self::Resume),
            _ => None,
        }
    }
}

/// What is told of one halt or resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) deed: Deed,
    /// The place of the holder's bit.
    pub(crate) slot: u8,
    pub(crate) holder: Holder,
    pub(crate) author: Author,
    pub(crate) wall_ns: u64,
    pub(crate) reason: &'a str,
}

/// An entry as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) deed: Deed,
    pub(crate) slot: u8,
    pub(crate) holder: Holder,
    pub(crate) author: Author,
    pub(crate) wall_ns: u64,
    text: [u64; TEXT_WORDS],
    len: usize,
}

/// The length of the longest reason, in bytes. A longer one is cut between characters.
pub(crate) const MAX_REASON_BYTES: usize = TEXT_WORDS * 8;

/// A hash of words that must belong together. It finds accidents, but no attacks.
pub(crate) fn check(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0x9e37_79b9_7f4a_7c15, |hash, word| {
        let hash = (hash ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^ hash >> 29
    })
}

/// The seqlock's version of the entry of this number. It is even, not 0, and different for each of any few entries in a row.
const fn version(number: u64) -> u64 {
    ((number & u64::MAX >> 2) + 1) * 2
}

/// The place of an entry in a log.
fn place(log: &[Place], number: u64) -> Option<&Place> {
    let len = (log.len() as u64).max(1);
    log.get((number % len) as usize)
}

/// Writes an entry to a place. Any thread of any process may call this.
pub(crate) fn write_at(place: Option<&Place>, number: u64, entry: &Entry<'_>) {
    let reason = cut(entry.reason);
    let Author { uid, login_uid, pid, host } = entry.author;
    let mut words = [0; ENTRY_WORDS];
    let [text @ .., w0, w1, w2, w3, w4, w5, w6, w7, wall, what, who, len, last] = &mut words;
    text.copy_from_slice(&to_words::<TEXT_WORDS>(reason.as_bytes()));
    [*w0, *w1, *w2, *w3] = entry.holder.words();
    [*w4, *w5, *w6, *w7] = host;
    *wall = entry.wall_ns;
    *what = entry.deed as u64 | u64::from(entry.slot) << 8 | u64::from(pid) << 32;
    *who = u64::from(uid) | u64::from(login_uid) << 32;
    *len = reason.len() as u64;
    *last = 0;
    if let Some(place) = place {
        put(place, number, words);
    }
}

/// Puts words at a place, with a check of them and of the number as the last word.
fn put<const N: usize>(place: &SeqLock<N>, number: u64, mut words: [u64; N]) {
    if let Some((last, others)) = words.split_last_mut() {
        *last = check(others.iter().copied().chain([number]));
    }
    place.write(version(number), words);
}

/// As [`write_at`], at the number's own place.
pub(crate) fn write(log: &[Place], number: u64, entry: &Entry<'_>) {
    write_at(place(log, number), number, entry);
}

/// The entry of this number. `None` if it isn't written so far, or no longer there, or if its writer was killed halfway.
pub(crate) fn read(log: &[Place], number: u64) -> Option<Read> {
    read_at(place(log, number)?).filter(|&(found, _)| found == number).map(|(_, entry)| entry)
}

/// What was done to which slot by the entry of this number, for the owner's polls: this neither allocates nor panics. `None` as for
/// [`read`].
pub(crate) fn deed(log: &[Place], number: u64) -> Option<(Deed, u8)> {
    let (found, words) = words_at(place(log, number)?)?;
    let [.., what, _, _, _] = &words;
    (found == number).then_some(())?;
    Some((Deed::from_word(*what)?, (*what >> 8) as u8))
}

/// The number of the entry at a place, and its words.
fn words_at<const N: usize>(place: &SeqLock<N>) -> Option<(u64, [u64; N])> {
    let (version, words) = place.read()?;
    let number = (version / 2).wrapping_sub(1);
    let (&last, others) = words.split_last()?;
    (last == check(others.iter().copied().chain([number]))).then_some((number, words))
}

/// What is at a place: the number of the entry, and the entry.
pub(crate) fn read_at(place: &Place) -> Option<(u64, Read)> {
    let (number, words) = words_at(place)?;
    let [text @ .., w0, w1, w2, w3, w4, w5, w6, w7, wall_ns, what, who, len, _] = &words;
    let text = *text;
    let deed = Deed::from_word(*what)?;
    let author = Author {
        uid: *who as u32,
        login_uid: (*who >> 32) as u32,
        pid: (*what >> 32) as u32,
        host: [*w4, *w5, *w6, *w7],
    };
    let holder = Holder::from_words([*w0, *w1, *w2, *w3])?;
    let len = usize::try_from(*len).ok().filter(|&len| len <= MAX_REASON_BYTES)?;
    Some((number, Read { deed, slot: (*what >> 8) as u8, holder, author, wall_ns: *wall_ns, text, len }))
}

/// A reason that fits.
pub(crate) fn cut(reason: &str) -> &str {
    let end = (0..=MAX_REASON_BYTES).rfind(|&end| reason.is_char_boundary(end)).unwrap_or(0);
    reason.get(..end).unwrap_or_default()
}

impl Read {
    /// The reason, fit to be shown.
    pub(crate) fn reason(&self) -> String {
        shown(&self.text, self.len)
    }

    /// The host, fit to be shown. It is empty if it can't be told.
    pub(crate) fn host(&self) -> String {
        shown(&self.author.host, HOST_WORDS * 8).trim_end_matches(['\0', ' ']).to_owned()
    }
}

fn shown(words: &[u64], len: usize) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take(len).collect();
    String::from_utf8_lossy(&bytes).replace(is_unseen, " ")
}

/// Characters that do something else on a terminal than to be seen: control characters, those that turn the direction of writing, and
/// those of no width.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn log() -> [Place; 4] {
        core::array::from_fn(|_| Place::new())
    }

    fn entry(reason: &str) -> Entry<'_> {
        let author = Author::new(u32::MAX, 1000, 7, "desk-7.example.org");
        let Ok(holder) = Holder::new("ann@desk-7") else { unreachable!() };
        Entry { deed: Deed::Halt, slot: 23, holder, author, wall_ns: u64::MAX, reason }
    }

    #[test]
    fn entries_survive_their_words() {
        for reason in ["", "a", "12345678", "prices look wrong", "Preisfehler \u{2013} \u{1f6d1}", &"x".repeat(216)] {
            let log = log();
            write(&log, 9, &entry(reason));
            let read = read(&log, 9).unwrap();
            assert_eq!((read.reason().as_str(), read.host().as_str()), (reason, "desk-7.example.org"));
            assert_eq!((read.deed, read.slot, read.holder.to_string().as_str()), (Deed::Halt, 23, "ann@desk-7"));
            assert_eq!((read.author, read.wall_ns), (entry("").author, u64::MAX));
        }
        assert_eq!(MAX_REASON_BYTES, 216);
    }

    #[test]
    fn the_latest_few_are_kept() {
        let log = log();
        for number in 0..100 {
            assert_eq!(read(&log, number), None, "not written so far");
            write(&log, number, &entry(&number.to_string()));
            for earlier in 0..=number {
                let found = read(&log, earlier).map(|entry| entry.reason());
                assert_eq!(found, (earlier + 4 > number).then(|| earlier.to_string()), "{earlier} at {number}");
            }
        }
        assert_eq!(read(&[], 0), None);
        write(&[], 0, &entry(""));
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let read = |reason: &str| {
            let log = log();
            write(&log, 1, &entry(reason));
            read(&log, 1).unwrap().reason()
        };
        assert_eq!(read(&"x".repeat(217)), "x".repeat(216));
        assert_eq!(read(&format!("{}\u{1f6d1}", "x".repeat(214))), "x".repeat(214));
    }

    #[test]
    fn nothing_unseen_reaches_a_terminal() {
        let log = log();
        write(&log, 1, &entry("a\x1b[31mb\n\u{9b}\u{202e}c\u{200b}d\u{2066}\u{feff}e\u{61c}"));
        assert_eq!(read(&log, 1).unwrap().reason(), "a [31mb   c d  e ");
    }

    #[test]
    fn an_entry_that_was_tampered_with_is_none() {
        for word in 0..ENTRY_WORDS {
            for bit in [0, 8, 31, 63] {
                let log = log();
                write(&log, 5, &entry("why"));
                let (version, mut words) = log[1].read().unwrap();
                words[word] ^= 1 << bit;
                log[1].write(version, words);
                assert_eq!(read(&log, 5), None, "word {word}, bit {bit}");
            }
        }
    }

    #[test]
    fn any_number_is_taken_without_harm() {
        for number in [u64::MAX, u64::MAX / 2, u64::MAX / 4, u64::MAX / 4 - 1] {
            let log = log();
            write(&log, number, &entry(""));
            assert_eq!(read(&log, number).is_some(), number <= u64::MAX / 4, "{number}");
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// One place, so that the second writer meets the first at it.
    fn check_model(read: fn(&SeqLock<3>) -> Option<(u64, [u64; 3])>) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let place = Arc::new(SeqLock::<3>::new());
            let writers = [1, 2].map(|writer| {
                let place = Arc::clone(&place);
                loom::thread::spawn(move || put(&place, writer, [writer, writer * 10, 0]))
            });
            if let Some((_, [writer, tenfold, _])) = read(&place) {
                assert_eq!(tenfold, writer * 10, "two entries mixed");
            }
            for writer in writers {
                writer.join().unwrap();
            }
        });
    }

    #[test]
    fn an_entry_is_read_whole_or_not_at_all() {
        check_model(words_at);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "two entries mixed")]
    fn without_the_check_two_would_mix() {
        check_model(SeqLock::read);
    }
}
