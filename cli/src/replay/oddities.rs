//! What is odd about a replay.

use crate::warnings::Warnings;
use trip99::Config;
use trip99_logs::replay::{Summary, oddities};

pub(super) use trip99_logs::replay::armed_verdict;

/// Keeps what is odd.
pub(super) fn warn_of_replay(config: &Config, summary: &Summary, warnings: &mut Warnings) {
    oddities(config, summary).for_each(|text| warnings.keep(text));
}
