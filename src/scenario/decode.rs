//! From a tree to typed blocks: every mistake said, a hole where it stood, and on with the rest.

use serde_json::{Value, json};

use super::field::{Field, Spanned};
use super::schema::Defs;
use crate::base::diagnostic::{Diagnostic, Mark, Sources, nearest};
use crate::base::yaml::{MAX_SAID, Map, Node};

/// A part of the language: how it is read, and its JSON Schema, out of one definition.
pub(crate) trait Raw: Sized {
    /// `at` is what to blame when something is missing: the word or name that this stands under. `None`: it was said why.
    fn decode(node: &Node, at: Mark, cx: &mut Context<'_>) -> Option<Self>;

    fn schema(defs: &mut Defs) -> Value;
}

/// What decoding gathers.
pub(crate) struct Context<'s> {
    pub(crate) sources: &'s Sources,
    pub(crate) found: Vec<Diagnostic>,
}

impl Context<'_> {
    pub(crate) fn say(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MAX_SAID {
            self.found.push(diagnostic);
        }
    }

    /// The one way to decode a node: a hole stays silent.
    pub(crate) fn decode<T: Raw>(&mut self, node: &Node, at: Mark) -> Option<T> {
        if node.is_hole() { None } else { T::decode(node, at, self) }
    }

    /// Says that something else than `wanted` stands at `node`.
    pub(crate) fn wrong(&mut self, node: &Node, wanted: &str) {
        let message = if node.is_null() {
            format!("{} is missing here", wanted.trim_end_matches(','))
        } else {
            format!("{wanted} is expected here, not {}", node.describe())
        };
        self.say(Diagnostic::error("wrong-type", node.mark, message));
    }

    pub(crate) fn map<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n Map> {
        let map = node.as_map();
        if map.is_none() {
            self.wrong(node, wanted);
        }
        map
    }
}

/// Says that `word` is none of `known`, and which was meant.
pub(crate) fn unknown(what: &str, word: &str, of: &str, mark: Mark, known: &[&'static str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-word", mark, format!("`{word}` is not a {what} of {of}"));
    match nearest(word, known.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("the {what}s here are: {}", known.join(" "))),
    }
}

pub(crate) fn not_yet(word: &str, mark: Mark) -> Diagnostic {
    Diagnostic::error("not-yet", mark, format!("`{word}` is not supported yet"))
        .help("it is part of the language, but this version cannot do it; leave it out")
}

/// The words of one block.
pub(crate) struct Spec {
    /// As messages name it: "`hold`", "a process".
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) words: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    /// Exactly one of these must be there.
    pub(crate) one_of: &'static [&'static str],
    /// Named in the language, not built.
    pub(crate) later: &'static [&'static str],
    /// Words that are often tried here, and why they are wrong.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

/// One block that is being read.
pub(crate) struct Reader<'n> {
    spec: &'static Spec,
    map: &'n Map,
    at: Mark,
    /// Words that a misspelt one seems to mean.
    meant: Vec<&'static str>,
    /// A refused word may stand for any that is missing.
    vague: bool,
    refused: bool,
}

impl<'n> Reader<'n> {
    pub(crate) fn new(spec: &'static Spec, node: &'n Node, at: Mark, cx: &mut Context<'_>) -> Option<Reader<'n>> {
        let map = cx.map(node, &format!("a map ({})", spec.words.join(" ")))?;
        let mut reader = Reader { spec, map, at, meant: Vec::new(), vague: !map.complete, refused: !map.complete };
        for (key, _) in &map.entries {
            let word = key.text.as_str();
            if spec.words.contains(&word) {
                continue;
            }
            reader.refused = true;
            if spec.later.contains(&word) {
                reader.vague = true;
                cx.say(not_yet(word, key.mark));
            } else if let Some((_, why)) = spec.refused.iter().find(|(refused, _)| *refused == word) {
                reader.vague = true;
                cx.say(Diagnostic::error("wrong-word", key.mark, format!("`{word}` does not fit here")).help(*why));
            } else {
                match nearest(word, spec.words.iter().copied()) {
                    Some(meant) => reader.meant.push(meant),
                    None => reader.vague = true,
                }
                cx.say(unknown("word", word, spec.name, key.mark, spec.words));
            }
        }
        Some(reader)
    }

    pub(crate) fn field<T: Raw>(&self, word: &str, cx: &mut Context<'_>) -> Field<T> {
        let Some((key, node)) = self.map.entries.iter().find(|(key, _)| key.text == word) else {
            let lost = self.meant.contains(&word) || self.spec.required.contains(&word);
            return if lost { Field::Hole(self.at) } else { Field::Absent };
        };
        match cx.decode(node, key.mark) {
            Some(value) => Field::Is(Spanned { value, mark: node.mark, key: key.mark }),
            None => Field::Hole(key.mark),
        }
    }

    /// Says what is missing, or given twice over; true when every word was taken.
    pub(crate) fn finish(self, cx: &mut Context<'_>) -> bool {
        let Spec { name, required, one_of, .. } = self.spec;
        let written =
            |word: &&str| self.map.entries.iter().find(|(key, _)| key.text == **word).map(|(key, _)| key.mark);
        let mut given = one_of.iter().filter_map(|word| written(word).map(|mark| (*word, mark)));
        match (given.next(), given.next()) {
            (Some((first, first_mark)), Some((second, mark))) => {
                let message = format!("{name} has either `{first}` or `{second}`, not both");
                cx.say(Diagnostic::error("one-of", mark, message).related(first_mark, format!("`{first}` is here")));
            }
            (None, _) if !one_of.is_empty() && !self.vague && !one_of.iter().any(|word| self.meant.contains(word)) => {
                let list: Vec<String> = one_of.iter().map(|word| format!("`{word}`")).collect();
                let message = format!("{name} needs one of {}", list.join(", "));
                cx.say(Diagnostic::error("one-of", self.at, message));
            }
            _ => {}
        }
        for word in *required {
            if written(word).is_none() && !self.vague && !self.meant.contains(word) {
                cx.say(Diagnostic::error("missing-word", self.at, format!("{name} needs `{word}`")));
            }
        }
        !self.refused
    }
}

impl Spec {
    pub(crate) fn schema(&self, words: Vec<(&'static str, &'static str, Value)>) -> Value {
        let mut properties = serde_json::Map::new();
        for (word, about, mut schema) in words {
            if !about.is_empty() {
                schema["description"] = about.into();
            }
            properties.insert(word.to_owned(), schema);
        }
        let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
        if !self.about.is_empty() {
            schema["description"] = self.about.into();
        }
        if !self.required.is_empty() {
            schema["required"] = json!(self.required);
        }
        if !self.one_of.is_empty() {
            schema["oneOf"] = self.one_of.iter().map(|word| json!({ "required": [word] })).collect();
        }
        schema
    }
}

/// Which of several kinds of a block stands at `node`, told by its verbs.
pub(crate) fn pick(
    title: &str,
    node: &Node,
    at: Mark,
    kinds: &[(&[&'static str], &'static Spec)],
    later: &[&str],
    cx: &mut Context<'_>,
) -> Option<usize> {
    let map = cx.map(node, title)?;
    let kind_of = |word: &str| kinds.iter().position(|(verbs, _)| verbs.contains(&word));
    let mut verbs = map.entries.iter().filter_map(|(key, _)| kind_of(&key.text).map(|kind| (key, kind)));
    let first = verbs.next();
    if let Some((verb, kind)) = first {
        if let Some((other, _)) = verbs.find(|(_, other)| *other != kind) {
            let message = format!("`{}` and `{}` are two things; {title} is one", verb.text, other.text);
            let wrong =
                Diagnostic::error("one-of", other.mark, message).related(verb.mark, format!("`{}` is here", verb.text));
            cx.say(wrong.help("write each as an entry of its own"));
            return None;
        }
        return Some(kind);
    }
    let mut said = !map.complete;
    for (key, _) in &map.entries {
        let word = key.text.as_str();
        if later.contains(&word) {
            cx.say(not_yet(word, key.mark));
            return None;
        }
        if !kinds.iter().any(|(_, spec)| spec.words.contains(&word)) {
            said = true;
            let known: Vec<&'static str> = kinds.iter().flat_map(|(verbs, _)| verbs.iter().copied()).collect();
            cx.say(match kinds.iter().find_map(|(_, spec)| spec.later.contains(&word).then_some(word)) {
                Some(word) => not_yet(word, key.mark),
                None => unknown("word", word, title, key.mark, &known),
            });
        }
    }
    if !said {
        let known: Vec<String> =
            kinds.iter().flat_map(|(verbs, _)| verbs.iter()).map(|verb| format!("`{verb}`")).collect();
        cx.say(Diagnostic::error("one-of", at, format!("{title} needs one of {}", known.join(", "))));
    }
    None
}
