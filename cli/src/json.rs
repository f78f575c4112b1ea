//! What is printed for machines: one JSON object a line.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

pub(crate) struct Json<W>(pub(crate) W);

impl<W: Write> Json<W> {
    pub(crate) fn line(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, line).map_err(io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }
}
