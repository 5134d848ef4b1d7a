//! `histograms.hlog`: the standard HdrHistogram interval log, one line for each distribution of each window, so that
//! any tool that reads such logs can read a run. Times are in µs; the log's maximum is in ms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::{Book, Cell, FigureCell, Latency, VisitCell, Window};

/// The log's head. `wall` is the drill's start: nanoseconds since the epoch.
pub(super) fn head(wall: i64) -> String {
    format!(
        "#[Histogram log format version 1.3]\n#[StartTime: {:.3} (seconds since epoch)]\n#[MaxValueDivisor: 1000.000]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        wall as f64 / 1e9
    )
}

/// Turns windows into lines.
pub(super) struct Encoder {
    serializer: V2DeflateSerializer,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder { serializer: V2DeflateSerializer::new(), bytes: Vec::new() }
    }

    /// Appends a line for each distribution of `window` that is not empty, and says how many.
    pub(super) fn encode(&mut self, window: &Window, into: &mut String) -> Result<u64, String> {
        let mut count = 0;
        for (tag, latency) in named(window) {
            let Some(histogram) = latency.histogram().filter(|histogram| !histogram.is_empty()) else { continue };
            self.bytes.clear();
            self.serializer.serialize(histogram, &mut self.bytes).map_err(|why| why.to_string())?;
            into.push_str(&format!("Tag={tag},{}.000,1.000,{:.3},", window.second, histogram.max() as f64 / 1_000.0));
            STANDARD.encode_string(&self.bytes, into);
            into.push('\n');
            count += 1;
        }
        Ok(count)
    }
}

/// Puts one line back where it came from; `None`: the line is not whole, or not of this window.
pub(super) fn restore(line: &str, deserializer: &mut Deserializer, window: &mut Window) -> Option<()> {
    let mut fields = line.strip_prefix("Tag=")?.splitn(5, ',');
    let tag = fields.next()?;
    let second: f64 = fields.next()?.parse().ok()?;
    if second != window.second as f64 {
        return None;
    }
    let encoded = fields.nth(2)?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let histogram: Histogram<u64> = deserializer.deserialize(&mut bytes.as_slice()).ok()?;
    // Ours alone: what has another resolution could not be added to the others.
    if histogram.low() != 1 || histogram.sigfig() != 3 {
        return None;
    }
    let place = place(tag, window)?;
    *place = Latency::from_histogram(histogram);
    Some(())
}

/// Whether a line belongs to the log's head.
pub(super) fn is_head(line: &str) -> bool {
    line.starts_with('#') || line.starts_with('"')
}

/// Every distribution of a window, with its name.
fn named(window: &Window) -> impl Iterator<Item = (String, &Latency)> {
    let crew = window.crew;
    let cells = window.cells.iter().flat_map(move |cell| {
        [("response", &cell.response), ("service", &cell.service), ("unlagged", &cell.unlagged)]
            .map(move |(timing, latency)| (cell_tag(cell, timing, crew), latency))
    });
    let visits = window.visits.iter().map(move |visit| (visit_tag(visit, crew), &visit.own_time));
    let lag = std::iter::once((lag_tag(crew), &window.health.lag));
    let figures = window.figures.iter().map(move |cell| (figure_tag(cell, crew), cell.values.as_latency()));
    cells.chain(visits).chain(figures).chain(lag)
}

fn place<'w>(tag: &str, window: &'w mut Window) -> Option<&'w mut Latency> {
    let crew = window.crew;
    if tag == lag_tag(crew) {
        return Some(&mut window.health.lag);
    }
    if tag.starts_with("visits") {
        return window.visits.iter_mut().find(|visit| visit_tag(visit, crew) == tag).map(|visit| &mut visit.own_time);
    }
    if tag.starts_with("figure") {
        let cell = window.figures.iter_mut().find(|cell| figure_tag(cell, crew) == tag)?;
        return Some(cell.values.as_latency_mut());
    }
    let timing = tag.split('/').nth(2)?.to_owned();
    let cell = window.cells.iter_mut().find(|cell| cell_tag(cell, &timing, crew) == tag)?;
    match timing.as_str() {
        "response" => Some(&mut cell.response),
        "service" => Some(&mut cell.service),
        "unlagged" => Some(&mut cell.unlagged),
        _ => None,
    }
}

fn cell_tag(cell: &Cell, timing: &str, crew: u16) -> String {
    format!("series-{}/{}/{timing}/crew-{crew}", cell.series, book_word(cell.book))
}

fn visit_tag(visit: &VisitCell, crew: u16) -> String {
    format!("visits-{}-{}/{}/own-time/crew-{crew}", visit.load, visit.journey, book_word(Book::Leg(visit.leg)))
}

/// In thousandths of its unit, so that the log's maximum is in the unit itself.
fn figure_tag(cell: &FigureCell, crew: u16) -> String {
    format!("figure-{}/{}/value/crew-{crew}", cell.figure, book_word(Book::Leg(cell.leg)))
}

fn lag_tag(crew: u16) -> String {
    format!("generator/lag/crew-{crew}")
}

fn book_word(book: Book) -> String {
    match book {
        Book::Seconds => "seconds".to_owned(),
        Book::Leg(leg) => format!("leg-{leg}"),
    }
}
