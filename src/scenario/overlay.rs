//! Maps brought together: an include adds, a profile changes.

use crate::base::diagnostic::{Diagnostic, nearest};
use crate::base::yaml::{Kind, Map, Node};

/// Adds what `part` names to `whole`, `levels` maps deep; below that a name given twice is a mistake.
pub(super) fn union(whole: &mut Map, part: Map, levels: usize, found: &mut Vec<Diagnostic>) {
    whole.complete &= part.complete;
    for (key, node) in part.entries {
        let Some((first, there)) = whole.entries.iter_mut().find(|(there, _)| there.text == key.text) else {
            whole.entries.push((key, node));
            continue;
        };
        // Of the top blocks only `platform` holds maps of names one level further down.
        let levels = if levels == 2 && key.text != "platform" { 1 } else { levels };
        match (&mut there.kind, node.kind) {
            (Kind::Map(there), Kind::Map(more)) if levels > 0 => union(there, more, levels - 1, found),
            (Kind::Hole, _) | (_, Kind::Hole) => {}
            _ => {
                let message = format!("`{}` is given twice", key.text);
                let twice = Diagnostic::error("given-twice", key.mark, message).related(first.mark, "first given here");
                found.push(twice.help(
                    "a file and what it includes may each name a thing once; rename one, or change it in a profile",
                ));
            }
        }
    }
}

/// Lays `over` on `base`: maps merge, null takes an entry out, all else replaces.
pub(super) fn overlay(base: &mut Node, over: &Node, found: &mut Vec<Diagnostic>) {
    let (Kind::Map(there), Kind::Map(changes)) = (&mut base.kind, &over.kind) else {
        *base = over.clone();
        return;
    };
    there.complete &= changes.complete;
    for (key, change) in &changes.entries {
        let at = there.entries.iter().position(|(known, _)| known.text == key.text);
        match at.and_then(|at| there.entries.get_mut(at).map(|entry| (at, entry))) {
            Some((at, _)) if change.is_null() => {
                there.entries.remove(at);
            }
            Some((_, (known, node))) => {
                let merges = node.as_map().is_some() && change.as_map().is_some();
                if !merges {
                    known.mark = key.mark;
                }
                overlay(node, change, found);
            }
            None if change.is_null() => {
                if there.complete {
                    let message = format!("there is no `{}` here to take out", key.text);
                    let nothing = Diagnostic::error("nothing-there", key.mark, message);
                    let names = there.entries.iter().map(|(known, _)| known.text.as_str());
                    found.push(match nearest(&key.text, names) {
                        Some(meant) => nothing.help(format!("did you mean `{meant}`?")),
                        None => nothing,
                    });
                }
            }
            None => there.entries.push((key.clone(), change.clone())),
        }
    }
}
