//! The macro that turns the declaration in `config.rs` into code.

/// Makes `Config`, its default, its setters and its table from one block for each setting:
///
/// ```text
/// /// One line that the README, the tool's help and the C header have, too.
/// ///
/// /// Further lines appear in Rust's docs alone.
/// field: Type = default unit, 0 or from least to greatest, set by name(Input), fixed at construction;
/// ```
///
/// `name` is the setting's name. `field` is that name, with a unit at its end. `unit` is a constant in the module `unit`, or
/// absent. `least` and `greatest` are numbers, or fields that stand above. `above field` in place of `from least` means more than that
/// field has in force. With `0 or` the setting may be 0, too, although the least is more: 0 turns it off. `0 or`, `to greatest`, the
/// whole of `from` or `above`, and `fixed at construction` may be absent. `Input` is a type that implements the trait of this name.
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct Config {
            $(
                #[doc = $doc:literal]
                $(#[doc = $more:literal])*
                $field:ident: $type:ty = $default:tt $($unit:ident)?
                $(, $($zero:literal or)? $(from $min:tt)? $(above $above:ident)? $(to $max:tt)?)?
                , set by $name:ident($given:ty)
                $(, $fixed:ident at construction)?;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct Config {
            $(
                #[doc = $doc]
                $(#[doc = $more])*
                ///
                #[doc = concat!(
                    "Default ", stringify!($default), $(" ", stringify!($unit),)?
                    $(
                        "; legal ", $(stringify!($zero), " or ",)? $("from ", stringify!($min),)?
                        $("above ", stringify!($above),)? $(" to ", stringify!($max),)?
                    )?
                    $("; ", stringify!($fixed), " at construction",)? "."
                )]
                pub $field: $type,
            )+
            /// In another crate a pattern or a literal of all other fields is incomplete. With `..` it is complete.
            ///
            /// ```compile_fail,E0027
            #[doc = concat!("let trip99::Config { ", $(stringify!($field), ": _, ",)+ "} = trip99::Config::default();")]
            /// ```
            /// ```
            #[doc = concat!("let trip99::Config { ", $(stringify!($field), ": _, ",)+ ".. } = trip99::Config::default();")]
            /// ```
            #[doc(hidden)]
            pub rest_by_default: (),
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default $(* unit::$unit)?,)+ rest_by_default: () }
            }
        }

        impl fmt::Debug for Config {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Config")$(.field(stringify!($field), &self.$field))+.finish()
            }
        }

        impl Config {
            /// Every setting, in the order of the fields.
            pub const SETTINGS: &'static [Setting] = &[$(Setting {
                name: stringify!($name),
                field: stringify!($field),
                kind: <$given as Input>::KIND,
                doc: $doc,
                min: bound!($($($min)? $(above $above)?)?; 0),
                max: bound!($($($max)?)?; <$given as Input>::KIND.max()),
                or_zero: !concat!($($(stringify!($zero))?)?).is_empty(),
                is_fixed: !concat!($(stringify!($fixed))?).is_empty(),
                get: |config| config.$field.to_word(),
                set: |config, number| Word::from_word(number).map(|value| config.$field = value),
            }),+];

            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), "):", $doc)]
                #[must_use]
                pub fn $name(self, $name: $given) -> Self {
                    Self { $field: $name.into_value(), ..self }
                }
            )+
        }
    };
}

/// An end of a legal range: another field, more than it, a number, or else the last number that the field can hold.
macro_rules! bound {
    (; $last:expr) => {
        Bound { field: None, is_above: false, value: |_| $last }
    };
    (above recover_threshold_ns; $last:expr) => {
        Bound { field: Some("recover_threshold_ns"), is_above: true, value: Config::effective_recover_threshold_ns }
    };
    (above $field:ident; $last:expr) => {
        Bound { is_above: true, ..bound!($field; $last) }
    };
    ($number:literal; $last:expr) => {
        bound!(; $number)
    };
    ($field:ident; $last:expr) => {
        Bound { field: Some(stringify!($field)), is_above: false, value: |config| config.$field.to_word() }
    };
}
