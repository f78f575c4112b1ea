//! What is odd about settings or a log: told on standard error, and kept for a report in JSON.

use crate::failure::warn;
use std::fmt::Display;

#[derive(Default)]
pub(crate) struct Warnings {
    texts: Vec<String>,
    /// So many of them were told.
    told: usize,
}

impl Warnings {
    /// Tells of something, at once.
    pub(crate) fn tell(&mut self, warning: impl Display) {
        self.keep(warning);
        self.tell_all();
    }

    /// Keeps it until [`tell_all`](Self::tell_all), so that it comes below the report.
    pub(crate) fn keep(&mut self, warning: impl Display) {
        self.texts.push(warning.to_string());
    }

    /// Tells of what wasn't told yet.
    pub(crate) fn tell_all(&mut self) {
        self.texts.iter().skip(self.told).for_each(warn);
        self.told = self.texts.len();
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}
