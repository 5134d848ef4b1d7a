use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::Colour;

/// What a cell is painted in on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Open,
}

impl Paint {
    pub(super) fn on(self, colour: Colour, text: &str) -> String {
        let code = match self {
            Paint::Plain => return text.to_owned(),
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Open => "33",
        };
        match colour {
            Colour::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colour::Off => text.to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Columns as wide as their widest cell on the screen, where a Chinese letter takes two places.
#[derive(Debug, Clone)]
pub(super) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<(String, Paint)>>,
}

impl Table {
    pub(super) fn new(heads: &[(String, Align)]) -> Table {
        Table {
            aligns: heads.iter().map(|(_, align)| *align).collect(),
            rows: vec![heads.iter().map(|(text, _)| (text.clone(), Paint::Dim)).collect()],
        }
    }

    /// Without a row of heads.
    pub(super) fn bare(aligns: &[Align]) -> Table {
        Table { aligns: aligns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<(String, Paint)>) {
        self.rows.push(cells.into_iter().map(|(text, paint)| (one_line(&text), paint)).collect());
    }

    pub(super) fn plain(&mut self, cells: Vec<String>) {
        self.row(cells.into_iter().map(|text| (text, Paint::Plain)).collect());
    }

    /// Each line begins with `indent`; a last column that says nothing leaves no blanks behind.
    pub(super) fn render(&self, indent: &str, colour: Colour) -> String {
        let mut widths = vec![0; self.aligns.len()];
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.width());
            }
        }
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (text, paint)) in row.iter().enumerate() {
                let blanks = widths.get(at).copied().unwrap_or(0).saturating_sub(text.width());
                let painted = paint.on(colour, text);
                if at > 0 {
                    line.push_str("  ");
                }
                match self.aligns.get(at) {
                    Some(Align::Right) => line.extend(std::iter::repeat_n(' ', blanks).chain(painted.chars())),
                    _ => line.extend(painted.chars().chain(std::iter::repeat_n(' ', blanks))),
                }
            }
            let _ = writeln!(out, "{indent}{}", line.trim_end());
        }
        out
    }
}

/// Control characters have no place on a terminal: a failure's text comes from the platform.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_columns_stand_under_each_other() {
        let mut table = Table::new(&[("步骤".to_owned(), Align::Left), ("请求数".to_owned(), Align::Right)]);
        table.plain(vec!["下单".to_owned(), "1,200".to_owned()]);
        table.plain(vec!["view".to_owned(), "7".to_owned()]);
        assert_eq!(table.render("", Colour::Off), "步骤  请求数\n下单   1,200\nview       7\n");
    }

    #[test]
    fn a_hostile_text_cannot_steer_the_terminal() {
        let mut table = Table::bare(&[Align::Left]);
        table.plain(vec!["a\x1b[2Jb\nc".to_owned()]);
        assert_eq!(table.render("  ", Colour::Off), "  a [2Jb c\n");
    }
}
