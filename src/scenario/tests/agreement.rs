//! The decoder and the schema judge alike: both come of one definition, and this holds them to it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scenario::value::to_json;

/// What a schema cannot say: order of numbers, words that need each other, names inside of texts.
const BEYOND_SCHEMA: &[&str] = &[
    "range",
    "not-both",
    "does-not-go",
    "needs-word",
    "wrong-unit",
    "empty-map",
    "empty-list",
    "late-template",
    "json-path",
    "unknown-var",
];

fn validator() -> &'static jsonschema::Validator {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| jsonschema::draft202012::new(&schema()).unwrap())
}

fn as_json(text: &str) -> Value {
    let mut sources = Sources::default();
    let (_, node, found) = crate::base::yaml::read(&mut sources, "x", text.as_bytes());
    assert_eq!(found, []);
    to_json(&node.unwrap()).unwrap()
}

#[test]
fn the_schema_is_sound_and_takes_what_the_decoder_takes() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
    let errors: Vec<String> = validator().iter_errors(&as_json(EVERYTHING)).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

/// Every word that the schema knows, as (definition, word).
fn schema_words() -> BTreeSet<String> {
    let schema = schema();
    let blocks = schema["$defs"].as_object().unwrap().values();
    blocks.filter_map(|block| block["properties"].as_object()).flat_map(|words| words.keys().cloned()).collect()
}

#[test]
fn every_word_of_the_schema_is_in_the_document_that_the_decoder_takes() {
    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                found.insert(key.clone());
                keys(value, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut written = BTreeSet::from(["include".to_owned()]);
    keys(&as_json(EVERYTHING), &mut written);
    let missing: Vec<String> = schema_words().difference(&written).cloned().collect();
    assert_eq!(missing, [""; 0]);
}

/// The table of the language: block, and its words. Each must be built, or be refused by its name.
const TABLE: &[(&str, &[&str], &str)] = &[
    (
        "",
        &[
            "peakdrill",
            "name",
            "title",
            "description",
            "purpose",
            "scope",
            "emergency-plan",
            "owner",
            "people",
            "environment",
            "production",
            "differs-from-production",
            "seed",
            "vars",
            "profiles",
            "include",
            "platform",
            "prepare",
            "cleanup",
            "feeds",
            "ledgers",
            "invariants",
            "journeys",
            "load",
            "end",
            "phases",
            "faults",
            "actions",
            "steady-state",
            "abort",
            "targets",
            "limits",
            "compare",
        ],
        "",
    ),
    (
        "platform",
        &["allow", "mark", "processes", "hosts", "endpoints", "links", "toxiproxy", "watch", "networks", "containers"],
        "platform: { WORD: x }",
    ),
    (
        "process",
        &["run", "env", "dir", "user", "ready", "grace", "count", "network", "names", "cap", "clock", "attach"],
        "platform: { processes: { a: { WORD: x } } }",
    ),
    ("attach", &["pid-file", "unit", "port"], "platform: { processes: { a: { attach: { WORD: x } } } }"),
    (
        "endpoint",
        &["url", "headers", "tls", "http2", "connections", "decompress", "traceparent"],
        "platform: { endpoints: { a: { WORD: x } } }",
    ),
    (
        "connections",
        &["max", "warm", "per", "new", "age", "source", "slow", "queue"],
        "platform: { endpoints: { a: { connections: { WORD: x } } } }",
    ),
    (
        "watch",
        &["process", "endpoint", "get", "every", "prometheus", "host", "alert", "ratio"],
        "platform: { watch: { a: { WORD: x } } }",
    ),
    ("prepare", &["run", "steps", "within", "each", "rate", "into", "pick"], "prepare: [{ WORD: x }]"),
    ("cleanup", &["run", "steps", "within", "each", "rate", "into", "pick"], "cleanup: [{ WORD: x }]"),
    (
        "stage",
        &["ramp", "hold", "stairs", "spike", "wave", "burst", "file"],
        "load: { a: { arrivals: [{ WORD: x }] } }",
    ),
    (
        "load",
        &["mix", "arrivals", "spacing", "start", "search", "replay", "users", "first", "pace", "refresh"],
        "load: { a: { WORD: x } }",
    ),
    ("think", &["uniform", "exponential", "lognormal"], "journeys: { a: [{ think: { WORD: x } }] }"),
    (
        "step",
        &[
            "get",
            "post",
            "put",
            "patch",
            "delete",
            "head",
            "options",
            "let",
            "open",
            "send",
            "await",
            "close",
            "grpc",
            "think",
            "repeat",
            "poll",
            "choose",
            "if",
            "rendezvous",
            "group",
            "journey",
        ],
        "journeys: { a: [{ WORD: x }] }",
    ),
    (
        "request",
        &[
            "endpoint",
            "name",
            "headers",
            "query",
            "json",
            "form",
            "multipart",
            "body",
            "timeout",
            "retry",
            "follow",
            "decompress",
            "expect",
            "on-failure",
            "capture",
            "acknowledge",
        ],
        "journeys: { a: [{ get: /x, WORD: x }] }",
    ),
    (
        "retry",
        &["times", "on", "backoff", "up-to", "jitter", "retry-after"],
        "journeys: { a: [{ get: /x, retry: { WORD: x } }] }",
    ),
    ("group", &["name", "title", "steps"], "journeys: { a: [{ group: { WORD: x } }] }"),
    ("repeat", &["times", "while", "steps"], "journeys: { a: [{ repeat: { WORD: x } }] }"),
    ("poll", &["get", "every", "until", "within"], "journeys: { a: [{ poll: { WORD: x } }] }"),
    (
        "expect",
        &["status", "shed", "body", "contains", "headers", "within"],
        "journeys: { a: [{ get: /x, expect: { WORD: x } }] }",
    ),
    (
        "matcher",
        &["matches", "at-least", "at-most", "exists"],
        "journeys: { a: [{ get: /x, expect: { body: { $.a: { WORD: x } } } }] }",
    ),
    (
        "capture",
        &["header", "cookie", "regex", "index", "json", "secret", "figure"],
        "journeys: { a: [{ get: /x, capture: { b: { WORD: x } } }] }",
    ),
    (
        "feed",
        &["csv", "json", "range", "list", "from", "pick", "secret", "offset", "exponent"],
        "feeds: { a: { WORD: x } }",
    ),
    (
        "fault",
        &[
            "at",
            "after",
            "when",
            "every",
            "times",
            "for",
            "until",
            "heal",
            "undo",
            "kill",
            "terminate",
            "pause",
            "restart",
            "crash-loop",
            "slow-start",
            "disconnect",
            "delay",
            "throttle",
            "refuse",
            "reset",
            "hang",
            "close-after",
            "slice",
            "corrupt",
            "respond",
            "direction",
            "share",
            "only",
            "burn",
            "fill-memory",
            "fill-disk",
            "slow-disk",
            "exhaust-files",
            "skew-clock",
            "partition",
            "drop",
            "break-dns",
            "run",
            "storm",
        ],
        "faults: { a: { WORD: x } }",
    ),
    ("action", &["at", "after", "by", "say", "run", "confirm", "within"], "actions: { a: { WORD: x } }"),
    (
        "condition",
        &[
            "measure",
            "step",
            "group",
            "journey",
            "load",
            "process",
            "endpoint",
            "ledger",
            "fault",
            "figure",
            "action",
            "phase",
            "over",
            "timing",
            "at-most",
            "at-least",
            "confidence",
            "severity",
            "to",
            "satisfied",
            "basis",
            "per-month",
            "worse-by",
            "than",
        ],
        "targets: { a: { WORD: x } }",
    ),
    ("trigger", &["measure", "above", "below", "over"], "abort: { a: { WORD: x } }"),
    ("steady state", &["hold", "must"], "steady-state: { a: { WORD: x } }"),
    ("limits", &["patience", "shed", "down-below", "drain", "lag", "read-back"], "limits: { WORD: x }"),
];

const MEASURES: &[&str] = &[
    "p50",
    "p99.9",
    "max",
    "mean",
    "availability",
    "shed",
    "throughput",
    "unsent",
    "not-reached",
    "downtime",
    "fault-rate",
    "apdex",
    "budget-left",
    "burn-rate",
    "detection-time",
    "recovery-time",
    "degraded-time",
    "action-time",
    "data-loss-window",
    "lost-writes",
    "phantom-writes",
    "duplicated-writes",
    "oversold",
    "stock-drift",
    "payment-mismatch",
    "invariant",
    "leaked",
    "capacity",
    "headroom",
    "cpu",
    "memory",
];

#[test]
fn every_word_of_the_language_is_built_or_refused_by_name() {
    let mut later = Vec::new();
    let mut judge = |block: &str, word: &str, text: &str| {
        let (_, found, sources) = read(text, None, &[]);
        let about = |found: &&Diagnostic| found.message.starts_with(&format!("`{word}` "));
        let unknown = found.iter().filter(about).any(|found| matches!(found.code, "unknown-word" | "wrong-pair"));
        assert!(!unknown, "{}", render(&found, &sources, Style::default()));
        if let Some(refused) = found.iter().filter(about).find(|found| found.code == "not-yet") {
            assert!(sources.slice(refused.mark) == word);
            later.push(format!("{block}: {word}"));
        }
    };
    for (block, words, text) in TABLE {
        for word in *words {
            let text =
                if text.is_empty() { format!("{word}: x\n") } else { format!("{}\n", text.replace("WORD", word)) };
            judge(block, word, &text);
        }
    }
    for word in MEASURES {
        judge("measure", word, &format!("targets: {{ a: {{ measure: {word} }} }}\n"));
    }
    insta::assert_snapshot!(later.join("\n"));
}

/// Every place in `value` below the top, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let at = format!("{at}/{}", escape(key));
            // Vars are put in place before the decoder looks; a schema does not know them.
            if at != "/vars" && at != "/profiles" {
                found.push(at.clone());
                places(value, &at, found);
            }
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            let at = format!("{at}/{index}");
            found.push(at.clone());
            places(value, &at, found);
        }),
        _ => {}
    }
}

fn junk() -> Vec<Value> {
    vec![
        json!(null),
        json!(5),
        json!(-1),
        json!(1.5),
        json!(200),
        json!(true),
        json!(""),
        json!("text"),
        json!("5s"),
        json!("0s"),
        json!("10/s"),
        json!("30%"),
        json!("64KiB"),
        json!("2xx"),
        json!("$.a"),
        json!("1..5"),
        json!("on"),
        json!("random"),
        json!("store"),
        json!("p99"),
        json!("outage + 5s"),
        json!("a.healed"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!([5]),
        json!({"a": 1}),
        json!({"get": "/x"}),
        json!([{"get": "/x"}]),
        json!({"en": "x"}),
        json!({"at-most": 5}),
        json!("{{ x }}"),
        json!("1e3/s"),
        json!("5 s"),
        json!("1."),
        json!("5."),
        json!(18_446_744_073_709_551_615u64),
        json!("x y"),
    ]
}

/// Judges one changed document by both; a text where they differ.
fn judge(document: &Value) -> Result<(), String> {
    let text = document.to_string();
    let (_, found, sources) = read(&text, None, &[]);
    let errors: Vec<String> =
        validator().iter_errors(document).map(|error| format!("{error} at {}", error.instance_path())).collect();
    let shown = || render(&found, &sources, Style::default());
    match (errors.is_empty(), found.is_empty()) {
        (false, true) => Err(format!("only the schema refuses: {errors:?}")),
        (true, false) if !found.iter().all(|found| BEYOND_SCHEMA.contains(&found.code)) => {
            Err(format!("only the decoder refuses: {}", shown()))
        }
        _ => Ok(()),
    }
}

fn change(document: &mut Value, place: &str, change: usize, words: &[String]) {
    let junk = junk();
    if let (Some(value), Some(new)) = (document.pointer_mut(place), junk.get(change)) {
        *value = new.clone();
        return;
    }
    assert_eq!(junk.len(), REMOVED);
    let (parent, key) = place.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            let value = map.shift_remove(&key).unwrap();
            if change > junk.len() {
                map.insert(words[change % words.len()].clone(), value);
            }
        }
        Some(Value::Array(items)) => {
            items.remove(key.parse().unwrap());
        }
        _ => {}
    }
}

/// The change that takes an entry out.
const REMOVED: usize = 38;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_changed_document_is_judged_alike(place in any::<prop::sample::Index>(), kind in prop_oneof![Just(REMOVED), Just(REMOVED), 0..200usize]) {
        let mut document = as_json(EVERYTHING);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        let place = place.get(&found);
        let words: Vec<String> = schema_words().into_iter().collect();
        change(&mut document, place, kind, &words);
        judge(&document).map_err(|why| TestCaseError::fail(format!("{place} changed by {kind}: {why}")))?;
    }
}

/// The file that editors complete from.
#[test]
fn the_shipped_schema_is_the_one_that_is_printed() {
    let shipped = include_str!("../../../scenarios/scenario.schema.json");
    let printed = format!("{:#}\n", schema());
    assert!(shipped == printed, "write it anew: peakdrill schema > scenarios/scenario.schema.json");
}
