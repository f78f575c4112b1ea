//! One message of a FIX log. Only the fields that pairing needs are read.

use super::time::{find_stamp, parse_stamp};
use crate::row::RowKind;

/// What a message is to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It begins a call.
    Order(RowKind),
    /// An execution report or a cancel reject.
    Report,
    SessionReject,
    BusinessReject,
    Logon,
    Logout,
    Other,
}

impl Kind {
    fn of(msg_type: &[u8]) -> Self {
        match msg_type {
            b"D" | b"G" => Self::Order(RowKind::Ask),
            b"F" => Self::Order(RowKind::Free),
            b"8" | b"9" => Self::Report,
            b"3" => Self::SessionReject,
            b"j" => Self::BusinessReject,
            b"A" => Self::Logon,
            b"5" => Self::Logout,
            _ => Self::Other,
        }
    }

    /// At the same time in two files, a lower rank comes first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Order(_) => 0,
            Self::Report | Self::SessionReject | Self::BusinessReject => 2,
            Self::Logon | Self::Logout | Self::Other => 1,
        }
    }
}

/// Names and numbers that the message doesn't have are empty or `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// When it was, in nanoseconds since 1970.
    pub(super) time_ns: u64,
    /// Whether that is the log's own stamp.
    pub(super) stamped: bool,
    /// Its place in the order of the log: the latest time up to it in its file.
    pub(super) order_ns: u64,
    /// SenderCompID (49).
    pub(super) sender: Vec<u8>,
    /// TargetCompID (56).
    pub(super) target: Vec<u8>,
    /// MsgSeqNum (34).
    pub(super) seq: Option<u64>,
    /// ClOrdID (11).
    pub(super) id: Vec<u8>,
    /// PossDupFlag (43) or PossResend (97).
    pub(super) again: bool,
    /// RefSeqNum (45).
    pub(super) ref_seq: Option<u64>,
    /// BusinessRejectRefID (379).
    pub(super) ref_id: Vec<u8>,
    /// Whether RefMsgType (372) is that of an order. `None` if there is no such field.
    pub(super) ref_order: Option<bool>,
    /// Whether BusinessRejectReason (380) is that the application isn't available.
    pub(super) unavailable: bool,
}

/// Reads the message of a line, and says whether another one follows in the line. Otherwise says what is wrong.
pub(super) fn parse_line(line: &[u8], offset_minutes: i32) -> Result<(Message, bool), &'static str> {
    let Some((prefix, body)) = find_begin(line).and_then(|begin| line.split_at_checked(begin)) else {
        return Err("no FIX message; legal: a stamp if there is one, then fields from 8=FIX on");
    };
    let Some(separator) = find_separator(body) else {
        return Err("no end of the field 8; legal: SOH, | or ^A behind each field");
    };
    let mut fields = Fields { rest: body, separator };
    let mut found = Found::default();
    for (tag, value) in fields.by_ref() {
        found.put(tag, value);
        if tag == b"10" {
            break;
        }
    }
    let another = find_begin(fields.rest).is_some();
    let Some(msg_type) = found.msg_type else {
        return Err("no MsgType (35); legal: whole messages");
    };
    let stamp_ns = find_stamp(prefix, offset_minutes);
    // SendingTime is UTC by its definition.
    let Some(time_ns) = stamp_ns.or_else(|| found.sending_time.and_then(|text| parse_stamp(text, 0))) else {
        return Err("no time; legal: a stamp as 20260302-23:59:58.500 before 8=FIX, or in SendingTime (52)");
    };
    let owned = |value: Option<&[u8]>| value.unwrap_or_default().to_vec();
    let message = Message {
        kind: Kind::of(msg_type),
        time_ns,
        stamped: stamp_ns.is_some(),
        order_ns: time_ns,
        sender: owned(found.sender),
        target: owned(found.target),
        seq: found.seq.and_then(number),
        id: owned(found.id),
        again: found.duplicate == Some(b"Y") || found.resend == Some(b"Y"),
        ref_seq: found.ref_seq.and_then(number),
        ref_id: owned(found.ref_id),
        ref_order: found.ref_type.map(|ref_type| matches!(Kind::of(ref_type), Kind::Order(_))),
        unavailable: found.reason.and_then(number) == Some(4),
    };
    Ok((message, another))
}

/// Where a message begins. `58=FIX` is none.
fn find_begin(line: &[u8]) -> Option<usize> {
    let mut before = b' ';
    for (index, bytes) in line.windows(5).enumerate() {
        if bytes == b"8=FIX" && !before.is_ascii_digit() {
            return Some(index);
        }
        before = *bytes.first()?;
    }
    None
}

fn find_separator(body: &[u8]) -> Option<&'static [u8]> {
    body.iter().zip(body.iter().skip(1).chain([&b' '])).find_map(|pair| match pair {
        (b'\x01', _) => Some(b"\x01".as_slice()),
        (b'|', _) => Some(b"|".as_slice()),
        (b'^', b'A') => Some(b"^A".as_slice()),
        _ => None,
    })
}

fn number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// The fields of a message. Bytes between two separators that are no field are passed over: a text may have `|` in it.
struct Fields<'a> {
    rest: &'a [u8],
    separator: &'static [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = self.rest.windows(self.separator.len()).position(|bytes| bytes == self.separator);
            let (field, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
            self.rest = rest.get(self.separator.len()..).unwrap_or_default();
            if let Some(equals) = field.iter().position(|&byte| byte == b'=')
                && let Some((tag, value)) = field.split_at_checked(equals)
            {
                // Some logs have spaces round their separators.
                return Some((tag.trim_ascii(), value.get(1..)?.trim_ascii()));
            }
        }
        None
    }
}

/// The values of a message. The first field of a tag counts: what data behind it has in it can't replace it.
#[derive(Default)]
struct Found<'a> {
    msg_type: Option<&'a [u8]>,
    sender: Option<&'a [u8]>,
    target: Option<&'a [u8]>,
    seq: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    duplicate: Option<&'a [u8]>,
    resend: Option<&'a [u8]>,
    sending_time: Option<&'a [u8]>,
    ref_seq: Option<&'a [u8]>,
    ref_id: Option<&'a [u8]>,
    ref_type: Option<&'a [u8]>,
    reason: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn put(&mut self, tag: &[u8], value: &'a [u8]) {
        let slot = match tag {
            b"35" => &mut self.msg_type,
            b"49" => &mut self.sender,
            b"56" => &mut self.target,
            b"34" => &mut self.seq,
            b"11" => &mut self.id,
            b"43" => &mut self.duplicate,
            b"97" => &mut self.resend,
            b"52" => &mut self.sending_time,
            b"45" => &mut self.ref_seq,
            b"379" => &mut self.ref_id,
            b"372" => &mut self.ref_type,
            b"380" => &mut self.reason,
            _ => return,
        };
        slot.get_or_insert(value);
    }
}
