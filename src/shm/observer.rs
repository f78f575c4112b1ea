//! The others' side: whoever watches a page in a file, or halts.

use super::error::SharedError;
use super::link::monotonic_ns;
use super::lock::{holder, own_pid};
use super::mapping::{Access, Mapping};
use crate::page::Observer;
use crate::quantile::quantile;
use crate::sync::{Ordering, load_acquire};
use core::fmt;
use rustix::io::Errno;
use std::path::Path;
use std::time::SystemTime;

/// Who owns a page in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The process of the owner, or of the latest one. 0 if it can't be told.
    pub pid: u32,
    /// The owner exists: its process holds the page's lock. (It may be stopped, or busy elsewhere: see `seen_ago_ns`.)
    pub alive: bool,
    /// How long ago the owner last published its snapshot, which it does about every millisecond that it is busy; polling
    /// counts as busy. `None` if the page tells no time before now.
    pub seen_ago_ns: Option<u64>,
    /// The page is locked in memory, so that the owner never waits for it.
    pub memory_locked: bool,
}

/// Who halted, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HaltNote {
    /// As given, at most [`HaltNote::MAX_REASON`] bytes; control characters are replaced by spaces.
    pub reason: String,
    /// The user that the halter ran as.
    pub uid: u32,
    /// The halter's process.
    pub pid: u32,
    /// When, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
}

/// When, who, length; then the text; then the notes' own check.
const NOTE_WORDS: usize = 31;
const TEXT_WORDS: usize = NOTE_WORDS - 4;

impl HaltNote {
    /// A longer reason is cut, between characters.
    pub const MAX_REASON: usize = TEXT_WORDS * 8;

    fn to_words(&self) -> [u64; NOTE_WORDS] {
        let end = (0..=Self::MAX_REASON).rfind(|&end| self.reason.is_char_boundary(end)).unwrap_or(0);
        let text = self.reason.get(..end).unwrap_or_default();
        let mut words = [0; NOTE_WORDS];
        let who = u64::from(self.uid) | u64::from(self.pid) << 32;
        for (word, value) in words.iter_mut().zip([self.wall_ns, who, text.len() as u64]) {
            *word = value;
        }
        for (word, bytes) in words.iter_mut().skip(3).zip(text.as_bytes().chunks(8)) {
            let mut padded = [0; 8];
            for (place, &byte) in padded.iter_mut().zip(bytes) {
                *place = byte;
            }
            *word = u64::from_le_bytes(padded);
        }
        words
    }

    /// `None` if no version of this library writes such words.
    fn from_words(words: &[u64; NOTE_WORDS]) -> Option<Self> {
        let &[wall_ns, who, len, ref rest @ ..] = words;
        let mut text: Vec<u8> = rest.iter().take(TEXT_WORDS).flat_map(|word| word.to_le_bytes()).collect();
        let len = usize::try_from(len).ok().filter(|&len| len <= text.len())?;
        text.truncate(len);
        let reason = String::from_utf8(text).ok()?.replace(char::is_control, " ");
        Some(Self { reason, uid: who as u32, pid: (who >> 32) as u32, wall_ns })
    }
}

/// Of a page in a file (feature `shm`): [`Observer::open`], or [`Breaker::observer`](crate::Breaker::observer) of a shared
/// breaker. Of any other breaker, these tell nothing.
impl Observer {
    /// Reads this often while the owner takes in a whole window's worth of samples.
    const QUANTILE_TRIES: u32 = 100;

    /// Watches the page of another process. The file is mapped read-only, and nothing the owner does waits for it.
    ///
    /// Also root may watch other users' pages. The path is the owner's; a page that is removed and made anew is another one,
    /// to be opened again.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use trip99::{Breaker, Config, Observer, State};
    ///
    /// let path = trip99::shared_path("doc-observer")?;
    /// # let _ = std::fs::remove_file(&path);
    /// let mut breaker = Breaker::create_shared(&path, Config::default())?;
    /// breaker.record(1_000_000);
    ///
    /// // In another process:
    /// let observer = Observer::open(&path)?;
    /// assert_eq!(observer.state(), Some(State::Closed));
    /// assert_eq!(observer.quantile(990_000), Some(1_000_000));
    /// assert!(observer.owner().is_some_and(|owner| owner.alive));
    /// # std::fs::remove_file(&path).unwrap();
    /// # }
    /// # Ok::<(), trip99::SharedError>(())
    /// ```
    ///
    /// # Errors
    /// [`SharedError`]: there is no such file, it is not ours, truncated, of another version, or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        open(path.as_ref(), Access::Observe)
    }

    /// A quantile of the window as the owner last saw it, in ppm: 990 000 for the P99. Nearest rank, exact. Overdue calls,
    /// which a verdict counts beside the window, are not in it.
    ///
    /// `None` of an empty window; if the page is not in a file; if a later owner has a larger window than the file had when it
    /// was opened (open it again); or if the owner was too fast, which takes a whole window's worth of samples in the
    /// time that it takes to copy one, 100 times in a row. Allocates; O(window).
    pub fn quantile(&self, quantile_ppm: u32) -> Option<u64> {
        let mapping = self.mapping()?;
        let file = mapping.file();
        let (_, mut latencies_ns) = (0..Self::QUANTILE_TRIES).find_map(|_| file.mirror.read())?;
        let same_slots = file.header.has_slots_log2(mapping.slots_log2);
        if same_slots { quantile(&mut latencies_ns, quantile_ppm) } else { None }
    }

    /// How long ago the owner last published its snapshot: see [`Owner::seen_ago_ns`]. Without a system call.
    pub fn owner_seen_ago_ns(&self) -> Option<u64> {
        let heartbeat_ns = load_acquire(&self.mapping()?.file().owner.heartbeat_ns);
        monotonic_ns().checked_sub(heartbeat_ns)
    }

    /// The owner, and whether it is alive. Makes a few system calls. `None` if the page is not in a file.
    pub fn owner(&self) -> Option<Owner> {
        let mapping = self.mapping()?;
        let holder = holder(&mapping.path);
        let line = &mapping.file().owner;
        let told = u32::try_from(line.pid.load(Ordering::Relaxed)).unwrap_or(0);
        Some(Owner {
            pid: holder.flatten().unwrap_or(told),
            alive: holder.is_some(),
            seen_ago_ns: self.owner_seen_ago_ns(),
            memory_locked: line.memory_locked.load(Ordering::Relaxed) == 1,
        })
    }

    /// Who halted by a [`Halter`] last, and why: the reason of the halt that is in force, if [one is](Self::is_halted) and the
    /// owner itself did not halt later, which leaves no note. Compare [`HaltNote::wall_ns`] with the events.
    ///
    /// `None` if there was none, or if its halter was killed while writing it.
    pub fn halt_note(&self) -> Option<HaltNote> {
        HaltNote::from_words(&self.mapping()?.file().notes.read()?)
    }

    fn mapping(&self) -> Option<&Mapping> {
        self.page.keeper::<Mapping>()
    }
}

fn open(path: &Path, access: Access) -> Result<Observer, SharedError> {
    match Mapping::open(path, access)? {
        Some(mapping) => Ok(Observer { page: mapping.page() }),
        None => Err(SharedError::io(path, "open", Errno::NOENT)),
    }
}

/// Halts the breaker of another process, and resumes it. Feature `shm`.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use trip99::{Breaker, Config, Halter};
///
/// let path = trip99::shared_path("doc-halter")?;
/// # let _ = std::fs::remove_file(&path);
/// let mut breaker = Breaker::create_shared(&path, Config::default())?;
/// assert!(breaker.allow());
///
/// // In another process:
/// let halter = Halter::open(&path)?;
/// halter.halt("prices look wrong");
///
/// assert!(!breaker.allow());
/// let note = halter.observer().halt_note().expect("there was a halt");
/// assert_eq!(note.reason, "prices look wrong");
/// halter.resume();
/// assert!(breaker.allow());
/// # std::fs::remove_file(&path).unwrap();
/// # }
/// # Ok::<(), trip99::SharedError>(())
/// ```
pub struct Halter {
    observer: Observer,
}

impl Halter {
    /// Opens a page for halting, whether or not it has an owner now: a halt waits for the next one.
    ///
    /// # Errors
    /// As [`Observer::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        Ok(Self { observer: open(path.as_ref(), Access::Halt)? })
    }

    /// Refuses every call from now on, whatever the automatic state, until somebody resumes; and leaves a note of why, when
    /// and by whom. The gate is shut when this returns. The owner's next poll adds the event.
    ///
    /// Waits for nobody. Any thread.
    pub fn halt(&self, reason: &str) {
        self.observer.page.halt();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let note = HaltNote {
            reason: reason.to_owned(),
            uid: rustix::process::getuid().as_raw(),
            pid: own_pid(),
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
        };
        if let Some(mapping) = self.observer.mapping() {
            mapping.file().notes.write(note.to_words());
        }
    }

    /// Ends a halt, whoever's. The automatic state decides again. The note stays, as that of the latest halt. Any thread.
    pub fn resume(&self) {
        self.observer.page.resume();
    }

    /// The same page, to be read.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }
}

impl fmt::Debug for Halter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Halter").field(&self.observer).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(reason: &str) -> HaltNote {
        HaltNote { reason: reason.to_owned(), uid: u32::MAX, pid: 7, wall_ns: u64::MAX }
    }

    #[test]
    fn notes_survive_their_words() {
        for reason in ["", "a", "12345678", "prices look wrong", "Preisfehler \u{2013} \u{1f6d1}", &"x".repeat(216)] {
            assert_eq!(HaltNote::from_words(&note(reason).to_words()), Some(note(reason)));
        }
        assert_eq!(HaltNote::MAX_REASON, 216);
    }

    #[test]
    fn long_reasons_are_cut_between_characters_and_control_characters_removed() {
        let read = |reason: &str| HaltNote::from_words(&note(reason).to_words()).unwrap().reason;
        assert_eq!(read(&"x".repeat(217)), "x".repeat(216));
        assert_eq!(read(&format!("{}\u{1f6d1}", "x".repeat(214))), "x".repeat(214));
        assert_eq!(read("a\x1b[31mb\n\u{9b}"), "a [31mb  ");
    }

    #[test]
    fn words_that_no_version_writes_are_no_note() {
        let mut words = note("abc").to_words();
        words[2] = 217;
        assert_eq!(HaltNote::from_words(&words), None);
        words[2] = u64::MAX;
        assert_eq!(HaltNote::from_words(&words), None);
        words[2] = 3;
        words[3] = u64::MAX;
        assert_eq!(HaltNote::from_words(&words), None);
    }
}
