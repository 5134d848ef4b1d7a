//! `{{ vars.x }}`: put in place before anything is decoded, so that a rate may be a var.
//!
//! Only texts whose templates are vars and nothing else are touched; other templates keep their vars for later.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, Mark, Sources, nearest};
use crate::base::yaml::{Kind, Node, Scalar, ScalarKind};

/// How much text all the vars together may put in place.
const MAX_PUT: usize = 16 << 20;

enum Var {
    Scalar(Scalar, Mark),
    /// A list or a map: templates of steps may use it, what is settled beforehand may not.
    Tree,
    Hole,
}

struct Expander<'s> {
    sources: &'s Sources,
    vars: HashMap<String, Var>,
    /// False: a var that is not there may have been meant.
    complete: bool,
    put: usize,
}

/// Puts vars in place everywhere in `tree` but in `profiles` and `include`.
pub(super) fn expand(tree: &mut Node, sources: &Sources, found: &mut Vec<Diagnostic>) {
    let Kind::Map(root) = &mut tree.kind else { return };
    let mut expander = Expander { sources, vars: HashMap::new(), complete: root.complete, put: 0 };
    for (key, node) in &mut root.entries {
        if key.text != "vars" {
            continue;
        }
        expander.complete &= !node.is_hole();
        if let Kind::Map(vars) = &mut node.kind {
            expander.complete &= vars.complete;
            // Each var sees those before it.
            for (name, node) in &mut vars.entries {
                expander.complete &= is_name(&name.text);
                expander.walk(node, found);
                refuse_templates(node, sources, found);
                let var = match &node.kind {
                    Kind::Hole => Var::Hole,
                    Kind::Scalar(scalar) => Var::Scalar(scalar.clone(), node.mark),
                    Kind::List(_) | Kind::Map(_) => Var::Tree,
                };
                expander.vars.insert(name.text.clone(), var);
            }
        }
    }
    for (key, node) in &mut root.entries {
        if !matches!(key.text.as_str(), "vars" | "profiles" | "include") {
            expander.walk(node, found);
        }
    }
}

/// A var is a value; a template in it would be read at some places and not at others.
fn refuse_templates(node: &mut Node, sources: &Sources, found: &mut Vec<Diagnostic>) {
    match &mut node.kind {
        Kind::Scalar(Scalar { kind: ScalarKind::Text, text }) => {
            if let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| text.find(open)).min() {
                let mark = sources.inside(node.mark, text, at..at + 2);
                let message = "a var holds a plain value; it can use the scalar vars before it, and no other template";
                found.push(
                    Diagnostic::error("var-template", mark, message).help("write the template where the var is used"),
                );
                node.kind = Kind::Hole;
            }
        }
        Kind::List(items) => items.iter_mut().for_each(|item| refuse_templates(item, sources, found)),
        Kind::Map(map) => map.entries.iter_mut().for_each(|(_, node)| refuse_templates(node, sources, found)),
        Kind::Hole | Kind::Scalar(_) => {}
    }
}

impl Expander<'_> {
    fn walk(&mut self, node: &mut Node, found: &mut Vec<Diagnostic>) {
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| self.walk(item, found)),
            Kind::Map(map) => map.entries.iter_mut().for_each(|(_, node)| self.walk(node, found)),
            Kind::Scalar(Scalar { kind: ScalarKind::Text, text }) if text.contains("{{") => {
                let text = text.clone();
                if let Some(uses) = uses(&text) {
                    self.put(node, &text, &uses, found);
                }
            }
            Kind::Hole | Kind::Scalar(_) => {}
        }
    }

    fn put(&mut self, node: &mut Node, text: &str, uses: &[Use<'_>], found: &mut Vec<Diagnostic>) {
        let whole = matches!(uses, [only] if only.whole.len() == text.trim().len());
        let mut made = String::new();
        let mut from = 0;
        let mut keep = false;
        for one in uses {
            match self.vars.get(one.name) {
                Some(Var::Scalar(scalar, mark)) => {
                    if whole {
                        *node = Node { mark: *mark, kind: Kind::Scalar(scalar.clone()) };
                        return self.count(node, scalar_len(node), found);
                    }
                    made.push_str(text.get(from..one.whole.start).unwrap_or(""));
                    made.push_str(&scalar.text);
                    if made.len() > MAX_PUT {
                        return self.count(node, made.len(), found);
                    }
                }
                Some(Var::Tree) => keep = true,
                Some(Var::Hole) => return node.kind = Kind::Hole,
                None => {
                    if self.complete {
                        let mark = self.sources.inside(node.mark, text, one.span.clone());
                        let unknown = Diagnostic::error("unknown-var", mark, format!("there is no var `{}`", one.name));
                        let names = self.vars.keys().map(String::as_str);
                        found.push(match nearest(one.name, names) {
                            Some(meant) => unknown.help(format!("did you mean `vars.{meant}`?")),
                            None => unknown.help("name it under `vars:` at the top"),
                        });
                    }
                    node.kind = Kind::Hole;
                    return;
                }
            }
            from = one.whole.end;
        }
        made.push_str(text.get(from..).unwrap_or(""));
        let text = if keep { text.to_owned() } else { made };
        let length = text.len();
        node.kind = Kind::Scalar(Scalar { text, kind: ScalarKind::Text });
        self.count(node, length, found);
    }

    fn count(&mut self, node: &mut Node, length: usize, found: &mut Vec<Diagnostic>) {
        let before = self.put;
        self.put = self.put.saturating_add(length);
        if self.put > MAX_PUT {
            node.kind = Kind::Hole;
            if before <= MAX_PUT {
                let message = format!("with this, vars put more than {} MiB of text in place", MAX_PUT >> 20);
                found.push(Diagnostic::error("too-large", node.mark, message));
            }
        }
    }
}

fn scalar_len(node: &Node) -> usize {
    node.as_scalar().map_or(0, |scalar| scalar.text.len())
}

struct Use<'t> {
    name: &'t str,
    /// Of `vars.name`.
    span: Range<usize>,
    /// Of `{{ vars.name }}`.
    whole: Range<usize>,
}

/// The vars that `text` uses; `None` when it uses none, or any other template beside them.
fn uses(text: &str) -> Option<Vec<Use<'_>>> {
    if text.contains("{%") || text.contains("{#") {
        return None;
    }
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find("{{")).map(|at| from + at) {
        let close = text.get(open..).and_then(|rest| rest.find("}}")).map(|at| open + at)?;
        let inner = text.get(open + 2..close)?;
        let word = inner.trim();
        let name = word.strip_prefix("vars.")?;
        if !is_name(name) {
            return None;
        }
        let start = open + 2 + (inner.len() - inner.trim_start().len());
        found.push(Use { name, span: start..start + word.len(), whole: open..close + 2 });
        from = close + 2;
    }
    (!found.is_empty()).then_some(found)
}

fn is_name(name: &str) -> bool {
    use super::collection::Rule;
    super::field::Reached::fits(name)
}
