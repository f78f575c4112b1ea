//! JSON is as `docs/schema/` says.

use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Made once: that takes longer than to use one.
static SCHEMAS: Mutex<Option<HashMap<String, Arc<jsonschema::Validator>>>> = Mutex::new(None);

fn schema(name: &str) -> Arc<jsonschema::Validator> {
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Arc::new(jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap())
    };
    schemas.get_or_insert_default().entry(name.to_owned()).or_insert_with(make).clone()
}

/// Which schema a command's output has.
pub(crate) fn of(command: &str) -> &str {
    match command {
        "ls" | "status" | "wait" => "page",
        other => other,
    }
}

pub(crate) fn check(name: &str, value: &Value) {
    schema(name)
        .validate(value)
        .unwrap_or_else(|error| panic!("{name}: {error} at {}: {value}", error.instance_path()));
}
