//! Instants: phases, and what is said in terms of them.

use super::context::Cx;
use super::names::Names;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{At, Text};
use crate::plan;
use crate::scenario::{self, Field, Named, Reference, Spanned, When};

#[derive(Debug, Clone)]
struct Stretch {
    load: usize,
    from: At,
    to: At,
    mark: Mark,
}

/// Phases as they become known: first those that stages name, then those of `phases:`.
#[derive(Debug)]
pub(super) struct PhaseTable {
    pub(super) names: Names,
    /// Where each lies, as long as it is known.
    times: Vec<Option<(At, At)>>,
    titles: Vec<Text>,
    stretches: Vec<Vec<Stretch>>,
}

impl PhaseTable {
    pub(super) fn new() -> PhaseTable {
        PhaseTable { names: Names::new("phase"), times: Vec::new(), titles: Vec::new(), stretches: Vec::new() }
    }

    fn index(&mut self, name: &str, mark: Mark) -> usize {
        if let Some(known) = self.names.get(name) {
            return known;
        }
        let index = self.names.add(name, mark).unwrap_or_default();
        self.times.push(None);
        self.titles.push(Text::default());
        self.stretches.push(Vec::new());
        index
    }

    /// A stage of a load is, or belongs to, phase `name`.
    pub(super) fn stage(
        &mut self,
        name: &Spanned<String>,
        load: usize,
        from: At,
        to: At,
        is_known: bool,
        cx: &mut Cx<'_>,
    ) -> usize {
        let index = self.index(&name.value, name.mark);
        let Some(stretches) = self.stretches.get_mut(index) else { return index };
        match stretches.iter_mut().find(|stretch| stretch.load == load) {
            Some(before) if before.to == from || !is_known => before.to = to,
            Some(before) => {
                let message = format!("phase `{}` is given to stages that do not follow one another", name.value);
                let twice = Diagnostic::error("given-twice", name.mark, message);
                cx.say(twice.related(before.mark, "the other stage").help("give the later one another name"));
            }
            None => stretches.push(Stretch { load, from, to, mark: name.mark }),
        }
        if let Some(times) = self.times.get_mut(index) {
            let first = stretches.first().map(|stretch| (stretch.from, stretch.to));
            *times = first.filter(|_| is_known);
        }
        index
    }

    /// A stage of this phase was refused.
    pub(super) fn lost(&mut self, name: &Spanned<String>) {
        let index = self.index(&name.value, name.mark);
        if let Some(times) = self.times.get_mut(index) {
            *times = None;
        }
    }

    /// Loads that share the name of a phase must mean the same stretch.
    pub(super) fn check_shared(&self, cx: &mut Cx<'_>) {
        for (index, stretches) in self.stretches.iter().enumerate() {
            let Some((first, others)) = stretches.split_first() else { continue };
            if let Some(other) = others.iter().find(|other| (other.from, other.to) != (first.from, first.to)) {
                let name = self.names.name(index);
                let message = format!(
                    "phase `{name}` lies from {} to {} here, and from {} to {} in another load",
                    other.from, other.to, first.from, first.to
                );
                let differs = Diagnostic::error("given-twice", other.mark, message);
                cx.say(differs.related(first.mark, "the other one").help("give one of them another name"));
            }
        }
    }

    /// Adds what `phases:` says.
    pub(super) fn block(&mut self, field: &Field<Named<scenario::Phase>>, cx: &mut Cx<'_>) {
        let Some(map) = cx.get(field) else {
            if field.is_hole() {
                self.names.lacks();
            }
            return;
        };
        if !map.complete {
            cx.broken = true;
            self.names.lacks();
        }
        let mut open: Vec<(usize, Option<&Spanned<scenario::Phase>>)> = Vec::new();
        for (name, phase) in &map.entries {
            if let Some(known) = self.names.get(&name.value) {
                let first = self.names.mark(known).unwrap_or(name.mark);
                let message = format!("there is a phase `{}` already", name.value);
                cx.say(Diagnostic::error("given-twice", name.mark, message).related(first, "the other one"));
                continue;
            }
            let index = self.index(&name.value, name.mark);
            cx.broken |= phase.is_none();
            if let (Some(phase), Some(title)) = (phase, self.titles.get_mut(index)) {
                *title = cx.get(&phase.title).map(|title| title.value.clone()).unwrap_or_default();
            }
            open.push((index, phase.as_ref()));
        }
        // Each may be said in terms of others: settle what can be settled until nothing more can.
        let all: Vec<usize> = open.iter().map(|(index, _)| *index).collect();
        loop {
            let before = open.len();
            open.retain(|(index, phase)| {
                let Some(phase) = phase else { return false };
                let (Some(from), Some(to)) = (phase.from.get(), phase.to.get()) else { return false };
                let waits = |when: &When| {
                    matches!(&when.from, Reference::Phase(name)
                    if self.names.get(&name.value).is_some_and(|other| {
                        all.contains(&other) && self.times.get(other).is_some_and(Option::is_none)
                    }))
                };
                if waits(from) || waits(to) {
                    return true;
                }
                self.settle(*index, from, to, cx);
                false
            });
            if open.len() == before || open.is_empty() {
                break;
            }
        }
        for (index, phase) in open {
            // Those that wait for one that was refused stay silent.
            if let Some(from) = phase.and_then(|phase| phase.from.get())
                && self.is_circular(index, map)
            {
                let message = format!("phase `{}` is said in terms of itself", self.names.name(index));
                cx.say(Diagnostic::error("circular", from.mark, message));
            }
            cx.broken = true;
        }
    }

    fn is_circular(&self, start: usize, map: &Named<scenario::Phase>) -> bool {
        let mut seen = vec![start];
        let mut next = vec![start];
        while let Some(index) = next.pop() {
            let Some(phase) = map.get(self.names.name(index)) else { continue };
            for when in [phase.from.get(), phase.to.get()].into_iter().flatten() {
                let Reference::Phase(name) = &when.from else { continue };
                match self.names.get(&name.value) {
                    Some(other) if other == start => return true,
                    Some(other) if !seen.contains(&other) => {
                        seen.push(other);
                        next.push(other);
                    }
                    _ => {}
                }
            }
        }
        false
    }

    fn settle(&mut self, index: usize, from: &Spanned<When>, to: &Spanned<When>, cx: &mut Cx<'_>) {
        let (Some(start), Some(end)) = (self.at(from, "a phase", cx), self.at(to, "a phase", cx)) else { return };
        if end <= start {
            let message = format!("the phase ends at {end}, and begins at {start}");
            cx.say(Diagnostic::error("range", to.mark, message).related(from.mark, "it begins here"));
            return;
        }
        if let Some(times) = self.times.get_mut(index) {
            *times = Some((start, end));
        }
        let path = format!("phases.{}", self.names.name(index));
        cx.note(format!("{path}.from"), &start, from.mark);
        cx.note(format!("{path}.to"), &end, to.mark);
    }

    /// An instant that hangs on nothing but phases.
    pub(super) fn at(&self, when: &Spanned<When>, who: &str, cx: &mut Cx<'_>) -> Option<At> {
        match &when.from {
            Reference::Start => Some(At::START + when.offset),
            Reference::Phase(name) => {
                let index = self.names.find(name, cx)?;
                let times = self.times.get(index).copied().flatten();
                cx.broken |= times.is_none();
                times.map(|(from, _)| from + when.offset)
            }
            Reference::Other { name, .. } => {
                let message = format!("{who} cannot hang on a fault or an action: it must be known beforehand");
                cx.say(
                    Diagnostic::error("instant", name.mark, message)
                        .help("write an instant such as 30s, or phase + 5s"),
                );
                None
            }
        }
    }

    pub(super) fn times(&self, index: usize) -> Option<(At, At)> {
        self.times.get(index).copied().flatten()
    }

    /// The phases of the plan, by their start, and where each index has gone.
    pub(super) fn finish(&self) -> (Vec<plan::Phase>, Vec<usize>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_key(|index| (self.times(*index), *index));
        let mut moved = vec![0; order.len()];
        let mut phases = Vec::new();
        for (new, old) in order.into_iter().enumerate() {
            if let Some(moved) = moved.get_mut(old) {
                *moved = new;
            }
            let (from, to) = self.times(old).unwrap_or_default();
            let title = self.titles.get(old).cloned().unwrap_or_default();
            phases.push(plan::Phase { name: self.names.name(old).to_owned(), title, from, to });
        }
        (phases, moved)
    }
}
