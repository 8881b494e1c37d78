//! Differences with their intervals, one below the other, about a line at zero.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::svg::{INK, PALETTE, Svg, TEXT, broken, clean, draw, small, text};
use crate::error::{Error, Result};
use crate::metrics::Interval;
use crate::number::signed;

/// Width as drawn, twice the shown one.
const WIDTH: i32 = 1520;
/// Height of a row.
const ROW: i32 = 56;
/// Differences at most.
const MAX_ROWS: usize = 60;

/// A row of [`effects`].
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// What is compared.
    pub label: String,
    /// The difference.
    pub difference: Interval,
}

/// A row for each difference, a dot at its mean and a bar over its interval; what is above zero
/// throughout is blue, what is below brown.
///
/// # Errors
/// [`Error::Invalid`] without rows, with more than 60, or with a difference that is not finite.
pub fn effects(title: &str, unit: &str, rows: &[Effect]) -> Result<Svg> {
    let ends = |row: &Effect| [row.difference.low, row.difference.mean, row.difference.high];
    let all: Vec<f64> = rows.iter().flat_map(ends).collect();
    if rows.is_empty() || rows.len() > MAX_ROWS || all.iter().any(|v| !v.is_finite()) {
        return Err(Error::invalid("plot", format!("{} differences cannot be drawn", rows.len())));
    }
    let reach = all.iter().fold(1e-4f64, |most, v| most.max(v.abs())) * 1.08;
    const LEFT: i32 = 700;
    const TOP: i32 = 30;
    let height = TOP + ROW * rows.len() as i32 + 90;
    let x = |v: f64| {
        let middle = f64::from(LEFT + WIDTH - 60) / 2.0;
        (middle + v / reach * (f64::from(WIDTH - 60) - middle)).round() as i32
    };
    draw((WIDTH as u32, height as u32), title, |root| {
        let bottom = TOP + ROW * rows.len() as i32;
        let line = |points: Vec<(i32, i32)>, style: ShapeStyle| {
            root.draw(&PathElement::new(points, style)).map_err(broken)
        };
        for share in [-1.0, -0.5, 0.0, 0.5, 1.0] {
            let value = share * reach / 1.08;
            let weight = if share == 0.0 { 0.6 } else { 0.12 };
            line(vec![(x(value), TOP), (x(value), bottom)], INK.mix(weight).stroke_width(2))?;
            let style = small(text(INK.mix(0.75), HPos::Center, VPos::Top, false));
            root.draw_text(&signed(value, 4), &style, (x(value), bottom + 12)).map_err(broken)?;
        }
        let style = small(text(INK.mix(0.75), HPos::Center, VPos::Top, false));
        root.draw_text(&clean(unit, 60), &style, (x(0.0), bottom + 48)).map_err(broken)?;
        for (i, row) in rows.iter().enumerate() {
            let y = TOP + ROW * i as i32 + ROW / 2;
            let d = &row.difference;
            let color = match (d.low > 0.0, d.high < 0.0) {
                (true, _) => PALETTE[0],
                (_, true) => PALETTE[1],
                _ => PALETTE[7],
            };
            let style = text(INK.mix(0.9), HPos::Right, VPos::Center, false);
            let style = TextStyle { font: style.font.resize(f64::from(TEXT - 4) * 1.24), ..style };
            root.draw_text(&clean(&row.label, 52), &style, (LEFT - 20, y)).map_err(broken)?;
            line(vec![(x(d.low), y), (x(d.high), y)], color.mix(0.8).stroke_width(5))?;
            let dot = Circle::new((x(d.mean), y), 9, color.filled());
            root.draw(&dot).map_err(broken)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::svg::tests::{EVIL, assert_well_formed};
    use super::*;

    fn effect(low: f64, mean: f64, high: f64) -> Effect {
        Effect { label: EVIL.into(), difference: Interval { mean, low, high } }
    }

    #[test]
    fn hostile_labels_are_text_and_greater_stands_further_right() {
        let rows = [effect(0.001, 0.002, 0.003), effect(-0.003, -0.002, 0.001)];
        let svg = effects(EVIL, EVIL, &rows).unwrap();
        assert_well_formed(svg.as_str());
        let places: Vec<i32> = svg
            .as_str()
            .lines()
            .filter(|l| l.starts_with("<circle"))
            .map(|l| {
                let rest = l.split_once(" cx=\"").unwrap().1;
                rest.split('"').next().unwrap().parse().unwrap()
            })
            .collect();
        assert!(places.len() == 2 && places[0] > places[1], "{places:?}");
        assert!(effects("t", "u", &[]).is_err());
        assert!(effects("t", "u", &[effect(0.0, f64::NAN, 1.0)]).is_err());
        assert!(effects("t", "u", &[effect(0.0, 0.0, 0.0)]).is_ok());
    }
}
