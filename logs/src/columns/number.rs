//! Decimal numbers as exact nanoseconds. They never pass through a binary float: that of 1700000000.123456789 is 0.1 us off.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    /// As messages call numbers of this unit.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
            Self::Ns => "nanoseconds",
        }
    }

    /// The unit of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::S, Self::Ms, Self::Us, Self::Ns].into_iter().find(|unit| unit.name() == name)
    }

    /// The unit that a column's name ends with, as `elapsed_ms`. Otherwise nanoseconds.
    pub(super) fn of_name(name: &str) -> Self {
        name.rsplit_once('_').and_then(|(_, unit)| Self::parse(unit)).unwrap_or(Self::Ns)
    }

    /// The power of ten of its nanoseconds.
    fn exponent(self) -> i64 {
        match self {
            Self::S => 9,
            Self::Ms => 6,
            Self::Us => 3,
            Self::Ns => 0,
        }
    }
}

/// The nanoseconds of a decimal number, as `12`, `.5`, `400000.0` or `4e5`, without a sign. What is finer than a nanosecond is
/// rounded to the nearest one, and a half up. `None` if the text is no such number, or is too large for a `u64`.
pub(super) fn parse_ns(text: &[u8], unit: Unit) -> Option<u64> {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (text.get(..at)?, parse_exponent(text.get(at + 1..)?)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (mantissa.get(..at)?, mantissa.get(at + 1..)?),
        None => (mantissa, b"".as_slice()),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The digits of whole nanoseconds come first: so many.
    let mut left = whole.len() as i64 + exponent + unit.exponent();
    let (mut ns, mut rounds_up) = (0_u64, false);
    for byte in whole.iter().chain(fraction) {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit <= 9)?;
        match left {
            1.. => ns = ns.checked_mul(10)?.checked_add(digit.into())?,
            0 => rounds_up = digit >= 5,
            _ => {}
        }
        left -= 1;
    }
    while left > 0 && ns > 0 {
        ns = ns.checked_mul(10)?;
        left -= 1;
    }
    ns.checked_add(rounds_up.into())
}

/// Only its sign and a few digits matter: with more the number is zero or too large.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let exponent = digits.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit <= 9)?;
        Some((number * 10 + i64::from(digit)).min(1 << 40))
    })?;
    Some(sign * exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ns(text: &str, unit: Unit) -> Option<u64> {
        parse_ns(text.as_bytes(), unit)
    }

    #[test]
    fn decimals_are_exact() {
        for (text, unit, expected) in [
            ("0", Unit::S, Some(0)),
            ("12", Unit::Ms, Some(12_000_000)),
            ("1700000000.123456789", Unit::S, Some(1_700_000_000_123_456_789)),
            ("1700000000123.456789", Unit::Ms, Some(1_700_000_000_123_456_789)),
            (".5", Unit::Us, Some(500)),
            ("5.", Unit::Us, Some(5_000)),
            ("400000.0", Unit::Ns, Some(400_000)),
            ("4e5", Unit::Ns, Some(400_000)),
            ("4E+05", Unit::Ns, Some(400_000)),
            ("1.7e9", Unit::S, Some(1_700_000_000_000_000_000)),
            ("1.5e-3", Unit::Ms, Some(1_500)),
            ("0.4", Unit::Ns, Some(0)),
            ("0.5", Unit::Ns, Some(1)),
            ("0.0004999", Unit::Us, Some(0)),
            ("9.9999", Unit::Us, Some(10_000)),
            ("1e-99999999999999999999999", Unit::S, Some(0)),
            ("0e99999999999999999999999", Unit::S, Some(0)),
            ("1e99999999999999999999999", Unit::Ns, None),
            ("18446744073709551615", Unit::Ns, Some(u64::MAX)),
            ("18446744073709551615.4", Unit::Ns, Some(u64::MAX)),
            ("18446744073709551615.5", Unit::Ns, None),
            ("18446744073709551616", Unit::Ns, None),
            ("18446744074", Unit::S, None),
            ("0000000000000000000000000000001.000000000000000000000000000000", Unit::Ns, Some(1)),
            ("", Unit::Ns, None),
            (".", Unit::Ns, None),
            ("e5", Unit::Ns, None),
            ("1e", Unit::Ns, None),
            ("1e+", Unit::Ns, None),
            ("1e5.0", Unit::Ns, None),
            ("1.2.3", Unit::Ns, None),
            ("+1", Unit::Ns, None),
            ("-1", Unit::Ns, None),
            ("1,000", Unit::Ns, None),
            ("1 000", Unit::Ns, None),
            ("1_000", Unit::Ns, None),
            ("nan", Unit::Ns, None),
            ("0x10", Unit::Ns, None),
            ("\u{661}", Unit::Ns, None),
        ] {
            assert_eq!(ns(text, unit), expected, "{text} {unit:?}");
        }
    }

    #[test]
    fn a_name_tells_its_unit() {
        for (name, unit) in
            [("start_ns", Unit::Ns), ("a_us", Unit::Us), ("x_ms", Unit::Ms), ("t_s", Unit::S), ("ms", Unit::Ns)]
        {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_ns_comes_back_from_any_unit(expected: u64, unit in 0_usize..4, zeros in 0_usize..4, shift in -30_i64..30) {
            let (unit, places) = [(Unit::S, 9), (Unit::Ms, 6), (Unit::Us, 3), (Unit::Ns, 0)][unit];
            let scale = 10_u64.pow(places);
            let mut text = format!("{}", expected / scale);
            if places > 0 {
                text += &format!(".{:0width$}", expected % scale, width = places as usize);
            }
            prop_assert_eq!(ns(&text, unit), Some(expected));
            if places > 0 {
                text += &"0".repeat(zeros);
            }
            prop_assert_eq!(ns(&format!("{text}e0"), unit), Some(expected));
            // The same number with its point elsewhere, and an exponent that puts it back.
            let digits = format!("{:060}{}", expected, "0".repeat(30));
            let (whole, fraction) = digits.split_at((60 + shift) as usize);
            let text = format!("{whole}.{fraction}e{}", -shift);
            prop_assert_eq!(ns(&text, Unit::Ns), Some(expected));
        }

        #[test]
        fn no_text_panics(text in "[0-9eE.+-]{0,40}", unit in 0_usize..4) {
            let unit = [Unit::S, Unit::Ms, Unit::Us, Unit::Ns][unit];
            // A float is near, wherever both read the text.
            if let (Some(ns), Ok(float)) = (ns(&text, unit), text.parse::<f64>()) {
                let expected = float * 10_f64.powi(unit.exponent() as i32);
                prop_assert!((ns as f64 - expected).abs() <= 0.5 + expected * 1e-14, "{text}: {ns}");
            }
        }
    }
}
