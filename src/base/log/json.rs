//! A map in JSON on each line.

use serde_json::Value;

use super::{Entry, Fields, Wrong, target, time};

pub(super) fn read(line: &str, fields: &Fields) -> Result<Option<Entry>, Wrong> {
    let value: Value = serde_json::from_str(line).map_err(|error| {
        let at = line.floor_char_boundary(error.column().saturating_sub(1).min(line.len()));
        (at..line.len(), format!("this is no JSON: {}", plain(&error)))
    })?;
    let map = value.as_object().ok_or_else(|| (0..line.len(), "this is no map in JSON".to_owned()))?;
    let get = |name: &String| {
        map.get(name).ok_or_else(|| {
            let known: Vec<&str> = map.keys().map(String::as_str).collect();
            (0..line.len(), format!("there is no field `{name}` here; there are: {}", known.join(", ")))
        })
    };
    let wrong = |name: &str, what: &str| {
        let at = line.find(&format!("\"{name}\"")).unwrap_or(0);
        (at..line.len(), format!("`{name}` is no {what}"))
    };
    let text = |name: &String| get(name)?.as_str().ok_or_else(|| wrong(name, "text"));
    let at = match get(&fields.time)? {
        Value::Number(number) => time::epoch(&number.to_string()),
        Value::String(text) => time::rfc3339(text).or_else(|| time::common(text)).or_else(|| time::epoch(text)),
        _ => None,
    };
    let what = "time such as \"2000-10-10T13:55:36.123Z\" or a number since 1970";
    let at = at.ok_or_else(|| wrong(&fields.time, what))?;
    let method = text(&fields.method)?.to_ascii_uppercase();
    let target = target(text(&fields.path)?).ok_or_else(|| wrong(&fields.path, "path or URL"))?;
    // Who it was and what came of it need not be known.
    let session = map.get(&fields.session).map(Value::to_string).unwrap_or_default();
    let status = map.get(&fields.status).and_then(|status| match status {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    Ok(Some(Entry { at, method, target, session, status }))
}

/// What is wrong, without the place: that is told otherwise.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.clone(), |(why, _)| why.to_owned())
}
