//! What a line says.

use super::position::Step;
use super::utc::{self, Known};
use crate::labels::PageLabels;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The page that a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) path: String,
    /// The boot, the device and the inode of its file: a page that is made anew at the same place is another one.
    pub(crate) id: String,
    pub(crate) labels: PageLabels,
}

/// What is to be recorded.
pub(crate) struct Item {
    pub(crate) kind: &'static str,
    /// When it happened, by the system clock; `None` = when it is recorded.
    pub(crate) wall_ns: Option<u64>,
    pub(crate) page: Option<Arc<Page>>,
    pub(crate) step: Option<Step>,
    pub(crate) fields: Map<String, Value>,
}

impl Item {
    /// A line about the recording itself.
    pub(crate) fn own(kind: &'static str, fields: Value) -> Self {
        Self { kind, wall_ns: None, page: None, step: None, fields: object(fields) }
    }

    pub(crate) fn of_page(page: &Arc<Page>, kind: &'static str, fields: Value) -> Self {
        Self { page: Some(Arc::clone(page)), ..Self::own(kind, fields) }
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

/// When lines are recorded.
pub(crate) struct Moment {
    pub(crate) wall_ns: u64,
    pub(crate) known: Option<Known>,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { wall_ns: utc::now_ns(), known: Known::now() }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    utc: String,
    recorded_utc: String,
    clock: Option<Known>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a Page>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// A line, without its place in the chain.
pub(crate) fn body(item: &Item, moment: &Moment) -> String {
    let line = Line {
        kind: item.kind,
        utc: utc::text(item.wall_ns.unwrap_or(moment.wall_ns)),
        recorded_utc: utc::text(moment.wall_ns),
        clock: moment.known,
        page: item.page.as_deref(),
        fields: &item.fields,
    };
    // It is made of texts and numbers, which can be written.
    serde_json::to_string(&line).unwrap_or_default()
}
