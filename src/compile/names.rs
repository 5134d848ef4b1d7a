//! The names of one kind of thing, and which was meant.

use super::context::Cx;
use crate::base::diagnostic::{Diagnostic, Mark, nearest};
use crate::scenario::{Field, Named, Spanned};

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// As messages call it: `journey`.
    what: &'static str,
    list: Vec<(String, Mark)>,
    /// False when something was refused among them, so that a name that is not here may have been meant.
    whole: bool,
}

impl Names {
    pub(super) fn new(what: &'static str) -> Names {
        Names { what, list: Vec::new(), whole: true }
    }

    /// Every name of `map`, in its order, also of refused values.
    pub(super) fn of<T, R>(what: &'static str, field: &Field<Named<T, R>>) -> Names {
        let mut names = Names::new(what);
        names.whole = !field.is_hole();
        if let Some(map) = field.value() {
            names.whole &= map.complete;
            names.list = map.entries.iter().map(|(name, _)| (name.value.clone(), name.mark)).collect();
        }
        names
    }

    /// Adds a name; the place of the first of that name when it is taken.
    pub(super) fn add(&mut self, name: &str, mark: Mark) -> Result<usize, Mark> {
        match self.list.iter().find(|(known, _)| known == name) {
            Some((_, first)) => Err(*first),
            None => {
                self.list.push((name.to_owned(), mark));
                Ok(self.list.len() - 1)
            }
        }
    }

    pub(super) fn lacks(&mut self) {
        self.whole = false;
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|(known, _)| known == name)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn mark(&self, index: usize) -> Option<Mark> {
        self.list.get(index).map(|(_, mark)| *mark)
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |(name, _)| name)
    }

    /// The index of `name`; says that there is none.
    pub(super) fn find(&self, name: &Spanned<String>, cx: &mut Cx<'_>) -> Option<usize> {
        let found = self.get(&name.value);
        if found.is_none() {
            self.unknown(&name.value, name.mark, cx);
        }
        found
    }

    /// Says that there is no `name`, unless it may have been refused.
    pub(super) fn unknown(&self, name: &str, mark: Mark, cx: &mut Cx<'_>) {
        if !self.whole {
            cx.broken = true;
            return;
        }
        let what = self.what;
        if !cx.first_miss(what, name) {
            return;
        }
        let unknown = Diagnostic::error("unknown-name", mark, format!("there is no {what} `{name}`"));
        cx.say(unknown.help(self.hint(name)));
    }

    pub(super) fn hint(&self, name: &str) -> String {
        match nearest(name, self.iter()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if self.list.is_empty() => format!("the scenario has no {}", self.what),
            None => {
                let mut known: Vec<&str> = self.iter().take(12).collect();
                if self.list.len() > known.len() {
                    known.push("…");
                }
                format!("there are: {}", known.join(", "))
            }
        }
    }
}
