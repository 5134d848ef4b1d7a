//! Counts and latencies of one part, as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency buckets, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

#[derive(Debug, Default, Clone)]
struct Series {
    count: u64,
    seconds: f64,
    buckets: [u64; BOUNDS.len()],
}

/// Route, method, status. Routes are templates of the router, so their number is small and fixed.
type Key = (String, String, u16);

#[derive(Debug)]
pub(super) struct Metrics {
    part: &'static str,
    series: Mutex<BTreeMap<Key, Series>>,
    pub(super) in_flight: AtomicUsize,
    pub(super) shed: AtomicU64,
}

impl Metrics {
    pub(super) fn new(part: &'static str) -> Self {
        Self { part, series: Mutex::default(), in_flight: AtomicUsize::new(0), shed: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, route: &str, method: &str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry((route.to_owned(), method.to_owned(), status)).or_default();
        series.count += 1;
        series.seconds += seconds;
        for (bucket, bound) in series.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    pub(super) fn render(&self) -> String {
        let part = self.part;
        let mut page = Page::default();
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let labels = |(route, method, status): &Key| {
            format!("part=\"{part}\",route=\"{route}\",method=\"{method}\",status=\"{status}\"")
        };
        page.head("shop_requests_total", "counter", "Requests answered, by route and status.");
        for (key, series) in &all {
            page.line("shop_requests_total", &labels(key), series.count);
        }
        page.head("shop_request_seconds", "histogram", "Time from request to answer.");
        for (key, series) in &all {
            let labels = labels(key);
            for (bound, count) in BOUNDS.iter().zip(series.buckets) {
                page.line("shop_request_seconds_bucket", &format!("{labels},le=\"{bound}\""), count);
            }
            page.line("shop_request_seconds_bucket", &format!("{labels},le=\"+Inf\""), series.count);
            page.line("shop_request_seconds_sum", &labels, series.seconds);
            page.line("shop_request_seconds_count", &labels, series.count);
        }
        let own = format!("part=\"{part}\"");
        page.head("shop_in_flight", "gauge", "Requests being served now.");
        page.line("shop_in_flight", &own, self.in_flight.load(Ordering::Relaxed));
        page.head("shop_shed_total", "counter", "Requests refused because the part was full.");
        page.line("shop_shed_total", &own, self.shed.load(Ordering::Relaxed));
        page.text
    }
}

/// Prometheus text under construction.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.text, "{name} {value}"),
            _ => writeln!(self.text, "{name}{{{labels}}} {value}"),
        };
    }

    /// A figure with its heading, for those that have one line only.
    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_close_with_the_count() {
        let metrics = Metrics::new("node");
        metrics.observe("/orders", "POST", 201, Duration::from_millis(4));
        metrics.observe("/orders", "POST", 201, Duration::from_secs(9));
        let text = metrics.render();
        let labels = r#"part="node",route="/orders",method="POST",status="201""#;
        assert!(text.contains(&format!("shop_requests_total{{{labels}}} 2")), "{text}");
        assert!(text.contains(&format!("_bucket{{{labels},le=\"0.0025\"}} 0")), "{text}");
        assert!(text.contains(&format!("_bucket{{{labels},le=\"0.005\"}} 1")), "{text}");
        assert!(text.contains(&format!("_bucket{{{labels},le=\"+Inf\"}} 2")), "{text}");
    }
}
