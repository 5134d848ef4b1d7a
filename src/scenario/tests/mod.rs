use super::*;
use crate::base::diagnostic::{Diagnostic, Sources, Style, render};

const LANGUAGE: &str = include_str!("language.yaml");

/// Reads one text under a profile.
fn read(text: &str, profile: Option<&str>, sets: &[&str]) -> (Option<Scenario>, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let (files, mut found) = open(&mut sources, "drill.yaml", &mut |_| Ok(text.as_bytes().to_vec()));
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let (scenario, more) = files.read(&mut sources, profile, &sets);
    found.extend(more);
    (scenario, found, sources)
}

fn said(text: &str) -> String {
    let (_, found, sources) = read(text, None, &[]);
    render(&found, &sources, Style::default())
}

#[test]
fn the_example_of_the_language_is_refused_word_by_word_where_it_is_not_built() {
    insta::assert_snapshot!(said(LANGUAGE));
}
