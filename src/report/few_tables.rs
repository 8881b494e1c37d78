//! Cosines of a few texts as square tables with their texts as labels.

use super::table::{Cell, Column, Table, Tone};
use crate::experiment::FewTexts;

/// The teacher's cosines and those of the student's latents (or of its output).
pub fn few_tables(few: &FewTexts, texts: &[String], output: bool, longest: usize) -> [Table; 2] {
    let labels: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| format!("{} {}", i + 1, cut(text, longest)))
        .collect();
    let (after, words) = match output {
        true => (&few.output, "the student's output"),
        false => (&few.latents, "the student's latents"),
    };
    let mut second = square(&format!("After: {words}"), &labels, &after.cosines);
    second.note(after.summary.clone());
    [square("Before: the teacher's vectors", &labels, &few.teacher), second]
}

fn square(title: &str, labels: &[String], cosines: &[Vec<f32>]) -> Table {
    let mut columns = vec![Column::left("text", "cosine")];
    columns.extend((1..=labels.len()).map(|i| Column::right(i.to_string(), i.to_string())));
    let mut table = Table::new(title, columns);
    for (r, (label, row)) in labels.iter().zip(cosines).enumerate() {
        let mut cells = vec![Cell::text(label.clone())];
        cells.extend(row.iter().enumerate().map(|(c, cosine)| {
            let cell = Cell::decimal(f64::from(*cosine), 3);
            if r == c { cell.tone(Tone::Muted) } else { cell }
        }));
        table.row(cells);
    }
    table
}

/// At most `longest` characters of a text, its white space made single spaces.
fn cut(text: &str, longest: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= longest {
        return text;
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::After;
    use crate::report::table::Terminal;

    #[test]
    fn labels_are_cut_and_numbers_line_up() {
        let cosines = vec![vec![1.0, -0.25], vec![-0.25, 1.0]];
        let after = |summary: &str| After {
            cosines: cosines.clone(),
            reordered: Vec::new(),
            largest_move: 0.0,
            summary: summary.into(),
        };
        let few = FewTexts { teacher: cosines.clone(), latents: after("L."), output: after("O.") };
        let texts = ["short".to_string(), "a very\nlong text of many words".to_string()];
        let [before, after] = few_tables(&few, &texts, true, 12);
        assert_eq!(before.rows[1][0].shown, "2 a very long…");
        assert!(after.title.contains("output") && after.notes == ["O."]);
        let shown = before.to_terminal(Terminal { width: 60, color: false, unicode: true });
        let lines: Vec<&str> = shown.lines().filter(|line| line.contains("0.250")).collect();
        let ends: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert_eq!((lines.len(), ends[0]), (2, ends[1]), "{shown}");
    }
}
