//! Holders: the names in which somebody halts.

use core::fmt;

/// A name in which somebody halts: a person at a host, a part of the engine, or one of trip99's own.
///
/// Each holder has a halt of its own. Trading goes on when each of them has resumed.
///
/// ```
/// use trip99::Holder;
///
/// let holder = Holder::new("ann@desk-7")?;
/// assert_eq!(holder.to_string(), "ann@desk-7");
/// assert!(Holder::new("no spaces").is_err());
/// assert!(Holder::new("latch").is_err());
/// # Ok::<(), trip99::HolderError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The name, filled up with zeros.
    words: [u64; NAME_WORDS],
}

pub(crate) const NAME_WORDS: usize = 4;
const MAX_BYTES: usize = NAME_WORDS * 8;

/// The names that only trip99 itself halts in. Each has a slot of its own, by its place here.
pub(crate) const BUILT_IN: [Holder; 8] = [
    Holder::ENGINE,
    Holder::START,
    Holder::LATCH,
    Holder::DAMAGE,
    Holder::DRILL,
    Holder::FLEET,
    Holder::FLEET_LEASE,
    Holder::OTHERS,
];

impl Holder {
    /// The length of the longest name, in bytes.
    pub const MAX_BYTES: usize = MAX_BYTES;

    /// The engine itself: who halts by a handle that came from the breaker, and names nobody.
    pub const ENGINE: Self = Self::built_in("engine");
    /// The start: the engine was told to begin halted.
    pub const START: Self = Self::built_in("start");
    /// The latch: the breaker opened too often.
    pub const LATCH: Self = Self::built_in("latch");
    /// Damage: the page, or its file, isn't as its owner left it.
    pub const DAMAGE: Self = Self::built_in("damage");
    /// A drill.
    pub const DRILL: Self = Self::built_in("drill");
    /// A fleet's halt.
    pub const FLEET: Self = Self::built_in("fleet");
    /// A fleet's lease that has run out.
    pub const FLEET_LEASE: Self = Self::built_in("fleet-lease");
    /// All who came after the page had as many names as it can keep.
    pub const OTHERS: Self = Self::built_in("others");

    const fn built_in(name: &str) -> Self {
        Self { words: to_words(name.as_bytes()) }
    }

    /// A holder of this name. The same name is the same holder, whoever uses it.
    ///
    /// # Errors
    /// [`HolderError`] unless the name has 1 to [`MAX_BYTES`](Self::MAX_BYTES) characters of `[A-Za-z0-9._@:+-]`, and is none of
    /// trip99's own.
    pub fn new(name: &str) -> Result<Self, HolderError> {
        let holder = Self::parse(name).ok_or_else(|| HolderError { name: name.to_owned(), is_taken: false })?;
        if holder.is_built_in() { Err(HolderError { name: name.to_owned(), is_taken: true }) } else { Ok(holder) }
    }

    /// A part of the engine, which halts and resumes for itself: `engine.risk`, say. What a name can't have is replaced by `-`, and
    /// what is too long is cut.
    pub fn engine(part: &str) -> Self {
        Self::cut(&format!("engine.{part}"))
    }

    /// The name of one of trip99's own, too. `None` if it is no name.
    pub fn parse(name: &str) -> Option<Self> {
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._@:+-".contains(byte);
        let fits = (1..=MAX_BYTES).contains(&name.len()) && name.as_bytes().iter().all(legal);
        fits.then(|| Self { words: to_words(name.as_bytes()) })
    }

    /// The nearest name. What a name can't have is replaced by `-`, and what is too long is cut.
    pub fn cut(name: &str) -> Self {
        let legal = |byte: u8| if byte.is_ascii_alphanumeric() || b"._@:+-".contains(&byte) { byte } else { b'-' };
        let mut bytes: Vec<u8> = name.bytes().map(legal).take(MAX_BYTES).collect();
        if bytes.is_empty() {
            bytes.push(b'-');
        }
        Self { words: to_words(&bytes) }
    }

    /// Whether it is one of trip99's own names.
    pub fn is_built_in(&self) -> bool {
        BUILT_IN.contains(self)
    }

    pub(crate) const fn words(&self) -> [u64; NAME_WORDS] {
        self.words
    }

    /// `None` if no holder has such words.
    pub(crate) fn from_words(words: [u64; NAME_WORDS]) -> Option<Self> {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        let is_legal = |byte: u8| byte == 0 || byte.is_ascii_alphanumeric() || b"._@:+-".contains(&byte);
        // No byte of the name comes after a zero.
        let is_name = bytes.clone().zip(bytes.clone().skip(1)).all(|(byte, next)| byte != 0 || next == 0);
        (is_name && words.first().is_some_and(|word| word & 0xff != 0) && bytes.clone().all(is_legal))
            .then_some(Self { words })
    }

    /// A hash of the name, which is never 0: FNV-1a.
    pub(crate) fn hash(&self) -> u64 {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)).max(1)
    }
}

/// Cuts what doesn't fit.
pub(crate) const fn to_words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    let (mut rest, mut place) = (bytes, 0);
    while let Some((&byte, after)) = rest.split_first() {
        if place / 8 < N {
            #[expect(
                clippy::indexing_slicing,
                reason = "the line above checks it; `get_mut` isn't const at this version"
            )]
            {
                words[place / 8] |= (byte as u64) << (place % 8 * 8);
            }
        }
        (rest, place) = (after, place + 1);
    }
    words
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let name: Vec<u8> = bytes.into_iter().take_while(|&byte| byte != 0).collect();
        f.pad(&String::from_utf8_lossy(&name))
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({self})")
    }
}

/// A text that is no name for a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HolderError {
    /// The text.
    pub name: String,
    /// It is one of trip99's own names.
    pub is_taken: bool,
}

impl fmt::Display for HolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, is_taken } = self;
        if *is_taken {
            let own = BUILT_IN.map(|holder| holder.to_string()).join(", ");
            write!(f, "{name:?} is a name of trip99's own; legal: any name but {own}")
        } else {
            write!(f, "{name:?} is no holder; legal: 1 to {MAX_BYTES} of letters, digits and ._@:+-")
        }
    }
}

impl std::error::Error for HolderError {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn names_survive_their_words_and_nothing_else_is_believed() {
        for name in ["a", "ann@desk-7", "x.y:z+1-2", &"n".repeat(32)] {
            let holder = Holder::new(name).unwrap();
            assert_eq!((holder.to_string().as_str(), Holder::from_words(holder.words())), (name, Some(holder)));
        }
        for name in ["", " ", "a b", "a/b", "\u{e4}", "a\0", &"n".repeat(33)] {
            assert!(Holder::new(name).is_err_and(|error| !error.is_taken), "{name:?}");
        }
        assert_eq!(Holder::from_words([0; 4]), None);
        assert_eq!(Holder::from_words([0x41, 0x41, 0, 0]), None, "a name with a hole in it");
    }

    #[test]
    fn the_own_names_are_not_to_be_had() {
        for holder in BUILT_IN {
            assert!(Holder::new(&holder.to_string()).is_err_and(|error| error.is_taken));
            assert_eq!(Holder::parse(&holder.to_string()), Some(holder));
        }
        assert_eq!(Holder::engine("risk").to_string(), "engine.risk");
        assert!(!Holder::engine("risk").is_built_in());
        assert_eq!(Holder::cut("DOM\\ann b").to_string(), "DOM-ann-b");
        assert_eq!(Holder::cut(""), Holder::cut("-"));
    }

    #[test]
    fn hashes_differ() {
        let mut hashes: Vec<u64> = (0..10_000).map(|number| Holder::cut(&format!("u{number}")).hash()).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert!(hashes.len() == 10_000 && hashes[0] != 0);
    }
}
