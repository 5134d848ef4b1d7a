use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::{Style, render};

fn said(bytes: &[u8]) -> String {
    let mut sources = Sources::default();
    let (_, _, found) = read(&mut sources, "f.yaml", bytes);
    render(&found, &sources, Style::default())
}

/// `line:column code` of everything said.
fn codes(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let (_, _, found) = read(&mut sources, "f", text.as_bytes());
    found
        .iter()
        .map(|d| {
            let place = sources.place(d.mark);
            format!("{}:{} {}", place.line, place.column, d.code)
        })
        .collect()
}

fn outline(node: &Node, sources: &Sources, depth: usize, out: &mut String) {
    let place = sources.place(node.mark);
    let indent = "  ".repeat(depth);
    let _ = write!(out, "{indent}{}:{} ", place.line, place.column);
    match &node.kind {
        Kind::Hole => out.push_str("hole\n"),
        Kind::Scalar(scalar) => {
            let _ = writeln!(out, "{:?} {:?} {:?}", scalar.kind, scalar.text, sources.slice(node.mark));
        }
        Kind::List(items) => {
            let _ = writeln!(out, "list {:?}", sources.slice(node.mark));
            for item in items {
                outline(item, sources, depth + 1, out);
            }
        }
        Kind::Map(map) => {
            let _ = writeln!(out, "map {:?}", sources.slice(node.mark));
            for (key, value) in &map.entries {
                let _ = writeln!(out, "{indent}  {}@{}", key.text, sources.place(key.mark).column);
                outline(value, sources, depth + 2, out);
            }
        }
    }
}

#[test]
fn every_node_knows_its_place() {
    let text = "a: 1\n标题: { en: 'it''s' , zh: \"高峰\" }\nf: |\n  line\n\n  two\nlist:\n- 0.10\n- [x, {y: }]\nend:\n";
    let mut sources = Sources::default();
    let (_, node, found) = read(&mut sources, "f.yaml", text.as_bytes());
    assert_eq!(found, []);
    let mut out = String::new();
    outline(&node.unwrap(), &sources, 0, &mut out);
    insta::assert_snapshot!(out);
}

#[test]
fn one_mistake_is_said_once_and_plainly() {
    let cases: &[&[u8]] = &[
        b"",
        b"# nothing\n",
        b"\xef\xbb\xbfname: x\n",
        b"name: x\r\nseed: 1\r\n",
        b"name: \xe9t\xe9\n",
        b"\xff\xfen\0a\0",
        b"name: a\x07b\n",
        b"load:\n\tshoppers: 1\n",
        b"load: {\n\tshoppers: 1 }\n",
        b"a: 1\nb: 2\na: 3\n",
        b"a: &base { x: 1 }\nb: *base\n",
        b"a: &base { x: 1 }\nb:\n  <<: *base\n  y: 2\n",
        b"a: *nope\n",
        b"a: !!str 5\n",
        b"a: !secret x\n",
        b"a: 1\n---\nb: 2\n",
        b"1: x\n",
        b"? [a, b]\n: x\n",
        b"rate: {{ vars.peak }}\n",
        b"rate: {{ vars.peak }}/s\n",
        b"rate: {{ \"x\" ~ y }}\n",
        b"step: { get: /products/{{ id }} }\n",
        b"run: [peakdrill, {{ address }}]\n",
        b"a: b: c\n",
        b"a: 'open\nb: 1\n",
        b"a: {b: 1, c: 2\nd: 3\n",
        b"a: [1, 2\nd: 3\n",
        b"a:\n  b: 1\n c: 2\n",
        b"- a\nb: 1\n",
        b"a: @x\n",
        b"a: \"\\q\"\n",
        b"a: {b: 1}}\n",
        b"a: - b\n",
        b"%TAG ! x\n",
    ];
    let mut out = String::new();
    for case in cases {
        let text = said(case);
        let _ = writeln!(out, "{}\n{text}", "-".repeat(20));
        assert_eq!(text.lines().filter(|line| line.contains(": error: ")).count(), 1, "{text}");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn every_rule_broken_is_said_at_its_own_place() {
    let text = "a: 1\na: 2\nb: !!str x\n3: y\nc: {{ x }}\nd: &e [1]\nf: *e\n";
    assert_eq!(codes(text), ["2:1 duplicate-key", "3:4 tag", "4:1 key", "5:4 unquoted-template", "6:4 anchor"]);
}

#[test]
fn what_was_refused_leaves_a_hole() {
    let mut sources = Sources::default();
    let (_, node, _) = read(&mut sources, "f", b"a: {{ x }}\nb: { <<: { y: 1 }, z: 2 }\n");
    let node = node.unwrap();
    let map = node.as_map().unwrap();
    assert!(map.complete);
    assert!(map.get("a").unwrap().is_hole());
    let inner = map.get("b").unwrap().as_map().unwrap();
    assert!(!inner.complete);
    assert!(inner.get("z").is_some());
}

#[test]
fn tabs_are_fine_where_they_are_text() {
    assert_eq!(codes("a: |\n  x\n  \ty\nb: \"x\n \ty\"\nc: x\t# note\n\t\nd: 1\n"), [""; 0]);
    assert_eq!(codes("a: |\n  x\n\tb: 1\n").len(), 1);
}

#[test]
fn bombs_are_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        let _ = writeln!(bomb, "a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 9].join(", "));
    }
    assert_eq!(codes(&bomb).first().map(String::as_str), Some("1:5 anchor"));

    let huge = vec![b'a'; MAX_BYTES + 1];
    assert!(said(&huge).contains("f.yaml:1:1: error: the file has 4 MiB; at most 4 MiB are read"), "{}", said(&huge));
}

#[test]
fn a_flood_of_mistakes_is_cut_short() {
    let codes = codes(&"a: 1\n".repeat(5_000));
    assert_eq!(codes.len(), MAX_SAID);
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let deep = 10_000;
    for text in [
        format!("a: {}{}\n", "[".repeat(deep), "]".repeat(deep)),
        format!("a: {}", "[".repeat(deep)),
        format!("{}{}\n", "{a: ".repeat(deep), "}".repeat(deep)),
        format!("a:\n  {}x\n", "- ".repeat(deep)),
        (0..2_500).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        format!("{}\n", "? ".repeat(deep)),
    ] {
        let codes = codes(&text);
        assert_eq!(codes.len(), 1, "{codes:?}");
        assert!(codes[0].ends_with("too-deep") || codes[0].ends_with("syntax"), "{codes:?}");
    }
}

/// Pieces that make trouble when they meet.
const PIECES: &[&str] = &[
    "a",
    "b:",
    " c: ",
    "\n",
    "\n  ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "&x ",
    "*x",
    "!t ",
    "|\n",
    ">-\n",
    "#",
    " # c\n",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "{{ x }}",
    "\t",
    "标",
    "\\",
    "<<: ",
    "~",
    "1e3",
    "@",
    "`",
    "\u{85}",
    "\u{2028}",
    "|2-\n",
    "!!str ",
    "!<x> ",
    "? [",
    "\\x",
    "\"\\u12",
    "%TAG ! ",
    "é",
    "\r",
    "\u{feff}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        said(&bytes);
    }

    #[test]
    fn no_mix_of_marks_makes_it_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let text: String = pieces.concat();
        let mut sources = Sources::default();
        let (_, node, found) = read(&mut sources, "f", text.as_bytes());
        prop_assert!(node.is_some() || !found.is_empty(), "neither a tree nor a reason: {text:?}");
        for diagnostic in &found {
            prop_assert!(diagnostic.mark.end as usize <= text.len().max(3));
        }
        render(&found, &sources, Style::default());
    }

    #[test]
    fn plain_scalars_stand_where_they_are_marked(words in proptest::collection::vec("[a-z标]{1,6}", 1..20)) {
        let text: String = words.iter().enumerate().map(|(i, word)| format!("k{i}: {word}\n")).collect();
        let mut sources = Sources::default();
        let (_, node, found) = read(&mut sources, "f", text.as_bytes());
        prop_assert_eq!(found, []);
        let node = node.unwrap();
        for ((_, value), word) in node.as_map().unwrap().entries.iter().zip(&words) {
            prop_assert_eq!(sources.slice(value.mark), word.as_str());
        }
    }
}
