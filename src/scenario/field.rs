//! What a decoded block is made of: values with their places, and the holes that mistakes leave.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::base::diagnostic::Mark;

/// A value and where it stands. For a value that is exactly `{{ vars.x }}` that is where the var is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub mark: Mark,
    /// The word or name that it is given under; in a list the value itself.
    pub key: Mark,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A word of a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<T> {
    Absent,
    /// Written wrongly, or required and missing: that was said, so say nothing more about it. The place is where it was said.
    Hole(Mark),
    Is(Spanned<T>),
}

impl<T> Field<T> {
    /// The value with its place; `None` where it is absent or a hole.
    pub fn get(&self) -> Option<&Spanned<T>> {
        match self {
            Field::Is(value) => Some(value),
            Field::Absent | Field::Hole(_) => None,
        }
    }

    pub fn value(&self) -> Option<&T> {
        self.get().map(|spanned| &spanned.value)
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    pub fn is_hole(&self) -> bool {
        matches!(self, Field::Hole(_))
    }

    /// Where it is written, rightly or wrongly.
    pub fn written(&self) -> Option<Mark> {
        match self {
            Field::Absent => None,
            Field::Hole(mark) => Some(*mark),
            Field::Is(value) => Some(value.key),
        }
    }
}

/// A list without what was refused in it.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    pub items: Vec<Spanned<T>>,
    /// False when items were refused.
    pub complete: bool,
}

impl<T> Deref for List<T> {
    type Target = [Spanned<T>];

    fn deref(&self) -> &[Spanned<T>] {
        &self.items
    }
}

/// A map whose keys the scenario's author chose, by the rule `R`. A name whose value was refused is still there, as a hole.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T, R = Free> {
    pub entries: Vec<(Spanned<String>, Option<Spanned<T>>)>,
    /// False when whole entries were refused, so that a name that is looked for may have been meant.
    pub complete: bool,
    pub(super) rule: PhantomData<R>,
}

/// Letters, digits, `-` and `_`, beginning with a letter: what is named in the file only.
#[derive(Debug, Clone, PartialEq)]
pub struct Free;

/// `[a-z][a-z0-9_]*`: what templates reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached;

/// Any text: headers, paths, variables of the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyKey;

impl<T, R> Named<T, R> {
    /// The sound entries, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&Spanned<String>, &Spanned<T>)> {
        self.entries.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)))
    }

    /// Every name, also of refused values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.value.as_str())
    }

    pub fn get(&self, name: &str) -> Option<&Spanned<T>> {
        self.entries.iter().find(|(found, _)| found.value == name).and_then(|(_, value)| value.as_ref())
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().any(|found| found == name)
    }
}
