//! The names that figures are kept under.

use super::context::Cx;
use super::names::Names;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::units::{Span, Text};
use crate::plan::{self, FigureId};
use crate::scenario::Spanned;

/// Every name of a step, in the order of first use: figures are kept per name.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) names: Names,
    pub(super) list: Vec<plan::Step>,
    within: Vec<Option<Mark>>,
    /// Files that bodies are made of, by the number that stands for them in the plan until they are read.
    pub(super) files: Vec<Spanned<String>>,
    pub(super) figures: Vec<plan::NamedFigure>,
    figure_marks: Vec<Mark>,
}

impl Steps {
    pub(super) fn new() -> Steps {
        Steps {
            names: Names::new("step"),
            list: Vec::new(),
            within: Vec::new(),
            files: Vec::new(),
            figures: Vec::new(),
            figure_marks: Vec::new(),
        }
    }

    /// The figure of that name: several captures may share one.
    pub(super) fn figure(&mut self, name: &Spanned<String>) -> FigureId {
        let known = self.figures.iter().position(|figure| figure.name == name.value);
        FigureId::at(known.unwrap_or_else(|| {
            self.figures.push(plan::NamedFigure { name: name.value.clone() });
            self.figure_marks.push(name.mark);
            self.figures.len() - 1
        }))
    }

    pub(super) fn figure_names(&self) -> Names {
        let mut names = Names::new("figure");
        for (figure, mark) in self.figures.iter().zip(&self.figure_marks) {
            let _ = names.add(&figure.name, *mark);
        }
        if !self.names.is_whole() {
            names.lacks();
        }
        names
    }

    /// A step was refused, and its name with it.
    pub(super) fn lack(&mut self) {
        self.names.lacks();
    }

    pub(super) fn register(
        &mut self,
        name: &str,
        mark: Mark,
        title: Text,
        within: Option<(Span, Mark)>,
        cx: &mut Cx<'_>,
    ) -> usize {
        let Some(known) = self.names.get(name) else {
            let index = self.names.add(name, mark).unwrap_or_default();
            self.list.push(plan::Step {
                name: name.to_owned(),
                title,
                group: false,
                within: within.map(|(within, _)| within),
                bounds: Vec::new(),
            });
            self.within.push(within.map(|(_, mark)| mark));
            return index;
        };
        if self.list.get(known).is_some_and(|step| step.group) {
            self.say_taken(known, "group", name, mark, cx);
            return known;
        }
        if let Some(step) = self.list.get_mut(known) {
            if step.title.is_empty() {
                step.title = title;
            }
            let first = self.within.get(known).copied().flatten().or(self.names.mark(known)).unwrap_or(mark);
            if step.within != within.map(|(within, _)| within) {
                let message = format!("`{name}` has another `within` elsewhere, and figures are kept per name");
                let at = within.map_or(mark, |(_, mark)| mark);
                cx.say(
                    Diagnostic::error("step-differs", at, message)
                        .related(first, "the other one")
                        .help("give both the same `within`, or one of them another name"),
                );
            }
        }
        known
    }

    /// The same of a group of steps.
    pub(super) fn register_group(&mut self, name: &str, mark: Mark, title: Text, cx: &mut Cx<'_>) -> usize {
        let Some(known) = self.names.get(name) else {
            let index = self.names.add(name, mark).unwrap_or_default();
            self.list.push(plan::Step { name: name.to_owned(), title, group: true, within: None, bounds: Vec::new() });
            self.within.push(None);
            return index;
        };
        if self.list.get(known).is_some_and(|step| !step.group) {
            self.say_taken(known, "step", name, mark, cx);
        } else if let Some(step) = self.list.get_mut(known)
            && step.title.is_empty()
        {
            step.title = title;
        }
        known
    }

    fn say_taken(&self, known: usize, by: &str, name: &str, mark: Mark, cx: &mut Cx<'_>) {
        let message = format!("`{name}` is the name of a {by} already, and figures are kept per name");
        let first = self.names.mark(known).unwrap_or(mark);
        let wrong = Diagnostic::error("given-twice", mark, message).related(first, format!("the {by} is here"));
        cx.say(wrong.help("give one of them another name"));
    }

    /// The step or the group of that name; says that there is none, or that it is the other.
    pub(super) fn find(&self, name: &Spanned<String>, group: bool, cx: &mut Cx<'_>) -> Option<usize> {
        let id = self.names.find(name, cx)?;
        let is_group = self.list.get(id).is_some_and(|step| step.group);
        if is_group != group {
            let (is, wanted) = if is_group { ("group", "step") } else { ("step", "group") };
            let message = format!("`{}` is a {is}, and no {wanted}", name.value);
            let help = format!("write `{is}: {}`", name.value);
            cx.say(Diagnostic::error("unknown-name", name.mark, message).help(help));
            return None;
        }
        Some(id)
    }
}
