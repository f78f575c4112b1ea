//! Lengths of time as text: a decimal number, and a unit.

use crate::row::MAX_LATENCY_NS;

/// A unit of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    #[default]
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Unit {
    /// The unit of this name: `ns`, `us`, `µs`, `ms` or `s`. `None` for any other name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ns" => Some(Self::Ns),
            // The micro sign (U+00B5), and the Greek letter (U+03BC) that looks like it.
            "us" | "\u{b5}s" | "\u{3bc}s" => Some(Self::Us),
            "ms" => Some(Self::Ms),
            "s" => Some(Self::S),
            _ => None,
        }
    }

    /// One unit is ten to this power, in nanoseconds.
    fn power(self) -> usize {
        match self {
            Self::Ns => 0,
            Self::Us => 3,
            Self::Ms => 6,
            Self::S => 9,
        }
    }
}

/// Reads a length of time, as `1.5ms`, `0.25 s` or, in the default unit, `1500`. It is exact: digits beyond a nanosecond are rounded to
/// the nearest nanosecond, half of one up. `None` if the text is anything else, or longer than [`MAX_LATENCY_NS`].
pub(crate) fn parse_amount(text: &[u8], default_unit: Unit) -> Option<u64> {
    let text = str::from_utf8(text).ok()?.trim();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit.trim_start() {
        "" => default_unit,
        name => Unit::parse(name)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let power = unit.power();
    let digits = whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(power));
    let ns = digits.map(|byte| u64::from(byte.wrapping_sub(b'0'))).try_fold(0_u64, |ns, digit| {
        debug_assert!(digit <= 9);
        ns.checked_mul(10)?.checked_add(digit)
    })?;
    let rounds_up = fraction.as_bytes().get(power).is_some_and(|digit| *digit >= b'5');
    ns.checked_add(u64::from(rounds_up)).filter(|&ns| ns <= MAX_LATENCY_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, ns) in [
            ("0", Some(0)),
            ("1500", Some(1_500_000_000)),
            ("1.5", Some(1_500_000)),
            (".5", Some(500_000)),
            ("5.", Some(5_000_000)),
            (" 7 ns ", Some(7)),
            ("7us", Some(7_000)),
            ("7\u{b5}s", Some(7_000)),
            ("7 \u{3bc}s", Some(7_000)),
            ("0.543 ms", Some(543_000)),
            ("0.1s", Some(100_000_000)),
            ("9007199.254740993", Some(9_007_199_254_741)),
            ("9007199254.740993", Some(9_007_199_254_740_993)),
            ("0.4ns", Some(0)),
            ("0.5ns", Some(1)),
            ("9223372036854775807ns", Some(MAX_LATENCY_NS)),
            ("9223372036854775807.5ns", None),
            ("9223372036854775808ns", None),
            ("99999999999999999999", None),
            ("", None),
            (".", None),
            ("ms", None),
            ("1.2.3", None),
            ("1e3", None),
            ("-1", None),
            ("+1", None),
            ("1,5", None),
            ("1 m", None),
            ("0x10", None),
        ] {
            assert_eq!(parse_amount(text.as_bytes(), Unit::Ms), ns, "{text}");
        }
        assert_eq!(parse_amount(b"\xff", Unit::Ms), None);
    }
}
