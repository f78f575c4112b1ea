//! Faults as text: `slow:x5`, `slow:10%:x10`, `slow:10%:300ms`, `silent`, `lost:5%`.

use super::{Fault, MILLION};
use crate::error::LogError;
use crate::moment::parse_len;
use crate::row::MAX_LATENCY_NS;
use std::fmt;

const LEGAL: &str = "legal: slow:x5 (all calls 5 times as slow), slow:10%:x10 (10 % of them at 10 times the log's median), \
                     slow:10%:300ms, silent or lost:5%";

/// A fault as somebody writes it. How slow it is may hang on the log's median, which [`resolve`](Self::resolve) takes.
///
/// ```
/// use trip99_logs::fault::{Fault, FaultText};
///
/// let fault = FaultText::parse("slow:10%:x10")?;
/// assert_eq!(fault.resolve(3_000_000), Fault::SomeSlower { share_ppm: 100_000, slow_ns: 30_000_000 });
/// assert_eq!(fault.to_string(), "slow:10%:x10");
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultText {
    /// It hangs on nothing.
    Fixed(Fault),
    /// A share of the calls takes so many times the log's median.
    TimesMedian {
        /// The share, in parts per million of the calls.
        share_ppm: u32,
        /// How many times the median, in parts per million.
        times_ppm: u64,
    },
}

impl FaultText {
    /// Reads a fault.
    ///
    /// # Errors
    ///
    /// The text is no fault. A share is above 0 and up to 100 %, with at most four decimals. A factor is above 1 and up to 1 000 000,
    /// with at most six.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let wrong = |wrong: String| Err(LogError::new(format_args!("fault {text:?}: {wrong}")));
        let mut parts = text.split(':');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
        let fixed = |fault| Ok(Self::Fixed(fault));
        match parts {
            [Some("silent"), None, ..] => fixed(Fault::Silent),
            [Some("lost"), Some(share), None, _] => match parse_share(share) {
                Ok(share_ppm) => fixed(Fault::Lost { share_ppm }),
                Err(error) => wrong(error),
            },
            [Some("slow"), Some(times), None, _] => match parse_times(times) {
                Some(Ok(times_ppm)) => fixed(Fault::Slower { times_ppm }),
                Some(Err(error)) => wrong(error),
                None => wrong(LEGAL.to_owned()),
            },
            [Some("slow"), Some(share), Some(slow), None] => match (parse_share(share), parse_times(slow)) {
                (Err(error), _) | (_, Some(Err(error))) => wrong(error),
                (Ok(share_ppm), Some(Ok(times_ppm))) => Ok(Self::TimesMedian { share_ppm, times_ppm }),
                (Ok(share_ppm), None) => match parse_len(slow) {
                    Some(slow_ns) => fixed(Fault::SomeSlower { share_ppm, slow_ns }),
                    None => wrong(format!(
                        "{slow:?} says how slow; legal: x10 (times the log's median), or a duration above 0, like 300ms"
                    )),
                },
            },
            _ => wrong(LEGAL.to_owned()),
        }
    }

    /// Whether it hangs on the log's median.
    pub fn needs_median(&self) -> bool {
        matches!(self, Self::TimesMedian { .. })
    }

    /// The fault for a log of this median, in nanoseconds.
    pub fn resolve(&self, median_ns: u64) -> Fault {
        match *self {
            Self::Fixed(fault) => fault,
            Self::TimesMedian { share_ppm, times_ppm } => {
                let slow_ns = u128::from(median_ns) * u128::from(times_ppm) / MILLION;
                Fault::SomeSlower { share_ppm, slow_ns: u64::try_from(slow_ns).unwrap_or(u64::MAX).min(MAX_LATENCY_NS) }
            }
        }
    }
}

impl From<Fault> for FaultText {
    fn from(fault: Fault) -> Self {
        Self::Fixed(fault)
    }
}

/// The text that [`FaultText::parse`] reads.
impl fmt::Display for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(fault) => fault.fmt(f),
            Self::TimesMedian { share_ppm, times_ppm } => {
                write!(f, "slow:{}%:x{}", decimal(u64::from(*share_ppm), 4), decimal(*times_ppm, 6))
            }
        }
    }
}

/// The text that [`FaultText::parse`] reads.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| decimal(ppm.into(), 4);
        match *self {
            Self::Slower { times_ppm } => write!(f, "slow:x{}", decimal(times_ppm, 6)),
            Self::SomeSlower { share_ppm, slow_ns } => write!(f, "slow:{}%:{}", percent(share_ppm), show_len(slow_ns)),
            Self::Silent => f.write_str("silent"),
            Self::Lost { share_ppm } => write!(f, "lost:{}%", percent(share_ppm)),
        }
    }
}

/// `10%` as parts per million. An error tells what is legal.
fn parse_share(text: &str) -> Result<u32, String> {
    let ppm = text.strip_suffix('%').and_then(|number| parse_decimal(number, 4));
    ppm.and_then(|ppm| u32::try_from(ppm).ok()).filter(|ppm| (1..=1_000_000).contains(ppm)).ok_or_else(|| {
        format!("{text:?} is a share; legal: a percentage above 0% and up to 100%, with at most four decimals")
    })
}

/// `x5` as parts per million. `None` if the text isn't written so; an error tells what is legal.
fn parse_times(text: &str) -> Option<Result<u64, String>> {
    let number = text.strip_prefix('x')?;
    let ppm = parse_decimal(number, 6).filter(|ppm| (1_000_001..=1_000_000_000_000).contains(ppm));
    Some(ppm.ok_or_else(|| {
        format!("{text:?} is a factor; legal: x with a number above 1 and up to 1000000, with at most six decimals")
    }))
}

/// A decimal number of at most so many decimals, times ten to their power. It is exact.
fn parse_decimal(text: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let is_whole = !text.contains('.') || !fraction.is_empty();
    (is_number && is_whole && fraction.len() <= decimals)
        .then(|| format!("{whole}{fraction:0<decimals$}").parse().ok())
        .flatten()
}

/// What [`parse_decimal`] reads.
fn decimal(number: u64, decimals: usize) -> String {
    let one = 10_u64.pow(decimals as u32);
    let text = format!("{}.{:0decimals$}", number / one, number % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A length in its largest unit that has no decimals.
fn show_len(ns: u64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let unit = units.iter().find(|(unit_ns, _)| ns >= *unit_ns && ns.is_multiple_of(*unit_ns));
    unit.map_or_else(|| format!("{ns}ns"), |(unit_ns, name)| format!("{}{name}", ns / unit_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_written() {
        let some = |share_ppm, slow_ns| FaultText::Fixed(Fault::SomeSlower { share_ppm, slow_ns });
        for (text, fault) in [
            ("slow:x5", Fault::Slower { times_ppm: 5_000_000 }.into()),
            ("slow:x1.000001", Fault::Slower { times_ppm: 1_000_001 }.into()),
            ("slow:x1000000", Fault::Slower { times_ppm: 1_000_000_000_000 }.into()),
            ("slow:10%:x10", FaultText::TimesMedian { share_ppm: 100_000, times_ppm: 10_000_000 }),
            ("slow:0.0001%:x1.5", FaultText::TimesMedian { share_ppm: 1, times_ppm: 1_500_000 }),
            ("slow:10%:300ms", some(100_000, 300_000_000)),
            ("slow:100%:1ns", some(1_000_000, 1)),
            ("slow:2.5%:1500us", some(25_000, 1_500_000)),
            ("slow:2%:90s", some(20_000, 90_000_000_000)),
            ("silent", Fault::Silent.into()),
            ("lost:5%", Fault::Lost { share_ppm: 50_000 }.into()),
            ("lost:99.9999%", Fault::Lost { share_ppm: 999_999 }.into()),
        ] {
            assert_eq!(FaultText::parse(text), Ok(fault), "{text}");
            assert_eq!(fault.to_string(), text);
        }
        assert_eq!(FaultText::parse("slow:10%:1m30s"), Ok(some(100_000, 90_000_000_000)));
        assert_eq!(FaultText::parse("slow:10%:7"), Ok(some(100_000, 7)), "nanoseconds");
    }

    #[test]
    fn what_is_no_fault_names_what_is_legal() {
        for (text, parts) in [
            ("", "legal: slow:x5"),
            ("slow", "legal: slow:x5"),
            ("slow:5", "legal: slow:x5"),
            ("slow:x5:", "\"x5\" is a share; legal: a percentage"),
            ("slow:10%", "legal: slow:x5"),
            ("slow:10%:x10:5m", "legal: slow:x5"),
            ("silent:", "legal: slow:x5"),
            ("silent:5%", "legal: slow:x5"),
            ("lost", "legal: slow:x5"),
            ("lost:5", "\"5\" is a share"),
            ("lost:0%", "\"0%\" is a share; legal: a percentage above 0%"),
            ("lost:100.0001%", "and up to 100%"),
            ("lost:0.00001%", "at most four decimals"),
            ("lost:-5%", "is a share"),
            ("lost:5.%", "is a share"),
            ("slow:x1", "\"x1\" is a factor; legal: x with a number above 1"),
            ("slow:x1000000.000001", "and up to 1000000"),
            ("slow:x99999999999999999999", "is a factor"),
            ("slow:x", "is a factor"),
            ("slow:x-5", "is a factor"),
            ("slow:10%:x0", "is a factor"),
            ("slow:10%:0", "says how slow; legal: x10 (times the log's median), or a duration above 0"),
            ("slow:10%:-5ms", "says how slow"),
            ("slow:10%:5parsecs", "says how slow"),
            ("slow:10%:9223372036854775808", "says how slow"),
            ("SILENT", "legal: slow:x5"),
        ] {
            let message = FaultText::parse(text).expect_err(text).to_string();
            assert!(message.starts_with(&format!("fault {text:?}: ")), "{message}");
            assert!(message.contains(parts) && message.contains("legal: "), "{message}");
        }
    }

    #[test]
    fn a_share_at_times_the_median_is_resolved() {
        let fault = FaultText::parse("slow:10%:x1.5").unwrap();
        assert!(fault.needs_median() && !FaultText::parse("slow:10%:1s").unwrap().needs_median());
        let slow = |median_ns| fault.resolve(median_ns);
        let some = |slow_ns| Fault::SomeSlower { share_ppm: 100_000, slow_ns };
        assert_eq!([slow(3), slow(0), slow(MAX_LATENCY_NS)], [some(4), some(0), some(MAX_LATENCY_NS)]);
    }
}
