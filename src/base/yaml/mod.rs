//! YAML text to a tree in which every node knows its place. The only room that names a YAML parser.
//!
//! Strict on purpose: one document; no anchors, aliases, merge keys or tags; text keys, each once; no tabs before a line;
//! LF, UTF-8 without a byte order mark. What breaks a rule is said once, at its place, and leaves a hole in the tree, so
//! that nothing that follows from it is said as well.
//!
//! Leaves to others: what keys and values mean (`scenario`), reading files (`cli`).

mod build;
mod check;
mod scalar;
mod syntax;

use super::diagnostic::{Diagnostic, Mark, SourceId, Sources};

pub use scalar::{Scalar, ScalarKind};

/// The largest file that is read: far above any scenario, far below what would hurt.
pub const MAX_BYTES: usize = 4 << 20;

/// How deep maps and lists may nest.
pub const MAX_DEPTH: usize = 100;

/// How many mistakes are said before reading is given up.
pub const MAX_SAID: usize = 1_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub mark: Mark,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Something stands here that was refused already; nothing more is to be said about it.
    Hole,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub text: String,
    pub mark: Mark,
}

/// Entries in the order written, every key once.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    pub entries: Vec<(Key, Node)>,
    /// False when an entry was refused: a key that seems to be missing may have been meant.
    pub complete: bool,
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(found, _)| found.text == key).map(|(_, node)| node)
    }
}

impl Node {
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn is_hole(&self) -> bool {
        matches!(self.kind, Kind::Hole)
    }

    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null)
    }

    /// What stands here, in the words of a message: `a list`, `the number 5`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Hole => "something refused".to_owned(),
            Kind::Scalar(scalar) => scalar.describe(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }
}

/// Reads `bytes` (of the file `name`) into a tree. The tree is `None` when the text is no YAML at all or empty; the
/// mistakes say why. A tree may come with mistakes: it has holes then.
pub fn read(sources: &mut Sources, name: &str, bytes: &[u8]) -> (SourceId, Option<Node>, Vec<Diagnostic>) {
    let (source, refused) = check::admit(sources, name, bytes);
    if let Some(refused) = refused {
        return (source, None, vec![refused]);
    }
    let (node, found) = build::build(source, sources.text(source));
    (source, node, found)
}

#[cfg(test)]
mod tests;
