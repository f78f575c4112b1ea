//! A fault, for how long, and when: `slow:x5:5m@12:00`.

use super::FaultText;
use crate::error::LogError;
use crate::moment::{Moment, parse_len, show_stamp};
use std::fmt;

/// A fault that is to be put into a log, for how long, and when.
///
/// ```
/// use trip99_logs::fault::Injection;
///
/// let injection = Injection::parse("slow:x5:5m@+90s")?;
/// let span = injection.span(1_000_000_000)?;
/// assert_eq!((span.from_ns, span.to_ns), (91_000_000_000, 391_000_000_000));
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    text: String,
    /// The fault.
    pub fault: FaultText,
    /// How long it lasts, in nanoseconds.
    pub len_ns: u64,
    at: Moment,
}

/// When a fault begins and ends. A call that is sent at `from_ns` has it, one that is sent at `to_ns` hasn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InjectionSpan {
    /// The beginning, in nanoseconds.
    pub from_ns: u64,
    /// The end, in nanoseconds.
    pub to_ns: u64,
}

impl InjectionSpan {
    /// Whether a call that is sent at this time has the fault.
    pub fn has(&self, start_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&start_ns)
    }
}

impl Injection {
    /// Reads `FAULT:DURATION@TIME`. The fault is one of [`FaultText`], the time a [`Moment`].
    ///
    /// # Errors
    ///
    /// The text isn't written so.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let wrong = |wrong: &str| LogError::new(format_args!("{text:?}: {wrong}"));
        let form = "legal: FAULT:DURATION@TIME, like slow:x5:5m@12:00";
        let (what, at) = text.split_once('@').ok_or_else(|| wrong(form))?;
        let (fault, len) = what.rsplit_once(':').ok_or_else(|| wrong(form))?;
        let fault = FaultText::parse(fault).map_err(|error| wrong(&error.to_string()))?;
        let len_ns = parse_len(len).ok_or_else(|| {
            wrong(&format!("it lasts {len:?}; legal: a duration above 0, like 5m or 90s, between the fault and the @"))
        })?;
        let at = Moment::parse(at).map_err(|error| wrong(&format!("it begins at {error}")))?;
        Ok(Self { text: text.to_owned(), fault, len_ns, at })
    }

    /// When it begins and ends in a log whose first row is at `first_ns`.
    ///
    /// # Errors
    ///
    /// It begins before the first row. Or it has a date or a time of the day, and the log's stamps have none.
    pub fn span(&self, first_ns: u64) -> Result<InjectionSpan, LogError> {
        let wrong = |wrong: fmt::Arguments<'_>| Err(LogError::new(format_args!("{:?}: {wrong}", self.text)));
        let from_ns = match self.at.ns(first_ns) {
            Ok(from_ns) => from_ns,
            Err(error) => return wrong(format_args!("{error}")),
        };
        if from_ns < first_ns {
            return wrong(format_args!(
                "it begins before the log's first row, which is at {}; legal: a time within the log",
                show_stamp(first_ns)
            ));
        }
        Ok(InjectionSpan { from_ns, to_ns: from_ns.saturating_add(self.len_ns) })
    }

    /// Nothing, if a log from `first_ns` to `last_ns`, where its first and its last row are, has a part of the fault.
    ///
    /// # Errors
    ///
    /// The fault begins outside of the log, whose span the message names.
    pub fn check(&self, first_ns: u64, last_ns: u64) -> Result<(), LogError> {
        if self.span(first_ns)?.from_ns <= last_ns {
            return Ok(());
        }
        Err(LogError::new(format_args!(
            "{:?}: it begins after the log's last row; the log goes from {} to {}; legal: a time within it",
            self.text,
            show_stamp(first_ns),
            show_stamp(last_ns)
        )))
    }
}

/// The text that was read.
impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::{DAY_NS, UTC_FROM_NS};

    /// 2026-11-28T09:30:00Z.
    const MORNING_NS: u64 = 1_795_858_200_000_000_000;
    const MINUTE_NS: u64 = 60_000_000_000;

    fn from(at: &str, first_ns: u64) -> Result<u64, String> {
        let injection = Injection::parse(&format!("silent:5m@{at}")).map_err(|error| error.to_string())?;
        injection.span(first_ns).map(|span| span.from_ns).map_err(|error| error.to_string())
    }

    #[test]
    fn an_injection_is_read() {
        for (text, fault, len_ns) in [
            ("slow:x5:5m@12:00", "slow:x5", 5 * MINUTE_NS),
            ("slow:10%:x10:90s@12:00", "slow:10%:x10", 90_000_000_000),
            ("slow:10%:300ms:1h@+1h", "slow:10%:300ms", 60 * MINUTE_NS),
            ("silent:1ns@+0s", "silent", 1),
        ] {
            let injection = Injection::parse(text).unwrap();
            assert_eq!((injection.fault.to_string(), injection.len_ns), (fault.to_owned(), len_ns), "{text}");
            assert_eq!(injection.to_string(), text);
        }
    }

    #[test]
    fn times_are_those_of_the_log() {
        for (at, ns) in [
            ("09:30", MORNING_NS),
            ("09:30:00", MORNING_NS),
            ("12:00:30", MORNING_NS + 150 * MINUTE_NS + 30_000_000_000),
            ("09:29:59", MORNING_NS + DAY_NS - 1_000_000_000),
            ("00:00", MORNING_NS + 870 * MINUTE_NS),
            ("2026-11-28T09:30:00Z", MORNING_NS),
            ("2026-11-28T10:30:00.000000001+01:00", MORNING_NS + 1),
            ("+90s", MORNING_NS + 90_000_000_000),
            ("+0s", MORNING_NS),
            ("+7", MORNING_NS + 7),
        ] {
            assert_eq!(from(at, MORNING_NS), Ok(ns), "{at}");
        }
        assert_eq!(from("+90s", 5), Ok(90_000_000_005), "stamps from any origin");
        assert_eq!(from("+90s", u64::MAX), Ok(u64::MAX));
        assert_eq!(from("00:00", UTC_FROM_NS), Ok(UTC_FROM_NS - UTC_FROM_NS % DAY_NS + DAY_NS));
    }

    #[test]
    fn a_time_that_is_none_of_the_log_is_an_error() {
        for (at, first_ns, part) in [
            ("12:00", UTC_FROM_NS - 1, "the log has no dates (its first stamp is 999999999999999999 ns"),
            ("2026-11-28T12:00:00Z", 0, "legal: a time after the first row, like +90s"),
            ("2026-11-28T09:29:59Z", MORNING_NS, "before the log's first row, which is at 2026-11-28T09:30:00Z; legal"),
        ] {
            let message = from(at, first_ns).unwrap_err();
            assert!(message.starts_with(&format!("\"silent:5m@{at}\": ")) && message.contains(part), "{message}");
        }
        let check = |at: &str, first_ns, last_ns| {
            let injection = Injection::parse(&format!("silent:5m@{at}")).unwrap();
            injection.check(first_ns, last_ns).map_err(|error| error.to_string())
        };
        assert_eq!(check("+90s", 5, 90_000_000_005), Ok(()));
        let message = check("+90s", 5, 90_000_000_004).unwrap_err();
        assert!(
            message.contains("after the log's last row; the log goes from 5 ns to 90000000004 ns; legal"),
            "{message}"
        );
        let message = check("10:00", MORNING_NS, MORNING_NS + MINUTE_NS).unwrap_err();
        assert!(message.contains("from 2026-11-28T09:30:00Z to 2026-11-28T09:31:00Z"), "{message}");
    }

    #[test]
    fn what_is_no_injection_names_what_is_legal() {
        for (text, part) in [
            ("", "legal: FAULT:DURATION@TIME"),
            ("silent", "legal: FAULT:DURATION@TIME"),
            ("silent@12:00", "legal: FAULT:DURATION@TIME"),
            ("silent:5m", "legal: FAULT:DURATION@TIME"),
            ("slow:x5@12:00", "fault \"slow\": legal: slow:x5"),
            ("loud:5m@12:00", "fault \"loud\": legal: slow:x5"),
            ("silent:0s@12:00", "it lasts \"0s\"; legal: a duration above 0"),
            ("silent:soon@12:00", "it lasts \"soon\""),
            ("silent:5m@", "it begins at \"\"; legal: a time of the day"),
            ("silent:5m@25:00", "it begins at \"25:00\""),
            ("silent:5m@12", "it begins at \"12\""),
            ("silent:5m@12:60", "it begins at \"12:60\""),
            ("silent:5m@2026-11-28T12:00:00", "it begins at"),
            ("silent:5m@2026-11-28", "it begins at"),
            ("silent:5m@1969-12-31T23:59:59Z", "it begins at"),
            ("silent:5m@+", "it begins at \"+\""),
            ("silent:5m@-90s", "it begins at \"-90s\""),
            ("silent:5m@+-90s", "it begins at"),
            ("silent:5m@12:00@13:00", "it begins at \"12:00@13:00\""),
        ] {
            let message = Injection::parse(text).expect_err(text).to_string();
            assert!(message.starts_with(&format!("{text:?}: ")) && message.contains(part), "{message}");
            assert!(message.contains("legal: ") && !message.contains('\n'), "{message}");
        }
    }
}
