//! Stamps of FIX and of logs, in nanoseconds since 1970. Nothing passes through a float.

const NS_PER_S: u64 = 1_000_000_000;

/// Finds the first stamp in a text that has other things round it, too. `offset_minutes` says how far a stamp without a zone is ahead of UTC.
pub(super) fn find_stamp(text: &[u8], offset_minutes: i32) -> Option<u64> {
    /// A stamp stands near the start of a line. The limit keeps long lines quick.
    const MAX_START: usize = 256;
    let mut before = b' ';
    for start in 0..text.len().min(MAX_START) {
        let rest = text.get(start..)?;
        let first = *rest.first()?;
        if first.is_ascii_digit()
            && !before.is_ascii_digit()
            && let Some(ns) = parse_stamp(rest, offset_minutes)
        {
            return Some(ns);
        }
        before = first;
    }
    None
}

/// Reads the stamp that the text begins with: `20260302-23:59:58.500` as in FIX, or `2026-03-02 23:59:58,500` or
/// `2026-03-02T23:59:58.5+09:00` as in other logs. The fraction has any number of digits. Those beyond a nanosecond are cut off.
pub(super) fn parse_stamp(text: &[u8], offset_minutes: i32) -> Option<u64> {
    let mut scan = Scan(text);
    let year = scan.digits(4)?;
    let dashes = scan.skip(b"-");
    let month = scan.digits(2)?;
    if dashes && !scan.skip(b"-") {
        return None;
    }
    let day = scan.digits(2)?;
    if !scan.skip(b"-T ") {
        return None;
    }
    let hour = scan.digits(2)?;
    scan.colon()?;
    let minute = scan.digits(2)?;
    scan.colon()?;
    let second = scan.digits(2)?;
    let legal = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day) && hour < 24 && minute < 60;
    if !legal || second > 60 {
        return None;
    }
    let fraction_ns = if scan.skip(b".,") { scan.fraction_ns()? } else { 0 };
    let (second, fraction_ns) = if second == 60 { (59, NS_PER_S - 1) } else { (second, fraction_ns) };
    let minutes = (hour * 60 + minute) as i64 - scan.zone_minutes().unwrap_or(offset_minutes.into());
    let seconds = days_from_civil(year as i64, month as i64, day as i64) * 86_400 + minutes * 60 + second as i64;
    u64::try_from(seconds).ok()?.checked_mul(NS_PER_S)?.checked_add(fraction_ns)
}

/// What is left of a stamp.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn digits(&mut self, count: usize) -> Option<u64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.iter().try_fold(0, |number, byte| digit(*byte).map(|digit| number * 10 + digit))?;
        self.0 = rest;
        Some(number)
    }

    /// Skips one byte if it is any of these.
    fn skip(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn colon(&mut self) -> Option<()> {
        self.skip(b":").then_some(())
    }

    fn fraction_ns(&mut self) -> Option<u64> {
        let (mut ns, mut unit_ns, mut count) = (0, NS_PER_S / 10, 0);
        while let Some((first, rest)) = self.0.split_first()
            && let Some(digit) = digit(*first)
        {
            (ns, unit_ns, count, self.0) = (ns + digit * unit_ns, unit_ns / 10, count + 1, rest);
        }
        (count > 0).then_some(ns)
    }

    /// `Z`, or as `+09:00`, `+0900` or `+09`.
    fn zone_minutes(&mut self) -> Option<i64> {
        if self.skip(b"Z") {
            return Some(0);
        }
        let sign = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.skip(b"+-");
        let hours = self.digits(2)?;
        self.skip(b":");
        let minutes = self.digits(2).unwrap_or(0);
        Some(sign * (hours * 60 + minutes) as i64)
    }
}

fn digit(byte: u8) -> Option<u64> {
    byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')))
}

fn month_days(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, for years from 0 on.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // A year begins in March, so that a leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_exact() {
        // The seconds are those that `date -u -d ... +%s` prints.
        for (text, ns) in [
            ("20260302-23:59:58.500", Some(1_772_495_998_500_000_000)),
            ("20260302-23:59:58.500000001 : ", Some(1_772_495_998_500_000_001)),
            ("20260302-23:59:58 : ", Some(1_772_495_998_000_000_000)),
            ("20260302-23:59:58.123456789987", Some(1_772_495_998_123_456_789)),
            ("2026-03-02 23:59:58,5 INFO", Some(1_772_495_998_500_000_000)),
            ("2026-03-02T23:59:58.5Z", Some(1_772_495_998_500_000_000)),
            ("2026-03-03T08:59:58.5+09:00", Some(1_772_495_998_500_000_000)),
            ("2026-03-03T08:59:58.5+0900", Some(1_772_495_998_500_000_000)),
            ("2026-03-02T18:59:58.5-05", Some(1_772_495_998_500_000_000)),
            ("19700101-00:00:00", Some(0)),
            ("20240229-00:00:00", Some(1_709_164_800_000_000_000)),
            ("20000229-00:00:00", Some(951_782_400_000_000_000)),
            ("20161231-23:59:60.25", Some(1_483_228_799_999_999_999)),
            ("25540721-23:34:33.709551615", Some(u64::MAX)),
            ("25540721-23:34:33.709551616", None),
            ("19691231-23:59:59", None),
            ("20230229-00:00:00", None),
            ("21000229-00:00:00", None),
            ("20260431-00:00:00", None),
            ("20260001-00:00:00", None),
            ("20260100-00:00:00", None),
            ("20260101-24:00:00", None),
            ("20260101-00:60:00", None),
            ("20260101-00:00:61", None),
            ("20260101-00:00:00.", None),
            ("20260101-00:00", None),
            ("2026-0101-00:00:00", None),
            ("00:00:00", None),
            ("", None),
        ] {
            assert_eq!(parse_stamp(text.as_bytes(), 0), ns, "{text}");
        }
    }

    #[test]
    fn an_offset_is_of_stamps_without_a_zone() {
        assert_eq!(parse_stamp(b"20260303-08:59:58.5", 540), Some(1_772_495_998_500_000_000));
        assert_eq!(parse_stamp(b"20260302-18:59:58.5", -300), Some(1_772_495_998_500_000_000));
        assert_eq!(parse_stamp(b"2026-03-02T23:59:58.5Z", 540), Some(1_772_495_998_500_000_000));
        assert_eq!(parse_stamp(b"19700101-00:00:00", 1), None);
    }

    #[test]
    fn days_follow_each_other() {
        let mut expected = 0;
        for year in 1970..2500 {
            for month in 1..=12 {
                for day in 1..=month_days(year, month) {
                    assert_eq!(days_from_civil(year as i64, month as i64, day as i64), expected);
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn a_stamp_is_found_among_other_things() {
        assert_eq!(find_stamp(b"INFO 17 [20260302-23:59:58] out ", 0), Some(1_772_495_998_000_000_000));
        assert_eq!(find_stamp(b"120260302-23:59:58", 0), None);
        assert_eq!(find_stamp(b"<-- ", 0), None);
    }
}
