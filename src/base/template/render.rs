use std::collections::BTreeMap;
use std::io::Write;

use minijinja::value::Value as Engine;
use serde_json::Value;
use thiserror::Error;

use super::bind::{Bound, Complex, FeedShape, Piece};
use super::expression::{self, reason};
use super::text::{self, Escape};
use crate::base::rng::{Key, Purpose, Stream, Uuid};

/// Why a template gave no text. It counts as a failure of the visit's step, like any other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    #[error("`{name}` has no value here")]
    Missing { name: String },
    #[error("there is no `{name}` here")]
    Unknown { name: String },
    #[error("`{expression}`: {reason}")]
    Failed { expression: String, reason: String },
    #[error("this text must be known before the load begins, and uses {}", names.join(", "))]
    Late { names: Vec<String> },
}

/// A value in a feed's row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Int(i64),
    Text(&'a str),
    Json(&'a Value),
}

impl Cell<'_> {
    fn to_value(self) -> Value {
        match self {
            Cell::Int(number) => Value::from(number),
            Cell::Text(text) => Value::String(text.to_owned()),
            Cell::Json(value) => value.clone(),
        }
    }
}

/// The rows that a visit was given.
pub trait Rows {
    /// What stands in the row of `feed` (in the order given to the scope), under `column` of its shape's; none when the
    /// visit has no row of it.
    fn cell(&self, feed: u32, column: Option<u32>) -> Option<Cell<'_>>;
}

/// For texts that reach no feed.
#[derive(Debug, Clone, Copy)]
pub struct NoRows;

impl Rows for NoRows {
    fn cell(&self, _: u32, _: Option<u32>) -> Option<Cell<'_>> {
        None
    }
}

/// All that a visit's texts depend on.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    pub key: Key,
    /// [`run_word`](crate::base::rng::run_word) of the run, for `uuid()`.
    pub run: u64,
    /// Counts the uses of one text by one visit: the turn of `repeat`.
    pub turn: u64,
    /// What `let` and captures have made, by the scope's slots.
    pub slots: &'a [Option<Value>],
    pub rows: &'a dyn Rows,
    /// Nanoseconds since 1970.
    pub now: &'a dyn Fn() -> u64,
}

impl Visit<'_> {
    fn seeded(&self, site: u32) -> Stream {
        self.key.stream(Purpose::Template(site), self.turn)
    }

    fn fresh(&self, site: u32) -> Stream {
        Key { seed: self.key.seed ^ self.run, ..self.key }.stream(Purpose::Template(site), self.turn)
    }

    fn slot(&self, name: &str, slot: u32, rest: &[String]) -> Result<&Value, RenderError> {
        let value = self.slots.get(slot as usize).and_then(Option::as_ref);
        value.and_then(|value| inner(value, rest)).ok_or_else(|| RenderError::Missing { name: name.to_owned() })
    }

    fn cell(&self, name: &str, feed: u32, column: Option<u32>, rest: &[String]) -> Result<Cell<'_>, RenderError> {
        let missing = || RenderError::Missing { name: name.to_owned() };
        let cell = self.rows.cell(feed, column).ok_or_else(missing)?;
        match cell {
            _ if rest.is_empty() => Ok(cell),
            Cell::Json(value) => inner(value, rest).map(Cell::Json).ok_or_else(missing),
            _ => Err(missing()),
        }
    }
}

/// What lies in `value` under the names of `path`.
fn inner<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

impl Bound {
    /// Appends the text to `out`; what is not constant is escaped.
    pub fn render(&self, visit: &Visit<'_>, escape: Escape, out: &mut Vec<u8>) -> Result<(), RenderError> {
        self.pieces.iter().try_for_each(|piece| piece.write(visit, escape, out))
    }

    /// The value: of its own type when the whole text is one `{{ … }}`, else a string.
    pub fn value(&self, visit: &Visit<'_>) -> Result<Value, RenderError> {
        if self.is_typed
            && let [piece] = self.pieces.as_slice()
        {
            return piece.value(visit);
        }
        let mut out = Vec::new();
        self.render(visit, Escape::None, &mut out)?;
        // Only whole strings have been written.
        Ok(Value::String(String::from_utf8(out).unwrap_or_default()))
    }

    /// Does the value hold, as a condition? Not: false, null, 0, and what is empty.
    pub fn holds(&self, visit: &Visit<'_>) -> Result<bool, RenderError> {
        Ok(match self.value(visit)? {
            Value::Null => false,
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
        })
    }

    /// Appends the value as JSON.
    pub(super) fn render_json(&self, visit: &Visit<'_>, out: &mut Vec<u8>) -> Result<(), RenderError> {
        match self.pieces.as_slice() {
            [piece] if self.is_typed => piece.write_json(visit, out),
            _ => {
                out.push(b'"');
                self.render(visit, Escape::Json, out)?;
                out.push(b'"');
                Ok(())
            }
        }
    }
}

impl Piece {
    fn write(&self, visit: &Visit<'_>, escape: Escape, out: &mut Vec<u8>) -> Result<(), RenderError> {
        match self {
            Piece::Text(text) if escape == Escape::Json => {
                text::write_str(std::str::from_utf8(text).unwrap_or_default(), escape, out);
            }
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Constant(value) => text::write_value(value, escape, out),
            Piece::Slot { name, slot, rest } => text::write_value(visit.slot(name, *slot, rest)?, escape, out),
            Piece::Feed { name, feed, column, rest } => match visit.cell(name, *feed, *column, rest)? {
                Cell::Int(number) => digits(number, out),
                Cell::Text(found) => text::write_str(found, escape, out),
                Cell::Json(value) => text::write_value(value, escape, out),
            },
            Piece::Int { site, a, b } => digits(visit.seeded(*site).int(*a, *b), out),
            Piece::Pick { site, items } => {
                if let Some(item) = pick(items, visit, *site) {
                    text::write_value(item, escape, out);
                }
            }
            Piece::Uuid { site } => out.extend_from_slice(&Uuid::draw(&mut visit.fresh(*site)).text()),
            Piece::SeededUuid { site } => out.extend_from_slice(&Uuid::draw(&mut visit.seeded(*site)).text()),
            Piece::Now(moment) => text::write_value(&moment.value((visit.now)()), escape, out),
            Piece::Complex(complex) => text::write_value(&complex.value(visit)?, escape, out),
        }
        Ok(())
    }

    fn write_json(&self, visit: &Visit<'_>, out: &mut Vec<u8>) -> Result<(), RenderError> {
        let mut quoted = |text: &[u8]| {
            out.push(b'"');
            out.extend_from_slice(text);
            out.push(b'"');
        };
        match self {
            Piece::Constant(value) => text::write_as_json(value, out),
            Piece::Slot { name, slot, rest } => text::write_as_json(visit.slot(name, *slot, rest)?, out),
            Piece::Feed { name, feed, column, rest } => match visit.cell(name, *feed, *column, rest)? {
                Cell::Int(number) => digits(number, out),
                Cell::Text(found) => {
                    out.push(b'"');
                    text::write_str(found, Escape::Json, out);
                    out.push(b'"');
                }
                Cell::Json(value) => text::write_as_json(value, out),
            },
            Piece::Int { .. } => self.write(visit, Escape::None, out)?,
            Piece::Uuid { site } => quoted(&Uuid::draw(&mut visit.fresh(*site)).text()),
            Piece::SeededUuid { site } => quoted(&Uuid::draw(&mut visit.seeded(*site)).text()),
            _ => text::write_as_json(&self.value(visit)?, out),
        }
        Ok(())
    }

    fn value(&self, visit: &Visit<'_>) -> Result<Value, RenderError> {
        Ok(match self {
            Piece::Constant(value) => value.clone(),
            Piece::Slot { name, slot, rest } => visit.slot(name, *slot, rest)?.clone(),
            Piece::Feed { name, feed, column, rest } => visit.cell(name, *feed, *column, rest)?.to_value(),
            Piece::Int { site, a, b } => Value::from(visit.seeded(*site).int(*a, *b)),
            Piece::Pick { site, items } => pick(items, visit, *site).cloned().unwrap_or_default(),
            Piece::Now(moment) => moment.value((visit.now)()),
            Piece::Complex(complex) => complex.value(visit)?,
            Piece::Text(_) | Piece::Uuid { .. } | Piece::SeededUuid { .. } => {
                let mut out = Vec::new();
                self.write(visit, Escape::None, &mut out)?;
                Value::String(String::from_utf8(out).unwrap_or_default())
            }
        })
    }
}

fn digits(number: i64, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{number}");
}

fn pick<'i>(items: &'i [Value], visit: &Visit<'_>, site: u32) -> Option<&'i Value> {
    let index = visit.seeded(site).below(items.len() as u64);
    items.get(usize::try_from(index).unwrap_or(0))
}

impl Complex {
    fn value(&self, visit: &Visit<'_>) -> Result<Value, RenderError> {
        let mut names = self.constants.clone();
        for (name, slot) in &self.slots {
            // One that was not made stays undefined: `is defined` may ask for it.
            if let Some(value) = visit.slots.get(*slot as usize).and_then(Option::as_ref) {
                names.insert(name.clone(), expression::to_engine(value));
            }
        }
        if !self.feeds.is_empty() {
            let rows = self.feeds.iter().map(|(feed, shape)| (shape.name.clone(), row(visit, *feed, shape)));
            names.insert("feed".to_owned(), Engine::from(rows.collect::<BTreeMap<String, Engine>>()));
        }
        if let Some(site) = self.site {
            expression::helpers(&mut names, visit.seeded(site), visit.fresh(site), (visit.now)());
        }
        expression::evaluate(&self.ready, names)
            .map_err(|error| RenderError::Failed { expression: self.source.clone(), reason: reason(&error) })
    }
}

fn row(visit: &Visit<'_>, feed: u32, shape: &FeedShape) -> Engine {
    let cell = |column| visit.rows.cell(feed, column).map(|cell| expression::to_engine(&cell.to_value()));
    match &shape.columns {
        None => cell(None).unwrap_or_default(),
        Some(columns) => {
            let cells = columns.iter().zip(0u32..).filter_map(|(name, index)| Some((name.clone(), cell(Some(index))?)));
            Engine::from(cells.collect::<BTreeMap<String, Engine>>())
        }
    }
}
