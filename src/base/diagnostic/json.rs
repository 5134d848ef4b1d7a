use serde_json::{Value, json};

use super::{Diagnostic, Mark, Severity, Sources};

/// `found` for machines: a list of objects with `file`, `line`, `column`, `end_line`, `end_column` (from 1, columns in
/// characters), `severity`, `code`, `message` and, where there are such, `label`, `help`, `related`.
pub fn to_json(found: &[Diagnostic], sources: &Sources) -> Value {
    found.iter().map(|diagnostic| one(diagnostic, sources)).collect()
}

fn one(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let mut value = place(diagnostic.mark, sources);
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    value["severity"] = severity.into();
    value["code"] = diagnostic.code.into();
    value["message"] = diagnostic.message.as_str().into();
    if let Some(label) = &diagnostic.label {
        value["label"] = label.as_str().into();
    }
    if let Some(help) = &diagnostic.help {
        value["help"] = help.as_str().into();
    }
    if !diagnostic.related.is_empty() {
        value["related"] = diagnostic
            .related
            .iter()
            .map(|related| {
                let mut value = place(related.mark, sources);
                value["message"] = related.message.as_str().into();
                value
            })
            .collect();
    }
    value
}

fn place(mark: Mark, sources: &Sources) -> Value {
    let (from, to) = (sources.place(mark), sources.end_place(mark));
    json!({ "file": from.file, "line": from.line, "column": from.column, "end_line": to.line, "end_column": to.column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_place_and_advice() {
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", "标: 1\n");
        let mark = Mark { source, start: 5, end: 6 };
        let found = Diagnostic::error("unit", mark, "no unit").help("write 1s").related(Mark::head(source), "see");
        insta::assert_snapshot!(to_json(&[found], &sources), @r#"[{"file":"a.yaml","line":1,"column":4,"end_line":1,"end_column":5,"severity":"error","code":"unit","message":"no unit","help":"write 1s","related":[{"file":"a.yaml","line":1,"column":1,"end_line":1,"end_column":1,"message":"see"}]}]"#);
    }
}
