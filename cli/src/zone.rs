//! Times of the wall clock for people, in the zone of this machine or in UTC, and for machines in UTC.

use crate::show::show_ns;
use clap::{Arg, ArgAction, ArgMatches};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::{SystemTime, UNIX_EPOCH};

/// The zone in which people are told times.
#[derive(Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The option `--utc`.
    pub(crate) fn arg() -> Arg {
        Arg::new("utc").long("utc").action(ArgAction::SetTrue).help("Show times in UTC, and not in this machine's zone")
    }

    pub(crate) fn of(matches: &ArgMatches) -> Self {
        Self(if matches.get_flag("utc") { TimeZone::UTC } else { TimeZone::system() })
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The date, and the time of day to the millisecond.
    pub(crate) fn date_and_time(&self, wall_ns: u64) -> (String, String) {
        let text = self.format(wall_ns, "%Y-%m-%d %H:%M:%S.%3f");
        let (date, time) = text.split_once(' ').unwrap_or_default();
        (date.to_owned(), time.to_owned())
    }

    /// What the zone is called at a time: `UTC`, `CET`.
    pub(crate) fn name(&self, wall_ns: u64) -> String {
        self.format(wall_ns, "%Z")
    }

    /// The time of day of today, and the date of any other day: in 8 columns.
    pub(crate) fn brief(&self, wall_ns: u64) -> String {
        let day = |wall_ns| self.format(wall_ns, "%Y-%m-%d");
        let is_today = day(wall_ns) == day(now_ns());
        self.format(wall_ns, if is_today { "%H:%M:%S" } else { "%y-%m-%d" })
    }

    /// How long ago, and when.
    pub(crate) fn ago(&self, wall_ns: u64) -> String {
        let (date, time) = self.date_and_time(wall_ns);
        let ago_ns = now_ns().saturating_sub(wall_ns);
        format!("{} ago ({date} {time} {})", show_ns(ago_ns), self.name(wall_ns))
    }

    fn format(&self, wall_ns: u64, format: &str) -> String {
        let at = timestamp(wall_ns).unwrap_or_default().to_zoned_datetime(self.0.clone());
        at.strftime(format).to_string()
    }
}

/// Now, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// A time by RFC 3339 in UTC, to the nanosecond.
pub(crate) fn rfc_3339(wall_ns: u64) -> String {
    timestamp(wall_ns).map_or_else(String::new, |at| format!("{at:.9}"))
}

fn timestamp(wall_ns: u64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(wall_ns.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_a_zone() {
        let at_ns = 1_700_000_000_123_456_789;
        assert_eq!(rfc_3339(at_ns), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(rfc_3339(1_700_000_000_000_000_000), "2023-11-14T22:13:20.000000000Z");
        assert_eq!(rfc_3339(u64::MAX), "2554-07-21T23:34:33.709551615Z");
        let zone = |name: &str| Zone(TimeZone::get(name).unwrap());
        let time = |zone: &Zone| (zone.date_and_time(at_ns), zone.name(at_ns), zone.brief(at_ns));
        let expected = |date: &str, time: &str, name: &str| {
            ((date.to_owned(), time.to_owned()), name.to_owned(), date[2..].to_owned())
        };
        assert_eq!(time(&Zone(TimeZone::UTC)), expected("2023-11-14", "22:13:20.123", "UTC"));
        assert_eq!(time(&zone("Europe/Berlin")), expected("2023-11-14", "23:13:20.123", "CET"));
        assert_eq!(time(&zone("Asia/Tokyo")), expected("2023-11-15", "07:13:20.123", "JST"));
        assert_eq!(Zone(TimeZone::UTC).brief(now_ns()).len(), "12:34:56".len());
        assert!(Zone(TimeZone::UTC).ago(at_ns).ends_with(" ago (2023-11-14 22:13:20.123 UTC)"));
    }
}
