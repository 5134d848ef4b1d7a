//! Charts as SVG: lines or stacked areas over the drill's time, or over quantiles, with phases and faults shaded. The
//! same SVG stands in the page, in a file of its own, and behind the PNG.

mod axis;
mod canvas;
mod thin;

pub(super) use axis::{Across, Upright};

use canvas::{Canvas, Ink, width_of};
use serde::Serialize;

use super::ReportError;

pub(super) const WIDTH: i32 = 960;
const LEFT: i32 = 72;
const RIGHT: i32 = 18;
const PLOT: i32 = 230;
const LANE: i32 = 17;
/// As wide as a fault is drawn at least.
const NARROWEST: i32 = 2;

/// A colour, as red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

pub(super) const GREY: Rgb = (107, 114, 128);
pub(super) const GREEN: Rgb = (22, 128, 74);
pub(super) const RED: Rgb = (200, 38, 38);
pub(super) const AMBER: Rgb = (217, 119, 6);
pub(super) const VIOLET: Rgb = (124, 77, 178);
/// Told apart by people who see red and green alike, too.
pub(super) const PALETTE: [Rgb; 8] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (148, 103, 40),
    (90, 90, 90),
    (196, 160, 0),
];
/// From p50 to p99.9: one hue, darker the further out.
pub(super) const QUANTILES: [Rgb; 4] = [(128, 178, 230), (62, 132, 206), (24, 82, 156), (10, 30, 74)];

/// One chart, ready to be drawn.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// The name of its file and of its place in the page.
    pub(super) key: String,
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) across: Across,
    pub(super) upright: Upright,
    /// Where each value stands, ascending; seconds on a time axis.
    pub(super) x: Vec<f64>,
    pub(super) lines: Vec<Line>,
    /// Each line stands on the one before it.
    pub(super) stacked: bool,
    pub(super) phases: Vec<Band>,
    pub(super) faults: Vec<Band>,
    pub(super) marks: Vec<Mark>,
    pub(super) levels: Vec<Level>,
    /// What a stroke above the plot says; only shown where a line has one.
    pub(super) off_label: String,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: Rgb,
    /// The area below it is filled.
    pub(super) filled: bool,
    /// One for each `x`; none: no data, and the line is broken there.
    pub(super) y: Vec<Option<f64>>,
    /// One for each `x`, or empty: the figure is beyond any scale there (a percentile that failed).
    pub(super) off: Vec<bool>,
}

/// A stretch of time with a name.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// An instant with a name.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) name: String,
    pub(super) at: f64,
    pub(super) colour: Rgb,
}

/// A value with a name, drawn across: an objective.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) name: String,
    pub(super) value: f64,
}

/// A name in the legend; `look` is its line's colour and whether it is an area, none for what is off the scale.
struct Sign {
    name: String,
    look: Option<(Rgb, bool)>,
    left: i32,
}

/// A chart as drawn.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) key: String,
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) hover: Hover,
}

/// What the page's script needs to show values under the pointer: where the plot lies, and the values drawn.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Hover {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    from: f64,
    to: f64,
    time: bool,
    number: bool,
    unit: &'static str,
    x: Vec<f64>,
    lines: Vec<HoverLine>,
}

#[derive(Debug, Clone, Serialize)]
struct HoverLine {
    name: String,
    colour: String,
    y: Vec<Option<f64>>,
    off: Vec<bool>,
}

impl Chart {
    pub(super) fn draw(&self) -> Result<Drawn, ReportError> {
        let kept = thin::kept(&self.x, &self.lines, ((WIDTH - LEFT - RIGHT) / 2) as usize);
        let x: Vec<f64> = kept.iter().map(|&at| self.x[at]).collect();
        let pick =
            |line: &Line| -> Vec<Option<f64>> { kept.iter().map(|&at| line.y.get(at).copied().flatten()).collect() };
        let lines: Vec<(&Line, Vec<Option<f64>>)> = self.lines.iter().map(|line| (line, pick(line))).collect();

        let legend = self.legend_rows();
        let phases = self.lanes(&self.phases, |band| (band.from, band.to));
        let faults = self.lanes(&self.faults, |band| self.labelled(band));
        let marks = self.mark_lanes();
        let mut top = 30 + LANE * legend.len() as i32 + 4;
        let legend_top = 30;
        let phases_top = top;
        top += LANE * phases.len() as i32;
        let faults_top = top;
        top += LANE * faults.len() as i32;
        let marks_top = top;
        top += LANE * marks.len() as i32 + 4;
        let off_top = top;
        if self.lines.iter().any(|line| line.off.contains(&true)) {
            top += 5 * self.lines.len() as i32 + 3;
        }
        let bottom = top + PLOT;
        let height = bottom + 46;

        let stack = if self.stacked { stacked(&lines) } else { lines.iter().map(|(_, y)| y.clone()).collect() };
        let levels = self.levels.iter().map(|level| Some(level.value));
        let range = self.upright.range(stack.iter().flatten().copied().chain(levels));

        let mut svg = String::new();
        {
            let canvas = Canvas::new(&mut svg, (WIDTH, height));
            canvas.rect((0, 0), (WIDTH, height), Ink::solid((255, 255, 255)))?;
            canvas.title(&self.title, (LEFT, 10))?;
            self.draw_legend(&canvas, &legend, legend_top)?;

            let plot = canvas.plot((LEFT, WIDTH - RIGHT), (top, bottom), (self.across.from, self.across.to), range);
            for (lane, bands) in phases.iter().enumerate() {
                for (nth, band) in bands {
                    let shade = if nth % 2 == 0 { 26 } else { 48 };
                    let strip = phases_top + LANE * lane as i32;
                    let (from, to) = (plot.x(band.from), plot.x(band.to));
                    canvas.rect(
                        (from, strip),
                        (to, strip + LANE - 2),
                        Ink { rgb: (64, 110, 170), opacity: f64::from(shade) / 160.0 },
                    )?;
                    if lane == 0 {
                        canvas.rect(
                            (from, top),
                            (to, bottom),
                            Ink { rgb: (64, 110, 170), opacity: f64::from(shade) / 600.0 },
                        )?;
                    }
                    canvas.label_within(&band.name, (from, to), strip + 2, (32, 58, 96))?;
                }
            }
            for (lane, bands) in faults.iter().enumerate() {
                for (_, band) in bands {
                    let strip = faults_top + LANE * lane as i32;
                    let (from, to) = (plot.x(band.from), plot.x(band.to).max(plot.x(band.from) + NARROWEST));
                    canvas.rect((from, strip), (to, strip + LANE - 2), Ink { rgb: RED, opacity: 0.32 })?;
                    canvas.rect((from, top), (to, bottom), Ink { rgb: RED, opacity: 0.10 })?;
                    canvas.line(&[(from, top), (from, bottom)], Ink { rgb: RED, opacity: 0.55 }, 1)?;
                    canvas.line(&[(to, top), (to, bottom)], Ink { rgb: RED, opacity: 0.55 }, 1)?;
                    canvas.label_beside(&band.name, (from, to), WIDTH - RIGHT, strip + 2, (140, 20, 20))?;
                }
            }
            for (value, text) in self.upright.ticks(range) {
                let y = plot.y(value);
                canvas.line(&[(LEFT, y), (WIDTH - RIGHT, y)], Ink::solid((226, 229, 234)), 1)?;
                if !text.is_empty() {
                    canvas.text_right(&text, (LEFT - 7, y), (75, 80, 90))?;
                }
            }
            for (value, text) in self.across.ticks() {
                let x = plot.x(value);
                canvas.line(&[(x, bottom), (x, bottom + 4)], Ink::solid((120, 125, 135)), 1)?;
                canvas.text_middle(&text, (x, bottom + 8), (75, 80, 90))?;
            }
            for level in &self.levels {
                let y = plot.y(self.upright.place(level.value));
                canvas.dashed(&[(LEFT, y), (WIDTH - RIGHT, y)], Ink::solid((90, 30, 30)))?;
                canvas.text_end_above(&level.name, (WIDTH - RIGHT - 4, y - 3), (90, 30, 30))?;
            }
            let order: Vec<usize> =
                if self.stacked { (0..lines.len()).rev().collect() } else { (0..lines.len()).collect() };
            for at in order {
                let ((line, _), Some(y)) = (&lines[at], stack.get(at)) else { continue };
                for run in runs(&x, y) {
                    let points: Vec<(i32, i32)> =
                        run.iter().map(|&(x, y)| (plot.x(x), plot.y(self.upright.place(y)))).collect();
                    if line.filled || self.stacked {
                        let opacity = if self.stacked { 1.0 } else { 0.22 };
                        canvas.area(&points, bottom, Ink { rgb: line.colour, opacity })?;
                    }
                    if points.len() == 1 {
                        canvas.dot(points[0], Ink::solid(line.colour))?;
                    } else {
                        canvas.line(&points, Ink::solid(line.colour), if self.stacked { 1 } else { 2 })?;
                    }
                }
                // Above the plot, a row for each line: this figure failed here.
                let half = half_step(&x);
                for (nth, &kept_at) in kept.iter().enumerate() {
                    if line.off.get(kept_at).copied().unwrap_or(false) {
                        let y = off_top + 5 * at as i32;
                        canvas.rect(
                            (plot.x(x[nth] - half), y),
                            (plot.x(x[nth] + half) + 1, y + 4),
                            Ink::solid(line.colour),
                        )?;
                    }
                }
            }
            for (lane, marks) in marks.iter().enumerate() {
                for mark in marks {
                    let (x, strip) = (plot.x(mark.at), marks_top + LANE * lane as i32);
                    canvas.line(&[(x, strip + 2), (x, bottom)], Ink::solid(mark.colour), 1)?;
                    canvas.text_left(&mark.name, (x + 4, strip + 1), mark.colour)?;
                }
            }
            canvas.line(&[(LEFT, top), (LEFT, bottom), (WIDTH - RIGHT, bottom)], Ink::solid((120, 125, 135)), 1)?;
            canvas.text_middle(&self.x_label, ((LEFT + WIDTH - RIGHT) / 2, bottom + 27), (75, 80, 90))?;
            canvas.upright(&self.y_label, (12, (top + bottom) / 2), (75, 80, 90))?;
            canvas.finish()?;
        }
        let label = format!("<svg role=\"img\" aria-label=\"{}\" ", canvas::escaped(&self.title));
        let svg = svg.replacen("<svg ", &label, 1);
        let hover = Hover {
            left: LEFT,
            right: WIDTH - RIGHT,
            top,
            bottom,
            from: self.across.from,
            to: self.across.to,
            time: self.across.is_time(),
            number: self.across.is_number(),
            unit: self.upright.unit(),
            lines: lines
                .iter()
                .map(|(line, y)| HoverLine {
                    name: line.name.clone(),
                    colour: format!("#{:02x}{:02x}{:02x}", line.colour.0, line.colour.1, line.colour.2),
                    y: y.clone(),
                    off: kept.iter().filter_map(|&at| line.off.get(at).copied()).collect(),
                })
                .collect(),
            x,
        };
        Ok(Drawn { key: self.key.clone(), title: self.title.clone(), svg, hover })
    }

    /// The lines' names, in rows that fit the width; none means the sign of what is off the scale.
    fn legend_rows(&self) -> Vec<Vec<Sign>> {
        let off = self.lines.iter().any(|line| line.off.contains(&true));
        let mut rows: Vec<Vec<Sign>> = Vec::new();
        let mut left = WIDTH;
        let names = self.lines.iter().map(|line| (line.name.clone(), Some((line.colour, line.filled || self.stacked))));
        for (name, look) in names.chain(off.then(|| (self.off_label.clone(), None))) {
            let width = 22 + width_of(&name, 12.0) as i32 + 18;
            if left + width > WIDTH - RIGHT {
                rows.push(Vec::new());
                left = LEFT;
            }
            if let Some(row) = rows.last_mut() {
                row.push(Sign { name, look, left });
            }
            left += width;
        }
        rows
    }

    fn draw_legend(&self, canvas: &Canvas<'_>, rows: &[Vec<Sign>], top: i32) -> Result<(), ReportError> {
        for (nth, row) in rows.iter().enumerate() {
            let y = top + LANE * nth as i32;
            for Sign { name, look, left } in row {
                match look {
                    Some((colour, true)) => canvas.rect((*left, y + 3), (left + 16, y + 12), Ink::solid(*colour))?,
                    Some((colour, false)) => {
                        canvas.line(&[(*left, y + 8), (left + 16, y + 8)], Ink::solid(*colour), 3)?
                    }
                    None => {
                        canvas.rect((*left, y + 4), (left + 16, y + 7), Ink::solid(QUANTILES[2]))?;
                        canvas.rect((*left, y + 9), (left + 16, y + 12), Ink::solid(QUANTILES[3]))?;
                    }
                }
                canvas.text_left(name, (left + 22, y + 1), (45, 50, 60))?;
            }
        }
        Ok(())
    }

    /// The part of each band that is shown, in lanes, with its number, for alternating shades. `room`: what it takes, with its name.
    fn lanes(&self, bands: &[Band], room: impl Fn(&Band) -> (f64, f64)) -> Vec<Vec<(usize, Band)>> {
        let (from, to) = (self.across.from, self.across.to);
        let within = bands.iter().enumerate().filter(|(_, band)| band.to > from && band.from < to);
        let cut = within
            .map(|(nth, band)| (nth, Band { name: band.name.clone(), from: band.from.max(from), to: band.to.min(to) }));
        in_lanes(cut, |(_, band)| room(band))
    }

    /// What a fault takes with its name in it or beside it.
    fn labelled(&self, band: &Band) -> (f64, f64) {
        let (from, to) = (self.pixels(band.from), self.pixels(band.to));
        canvas::with_label(&band.name, (from, to.max(from + f64::from(NARROWEST))), self.pixels(self.across.to))
    }

    /// Marks in lanes, so that no label is written over another.
    fn mark_lanes(&self) -> Vec<Vec<&Mark>> {
        in_lanes(self.marks.iter(), |mark| {
            let from = self.pixels(mark.at);
            (from, from + 10.0 + width_of(&mark.name, 11.0))
        })
    }

    /// Pixels from the left end of the plot.
    fn pixels(&self, at: f64) -> f64 {
        let scale = f64::from(WIDTH - LEFT - RIGHT) / (self.across.to - self.across.from).max(1e-9);
        (at - self.across.from) * scale
    }
}

/// In lanes, so that none overlaps another of its lane.
fn in_lanes<T>(all: impl Iterator<Item = T>, room: impl Fn(&T) -> (f64, f64)) -> Vec<Vec<T>> {
    let mut lanes: Vec<(f64, Vec<T>)> = Vec::new();
    for one in all {
        let (from, to) = room(&one);
        match lanes.iter_mut().find(|(taken, _)| *taken <= from + 1e-9) {
            Some((taken, lane)) => {
                *taken = to;
                lane.push(one);
            }
            None => lanes.push((to, vec![one])),
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// Each line on top of those before it; no data counts as nothing there.
fn stacked(lines: &[(&Line, Vec<Option<f64>>)]) -> Vec<Vec<Option<f64>>> {
    let mut below: Vec<f64> = vec![0.0; lines.iter().map(|(_, y)| y.len()).max().unwrap_or(0)];
    let mut stack = Vec::with_capacity(lines.len());
    for (_, y) in lines {
        for (sum, value) in below.iter_mut().zip(y) {
            *sum += value.unwrap_or(0.0);
        }
        stack.push(below.iter().copied().map(Some).collect());
    }
    stack
}

/// The unbroken stretches of a line.
fn runs(x: &[f64], y: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let mut runs = Vec::new();
    let mut run = Vec::new();
    for (&x, y) in x.iter().zip(y) {
        match y {
            Some(y) => run.push((x, *y)),
            None if run.is_empty() => {}
            None => runs.push(std::mem::take(&mut run)),
        }
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

fn half_step(x: &[f64]) -> f64 {
    match x {
        [first, .., last] if x.len() > 1 => (last - first) / (x.len() - 1) as f64 / 2.0,
        _ => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(faults: Vec<Band>) -> Chart {
        Chart {
            key: "rate".to_owned(),
            title: "Rate".to_owned(),
            x_label: String::new(),
            y_label: String::new(),
            across: Across::time(0.0, 60.0),
            upright: Upright::PerSecond,
            x: Vec::new(),
            lines: Vec::new(),
            stacked: false,
            phases: Vec::new(),
            faults,
            marks: Vec::new(),
            levels: Vec::new(),
            off_label: String::new(),
        }
    }

    #[test]
    fn no_name_of_a_fault_lies_over_another() {
        let faults = (0..30).map(|nth| {
            let from = f64::from(nth) * 2.0;
            Band { name: format!("a node is killed, {nth}"), from, to: from + 1.0 + f64::from(nth % 4) * 5.0 }
        });
        let chart = chart(faults.collect());
        let lanes = chart.lanes(&chart.faults, |band| chart.labelled(band));
        assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), 30);
        for lane in &lanes {
            for pair in lane.windows(2) {
                let ((_, one), (_, other)) = (&pair[0], &pair[1]);
                assert!(chart.labelled(one).1 <= chart.labelled(other).0 + 1e-9, "{one:?} {other:?}");
            }
        }
        // Names that lie in their bars take no more than those.
        let wide = Band { name: "a node".to_owned(), from: 10.0, to: 30.0 };
        assert_eq!(chart.labelled(&wide), (chart.pixels(10.0), chart.pixels(30.0)));
        // One at the end has its name to the left.
        let late = Band { name: "a node is killed".to_owned(), from: 58.0, to: 60.0 };
        let (left, right) = chart.labelled(&late);
        assert!(left < chart.pixels(55.0) && right == chart.pixels(60.0), "{left} {right}");
    }
}
