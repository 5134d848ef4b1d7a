use std::collections::{BTreeMap, HashMap};

use minijinja::value::Value as Engine;
use serde_json::{Map, Value};

use super::expression::{self, Ready, reason};
use super::lex::{self, Word};
use super::parse::{Helper, Part, Template};
use super::render::RenderError;
use super::text::{self, Escape, Moment};

/// The names that templates are bound to: constants by value, `let` and captures by slot, feeds by number.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    constants: BTreeMap<String, Engine>,
    slots: HashMap<String, u32>,
    feeds: Vec<FeedShape>,
    sites: u32,
}

/// What a feed's rows look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedShape {
    pub name: String,
    /// The columns of a table, by which its cells are asked for; none for rows that are one value.
    pub columns: Option<Vec<String>>,
}

impl Scope {
    /// `constants` are the roots known by now: `vars`, `env`, `secret`, `process`, `prepare`, `run` …
    pub fn new(constants: &Map<String, Value>, feeds: Vec<FeedShape>) -> Scope {
        let constants = constants.iter().map(|(name, value)| (name.clone(), expression::to_engine(value))).collect();
        Scope { constants, slots: HashMap::new(), feeds, sites: 0 }
    }

    /// The slot of a bare name, made when it is new. Slots count from 0.
    pub fn slot(&mut self, name: &str) -> u32 {
        let next = self.slots.len() as u32;
        *self.slots.entry(name.to_owned()).or_insert(next)
    }

    /// How many slots a visit needs.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// A number for the next call of a helper: what it draws depends on the order in which templates are bound, and on
    /// nothing else.
    fn site(&mut self) -> u32 {
        self.sites += 1;
        self.sites - 1
    }

    fn feed(&self, name: &str) -> Option<(u32, &FeedShape)> {
        let index = self.feeds.iter().position(|feed| feed.name == name)?;
        Some((index as u32, self.feeds.get(index)?))
    }
}

/// One stretch of a bound text.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Constant(Value),
    /// A slot's value, or what lies in it under `rest`.
    Slot {
        name: String,
        slot: u32,
        rest: Vec<String>,
    },
    Feed {
        name: String,
        feed: u32,
        column: Option<u32>,
        rest: Vec<String>,
    },
    Int {
        site: u32,
        a: i64,
        b: i64,
    },
    Pick {
        site: u32,
        items: Vec<Value>,
    },
    Uuid {
        site: u32,
    },
    SeededUuid {
        site: u32,
    },
    Now(Moment),
    Complex(Box<Complex>),
}

/// What only the expression engine can do, and the names that it needs for it.
#[derive(Debug)]
pub(super) struct Complex {
    pub(super) source: String,
    pub(super) ready: Ready,
    pub(super) constants: BTreeMap<String, Engine>,
    pub(super) slots: Vec<(String, u32)>,
    pub(super) feeds: Vec<(u32, FeedShape)>,
    /// Set when helpers are called in it.
    pub(super) site: Option<u32>,
}

/// A template whose names have found their places.
#[derive(Debug)]
pub struct Bound {
    pub(super) pieces: Vec<Piece>,
    pub(super) is_typed: bool,
}

impl Template {
    /// Binds every name; what is constant in `scope` is folded. Refuses names that `scope` does not know.
    pub fn bind(&self, scope: &mut Scope) -> Result<Bound, RenderError> {
        let mut bound = Bound { pieces: Vec::new(), is_typed: self.is_typed() };
        for part in &self.parts {
            let piece = match part {
                Part::Text(text) => Piece::Text(text.clone().into_bytes()),
                Part::Expression(source) => self.bind_expression(source, scope)?,
                Part::Block(source) => self.bind_block(source, scope)?,
            };
            bound.push(piece);
        }
        Ok(bound)
    }

    /// The text, where all of its names are constant in `scope`.
    pub fn settle(&self, scope: &mut Scope) -> Result<String, RenderError> {
        let bound = self.bind(scope)?;
        match bound.constant() {
            Some(text) => Ok(text),
            None => {
                Err(RenderError::Late { names: self.references().iter().map(|name| name.path.join(".")).collect() })
            }
        }
    }

    fn bind_block(&self, source: &str, scope: &mut Scope) -> Result<Piece, RenderError> {
        let roots = self.references().iter().map(|name| name.path.clone()).collect();
        let drawn = !self.helpers().is_empty();
        complex(source, Ready::Block(source.to_owned()), roots, drawn, scope)
    }

    fn bind_expression(&self, source: &str, scope: &mut Scope) -> Result<Piece, RenderError> {
        let failed =
            |why: &minijinja::Error| RenderError::Failed { expression: source.to_owned(), reason: reason(why) };
        let words = lex::words(source);
        if let [Word::Path { segments, range, called }] = words.as_slice()
            && *range == (0..source.len())
            && !called
            && let Some(piece) = simple(segments, scope)
        {
            return Ok(piece);
        }
        if let Some(piece) = call(source, scope)? {
            return Ok(piece);
        }
        let free = expression::free(source, 0)
            .map_err(|error| RenderError::Failed { expression: source.to_owned(), reason: error.message })?;
        let mut drawn = false;
        let mut roots = Vec::new();
        for word in words {
            if let Word::Path { segments, called, .. } = word
                && segments.first().is_some_and(|root| free.contains(root))
            {
                if called && segments.len() == 1 {
                    drawn |= segments.first().and_then(|name| Helper::named(name)).is_some();
                } else {
                    roots.push(segments);
                }
            }
        }
        let ready = expression::ready(source).map_err(|error| failed(&error))?;
        complex(source, ready, roots, drawn, scope)
    }
}

/// `a.b.c` of a slot or a feed; none when the engine must look at it.
fn simple(path: &[String], scope: &Scope) -> Option<Piece> {
    let (root, rest) = path.split_first()?;
    let name = path.join(".");
    if root == "feed" && !scope.constants.contains_key("feed") {
        let (feed_name, rest) = rest.split_first()?;
        let (feed, shape) = scope.feed(feed_name)?;
        return match &shape.columns {
            None => Some(Piece::Feed { name, feed, column: None, rest: rest.to_vec() }),
            Some(columns) => {
                let (column, rest) = rest.split_first()?;
                let column = columns.iter().position(|known| known == column)? as u32;
                Some(Piece::Feed { name, feed, column: Some(column), rest: rest.to_vec() })
            }
        };
    }
    let slot = *scope.slots.get(root)?;
    Some(Piece::Slot { name, slot, rest: rest.to_vec() })
}

/// A single call of a helper whose arguments are constant by now.
fn call(source: &str, scope: &mut Scope) -> Result<Option<Piece>, RenderError> {
    let Some((name, rest)) = source.split_once('(') else { return Ok(None) };
    let (Some(helper), Some(inside)) = (Helper::named(name.trim()), rest.strip_suffix(')')) else { return Ok(None) };
    let mut values = Vec::new();
    for argument in lex::arguments(inside) {
        // A wrong reading of brackets shows here, too: then the engine decides what it means.
        let Ok(free) = expression::free(argument, 0) else { return Ok(None) };
        if !free.iter().all(|root| scope.constants.contains_key(root)) {
            return Ok(None);
        }
        let names = scope.constants.iter().filter(|(name, _)| free.contains(name));
        let names = names.map(|(name, value)| (name.clone(), value.clone())).collect();
        let ready = expression::ready(argument.trim());
        let value = ready.and_then(|ready| expression::evaluate(&ready, names));
        values.push(
            value.map_err(|error| RenderError::Failed { expression: source.to_owned(), reason: reason(&error) })?,
        );
    }
    let wrong = |takes: &str| RenderError::Failed {
        expression: source.to_owned(),
        reason: format!("{} takes {takes}", name.trim()),
    };
    let piece = match (helper, values.as_slice()) {
        (Helper::Int, [a, b]) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Piece::Int { site: scope.site(), a, b },
            _ => return Err(wrong("two whole numbers")),
        },
        (Helper::Int, _) => return Err(wrong("two whole numbers: int(1, 50)")),
        (Helper::Pick, [Value::Array(items)]) if !items.is_empty() => {
            Piece::Pick { site: scope.site(), items: items.clone() }
        }
        (Helper::Pick, _) => return Err(wrong("one list with something in it: pick(['a', 'b'])")),
        (Helper::Uuid, []) => Piece::Uuid { site: scope.site() },
        (Helper::SeededUuid, []) => Piece::SeededUuid { site: scope.site() },
        (Helper::Uuid | Helper::SeededUuid, _) => return Err(wrong("nothing")),
        (Helper::Now, arguments) => {
            let unit = match arguments {
                [] => Moment::of(None),
                [Value::String(unit)] => Moment::of(Some(unit)),
                _ => None,
            };
            Piece::Now(unit.ok_or_else(|| wrong("'ms', 's' or nothing"))?)
        }
    };
    Ok(Some(piece))
}

fn complex(
    source: &str,
    ready: Ready,
    paths: Vec<Vec<String>>,
    drawn: bool,
    scope: &mut Scope,
) -> Result<Piece, RenderError> {
    let mut complex = Complex {
        source: source.to_owned(),
        ready,
        constants: BTreeMap::new(),
        slots: Vec::new(),
        feeds: Vec::new(),
        site: None,
    };
    for path in paths {
        let Some(root) = path.first() else { continue };
        let unknown = || RenderError::Unknown { name: path.join(".") };
        if let Some(value) = scope.constants.get(root) {
            complex.constants.insert(root.clone(), value.clone());
        } else if root == "feed" {
            let (feed, shape) = path.get(1).and_then(|name| scope.feed(name)).ok_or_else(unknown)?;
            if !complex.feeds.iter().any(|(known, _)| *known == feed) {
                complex.feeds.push((feed, shape.clone()));
            }
        } else {
            let slot = *scope.slots.get(root).ok_or_else(unknown)?;
            if !complex.slots.iter().any(|(_, known)| *known == slot) {
                complex.slots.push((root.clone(), slot));
            }
        }
    }
    if drawn {
        complex.site = Some(scope.site());
    } else if complex.slots.is_empty() && complex.feeds.is_empty() {
        let value = expression::evaluate(&complex.ready, complex.constants);
        let failed = |error| RenderError::Failed { expression: source.to_owned(), reason: reason(&error) };
        return value.map(Piece::Constant).map_err(failed);
    }
    Ok(Piece::Complex(Box::new(complex)))
}

impl Bound {
    /// Puts constants into the text before them, unless the type of the only one matters.
    fn push(&mut self, piece: Piece) {
        let text = match &piece {
            Piece::Text(text) => text.clone(),
            Piece::Constant(value) if !self.is_typed => {
                let mut text = Vec::new();
                text::write_value(value, Escape::None, &mut text);
                text
            }
            _ => return self.pieces.push(piece),
        };
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.extend_from_slice(&text),
            _ => self.pieces.push(Piece::Text(text)),
        }
    }

    /// The text, when it is the same for every visit.
    pub fn constant(&self) -> Option<String> {
        match self.pieces.as_slice() {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(String::from_utf8_lossy(text).into_owned()),
            [Piece::Constant(value)] => {
                let mut text = Vec::new();
                text::write_value(value, Escape::None, &mut text);
                Some(String::from_utf8_lossy(&text).into_owned())
            }
            _ => None,
        }
    }

    /// The value, when it is the same for every visit.
    pub fn constant_value(&self) -> Option<Value> {
        match self.pieces.as_slice() {
            [Piece::Constant(value)] => Some(value.clone()),
            _ => self.constant().map(Value::String),
        }
    }
}
