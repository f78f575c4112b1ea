//! What a C lane is in Rust: a whole lane, or one half of it. What isn't a half's own is counted as misused.

use crate::handles::Why;
use crate::lane::{BeginHalf, EndHalf, Lane};
use crate::tickets::Call;

#[expect(
    clippy::large_enum_variant,
    reason = "each is in a handle of its own, and a box would be one more load on the hot path"
)]
pub(super) enum Ends {
    Whole(Lane),
    Begin(BeginHalf),
    End(EndHalf),
    /// Only while it is being split.
    Gone,
}

/// An operation that a whole lane and both halves have.
macro_rules! on_any {
    ($ends:expr, $lane:ident => $operation:expr, otherwise $gone:expr) => {
        match $ends {
            Ends::Whole($lane) => $operation,
            Ends::Begin($lane) => $operation,
            Ends::End($lane) => $operation,
            Ends::Gone => $gone,
        }
    };
}

impl Ends {
    #[inline]
    pub(super) fn now_ns(&self) -> u64 {
        on_any!(self, lane => lane.now_ns(), otherwise 0)
    }

    pub(super) fn dropped(&self) -> u64 {
        on_any!(self, lane => lane.dropped(), otherwise 0)
    }

    /// The end half refuses.
    #[inline]
    pub(super) fn allow(&mut self) -> bool {
        match self {
            Self::Whole(lane) => lane.allow(),
            Self::Begin(half) => half.allow(),
            Self::End(half) => half.count_misused(),
            Self::Gone => false,
        }
    }

    /// `None` on the end half, which knows nothing of the lane's room.
    pub(super) fn why(&self) -> Option<Why> {
        match self {
            Self::Whole(lane) => Some(lane.why()),
            Self::Begin(half) => Some(half.why()),
            Self::End(_) | Self::Gone => None,
        }
    }

    #[inline]
    pub(super) fn release(&mut self) {
        match self {
            Self::Whole(lane) => lane.release(),
            Self::Begin(half) => half.release(),
            Self::End(half) => _ = half.count_misused(),
            Self::Gone => {}
        }
    }

    #[inline]
    pub(super) fn begin_at(&mut self, now_ns: u64) -> Call {
        match self {
            Self::Whole(lane) => return lane.begin_at(now_ns),
            Self::Begin(half) => return half.begin_at(now_ns),
            Self::End(half) => _ = half.count_misused(),
            Self::Gone => {}
        }
        Call::of_nothing(now_ns)
    }

    #[inline]
    pub(super) fn end_at(&mut self, now_ns: u64, call: Call) {
        match self {
            Self::Whole(lane) => lane.end_at(now_ns, call),
            Self::End(half) => half.end_at(now_ns, call),
            Self::Begin(half) => half.end_misplaced(now_ns, call),
            Self::Gone => {}
        }
    }

    #[inline]
    pub(super) fn fail_at(&mut self, now_ns: u64, call: Call) {
        on_any!(self, lane => lane.fail_at(now_ns, call), otherwise ());
    }

    #[inline]
    pub(super) fn abandon_at(&mut self, now_ns: u64, call: Call) {
        on_any!(self, lane => lane.abandon_at(now_ns, call), otherwise ());
    }

    #[inline]
    pub(super) fn record_at(&mut self, now_ns: u64, latency_ns: u64) {
        on_any!(self, lane => lane.record_at(now_ns, latency_ns), otherwise ());
    }

    #[inline]
    pub(super) fn record_failure_at(&mut self, now_ns: u64, latency_ns: u64) {
        on_any!(self, lane => lane.record_failure_at(now_ns, latency_ns), otherwise ());
    }

    #[inline]
    pub(super) fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        match self {
            Self::Whole(lane) => lane.record_probe_at(now_ns, latency_ns, ok),
            Self::End(half) => half.record_probe_at(now_ns, latency_ns, ok),
            Self::Begin(half) => _ = half.count_misused(),
            Self::Gone => {}
        }
    }
}
