//! The two line plots of a report, each a function from plain data to [`Svg`].

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::svg::{
    Area, Canvas, INK, PALETTE, Svg, TEXT, broken, clean, draw, place_labels, small, spread, text,
    text_width,
};
use crate::error::{Error, Result};
use crate::number;

/// Width and height as drawn, twice the shown size.
pub(super) const SIZE: (u32, u32) = (1520, 800);
/// Points of a curve that are drawn; more cannot be told apart.
const MAX_POINTS: usize = 1500;

/// One line of [`training_curve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Stands at the line's end.
    pub name: String,
    /// x and y; those not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// What a quality is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Bytes a vector.
    Bytes,
    /// Microseconds to store one.
    Microseconds,
}

impl Axis {
    fn title(self) -> &'static str {
        match self {
            Axis::Bytes => "bytes per vector, each step doubles",
            Axis::Microseconds => "µs to store a vector, each step doubles",
        }
    }

    /// Ticks, in powers of two: 384-wide embeddings make sizes of 3·2^k, on which codes stand.
    fn ticks(self, span: &Span) -> Vec<f64> {
        let (first, unit) = match self {
            Axis::Bytes => (0, 3.0f64),
            Axis::Microseconds => (-6, 1.0),
        };
        let all = (first..24).map(|k| unit.log2() + f64::from(k));
        all.filter(|t| (span.low..=span.high).contains(t)).collect()
    }

    fn label(self, power: f64) -> String {
        let digits = if power < -0.5 { 2 } else { 0 };
        number::decimal(power.exp2(), digits)
    }
}

/// One point of [`quality_against`].
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Stands beside the point; empty for none.
    pub label: String,
    /// Points of one series share a colour and are joined by a line.
    pub series: String,
    /// Bytes a vector, or microseconds; above zero.
    pub x: f64,
    /// The quality.
    pub value: f64,
    /// Confidence interval around the value; none draws no bar.
    pub interval: Option<(f64, f64)>,
    /// Drawn larger and bold: the student, among its baselines.
    pub emphasis: bool,
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

/// Quality of codes against their bytes a vector or their time, on a logarithmic x whose steps
/// double, with confidence bars and a label beside each point.
///
/// # Errors
/// [`Error::Invalid`] if no mark is finite with an x above zero.
pub fn quality_against(axis: Axis, title: &str, y_label: &str, marks: &[Mark]) -> Result<Svg> {
    let usable = |m: &&Mark| m.x.is_finite() && m.x > 0.0 && m.value.is_finite();
    let marks: Vec<&Mark> = marks.iter().filter(usable).collect();
    let x = Span::of(marks.iter().map(|m| m.x.log2()), 0.06)?;
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
        let ticks = axis.ticks(&x);
        let mut chart = ChartBuilder::on(root)
            .margin_top(64)
            .margin_right(150)
            .x_label_area_size(92)
            .y_label_area_size(120)
            .build_cartesian_2d(Ticked { span: x, ticks }, y.low..y.high)
            .map_err(broken)?;
        axes(&mut chart, &|v| axis.label(*v), &|v| number::decimal(*v, 2))?;
        axis_titles(root, axis.title(), y_label)?;
        let at = |m: &Mark, v: f64| chart.backend_coord(&(m.x.log2(), v));
        let mut obstacles = Vec::new();
        for (i, name) in series.iter().enumerate() {
            let mut own: Vec<&Mark> = marks.iter().copied().filter(|m| m.series == *name).collect();
            own.sort_by(|a, b| a.x.total_cmp(&b.x));
            obstacles.extend(draw_series(root, &own, PALETTE[i % PALETTE.len()], &at)?);
        }
        let color = |m: &Mark| {
            let i = series.iter().position(|name| m.series == *name).unwrap_or(0);
            PALETTE[i % PALETTE.len()]
        };
        draw_labels(root, &marks, &obstacles, &at, &color)
    })
}

/// Where a quality stands for a mark, in pixels.
type At<'a> = &'a dyn Fn(&Mark, f64) -> (i32, i32);

/// One series, in order of bytes: line, confidence bars, points. Returns what labels should keep
/// clear of.
fn draw_series(root: &Canvas, own: &[&Mark], color: RGBColor, at: At) -> Result<Vec<Area>> {
    let mut covered = Vec::new();
    let path: Vec<_> = own.iter().map(|m| at(m, m.value)).collect();
    if path.len() > 1 {
        let line = PathElement::new(path.clone(), color.mix(0.55).stroke_width(3));
        root.draw(&line).map_err(broken)?;
    }
    for ends in path.windows(2) {
        let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
        let steps = ((x1 - x0).abs().max((y1 - y0).abs()) / 12).max(1);
        covered.extend(
            (0..=steps)
                .map(|i| Area::around(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, 3)),
        );
    }
    for (mark, (x, y)) in own.iter().zip(path) {
        let finite = |i: &(f64, f64)| i.0.is_finite() && i.1.is_finite();
        if let Some((low, high)) = mark.interval.filter(finite) {
            let ((_, y0), (_, y1)) = (at(mark, low), at(mark, high));
            let cap = |y| vec![(x - 7, y), (x + 7, y)];
            for bar in [vec![(x, y0), (x, y1)], cap(y0), cap(y1)] {
                let bar = PathElement::new(bar, color.mix(0.8).stroke_width(2));
                root.draw(&bar).map_err(broken)?;
            }
            covered.push(Area { left: x - 7, top: y1, right: x + 7, bottom: y0 });
        }
        let radius = if mark.emphasis { 10 } else { 7 };
        root.draw(&Circle::new((x, y), radius, color.filled())).map_err(broken)?;
    }
    Ok(covered)
}

/// A label in its series' colour beside every mark that has one, with a thin line to its point where it stands far off.
fn draw_labels(
    root: &Canvas,
    marks: &[&Mark],
    obstacles: &[Area],
    at: At,
    color: &dyn Fn(&Mark) -> RGBColor,
) -> Result<()> {
    let size = TEXT - 3;
    let mut named: Vec<&Mark> =
        marks.iter().copied().filter(|m| !m.label.trim().is_empty()).collect();
    // Those that matter most choose first.
    named.sort_by_key(|m| !m.emphasis);
    let points: Vec<(i32, i32, i32)> = named
        .iter()
        .map(|m| {
            let ((x, y), plain) = (at(m, m.value), text_width(&clean(&m.label, 40), size));
            (x, y, if m.emphasis { plain * 9 / 8 } else { plain })
        })
        .collect();
    let bounds =
        Area { left: 130, top: 60, right: SIZE.0 as i32 - 10, bottom: SIZE.1 as i32 - 100 };
    let places = place_labels(&points, size, bounds, obstacles);
    for ((mark, (x, y, _)), area) in named.iter().zip(points).zip(places) {
        let middle = (area.top + area.bottom) / 2;
        if (middle - y).abs() > 2 * TEXT {
            let near = x.clamp(area.left, area.right);
            let leader = PathElement::new(vec![(x, y), (near, middle)], INK.mix(0.25));
            root.draw(&leader).map_err(broken)?;
        }
        let ink = color(mark).to_rgba();
        let style = small(text(ink, HPos::Left, VPos::Center, mark.emphasis));
        let label = clean(&mark.label, 40);
        root.draw_text(&label, &style, (area.left, middle)).map_err(broken)?;
    }
    Ok(())
}

/// The range of an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub low: f64,
    pub high: f64,
}

impl Span {
    /// Of all values that are finite, with a margin on both sides; a single value gets some room.
    pub fn of(values: impl Iterator<Item = f64>, margin: f64) -> Result<Self> {
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

    pub fn size(&self) -> f64 {
        self.high - self.low
    }
}

/// An axis whose ticks are given.
pub(super) struct Ticked {
    pub span: Span,
    pub ticks: Vec<f64>,
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

pub(super) fn axes<'a, X, Y>(
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
pub(super) fn axis_titles(root: &Canvas, x: &str, y: &str) -> Result<()> {
    let (right, bottom) = (SIZE.0 as i32 - 40, SIZE.1 as i32 - 8);
    let ink = INK.mix(0.75);
    let above = text(ink, HPos::Left, VPos::Top, false);
    root.draw_text(&clean(y, 80), &above, (10, 10)).map_err(broken)?;
    let below = text(ink, HPos::Center, VPos::Bottom, false);
    root.draw_text(&clean(x, 80), &below, ((120 + right) / 2, bottom)).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{EVIL, assert_well_formed};
    use super::*;

    fn mark(label: &str, x: f64, value: f64) -> Mark {
        let interval = Some((value - 0.003, value + 0.003));
        Mark { label: label.into(), series: label.into(), x, value, interval, emphasis: false }
    }

    #[test]
    fn hostile_labels_are_text() {
        let curve = Curve { name: EVIL.into(), points: vec![(0.0, 1.0), (1.0, 0.5)] };
        for svg in [
            training_curve(EVIL, EVIL, EVIL, &[curve]).unwrap(),
            quality_against(Axis::Bytes, EVIL, EVIL, &[mark(EVIL, 192.0, 0.9)]).unwrap(),
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
        assert!(quality_against(Axis::Bytes, "t", "y", &[mark("zero", 0.0, 0.5)]).is_err());
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
        let svg = quality_against(Axis::Bytes, "t", "y", &marks).unwrap();
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
}
