//! HAR: what browsers save of the pages that they load.

use serde_json::Value;

use super::{Entry, Mistake, json, target, time};

pub(super) fn read(text: &str) -> (Vec<Entry>, Vec<Mistake>) {
    let whole = |message: String| (Vec::new(), vec![Mistake { from: 0, to: 0, message }]);
    let archive: Value = match serde_json::from_str(text) {
        Ok(archive) => archive,
        Err(error) => {
            let line: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            let from = text.floor_char_boundary((line + error.column().saturating_sub(1)).min(text.len()));
            let message = format!("this is no JSON: {}", json::plain(&error));
            return (Vec::new(), vec![Mistake { from, to: from, message }]);
        }
    };
    let Some(list) = archive.pointer("/log/entries").and_then(Value::as_array) else {
        return whole("this is no HAR: it has no `log.entries`".to_owned());
    };
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for (index, item) in list.iter().enumerate() {
        match entry(item) {
            Ok(entry) => entries.push(entry),
            Err(why) => {
                let place = place(text, index).unwrap_or_default();
                let message = format!("entry {} {why}", index + 1);
                mistakes.push(Mistake { from: place.start, to: place.end, message });
            }
        }
    }
    (entries, mistakes)
}

fn entry(item: &Value) -> Result<Entry, String> {
    let text = |path: &str| {
        let name = path.trim_start_matches('/').replace('/', ".");
        item.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("has no text `{name}`"))
    };
    let began = text("/startedDateTime")?;
    let at = time::rfc3339(began).ok_or_else(|| format!("began at `{began}`, which is no time"))?;
    let url = text("/request/url")?;
    let target = target(url).ok_or_else(|| format!("asks for `{url}`, which is no URL"))?;
    let status = item.pointer("/response/status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let session = item.get("pageref").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Entry { at, method: text("/request/method")?.to_ascii_uppercase(), target, session, status })
}

/// Where entry `index` stands in the text.
fn place(text: &str, index: usize) -> Option<std::ops::Range<usize>> {
    let list = text.find("\"entries\"")?;
    let mut from = list + text[list..].find('[')? + 1;
    for nth in 0.. {
        from += text[from..].find('{')?;
        let mut values = serde_json::Deserializer::from_str(&text[from..]).into_iter::<serde::de::IgnoredAny>();
        values.next()?.ok()?;
        let to = from + values.byte_offset();
        if nth == index {
            return Some(from..to);
        }
        from = to;
    }
    None
}
