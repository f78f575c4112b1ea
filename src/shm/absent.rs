//! Without the feature `shm`: nobody beyond the process to tell anything.

use crate::config::State;

pub(crate) struct Link;

impl Link {
    pub(crate) const fn none() -> Self {
        Self
    }

    pub(crate) const fn is_none(&self) -> bool {
        true
    }

    pub(crate) const fn is_here(&self) -> bool {
        false
    }

    pub(crate) fn seal(&self, _state: State, _events: u64) {}

    #[inline]
    pub(crate) fn entered(&mut self, _latency_ns: u64, _window_len: usize) {}

    #[inline]
    pub(crate) fn left(&mut self, _window_len: usize) {}

    pub(crate) fn opening(&self, _attempt: u32) {}

    pub(crate) fn beat(&self) {}

    pub(crate) fn take_restart(&mut self) -> Option<State> {
        None
    }
}
