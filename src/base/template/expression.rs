//! What is asked of the expression engine, and values on their way to it and back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value as Engine, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior};
use serde_json::{Map, Number, Value};

use super::parse::TemplateError;
use super::text;
use crate::base::rng::{Stream, Uuid};

/// The filters that templates may use.
pub(super) const FILTERS: [&str; 37] = [
    "abs",
    "attr",
    "base64",
    "batch",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "int",
    "items",
    "join",
    "json",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "upper",
    "urlencode",
];

/// The tests that templates may use after `is`.
pub(super) const TESTS: [&str; 23] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lt",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
];

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_debug(true);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        engine.set_syntax(syntax);
    }
    engine.add_filter("urlencode", |value: Engine| -> Result<String, Error> {
        let mut out = Vec::new();
        text::write_value(&from_engine(&value)?, text::Escape::Query, &mut out);
        Ok(String::from_utf8_lossy(&out).into_owned())
    });
    engine.add_filter("base64", |value: Engine| -> Result<String, Error> {
        let mut out = Vec::new();
        text::write_value(&from_engine(&value)?, text::Escape::None, &mut out);
        Ok(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, out))
    });
    engine.add_filter("json", |value: Engine| -> Result<String, Error> { Ok(from_engine(&value)?.to_string()) });
    engine.add_filter("tojson", |value: Engine| -> Result<String, Error> { Ok(from_engine(&value)?.to_string()) });
    engine
});

/// An expression, ready to be evaluated.
#[derive(Debug)]
pub(super) enum Ready {
    Expression(Expression<'static, 'static>),
    Block(String),
}

/// Compiles what [`free`] has accepted.
pub(super) fn ready(source: &str) -> Result<Ready, Error> {
    ENGINE.compile_expression_owned(source.to_owned()).map(Ready::Expression)
}

pub(super) fn evaluate(ready: &Ready, names: BTreeMap<String, Engine>) -> Result<Value, Error> {
    match ready {
        Ready::Expression(expression) => from_engine(&expression.eval(Engine::from(names))?),
        Ready::Block(source) => ENGINE.render_str(source, Engine::from(names)).map(Value::String),
    }
}

/// The roots that an expression leaves open; `shift` is where it begins in its text.
pub(super) fn free(source: &str, shift: usize) -> Result<Vec<String>, TemplateError> {
    match ENGINE.compile_expression(source) {
        Ok(expression) => Ok(expression.undeclared_variables(false).into_iter().collect()),
        Err(error) => Err(template_error(&error, source, shift..shift + source.len(), shift)),
    }
}

pub(super) fn free_in_block(source: &str) -> Result<Vec<String>, TemplateError> {
    match ENGINE.template_from_str(source) {
        Ok(template) => Ok(template.undeclared_variables(false).into_iter().collect()),
        Err(error) => Err(template_error(&error, source, 0..source.len(), 0)),
    }
}

fn template_error(error: &Error, source: &str, whole: Range<usize>, shift: usize) -> TemplateError {
    let range = error.range().map(|range| range.start + shift..range.end + shift);
    let range = range.filter(|range| range.start < range.end && range.end <= whole.end).unwrap_or(whole);
    let assigns = source
        .get(range.start.saturating_sub(shift)..)
        .is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("=="));
    let help = assigns.then(|| "to compare, write `==`".to_owned());
    TemplateError { message: format!("the template does not parse: {}", reason(error)), help, range }
}

/// What went wrong, without the engine's name for the text.
pub(super) fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) if error.kind() == ErrorKind::SyntaxError => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

pub(super) fn to_engine(value: &Value) -> Engine {
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(flag) => Engine::from(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Engine::from(whole),
            (None, Some(whole)) => Engine::from(whole),
            (None, None) => Engine::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Engine::from(text.as_str()),
        Value::Array(items) => Engine::from(items.iter().map(to_engine).collect::<Vec<_>>()),
        Value::Object(map) => Engine::from_pairs(map.iter().map(|(key, value)| (key.clone(), to_engine(value)))),
    }
}

pub(super) fn from_engine(value: &Engine) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::new(ErrorKind::UndefinedError, "there is no such value")),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => number(value),
        ValueKind::Seq | ValueKind::Iterable => {
            Value::Array(value.try_iter()?.map(|item| from_engine(&item)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter()? {
                map.insert(key.to_string(), from_engine(&value.get_item(&key)?)?);
            }
            Value::Object(map)
        }
        _ => match value.as_str() {
            Some(text) => Value::String(text.to_owned()),
            None => Value::String(value.to_string()),
        },
    })
}

fn number(value: &Engine) -> Value {
    if value.is_integer() {
        if let Some(whole) = value.as_i64() {
            return Value::from(whole);
        }
        if let Ok(whole) = u64::try_from(value.clone()) {
            return Value::from(whole);
        }
    }
    f64::try_from(value.clone()).ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// Our functions as the engine calls them, for one evaluation: they draw from `seeded`, `uuid()` from `fresh`.
pub(super) fn helpers(names: &mut BTreeMap<String, Engine>, seeded: Stream, fresh: Stream, now: u64) {
    let seeded = Arc::new(Mutex::new(seeded));
    let fresh = Arc::new(Mutex::new(fresh));
    let lock = |stream: &Arc<Mutex<Stream>>| Arc::clone(stream);
    let draws = lock(&seeded);
    let int = move |a: i64, b: i64| draws.lock().unwrap_or_else(PoisonError::into_inner).int(a, b);
    names.insert("int".to_owned(), Engine::from_function(int));
    let draws = lock(&seeded);
    let pick = move |list: Engine| -> Result<Engine, Error> {
        let items: Vec<Engine> = list.try_iter()?.collect();
        let index = draws.lock().unwrap_or_else(PoisonError::into_inner).below(items.len() as u64);
        let none = || Error::new(ErrorKind::InvalidOperation, "pick() needs a list with something in it");
        items.into_iter().nth(usize::try_from(index).unwrap_or(usize::MAX)).ok_or_else(none)
    };
    names.insert("pick".to_owned(), Engine::from_function(pick));
    let draws = lock(&seeded);
    let same = move || Uuid::draw(&mut draws.lock().unwrap_or_else(PoisonError::into_inner)).to_string();
    names.insert("seeded_uuid".to_owned(), Engine::from_function(same));
    let new = move || Uuid::draw(&mut fresh.lock().unwrap_or_else(PoisonError::into_inner)).to_string();
    names.insert("uuid".to_owned(), Engine::from_function(new));
    let now = move |unit: Option<String>| -> Result<Engine, Error> {
        let unit = text::Moment::of(unit.as_deref());
        let unit = unit.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "now() takes 'ms', 's' or nothing"))?;
        Ok(to_engine(&unit.value(now)))
    };
    names.insert("now".to_owned(), Engine::from_function(now));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_and_test_that_is_offered_exists() {
        let known = |error: &Error, kind| error.kind() == kind;
        for filter in FILTERS {
            let found = ENGINE.compile_expression_owned(format!("'a' | {filter}")).and_then(|e| e.eval(()));
            assert!(!found.is_err_and(|error| known(&error, ErrorKind::UnknownFilter)), "{filter}");
        }
        for test in TESTS {
            let found = ENGINE.compile_expression_owned(format!("1 is {test}")).and_then(|e| e.eval(()));
            assert!(!found.is_err_and(|error| known(&error, ErrorKind::UnknownTest)), "{test}");
        }
    }

    #[test]
    fn values_come_back_as_they_went() {
        let value = serde_json::json!({ "a": [1, -2, 2.5, "x", true, null], "b": { "c": 18446744073709551615u64 } });
        assert_eq!(from_engine(&to_engine(&value)).unwrap(), value);
    }
}
