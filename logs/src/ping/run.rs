//! The packets of one ping.

use std::collections::BTreeMap;

/// One ping.
pub(super) struct Run {
    /// Its packets, counted as if `icmp_seq` had no limit: the first, the one whose row comes next, and the last.
    pub(super) first: i64,
    pub(super) next: i64,
    pub(super) last: i64,
    /// The line that begins with PING is there.
    pub(super) headed: bool,
    /// It has had a line of a packet.
    pub(super) begun: bool,
    pub(super) replies: BTreeMap<i64, Reply>,
    /// The last packet with a stamp whose row is out, and its start.
    pub(super) known: Option<(i64, u64)>,
}

#[derive(Clone, Copy)]
pub(super) struct Reply {
    pub(super) start_ns: Option<u64>,
    pub(super) latency_ns: u64,
    pub(super) line: u64,
}

impl Run {
    pub(super) fn new(first: i64, headed: bool) -> Self {
        Self { first, next: first, last: first - 1, headed, begun: false, replies: BTreeMap::new(), known: None }
    }

    /// The packet of this `icmp_seq`, which has been sent: the one that is nearest to the last.
    pub(super) fn sent(&mut self, seq: u16) -> i64 {
        if !self.begun {
            // Some begin at 0.
            self.begun = true;
            (self.first, self.next) = (self.first.min(seq.into()), self.next.min(seq.into()));
            self.last = seq.into();
            return seq.into();
        }
        let steps = seq.wrapping_sub(self.last.rem_euclid(1 << 16) as u16) as i16;
        let packet = self.last + i64::from(steps);
        self.last = self.last.max(packet);
        packet
    }

    /// When a packet without a stamp was sent.
    pub(super) fn place(&self, packet: i64, interval_ns: u64, base_ns: u64) -> u64 {
        let spans = |from: i64, to: i64| interval_ns.saturating_mul(to.abs_diff(from));
        let next = self.replies.first_key_value().and_then(|(next, reply)| Some((*next, reply.start_ns?)));
        match (self.known, next) {
            (Some((before, before_ns)), Some((after, after_ns))) => {
                let (part, whole) = (packet.abs_diff(before), after.abs_diff(before).max(1));
                let gap_ns = after_ns.saturating_sub(before_ns);
                let part_ns = u128::from(gap_ns) * u128::from(part) / u128::from(whole);
                before_ns.saturating_add(u64::try_from(part_ns).unwrap_or(gap_ns))
            }
            (Some((before, before_ns)), None) => before_ns.saturating_add(spans(before, packet)),
            (None, Some((after, after_ns))) => after_ns.saturating_sub(spans(packet, after)),
            (None, None) => base_ns.saturating_add(spans(self.first, packet)),
        }
    }
}
