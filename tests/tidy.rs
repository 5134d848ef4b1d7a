//! The house rules, held: ARCHITECTURE.md's table against the code, so that prose and code cannot drift apart.

#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/table.rs"]
mod table;
#[path = "tidy/tokens.rs"]
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path as File, PathBuf};

use paths::paths;
use table::Table;
use tokens::{TestCode, Token, tokens};

/// A file of more lines than this, tests left out, is two files.
const LONGEST: usize = 500;
/// Parts of std that a room needs a grant for, apart from what in them is a mere value.
const STD: [&str; 7] = ["fs", "net", "process", "time", "thread", "env", "os"];
const VALUES: [&str; 9] = [
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "AddrParseError",
    "Duration",
    "ExitCode",
];
/// What no pure room may be granted.
const IMPURE: [&str; 18] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::time",
    "std::thread",
    "std::env",
    "std::os",
    "tokio",
    "tokio_util",
    "tokio_rustls",
    "rustls",
    "rustls_native_certs",
    "hyper",
    "hyper_util",
    "axum",
    "rusqlite",
    "socket2",
    "libc",
];

fn root() -> PathBuf {
    // Asked at run time too, so that one built test can be pointed at another checkout.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn read(path: &File) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &File, wanted: &dyn Fn(&File) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(|entry| entry.expect("an entry of a folder").path()) {
        if entry.is_dir() {
            found.extend(files(&entry, wanted));
        } else if wanted(&entry) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

struct Source {
    /// Below `src/`.
    name: String,
    /// `["base", "units", "time"]`.
    module: Vec<String>,
    /// None: `lib.rs` and `main.rs`.
    room: Option<String>,
    text: String,
    tokens: Vec<Token>,
    tests: TestCode,
    /// Only tests see the whole file.
    only_tests: bool,
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut all: Vec<Source> = files(&src, &|path| path.extension().is_some_and(|end| end == "rs"))
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).expect("below src").display().to_string();
            let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
            let text = read(&path);
            let tokens = tokens(&text);
            let tests = TestCode::of(&tokens);
            Source { room: room_of(&module), name, module, text, tokens, tests, only_tests: false }
        })
        .collect();
    assert!(all.len() > 10, "found only {} files under {}", all.len(), src.display());
    let of_tests: Vec<Vec<String>> = all
        .iter()
        .flat_map(|source| source.tests.modules.iter().map(|name| [source.module.clone(), vec![name.clone()]].concat()))
        .collect();
    for source in &mut all {
        source.only_tests = of_tests.iter().any(|module| source.module.starts_with(module));
    }
    all
}

/// `base::units` for everything in it; none for the crate's root and for `base` itself.
fn room_of(module: &[String]) -> Option<String> {
    match module {
        [base, room, ..] if base == "base" => Some(format!("base::{room}")),
        [base] if base == "base" => None,
        [room, ..] => Some(room.clone()),
        [] => None,
    }
}

fn table() -> Table {
    Table::read(&read(&root().join("ARCHITECTURE.md")))
}

/// The names under `[dependencies]` in Cargo.toml, as code says them.
fn dependencies() -> BTreeSet<String> {
    let manifest = read(&root().join("Cargo.toml"));
    let from = manifest.find("\n[dependencies]").expect("Cargo.toml has dependencies");
    let lines = manifest[from + 1..].lines().skip(1).take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().replace('-', "_")).collect()
}

fn fail(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}

/// What each room uses outside its tests: rooms, outside names, and where.
struct Use {
    room: String,
    what: String,
    place: String,
}

fn uses(sources: &[Source]) -> (Vec<Use>, Vec<Use>) {
    let dependencies = dependencies();
    let (mut rooms, mut outside) = (Vec::new(), Vec::new());
    for source in sources.iter().filter(|source| !source.only_tests) {
        let Some(room) = &source.room else { continue };
        let all = paths(&source.tokens, &source.module);
        let local: BTreeSet<&str> = all
            .iter()
            .filter(|path| path.inner)
            .filter_map(|path| path.segments.last().map(String::as_str))
            .chain(source.tokens.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.as_str()))
            .collect();
        for path in all.iter().filter(|path| !source.tests.holds(path.token)) {
            let place = format!("src/{}:{}", source.name, path.line);
            let first = path.segments.first().map_or("", String::as_str);
            let second = path.segments.get(1).map_or("", String::as_str);
            let third = path.segments.get(2).map_or("", String::as_str);
            if path.inner {
                let what = room_of(&path.segments).unwrap_or_else(|| format!("crate::{first}"));
                if what != *room {
                    rooms.push(Use { room: room.clone(), what, place });
                }
            } else if first == "std" && STD.contains(&second) && !VALUES.contains(&third) {
                outside.push(Use { room: room.clone(), what: format!("std::{second}"), place });
            } else if dependencies.contains(first) && !local.contains(first) {
                outside.push(Use { room: room.clone(), what: first.to_owned(), place });
            }
        }
    }
    (rooms, outside)
}

#[test]
fn the_table_names_the_rooms_that_exist() {
    let table = table();
    let rooms: BTreeSet<String> = sources().iter().filter_map(|source| source.room.clone()).collect();
    let named: BTreeSet<String> = table.rooms.iter().map(|room| room.name.clone()).collect();
    let missing: Vec<String> = rooms.difference(&named).cloned().collect();
    fail("a room of the code has no row in ARCHITECTURE.md", &missing);
    let gone: Vec<String> = named.difference(&rooms).cloned().collect();
    fail("a row of ARCHITECTURE.md has no room in the code", &gone);
    assert_eq!(named.len(), table.rooms.len(), "a room has two rows");
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let table = table();
    let mut broken = Vec::new();
    for (i, room) in table.rooms.iter().enumerate() {
        let above: BTreeSet<&str> = table.rooms[..i].iter().map(|room| room.name.as_str()).collect();
        let below = room.uses.iter().filter(|used| !above.contains(used.as_str()));
        broken.extend(below.map(|used| format!("{} may use {used}, which has no row above it", room.name)));
    }
    fail("the rooms table is not in the order of its imports", &broken);
}

#[test]
fn every_import_is_granted_and_every_grant_used() {
    let table = table();
    let (rooms, outside) = uses(&sources());
    let mut broken = BTreeSet::new();
    for (list, is_room) in [(&rooms, true), (&outside, false)] {
        for found in list {
            let Some(row) = table.room(&found.room) else { continue };
            let granted = if is_room { row.uses.contains(&found.what) } else { row.outside.contains(&found.what) };
            let free = !is_room && table.free.contains(&found.what);
            if !granted && !free {
                broken.insert(format!("{}: {} may not use {}", found.place, found.room, found.what));
            }
        }
    }
    fail("ARCHITECTURE.md grants no such import", &broken.into_iter().collect::<Vec<_>>());
    let used: BTreeSet<(&str, &str)> =
        rooms.iter().chain(&outside).map(|found| (found.room.as_str(), found.what.as_str())).collect();
    let mut idle = Vec::new();
    for room in &table.rooms {
        let rooms = room.uses.iter().filter(|_| !room.all);
        for grant in rooms.chain(&room.outside) {
            if !used.contains(&(room.name.as_str(), grant.as_str())) {
                idle.push(format!("{} does not use {grant}", room.name));
            }
        }
    }
    fail("ARCHITECTURE.md grants what nobody uses", &idle);
}

#[test]
fn pure_rooms_are_pure() {
    let table = table();
    let mut broken = Vec::new();
    for room in table.rooms.iter().filter(|room| room.pure) {
        let names = room.outside.iter().filter(|name| IMPURE.contains(&name.as_str()));
        broken.extend(names.map(|name| format!("{} may use {name}", room.name)));
        // The record's types are data; the rest of it is not for them to call, and nothing in it reads a clock.
        let rooms = room.uses.iter().filter(|used| *used != "record");
        let impure = rooms.filter(|used| table.room(used).is_some_and(|room| !room.pure));
        broken.extend(impure.map(|used| format!("{} may use {used}, which is not pure", room.name)));
    }
    fail("a room marked P may touch the world", &broken);
    assert!(table.rooms.iter().any(|room| room.pure), "no room is pure");
}

#[test]
fn only_the_host_is_unsafe() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.room.as_deref() != Some("base::host")) {
        let words = source.tokens.iter().filter(|token| matches!(token.text.as_str(), "unsafe" | "unsafe_code"));
        broken.extend(words.map(|token| format!("src/{}:{}", source.name, token.line)));
    }
    fail("`unsafe` outside base::host", &broken);
}

#[test]
fn a_room_opens_with_what_it_is_for_and_keeps_its_modules_private() {
    let mut broken = Vec::new();
    for source in sources() {
        if source.name.ends_with("mod.rs") && !source.only_tests && !source.text.starts_with("//!") {
            broken.push(format!("src/{} does not open with //!", source.name));
        }
        // A folder with a face of its own may be public: a room within the room.
        let folder = root().join("src").join(source.module.join("/"));
        let public = source.tokens.windows(3).filter(|three| three[0].text == "pub" && three[1].text == "mod");
        let bare =
            public.filter(|three| source.room.is_some() && !folder.join(&three[2].text).join("mod.rs").is_file());
        broken.extend(bare.map(|three| format!("src/{}:{}: a public module", source.name, three[0].line)));
    }
    fail("a room says what it is for, and shows its face in mod.rs alone", &broken);
}

#[test]
fn files_are_short() {
    let table = table();
    let mut broken = Vec::new();
    let mut long = BTreeSet::new();
    for source in sources().iter().filter(|source| !source.only_tests) {
        let lines = source.text.lines().count() - source.tests.lines(&source.tokens);
        if lines > LONGEST && !long_is_agreed(&table, &source.name, &mut long) {
            broken.push(format!("src/{} has {lines} lines without its tests", source.name));
        }
    }
    fail(&format!("a file of more than {LONGEST} lines is asking to be two"), &broken);
    let needless: Vec<String> = table.long.difference(&long).cloned().collect();
    fail("listed under Long files, but short or gone", &needless);
}

fn long_is_agreed(table: &Table, name: &str, long: &mut BTreeSet<String>) -> bool {
    let path = format!("src/{name}");
    let agreed = table.long.contains(&path);
    if agreed {
        long.insert(path);
    }
    agreed
}

#[test]
fn every_test_file_asserts_something() {
    let mut broken = Vec::new();
    let folder = root().join("tests");
    for path in files(&folder, &|path| {
        path.parent() == Some(folder.as_path()) && path.extension().is_some_and(|end| end == "rs")
    }) {
        let tokens = tokens(&read(&path));
        let asserts = |token: &Token| token.text.starts_with("assert") || token.text.starts_with("prop_assert");
        let tests = tokens.windows(4).filter(|four| four[1].text == "[" && four[2].text == "test").count();
        if tests == 0 || !tokens.iter().any(asserts) {
            broken.push(path.display().to_string());
        }
    }
    fail("a test file without a test, or without an assertion", &broken);
}

/// Whoever reads the project has neither this or that person's folders nor any list of tasks.
#[test]
fn nothing_points_outside_the_project() {
    let root = root();
    let ends = ["rs", "md", "toml", "yaml", "sh", "py", "json", "jsonl", "txt", "html", "css", "js"];
    let wanted = |path: &File| path.extension().is_some_and(|end| ends.iter().any(|wanted| end == *wanted));
    let top = fs::read_dir(&root).expect("the project's folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<PathBuf> = top.filter(|path| path.is_file() && wanted(path)).collect();
    for folder in ["src", "tests", "benches", "scenarios", "docs", "reports/sample", ".ci"] {
        all.extend(files(&root.join(folder), &|path| wanted(path) || path.ends_with(".ci/run")));
    }
    let outside =
        regex::Regex::new(r"(?i)(^|[^\w./])/(work|root|home)/\w|\b(issue|ticket) #?\d+\b").expect("a pattern");
    let mut broken = Vec::new();
    for path in &all {
        for (number, line) in read(path).lines().enumerate() {
            if let Some(found) = outside.find(line) {
                broken.push(format!("{}:{}: {}", path.display(), number + 1, found.as_str().trim()));
            }
        }
    }
    fail("a path of one machine, or a task that no reader can look up", &broken);
}

/// The scanner itself, so that a hole in it is no hole in the rules.
#[test]
fn the_scanner_sees_through_comments_strings_and_trees() {
    let source = r##"
        // use crate::no1::X;
        /* use crate::no2::X; /* nested */ */
        use crate::{base::{rng, units::{self, Span}}, plan::*};
        use super::sister::Thing as Other;
        const A: &str = "crate::no3::X"; const B: &str = r#"tokio::no"#; const C: char = '"';
        fn f<'a>(x: &'a str) -> std::time::Instant { tokio::spawn(async {}); x.into() }
        mod inner { use super::super::cousin; }
        #[cfg(test)]
        mod tests { use crate::hidden::X; }
        fn after() { crate::wire::open() }
    "##;
    let found_tokens = tokens(source);
    let tests = TestCode::of(&found_tokens);
    let module = ["load", "worker"].map(str::to_owned);
    let mut by_kind: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    for path in paths(&found_tokens, &module).into_iter().filter(|path| !tests.holds(path.token)) {
        by_kind.entry(path.inner).or_default().push(path.segments.join("::"));
    }
    assert_eq!(
        by_kind[&true],
        [
            "base::rng",
            "base::units",
            "base::units::Span",
            "plan::*",
            "load::sister::Thing",
            "load::cousin",
            "wire::open"
        ]
    );
    assert_eq!(by_kind[&false], ["std::time::Instant", "tokio::spawn"]);
}
