//! The two plots of a search: a line a run through all its settings, and the score against each
//! setting.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::scale::Scale;
use super::svg::{Canvas, INK, PALETTE, Svg, TEXT, broken, clean, draw, small, text};
use crate::error::{Error, Result};
use crate::number::decimal;

/// Width as drawn, twice the shown one.
const WIDTH: i32 = 1520;
/// Lines that can still be told apart; more are thinned by whoever asks.
const MAX_LINES: usize = 2000;
/// Panels in a row of [`sensitivity_plot`].
const COLUMNS: usize = 3;
/// Panels at most.
const MAX_PANELS: usize = 12;

/// One run in [`parallel_coordinates`].
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its place on each axis, 0 to 1, the last being the score's; `None` leaves a gap.
    pub places: Vec<Option<f64>>,
    /// 0 for the worst of all runs, 1 for the best: how strongly it is drawn.
    pub strength: f64,
    /// The one run to be seen.
    pub emphasis: bool,
}

/// One setting in [`sensitivity_plot`].
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The setting.
    pub name: String,
    /// Its axis.
    pub scale: Scale,
    /// Its values.
    pub points: Vec<Point>,
}

/// The runs with one value of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its place, 0 to 1.
    pub place: f64,
    /// Mean score.
    pub mean: f64,
    /// Lowest and highest score.
    pub ends: (f64, f64),
    /// Standard deviation; none for a single run.
    pub deviation: Option<f64>,
}

/// A vertical axis for each setting and one for the score, and a line a run through them.
///
/// # Errors
/// [`Error::Invalid`] without lines, with fewer than two axes, or if a line has another number of
/// places than there are axes.
pub fn parallel_coordinates(title: &str, axes: &[(String, Scale)], lines: &[Line]) -> Result<Svg> {
    let fits = |line: &Line| line.places.len() == axes.len();
    if axes.len() < 2 || lines.is_empty() || lines.len() > MAX_LINES || !lines.iter().all(fits) {
        return Err(Error::invalid(
            "plot",
            format!("{} lines through {} axes cannot be drawn", lines.len(), axes.len()),
        ));
    }
    const HEIGHT: i32 = 760;
    let (left, right, top, bottom) = (110, WIDTH - 130, 100, HEIGHT - 40);
    let x = |i: usize| left + (right - left) * i as i32 / (axes.len() - 1) as i32;
    let y = |place: f64| bottom - (place * f64::from(bottom - top)).round() as i32;
    draw((WIDTH as u32, HEIGHT as u32), title, |root| {
        let mut order: Vec<&Line> = lines.iter().collect();
        order.sort_by(|a, b| a.emphasis.cmp(&b.emphasis).then(a.strength.total_cmp(&b.strength)));
        for line in order {
            let style = match line.emphasis {
                true => PALETTE[1].to_rgba().stroke_width(6),
                false => PALETTE[0].mix(0.12 + 0.6 * strength(line)).stroke_width(3),
            };
            let points: Vec<Option<(i32, i32)>> =
                line.places.iter().enumerate().map(|(i, p)| Some((x(i), y((*p)?)))).collect();
            for part in points.split(Option::is_none).filter(|part| part.len() > 1) {
                let part: Vec<(i32, i32)> = part.iter().flatten().copied().collect();
                root.draw(&PathElement::new(part, style)).map_err(broken)?;
            }
        }
        for (i, (name, scale)) in axes.iter().enumerate() {
            let ink = INK.mix(0.6).stroke_width(3);
            root.draw(&PathElement::new(vec![(x(i), top), (x(i), bottom)], ink)).map_err(broken)?;
            let heading = text(INK.mix(0.9), HPos::Center, VPos::Bottom, true);
            for (row, word) in words(name).iter().rev().enumerate() {
                let at = (x(i), top - 24 - row as i32 * (TEXT + 4));
                root.draw_text(&clean(word, 18), &heading, at).map_err(broken)?;
            }
            for (place, label) in &scale.ticks {
                let style = small(text(INK.mix(0.75), HPos::Left, VPos::Center, false));
                let at = (x(i), y(*place));
                let mark = vec![(at.0 - 6, at.1), (at.0 + 6, at.1)];
                root.draw(&PathElement::new(mark, ink)).map_err(broken)?;
                root.draw_text(&clean(label, 12), &style, (at.0 + 12, at.1)).map_err(broken)?;
            }
        }
        Ok(())
    })
}

fn strength(line: &Line) -> f64 {
    if line.strength.is_finite() { line.strength.clamp(0.0, 1.0) } else { 0.0 }
}

/// A name in at most two lines.
fn words(name: &str) -> Vec<String> {
    match name.split_once([' ', '_']) {
        Some((first, rest)) => vec![first.into(), rest.replace('_', " ")],
        None => vec![name.into()],
    }
}

/// A panel for each setting, with the same scores upwards: a dot for the mean of a value's runs, a
/// thick bar for their standard deviation, a thin one from the lowest to the highest.
///
/// # Errors
/// [`Error::Invalid`] without panels, with more than twelve, or without a finite score.
pub fn sensitivity_plot(title: &str, y_label: &str, panels: &[Panel]) -> Result<Svg> {
    let ends = || {
        let all = panels.iter().flat_map(|p| &p.points);
        all.flat_map(|p| [p.mean, p.ends.0, p.ends.1]).filter(|v| v.is_finite())
    };
    let (low, high) =
        ends().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if panels.is_empty() || panels.len() > MAX_PANELS || low > high {
        return Err(Error::invalid("plot", format!("{} panels cannot be drawn", panels.len())));
    }
    let room = ((high - low) * 0.08).max(1e-4);
    let (low, high) = (low - room, high + room);
    const ROW: i32 = 470;
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let height = ROW * rows as i32 + 20;
    draw((WIDTH as u32, height as u32), title, |root| {
        for (i, panel) in panels.iter().enumerate() {
            let width = (WIDTH - 20) / columns as i32;
            let (left, top) = ((i % columns) as i32 * width, (i / columns) as i32 * ROW);
            let frame = Frame {
                left: left + 120,
                right: left + width - 50,
                top: top + 80,
                bottom: top + ROW - 70,
                low,
                high,
            };
            let label = if i % columns == 0 { y_label } else { "" };
            draw_panel(root, panel, &frame, label)?;
        }
        Ok(())
    })
}

struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    low: f64,
    high: f64,
}

impl Frame {
    fn x(&self, place: f64) -> i32 {
        // Away from the axis.
        let (left, right) = (self.left + 26, self.right - 26);
        left + (place.clamp(0.0, 1.0) * f64::from(right - left)).round() as i32
    }

    fn y(&self, score: f64) -> i32 {
        let share = ((score - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom - (share * f64::from(self.bottom - self.top)).round() as i32
    }
}

fn draw_panel(root: &Canvas, panel: &Panel, frame: &Frame, y_label: &str) -> Result<()> {
    let line = |root: &Canvas, points: Vec<(i32, i32)>, style: ShapeStyle| {
        root.draw(&PathElement::new(points, style)).map_err(broken)
    };
    let heading = text(INK.mix(0.9), HPos::Left, VPos::Bottom, true);
    let title = clean(&panel.name.replace('_', " "), 28);
    root.draw_text(&title, &heading, (frame.left, frame.top - 34)).map_err(broken)?;
    let fine = |h, v| small(text(INK.mix(0.75), h, v, false));
    if !y_label.is_empty() {
        let style = fine(HPos::Left, VPos::Bottom);
        let at = (frame.left - 110, frame.top - 30);
        root.draw_text(&clean(y_label, 20), &style, at).map_err(broken)?;
    }
    for step in 0..4 {
        let score = frame.low + (frame.high - frame.low) * f64::from(step) / 3.0;
        let y = frame.y(score);
        line(root, vec![(frame.left, y), (frame.right, y)], INK.mix(0.12).stroke_width(2))?;
        let digits = if frame.high - frame.low < 0.01 { 4 } else { 3 };
        let style = fine(HPos::Right, VPos::Center);
        root.draw_text(&decimal(score, digits), &style, (frame.left - 10, y)).map_err(broken)?;
    }
    let every = panel.scale.ticks.len().div_ceil(6).max(1);
    for (place, label) in panel.scale.ticks.iter().step_by(every) {
        let style = fine(HPos::Center, VPos::Top);
        let at = (frame.x(*place), frame.bottom + 14);
        root.draw_text(&clean(label, 12), &style, at).map_err(broken)?;
    }
    let color = PALETTE[0];
    let finite = |p: &&Point| p.mean.is_finite() && p.place.is_finite();
    let points: Vec<&Point> = panel.points.iter().filter(finite).collect();
    if points.len() <= 12 {
        let path = points.iter().map(|p| (frame.x(p.place), frame.y(p.mean))).collect();
        line(root, path, color.mix(0.45).stroke_width(3))?;
    }
    for point in points {
        let x = frame.x(point.place);
        let bar = |from: f64, to: f64| vec![(x, frame.y(from)), (x, frame.y(to))];
        line(root, bar(point.ends.0, point.ends.1), color.mix(0.6).stroke_width(2))?;
        if let Some(sd) = point.deviation {
            line(root, bar(point.mean - sd, point.mean + sd), color.mix(0.35).stroke_width(12))?;
        }
        let dot = Circle::new((x, frame.y(point.mean)), 8, color.filled());
        root.draw(&dot).map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::svg::tests::{EVIL, assert_well_formed};
    use super::*;

    #[test]
    fn hostile_names_are_text_and_nothing_is_nothing() {
        let scale = Scale::of(&[json!(EVIL), json!("b")]);
        let axes =
            [(EVIL.to_string(), scale.clone()), ("score".into(), Scale::numbers(0.0, 1.0, false))];
        let line = |a, b| Line { places: vec![a, b], strength: f64::NAN, emphasis: true };
        let lines = [line(Some(0.0), Some(0.3)), line(None, Some(0.3))];
        let svg = parallel_coordinates(EVIL, &axes, &lines).unwrap();
        assert_well_formed(svg.as_str());
        assert!(svg.as_str().contains("&lt;script&gt;"));
        assert!(parallel_coordinates("t", &axes[..1], &lines).is_err());
        assert!(parallel_coordinates("t", &axes, &[]).is_err());
        assert!(
            parallel_coordinates("t", &axes, &[Line { places: vec![], ..lines[0].clone() }])
                .is_err()
        );
        let point = Point { place: 0.0, mean: 0.5, ends: (0.4, f64::NAN), deviation: Some(0.01) };
        let panel = Panel { name: EVIL.into(), scale, points: vec![point] };
        let panels = vec![panel.clone(); 4];
        assert_well_formed(sensitivity_plot(EVIL, EVIL, &panels).unwrap().as_str());
        assert!(sensitivity_plot("t", "y", &[]).is_err());
        let empty = Panel { points: vec![], ..panel };
        assert!(sensitivity_plot("t", "y", &[empty]).is_err());
    }
}
