//! Times in a log, as somebody writes them: `12:00`, `2026-11-28T12:00:00Z`, `+90s`; and how long something lasts: `5m`.

use crate::error::LogError;
use crate::row::MAX_LATENCY_NS;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

/// Stamps from here on (September 2001) are taken for nanoseconds since 1970. Smaller ones count from any origin.
pub const UTC_FROM_NS: u64 = 1_000_000_000_000_000_000;
pub(crate) const DAY_NS: u64 = 86_400_000_000_000;

/// A time in a log.
///
/// ```
/// use trip99_logs::Moment;
///
/// assert_eq!(Moment::parse("+90s")?.ns(5_000_000_000)?, 95_000_000_000);
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment(At);

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// So long after midnight, UTC.
    TimeOfDay(u64),
    /// So long after 1970.
    Stamp(u64),
    /// So long after the first row.
    AfterFirst(u64),
}

impl Moment {
    /// Reads a time, which is one of three:
    ///
    /// - `12:00` or `12:00:30`: that time of the log's first day, UTC, or of the next day if the first row is later.
    /// - `2026-11-28T12:00:00Z`: a date of ISO 8601 with its zone.
    /// - `+90s`: so long after the first row.
    ///
    /// # Errors
    /// The text isn't written so.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        At::parse(text).map(Self).ok_or_else(|| {
            LogError::new(format_args!(
                "{text:?}; legal: a time of the day like 12:00 or 12:00:30 (UTC), a date like 2026-11-28T12:00:00Z, or +90s (after \
                 the first row)"
            ))
        })
    }

    /// The time in a log whose first row is at `first_ns`.
    ///
    /// # Errors
    /// The time is a date or a time of the day, and the log's stamps have none.
    pub fn ns(&self, first_ns: u64) -> Result<u64, LogError> {
        if first_ns < UTC_FROM_NS && !matches!(self.0, At::AfterFirst(_)) {
            return Err(LogError::new(format_args!(
                "the log has no dates (its first stamp is {first_ns} ns, and nanoseconds since 1970 have 19 digits); legal: a time \
                 after the first row, like +90s"
            )));
        }
        Ok(match self.0 {
            At::AfterFirst(ns) => first_ns.saturating_add(ns),
            At::Stamp(ns) => ns,
            At::TimeOfDay(ns) => {
                let at_ns = (first_ns - first_ns % DAY_NS).saturating_add(ns);
                if at_ns < first_ns { at_ns.saturating_add(DAY_NS) } else { at_ns }
            }
        })
    }
}

impl At {
    fn parse(text: &str) -> Option<Self> {
        if let Some(len) = text.strip_prefix('+') {
            // A fault from the first row on is at +0s.
            let is_zero = matches!(len, "0" | "0s");
            return if is_zero { Some(Self::AfterFirst(0)) } else { parse_len(len).map(Self::AfterFirst) };
        }
        let is_time = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') && text.contains(':');
        if is_time {
            let time: Time = text.parse().ok()?;
            return u64::try_from(time.duration_since(Time::midnight()).as_nanos()).ok().map(Self::TimeOfDay);
        }
        let stamp: Timestamp = text.parse().ok()?;
        u64::try_from(stamp.as_nanosecond()).ok().map(Self::Stamp)
    }
}

/// A stamp as the reader of a message knows it.
pub(crate) fn show_stamp(ns: u64) -> String {
    match Timestamp::from_nanosecond(ns.into()) {
        Ok(stamp) if ns >= UTC_FROM_NS => stamp.to_string(),
        _ => format!("{ns} ns"),
    }
}

/// A length of time above 0, as `300ms`, `1.5h` or `1m30s`, in nanoseconds. A bare number is nanoseconds.
pub(crate) fn parse_len(text: &str) -> Option<u64> {
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit());
    let ns = if is_bare { text.parse().ok() } else { parse_friendly(text) };
    ns.filter(|ns| (1..=MAX_LATENCY_NS).contains(ns))
}

/// Numbers with units alone: the library would take signs, `ago` and ISO 8601, too.
fn parse_friendly(text: &str) -> Option<u64> {
    let is_plain = text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(['+', '-']);
    let duration: SignedDuration = is_plain.then(|| text.parse().ok()).flatten()?;
    u64::try_from(duration.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (text, ns) in [
            ("5m", Some(300_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("300ms", Some(300_000_000)),
            ("10us", Some(10_000)),
            ("1ns", Some(1)),
            ("9223372036854775807", Some(MAX_LATENCY_NS)),
            ("0s", None),
            ("", None),
            ("-5m", None),
            ("+5m", None),
            ("5m ago", None),
            ("PT5M", None),
            ("5", Some(5)),
        ] {
            assert_eq!(parse_len(text), ns, "{text}");
        }
    }
}
