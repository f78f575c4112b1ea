//! What happened, for machines.

use super::source::{Item, Told};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::json;
use serde_json::{Value, json};
use std::io::Write;

/// Prints what happened, as it comes.
pub(super) trait Print {
    fn begin(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    fn told(&mut self, told: &Told) -> Result<(), Failure>;
    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<W: Write> Print for Json<W> {
    fn told(&mut self, told: &Told) -> Result<(), Failure> {
        let mut line = match &told.item {
            Item::Event { event, logged, .. } => json::event(event, logged.as_ref()),
            Item::Logged { number, logged, .. } => json::unjournaled(*number, logged),
            Item::Missed(count) => json!({ "missed": count }),
            Item::Note(what) => json!({ "page": what }),
        };
        if let Value::Object(fields) = &mut line {
            fields.insert("name".to_owned(), Value::String(told.page.clone()));
        }
        self.line(&line)
    }
}
