//! One call of a log: when it was to be sent, and how it went.

/// A latency of 2^63 ns or more is no time. It is a negative difference, as a rule.
pub const MAX_LATENCY_NS: u64 = u64::MAX >> 1;

/// One call: when it was to be sent, and how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it was to be sent, in nanoseconds from any origin.
    pub start_ns: u64,
    /// How long it took, in nanoseconds. `None` if the call never came back. `start_ns + latency_ns` is a `u64`.
    pub latency_ns: Option<u64>,
    /// False if the venue or the transport failed the call.
    pub ok: bool,
    /// Whether it asked, and how it ended.
    pub kind: RowKind,
}

/// Whether a call asks the breaker, and how it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowKind {
    /// It asks, and comes back, fails or is lost.
    #[default]
    Ask,
    /// It doesn't ask, as a cancel. It begins in any state.
    Free,
    /// It asks. Who sent it gives it up after `latency_ns`, so its `ok` doesn't matter.
    Withdrawn,
    /// It asked, and was refused when it was recorded. So nobody knows how it would have gone: its latency and its `ok` don't matter.
    Refused,
}

impl RowKind {
    /// Every kind, with its name in a trace.
    pub(crate) const NAMES: [(Self, &'static str); 4] =
        [(Self::Ask, "ask"), (Self::Free, "free"), (Self::Withdrawn, "withdrawn"), (Self::Refused, "refused")];

    /// The kind's name in a trace.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// `None` if no kind has this name. No name is the default.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        match name {
            b"" => Some(Self::default()),
            _ => Self::NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|(kind, _)| *kind),
        }
    }
}
