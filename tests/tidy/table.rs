//! The rooms table, as ARCHITECTURE.md tells it.

use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// `base::units`, `plan`.
    pub(crate) name: String,
    pub(crate) pure: bool,
    /// May use everything, so nothing that it does not use is a grant too many.
    pub(crate) all: bool,
    pub(crate) uses: BTreeSet<String>,
    /// `tokio`, `std::fs`.
    pub(crate) outside: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rooms: Vec<Room>,
    /// Outside names that every room may use.
    pub(crate) free: BTreeSet<String>,
    /// Files that may be long, from the table under "Long files".
    pub(crate) long: BTreeSet<String>,
}

impl Table {
    pub(crate) fn read(text: &str) -> Table {
        let section = |title: &str| {
            let from = text.find(title).unwrap_or_else(|| panic!("ARCHITECTURE.md has no section {title:?}"));
            let rest = &text[from + title.len()..];
            &rest[..rest.find("\n## ").unwrap_or(rest.len())]
        };
        let rows = |title: &str| -> Vec<Vec<String>> {
            let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            section(title).lines().filter(|line| line.starts_with("| `")).map(cells).collect()
        };
        let mut rooms: Vec<Room> = Vec::new();
        for row in rows("\n## The rooms") {
            let [name, pure, _, uses, outside] = row.as_slice() else {
                panic!("a row of the rooms table needs five cells: {row:?}")
            };
            rooms.push(Room {
                name: words(name).concat(),
                pure: pure == "P",
                all: false,
                uses: words(uses).into_iter().map(|word| room_name(&word)).collect(),
                outside: words(outside).into_iter().collect(),
            });
        }
        let everything: BTreeSet<String> = rooms.iter().map(|room| room.name.clone()).collect();
        for room in &mut rooms {
            if room.uses.remove("everything") {
                room.uses = everything.iter().filter(|name| **name != room.name).cloned().collect();
                room.all = true;
            }
        }
        let free = section("\n## The rooms").lines().find(|line| line.starts_with("Free to all: "));
        let free = words(free.expect("ARCHITECTURE.md says which outside names are free to all"));
        let long = rows("\n## Long files").into_iter().filter_map(|row| words(&row[0]).into_iter().next());
        Table { rooms, free: free.into_iter().collect(), long: long.collect() }
    }

    pub(crate) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.name == name)
    }
}

const GROUND: [&str; 8] = ["units", "rng", "diagnostic", "yaml", "template", "log", "clock", "host"];

fn room_name(word: &str) -> String {
    if GROUND.contains(&word) { format!("base::{word}") } else { word.to_owned() }
}

/// What stands in backquotes, and the word *everything*.
fn words(cell: &str) -> Vec<String> {
    if cell == "everything" {
        return vec!["everything".into()];
    }
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
