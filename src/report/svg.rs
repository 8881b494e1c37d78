//! What the plots share: ink that follows the page's text colour, a palette that stands on light
//! and dark, labels that keep clear of each other.
//!
//! Plots are drawn at twice their shown size, since the backend places everything on whole pixels.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, Result};

/// Height of text as drawn.
pub(super) const TEXT: i32 = 25;

/// What a plot is drawn on.
pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Drawn in this colour, a thing takes the colour of the text around the figure.
pub(super) const INK: RGBColor = RGBColor(1, 2, 3);
/// [`INK`] as the backend writes it.
const INK_TEXT: &str = "=\"#010203\"";

/// Colours of series, mid-tones that can be told apart on white, on black and in grey print.
pub(super) const PALETTE: [RGBColor; 8] = [
    RGBColor(0x2f, 0x7f, 0xb5),
    RGBColor(0xc9, 0x6f, 0x33),
    RGBColor(0x45, 0x93, 0x67),
    RGBColor(0x8d, 0x6c, 0xb8),
    RGBColor(0xbd, 0x4f, 0x5f),
    RGBColor(0x2a, 0x93, 0x93),
    RGBColor(0xa4, 0x88, 0x28),
    RGBColor(0x7d, 0x83, 0x8b),
];

/// A finished figure. Only the plots of this room make one, so its text is safe to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg(String);

impl Svg {
    /// The document, `<svg …>…</svg>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes what the backend drew at twice the size of `size`, gives it a name for screen
    /// readers and lets its ink follow the text colour.
    pub(super) fn finish(drawn: &str, size: (u32, u32), title: &str) -> Self {
        let body = drawn
            .split_once('>')
            .map_or("", |(_, body)| body)
            .replace(INK_TEXT, "=\"currentColor\"");
        let (w, h) = size;
        Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{}\" height=\"{}\" \
             viewBox=\"0 0 {w} {h}\">\n<title>{}</title>{body}",
            w / 2,
            h / 2,
            escape(&clean(title, 200)),
        ))
    }
}

/// Draws a figure named `title`.
pub(super) fn draw(
    size: (u32, u32),
    title: &str,
    body: impl FnOnce(&Canvas) -> Result<()>,
) -> Result<Svg> {
    let mut drawn = String::new();
    {
        let root = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        body(&root)?;
        root.present().map_err(broken)?;
    }
    Ok(Svg::finish(&drawn, size, title))
}

/// Text of the usual size.
pub(super) fn text(color: RGBAColor, h: HPos, v: VPos, bold: bool) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    // The backend divides the size by this factor.
    let size = f64::from(TEXT) * 1.24;
    FontDesc::new(FontFamily::SansSerif, size, style).color(&color).pos(Pos::new(h, v))
}

/// The same a little smaller.
pub(super) fn small(style: TextStyle<'static>) -> TextStyle<'static> {
    let font = style.font.resize(f64::from(TEXT - 3) * 1.24);
    TextStyle { font, ..style }
}

/// What the backend has against a drawing.
pub(super) fn broken<E: std::fmt::Display>(cause: E) -> Error {
    Error::invalid("plot", format!("could not be drawn: {cause}"))
}

/// A label as it can stand in XML: no control characters, at most `limit` characters.
pub(super) fn clean(text: &str, limit: usize) -> String {
    let allowed = |c: char| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}';
    let mut out: String =
        text.chars().take(limit).map(|c| if allowed(c) { c } else { ' ' }).collect();
    if text.chars().nth(limit).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An upright box in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Area {
    pub(super) fn around(x: i32, y: i32, reach: i32) -> Self {
        Self { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }

    fn overlap(&self, other: &Area) -> i64 {
        let wide = self.right.min(other.right) - self.left.max(other.left);
        let high = self.bottom.min(other.bottom) - self.top.max(other.top);
        i64::from(wide.max(0)) * i64::from(high.max(0))
    }

    /// The way from a point to the nearer end of the middle line.
    fn distance(&self, x: i32, y: i32) -> i32 {
        let wide = (self.left - x).max(x - self.right).max(0);
        wide + ((self.top + self.bottom) / 2 - y).abs()
    }

    fn outside(&self, other: &Area) -> i64 {
        let over = (other.left - self.left).max(0)
            + (self.right - other.right).max(0)
            + (other.top - self.top).max(0)
            + (self.bottom - other.bottom).max(0);
        i64::from(over) * 1000
    }
}

/// Width of a text in pixels, roughly: there is no font to ask.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    let ems: f64 = text.chars().map(|c| if c as u32 > 0x2e80 { 1.0 } else { 0.62 }).sum();
    (ems * f64::from(size)).ceil() as i32
}

/// Finds a place for a label of some width beside each point (x, y, width): the first of some positions around it that
/// covers nothing, else the one that covers least. Returns the labels' areas.
pub(super) fn place_labels(
    points: &[(i32, i32, i32)],
    size: i32,
    bounds: Area,
    obstacles: &[Area],
) -> Vec<Area> {
    let mut taken: Vec<Area> = obstacles.to_vec();
    taken.extend(points.iter().map(|&(x, y, _)| Area::around(x, y, 9)));
    let mut places = Vec::with_capacity(points.len());
    for &(x, y, w) in points {
        let h = size + 4;
        let at = |left: i32, top: i32| Area { left, top, right: left + w, bottom: top + h };
        let mut candidates = Vec::new();
        for away in [0, 1, 2, 3] {
            let (dx, dy) = (16 + 10 * away, away * h);
            candidates.extend([
                at(x + dx, y - h / 2 - dy),
                at(x - dx - w, y - h / 2 - dy),
                at(x + dx, y - h / 2 + dy),
                at(x - dx - w, y - h / 2 + dy),
                at(x - w / 2, y - 14 - h - dy),
                at(x - w / 2, y + 14 + dy),
            ]);
        }
        let cost = |area: &Area| {
            let covered: i64 = taken.iter().map(|other| area.overlap(other)).sum();
            // A label nearer to another point than to its own would be read as that one's.
            let own = area.distance(x, y);
            let nearer = points.iter().any(|p| area.distance(p.0, p.1) + 2 < own);
            area.outside(&bounds) + covered + 400 * i64::from(nearer)
        };
        let best = candidates.into_iter().min_by_key(cost).unwrap_or_else(|| at(x, y));
        taken.push(best);
        places.push(best);
    }
    places
}

/// Pushes `wanted` heights apart to at least `gap`, each as near to its wish as the order allows,
/// within `top..=bottom` where they fit.
pub(super) fn spread(wanted: &[i32], gap: i32, top: i32, bottom: i32) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&i| wanted[i]);
    let mut out = wanted.to_vec();
    let mut floor = top;
    for &i in &order {
        out[i] = out[i].max(floor);
        floor = out[i] + gap;
    }
    let mut ceiling = bottom;
    for &i in order.iter().rev() {
        out[i] = out[i].min(ceiling);
        ceiling = out[i] - gap;
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) const EVIL: &str =
        "</text><script>x</script>\u{0}\n\"'&#010203; =\"#010203\"";

    /// Refuses XML whose tags do not nest, whose attributes are unquoted, or that has a bare `&`,
    /// a bare `<` or a control character.
    pub(in crate::report) fn assert_well_formed(xml: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = xml;
        assert!(xml.chars().all(|c| c == '\n' || !c.is_control()), "control character");
        while let Some(at) = rest.find('<') {
            assert_entities(&rest[..at]);
            let end = rest[at..].find('>').expect("a tag ends") + at;
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name.trim()));
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{name:?}");
            let parts: Vec<&str> = attributes.trim_end_matches('/').split('"').collect();
            assert!(parts.len() % 2 == 1, "unbalanced quotes: {tag}");
            for pair in parts.chunks(2).filter(|pair| pair.len() == 2) {
                assert!(pair[0].trim().ends_with('='), "{tag}");
                assert!(!pair[1].contains('<'));
                assert_entities(pair[1]);
            }
            if !attributes.ends_with('/') {
                open.push(name);
            }
        }
        assert_entities(rest);
        assert!(open.is_empty(), "left open: {open:?}");
    }

    fn assert_entities(text: &str) {
        for after in text.split('&').skip(1) {
            let name = after.split(';').next().unwrap_or("");
            assert!(["lt", "gt", "amp", "quot", "apos"].contains(&name), "&{name}");
        }
    }

    #[test]
    fn labels_keep_clear_of_each_other_and_of_points() {
        let points: Vec<_> = (0..6).map(|i| (300 + 4 * i, 300 + 15 * i, 70 + i)).collect();
        let bounds = Area { left: 0, top: 0, right: 800, bottom: 600 };
        let places = place_labels(&points, 20, bounds, &[]);
        for (i, a) in places.iter().enumerate() {
            assert_eq!(a.outside(&bounds), 0);
            assert!(places[..i].iter().all(|b| a.overlap(b) == 0), "{places:?}");
        }
    }

    #[test]
    fn spread_keeps_order_and_gap() {
        assert_eq!(spread(&[100, 102, 101], 10, 0, 200), [100, 120, 110]);
        assert_eq!(spread(&[195, 199], 10, 0, 200), [190, 200]);
        assert_eq!(spread(&[], 10, 0, 200), Vec::<i32>::new());
    }

    #[test]
    fn labels_are_cleaned() {
        assert_eq!(clean("a\u{0}b\nc", 10), "a b c");
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
    }
}
