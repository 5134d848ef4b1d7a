use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::rng::Key;

struct Table;

impl Rows for Table {
    fn cell(&self, feed: u32, column: Option<u32>) -> Option<Cell<'_>> {
        match (feed, column) {
            (0, Some(0)) => Some(Cell::Text("sku-7")),
            (0, Some(1)) => Some(Cell::Text("a \"b\" & c")),
            (1, None) => Some(Cell::Int(42)),
            _ => None,
        }
    }
}

fn scope() -> Scope {
    let constants = json!({
        "vars": { "page": 3, "list": ["x", "y"], "deep": { "name": "n" } },
        "run": { "id": "r1" },
    });
    let feeds = vec![
        FeedShape { name: "sku".to_owned(), columns: Some(vec!["id".to_owned(), "title".to_owned()]) },
        FeedShape { name: "buyer".to_owned(), columns: None },
    ];
    let mut scope = Scope::new(constants.as_object().unwrap(), feeds);
    scope.slot("order");
    scope.slot("late");
    scope
}

const NOW: u64 = 1_795_428_900_123_456_789;

fn with<T>(k: u64, turn: u64, run: u64, ask: impl FnOnce(&Visit<'_>) -> T) -> T {
    let slots = [Some(json!({ "id": 17, "items": [{ "n": "a b" }] })), None];
    ask(&Visit { key: Key::new(618, 0, k), run, turn, slots: &slots, rows: &Table, now: &|| NOW })
}

fn bind(source: &str) -> Result<Bound, RenderError> {
    Template::parse(source).unwrap().bind(&mut scope())
}

fn render(source: &str) -> Result<String, RenderError> {
    let bound = bind(source)?;
    let mut out = Vec::new();
    with(0, 0, 1, |visit| bound.render(visit, Escape::None, &mut out))?;
    Ok(String::from_utf8(out).unwrap())
}

fn value(source: &str) -> Value {
    let bound = bind(source).unwrap();
    with(0, 0, 1, |visit| bound.value(visit)).unwrap()
}

#[test]
fn names_find_their_values() {
    assert_eq!(render("plain").unwrap(), "plain");
    assert_eq!(render("").unwrap(), "");
    assert_eq!(render("/p/{{ feed.sku.id }}?b={{ feed.buyer }}").unwrap(), "/p/sku-7?b=42");
    assert_eq!(render("{{order.id}}/{{ vars.deep.name }}").unwrap(), "17/n");
    assert_eq!(render("{{ order.items[0].n | upper }}").unwrap(), "A B");
    assert_eq!(render("{{ order.items[0].n | urlencode }}").unwrap(), "a%20b");
    assert_eq!(render("{{ 'a' ~ (feed.buyer + 1) }} {{ feed.sku['title'] }}").unwrap(), "a43 a \"b\" & c");
    assert_eq!(render("{{ order }}").unwrap(), r#"{"id":17,"items":[{"n":"a b"}]}"#);
    assert_eq!(render("a {% if order.id > 9 %}many{% else %}few{% endif %} {# note #}\n").unwrap(), "a many \n");
    assert_eq!(render("a {{- order.id -}} b").unwrap(), "a17b");
    assert_eq!(render("{{ \"}}\" }}{{ {'a': {'b': 1}}.a.b }} }}").unwrap(), "}}1 }}");
}

#[test]
fn one_expression_alone_keeps_its_type() {
    assert_eq!(value("{{ order.id }}"), json!(17));
    assert_eq!(value("{{ order.items }}"), json!([{ "n": "a b" }]));
    assert_eq!(value("{{ vars.page * 2 }}"), json!(6));
    assert_eq!(value("{{ feed.buyer }}"), json!(42));
    assert_eq!(value("{{ 1 / 4 }}"), json!(0.25));
    assert_eq!(value("{{ none }}"), Value::Null);
    assert_eq!(value(" {{ order.id }}"), json!(" 17"));
    assert_eq!(value("{{ now('ms') }}"), json!(NOW / 1_000_000));
    assert_eq!(value("{{ now() }}"), json!("2026-11-23T10:15:00.123Z"));
}

#[test]
fn conditions_hold_or_not() {
    let holds = |source: &str| with(0, 0, 1, |visit| bind(source).unwrap().holds(visit)).unwrap();
    assert!(holds("{{ order.id > 10 }}"));
    assert!(!holds("{{ order.id > 20 }}"));
    assert!(!holds("{{ late is defined }}"));
    assert!(holds("{{ order is defined and feed.buyer == 42 }}"));
    assert!(!holds("{{ '' }}"));
}

#[test]
fn what_is_not_there_is_an_error() {
    assert_eq!(render("{{ late }}"), Err(RenderError::Missing { name: "late".to_owned() }));
    assert_eq!(render("{{ order.nope }}"), Err(RenderError::Missing { name: "order.nope".to_owned() }));
    assert!(matches!(render("{{ late ~ 'x' }}"), Err(RenderError::Failed { .. })));
    assert!(matches!(render("{{ vars.nope }}"), Err(RenderError::Failed { .. })));
    assert_eq!(render("{{ nobody }}"), Err(RenderError::Unknown { name: "nobody".to_owned() }));
    assert_eq!(render("{{ feed.nobody.id }}"), Err(RenderError::Unknown { name: "feed.nobody.id".to_owned() }));
    assert!(matches!(render("{{ int(1) }}"), Err(RenderError::Failed { .. })));
    assert!(matches!(render("{{ pick([]) }}"), Err(RenderError::Failed { .. })));
}

#[test]
fn constants_are_folded() {
    let constant = |source: &str| bind(source).unwrap().constant();
    assert_eq!(constant("/page/{{ vars.page }}/{{ run.id | upper }}"), Some("/page/3/R1".to_owned()));
    assert_eq!(constant("{{ vars.page }}"), Some("3".to_owned()));
    assert_eq!(bind("{{ vars.page }}").unwrap().constant_value(), Some(json!(3)));
    assert_eq!(constant("{{ uuid() }}"), None);
    assert_eq!(constant("{{ order.id }}"), None);
    assert_eq!(bind("a{{ vars.page }}b{{ order.id }}").unwrap().pieces.len(), 2);
    let late = Template::parse("x{{ order.id }}").unwrap().settle(&mut scope());
    assert_eq!(late, Err(RenderError::Late { names: vec!["order.id".to_owned()] }));
}

#[test]
fn common_forms_do_without_the_engine() {
    use super::bind::Piece;
    for source in [
        "{{ order.id }}",
        "{{feed.sku.title}}",
        "{{ int(1, vars.page * 10) }}",
        "{{ uuid() }}",
        "{{ pick(vars.list) }}",
        "{{ now('s') }}",
    ] {
        let bound = bind(source).unwrap();
        assert!(!bound.pieces.iter().any(|piece| matches!(piece, Piece::Complex(_))), "{source}");
    }
}

#[test]
fn drawn_values_depend_on_seed_site_turn_and_for_uuid_on_the_run() {
    let two = bind("{{ int(1, 1000000) }} {{ int(1, 1000000) }}").unwrap();
    let ids = bind("{{ uuid() }} {{ seeded_uuid() }}").unwrap();
    let text = |bound: &Bound, k, turn, run| {
        let mut out = Vec::new();
        with(k, turn, run, |visit| bound.render(visit, Escape::None, &mut out)).unwrap();
        String::from_utf8(out).unwrap()
    };
    let first = text(&two, 5, 0, 1);
    assert_eq!(first, text(&two, 5, 0, 2));
    assert_ne!(first, text(&two, 6, 0, 1));
    assert_ne!(first, text(&two, 5, 1, 1));
    let (one, other) = first.split_once(' ').unwrap();
    assert_ne!(one, other);
    let (run1, run2) = (text(&ids, 5, 0, 1), text(&ids, 5, 0, 2));
    assert_ne!(run1[..36], run2[..36]);
    assert_eq!(run1[36..], run2[36..]);
    insta::assert_snapshot!(format!("{first} {run1}"), @"537152 143097 221139f5-7016-4fc8-a25e-282b14a363c8 24a1ff20-990f-45a6-b1fc-67c55eb41efb");
    let complex = bind("{{ (int(1, 1000000) + 0) ~ pick(['a', 'b']) ~ uuid() }}").unwrap();
    assert_eq!(text(&complex, 5, 0, 1), text(&complex, 5, 0, 1));
    assert_ne!(text(&complex, 5, 0, 1), text(&complex, 5, 1, 1));
}

#[test]
fn json_keeps_types_and_escapes_the_rest() {
    let body = json!({
        "sku": "{{ feed.sku.title }}", "note": "\"{{ feed.sku.title }}\"\n", "n": "{{ order.id }}", "page": "{{ vars.page }}",
        "id": "{{ seeded_uuid() }}", "one": 1, "list": ["{{ int(5, 5) }}", null, true], "{{ key }}": "x",
    });
    let bound = BoundJson::bind(&body, &mut scope()).unwrap();
    let mut out = Vec::new();
    with(0, 0, 1, |visit| bound.render(visit, &mut out)).unwrap();
    let mut read: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(read["id"].take().as_str().map(str::len), Some(36));
    let expected = json!({
        "sku": "a \"b\" & c", "note": "\"a \"b\" & c\"\n", "n": 17, "page": 3,
        "id": null, "one": 1, "list": [5, null, true], "{{ key }}": "x",
    });
    assert_eq!(read, expected);
    let constant = BoundJson::bind(&json!({ "a": ["{{ vars.page }}", "b{{ run.id }}"] }), &mut scope()).unwrap();
    assert_eq!(constant.constant(), Some(br#"{"a":[3,"br1"]}"#.as_slice()));
    let alone = BoundJson::bind(&json!("{{ order.id }}"), &mut scope()).unwrap();
    assert_eq!(with(0, 0, 1, |visit| alone.value(visit)).unwrap(), json!(17));
}

#[test]
fn stages_and_names_are_told() {
    let parse = |source: &str| Template::parse(source).unwrap();
    assert_eq!(parse("a").stage(), Stage::Constant);
    assert_eq!(parse("{{ 1 + 1 }}").stage(), Stage::Constant);
    assert_eq!(parse("{{ vars.x }}{{ process.a.address }}").stage(), Stage::Start);
    assert_eq!(parse("{{ vars.x }}{{ order }}").stage(), Stage::Visit);
    assert_eq!(parse("{{ uuid() }}").stage(), Stage::Visit);
    let source = "x{{ feed.sku.id }}{% for i in order.items %}{{ i.n }}{{ int(1, vars.max) }}{% endfor %}";
    let template = parse(source);
    let names: Vec<(String, &str)> =
        template.references().iter().map(|name| (name.path.join("."), &source[name.range.clone()])).collect();
    assert_eq!(
        names,
        [
            ("feed.sku.id".to_owned(), "feed.sku.id"),
            ("order.items".to_owned(), "order.items"),
            ("vars.max".to_owned(), "vars.max")
        ]
    );
    assert_eq!(template.helpers().iter().map(|(helper, _)| *helper).collect::<Vec<_>>(), [Helper::Int]);
}

#[test]
fn mistakes_are_said_at_their_place() {
    let said = |source: &str| {
        let error = Template::parse(source).unwrap_err();
        format!("{} | {} | {}", &source[error.range], error.message, error.help.unwrap_or_default())
    };
    insta::assert_snapshot!(
        [
            "/a/{{ order", "/a/{{ }}", "{{ order. }}", "{{ 1 + }}", "{{ order | uper }}", "{{ uid() }}", "{{ x is evn }}", "{{ uuid }}",
            "{% if x %}y", "{% nope %}", "{{ 'abc }}", "{{ a b }}", "ok {{ order }} {{ (1 }}",
        ]
        .map(said)
        .join("\n"),
        @r#"
{{ | `{{` is not closed | close it with `}}`
{{ }} | nothing stands between `{{` and `}}` | name a value: `{{ feed.sku.id }}`
. | the template does not parse: unexpected end of input, expected identifier or integer | 
+ | the template does not parse: unexpected end of input, expected expression | 
uper | there is no filter `uper` in templates | did you mean `upper`?
uid | there is no function `uid` in templates | did you mean `uuid`?
evn | there is no test `evn` in templates | did you mean `even`?
uuid | `uuid` is a function | call it: `uuid()`
y | the template does not parse: unexpected end of input, expected end of block | 
nope | the template does not parse: unknown statement nope | 
 'abc  | the template does not parse: unexpected end of string | 
b | the template does not parse: unexpected input after expression | 
1 | the template does not parse: unexpected end of input, expected `)` |
"#
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "(\\PC|\\{\\{|\\}\\}|\\{%|%\\}|\"|order|int\\(){0,12}") {
        if let Ok(template) = Template::parse(&source)
            && let Ok(bound) = template.bind(&mut scope())
        {
            let mut out = Vec::new();
            let _ = with(0, 0, 1, |visit| bound.render(visit, Escape::Json, &mut out));
        }
    }

    #[test]
    fn places_lie_inside_the_text(source in "[a-z{}%() .|'\"#-]{0,24}") {
        match Template::parse(&source) {
            Ok(template) => {
                for name in template.references() {
                    prop_assert_eq!(&source[name.range.clone()], name.path.join("."));
                }
            }
            Err(error) => prop_assert!(source.get(error.range).is_some()),
        }
    }

    #[test]
    fn text_without_braces_is_itself(source in "[^{]{0,30}") {
        prop_assert_eq!(render(&source).unwrap(), source);
    }

    #[test]
    fn the_short_way_and_the_engine_agree(rest in prop_oneof![Just("order.id"), Just("feed.sku.title"), Just("feed.buyer"), Just("vars.page")]) {
        // Brackets force the engine.
        prop_assert_eq!(value(&format!("{{{{ {rest} }}}}")), value(&format!("{{{{ ({rest}) }}}}")));
    }
}
