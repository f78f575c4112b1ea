//! Calls in flight, in the order in which they end.

use crate::row::{Row, RowKind};
use std::cmp::Ordering;
use trip99::Call;

/// A call that will end. Calls are ordered by when they end, then by when they were sent.
pub(super) struct Due {
    pub(super) end_ns: u64,
    /// The number of the call, counted from when the calls were sent.
    pub(super) sequence: u64,
    pub(super) how: End,
    pub(super) call: Call,
}

#[derive(Clone, Copy)]
pub(super) enum End {
    Good,
    Failed,
    Abandoned,
}

impl End {
    pub(super) fn of(row: &Row) -> Self {
        match (row.kind, row.ok) {
            (RowKind::Withdrawn, _) => Self::Abandoned,
            (_, true) => Self::Good,
            (_, false) => Self::Failed,
        }
    }
}

impl Due {
    fn key(&self) -> (u64, u64) {
        (self.end_ns, self.sequence)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
