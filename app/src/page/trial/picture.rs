//! Cosine matrices as pictures.

use super::super::html::escape;

/// Cosines that differ by so much from the teacher's carry a mark.
const MARKED: f32 = 0.1;

/// The cosines (n×n, row after row) of a code as an SVG: the darker, the nearer; a dot where a
/// cosine moved by more than a tenth against `teacher`.
pub(super) fn heat_map(name: &str, n: usize, cosines: &[f32], teacher: &[f32]) -> String {
    let largest = cosines.iter().zip(teacher).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let side = 10 * n;
    let name = escape(name);
    let mut cells = String::new();
    let mut marked = 0;
    for (i, (now, before)) in cosines.iter().zip(teacher).enumerate() {
        let (x, y) = (10 * (i % n), 10 * (i / n));
        let share = now.clamp(0.0, 1.0);
        cells += &format!("<rect x=\"{x}\" y=\"{y}\" fill-opacity=\"{share:.2}\"/>");
        if (now - before).abs() > MARKED {
            marked += 1;
            cells += &format!("<circle cx=\"{}\" cy=\"{}\" r=\"1.8\"/>", x + 5, y + 5);
        }
    }
    let moved = match marked {
        0 if largest < 0.005 => "no cosine moves".into(),
        0 => format!("no cosine moves by more than {largest:.2}"),
        1 => format!("one cosine moves by {largest:.2}"),
        n => format!("{n} cosines move by more than a tenth, by {largest:.2} at most"),
    };
    format!(
        "<figure class=\"heat\"><svg viewBox=\"0 0 {side} {side}\" role=\"img\" \
         aria-label=\"Cosines among the sentences, {name}: {moved}\">{cells}</svg>\
         <figcaption>{name}<small>{moved}</small></figcaption></figure>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_move_are_marked_and_said() {
        let svg = heat_map("a<b", 2, &[1.0, 0.2, 0.2, 1.0], &[1.0, 0.5, 0.25, 1.0]);
        assert_eq!(svg.matches("<rect").count(), 4);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a&lt;b") && svg.contains("one cosine moves by 0.30"));
    }
}
