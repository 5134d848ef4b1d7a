use std::ops::Range;

use thiserror::Error;

use super::expression;
use super::lex::{self, Word};
use crate::base::diagnostic::nearest;

/// What is wrong in a template, and which bytes of its text say so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
    pub help: Option<String>,
    pub range: Range<usize>,
}

/// How early a text is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Always: nothing in it is open.
    Constant,
    /// Once the platform runs and is prepared: `vars env secret process link prepare run`.
    Start,
    /// With each visit: rows of feeds, captures, `let`, drawn numbers.
    Visit,
}

/// A function of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helper {
    /// `int(a, b)`: a whole number from a to b, both in it.
    Int,
    /// `pick(list)`: one of it.
    Pick,
    /// `uuid()`: new in every run.
    Uuid,
    /// `seeded_uuid()`: the same in every run.
    SeededUuid,
    /// `now()`: the time as RFC 3339 in UTC; `now('ms')`, `now('s')`: since 1970 as a number.
    Now,
}

pub const HELPERS: [(&str, Helper); 5] = [
    ("int", Helper::Int),
    ("pick", Helper::Pick),
    ("uuid", Helper::Uuid),
    ("seeded_uuid", Helper::SeededUuid),
    ("now", Helper::Now),
];

impl Helper {
    pub(super) fn named(name: &str) -> Option<Helper> {
        HELPERS.iter().find(|(known, _)| *known == name).map(|(_, helper)| *helper)
    }
}

/// MiniJinja's own functions that are of use here.
const FUNCTIONS: [&str; 2] = ["range", "dict"];

/// Roots whose values are known once the platform runs.
const START_ROOTS: [&str; 7] = ["vars", "env", "secret", "process", "link", "prepare", "run"];

/// A use of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `["feed", "sku", "id"]`.
    pub path: Vec<String>,
    /// Bytes of the template's text.
    pub range: Range<usize>,
}

impl Reference {
    pub fn root(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// The inside of one `{{ }}`, trimmed.
    Expression(String),
    /// A whole text with `{% %}`, comments or trimmed white space in it.
    Block(String),
}

/// A parsed text.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) parts: Vec<Part>,
    references: Vec<Reference>,
    helpers: Vec<(Helper, Range<usize>)>,
}

impl Template {
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        let tags = tags(source)?;
        let mut template = Template { parts: Vec::new(), references: Vec::new(), helpers: Vec::new() };
        if tags.iter().any(|tag| !tag.is_plain) {
            let free = expression::free_in_block(source)?;
            for tag in &tags {
                template.read(source, tag.inside.clone(), &free)?;
            }
            template.parts.push(Part::Block(source.to_owned()));
            return Ok(template);
        }
        let mut at = 0;
        for tag in tags {
            template.text(source.get(at..tag.whole.start).unwrap_or_default());
            let inside = source.get(tag.inside.clone()).unwrap_or_default();
            if inside.trim().is_empty() {
                return Err(TemplateError {
                    message: "nothing stands between `{{` and `}}`".to_owned(),
                    help: Some("name a value: `{{ feed.sku.id }}`".to_owned()),
                    range: tag.whole,
                });
            }
            let free = expression::free(inside, tag.inside.start)?;
            template.read(source, tag.inside.clone(), &free)?;
            template.parts.push(Part::Expression(inside.trim().to_owned()));
            at = tag.whole.end;
        }
        template.text(source.get(at..).unwrap_or_default());
        Ok(template)
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::Text(text.to_owned()));
        }
    }

    /// Notes the names inside a tag, of those that are `free`, and refuses unknown functions, filters and tests.
    fn read(&mut self, source: &str, inside: Range<usize>, free: &[String]) -> Result<(), TemplateError> {
        let shift = |range: Range<usize>| inside.start + range.start..inside.start + range.end;
        for word in lex::words(source.get(inside.clone()).unwrap_or_default()) {
            match word {
                Word::Path { segments, range, called } => {
                    let Some(root) = segments.first().filter(|root| free.contains(root)) else { continue };
                    match (Helper::named(root), called && segments.len() == 1) {
                        (Some(helper), true) => self.helpers.push((helper, shift(range))),
                        (Some(_), false) => {
                            return Err(TemplateError {
                                message: format!("`{root}` is a function"),
                                help: Some(format!("call it: `{root}()`")),
                                range: shift(range),
                            });
                        }
                        (None, true) if FUNCTIONS.contains(&root.as_str()) => {}
                        (None, true) => {
                            let known = HELPERS.iter().map(|(name, _)| *name).chain(FUNCTIONS);
                            return Err(unknown("function", root, shift(range), known));
                        }
                        (None, false) => self.references.push(Reference { path: segments, range: shift(range) }),
                    }
                }
                Word::Filter { name, range } if !expression::FILTERS.contains(&name.as_str()) => {
                    return Err(unknown("filter", &name, shift(range), expression::FILTERS));
                }
                Word::Test { name, range } if !expression::TESTS.contains(&name.as_str()) => {
                    return Err(unknown("test", &name, shift(range), expression::TESTS));
                }
                Word::Filter { .. } | Word::Test { .. } => {}
            }
        }
        Ok(())
    }

    /// The names used, in the order written.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The helpers called, in the order written.
    pub fn helpers(&self) -> &[(Helper, Range<usize>)] {
        &self.helpers
    }

    pub fn stage(&self) -> Stage {
        let names = self
            .references
            .iter()
            .map(|name| if START_ROOTS.contains(&name.root()) { Stage::Start } else { Stage::Visit });
        let drawn = (!self.helpers.is_empty()).then_some(Stage::Visit);
        names.chain(drawn).max().unwrap_or(Stage::Constant)
    }

    /// Is the whole text one `{{ … }}`, so that its value keeps its type?
    pub fn is_typed(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Expression(_)])
    }
}

fn unknown<'k>(
    what: &str,
    name: &str,
    range: Range<usize>,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> TemplateError {
    let help = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    TemplateError { message: format!("there is no {what} `{name}` in templates"), help: Some(help), range }
}

struct Tag {
    whole: Range<usize>,
    inside: Range<usize>,
    /// `{{ … }}` that leaves the white space around it alone.
    is_plain: bool,
}

/// Finds `{{ }}`, `{% %}` and `{# #}`.
fn tags(source: &str) -> Result<Vec<Tag>, TemplateError> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source.get(at..).and_then(|rest| rest.find('{')).map(|offset| at + offset) {
        let kind = bytes.get(open + 1).copied().unwrap_or(0);
        let close = match kind {
            // Where brackets do not close, the expression engine says which.
            b'{' => closing(bytes, open + 2, b'}').or_else(|| find(source, open + 2, "}}")),
            b'%' => closing(bytes, open + 2, b'%'),
            b'#' => find(source, open + 2, "#}"),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let Some(close) = close else {
            let opened = source.get(open..open + 2).unwrap_or_default();
            let closed = if kind == b'{' { "}}".to_owned() } else { format!("{}}}", char::from(kind)) };
            return Err(TemplateError {
                message: format!("`{opened}` is not closed"),
                help: Some(format!("close it with `{closed}`")),
                range: open..open + 2,
            });
        };
        let trims =
            matches!(bytes.get(open + 2), Some(b'-' | b'+')) && kind != b'#' || bytes.get(close - 1) == Some(&b'-');
        let inside = match kind {
            // A comment has no names.
            b'#' => close..close,
            _ => open + 2 + usize::from(trims && matches!(bytes.get(open + 2), Some(b'-' | b'+')))..close,
        };
        let inside = inside.start.min(close)..close;
        found.push(Tag { whole: open..close + 2, inside, is_plain: kind == b'{' && !trims });
        at = close + 2;
    }
    Ok(found)
}

fn find(source: &str, from: usize, text: &str) -> Option<usize> {
    source.get(from..).and_then(|rest| rest.find(text)).map(|offset| from + offset)
}

/// Where the tag that begins before `at` is closed, looking past strings and brackets.
fn closing(bytes: &[u8], mut at: usize, kind: u8) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *bytes.get(at)? {
            b'"' | b'\'' => {
                at = lex::skip_string(bytes, at)?;
                continue;
            }
            byte if byte == kind && depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
}
