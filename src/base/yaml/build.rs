//! From the parser's events to the tree, without recursion.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::scalar::Scalar;
use super::syntax::{plainly, too_deep, unquoted_template};
use super::{Key, Kind, MAX_DEPTH, MAX_SAID, Map, Node, check};
use crate::base::diagnostic::{Diagnostic, Mark, SourceId};

/// A map or list that is still open.
enum Open {
    List { mark: Mark, flow: bool, items: Vec<Node> },
    Map { mark: Mark, flow: bool, map: Map, seen: HashMap<String, Mark>, key: Slot },
}

/// The key that waits for its value.
enum Slot {
    None,
    Key(Key),
    /// Refused: its value is dropped in silence.
    Refused,
    /// `<<`
    Merge,
}

struct Builder<'t> {
    source: SourceId,
    text: &'t str,
    /// The byte of each character; empty where they are the same.
    bytes: Vec<u32>,
    stack: Vec<Open>,
    root: Option<Node>,
    found: Vec<Diagnostic>,
    anchors: Vec<(usize, Mark)>,
    /// (anchor, where, whether a merge key takes it)
    aliases: Vec<(usize, Mark, bool)>,
    /// First and last line of every scalar that has several.
    scalars: Vec<(usize, usize)>,
    documents: usize,
}

pub(super) fn build(source: SourceId, text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let bytes = if text.is_ascii() {
        Vec::new()
    } else {
        text.char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .map(|at| u32::try_from(at).unwrap_or(u32::MAX))
            .collect()
    };
    let mut builder = Builder {
        source,
        text,
        bytes,
        stack: Vec::new(),
        root: None,
        found: Vec::new(),
        anchors: Vec::new(),
        aliases: Vec::new(),
        scalars: Vec::new(),
        documents: 0,
    };
    let whole = builder.run();
    builder.refuse_anchors();
    if whole {
        if let Some(tab) = check::tab_indent(source, text, |line| !builder.in_scalar(line)) {
            builder.found.push(tab);
        }
        if builder.root.is_none() && builder.found.is_empty() {
            let empty = Diagnostic::error("empty", Mark::head(source), "the file holds nothing but comments or blanks");
            builder.found.push(empty.help("begin with `peakdrill: 1`"));
        }
    }
    (builder.root.filter(|_| whole), builder.found)
}

impl<'t> Builder<'t> {
    fn byte(&self, index: usize) -> u32 {
        let last = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        match self.bytes.get(index) {
            Some(byte) => *byte,
            None if self.bytes.is_empty() => u32::try_from(index).unwrap_or(u32::MAX).min(last),
            None => last,
        }
    }

    fn mark(&self, span: &Span) -> Mark {
        let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
        Mark { source: self.source, start, end: end.max(start) }
    }

    fn rest(&self, start: u32) -> &'t str {
        self.text.get(start as usize..).unwrap_or("")
    }

    /// Takes every event; false when the text could not be read to its end.
    fn run(&mut self) -> bool {
        let text = self.text;
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            match event {
                Ok((event, span)) => {
                    if !self.take(event, &span, &mut parser) || self.found.len() >= MAX_SAID {
                        return false;
                    }
                }
                Err(error) => {
                    self.refuse_syntax(error.info(), error.marker().index(), error.marker().line());
                    return false;
                }
            }
        }
        true
    }

    fn take(&mut self, event: Event<'t>, span: &Span, parser: &mut Parser<'t, StrInput<'t>>) -> bool {
        let mark = self.mark(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here; a file holds one";
                    self.found.push(
                        Diagnostic::error("several-documents", mark, message).help("move it into a file of its own"),
                    );
                    return false;
                }
            }
            Event::Alias(id) => {
                let merge = self.stack.iter().any(|open| matches!(open, Open::Map { key: Slot::Merge, .. }));
                self.aliases.push((id, mark, merge));
                self.place(Node { mark, kind: Kind::Hole });
            }
            Event::Scalar(value, style, anchor, tag) => {
                self.note(anchor, tag.is_some(), mark);
                let node = self.scalar(value.into_owned(), style, span, mark);
                self.place(node);
            }
            Event::SequenceStart(anchor, tag) => {
                self.note(anchor, tag.is_some(), mark);
                let flow = self.rest(mark.start).starts_with('[');
                return self.open(Open::List { mark, flow, items: Vec::new() }, mark);
            }
            Event::MappingStart(anchor, tag) => {
                self.note(anchor, tag.is_some(), mark);
                if self.rest(mark.start).starts_with("{{") {
                    return self.template(mark, parser);
                }
                let flow = self.rest(mark.start).starts_with('{');
                let map = Map { entries: Vec::new(), complete: true };
                return self.open(Open::Map { mark, flow, map, seen: HashMap::new(), key: Slot::None }, mark);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(mark),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        true
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, span: &Span, mark: Mark) -> Node {
        let written = self.text.get(mark.start as usize..mark.end as usize).unwrap_or("");
        let length = u32::try_from(written.trim_end().len()).unwrap_or(0);
        // An empty value takes no room; the parser gives it the brace after it.
        let length = if style == ScalarStyle::Plain && text.is_empty() { 0 } else { length };
        let last = if span.end.col() == 0 { span.end.line().saturating_sub(1) } else { span.end.line() };
        if last > span.start.line() || matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            self.scalars.push((span.start.line().saturating_sub(1), last));
        }
        let scalar = if style == ScalarStyle::Plain { Scalar::plain(text) } else { Scalar::quoted(text) };
        Node { mark: Mark { end: mark.start + length, ..mark }, kind: Kind::Scalar(scalar) }
    }

    fn open(&mut self, open: Open, mark: Mark) -> bool {
        if self.stack.len() >= MAX_DEPTH {
            self.found.push(too_deep(mark));
            return false;
        }
        self.stack.push(open);
        true
    }

    fn close(&mut self, end: Mark) {
        let Some(open) = self.stack.pop() else { return };
        let (mark, flow, last, kind) = match open {
            Open::List { mark, flow, items } => {
                let last = items.last().map(|node| node.mark);
                (items.first().map_or(mark, |first| first.mark), (flow, mark), last, Kind::List(items))
            }
            Open::Map { mark, flow, map, .. } => {
                let last = map.entries.last().map(|(key, node)| key.mark.to(node.mark));
                (map.entries.first().map_or(mark, |(key, _)| key.mark), (flow, mark), last, Kind::Map(map))
            }
        };
        let mark = match flow {
            (true, start) => start.to(end),
            (false, _) => mark.to(last.unwrap_or(mark)),
        };
        self.place(Node { mark, kind });
    }

    /// Puts a finished node where it belongs: as key, as value, into a list, or as the root.
    fn place(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { map, seen, key, .. }) => match std::mem::replace(key, Slot::None) {
                Slot::None => {
                    *key = into_key(node, seen, &mut self.found);
                    map.complete &= matches!(key, Slot::Key(_));
                }
                Slot::Key(key) => map.entries.push((key, node)),
                Slot::Refused | Slot::Merge => {}
            },
        }
    }

    /// `{{ … }}` without quotes: said so, and skipped whole.
    fn template(&mut self, mark: Mark, parser: &mut Parser<'t, StrInput<'t>>) -> bool {
        let line = self.rest(mark.start).split('\n').next().unwrap_or("");
        let length = line.find("}}").map_or(2, |at| at + 2);
        let mark = Mark { end: mark.start + u32::try_from(length).unwrap_or(2), ..mark };
        self.found.push(unquoted_template(mark));
        let mut depth = 1usize;
        while depth > 0 {
            match parser.next_event() {
                Some(Ok((Event::MappingStart(..) | Event::SequenceStart(..), _))) => depth += 1,
                Some(Ok((Event::MappingEnd | Event::SequenceEnd, _))) => depth -= 1,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
        self.place(Node { mark, kind: Kind::Hole });
        true
    }

    /// Remembers an anchor, refuses a tag.
    fn note(&mut self, anchor: usize, tagged: bool, mark: Mark) {
        let word = self.rest(mark.start).split([' ', '\n', ',', '}', ']']).next().unwrap_or("");
        let mark = Mark { end: mark.start + u32::try_from(word.len()).unwrap_or(0), ..mark };
        if anchor > 0 {
            self.anchors.push((anchor, mark));
        }
        if tagged {
            let refused = Diagnostic::error("tag", mark, "tags (`!name`) are not supported");
            self.found.push(refused.help("remove it; a text that begins with `!` needs quotes"));
        }
    }

    /// One word about each anchor: at the merge key that uses it, else where it is made.
    fn refuse_anchors(&mut self) {
        for (anchor, made) in &self.anchors {
            let merged = self.aliases.iter().any(|(id, _, merge)| id == anchor && *merge);
            if merged {
                continue;
            }
            let mut refused =
                Diagnostic::error("anchor", *made, "anchors (`&name`) and aliases (`*name`) are not supported")
                    .help("write the value out where it is used, or keep it in `vars` and write \"{{ vars.name }}\"");
            if let Some((_, used, _)) = self.aliases.iter().find(|(id, ..)| id == anchor) {
                refused = refused.related(*used, "used here");
            }
            self.found.push(refused);
        }
    }

    fn in_scalar(&self, line: usize) -> bool {
        let after = self.scalars.partition_point(|(first, _)| *first < line);
        self.scalars.get(..after).and_then(<[_]>::last).is_some_and(|(_, last)| line <= *last)
    }

    fn refuse_syntax(&mut self, info: &str, index: usize, line: usize) {
        let at = self.byte(index);
        let mark = Mark { source: self.source, start: at, end: at };
        let begin = self.text.get(..at as usize).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let written = self.rest(u32::try_from(begin).unwrap_or(0)).split('\n').next().unwrap_or("");
        let told = |found: &Diagnostic| found.code == "unquoted-template" && (found.mark.start as usize) >= begin;
        if self.found.iter().any(told) {
            return;
        }
        if let Some(tab) = check::tab_indent(self.source, self.text, |at| at <= line && !self.in_scalar(at)) {
            self.found.push(tab);
            return;
        }
        if let Some(open) = bare_template(written).filter(|open| begin + open <= at as usize + 2) {
            let start = u32::try_from(begin + open).unwrap_or(at);
            let length = written.get(open..).and_then(|text| text.find("}}")).map_or(2, |at| at + 2);
            self.found.push(unquoted_template(Mark { start, end: start + u32::try_from(length).unwrap_or(2), ..mark }));
            return;
        }
        let opened = self.stack.iter().rev().find_map(|open| match open {
            Open::List { mark, flow: true, .. } | Open::Map { mark, flow: true, .. } => Some(*mark),
            _ => None,
        });
        let mut refused = plainly(info, mark);
        if let Some(opened) = opened.filter(|_| info.contains("expected ','")) {
            refused = refused.related(opened, "opened here");
        }
        self.found.push(refused);
    }
}

/// Where a `{{` stands in `line` outside of quotes.
fn bare_template(line: &str) -> Option<usize> {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '[' | '{' | ',' | '(') => quote = Some(c),
            None if c == '{' && line.get(at..).is_some_and(|rest| rest.starts_with("{{")) => return Some(at),
            None if c == '#' && before == ' ' => return None,
            None => {}
        }
        before = c;
    }
    None
}

fn into_key(node: Node, seen: &mut HashMap<String, Mark>, found: &mut Vec<Diagnostic>) -> Slot {
    use super::ScalarKind::Text;
    match node.kind {
        Kind::Scalar(scalar) if scalar.text == "<<" && scalar.kind == Text => {
            let refused = Diagnostic::error("merge-key", node.mark, "merge keys (`<<`) are not supported");
            found.push(refused.help("write the entries out, or lay them over the file in a profile"));
            Slot::Merge
        }
        Kind::Scalar(scalar) if scalar.kind == Text => match seen.get(&scalar.text) {
            Some(first) => {
                let message = format!("`{}` is written twice in this map", scalar.text);
                let refused =
                    Diagnostic::error("duplicate-key", node.mark, message).related(*first, "first written here");
                found.push(refused.help("remove one of them, or give it another name"));
                Slot::Refused
            }
            None => {
                seen.insert(scalar.text.clone(), node.mark);
                Slot::Key(Key { text: scalar.text, mark: node.mark })
            }
        },
        Kind::Scalar(scalar) => {
            let message = format!("a key is a text, but YAML reads {} here", scalar.describe());
            let refused = Diagnostic::error("key", node.mark, message);
            found.push(refused.help(format!("write it in quotes: \"{}\"", scalar.text)));
            Slot::Refused
        }
        Kind::List(_) | Kind::Map(_) => {
            let message = format!("a key is a text, not {}", node.describe());
            found.push(Diagnostic::error("key", node.mark, message).help("write a name, or put the text in quotes"));
            Slot::Refused
        }
        Kind::Hole => Slot::Refused,
    }
}
