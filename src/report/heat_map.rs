//! A heat map of cosines before and after, side by side.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::svg::{self, Canvas, INK, PALETTE, Svg, TEXT, broken, clean, draw, small, text};
use crate::error::{Error, Result};
use crate::number;

/// Width as drawn, twice the shown one.
const WIDTH: u32 = 1520;
/// Rows that can still be read.
const MAX_ROWS: usize = 64;

/// One side of [`cosine_heat_map`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Panel<'a> {
    /// Stands above it, such as `teacher, 384 values`.
    pub title: &'a str,
    /// Cosines, `n × n`, row after row.
    pub cosines: &'a [f32],
}

/// Differences of cosines of the same `labels.len()` texts, side by side, colours at their
/// strongest at ±`reach`.
///
/// # Errors
/// As [`cosine_heat_map`].
pub fn difference_heat_map(
    title: &str,
    labels: &[String],
    panels: [Panel; 2],
    reach: f32,
) -> Result<Svg> {
    heat_map(title, labels, panels, "difference", reach)
}

/// Cosines of the same `labels.len()` texts before and after, side by side: blue for alike, brown
/// for opposed, bare paper at zero.
///
/// # Errors
/// [`Error::Invalid`] for no labels, more than 64, or a panel that is not `n × n`.
pub fn cosine_heat_map(title: &str, labels: &[String], panels: [Panel; 2]) -> Result<Svg> {
    heat_map(title, labels, panels, "cosine", 1.0)
}

fn heat_map(
    title: &str,
    labels: &[String],
    panels: [Panel; 2],
    unit: &str,
    reach: f32,
) -> Result<Svg> {
    let n = labels.len();
    if n == 0 || n > MAX_ROWS {
        return Err(Error::invalid("heat map", format!("{n} rows; it takes 1 to {MAX_ROWS}")));
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
    let cell = (WIDTH as i32 - LEFT - GAP - 8) / 2 / n as i32;
    let side = cell * n as i32;
    let size = (WIDTH, (TOP + side + 110) as u32);
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
                heat_cell(root, (x, y), cell, cosine, reach)?;
            }
            for i in (0..n).step_by(every) {
                let style = small(text(INK.mix(0.6), HPos::Center, VPos::Top, false));
                let at = (left + cell * i as i32 + cell / 2, TOP + side + 10);
                root.draw_text(&(i + 1).to_string(), &style, at).map_err(broken)?;
            }
        }
        heat_scale(root, LEFT, TOP + side + 56, unit, reach)
    })
}

/// `share` is −1 to 1.
fn heat_color(share: f32) -> RGBAColor {
    let strength = if share.is_finite() { f64::from(share.abs().min(1.0)) } else { 0.0 };
    let hue = if share < 0.0 { PALETTE[1] } else { PALETTE[0] };
    hue.mix(0.85 * strength)
}

fn heat_cell(root: &Canvas, (x, y): (i32, i32), cell: i32, cosine: f32, reach: f32) -> Result<()> {
    let corner = [(x + 1, y + 1), (x + cell - 1, y + cell - 1)];
    root.draw(&Rectangle::new(corner, heat_color(cosine / reach).filled())).map_err(broken)?;
    if cell >= 54 {
        let digits = number::decimal(f64::from(cosine), 2);
        let style = text(INK.to_rgba(), HPos::Center, VPos::Center, false);
        let style = TextStyle { font: style.font.resize(f64::from(TEXT - 6) * 1.24), ..style };
        let shown = digits.replace("-", "−");
        root.draw_text(&shown, &style, (x + cell / 2, y + cell / 2)).map_err(broken)?;
    }
    Ok(())
}

/// What the colours mean: nine swatches from −`reach` to `reach`.
fn heat_scale(root: &Canvas, left: i32, top: i32, unit: &str, reach: f32) -> Result<()> {
    let style = |h| small(text(INK.mix(0.6), h, VPos::Center, false));
    let end = number::decimal(f64::from(reach), if reach < 1.0 { 3 } else { 0 });
    let middle = top + 13;
    let start = format!("{unit}  −{end}");
    let swatches = left + svg::text_width(&start, TEXT - 3) + 14;
    root.draw_text(&start, &style(HPos::Left), (left, middle)).map_err(broken)?;
    for step in 0..9 {
        let x = swatches + 44 * step;
        let corner = [(x, top), (x + 42, top + 26)];
        let color = heat_color(step as f32 / 4.0 - 1.0);
        root.draw(&Rectangle::new(corner, color.filled())).map_err(broken)?;
        root.draw(&Rectangle::new(corner, INK.mix(0.2))).map_err(broken)?;
    }
    root.draw_text(&end, &style(HPos::Left), (swatches + 44 * 9 + 12, middle)).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{EVIL, assert_well_formed};
    use super::*;

    #[test]
    fn hostile_labels_are_text() {
        let labels = vec![EVIL.to_string(), EVIL.to_string()];
        let panel = Panel { title: EVIL, cosines: &[1.0, -0.5, f32::NAN, 2.0] };
        let svg = cosine_heat_map(EVIL, &labels, [panel, panel]).unwrap();
        assert_well_formed(svg.as_str());
        assert!(svg.as_str().contains("&lt;script&gt;"));
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
