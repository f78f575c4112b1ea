//! What stands for a link without the feature `shm`: there is nobody beyond the process to tell anything.

use crate::config::State;

#[derive(Default)]
pub(crate) struct Link;

impl Link {
    pub(crate) const fn is_owners(&self) -> bool {
        true
    }

    pub(crate) fn end_gate(&mut self) -> bool {
        false
    }

    pub(crate) const fn has_mirror(&self) -> bool {
        false
    }

    pub(crate) fn seal(&self, _state: State, _events: u64) {}

    #[inline]
    pub(crate) fn entered(&mut self, _latency_ns: u64, _window_len: usize) {}

    #[inline]
    pub(crate) fn replaced(&mut self, _latency_ns: u64) {}

    #[inline]
    pub(crate) fn left(&mut self, _window_len: usize) {}

    pub(crate) fn opening(&self, _attempt: u32, _pause_ns: u64) {}

    pub(crate) fn ends_in_no_pause(&self) {}

    pub(crate) fn set_openings(&self, _openings: u32) {}

    pub(crate) fn journaled(&self, _entry: u64) {}

    pub(crate) fn beat(&self) {}
}
