//! The three plots of a report, each a function from plain data to [`Svg`].

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::svg::{Area, INK, PALETTE, Svg, clean, place_labels, spread, text_width};
use crate::error::{Error, Result};
use crate::number;

/// Width and height as drawn, twice the shown size.
const SIZE: (u32, u32) = (1520, 800);
/// Height of text as drawn.
const TEXT: i32 = 25;
/// Points of a curve that are drawn; more cannot be told apart.
const MAX_POINTS: usize = 1500;
/// Rows of a heat map that can still be read.
const MAX_HEAT_MAP: usize = 64;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of [`training_curve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Stands at the line's end.
    pub name: String,
    /// x and y; those not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// One point of [`quality_against_bytes`].
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Stands beside the point; empty for none.
    pub label: String,
    /// Points of one series share a colour and are joined by a line.
    pub series: String,
    /// Bytes a vector, above zero.
    pub bytes: f64,
    /// The quality.
    pub value: f64,
    /// Confidence interval around the value; none draws no bar.
    pub interval: Option<(f64, f64)>,
    /// Drawn larger and bold: the student, among its baselines.
    pub emphasis: bool,
}

/// One side of [`cosine_heat_map`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Panel<'a> {
    /// Stands above it, such as `teacher, 384 values`.
    pub title: &'a str,
    /// Cosines, `n × n`, row after row.
    pub cosines: &'a [f32],
}

/// Lines over a common x, such as losses over steps.
///
/// # Errors
/// [`Error::Invalid`] if no curve has a finite point.
pub fn training_curve(title: &str, x_label: &str, y_label: &str, curves: &[Curve]) -> Result<Svg> {
    let drawn: Vec<Vec<(f64, f64)>> = curves.iter().map(|c| thin(&c.points)).collect();
    let all = || drawn.iter().flatten();
    let x = Span::of(all().map(|p| p.0), 0.0)?;
    let y = Span::of(all().map(|p| p.1), 0.04)?;
    draw(SIZE, title, |root| {
        let names: Vec<String> = curves.iter().map(|c| clean(&c.name, 28)).collect();
        let room = names.iter().map(|n| text_width(n, TEXT)).max().unwrap_or(0) + 40;
        let mut chart = ChartBuilder::on(root)
            .margin_top(64)
            .margin_right(room)
            .x_label_area_size(92)
            .y_label_area_size(120)
            .build_cartesian_2d(x.low..x.high, y.low..y.high)
            .map_err(broken)?;
        let digits = |span: Span| (2.0 - span.size().log10().floor()).clamp(0.0, 6.0) as usize;
        axes(&mut chart, &|v| number::decimal(*v, if x.size() >= 10.0 { 0 } else { 1 }), &|v| {
            number::decimal(*v, digits(y).saturating_sub(1))
        })?;
        axis_titles(root, x_label, y_label)?;
        let mut ends = Vec::new();
        for (i, points) in drawn.iter().enumerate() {
            let color = PALETTE[i % PALETTE.len()];
            chart
                .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(4)))
                .map_err(broken)?;
            if let Some(&last) = points.last() {
                ends.push((i, chart.backend_coord(&last)));
            }
        }
        let heights: Vec<i32> = ends.iter().map(|(_, (_, y))| *y).collect();
        let heights = spread(&heights, TEXT + 6, 64, SIZE.1 as i32 - 100);
        for ((i, (x, _)), y) in ends.iter().zip(heights) {
            let style = text(PALETTE[i % PALETTE.len()].to_rgba(), HPos::Left, VPos::Center, false);
            root.draw_text(&names[*i], &style, (x + 14, y)).map_err(broken)?;
        }
        Ok(())
    })
}

/// Quality of codes against their bytes a vector, on a logarithmic x whose steps double, with
/// confidence bars and a label beside each point.
///
/// # Errors
/// [`Error::Invalid`] if no mark is finite with bytes above zero.
pub fn quality_against_bytes(title: &str, y_label: &str, marks: &[Mark]) -> Result<Svg> {
    let usable = |m: &&Mark| m.bytes.is_finite() && m.bytes > 0.0 && m.value.is_finite();
    let marks: Vec<&Mark> = marks.iter().filter(usable).collect();
    let x = Span::of(marks.iter().map(|m| m.bytes.log2()), 0.06)?;
    let ends = |m: &&Mark| {
        let (low, high) = m.interval.unwrap_or((m.value, m.value));
        [m.value, low, high].into_iter().filter(|v| v.is_finite()).collect::<Vec<_>>()
    };
    let y = Span::of(marks.iter().flat_map(ends), 0.07)?;
    let mut series: Vec<&str> = Vec::new();
    for mark in &marks {
        if !series.contains(&mark.series.as_str()) {
            series.push(&mark.series);
        }
    }
    draw(SIZE, title, |root| {
        // 384-wide embeddings make sizes of 3·2^k: these are the ticks that codes stand on.
        let ticks: Vec<f64> = (0..24)
            .map(|k| (3.0 * f64::from(1 << k)).log2())
            .filter(|t| (x.low..=x.high).contains(t))
            .collect();
        let mut chart = ChartBuilder::on(root)
            .margin_top(64)
            .margin_right(40)
            .x_label_area_size(92)
            .y_label_area_size(120)
            .build_cartesian_2d(Ticked { span: x, ticks }, y.low..y.high)
            .map_err(broken)?;
        axes(&mut chart, &|v| number::decimal(v.exp2(), 0), &|v| number::decimal(*v, 2))?;
        axis_titles(root, "bytes per vector, each step doubles", y_label)?;
        let mut obstacles = Vec::new();
        for (i, name) in series.iter().enumerate() {
            let color = PALETTE[i % PALETTE.len()];
            let mut own: Vec<&&Mark> = marks.iter().filter(|m| m.series == *name).collect();
            own.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
            let at = |m: &Mark, v: f64| chart.backend_coord(&(m.bytes.log2(), v));
            let path: Vec<_> = own.iter().map(|m| at(m, m.value)).collect();
            if path.len() > 1 {
                let line = PathElement::new(path.clone(), color.mix(0.55).stroke_width(3));
                root.draw(&line).map_err(broken)?;
            }
            for (mark, (px, py)) in own.iter().zip(path) {
                if let Some((low, high)) =
                    mark.interval.filter(|i| i.0.is_finite() && i.1.is_finite())
                {
                    let ((_, y0), (_, y1)) = (at(mark, low), at(mark, high));
                    for bar in [
                        vec![(px, y0), (px, y1)],
                        vec![(px - 7, y0), (px + 7, y0)],
                        vec![(px - 7, y1), (px + 7, y1)],
                    ] {
                        let bar = PathElement::new(bar, color.mix(0.8).stroke_width(2));
                        root.draw(&bar).map_err(broken)?;
                    }
                    obstacles.push(Area { left: px - 7, top: y1, right: px + 7, bottom: y0 });
                }
                let radius = if mark.emphasis { 10 } else { 7 };
                root.draw(&Circle::new((px, py), radius, color.filled())).map_err(broken)?;
            }
        }
        let labelled: Vec<(i32, i32, String)> = marks
            .iter()
            .filter(|m| !m.label.trim().is_empty())
            .map(|m| {
                let (x, y) = chart.backend_coord(&(m.bytes.log2(), m.value));
                (x, y, clean(&m.label, 40))
            })
            .collect();
        let bounds =
            Area { left: 130, top: 60, right: SIZE.0 as i32 - 10, bottom: SIZE.1 as i32 - 100 };
        let places = place_labels(&labelled, TEXT - 3, bounds, &obstacles);
        let bold = marks.iter().filter(|m| !m.label.trim().is_empty()).map(|m| m.emphasis);
        for (((x, y, label), area), bold) in labelled.iter().zip(&places).zip(bold) {
            let middle = (area.top + area.bottom) / 2;
            if (middle - y).abs() > 2 * TEXT {
                let near = (*x).clamp(area.left, area.right);
                let leader = PathElement::new(vec![(*x, *y), (near, middle)], INK.mix(0.25));
                root.draw(&leader).map_err(broken)?;
            }
            let style = small(text(INK.mix(0.9), HPos::Left, VPos::Center, bold));
            root.draw_text(label, &style, (area.left, middle)).map_err(broken)?;
        }
        Ok(())
    })
}

/// Cosines of the same `labels.len()` texts before and after, side by side: blue for alike, brown
/// for opposed, bare paper at zero.
///
/// # Errors
/// [`Error::Invalid`] for no labels, more than 64, or a panel that is not `n × n`.
pub fn cosine_heat_map(title: &str, labels: &[String], panels: [Panel; 2]) -> Result<Svg> {
    let n = labels.len();
    if n == 0 || n > MAX_HEAT_MAP {
        return Err(Error::invalid("heat map", format!("{n} rows; it takes 1 to {MAX_HEAT_MAP}")));
    }
    for panel in &panels {
        if panel.cosines.len() != n * n {
            let given = panel.cosines.len();
            return Err(Error::invalid("heat map", format!("{given} cosines are not {n} × {n}")));
        }
    }
    const LEFT: i32 = 400;
    const GAP: i32 = 48;
    const TOP: i32 = 56;
    let cell = (SIZE.0 as i32 - LEFT - GAP - 8) / 2 / n as i32;
    let side = cell * n as i32;
    let size = (SIZE.0, (TOP + side + 110) as u32);
    draw(size, title, |root| {
        let every = (TEXT / cell.max(1) + 1).max(1) as usize;
        for (i, label) in labels.iter().enumerate().filter(|(i, _)| i % every == 0) {
            let label = clean(&format!("{label}  {}", i + 1), 34);
            let style = small(text(INK.mix(0.9), HPos::Right, VPos::Center, false));
            let at = (LEFT - 14, TOP + cell * i as i32 + cell / 2);
            root.draw_text(&label, &style, at).map_err(broken)?;
        }
        for (p, panel) in panels.iter().enumerate() {
            let left = LEFT + p as i32 * (side + GAP);
            let heading = text(INK.mix(0.9), HPos::Left, VPos::Top, true);
            root.draw_text(&clean(panel.title, 44), &heading, (left, 8)).map_err(broken)?;
            for (i, &cosine) in panel.cosines.iter().enumerate() {
                let (x, y) = (left + cell * (i % n) as i32, TOP + cell * (i / n) as i32);
                heat_cell(root, (x, y), cell, cosine)?;
            }
            for i in (0..n).step_by(every) {
                let style = small(text(INK.mix(0.6), HPos::Center, VPos::Top, false));
                let at = (left + cell * i as i32 + cell / 2, TOP + side + 10);
                root.draw_text(&(i + 1).to_string(), &style, at).map_err(broken)?;
            }
        }
        heat_scale(root, LEFT, TOP + side + 56)
    })
}

fn heat_color(cosine: f32) -> RGBAColor {
    let strength = if cosine.is_finite() { f64::from(cosine.abs().min(1.0)) } else { 0.0 };
    let hue = if cosine < 0.0 { PALETTE[1] } else { PALETTE[0] };
    hue.mix(0.85 * strength)
}

fn heat_cell(root: &Canvas, (x, y): (i32, i32), cell: i32, cosine: f32) -> Result<()> {
    let corner = [(x + 1, y + 1), (x + cell - 1, y + cell - 1)];
    root.draw(&Rectangle::new(corner, heat_color(cosine).filled())).map_err(broken)?;
    if cell >= 54 {
        let digits = number::decimal(f64::from(cosine), 2);
        let style = small(text(INK.to_rgba(), HPos::Center, VPos::Center, false));
        let shown = digits.replace("-", "−");
        root.draw_text(&shown, &style, (x + cell / 2, y + cell / 2)).map_err(broken)?;
    }
    Ok(())
}

/// What the colours mean: nine swatches from −1 to 1.
fn heat_scale(root: &Canvas, left: i32, top: i32) -> Result<()> {
    let style = |h| small(text(INK.mix(0.6), h, VPos::Center, false));
    root.draw_text("cosine  −1", &style(HPos::Right), (left + 116, top + 13)).map_err(broken)?;
    for step in 0..9 {
        let x = left + 130 + 44 * step;
        let corner = [(x, top), (x + 42, top + 26)];
        let color = heat_color(step as f32 / 4.0 - 1.0);
        root.draw(&Rectangle::new(corner, color.filled())).map_err(broken)?;
        root.draw(&Rectangle::new(corner, INK.mix(0.2))).map_err(broken)?;
    }
    root.draw_text("1", &style(HPos::Left), (left + 130 + 44 * 9 + 12, top + 13)).map_err(broken)
}

/// The range of an axis.
#[derive(Clone, Copy, Debug)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    /// Of all values that are finite, with a margin on both sides; a single value gets some room.
    fn of(values: impl Iterator<Item = f64>, margin: f64) -> Result<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return Err(Error::invalid("plot", "there is no finite point to draw"));
        }
        if high - low <= 1e-12 * high.abs().max(1e-12) {
            let room = (0.1 * high.abs()).max(0.5);
            return Ok(Self { low: low - room, high: high + room });
        }
        let room = margin * (high - low);
        Ok(Self { low: low - room, high: high + room })
    }

    fn size(&self) -> f64 {
        self.high - self.low
    }
}

/// An axis whose ticks are given.
struct Ticked {
    span: Span,
    ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.span.low) / self.span.size();
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.span.low..self.span.high
    }
}

/// Finite points only, and of many every k-th and the last.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<_> =
        points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    let step = finite.len().div_ceil(MAX_POINTS).max(1);
    let last = finite.len().saturating_sub(1);
    finite
        .iter()
        .enumerate()
        .filter(|(i, _)| i % step == 0 || *i == last)
        .map(|(_, p)| *p)
        .collect()
}

fn draw(size: (u32, u32), title: &str, body: impl FnOnce(&Canvas) -> Result<()>) -> Result<Svg> {
    let mut drawn = String::new();
    {
        let root = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        body(&root)?;
        root.present().map_err(broken)?;
    }
    Ok(Svg::finish(&drawn, size, title))
}

fn axes<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    x: &dyn Fn(&f64) -> String,
    y: &dyn Fn(&f64) -> String,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12).stroke_width(2))
        .axis_style(INK.mix(0.45).stroke_width(2))
        .label_style(text(INK.mix(0.75), HPos::Left, VPos::Top, false))
        .x_labels(9)
        .y_labels(7)
        .x_label_formatter(x)
        .y_label_formatter(y)
        .draw()
        .map_err(broken)
}

/// y above its axis, x below its own, both horizontal.
fn axis_titles(root: &Canvas, x: &str, y: &str) -> Result<()> {
    let (right, bottom) = (SIZE.0 as i32 - 40, SIZE.1 as i32 - 8);
    let ink = INK.mix(0.75);
    let above = text(ink, HPos::Left, VPos::Top, false);
    root.draw_text(&clean(y, 80), &above, (10, 10)).map_err(broken)?;
    let below = text(ink, HPos::Center, VPos::Bottom, false);
    root.draw_text(&clean(x, 80), &below, ((120 + right) / 2, bottom)).map_err(broken)
}

fn text(color: RGBAColor, h: HPos, v: VPos, bold: bool) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    // The backend divides the size by this factor.
    let size = f64::from(TEXT) * 1.24;
    FontDesc::new(FontFamily::SansSerif, size, style).color(&color).pos(Pos::new(h, v))
}

fn small(style: TextStyle<'static>) -> TextStyle<'static> {
    let font = style.font.resize(f64::from(TEXT - 3) * 1.24);
    TextStyle { font, ..style }
}

fn broken<E: std::fmt::Display>(cause: E) -> Error {
    Error::invalid("plot", format!("could not be drawn: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses XML whose tags do not nest, whose attributes are unquoted, or that has a bare `&`,
    /// a bare `<` or a control character.
    fn assert_well_formed(xml: &str) {
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

    const EVIL: &str = "</text><script>x</script>\u{0}\n\"'&#010203; =\"#010203\"";

    fn mark(label: &str, bytes: f64, value: f64) -> Mark {
        let interval = Some((value - 0.003, value + 0.003));
        Mark { label: label.into(), series: label.into(), bytes, value, interval, emphasis: false }
    }

    #[test]
    fn hostile_labels_are_text() {
        let curve = Curve { name: EVIL.into(), points: vec![(0.0, 1.0), (1.0, 0.5)] };
        let labels = vec![EVIL.to_string(), EVIL.to_string()];
        let panel = Panel { title: EVIL, cosines: &[1.0, -0.5, f32::NAN, 2.0] };
        for svg in [
            training_curve(EVIL, EVIL, EVIL, &[curve]).unwrap(),
            quality_against_bytes(EVIL, EVIL, &[mark(EVIL, 192.0, 0.9)]).unwrap(),
            cosine_heat_map(EVIL, &labels, [panel, panel]).unwrap(),
        ] {
            assert_well_formed(svg.as_str());
            assert!(!svg.as_str().contains("<script"), "{}", svg.as_str());
            assert!(svg.as_str().contains("&lt;script&gt;"));
            assert!(
                svg.as_str().contains("currentColor") && !svg.as_str().contains("=\"#010203\"")
            );
        }
    }

    #[test]
    fn points_that_are_not_finite_are_left_out() {
        let points = vec![(0.0, 2.0), (1.0, f64::NAN), (f64::INFINITY, 1.0), (3.0, 1.0)];
        assert_eq!(thin(&points), [(0.0, 2.0), (3.0, 1.0)]);
        let bad = Curve { name: "bad".into(), points: vec![(0.0, f64::NAN)] };
        assert!(training_curve("t", "x", "y", &[bad]).is_err());
        assert!(training_curve("t", "x", "y", &[]).is_err());
        assert!(quality_against_bytes("t", "y", &[mark("zero", 0.0, 0.5)]).is_err());
        let single = Curve { name: "one".into(), points: vec![(5.0, 0.0)] };
        assert_well_formed(training_curve("t", "x", "y", &[single]).unwrap().as_str());
    }

    #[test]
    fn long_curves_are_thinned_and_keep_their_ends() {
        let points: Vec<_> = (0..100_001).map(|i| (f64::from(i), 1.0)).collect();
        let thinned = thin(&points);
        assert!(thinned.len() <= MAX_POINTS + 1);
        assert_eq!((thinned[0].0, thinned.last().unwrap().0), (0.0, 100_000.0));
    }

    #[test]
    fn more_quality_stands_higher_and_more_bytes_further_right() {
        let marks = [mark("small", 48.0, 0.7), mark("large", 768.0, 0.9)];
        let svg = quality_against_bytes("t", "y", &marks).unwrap();
        let circles: Vec<(i32, i32)> = svg
            .as_str()
            .lines()
            .filter(|l| l.starts_with("<circle"))
            .map(|l| {
                let value = |name: &str| {
                    let rest = l.split_once(&format!(" {name}=\"")).unwrap().1;
                    rest.split('"').next().unwrap().parse().unwrap()
                };
                (value("cx"), value("cy"))
            })
            .collect();
        assert_eq!(circles.len(), 2);
        assert!(circles[0].0 < circles[1].0 && circles[0].1 > circles[1].1, "{circles:?}");
    }

    #[test]
    fn heat_maps_need_square_panels() {
        let labels: Vec<String> = (0..3).map(|i| i.to_string()).collect();
        let good = Panel { title: "good", cosines: &[0.5; 9] };
        let bad = Panel { title: "bad", cosines: &[0.5; 8] };
        assert!(cosine_heat_map("t", &labels, [good, bad]).is_err());
        assert!(cosine_heat_map("t", &[], [good, good]).is_err());
        assert!(cosine_heat_map("t", &labels, [good, good]).is_ok());
        let many: Vec<String> = (0..64).map(|i| i.to_string()).collect();
        let large = Panel { title: "large", cosines: &[0.5; 4096] };
        assert_well_formed(cosine_heat_map("t", &many, [large, large]).unwrap().as_str());
    }
}
