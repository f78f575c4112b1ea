//! One line of what ping prints: that of iputils, of BusyBox, or of BSD and macOS.

use crate::amount::{Unit, parse_amount};
use crate::lines::show;
use crate::row::MAX_LATENCY_NS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A ping begins.
    Begin,
    /// The reply to packet `seq`. `stamp_ns` is when it came.
    Reply {
        seq: u16,
        stamp_ns: Option<u64>,
        latency_ns: u64,
        duplicate: bool,
    },
    /// Packet `seq` was sent, and has no reply up to here.
    NoReply {
        seq: u16,
    },
    /// So many packets were sent.
    Sent {
        packets: u64,
    },
    Other,
}

pub(super) fn parse_line(line: &[u8]) -> Result<Line, String> {
    let (stamp_ns, text) = split_stamp(line.trim_ascii());
    if text.starts_with(b"PING ") {
        return Ok(Line::Begin);
    }
    if let Some((before, _)) = split_at_word(text, b" packets transmitted") {
        let packets = str::from_utf8(before).ok().and_then(|number| number.parse().ok());
        return Ok(packets.map_or(Line::Other, |packets| Line::Sent { packets }));
    }
    let is_reply = split_at_word(text, b" bytes from ").is_some();
    // The words are those of iputils and BusyBox, of macOS ("Request timeout for icmp_seq 5"), and of old iputils.
    let found = [b"seq=", b"seq ", b"req="].iter().find_map(|word| split_at_word(text, *word));
    let Some((_, rest)) = found else { return Ok(Line::Other) };
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
    let seq = match str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
        Some(seq) if is_reply => seq,
        Some(seq) => return Ok(Line::NoReply { seq }),
        None if is_reply => return Err(format!("icmp_seq is {}; legal: 0 to 65535", show(rest))),
        None => return Ok(Line::Other),
    };
    let Some((_, rest)) = split_at_word(rest, b"time=") else {
        return Err(
            "the reply has no time; legal: time=0.543 ms, which ping prints for packets of 16 bytes or more (-s)"
                .to_owned(),
        );
    };
    let latency_ns = parse_time(rest).ok_or_else(|| {
        format!("the time is {}; legal: a decimal number and a unit, as in time=0.543 ms", show(rest))
    })?;
    let duplicate = split_at_word(rest, b"(DUP!)").is_some();
    Ok(Line::Reply { seq, stamp_ns, latency_ns, duplicate })
}

/// Splits off the stamp of `ping -D`: `[1700000000.123456]`, in seconds since 1970.
fn split_stamp(line: &[u8]) -> (Option<u64>, &[u8]) {
    let stamped = line.strip_prefix(b"[").and_then(|line| split_at_word(line, b"]"));
    match stamped.and_then(|(stamp, text)| Some((parse_amount(stamp, Unit::S)?, text))) {
        Some((stamp_ns, text)) => (Some(stamp_ns), text.trim_ascii_start()),
        None => (None, line),
    }
}

/// The number and its unit, which have a space between them or not.
fn parse_time(text: &[u8]) -> Option<u64> {
    let mut words = text.split(|byte| *byte == b' ');
    let number = words.next()?;
    let has_unit = number.last().is_some_and(|last| !last.is_ascii_digit() && *last != b'.');
    let unit = if has_unit { b"" } else { words.next()? };
    // A number without a unit would be read in any.
    if !has_unit && unit.is_empty() {
        return None;
    }
    parse_amount(&[number, unit].concat(), Unit::Ms).filter(|ns| *ns <= MAX_LATENCY_NS)
}

/// What is before and behind the first of these words.
fn split_at_word<'a>(text: &'a [u8], word: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(word.len()).position(|bytes| bytes == word)?;
    Some((text.get(..at)?, text.get(at + word.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let reply = |seq, stamp_ns, latency_ns| Ok(Line::Reply { seq, stamp_ns, latency_ns, duplicate: false });
        for (text, line) in [
            ("64 bytes from 10.0.0.1: icmp_seq=5 ttl=64 time=0.543 ms", reply(5, None, 543_000)),
            ("64 bytes from venue (10.0.0.1): icmp_seq=65535 ttl=64 time=12.3 ms", reply(65535, None, 12_300_000)),
            ("64 bytes from 10.0.0.1: seq=0 ttl=64 time=0.543 ms", reply(0, None, 543_000)),
            ("64 bytes from 10.0.0.1: icmp_req=7 ttl=64 time=543us", reply(7, None, 543_000)),
            (
                "[1700000000.123456] 64 bytes from 10.0.0.1: icmp_seq=5 ttl=64 time=1 ms",
                reply(5, Some(1_700_000_000_123_456_000), 1_000_000),
            ),
            (
                "64 bytes from 10.0.0.1: icmp_seq=5 ttl=64 time=1.5 ms (DUP!)",
                Ok(Line::Reply { seq: 5, stamp_ns: None, latency_ns: 1_500_000, duplicate: true }),
            ),
            ("[1700000000.123456] no answer yet for icmp_seq=6", Ok(Line::NoReply { seq: 6 })),
            ("From 10.0.0.9 icmp_seq=8 Destination Host Unreachable", Ok(Line::NoReply { seq: 8 })),
            ("Request timeout for icmp_seq 9", Ok(Line::NoReply { seq: 9 })),
            ("92 bytes from 10.0.0.9: Destination Host Unreachable", Ok(Line::Other)),
            ("PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.", Ok(Line::Begin)),
            ("--- 10.0.0.1 ping statistics ---", Ok(Line::Other)),
            ("10 packets transmitted, 9 received, 10% packet loss, time 9012ms", Ok(Line::Sent { packets: 10 })),
            ("x packets transmitted", Ok(Line::Other)),
            ("what seq is this?", Ok(Line::Other)),
            ("rtt min/avg/max/mdev = 0.4/0.5/0.6/0.1 ms", Ok(Line::Other)),
            ("[?] hello", Ok(Line::Other)),
            ("", Ok(Line::Other)),
        ] {
            assert_eq!(parse_line(text.as_bytes()), line, "{text}");
        }
    }
}
