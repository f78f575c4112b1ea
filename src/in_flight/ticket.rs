//! Tickets, by which callers name their calls.

/// A ticket for one call: from `begin`, back to `end`, `fail` or `abandon`, once.
///
/// A ticket that comes back twice, or that the breaker never gave out, is counted (`misused`) and otherwise ignored; one
/// from before the current epoch counts as `stale`, however often it comes. Of calls beyond `max_in_flight` only the
/// number is known: their tickets are found out when more come back than went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give the ticket back by `end`, `fail` or `abandon`; a call that never comes back becomes overdue"]
#[repr(C)]
pub struct Call {
    /// The caller's own stamp, not clamped.
    start_ns: u64,
    /// Low half: the slot's index, or `UNTRACKED` or `UNTRACKED_TRIAL`. High half: the slot's generation while this call has
    /// it. In one word, as two words travel in registers, and three fields through memory.
    id: u64,
}

const _: () = assert!(size_of::<Call>() == 16);

impl Call {
    /// When the call began, on the breaker's clock.
    pub const fn start_ns(self) -> u64 {
        self.start_ns
    }

    /// A lane's ticket.
    pub(crate) const fn new(start_ns: u64, slot: u32, generation: u32) -> Self {
        Self { start_ns, id: slot as u64 | (generation as u64) << 32 }
    }

    /// The ticket of a call that a full lane can't track.
    pub(crate) const fn untracked(start_ns: u64) -> Self {
        Self::new(start_ns, UNTRACKED, 0)
    }

    pub(crate) const fn is_untracked(self) -> bool {
        self.slot() == UNTRACKED
    }

    pub(crate) const fn slot(self) -> u32 {
        self.id as u32
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.id >> 32) as u32
    }

    /// The rest of the ticket, for C.
    #[cfg(feature = "ffi")]
    pub(crate) const fn id(self) -> u64 {
        self.id
    }

    #[cfg(feature = "ffi")]
    pub(crate) const fn from_parts(start_ns: u64, id: u64) -> Self {
        Self { start_ns, id }
    }
}

/// Tickets of calls that found the table full.
pub(super) const UNTRACKED: u32 = u32::MAX;
pub(super) const UNTRACKED_TRIAL: u32 = u32::MAX - 1;
