//! Feeds: their rows, read through what is handed in, and their columns.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::context::Cx;
use crate::base::diagnostic::{Diagnostic, Mark, SourceId, nearest};
use crate::plan::{Feed, FeedData, Pick};
use crate::scenario::{self, Field, Loader, Named, Reached, Spanned, beside};

/// What a feed's rows look like to templates.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    Scalars,
    Columns {
        columns: Vec<String>,
        /// Cells are texts, and a row as a whole is nothing.
        is_table: bool,
    },
    /// Refused, or not all alike: nothing is said about its columns.
    Unknown,
}

struct Read {
    data: FeedData,
    rows: u64,
    shape: Rows,
}

/// Every feed of the scenario, also those that were refused (as empty ones), with what their rows look like.
pub(super) fn feeds(
    field: &Field<Named<scenario::Feed, Reached>>,
    entry: SourceId,
    load: &mut Loader<'_>,
    cx: &mut Cx<'_>,
) -> (Vec<Feed>, Vec<Rows>) {
    let Some(map) = cx.get(field) else { return Default::default() };
    cx.broken |= !map.complete;
    let mut feeds = Vec::new();
    let mut shapes = Vec::new();
    for (name, feed) in &map.entries {
        let made = feed.as_ref().and_then(|feed| read(&name.value, feed, entry, load, cx));
        cx.broken |= made.is_none();
        let (feed, shape) = made.unwrap_or_else(|| (empty(&name.value), Rows::Unknown));
        feeds.push(feed);
        shapes.push(shape);
    }
    (feeds, shapes)
}

fn empty(name: &str) -> Feed {
    Feed { name: name.to_owned(), data: FeedData::List(Vec::new()), pick: Pick::Random, secret: Vec::new(), rows: 0 }
}

fn read(
    name: &str,
    feed: &Spanned<scenario::Feed>,
    entry: SourceId,
    load: &mut Loader<'_>,
    cx: &mut Cx<'_>,
) -> Option<(Feed, Rows)> {
    cx.broken |= !feed.complete;
    let read = if let Some(range) = cx.get(&feed.range) {
        let (from, to) = (range.from, range.to);
        let rows = to.checked_sub(from).and_then(|span| u64::try_from(span).ok()?.checked_add(1));
        let Some(rows) = rows else {
            let message = format!("a range from {from} to {to} has more rows than can be counted");
            cx.say(Diagnostic::error("range", range.mark, message));
            return None;
        };
        Read { data: FeedData::Range { from, to }, rows, shape: Rows::Scalars }
    } else if let Some(list) = cx.get(&feed.list) {
        let rows: Vec<Value> = cx.items(&list.value).iter().map(|row| row.value.to_json()).collect::<Option<_>>()?;
        let shape = shape(&rows);
        Read { rows: rows.len() as u64, data: FeedData::List(rows), shape }
    } else if let Some(file) = cx.get(&feed.csv) {
        csv(file, entry, load, cx)?
    } else if let Some(file) = cx.get(&feed.json) {
        json(file, entry, load, cx)?
    } else {
        return None;
    };
    let pick = match cx.get(&feed.pick).map(|pick| pick.value) {
        None | Some(scenario::Pick::InOrder) => Pick::InOrder,
        Some(scenario::Pick::Random) => Pick::Random,
        Some(scenario::Pick::Unique) => Pick::Unique,
        Some(scenario::Pick::Zipf) => Pick::Zipf { exponent: cx.need(&feed.exponent)?.value },
    };
    let mut secret = Vec::new();
    if let Some(columns) = cx.get(&feed.secret) {
        for column in cx.items(&columns.value) {
            check_column(name, column, &read.shape, cx);
            secret.push(column.value.clone());
        }
    }
    Some((Feed { name: name.to_owned(), data: read.data, pick, secret, rows: read.rows }, read.shape))
}

fn check_column(feed: &str, column: &Spanned<String>, shape: &Rows, cx: &mut Cx<'_>) {
    let columns = match shape {
        Rows::Unknown => return,
        Rows::Scalars => {
            let message = format!("feed `{feed}` has no columns: each row is one value");
            cx.say(Diagnostic::error("unknown-name", column.mark, message));
            return;
        }
        Rows::Columns { columns, .. } => columns,
    };
    if !columns.contains(&column.value) {
        let unknown =
            Diagnostic::error("unknown-name", column.mark, format!("feed `{feed}` has no column `{}`", column.value));
        cx.say(match nearest(&column.value, columns.iter().map(String::as_str)) {
            Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
            None => unknown.help(format!("it has: {}", columns.join(", "))),
        });
    }
}

/// The columns that every row has, where every row is a map.
fn shape(rows: &[Value]) -> Rows {
    let mut maps = rows.iter().map(Value::as_object);
    match maps.next() {
        Some(Some(first)) => {
            let mut columns: Vec<String> = first.keys().cloned().collect();
            for map in maps {
                let Some(map) = map else { return Rows::Unknown };
                columns.retain(|column| map.contains_key(column));
            }
            Rows::Columns { columns, is_table: false }
        }
        Some(None) if maps.all(|map| map.is_none()) => Rows::Scalars,
        _ => Rows::Unknown,
    }
}

/// Where the file lies as seen from the scenario, and what is in it.
pub(super) fn file(
    name: &Spanned<String>,
    entry: SourceId,
    load: &mut Loader<'_>,
    cx: &mut Cx<'_>,
) -> Option<(String, Vec<u8>)> {
    let start = cx.sources.name(entry).to_owned();
    // A file named in an included file lies beside that one.
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    let written = cx.sources.name(name.mark.source);
    let whole = beside(if written.starts_with("--set") { &start } else { written }, &name.value);
    let kept = whole.strip_prefix(&folder(&start)).unwrap_or(&whole).to_owned();
    match load(&whole) {
        Ok(bytes) => Some((kept, bytes)),
        Err(why) => {
            let message = format!("`{whole}` cannot be read: {why}");
            cx.say(Diagnostic::error("unreadable", name.mark, message).help("it lies beside the scenario"));
            None
        }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wrong(message: String, mark: Mark, cx: &mut Cx<'_>) {
    cx.say(Diagnostic::error("feed-file", mark, message));
}

fn csv(name: &Spanned<String>, entry: SourceId, load: &mut Loader<'_>, cx: &mut Cx<'_>) -> Option<Read> {
    let (file, bytes) = file(name, entry, load, cx)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_slice());
    let columns: Vec<String> = match reader.headers() {
        Ok(columns) => columns.iter().map(str::to_owned).collect(),
        Err(error) => {
            wrong(format!("`{file}` is no table: {error}"), name.mark, cx);
            return None;
        }
    };
    let twice =
        columns.iter().enumerate().find(|(index, column)| columns.iter().take(*index).any(|other| other == *column));
    if let Some((_, column)) = twice {
        wrong(format!("`{file}` has two columns `{column}`"), name.mark, cx);
        return None;
    }
    let mut rows = 0u64;
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => match std::str::from_utf8(record.as_slice()) {
                Ok(_) => rows += 1,
                Err(_) => {
                    wrong(format!("row {} of `{file}` is not UTF-8", rows + 1), name.mark, cx);
                    return None;
                }
            },
            Err(error) => {
                wrong(format!("`{file}` is no table: {error}"), name.mark, cx);
                return None;
            }
        }
    }
    if rows == 0 {
        wrong(format!("`{file}` has no rows after its heading line"), name.mark, cx);
        return None;
    }
    let data = FeedData::Csv { file, sha256: sha256(&bytes) };
    Some(Read { data, rows, shape: Rows::Columns { columns, is_table: true } })
}

fn json(name: &Spanned<String>, entry: SourceId, load: &mut Loader<'_>, cx: &mut Cx<'_>) -> Option<Read> {
    let (file, bytes) = file(name, entry, load, cx)?;
    let rows: Vec<Value> = match serde_json::from_slice(&bytes) {
        Ok(rows) => rows,
        Err(error) => {
            wrong(format!("`{file}` is no list in JSON: {error}"), name.mark, cx);
            return None;
        }
    };
    if rows.is_empty() {
        wrong(format!("`{file}` has no rows"), name.mark, cx);
        return None;
    }
    let shape = shape(&rows);
    Some(Read { rows: rows.len() as u64, data: FeedData::Json { file, sha256: sha256(&bytes) }, shape })
}
