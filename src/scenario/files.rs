//! From files to one tree: includes are brought in, a profile and `--set` are laid over, and what comes of it is decoded.

use super::decode::{Context, Raw};
use super::field::List;
use super::overlay::{overlay, union};
use super::words::{Scenario, Version};
use super::{set, vars};
use crate::base::diagnostic::{Diagnostic, Mark, SourceId, Sources, any_error, nearest, sort};
use crate::base::yaml::{self, Kind, Map, Node};

/// Reads a file by its path; the error says why it could not.
pub type Loader<'l> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'l;

/// How deep files may include files.
const MAX_INCLUDES: usize = 16;

/// A scenario's files, read and put together, before a profile is chosen.
#[derive(Debug, Clone)]
pub struct Files {
    entry: SourceId,
    tree: Option<Node>,
}

/// Reads `entry` and what it includes. What was not readable leaves holes; the mistakes say what it was.
pub fn open(sources: &mut Sources, entry: &str, load: &mut Loader<'_>) -> (Files, Vec<Diagnostic>) {
    let mut opening = Opening { sources, load, found: Vec::new(), taken: Vec::new() };
    let (entry, tree) = opening.file(entry, None, 0);
    let mut found = opening.found;
    sort(&mut found);
    (Files { entry, tree }, found)
}

impl Files {
    /// The file that was asked for.
    pub fn entry(&self) -> SourceId {
        self.entry
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> Vec<String> {
        let profiles = self.tree.as_ref().and_then(Node::as_map).and_then(|root| root.get("profiles"));
        let names = profiles.and_then(Node::as_map).map(|map| map.entries.iter().map(|(key, _)| key.text.clone()));
        names.into_iter().flatten().collect()
    }

    /// The scenario with `profile` and `sets` (`vars.peak=60/s`) laid over it, in that order, and every mistake in it.
    /// `None` where it is no scenario at all; else it has holes where the mistakes are.
    pub fn read(
        &self,
        sources: &mut Sources,
        profile: Option<&str>,
        sets: &[String],
    ) -> (Option<Scenario>, Vec<Diagnostic>) {
        let Some(mut tree) = self.tree.clone() else { return (None, Vec::new()) };
        let mut found = Vec::new();
        if let Some(profile) = profile {
            lay(&mut tree, profile, self.entry, &mut found);
        }
        for set in sets {
            set::set(&mut tree, set, sources, &mut found);
        }
        if any_error(&found) {
            // What follows from a profile or a setting that is not there would only mislead.
            sort(&mut found);
            return (None, found);
        }
        vars::expand(&mut tree, sources, &mut found);
        let mut cx = Context { sources, found };
        let scenario = cx.decode(&tree, Mark::head(self.entry));
        let mut found = cx.found;
        sort(&mut found);
        (scenario, found)
    }
}

/// Lays `profile` over `tree`.
fn lay(tree: &mut Node, profile: &str, entry: SourceId, found: &mut Vec<Diagnostic>) {
    let Some(profiles) = tree.as_map().and_then(|root| root.get("profiles")).filter(|node| !node.is_hole()) else {
        let message = format!("there is no profile `{profile}`: the file has no `profiles`");
        found.push(Diagnostic::error("unknown-profile", Mark::head(entry), message));
        return;
    };
    let Some(map) = profiles.as_map() else { return };
    let Some(over) = map.get(profile).cloned() else {
        if map.complete {
            let names: Vec<&str> = map.entries.iter().map(|(key, _)| key.text.as_str()).collect();
            let help = match nearest(profile, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are: {}", names.join(" ")),
            };
            let message = format!("there is no profile `{profile}`");
            found.push(Diagnostic::error("unknown-profile", profiles.mark, message).help(help));
        }
        return;
    };
    if over.as_map().is_some() {
        overlay(tree, &over, found);
    }
}

/// `path` as seen from the folder of `file`.
pub fn beside(file: &str, path: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

struct Opening<'o, 'l> {
    sources: &'o mut Sources,
    load: &'o mut Loader<'l>,
    found: Vec<Diagnostic>,
    /// Files that were read already.
    taken: Vec<String>,
}

impl Opening<'_, '_> {
    /// Reads `path`, which `asked` (a place in another file) includes, and everything that it includes itself.
    fn file(&mut self, path: &str, asked: Option<Mark>, depth: usize) -> (SourceId, Option<Node>) {
        self.taken.push(path.to_owned());
        let bytes = match (self.load)(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let source = self.sources.add(path, "");
                let mark = asked.unwrap_or(Mark::head(source));
                let help = match asked {
                    Some(_) => "what is included is looked up from the folder of the file that includes it",
                    None => "name the file of a scenario; it is looked up from the folder that you are in",
                };
                let message = format!("`{path}` cannot be read: {why}");
                self.found.push(Diagnostic::error("unreadable", mark, message).help(help));
                return (source, None);
            }
        };
        let (source, node, found) = yaml::read(self.sources, path, &bytes);
        self.found.extend(found);
        let Some(mut node) = node else { return (source, None) };
        let Kind::Map(map) = &mut node.kind else {
            let message = format!("a scenario is a map of blocks, not {}", node.describe());
            self.found.push(Diagnostic::error("wrong-type", node.mark, message).help("begin with `peakdrill: 1`"));
            return (source, None);
        };
        let included = map.get("include").cloned();
        if asked.is_some() {
            self.check_part(map);
        }
        if let Some(include) = included {
            self.includes(map, path, &include, depth);
        }
        (source, Some(node))
    }

    /// An included file says nothing about the whole.
    fn check_part(&mut self, map: &mut Map) {
        let mut cx = Context { sources: self.sources, found: Vec::new() };
        if let Some(version) = map.get("peakdrill") {
            let _: Option<Version> = cx.decode(version, version.mark);
        }
        self.found.append(&mut cx.found);
        map.entries.retain(|(key, _)| !matches!(key.text.as_str(), "peakdrill" | "include"));
    }

    fn includes(&mut self, map: &mut Map, path: &str, include: &Node, depth: usize) {
        let mut cx = Context { sources: self.sources, found: Vec::new() };
        let list = if include.is_hole() { None } else { List::<String>::decode(include, include.mark, &mut cx) };
        self.found.append(&mut cx.found);
        let Some(list) = list else { return incomplete(map) };
        if !list.complete {
            incomplete(map);
        }
        if depth >= MAX_INCLUDES {
            let message = format!("files include files deeper than {MAX_INCLUDES} levels here");
            self.found.push(Diagnostic::error("too-deep", include.mark, message));
            return incomplete(map);
        }
        // Includes come first, so that the file's own entries are the second of a name given twice.
        let mut whole = Map { entries: Vec::new(), complete: true };
        for item in &list.items {
            let path = beside(path, &item.value);
            if self.taken.contains(&path) {
                continue;
            }
            match self.file(&path, Some(item.mark), depth + 1).1 {
                Some(Node { kind: Kind::Map(part), .. }) => union(&mut whole, part, 2, &mut self.found),
                _ => incomplete(map),
            }
        }
        let own = std::mem::replace(map, whole);
        union(map, own, 2, &mut self.found);
    }
}

/// Something may be missing in any block of `map`: what seems to be missing is not to be said.
fn incomplete(map: &mut Map) {
    map.complete = false;
    for (_, node) in &mut map.entries {
        if let Kind::Map(block) = &mut node.kind {
            block.complete = false;
            for (_, inner) in &mut block.entries {
                if let Kind::Map(inner) = &mut inner.kind {
                    inner.complete = false;
                }
            }
        }
    }
}
