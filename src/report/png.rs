//! A chart's SVG as a PNG. Latin, Greek and Cyrillic letters come from the fonts embedded here (Inter, see
//! `fonts/OFL.txt`); Chinese ones from fonts that the caller hands in. A letter that no font has is an error, never a box.

use std::collections::BTreeSet;
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::roxmltree::Document;
use resvg::usvg::{Group, Node, Options, Tree};

use super::ReportError;

const REGULAR: &[u8] = include_bytes!("fonts/Inter-Regular-subset.otf");
const SEMIBOLD: &[u8] = include_bytes!("fonts/Inter-SemiBold-subset.otf");
const FAMILY: &str = "Inter";

/// Fonts for pictures: the embedded ones, and those handed in.
#[derive(Debug, Clone)]
pub struct Fonts {
    database: Arc<Database>,
}

impl Default for Fonts {
    fn default() -> Fonts {
        Fonts::with(Vec::new())
    }
}

impl Fonts {
    /// The embedded fonts, and `more` (whole font files or collections) for letters that they have not. A file that is
    /// no font is passed over: what it should have brought is then missing by name.
    pub fn with(more: Vec<Vec<u8>>) -> Fonts {
        let mut database = Database::new();
        for embedded in [REGULAR, SEMIBOLD] {
            database.load_font_source(Source::Binary(Arc::new(embedded)));
        }
        for font in more {
            database.load_font_source(Source::Binary(Arc::new(font)));
        }
        database.set_sans_serif_family(FAMILY);
        database.set_serif_family(FAMILY);
        Fonts { database: Arc::new(database) }
    }
}

/// `svg`, drawn `scale` times as large as its own size.
pub fn png(svg: &str, fonts: &Fonts, scale: f32) -> Result<Vec<u8>, ReportError> {
    let options = Options { fontdb: Arc::clone(&fonts.database), font_family: FAMILY.to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| ReportError::Picture(error.to_string()))?;
    let missing = uncovered(svg, &tree)?;
    if !missing.is_empty() {
        return Err(ReportError::Glyphs { glyphs: named(&missing), help: help(&missing) });
    }
    let size = tree.size();
    let pixels = |length: f32| (length * scale).ceil().clamp(1.0, 16_384.0) as u32;
    let mut pixmap = Pixmap::new(pixels(size.width()), pixels(size.height()))
        .ok_or_else(|| ReportError::Picture("it would have no size".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| ReportError::Picture(error.to_string()))
}

/// Letters of the picture that came out as no glyph, or as glyph 0, which every font keeps for what it has not.
fn uncovered(svg: &str, tree: &Tree) -> Result<BTreeSet<char>, ReportError> {
    let document = Document::parse(svg).map_err(|error| ReportError::Picture(error.to_string()))?;
    let texts = document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text());
    let mut missing: BTreeSet<char> =
        texts.flat_map(str::chars).filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    covered(tree.root(), &mut missing);
    Ok(missing)
}

fn covered(group: &Group, missing: &mut BTreeSet<char>) {
    for node in group.children() {
        match node {
            Node::Group(group) => covered(group, missing),
            Node::Text(text) => {
                let glyphs = text.layouted().iter().flat_map(|span| &span.positioned_glyphs);
                for c in glyphs.filter(|glyph| glyph.id.0 != 0).flat_map(|glyph| glyph.text.chars()) {
                    missing.remove(&c);
                }
            }
            Node::Path(_) | Node::Image(_) => {}
        }
    }
}

/// Where glyphs are to be had: Chinese ones from a package of Debian's.
fn help(missing: &BTreeSet<char>) -> &'static str {
    let chinese = |c: &char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}');
    if missing.iter().any(chinese) {
        "install Chinese glyphs with `apt-get install fonts-noto-cjk` (or `fonts-wqy-zenhei`)"
    } else {
        "name a font file that has it in PEAKDRILL_FONT"
    }
}

fn named(missing: &BTreeSet<char>) -> String {
    let first: Vec<String> = missing.iter().take(8).map(|c| format!("“{c}”")).collect();
    let more = if missing.len() > 8 { format!(" and {} more", missing.len() - 8) } else { String::new() };
    first.join(" ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(text: &str) -> String {
        format!(
            "<svg width=\"80\" height=\"20\" viewBox=\"0 0 80 20\" xmlns=\"http://www.w3.org/2000/svg\">\
             <text x=\"4\" y=\"14\" font-family=\"sans-serif\" font-size=\"12\">{text}</text></svg>"
        )
    }

    #[test]
    fn latin_needs_no_font_of_the_system() {
        let blank = png(&svg(""), &Fonts::default(), 1.0).unwrap();
        let written = png(&svg("p99 – 850 µs → ok ≤ 5"), &Fonts::default(), 1.0).unwrap();
        assert!(written.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(written.len() > blank.len() + 100);
    }

    #[test]
    fn a_missing_glyph_names_itself_and_the_package() {
        let error = png(&svg("p99 响应"), &Fonts::default(), 1.0).unwrap_err().to_string();
        assert!(error.contains("“响”") && error.contains("“应”") && error.contains("fonts-noto-cjk"), "{error}");
    }

    #[test]
    fn a_glyph_that_is_not_chinese_does_not_name_a_chinese_font() {
        let error = png(&svg("p99 𓀀"), &Fonts::default(), 1.0).unwrap_err().to_string();
        assert!(error.contains("“𓀀”") && error.contains("PEAKDRILL_FONT") && !error.contains("cjk"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_font_is_passed_over() {
        let fonts = Fonts::with(vec![b"not a font".to_vec()]);
        assert!(png(&svg("ok"), &fonts, 1.0).is_ok());
        assert!(matches!(png(&svg("响"), &fonts, 1.0), Err(ReportError::Glyphs { .. })));
    }

    #[test]
    fn scale_is_in_the_picture() {
        let wide = |scale| {
            let bytes = png(&svg("a"), &Fonts::default(), scale).unwrap();
            u32::from_be_bytes(bytes[16..20].try_into().unwrap())
        };
        assert_eq!((wide(1.0), wide(2.0)), (80, 160));
    }
}
