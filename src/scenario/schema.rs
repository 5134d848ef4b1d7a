//! The JSON Schema of the language, draft 2020-12, out of the definitions that decoders are made from.

use serde_json::{Map, Value, json};

use super::decode::Raw;
use super::words::Scenario;

/// The parts that a schema refers to by name.
#[derive(Default)]
pub(crate) struct Defs {
    made: Map<String, Value>,
}

impl Defs {
    /// A reference to `name`, which `make` describes when it is met for the first time.
    pub(crate) fn define(&mut self, name: &str, make: impl FnOnce(&mut Defs) -> Value) -> Value {
        if !self.made.contains_key(name) {
            // Named before it is made, since steps hold steps.
            self.made.insert(name.to_owned(), Value::Null);
            let made = make(self);
            self.made.insert(name.to_owned(), made);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }
}

impl Defs {
    pub(crate) fn take(&mut self, name: &str) -> Value {
        self.made.shift_remove(name).unwrap_or_default()
    }

    pub(crate) fn absorb(&mut self, other: Defs) {
        self.made.extend(other.made);
    }
}

/// `schema`, or a text that vars alone make up: its value is known before anything is read out of it.
pub(crate) fn or_var(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": r"\{\{\s*vars\.[a-z][a-z0-9_]*\s*\}\}" }] })
}

/// The schema that editors complete from and that `peakdrill schema` prints.
pub fn schema() -> Value {
    let mut defs = Defs::default();
    let root = Scenario::schema(&mut defs);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A peakdrill scenario, version 1",
    });
    schema["$ref"] = root["$ref"].clone();
    schema["$defs"] = Value::Object(defs.made);
    schema
}
