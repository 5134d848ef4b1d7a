//! What compiling gathers: mistakes, origins, and whether a hole was met.

use std::collections::HashSet;
use std::fmt::Display;

use super::origin::{From, Origin};
use crate::base::diagnostic::{Diagnostic, Mark, Sources};
use crate::scenario::{Field, List, Named, Spanned};

pub(super) struct Cx<'s> {
    pub(super) sources: &'s mut Sources,
    pub(super) found: Vec<Diagnostic>,
    /// Something was refused before: no plan can come of this.
    pub(super) broken: bool,
    pub(super) origins: Vec<Origin>,
    /// Names that are not there and were said: one that is misspelt where it is given would be missed everywhere.
    missed: HashSet<(&'static str, String)>,
    /// The profile laid over the file, and where it stands.
    profile: Option<(String, Mark)>,
}

impl<'s> Cx<'s> {
    pub(super) fn new(sources: &'s mut Sources, profile: Option<(String, Mark)>) -> Cx<'s> {
        Cx { sources, found: Vec::new(), broken: false, origins: Vec::new(), missed: HashSet::new(), profile }
    }

    pub(super) fn say(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// True the first time that a name of this kind is missed; later nothing more is to be said.
    pub(super) fn first_miss(&mut self, what: &'static str, name: &str) -> bool {
        self.broken = true;
        self.missed.insert((what, name.to_owned()))
    }

    /// Takes back what was said since `since` and had been said before, word for word in the same place.
    pub(super) fn unsay_repeats(&mut self, since: usize) {
        let said = self.found.split_off(since.min(self.found.len()));
        for one in said {
            if !self.found.iter().any(|known| (known.code, known.mark) == (one.code, one.mark)) {
                self.found.push(one);
            }
        }
    }

    /// The value of a word; a hole breaks the plan.
    pub(super) fn get<'f, T>(&mut self, field: &'f Field<T>) -> Option<&'f Spanned<T>> {
        self.broken |= field.is_hole();
        field.get()
    }

    /// The same for a word that must be there.
    pub(super) fn need<'f, T>(&mut self, field: &'f Field<T>) -> Option<&'f Spanned<T>> {
        let value = field.get();
        self.broken |= value.is_none();
        value
    }

    pub(super) fn items<'l, T>(&mut self, list: &'l List<T>) -> &'l [Spanned<T>] {
        self.broken |= !list.complete;
        &list.items
    }

    /// The sound entries of a map, if it is there.
    pub(super) fn entries<'n, T, R>(
        &mut self,
        map: Option<&'n Named<T, R>>,
    ) -> Vec<(&'n Spanned<String>, &'n Spanned<T>)> {
        let Some(map) = map else { return Vec::new() };
        self.broken |= !map.complete || map.entries.iter().any(|(_, value)| value.is_none());
        map.iter().collect()
    }

    /// The part `range` of a text that stands at `mark`.
    pub(super) fn inside(&self, mark: Mark, content: &str, range: std::ops::Range<usize>) -> Mark {
        self.sources.inside(mark, content, range)
    }

    /// Notes where a value was written.
    pub(super) fn note(&mut self, path: impl Into<String>, value: &impl Display, mark: Mark) {
        let place = self.sources.place(mark);
        // A setting is one value: where in it makes no difference.
        let place = if place.file.starts_with("--set") { place.file } else { place.to_string() };
        let profile = self
            .profile
            .as_ref()
            .filter(|(_, whole)| whole.source == mark.source && whole.start <= mark.start && mark.end <= whole.end);
        let from = match profile {
            Some((name, _)) => From::Profile { name: name.clone(), place },
            None => From::Written(place),
        };
        self.origins.push(Origin { path: path.into(), value: value.to_string(), from });
    }

    pub(super) fn note_default(&mut self, path: impl Into<String>, value: &impl Display) {
        self.origins.push(Origin { path: path.into(), value: value.to_string(), from: From::Default });
    }

    /// The value of a word, else `default`; either way it is noted.
    pub(super) fn settle<T: Clone + Display>(&mut self, path: impl Into<String>, field: &Field<T>, default: T) -> T {
        match self.get(field) {
            Some(value) => {
                self.note(path, &value.value, value.mark);
                value.value.clone()
            }
            None => {
                self.note_default(path, &default);
                default
            }
        }
    }
}
