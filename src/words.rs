//! Structs as words for a page. One list of a struct's fields codes the struct both ways. A field has a word, or shares one.

/// A value that fits a word.
pub(crate) trait Word: Copy {
    /// How many bits of a word it takes.
    const BITS: u32;

    fn to_word(self) -> u64;

    /// Returns `None` if no version of this library writes such a word.
    fn from_word(word: u64) -> Option<Self>;
}

impl Word for u64 {
    const BITS: u32 = 64;

    fn to_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(word)
    }
}

impl Word for u32 {
    const BITS: u32 = 32;

    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for bool {
    const BITS: u32 = 1;

    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        (word <= 1).then_some(word == 1)
    }
}

/// Declares a type of a few values, each with its number and its name.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $type:ident { $($(#[$doc:meta])* $value:ident = $number:literal, $name:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $type {
            $($(#[$doc])* $value = $number,)+
        }

        impl $type {
            /// The name in JSON and in text.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::words::Word for $type {
            const BITS: u32 = u8::BITS;

            fn to_word(self) -> u64 {
                self as u64
            }

            fn from_word(word: u64) -> Option<Self> {
                match word {
                    $($number => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

/// A word that several values share. The first one has the lowest bits.
#[derive(Default)]
pub(crate) struct SharedWord {
    word: u64,
    /// How many bits are taken.
    bits: u32,
}

impl SharedWord {
    pub(crate) fn of(word: u64) -> Self {
        Self { word, bits: u64::BITS }
    }

    /// Adds a value, for which there is room.
    pub(crate) fn put<T: Word>(&mut self, value: T) {
        debug_assert!(self.bits + T::BITS <= u64::BITS);
        self.word |= value.to_word().checked_shl(self.bits).unwrap_or(0);
        self.bits += T::BITS;
    }

    pub(crate) fn word(&self) -> u64 {
        self.word
    }

    /// Takes the lowest value out.
    pub(crate) fn take<T: Word>(&mut self) -> Option<T> {
        let value = T::from_word(self.word & (u64::MAX >> (u64::BITS - T::BITS)));
        self.word = self.word.checked_shr(T::BITS).unwrap_or(0);
        value
    }

    /// To be called when all values are taken out: `None` if something is left.
    pub(crate) fn end(&self) -> Option<()> {
        (self.word == 0).then_some(())
    }
}

/// Codes a struct as words. The list names all of its fields. Fields between which there is a plus share a word.
macro_rules! words {
    ($type:ident: $($first:ident $(+ $more:ident)*),+) => {
        impl $type {
            pub(crate) const WORDS: usize = [$(stringify!($first)),+].len();

            pub(crate) fn words(&self) -> [u64; Self::WORDS] {
                [$({
                    let mut word = $crate::words::SharedWord::default();
                    word.put(self.$first);
                    $(word.put(self.$more);)*
                    word.word()
                }),+]
            }

            /// Returns `None` if no version of this library writes such words.
            pub(crate) fn from_words(&[$($first),+]: &[u64; Self::WORDS]) -> Option<Self> {
                $(
                    let mut word = $crate::words::SharedWord::of($first);
                    let $first = word.take()?;
                    $(let $more = word.take()?;)*
                    word.end()?;
                )+
                Some(Self { $($first, $($more,)*)+ })
            }
        }
    };
}

pub(crate) use {named, words};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::State;

    #[derive(Debug, PartialEq)]
    struct Three {
        first: u64,
        second: u32,
        third: State,
    }

    words!(Three: first, second, third);

    #[test]
    fn a_struct_survives_its_words_and_no_other_words_are_believed() {
        let three = Three { first: u64::MAX, second: u32::MAX, third: State::HalfOpen };
        assert_eq!(three.words(), [u64::MAX, u32::MAX.into(), 2]);
        assert_eq!(Three::from_words(&three.words()), Some(three));
        assert_eq!(Three::from_words(&[0, 1 << 32, 0]), None);
        assert_eq!(Three::from_words(&[0, 0, 3]), None);
        assert_eq!(Three::from_words(&[0, 0, 1 << 8]), None);
        assert_eq!((bool::from_word(1), bool::from_word(2)), (Some(true), None));
    }

    #[derive(Debug, PartialEq)]
    struct Packed {
        state: State,
        yes: bool,
        count: u32,
        alone: u64,
    }

    words!(Packed: state + yes + count, alone);

    #[test]
    fn fields_that_share_a_word_have_bits_of_their_own() {
        for (state, yes, count) in
            [(State::HalfOpen, false, 0), (State::Closed, true, 0), (State::Closed, false, u32::MAX)]
        {
            let packed = Packed { state, yes, count, alone: u64::MAX };
            let word = state as u64 | u64::from(yes) << 8 | u64::from(count) << 9;
            assert_eq!(packed.words(), [word, u64::MAX]);
            assert_eq!(Packed::from_words(&packed.words()), Some(packed));
        }
        for bad in [3, 1 << 41, 1 << 63] {
            assert_eq!(Packed::from_words(&[bad, 0]), None);
        }
    }
}
