use serde_json::Value;

use super::bind::{Bound, Scope};
use super::parse::Template;
use super::render::{RenderError, Visit};
use super::text;

#[derive(Debug)]
enum Piece {
    Raw(Vec<u8>),
    Value(Bound),
}

/// A JSON document with templates in its strings, cut into constant bytes and open values once.
#[derive(Debug)]
pub struct BoundJson(Vec<Piece>);

impl BoundJson {
    /// Every string of `document` (keys left alone) is a template; one that is exactly `{{ … }}` keeps the type of its value.
    pub fn bind(document: &Value, scope: &mut Scope) -> Result<BoundJson, RenderError> {
        let mut bound = BoundJson(Vec::new());
        bound.add(document, scope)?;
        Ok(bound)
    }

    fn raw(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0.last(), Some(Piece::Raw(_))) {
            self.0.push(Piece::Raw(Vec::new()));
        }
        match self.0.last_mut() {
            Some(Piece::Raw(bytes)) => bytes,
            _ => unreachable!("the last piece is raw: it was made so above"),
        }
    }

    fn add(&mut self, document: &Value, scope: &mut Scope) -> Result<(), RenderError> {
        match document {
            Value::String(source) => {
                let template = Template::parse(source)
                    .map_err(|error| RenderError::Failed { expression: source.clone(), reason: error.message })?;
                let bound = template.bind(scope)?;
                match bound.constant_value() {
                    Some(value) => text::write_as_json(&value, self.raw()),
                    None => self.0.push(Piece::Value(bound)),
                }
            }
            Value::Array(items) => {
                self.raw().push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.raw().push(b',');
                    }
                    self.add(item, scope)?;
                }
                self.raw().push(b']');
            }
            Value::Object(map) => {
                self.raw().push(b'{');
                for (index, (key, item)) in map.iter().enumerate() {
                    if index > 0 {
                        self.raw().push(b',');
                    }
                    text::write_as_json(&Value::String(key.clone()), self.raw());
                    self.raw().push(b':');
                    self.add(item, scope)?;
                }
                self.raw().push(b'}');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => text::write_as_json(document, self.raw()),
        }
        Ok(())
    }

    /// The bytes, when they are the same for every visit.
    pub fn constant(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [Piece::Raw(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Appends the document.
    pub fn render(&self, visit: &Visit<'_>, out: &mut Vec<u8>) -> Result<(), RenderError> {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Raw(bytes) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Piece::Value(bound) => bound.render_json(visit, out),
        })
    }

    /// The document as a value, to be compared with another.
    pub fn value(&self, visit: &Visit<'_>) -> Result<Value, RenderError> {
        if let [Piece::Value(bound)] = self.0.as_slice() {
            return bound.value(visit);
        }
        let mut out = Vec::new();
        self.render(visit, &mut out)?;
        let failed =
            |error: serde_json::Error| RenderError::Failed { expression: "json".to_owned(), reason: error.to_string() };
        serde_json::from_slice(&out).map_err(failed)
    }
}
