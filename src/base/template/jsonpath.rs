use serde_json::Value;
use thiserror::Error;

/// A JSONPath that does not parse, and the byte at which it stops making sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is no JSONPath: {message}")]
pub struct JsonPathError {
    pub message: String,
    pub position: usize,
}

/// A way into a JSON document (RFC 9535), compiled once. `$.a.b[0]` is walked without the engine.
#[derive(Debug, Clone)]
pub struct JsonPath(Way);

#[derive(Debug, Clone)]
enum Way {
    Steps(Vec<Step>),
    Query(Box<serde_json_path::JsonPath>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl JsonPath {
    pub fn parse(source: &str) -> Result<JsonPath, JsonPathError> {
        let query = serde_json_path::JsonPath::parse(source)
            .map_err(|error| JsonPathError { message: error.message().to_owned(), position: error.position() })?;
        Ok(JsonPath(steps(source).map_or_else(|| Way::Query(Box::new(query)), Way::Steps)))
    }

    /// The first value that the path leads to.
    pub fn first<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        match &self.0 {
            Way::Steps(steps) => steps.iter().try_fold(document, |value, step| match step {
                Step::Name(name) => value.as_object()?.get(name),
                Step::Index(index) => value.as_array()?.get(*index),
            }),
            Way::Query(query) => query.query(document).first(),
        }
    }
}

/// The steps of a path of names and indices alone.
fn steps(source: &str) -> Option<Vec<Step>> {
    let mut rest = source.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
            let (name, tail) = name.split_at(end);
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
            rest = tail;
        } else {
            let (index, tail) = rest.strip_prefix('[')?.split_once(']')?;
            if !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            steps.push(Step::Index(index.parse().ok()?));
            rest = tail;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn leads_to_the_first_value() {
        let document = json!({ "id": 7, "orders": [{ "amount": 10 }, { "amount": 20 }], "a-b": true });
        let first = |path: &str| JsonPath::parse(path).unwrap().first(&document).cloned();
        assert_eq!(first("$"), Some(document.clone()));
        assert_eq!(first("$.id"), Some(json!(7)));
        assert_eq!(first("$.orders[1].amount"), Some(json!(20)));
        assert_eq!(first("$.orders[-1].amount"), Some(json!(20)));
        assert_eq!(first("$['a-b']"), Some(json!(true)));
        assert_eq!(first("$.orders[?@.amount > 15].amount"), Some(json!(20)));
        assert_eq!(first("$.id.x"), None);
        assert_eq!(first("$.orders[9]"), None);
        let error = JsonPath::parse("$.orders[").unwrap_err();
        assert!(error.position <= "$.orders[".len());
        assert!(JsonPath::parse("orders").is_err());
    }

    proptest! {
        #[test]
        fn the_short_way_comes_to_the_same(
            path in prop::collection::vec(prop_oneof!["[a-c]".prop_map(|n| format!(".{n}")), (0usize..3).prop_map(|i| format!("[{i}]"))], 0..4),
            leaf in 0..100i32,
        ) {
            let document = json!({ "a": [leaf, { "b": [leaf, 1, 2] }], "b": { "c": leaf, "a": [[leaf]] }, "c": [[{ "a": leaf }]] });
            let source = format!("${}", path.concat());
            let query = serde_json_path::JsonPath::parse(&source).unwrap();
            let parsed = JsonPath::parse(&source).unwrap();
            prop_assert!(matches!(parsed.0, Way::Steps(_)));
            prop_assert_eq!(parsed.first(&document), query.query(&document).first());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\$\\PC{0,20}") {
            let _ = JsonPath::parse(&text);
        }
    }
}
