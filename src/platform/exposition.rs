//! Prometheus' text format, as far as figures are kept of it: samples, their label sets and what kind a family is.
//! Lenient as Prometheus is: what is no sample is passed over, and only what is kept has to be sound.

use std::collections::HashMap;

use crate::record::Reading;

/// The figures `keep` of a page, in that order: each is the sum over the label sets of its name. None where the page has
/// no such name, or where a sum means nothing: quantiles of a summary, buckets of a histogram, values that are no finite
/// number. A family that says nothing of its kind counts as what its name says: `_total` is a counter's.
pub(super) fn read(page: &str, keep: &[String]) -> Vec<Option<Reading>> {
    let kinds: HashMap<&str, &str> = page.lines().filter_map(kind).collect();
    let mut sums: HashMap<&str, Option<f64>> = HashMap::new();
    for (name, labels, value) in page.lines().filter_map(sample) {
        let sum = sums.entry(name).or_insert(Some(0.0));
        let part = ["quantile", "le"].iter().any(|label| has_label(labels, label)) && is_part(name, &kinds);
        *sum = sum.zip(value.filter(|_| !part)).map(|(sum, value)| sum + value).filter(|sum| sum.is_finite());
    }
    let reading = |name: &String| {
        let value = sums.get(name.as_str()).copied().flatten()?;
        Some(Reading { value, counter: is_counter(name, &kinds) })
    };
    keep.iter().map(reading).collect()
}

/// `# TYPE name kind`
fn kind(line: &str) -> Option<(&str, &str)> {
    let mut words = line.trim_start().strip_prefix('#')?.split_whitespace();
    (words.next()? == "TYPE").then_some(())?;
    Some((words.next()?, words.next()?))
}

/// The name's own family, or the one whose part it is: `waits_count` of the histogram `waits`.
fn family<'k>(name: &str, kinds: &HashMap<&str, &'k str>) -> Option<&'k str> {
    let whole = ["_bucket", "_count", "_sum"].iter().find_map(|end| kinds.get(name.strip_suffix(end)?).copied());
    kinds.get(name).copied().or(whole.filter(|kind| matches!(*kind, "histogram" | "summary")))
}

fn is_part(name: &str, kinds: &HashMap<&str, &str>) -> bool {
    matches!(family(name, kinds), Some("histogram" | "summary")) || name.ends_with("_bucket")
}

fn is_counter(name: &str, kinds: &HashMap<&str, &str>) -> bool {
    match family(name, kinds) {
        Some("counter" | "histogram" | "summary") => true,
        Some("gauge") => false,
        // OpenMetrics names the family of `x_total` just `x`.
        _ => name.strip_suffix("_total").is_some_and(|name| kinds.get(name).is_none_or(|kind| *kind != "gauge")),
    }
}

fn has_label(labels: &str, wanted: &str) -> bool {
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once('=') {
        if name.trim_matches([',', ' ', '\t']) == wanted {
            return true;
        }
        let quoted = after.trim_start().strip_prefix('"').unwrap_or_default();
        rest = quote_end(quoted).and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    }
    false
}

/// Where the quote that `text` stands in ends.
fn quote_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// `name{labels} value [timestamp]`: name, labels, and its value if it is a number.
fn sample(line: &str) -> Option<(&str, &str, Option<f64>)> {
    let line = line.trim();
    let named = line.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':')).count();
    let (name, rest) = line.split_at(named);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => ("", rest),
    };
    let value = rest.split_whitespace().next()?;
    // `+Inf` and `NaN` are numbers to both.
    Some((name, labels, value.parse().ok()))
}

/// What stands up to the closing brace outside of quotes, and what follows it.
fn labels(text: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let next = text.get(at..)?.find(['"', '}'])? + at;
        if text.as_bytes().get(next) == Some(&b'}') {
            return Some((text.get(..next)?, text.get(next + 1..)?));
        }
        at = next + 1 + quote_end(text.get(next + 1..)?)? + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = r#"
# HELP orders_total Orders that were placed.
# TYPE orders_total counter
orders_total{state="placed",by="a \"b\" }"} 3 1700000000000
orders_total{state="paid"} 4.5
# TYPE open gauge
open 7
  untyped_total   1e3
untyped 2
# TYPE waits histogram
waits_bucket{le="0.1"} 3
waits_bucket{le="+Inf"} 5
waits_sum 1.25
waits_count 5
# TYPE times summary
times{quantile="0.5"} 0.2
times_sum 9
not a sample
broken{a="b 5
9name 5
bad_value{a="b"} five
endless +Inf
"#;

    fn of(page: &str, name: &str) -> Option<(f64, bool)> {
        read(page, &[name.to_owned()])[0].map(|reading| (reading.value, reading.counter))
    }

    #[test]
    fn a_figure_is_the_sum_over_its_label_sets() {
        let found = [
            ("orders_total", Some((7.5, true))),
            ("open", Some((7.0, false))),
            ("untyped_total", Some((1_000.0, true))),
            ("untyped", Some((2.0, false))),
            ("waits_sum", Some((1.25, true))),
            ("waits_count", Some((5.0, true))),
            ("times_sum", Some((9.0, true))),
        ];
        for (name, figure) in found {
            assert_eq!(of(PAGE, name), figure, "{name}");
        }
    }

    #[test]
    fn what_has_no_sum_is_not_there() {
        for name in ["waits_bucket", "times", "waits", "gone", "broken", "name", "bad_value", "endless", "not"] {
            assert_eq!(of(PAGE, name), None, "{name}");
        }
        // One label set that cannot be read spoils the sum.
        assert_eq!(of("a 1\na{b=\"c\"} NaN\n", "a"), None);
        assert_eq!(of("# TYPE a_total gauge\na_total 1\n", "a_total"), Some((1.0, false)));
        assert_eq!(of("# TYPE a counter\na_total 1\n", "a_total"), Some((1.0, true)));
    }

    fn escaped(text: &str) -> String {
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            sets in prop::collection::vec(("[a-z]{1,5}", "[^\r]{0,12}", -1_000_000i64..1_000_000), 1..8),
            counter in any::<bool>(),
            noise in "[^\n]{0,30}",
        ) {
            let mut page = format!("# {noise}\n# TYPE it {}\nother 5\n", if counter { "counter" } else { "gauge" });
            let mut sum = 0i64;
            for (name, value, number) in &sets {
                page.push_str(&format!("it{{{name}x=\"{}\",}} {number}\n", escaped(value)));
                sum += number;
            }
            prop_assert_eq!(of(&page, "it"), Some((sum as f64, counter)));
        }

        #[test]
        fn anything_is_read_without_harm(page in "(\\PC|[\n{}\"\\\\#=, ]){0,80}") {
            let _ = read(&page, &["a".to_owned(), "it_total".to_owned()]);
        }
    }
}
