use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use unicode_width::UnicodeWidthChar;

use super::Rgb;
use crate::report::ReportError;

/// What a shape is drawn in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    pub(super) rgb: Rgb,
    pub(super) opacity: f64,
}

impl Ink {
    pub(super) fn solid(rgb: Rgb) -> Ink {
        Ink { rgb, opacity: 1.0 }
    }

    fn style(self) -> ShapeStyle {
        RGBColor(self.rgb.0, self.rgb.1, self.rgb.2).mix(self.opacity).filled()
    }
}

/// A thin face on plotters: pixels, ink and text.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Where values stand in pixels.
pub(super) struct Plot {
    coord: Cartesian2d<RangedCoordf64, RangedCoordf64>,
}

impl Plot {
    pub(super) fn x(&self, value: f64) -> i32 {
        self.coord.translate(&(value, 0.0)).0
    }

    pub(super) fn y(&self, value: f64) -> i32 {
        self.coord.translate(&(0.0, value)).1
    }
}

fn failed(error: impl std::fmt::Display) -> ReportError {
    ReportError::Draw(error.to_string())
}

/// plotters makes letters this much smaller than it is asked for.
const SHRINK: f64 = 1.24;

impl<'a> Canvas<'a> {
    pub(super) fn new(svg: &'a mut String, size: (i32, i32)) -> Canvas<'a> {
        let size = (size.0.unsigned_abs(), size.1.unsigned_abs());
        Canvas { area: SVGBackend::with_string(svg, size).into_drawing_area() }
    }

    pub(super) fn plot(&self, x: (i32, i32), y: (i32, i32), across: (f64, f64), upright: (f64, f64)) -> Plot {
        Plot { coord: Cartesian2d::new(across.0..across.1, upright.0..upright.1, (x.0..x.1, y.1..y.0)) }
    }

    pub(super) fn rect(&self, from: (i32, i32), to: (i32, i32), ink: Ink) -> Result<(), ReportError> {
        self.area.draw(&Rectangle::new([from, to], ink.style())).map_err(failed)
    }

    pub(super) fn line(&self, points: &[(i32, i32)], ink: Ink, width: u32) -> Result<(), ReportError> {
        self.area.draw(&PathElement::new(points.to_vec(), ink.style().stroke_width(width))).map_err(failed)
    }

    pub(super) fn dashed(&self, points: &[(i32, i32)], ink: Ink) -> Result<(), ReportError> {
        let style = ink.style().stroke_width(1);
        self.area.draw(&DashedPathElement::new(points.to_vec(), 6, 4, style)).map_err(failed)
    }

    pub(super) fn area(&self, points: &[(i32, i32)], bottom: i32, ink: Ink) -> Result<(), ReportError> {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
        let mut outline = points.to_vec();
        outline.extend([(last.0, bottom), (first.0, bottom)]);
        self.area.draw(&Polygon::new(outline, ink.style())).map_err(failed)
    }

    pub(super) fn dot(&self, point: (i32, i32), ink: Ink) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(point, 2, ink.style())).map_err(failed)
    }

    pub(super) fn title(&self, text: &str, at: (i32, i32)) -> Result<(), ReportError> {
        let font = FontDesc::new(FontFamily::SansSerif, 14.0 * SHRINK, FontStyle::Bold);
        self.write(text, at, font, (20, 24, 32), (HPos::Left, VPos::Top))
    }

    pub(super) fn text_left(&self, text: &str, at: (i32, i32), rgb: Rgb) -> Result<(), ReportError> {
        self.write(text, at, font(12.0), rgb, (HPos::Left, VPos::Top))
    }

    pub(super) fn text_right(&self, text: &str, at: (i32, i32), rgb: Rgb) -> Result<(), ReportError> {
        self.write(text, at, font(11.0), rgb, (HPos::Right, VPos::Center))
    }

    pub(super) fn text_middle(&self, text: &str, at: (i32, i32), rgb: Rgb) -> Result<(), ReportError> {
        self.write(text, at, font(11.0), rgb, (HPos::Center, VPos::Top))
    }

    pub(super) fn text_end_above(&self, text: &str, at: (i32, i32), rgb: Rgb) -> Result<(), ReportError> {
        self.write(text, at, font(11.0), rgb, (HPos::Right, VPos::Bottom))
    }

    pub(super) fn upright(&self, text: &str, at: (i32, i32), rgb: Rgb) -> Result<(), ReportError> {
        let font = font(11.0).transform(FontTransform::Rotate270);
        self.write(text, at, font, rgb, (HPos::Center, VPos::Top))
    }

    /// In the middle of a strip, cut short where there is no room.
    pub(super) fn label_within(
        &self,
        text: &str,
        (from, to): (i32, i32),
        top: i32,
        rgb: Rgb,
    ) -> Result<(), ReportError> {
        let text = fitting(text, f64::from(to - from) - 6.0);
        if text.is_empty() {
            return Ok(());
        }
        self.text_middle(&text, ((from + to) / 2, top), rgb)
    }

    /// In a strip, or to the right or left of it where it is too narrow.
    pub(super) fn label_beside(
        &self,
        text: &str,
        (from, to): (i32, i32),
        end: i32,
        top: i32,
        rgb: Rgb,
    ) -> Result<(), ReportError> {
        let (left, right) = with_label(text, (f64::from(from), f64::from(to)), f64::from(end));
        if right > f64::from(to) {
            self.write(text, (to + 5, top), font(11.0), rgb, (HPos::Left, VPos::Top))
        } else if left < f64::from(from) {
            self.write(text, (from - 5, top), font(11.0), rgb, (HPos::Right, VPos::Top))
        } else {
            self.text_middle(text, ((from + to) / 2, top), rgb)
        }
    }

    fn write(
        &self,
        text: &str,
        at: (i32, i32),
        font: FontDesc<'_>,
        rgb: Rgb,
        (h, v): (HPos, VPos),
    ) -> Result<(), ReportError> {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let colour = RGBColor(rgb.0, rgb.1, rgb.2);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h, v));
        self.area.draw(&Text::new(text, at, style)).map_err(failed)
    }

    pub(super) fn finish(&self) -> Result<(), ReportError> {
        self.area.present().map_err(failed)
    }
}

fn font(size: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::SansSerif, size * SHRINK, FontStyle::Normal)
}

/// From where to where a strip and its label lie: the label in it, or to the right or left of it where it is too narrow.
pub(super) fn with_label(text: &str, (from, to): (f64, f64), end: f64) -> (f64, f64) {
    let width = width_of(text, 11.0) + 8.0;
    if width <= to - from {
        (from, to)
    } else if to + width <= end {
        (from, to + width)
    } else {
        (from - width, to)
    }
}

/// About how wide a text is in pixels: full-width letters an em, others a little over half.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    text.chars().map(|c| if c.width().unwrap_or(0) > 1 { size } else { size * 0.56 }).sum()
}

/// `text`, or its beginning and `…`, or nothing.
fn fitting(text: &str, room: f64) -> String {
    if width_of(text, 11.0) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width_of(&short, 11.0) + 8.0 > room {
            short.pop();
            break;
        }
    }
    if short.chars().count() < 2 { String::new() } else { short + "…" }
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
