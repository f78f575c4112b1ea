//! Structs as words for a page. One list of a struct's fields codes the struct both ways, with a word for each field.

/// A value that fits a word.
pub(crate) trait Word: Copy {
    fn to_word(self) -> u64;

    /// Returns `None` if no version of this library writes such a word.
    fn from_word(word: u64) -> Option<Self>;
}

impl Word for u64 {
    fn to_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Option<Self> {
        Some(word)
    }
}

impl Word for u32 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Option<Self> {
        word.try_into().ok()
    }
}

impl Word for bool {
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

/// Codes a struct as words. The list names all of its fields.
macro_rules! words {
    ($type:ident: $($field:ident),+) => {
        impl $type {
            pub(crate) const WORDS: usize = [$(stringify!($field)),+].len();

            pub(crate) fn words(&self) -> [u64; Self::WORDS] {
                [$($crate::words::Word::to_word(self.$field)),+]
            }

            /// Returns `None` if no version of this library writes such words.
            pub(crate) fn from_words(&[$($field),+]: &[u64; Self::WORDS]) -> Option<Self> {
                Some(Self { $($field: $crate::words::Word::from_word($field)?),+ })
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
        assert_eq!((bool::from_word(1), bool::from_word(2)), (Some(true), None));
    }
}
