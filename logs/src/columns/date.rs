//! Dates of ISO 8601 and RFC 3339 as nanoseconds since 1970.

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

pub(super) const LEGAL_ZONES: &str = "an offset like +09:00, UTC, or a name like Europe/London";

/// A zone by its offset or its name. The zones are built in, so that they are the same on every machine.
pub(super) fn parse_zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" || name == "Z" {
        return Some(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        // As the end of a date, where every form of an offset is read.
        let date = format!("2000-01-01T00:00:00{name}");
        return Pieces::parse(&date).ok()?.to_numeric_offset().map(TimeZone::fixed);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Whether this looks like a date: numbers have no such signs.
pub(super) fn looks_like_date(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit)
        && (text.contains(&b'T') || (text.contains(&b'-') && text.contains(&b':')))
}

/// The nanoseconds since 1970 of a date with a time of the day. The zone is for a date that doesn't have one. An error is what would
/// be legal.
pub(super) fn parse_ns(text: &[u8], zone: Option<&TimeZone>) -> Result<u64, String> {
    let pieces = std::str::from_utf8(text).ok().and_then(|text| Pieces::parse(text).ok());
    let Some((pieces, time)) = pieces.and_then(|pieces| pieces.time().map(|time| (pieces, time))) else {
        return Err("a date with a time of the day, like 2024-05-01T12:00:00.123456789Z".to_owned());
    };
    let date = DateTime::from_parts(pieces.date(), time);
    let timestamp = match (pieces.to_numeric_offset(), zone) {
        (Some(offset), _) => offset.to_timestamp(date).ok(),
        (None, Some(zone)) => in_zone(date, zone)?.to_timestamp(date).ok(),
        (None, None) => {
            return Err("a date with its zone, like Z or +09:00, or the zone of all by --zone".to_owned());
        }
    };
    timestamp
        .and_then(|timestamp| u64::try_from(timestamp.as_nanosecond()).ok())
        .ok_or_else(|| "a date from 1970 to 2554".to_owned())
}

/// The zone's offset at its own date. A date that was twice, or never, would be an hour off without a word.
fn in_zone(date: DateTime, zone: &TimeZone) -> Result<Offset, String> {
    let (why, before) = match zone.to_ambiguous_timestamp(date).offset() {
        AmbiguousOffset::Unambiguous { offset } => return Ok(offset),
        AmbiguousOffset::Fold { before, .. } => ("was twice", before),
        AmbiguousOffset::Gap { before, .. } => ("never was", before),
    };
    let name = zone.iana_name().unwrap_or("this zone");
    Err(format!("dates with their offset, since this one {why} in {name} (its clock was changed), or --zone={before}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_NS: u64 = 1_714_564_800_000_000_000; // 2024-05-01T12:00:00Z

    fn ns(text: &str, zone: &str) -> Result<u64, String> {
        parse_ns(text.as_bytes(), parse_zone(zone).as_ref())
    }

    #[test]
    fn dates_are_exact() {
        for (text, zone, expected) in [
            ("2024-05-01T12:00:00Z", "", NOON_NS),
            ("2024-05-01 12:00:00.123456789Z", "", NOON_NS + 123_456_789),
            ("2024-05-01T12:00:00,5Z", "", NOON_NS + 500_000_000),
            ("2024-05-01T21:00:00.000000001+09:00", "UTC", NOON_NS + 1),
            ("2024-05-01T07:30-0430", "", NOON_NS),
            ("20240501T120000Z", "", NOON_NS),
            ("2024-05-01T12:00:00", "UTC", NOON_NS),
            ("2024-05-01T21:00:00", "+09:00", NOON_NS),
            ("2024-05-01T13:00:00", "Europe/London", NOON_NS),
            ("2024-05-01 08:00:00.25", "America/New_York", NOON_NS + 250_000_000),
            ("1970-01-01T00:00:00Z", "", 0),
            ("2554-07-21T23:34:33.709551615Z", "", u64::MAX),
        ] {
            assert_eq!(ns(text, zone), Ok(expected), "{text} {zone}");
        }
    }

    #[test]
    fn a_date_that_is_not_exact_is_an_error() {
        for (text, zone, legal) in [
            ("2024-05-01T12:00:00", "", "a date with its zone, like Z or +09:00, or the zone of all by --zone"),
            ("2024-05-01", "UTC", "a date with a time of the day, like 2024-05-01T12:00:00.123456789Z"),
            ("2024-13-01T12:00:00Z", "", "a date with a time of the day, like 2024-05-01T12:00:00.123456789Z"),
            ("1969-12-31T23:59:59Z", "", "a date from 1970 to 2554"),
            ("2554-07-21T23:34:33.709551616Z", "", "a date from 1970 to 2554"),
            (
                "2024-10-27T01:30:00",
                "Europe/London",
                "dates with their offset, since this one was twice in Europe/London (its clock was changed), or --zone=+01",
            ),
            (
                "2024-03-31T01:30:00",
                "Europe/London",
                "dates with their offset, since this one never was in Europe/London (its clock was changed), or --zone=+00",
            ),
        ] {
            assert_eq!(ns(text, zone), Err(legal.to_owned()), "{text} {zone}");
        }
    }

    #[test]
    fn zones_have_names_and_offsets() {
        for name in ["UTC", "Z", "+09:00", "-0530", "+01", "Europe/London", "Asia/Tokyo"] {
            assert!(parse_zone(name).is_some(), "{name}");
        }
        for name in ["", "Mars/Base", "+", "+26:00", "09:00", "+01:00Z"] {
            assert!(parse_zone(name).is_none(), "{name}");
        }
    }
}
