//! Rows of feeds: read once, shared by all workers; which row a visit is given follows from its number alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::LoadError;
use super::files::Files;
use super::replay::Logs;
use crate::base::rng::{Key, Permutation, Purpose, Zipf};
use crate::base::template::{Cell, FeedShape};
use crate::plan::{Action, Feed, FeedData, FeedId, JourneyId, Pick, Plan, Repeat, Role, Turns};

/// The most turns that a `while` makes.
pub(super) const MOST_TURNS: u64 = 1000;

/// Rows that were made in `prepare`, by the name of their feed.
pub type MadeRows = BTreeMap<String, Vec<Value>>;

/// All that a plan reads from files: rows of feeds, requests of logs, bodies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    rows: Arc<[Rows]>,
    pub(super) made: Arc<MadeRows>,
    pub(super) logs: Logs,
    pub(super) files: Files,
}

#[derive(Debug)]
struct Rows {
    data: Data,
    pick: Picker,
    rows: u64,
    /// Of one visit, for each load and role; the first visit of each comes after all of those before it.
    uses: Vec<[Uses; 3]>,
    /// Columns or fields that are never written anywhere.
    secret: Vec<String>,
}

#[derive(Debug)]
enum Data {
    Range(i64),
    Values(Vec<Value>),
    Table { columns: Vec<String>, cells: Vec<String> },
}

#[derive(Debug)]
enum Picker {
    InOrder,
    Random,
    Unique(Permutation),
    Zipf(Zipf),
}

#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    before: u64,
    each: u64,
}

impl Feeds {
    /// Reads the rows; files lie in `folder`, and must be those that the plan was made with. A feed that is yet to be made
    /// gives no rows.
    pub fn read(plan: &Plan, folder: &Path, made: MadeRows) -> Result<Feeds, LoadError> {
        let feeds = plan.feeds.iter().enumerate();
        let read = feeds.map(|(index, feed)| {
            let wrong = |why: String| LoadError::Feed { feed: feed.name.clone(), why };
            let (data, rows) = data(feed, folder, &made).map_err(wrong)?;
            let to_come = matches!(feed.data, FeedData::Made(_)) && !made.contains_key(&feed.name);
            if (rows == 0 || rows != feed.rows) && !to_come {
                return Err(wrong(format!("it has {rows} rows, and the plan says {}", feed.rows)));
            }
            let pick = match feed.pick {
                Pick::InOrder => Picker::InOrder,
                Pick::Random => Picker::Random,
                Pick::Unique => Picker::Unique(Permutation::new(feed.rows, plan.seed, FeedId::at(index).0)),
                Pick::Zipf { exponent } => Picker::Zipf(
                    Zipf::new(rows, exponent).ok_or_else(|| wrong(format!("no Zipf distribution has {exponent}")))?,
                ),
            };
            Ok(Rows { data, pick, rows: feed.rows, uses: all_uses(plan, &feed.name), secret: feed.secret.clone() })
        });
        let rows = read.collect::<Result<Vec<_>, LoadError>>()?.into();
        let (logs, files) = (Logs::read(plan, folder)?, Files::read(plan, folder)?);
        Ok(Feeds { rows, made: Arc::new(made), logs, files })
    }

    /// All rows of a feed, each whole: a value, or a map by column.
    pub fn whole_rows(&self, feed: FeedId) -> Vec<Value> {
        let Some(rows) = self.rows.get(feed.index()) else { return Vec::new() };
        match &rows.data {
            Data::Range(from) => (0..rows.rows).map(|row| Value::from(from.wrapping_add_unsigned(row))).collect(),
            Data::Values(values) => values.clone(),
            Data::Table { columns, cells } => {
                let named = |cells: &[String]| -> Value {
                    columns.iter().cloned().zip(cells.iter().cloned().map(Value::String)).collect()
                };
                cells.chunks(columns.len().max(1)).map(named).collect()
            }
        }
    }

    pub(super) fn shapes(&self, plan: &Plan) -> Vec<FeedShape> {
        let shape = |(feed, rows): (&Feed, &Rows)| FeedShape {
            name: feed.name.clone(),
            columns: match &rows.data {
                Data::Table { columns, .. } => Some(columns.clone()),
                _ => None,
            },
        };
        plan.feeds.iter().zip(self.rows.iter()).map(shape).collect()
    }
}

impl Feeds {
    /// The row that a use of `feed` is given.
    fn row(&self, feed: u32, role: usize, key: Key, turn: u64) -> Option<(&Rows, u64)> {
        let rows = self.rows.get(feed as usize)?;
        let stream = || key.stream(Purpose::Feed(feed), turn);
        let index = || {
            let uses = rows.uses.get(key.load as usize).and_then(|roles| roles.get(role)).copied();
            let uses = uses.unwrap_or(Uses { before: 0, each: 1 });
            uses.before.wrapping_add(key.k.wrapping_mul(uses.each)).wrapping_add(turn)
        };
        let row = match &rows.pick {
            Picker::InOrder => index() % rows.rows,
            Picker::Random => stream().below(rows.rows),
            Picker::Unique(permutation) => permutation.at(index() % rows.rows)?,
            Picker::Zipf(zipf) => zipf.draw(&mut stream()).min(rows.rows - 1),
        };
        Some((rows, row))
    }

    /// What stands in the row of `feed` that this use is given.
    pub(super) fn cell(&self, feed: u32, column: Option<u32>, role: usize, key: Key, turn: u64) -> Option<Cell<'_>> {
        let (_, row) = self.row(feed, role, key, turn)?;
        self.cell_of(feed, column, row)
    }

    fn cell_of(&self, feed: u32, column: Option<u32>, row: u64) -> Option<Cell<'_>> {
        let rows = self.rows.get(feed as usize)?;
        match (&rows.data, column) {
            (Data::Range(from), None) => Some(Cell::Int(from.wrapping_add_unsigned(row))),
            (Data::Values(values), None) => values.get(usize::try_from(row).ok()?).map(Cell::Json),
            (Data::Table { columns, cells }, Some(column)) => {
                let at = usize::try_from(row).ok()?.checked_mul(columns.len())?.checked_add(column as usize)?;
                cells.get(at).map(|text| Cell::Text(text))
            }
            _ => None,
        }
    }

    /// What of the rows that a visit is given may never be written anywhere.
    pub(super) fn secrets(&self, role: usize, key: Key, turn: u64) -> Vec<String> {
        let mut found = Vec::new();
        for (index, rows) in self.rows.iter().enumerate() {
            if rows.secret.is_empty() {
                continue;
            }
            let Some((_, row)) = self.row(index as u32, role, key, turn) else { continue };
            match &rows.data {
                Data::Table { columns, .. } => {
                    for (column, _) in columns.iter().enumerate().filter(|(_, name)| rows.secret.contains(name)) {
                        if let Some(Cell::Text(text)) = self.cell_of(index as u32, Some(column as u32), row) {
                            found.push(text.to_owned());
                        }
                    }
                }
                Data::Values(values) => {
                    let value = usize::try_from(row).ok().and_then(|row| values.get(row));
                    let fields = rows.secret.iter().filter_map(|name| value?.get(name));
                    found.extend(fields.map(|field| field.as_str().map_or_else(|| field.to_string(), str::to_owned)));
                }
                Data::Range(_) => {}
            }
        }
        found
    }
}

impl Data {
    fn len(&self) -> u64 {
        match self {
            Data::Range(_) => 0,
            Data::Values(values) => values.len() as u64,
            Data::Table { columns, cells } => (cells.len() / columns.len().max(1)) as u64,
        }
    }
}

fn data(feed: &Feed, folder: &Path, made: &MadeRows) -> Result<(Data, u64), String> {
    Ok(match &feed.data {
        FeedData::Range { from, to } => {
            let rows = to.checked_sub(*from).and_then(|span| u64::try_from(span).ok()).map_or(0, |span| span + 1);
            (Data::Range(*from), rows)
        }
        FeedData::List(values) => counted(Data::Values(values.clone())),
        FeedData::Made(_) => counted(Data::Values(made.get(&feed.name).cloned().unwrap_or_default())),
        FeedData::Csv { file, sha256 } => counted(table(&bytes(file, sha256, folder)?)?),
        FeedData::Json { file, sha256 } => {
            let values = serde_json::from_slice(&bytes(file, sha256, folder)?);
            counted(Data::Values(values.map_err(|error| format!("`{file}` is no list in JSON: {error}"))?))
        }
    })
}

fn counted(data: Data) -> (Data, u64) {
    let rows = data.len();
    (data, rows)
}

pub(super) fn bytes(file: &str, sha256: &str, folder: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(folder.join(file)).map_err(|error| format!("`{file}` could not be read: {error}"))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != sha256 {
        return Err(format!("`{file}` is not the file that the plan was made with; check the scenario again"));
    }
    Ok(bytes)
}

fn table(bytes: &[u8]) -> Result<Data, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let columns: Vec<String> = reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
    let mut cells = Vec::new();
    for record in reader.records() {
        cells.extend(record.map_err(|error| error.to_string())?.iter().map(str::to_owned));
    }
    Ok(Data::Table { columns, cells })
}

/// Where the uses of a feed begin, of each load and role, and how many one visit has.
fn all_uses(plan: &Plan, feed: &str) -> Vec<[Uses; 3]> {
    let mut before = 0u64;
    let mut of = |role: Role| {
        let each = uses(plan, &role.journeys, feed);
        let own = Uses { before, each: each.unwrap_or(1) };
        before = before.saturating_add(role.most.saturating_mul(each.unwrap_or(0)));
        own
    };
    plan.loads.iter().map(|load| load.roles().map(&mut of)).collect()
}

/// How often one visit uses `feed`: the most turns of a `repeat` that it is used in, over these journeys; none when none
/// uses it.
fn uses(plan: &Plan, journeys: &[JourneyId], feed: &str) -> Option<u64> {
    journeys.iter().filter_map(|journey| turns(&plan.journeys.get(journey.index())?.actions, 1, feed)).max()
}

fn turns(actions: &[Action], outer: u64, feed: &str) -> Option<u64> {
    let of = |action: &Action| match action {
        Action::Repeat(Repeat { turns: Turns::Times(times), actions }) => {
            turns(actions, outer.saturating_mul(u64::from(*times)), feed)
        }
        Action::Repeat(Repeat { turns: Turns::While(test), actions }) => {
            let most = outer.saturating_mul(MOST_TURNS);
            turns(actions, most, feed).max(names(test, feed).then_some(most))
        }
        Action::Group(group) => turns(&group.actions, outer, feed),
        Action::Choose(branches) => branches.iter().filter_map(|branch| turns(&branch.actions, outer, feed)).max(),
        Action::If { test, then, otherwise } => {
            let inner = turns(then, outer, feed).max(turns(otherwise, outer, feed));
            inner.max(names(test, feed).then_some(outer))
        }
        // The text of an action holds all of its templates, wherever they stand in it.
        other => serde_json::to_string(other).is_ok_and(|text| mentions(&text, feed)).then_some(outer),
    };
    actions.iter().filter_map(of).max()
}

fn names(template: &crate::plan::Template, feed: &str) -> bool {
    mentions(&template.0, feed)
}

fn mentions(text: &str, feed: &str) -> bool {
    let name = format!("feed.{feed}");
    let ends = |at: usize| !text[at + name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(&name).any(|(at, _)| ends(at))
}
