//! Lists, and maps whose keys the author chose.

use std::marker::PhantomData;

use serde_json::{Value, json};

use super::decode::{Context, Raw};
use super::field::{AnyKey, Free, List, Named, Reached, Spanned};
use super::schema::Defs;
use crate::base::diagnostic::{Diagnostic, Mark};
use crate::base::yaml::{Kind, Node};

impl<T: Raw> Raw for List<T> {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<List<T>> {
        let Kind::List(nodes) = &node.kind else {
            cx.wrong(node, "a list");
            return None;
        };
        let mut items = Vec::new();
        for item in nodes {
            if let Some(value) = cx.decode(item, item.mark) {
                items.push(Spanned { value, mark: item.mark, key: item.mark });
            }
        }
        Some(List { complete: items.len() == nodes.len(), items })
    }

    fn schema(defs: &mut Defs) -> Value {
        json!({ "type": "array", "items": T::schema(defs) })
    }
}

/// What names a map may have.
pub(crate) trait Rule {
    /// A regular expression of the names, for the schema.
    const PATTERN: Option<&'static str>;
    /// What is said of another name.
    const SAYS: &'static str;

    fn fits(name: &str) -> bool;
}

impl Rule for Free {
    const PATTERN: Option<&'static str> = Some(r"^\p{Alphabetic}[\p{Alphabetic}\p{N}_-]*$");
    const SAYS: &'static str = "names are letters, digits, `-` and `_`, beginning with a letter";

    fn fits(name: &str) -> bool {
        name.starts_with(char::is_alphabetic) && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    }
}

impl Rule for Reached {
    const PATTERN: Option<&'static str> = Some("^[a-z][a-z0-9_]*$");
    const SAYS: &'static str =
        "names that templates reach are small letters, digits and `_`, beginning with a letter: [a-z][a-z0-9_]*";

    fn fits(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    }
}

impl Rule for AnyKey {
    const PATTERN: Option<&'static str> = None;
    const SAYS: &'static str = "";

    fn fits(_: &str) -> bool {
        true
    }
}

impl<T: Raw, R: Rule> Raw for Named<T, R> {
    fn decode(node: &Node, _: Mark, cx: &mut Context<'_>) -> Option<Named<T, R>> {
        let map = cx.map(node, "a map of names")?;
        let mut entries = Vec::new();
        let mut complete = map.complete;
        for (key, node) in &map.entries {
            if !R::fits(&key.text) {
                complete = false;
                let message = format!("`{}` cannot be a name here", key.text);
                cx.say(Diagnostic::error("name", key.mark, message).help(R::SAYS));
            }
            let name = Spanned { value: key.text.clone(), mark: key.mark, key: key.mark };
            let value = cx.decode(node, key.mark);
            entries.push((name, value.map(|value| Spanned { value, mark: node.mark, key: key.mark })));
        }
        Some(Named { entries, complete, rule: PhantomData })
    }

    fn schema(defs: &mut Defs) -> Value {
        let mut schema = json!({ "type": "object", "additionalProperties": T::schema(defs) });
        if let Some(pattern) = R::PATTERN {
            schema["propertyNames"] = json!({ "pattern": pattern });
        }
        schema
    }
}
