//! Plots over the width of a student: time, memory, quality, the note's figures beside ours.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plot::{SIZE, Span, Ticked, axes, axis_titles};
use super::svg::{Canvas, INK, PALETTE, Svg, TEXT, broken, clean, draw, spread, text, text_width};
use crate::error::Result;
use crate::number;

/// A line over widths.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Stands at the line's end.
    pub name: String,
    /// Its points; those not finite are left out.
    pub points: Vec<Point>,
    /// Whether they are the note's: drawn in the colour of the text.
    pub noted: bool,
}

/// A figure at a width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// S or N, above zero.
    pub width: f64,
    /// The figure.
    pub value: f64,
    /// Its confidence interval; none draws no bar.
    pub interval: Option<(f64, f64)>,
}

/// The scale of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Each step ten times the one before.
    Logarithmic,
}

impl Scale {
    fn of(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        }
    }
}

/// Figures over widths; the widths on a logarithmic axis with a tick at each of the first series.
///
/// # Errors
/// [`crate::Error::Invalid`] if there is no finite point.
pub fn over_width(
    title: &str,
    (x_label, y_label): (&str, &str),
    scale: Scale,
    series: &[Series],
) -> Result<Svg> {
    let drawn: Vec<Vec<Point>> = series
        .iter()
        .map(|s| s.points.iter().copied().filter(|p| is_drawn(p, scale)).collect())
        .collect();
    let all = || drawn.iter().flatten();
    let x = Span::of(all().map(|p| p.width.log2()), 0.03)?;
    let ends = |p: &Point| {
        let (low, high) = p.interval.unwrap_or((p.value, p.value));
        [p.value, low, high].map(|v| scale.of(v))
    };
    let y = Span::of(all().flat_map(ends), 0.07)?;
    draw(SIZE, title, |root| {
        let names: Vec<String> = series.iter().map(|s| clean(&s.name, 30)).collect();
        let room = names.iter().map(|n| text_width(n, TEXT)).max().unwrap_or(0) + 40;
        let mut chart = ChartBuilder::on(root)
            .margin_top(64)
            .margin_right(room)
            .x_label_area_size(92)
            .y_label_area_size(130)
            .build_cartesian_2d(
                Ticked { span: x, ticks: x_ticks(&drawn) },
                Ticked { span: y, ticks: y_ticks(y, scale) },
            )
            .map_err(broken)?;
        let y_shown = |v: &f64| match scale {
            Scale::Linear => number::decimal(*v, 3),
            Scale::Logarithmic => {
                let value = 10f64.powf(*v);
                number::decimal(value, (-v.floor()).clamp(0.0, 6.0) as usize)
            }
        };
        axes(&mut chart, &|v| number::decimal(v.exp2(), 0).replace(',', ""), &y_shown)?;
        axis_titles(root, x_label, y_label)?;
        let mut labels = Vec::new();
        for (i, points) in drawn.iter().enumerate() {
            let color = if series[i].noted { INK.mix(0.6) } else { PALETTE[i % 8].to_rgba() };
            let at = |p: &Point, v: f64| chart.backend_coord(&(p.width.log2(), scale.of(v)));
            draw_line(root, points, color, &at)?;
            if let Some(last) = points.last() {
                labels.push((i, color, at(last, last.value)));
            }
        }
        let heights: Vec<i32> = labels.iter().map(|(_, _, (_, y))| *y).collect();
        let heights = spread(&heights, TEXT + 6, 64, SIZE.1 as i32 - 100);
        for ((i, color, (x, _)), y) in labels.iter().zip(heights) {
            let style = text(*color, HPos::Left, VPos::Center, false);
            root.draw_text(&names[*i], &style, (x + 18, y)).map_err(broken)?;
        }
        Ok(())
    })
}

fn is_drawn(p: &Point, scale: Scale) -> bool {
    let above = scale == Scale::Linear || p.value > 0.0;
    p.width.is_finite() && p.width > 0.0 && p.value.is_finite() && above
}

/// Where there is a point, but for those that stand closer than their numbers are wide.
fn x_ticks(drawn: &[Vec<Point>]) -> Vec<f64> {
    let mut widths: Vec<f64> = drawn.iter().flatten().map(|p| p.width.log2()).collect();
    widths.sort_by(f64::total_cmp);
    let reach = widths.last().unwrap_or(&0.0) - widths.first().unwrap_or(&0.0);
    let mut ticks: Vec<f64> = Vec::new();
    for width in widths {
        if ticks.last().is_none_or(|last| width - last > 0.06 * reach) {
            ticks.push(width);
        }
    }
    ticks
}

fn y_ticks(span: Span, scale: Scale) -> Vec<f64> {
    let all: Vec<f64> = match scale {
        Scale::Logarithmic => {
            let between: &[f64] = if span.size() < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let decade = |power| between.iter().map(move |m| f64::from(power) + m.log10());
            (-9..=12).flat_map(decade).collect()
        }
        Scale::Linear => {
            let rough = span.size() / 6.0;
            let power = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
            let step = step.unwrap_or(rough);
            let first = (span.low / step).ceil() as i64;
            (first..first + 40).map(|i| i as f64 * step).collect()
        }
    };
    all.into_iter().filter(|t| (span.low..=span.high).contains(t)).collect()
}

/// Line, confidence bars, points.
fn draw_line(
    root: &Canvas,
    points: &[Point],
    color: RGBAColor,
    at: &dyn Fn(&Point, f64) -> (i32, i32),
) -> Result<()> {
    let path: Vec<_> = points.iter().map(|p| at(p, p.value)).collect();
    if path.len() > 1 {
        let line = PathElement::new(path.clone(), color.stroke_width(3));
        root.draw(&line).map_err(broken)?;
    }
    for (point, (x, y)) in points.iter().zip(path) {
        if let Some((low, high)) = point.interval {
            let ((_, y0), (_, y1)) = (at(point, low), at(point, high));
            let cap = |y| vec![(x - 7, y), (x + 7, y)];
            for bar in [vec![(x, y0), (x, y1)], cap(y0), cap(y1)] {
                root.draw(&PathElement::new(bar, color.stroke_width(2))).map_err(broken)?;
            }
        }
        root.draw(&Circle::new((x, y), 7, color.filled())).map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{EVIL, assert_well_formed};
    use super::*;

    fn series(values: &[f64]) -> Series {
        let point = |(i, value): (usize, &f64)| Point {
            width: 256.0 * (1 << i) as f64,
            value: *value,
            interval: Some((0.9 * value, 1.1 * value)),
        };
        Series {
            name: EVIL.into(),
            points: values.iter().enumerate().map(point).collect(),
            noted: false,
        }
    }

    #[test]
    fn hostile_names_are_text_and_bad_points_are_left_out() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            let all = [series(&[0.1, f64::NAN, 3.0]), series(&[1.0, 0.0, 2.0])];
            let svg = over_width(EVIL, (EVIL, EVIL), scale, &all).unwrap();
            assert_well_formed(svg.as_str());
            assert!(!svg.as_str().contains("<script"), "{}", svg.as_str());
            let circles = svg.as_str().matches("<circle").count();
            assert_eq!(circles, if scale == Scale::Linear { 5 } else { 4 });
            assert!(over_width("t", ("x", "y"), scale, &[series(&[f64::NAN])]).is_err());
        }
    }

    #[test]
    fn ticks_are_round_and_apart() {
        let ticks = y_ticks(Span { low: 0.8731, high: 0.9012 }, Scale::Linear);
        assert!(ticks.len() >= 3 && ticks.len() <= 8, "{ticks:?}");
        assert!((ticks[1] - ticks[0] - 0.005).abs() < 1e-9, "{ticks:?}");
        let crowd =
            [series(&[1.0, 1.0]).points, vec![Point { width: 258.0, value: 1.0, interval: None }]];
        assert_eq!(x_ticks(&crowd), [8.0, 9.0]);
    }
}
