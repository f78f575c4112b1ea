//! Commands for operators: on pages in files, of breakers that belong to other processes.

mod tell;
mod which;
pub(crate) mod ls;
pub(crate) mod status;
pub(crate) mod events;
mod who;
pub(crate) mod halt;
mod lifting;
pub(crate) mod resume;
