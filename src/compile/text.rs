//! Templates: which names may be used where, and whether they are there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::context::Cx;
use super::feed::Rows;
use super::names::Names;
use crate::base::diagnostic::{Diagnostic, Mark, nearest};
use crate::base::template::{Reference, Template};
use crate::base::yaml::Kind;
use crate::plan;
use crate::scenario::{Named, Reached, Spanned, Tree};

/// Where a text is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A process's arguments and environment.
    Process,
    /// Whom a link leads to.
    Link,
    /// What is known once the platform runs: URLs, headers of endpoints, the mark.
    Start,
    /// A program that prepares or cleans up.
    Chore,
    /// A step that prepares or cleans up.
    ChoreStep,
    /// The same with each row of this feed; none: of one that is not there.
    EachStep(Option<usize>),
    /// A step of a journey.
    Visit,
}

/// Names that nothing else may be called.
const ROOTS: [&str; 8] = ["vars", "process", "link", "feed", "prepare", "env", "secret", "run"];
const OWN: [&str; 4] = ["address", "host", "port", "folder"];

/// What a process can be asked for.
#[derive(Debug, Clone)]
pub(super) struct ProcessName {
    pub(super) name: String,
    /// False for one that is found by its process id.
    pub(super) has_address: bool,
    /// Whether it lives in a network of the drill's own.
    pub(super) networked: bool,
    /// What can be asked of it.
    pub(super) has: &'static [&'static str],
}

impl ProcessName {
    /// Of one process; of the name of several; of one of several.
    pub(super) const ONE: &[&str] = &["address", "host", "port", "addresses"];
    pub(super) const ALL: &[&str] = &["addresses"];
    pub(super) const NUMBERED: &[&str] = &["address", "host", "port"];
}

/// Everything that templates can reach besides a visit's own names.
pub(super) struct Reach<'s> {
    pub(super) vars: Option<&'s Named<Tree, Reached>>,
    pub(super) vars_whole: bool,
    /// Processes, and names that stand for several.
    pub(super) processes: Vec<ProcessName>,
    pub(super) processes_whole: bool,
    pub(super) links: Names,
    pub(super) feeds: Names,
    pub(super) rows: Vec<Rows>,
    /// What preparing has captured so far.
    pub(super) prepare: Names,
}

/// A visit's own names at one point of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// Made on every way to here.
    pub(super) sure: BTreeMap<String, Mark>,
    /// Made on some way to here; the text says on which.
    pub(super) maybe: BTreeMap<String, (Mark, &'static str)>,
    /// Made anywhere in the visit.
    pub(super) ever: BTreeMap<String, Mark>,
    /// Missed, and said.
    missed: RefCell<BTreeSet<String>>,
}

impl Own {
    /// True the first time that `name` is missed in this visit.
    fn first_miss(&self, name: &str, cx: &mut Cx<'_>) -> bool {
        cx.broken = true;
        self.missed.borrow_mut().insert(name.to_owned())
    }
}

/// A feed that a text uses.
pub(super) type FeedUse = (usize, Mark);

impl Reach<'_> {
    pub(super) fn lives_in_network(&self, process: &str) -> bool {
        self.processes.iter().any(|known| known.name == process && known.networked)
    }

    /// One that is known not to live in a network.
    pub(super) fn lives_on_machine(&self, process: &str) -> bool {
        self.processes.iter().any(|known| known.name == process && !known.networked)
    }

    /// Checks a text; gives it back as the plan keeps it, and the feeds that it uses.
    pub(super) fn check(
        &self,
        text: &str,
        mark: Mark,
        place: Place,
        own: &Own,
        cx: &mut Cx<'_>,
    ) -> (plan::Template, Vec<FeedUse>) {
        let kept = plan::Template(text.to_owned());
        let mut feeds = Vec::new();
        match Template::parse(text) {
            Err(error) => {
                let at = cx.inside(mark, text, error.range);
                let wrong = Diagnostic::error("template", at, error.message);
                cx.say(match error.help {
                    Some(help) => wrong.help(help),
                    None => wrong,
                });
            }
            Ok(template) => {
                if !matches!(place, Place::Visit | Place::ChoreStep | Place::EachStep(_))
                    && let Some((_, range)) = template.helpers().first()
                {
                    let at = cx.inside(mark, text, range.clone());
                    let message = "this text is settled before the load begins, so nothing can be drawn in it";
                    cx.say(Diagnostic::error("late-template", at, message).help("draw it in a step of a journey"));
                }
                for name in template.references() {
                    let at = cx.inside(mark, text, name.range.clone());
                    self.reference(name, at, text, place, own, &mut feeds, cx);
                }
            }
        }
        (kept, feeds)
    }

    #[allow(clippy::too_many_arguments)]
    fn reference(
        &self,
        name: &Reference,
        mark: Mark,
        text: &str,
        place: Place,
        own: &Own,
        feeds: &mut Vec<FeedUse>,
        cx: &mut Cx<'_>,
    ) {
        let next = name.path.get(1).map(String::as_str);
        let wrong = |message: String, help: String| Diagnostic::error("unknown-name", mark, message).help(help);
        match (name.root(), next) {
            ("vars" | "process" | "link" | "feed" | "prepare" | "env" | "secret" | "run", None) => {
                let root = name.root();
                cx.say(wrong(format!("`{root}` stands before a name"), format!("write `{root}.name`")));
            }
            ("vars", Some(_)) => self.var(&name.path, mark, cx),
            ("process", Some(process)) => self.process(process, name.path.get(2).map(String::as_str), mark, cx),
            ("env" | "secret", Some(_)) => {}
            ("run", Some("id")) => {}
            ("run", Some(other)) => {
                cx.say(wrong(format!("a run has no `{other}`"), "it has `run.id`".to_owned()));
            }
            ("link", Some(_)) if place == Place::Link => {
                let message = "a link does not lead to another";
                cx.say(
                    Diagnostic::error("late-template", mark, message)
                        .help("write whom it leads to: process.NAME.address"),
                );
            }
            ("link", Some(link)) => self.link(link, name.path.get(2).map(String::as_str), mark, cx),
            ("prepare", Some(captured)) => {
                if matches!(place, Place::Process | Place::Link | Place::Start) {
                    let message = "nothing is prepared yet when this text is settled";
                    cx.say(Diagnostic::error("late-template", mark, message));
                } else if self.prepare.get(captured).is_none() {
                    self.prepare.unknown(captured, mark, cx);
                }
            }
            ("feed", Some(_)) if place == Place::Visit => {
                if let Some(feed) = self.feed(&name.path, mark, cx) {
                    feeds.push((feed, mark));
                }
            }
            ("feed", Some(_)) if matches!(place, Place::EachStep(_)) => {
                let named = self.feed(&name.path, mark, cx);
                let Place::EachStep(Some(each)) = place else { return };
                if named.is_some_and(|named| named != each) {
                    let each = self.feeds.name(each);
                    let message = format!("only the rows of `feed.{each}` are given to these steps");
                    cx.say(Diagnostic::error("late-template", mark, message).help("they are what `each` names"));
                }
            }
            ("feed", Some(_)) => {
                let message = "rows of feeds are given to visits only";
                cx.say(Diagnostic::error("late-template", mark, message).help("use it in a step of a journey"));
            }
            (bare, _) => self.bare(bare, mark, text, place, own, cx),
        }
    }

    fn var(&self, path: &[String], mark: Mark, cx: &mut Cx<'_>) {
        let Some(name) = path.get(1) else { return };
        let unknown = |cx: &mut Cx<'_>, message: String, known: Vec<&str>| {
            if !cx.first_miss("var", &path.join(".")) {
                return;
            }
            let said = Diagnostic::error("unknown-var", mark, message);
            cx.say(match nearest(path.last().map_or("", String::as_str), known) {
                Some(meant) => said.help(format!("did you mean `{meant}`?")),
                None => said,
            });
        };
        let Some(vars) = self.vars.filter(|vars| vars.has(name)) else {
            if !self.vars_whole {
                cx.broken = true;
                return;
            }
            let known = self.vars.map(|vars| vars.names().collect()).unwrap_or_default();
            return unknown(cx, format!("there is no var `{name}`"), known);
        };
        let Some(mut node) = vars.get(name).map(|tree| &tree.value.0) else {
            cx.broken = true;
            return;
        };
        for (index, step) in path.iter().enumerate().skip(2) {
            let shown = path.get(..index).unwrap_or(path).join(".");
            match &node.kind {
                Kind::Map(map) => match map.get(step) {
                    Some(inner) => node = inner,
                    None => {
                        let known = map.entries.iter().map(|(key, _)| key.text.as_str()).collect();
                        return unknown(cx, format!("`{shown}` has no `{step}`"), known);
                    }
                },
                Kind::Hole => return,
                _ => return unknown(cx, format!("`{shown}` has nothing in it: it is one value"), Vec::new()),
            }
        }
    }

    fn process(&self, name: &str, what: Option<&str>, mark: Mark, cx: &mut Cx<'_>) {
        let Some(process) = self.processes.iter().find(|process| process.name == name) else {
            if !self.processes_whole {
                cx.broken = true;
                return;
            }
            if !cx.first_miss("process", name) {
                return;
            }
            let unknown = Diagnostic::error("unknown-name", mark, format!("there is no process `{name}`"));
            let known = self.processes.iter().map(|process| process.name.as_str());
            cx.say(match nearest(name, known) {
                Some(meant) => unknown.help(format!("did you mean `process.{meant}`?")),
                None => unknown.help("name it under `platform.processes`"),
            });
            return;
        };
        match what {
            Some(what) if process.has.contains(&what) && process.has_address => {}
            Some(what) if process.has.contains(&what) => {
                let message = format!("the address of `{name}` is not known: it is found by its process id");
                let help = "attach it by `port`, or write its address";
                cx.say(Diagnostic::error("unknown-name", mark, message).help(help));
            }
            Some(what) => {
                let several = process.has == ProcessName::ALL && ProcessName::ONE.contains(&what);
                let message = match several {
                    true => format!("`{name}` stands for several processes, which have no one `{what}`"),
                    false => format!("a process has no `{what}`"),
                };
                let unknown = Diagnostic::error("unknown-name", mark, message);
                let help = match nearest(what, process.has.iter().copied()).filter(|_| !several) {
                    Some(meant) => format!("did you mean `process.{name}.{meant}`?"),
                    None if several => {
                        format!("write `process.{name}_1.{what}`, or `process.{name}.addresses` for all")
                    }
                    None => format!("it has: {}", process.has.join(", ")),
                };
                cx.say(unknown.help(help));
            }
            None => {
                let message = format!("`process.{name}` is a process and no text");
                let first = process.has.first().copied().unwrap_or("address");
                cx.say(
                    Diagnostic::error("unknown-name", mark, message).help(format!("write `process.{name}.{first}`")),
                );
            }
        }
    }

    fn link(&self, name: &str, what: Option<&str>, mark: Mark, cx: &mut Cx<'_>) {
        const KNOWN: [&str; 3] = ["address", "host", "port"];
        if self.links.get(name).is_none() {
            return self.links.unknown(name, mark, cx);
        }
        let wrong = |message: String, help: String| Diagnostic::error("unknown-name", mark, message).help(help);
        match what {
            Some(what) if KNOWN.contains(&what) => {}
            Some(what) => cx.say(wrong(format!("a link has no `{what}`"), format!("it has: {}", KNOWN.join(", ")))),
            None => {
                cx.say(wrong(format!("`link.{name}` is a link and no text"), format!("write `link.{name}.address`")))
            }
        }
    }

    fn feed(&self, path: &[String], mark: Mark, cx: &mut Cx<'_>) -> Option<usize> {
        let name = path.get(1)?;
        let Some(feed) = self.feeds.get(name) else {
            self.feeds.unknown(name, mark, cx);
            return None;
        };
        let shown = format!("feed.{name}");
        match (self.rows.get(feed), path.get(2)) {
            (Some(Rows::Columns { columns, is_table }), column) => match column {
                Some(column) if !columns.contains(column) => {
                    if !cx.first_miss("column", &path.join(".")) {
                        return Some(feed);
                    }
                    let unknown =
                        Diagnostic::error("unknown-name", mark, format!("feed `{name}` has no column `{column}`"));
                    let help = match nearest(column, columns.iter().map(String::as_str)) {
                        Some(meant) => format!("did you mean `{shown}.{meant}`?"),
                        None => format!("it has: {}", columns.join(", ")),
                    };
                    cx.say(unknown.help(help));
                }
                None if *is_table => {
                    let message = format!("feed `{name}` has columns: say which");
                    let first = columns.first().map_or("column", String::as_str);
                    cx.say(Diagnostic::error("unknown-name", mark, message).help(format!("write `{shown}.{first}`")));
                }
                Some(_) if *is_table && path.len() > 3 => {
                    let message = format!("a column of `{name}` holds one text and nothing in it");
                    cx.say(Diagnostic::error("unknown-name", mark, message));
                }
                _ => {}
            },
            (Some(Rows::Scalars), Some(_)) => {
                let message = format!("feed `{name}` has no columns: each row is one value");
                cx.say(Diagnostic::error("unknown-name", mark, message).help(format!("write `{shown}`")));
            }
            _ => {}
        }
        Some(feed)
    }

    fn bare(&self, name: &str, mark: Mark, text: &str, place: Place, own: &Own, cx: &mut Cx<'_>) {
        if own.sure.contains_key(name) || (place == Place::Process && OWN.contains(&name)) {
            return;
        }
        if let Some((made, why)) = own.maybe.get(name) {
            if asks_whether(text, name) {
                return;
            }
            if !own.first_miss(name, cx) {
                return;
            }
            let message = format!("`{name}` may not be made here: {why}");
            let help = format!("make it on every way to here, or ask `{name} is defined`");
            cx.say(Diagnostic::error("not-made", mark, message).related(*made, "made here").help(help));
            return;
        }
        if !own.first_miss(name, cx) {
            return;
        }
        if let Some(made) = own.ever.get(name) {
            let message = format!("`{name}` is used before it is made");
            cx.say(Diagnostic::error("not-made", mark, message).related(*made, "made here"));
            return;
        }
        let prefixed = [
            ("vars", self.vars.is_some_and(|vars| vars.has(name))),
            ("feed", self.feeds.get(name).is_some()),
            ("process", self.processes.iter().any(|process| process.name == name)),
            ("link", self.links.get(name).is_some()),
            ("prepare", self.prepare.get(name).is_some()),
        ];
        let help = match prefixed.into_iter().find(|(_, has)| *has) {
            Some((root, _)) => format!("write `{root}.{name}`"),
            None => {
                let known = own.ever.keys().map(String::as_str).chain(ROOTS);
                let known = known.chain(OWN.into_iter().filter(|_| place == Place::Process));
                match nearest(name, known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if matches!(place, Place::Visit | Place::ChoreStep | Place::EachStep(_)) => {
                        "bare names are those of `let` and `capture`; all others have a prefix, such as `vars.` and `feed.`".to_owned()
                    }
                    None => format!("there are: {}", self.roots(place).join(", ")),
                }
            }
        };
        cx.say(Diagnostic::error("unknown-name", mark, format!("there is no `{name}` here")).help(help));
    }

    fn roots(&self, place: Place) -> Vec<&'static str> {
        let own = if place == Place::Process { OWN.as_slice() } else { &[] };
        own.iter().copied().chain(["vars.", "process.", "link.", "env.", "secret.", "run.id"]).collect()
    }

    /// Says that `name` may not be given to a value of a visit.
    pub(super) fn check_own_name(&self, name: &Spanned<String>, taken: Option<Mark>, cx: &mut Cx<'_>) {
        let reserved = ROOTS.contains(&name.value.as_str())
            || crate::base::template::HELPERS.iter().any(|(helper, _)| *helper == name.value)
            || ["range", "dict", "true", "false", "none", "and", "or", "not", "in", "is", "if", "else"]
                .contains(&name.value.as_str());
        if reserved {
            let message = format!("`{}` means something else in templates", name.value);
            cx.say(Diagnostic::error("shadowed", name.mark, message).help("choose another name"));
        } else if let Some(first) = taken {
            let message = format!("`{}` is made already, and nothing may be shadowed", name.value);
            cx.say(
                Diagnostic::error("shadowed", name.mark, message)
                    .related(first, "first made here")
                    .help("choose another name"),
            );
        }
    }
}

/// Does the text itself ask whether `name` is there?
fn asks_whether(text: &str, name: &str) -> bool {
    ["is defined", "is not defined", "| default", "|default", "| d("].iter().any(|asks| {
        text.match_indices(name)
            .any(|(at, _)| text.get(at + name.len()..).is_some_and(|rest| rest.trim_start().starts_with(asks)))
    })
}
