//! Who has what is a breaker's owner's.
//!
//! ```text
//!                    lend                 destroy
//!         Owned ───────────────▶ Lent ───────────────▶ LentAndDestroyed
//!          │ ▲                   │  │                          │
//!          │ └───────────────────┘  │ lose                     │ take_back, lose
//!          │ destroy   take_back    ▼        destroy           ▼
//!          └──────────────────▶   Lost ──────────────────▶ Destroyed
//! ```

use super::status::{CB_STATUS_NOT_NOW, Failure};
use core::sync::atomic::{AtomicU8, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Standing {
    /// The handle has it.
    Owned,
    /// A supervisor has it.
    Lent,
    /// A supervisor has it, and nobody wants it back.
    LentAndDestroyed,
    /// Nobody has it: it ended with `cb_destroy`. A supervisor has the handle on its list.
    Destroyed,
    /// Nobody has it: it went down with a supervisor's thread, or in a start that panicked.
    Lost,
}

const STANDINGS: [Standing; 5] =
    [Standing::Owned, Standing::Lent, Standing::LentAndDestroyed, Standing::Destroyed, Standing::Lost];

impl Standing {
    /// What to say of a breaker of this name, when it is wanted, and isn't there.
    pub(super) fn failure(self, name: &str) -> Failure {
        let why = match self {
            Self::Owned | Self::Lent | Self::LentAndDestroyed => {
                "is with a supervisor, which owns it: stop that by cb_supervisor_stop first, or use cb_supervisor_lane or cb_supervisor_gate_handle"
            }
            Self::Destroyed => "was destroyed: make a supervisor without it",
            Self::Lost => "went down with a supervisor that panicked: destroy it, and create another",
        };
        Failure::new(CB_STATUS_NOT_NOW, format_args!("{name} {why}"))
    }

    /// Why an owner's function may not be called. (That the breaker was lost is no caller's mistake.)
    #[cfg(feature = "checked")]
    pub(super) fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Owned | Self::Lost => None,
            Self::Lent | Self::LentAndDestroyed => Some("while a supervisor owns it"),
            Self::Destroyed => Some("after cb_destroy"),
        }
    }
}

pub(super) struct AtomicStanding(AtomicU8);

impl AtomicStanding {
    pub(super) const fn new(standing: Standing) -> Self {
        Self(AtomicU8::new(standing as u8))
    }

    pub(super) fn get(&self) -> Standing {
        // Nothing else is ever stored.
        STANDINGS.get(usize::from(self.0.load(Ordering::Acquire))).copied().unwrap_or(Standing::Lost)
    }

    /// False, and nothing is changed, if it isn't `from`.
    pub(super) fn change(&self, from: Standing, to: Standing) -> bool {
        self.0.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
