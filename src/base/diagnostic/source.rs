use std::fmt;
use std::sync::Arc;

/// Which of the [`Sources`] a mark lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A stretch of a source, in bytes; `end` is past the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Mark {
    /// The very beginning of a source.
    pub fn head(source: SourceId) -> Mark {
        Mark { source, start: 0, end: 0 }
    }

    /// From the beginning of this mark to the end of `other`, in one source; else this mark.
    #[must_use]
    pub fn to(self, other: Mark) -> Mark {
        if self.source == other.source && other.end >= self.start { Mark { end: other.end, ..self } } else { self }
    }
}

/// Where a mark begins, for people: line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: Arc<str>,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

/// Every text that marks point into: files, and flags such as `--set`.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Takes a text in; one that is here already keeps its id, so that what is said of it twice is seen to be the same.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let (name, text): (String, Arc<str>) = (name.into(), text.into());
        if let Some(known) = self.list.iter().position(|source| source.name == name && source.text == text) {
            return SourceId(u32::try_from(known).unwrap_or(u32::MAX));
        }
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        self.list.push(Source { name, text, lines });
        SourceId(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
    }

    fn get(&self, id: SourceId) -> Option<&Source> {
        self.list.get(id.0 as usize)
    }

    pub fn name(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| &source.name)
    }

    pub fn text(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| &source.text)
    }

    /// What is written under `mark`; empty when it lies outside its source.
    pub fn slice(&self, mark: Mark) -> &str {
        self.text(mark.source).get(mark.start as usize..mark.end as usize).unwrap_or("")
    }

    /// Where `mark` begins.
    pub fn place(&self, mark: Mark) -> Place {
        self.place_of(mark.source, mark.start as usize)
    }

    /// Where `mark` ends: the place after its last character.
    pub fn end_place(&self, mark: Mark) -> Place {
        self.place_of(mark.source, mark.end.max(mark.start) as usize)
    }

    /// The part `range` (bytes of `content`) of a scalar that was written under `mark`; the whole of it where the text
    /// is not written as it reads (escapes, folded lines).
    pub fn inside(&self, mark: Mark, content: &str, range: std::ops::Range<usize>) -> Mark {
        let Some(offset) = self.slice(mark).find(content).filter(|_| !content.is_empty()) else { return mark };
        if range.start > range.end || range.end > content.len() {
            return mark;
        }
        let at = |byte: usize| u32::try_from(offset + byte).map_or(mark.end, |byte| mark.start.saturating_add(byte));
        Mark { source: mark.source, start: at(range.start), end: at(range.end) }
    }

    fn place_of(&self, id: SourceId, byte: usize) -> Place {
        let Some(source) = self.get(id) else { return Place { file: String::new(), line: 1, column: 1 } };
        let byte = floor(&source.text, byte);
        let line = source.lines.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = source.lines.get(line).copied().unwrap_or(0);
        let column = source.text.get(start..byte).map_or(0, |text| text.chars().count());
        Place { file: source.name.clone(), line: line + 1, column: column + 1 }
    }

    /// The line that `mark` begins in, without its break, and the part of it (bytes) that is marked.
    pub(super) fn line(&self, mark: Mark) -> (&str, std::ops::Range<usize>) {
        let Some(source) = self.get(mark.source) else { return ("", 0..0) };
        let byte = floor(&source.text, mark.start as usize);
        let line = source.lines.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = source.lines.get(line).copied().unwrap_or(0);
        let rest = source.text.get(start..).unwrap_or("");
        let text = rest.split('\n').next().unwrap_or("");
        let text = text.strip_suffix('\r').unwrap_or(text);
        let from = floor(text, byte - start);
        let to = floor(text, (mark.end as usize).saturating_sub(start)).max(from);
        (text, from..to)
    }
}

/// The nearest character boundary of `text` at or before `byte`.
fn floor(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte.min(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "a: 1\n标题: 高峰期\n");
        let text = sources.text(file).to_owned();
        let start = text.find("高峰期").unwrap() as u32;
        let mark = Mark { source: file, start, end: start + 9 };
        assert_eq!(sources.place(mark).to_string(), "a.yaml:2:5");
        assert_eq!(sources.end_place(mark).to_string(), "a.yaml:2:8");
        assert_eq!(sources.slice(mark), "高峰期");
    }

    #[test]
    fn a_part_of_a_scalar_is_found_unless_it_is_escaped() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", r#"x: "/orders/{{ id }}""#);
        let mark = Mark { source: file, start: 3, end: 21 };
        let part = sources.inside(mark, "/orders/{{ id }}", 11..13);
        assert_eq!(sources.slice(part), "id");
        assert_eq!(sources.inside(mark, "other", 1..2), mark);
    }

    proptest! {
        #[test]
        fn no_mark_makes_it_panic(text in "\\PC{0,12}(\n|\r\n|\t)\\PC{0,12}", start in 0u32..40, end in 0u32..40) {
            let mut sources = Sources::default();
            let source = sources.add("f", text);
            let mark = Mark { source, start, end };
            let place = sources.place(mark);
            prop_assert!(place.line >= 1 && place.column >= 1);
            let _ = (sources.end_place(mark), sources.slice(mark).len(), sources.line(mark).0.len());
        }
    }
}
