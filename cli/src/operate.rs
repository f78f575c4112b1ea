//! Commands for operators: on pages in files, of breakers that belong to other processes.

pub(crate) mod ls;
pub(crate) mod status;
pub(crate) mod events;
mod tell;
pub(crate) mod halt;
pub(crate) mod resume;
