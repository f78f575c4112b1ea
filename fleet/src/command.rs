//! The command's parts.

pub mod halts;
pub mod look;
pub mod halt;
pub mod resume;
pub mod status;
pub mod history;
pub mod keys;
pub mod release;
