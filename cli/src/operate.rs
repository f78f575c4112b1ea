//! Commands for operators: on pages in files, of breakers that belong to other processes.

mod tell;
mod which;
pub(crate) mod ls;
pub(crate) mod status;
pub(crate) mod events;
mod who;
mod halting;
mod flat;
pub(crate) mod halt;
mod lifting;
mod asking;
pub(crate) mod resume;
pub(crate) mod wait;
pub(crate) mod forget;
pub(crate) mod drill;
pub(crate) mod top;
