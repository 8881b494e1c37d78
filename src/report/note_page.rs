//! The report of a run of the note: what comes of its claims, its two tables beside what was counted
//! and measured, plots, and what it takes to repeat it.

use super::eval_page::mark;
use super::html::{Block, Report, Section};
use super::note_plots::{Point, Scale, Series, over_width};
use super::note_tables::{
    all_codes, answering, claim_summary, claims, codes, learning, memory, of_family, quality,
    sizes, skipped,
};
use super::plot::{Axis, Mark, quality_against};
use super::table::Table;
use crate::error::Result;
use crate::experiment::Kind;
use crate::experiment::claims::{Finding, GROUPS, Standing};
use crate::experiment::note::{NoteRun, RowResult};
use crate::note::{self, Family};
use crate::number::{decimal, signed};
use crate::train::TrainConfig;

/// What a report says of how it was made.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What to type to repeat it.
    pub command: String,
    /// Version, device, mode, seed, vectors: name and value.
    pub settings: Vec<(String, String)>,
    /// The machine, in words.
    pub machine: String,
    /// Settings of the students' training.
    pub trained: Option<TrainConfig>,
}

impl About {
    fn setting(&self, name: &str) -> &str {
        self.settings.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// The page of a run.
///
/// # Errors
/// [`crate::Error::Invalid`] if a plot cannot be drawn.
pub fn note_report(run: &NoteRun, findings: &[Finding], about: &About) -> Result<Report> {
    let mut sections = vec![summary(run, findings, about)?];
    for family in [Family::B, Family::A] {
        sections.extend(family_section(run, family)?);
    }
    sections.extend(quality_section(run)?);
    sections.extend(bytes_section(run)?);
    sections.extend(claim_sections(findings));
    sections.push(repeat(run, about));
    Ok(Report {
        title: "The note, measured".into(),
        lead: format!(
            "{}: its tables recomputed, its rows timed and trained, its claims put to the test on \
             one machine.",
            note::SOURCE
        ),
        sections,
        footer: format!(
            "lnsp {}, on {}. Figures called the note's are the note's; all others were counted or \
             measured here. This file is complete in itself.",
            about.setting("version"),
            about.machine
        ),
    })
}

fn summary(run: &NoteRun, findings: &[Finding], about: &About) -> Result<Section> {
    let of = |standing| findings.iter().filter(|one| one.standing == standing).count();
    let mut facts = vec![
        ("claims that hold".to_string(), of(Standing::Holds).to_string()),
        ("that do not".to_string(), of(Standing::Fails).to_string()),
        ("about another device".to_string(), of(Standing::OtherDevice).to_string()),
        ("not to be compared".to_string(), of(Standing::CannotCompare).to_string()),
    ];
    let measured = run.rows.iter().filter(|row| row.measured.is_some()).count();
    facts.push(("rows measured".into(), format!("{measured} of {}", run.rows.len())));
    let mut section = Section::new("Verdict")
        .with(Block::Facts(facts))
        .with(Block::Text(claim_summary(findings)));
    let worst = |f: &dyn Fn(&RowResult) -> Option<f64>| {
        run.rows
            .iter()
            .filter_map(f)
            .map(f64::abs)
            .fold(None, |most: Option<f64>, v| Some(most.map_or(v, |m| m.max(v))))
    };
    let ledger = worst(&|row| Some(row.measured.as_ref()?.ledger_deviation()));
    let process = worst(&|row| {
        let found = row.measured.as_ref().filter(|m| m.predicted_bytes > 100_000_000)?;
        found.process_deviation()
    });
    if let Some(ledger) = ledger {
        let mut text = format!(
            "Memory in training is what the list of layers predicts: the device's account is off by \
             {} % at most",
            decimal(100.0 * ledger, 2)
        );
        if let Some(process) = process {
            text += &format!(
                ", and a process of its own grew by what was predicted to {} % in every row over 100 \
                 MB",
                decimal(100.0 * process, 1)
            );
        }
        section = section.with(Block::Text(format!("{text}.")));
    }
    if let Some(best) = best_student(run)? {
        section = section.with(Block::Text(best));
    }
    let mode = about.setting("mode");
    if mode == "quick" {
        section = section.with(Block::Text(
            "A quick run: five samples of what is slow, smaller batches in the largest rows, few \
             epochs of training. What is extrapolated is marked. lnsp note --full measures all of \
             it."
            .into(),
        ));
    }
    Ok(section)
}

/// What the best student comes to beside PCA and the best other code of as many bytes.
fn best_student(run: &NoteRun) -> Result<Option<String>> {
    let mut best: Option<(&crate::experiment::note::Quality, f64)> = None;
    for student in run.students() {
        let mean = student.held_out_mean()?.mean;
        if best.is_none_or(|(_, most)| mean > most) {
            best = Some((student, mean));
        }
    }
    let Some((student, mean)) = best else { return Ok(None) };
    let to_pca = student.to_pca()?;
    let bytes = student.codes.first().map_or(0, |code| code.bytes_per_vector);
    let rival = run.baselines.iter().flat_map(|all| &all.codes);
    let rival = rival
        .filter(|code| code.bytes_per_vector <= bytes)
        .max_by(|a, b| a.overlap.mean.total_cmp(&b.overlap.mean));
    let rival = rival.map_or(String::new(), |code| {
        format!(
            " Another code, {}, keeps {} in {} bytes.",
            code.name,
            decimal(code.overlap.mean, 3),
            code.bytes_per_vector
        )
    });
    Ok(Some(format!(
        "The student that keeps most has S = {}: {} of the teacher's ten nearest neighbours in \
         {bytes} bytes, {} to PCA (95 %: {} to {}).{rival}",
        student.row.width,
        decimal(mean, 4),
        signed(to_pca.mean, 4),
        signed(to_pca.low, 4),
        signed(to_pca.high, 4)
    )))
}

fn family_section(run: &NoteRun, family: Family) -> Result<Option<Section>> {
    let rows = of_family(run, family);
    if rows.is_empty() {
        return Ok(None);
    }
    let (title, letter) = match family {
        Family::A => ("Family A: N→N→N/2→N→N", "N"),
        Family::B => ("Family B: 384→S→192→S→384", "S"),
    };
    let mut section =
        Section::new(title).with(within(sizes(&rows, family))).with(within(memory(&rows, family)));
    if let Some(block) = memory_plot(&rows, letter)? {
        section = section.with(block);
    }
    section = section.with(within(answering(&rows, family)));
    if let Some(block) = time_plot(&rows, letter)? {
        section = section.with(block);
    }
    Ok(Some(section.with(within(learning(&rows, family)))))
}

/// A table below the heading of its family, which its own title need not repeat.
fn within(mut table: Table) -> Block {
    if let Some((_, rest)) = table.title.split_once(": ") {
        let mut letters = rest.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        table.title = format!("{first}{}", letters.as_str());
    }
    Block::Table(table)
}

/// The claims by what they are about.
fn claim_sections(findings: &[Finding]) -> Vec<Section> {
    let mut sections = Vec::new();
    for (title, prefixes) in GROUPS {
        let of_group = |found: &&Finding| prefixes.iter().any(|p| found.id.starts_with(p));
        let own: Vec<Finding> = findings.iter().filter(of_group).cloned().collect();
        if !own.is_empty() {
            let heading = format!("Claims: {}", title.to_lowercase());
            sections.push(Section::new(heading).with(Block::Statements(claims(&own))));
        }
    }
    sections
}

fn series(
    name: &str,
    noted: bool,
    rows: &[&RowResult],
    of: impl Fn(&RowResult) -> Option<f64>,
) -> Series {
    let point = |row: &&RowResult| {
        Some(Point { width: row.id.width as f64, value: of(row)?, interval: None })
    };
    Series { name: name.into(), noted, points: rows.iter().filter_map(point).collect() }
}

/// The series that have a line to draw.
fn lines(all: Vec<Series>) -> Vec<Series> {
    all.into_iter().filter(|series| series.points.len() > 1).collect()
}

fn memory_plot(rows: &[&RowResult], letter: &str) -> Result<Option<Block>> {
    let all = lines(vec![
        series("tensors", false, rows, |r| Some(r.measured.as_ref()?.ledger_bytes as f64 / 1e6)),
        series("process", false, rows, |r| Some(r.measured.as_ref()?.process_bytes? as f64 / 1e6)),
        series("the note", true, rows, |r| Some(r.size.note?.ram_mb.value)),
    ]);
    if all.len() < 2 {
        return Ok(None);
    }
    let labels = (letter, "MB in training");
    let svg = over_width("Memory in training", labels, Scale::Logarithmic, &all)?;
    let caption = "What the tensors of a training step hold by the device's account, by how much its \
                   process grew, and the note's figure.";
    Ok(Some(Block::Figure { svg, caption: caption.into() }))
}

fn time_plot(rows: &[&RowResult], letter: &str) -> Result<Option<Block>> {
    let noted = |r: &RowResult| {
        let own = r.id.family == Family::B;
        own.then(|| note::claim(&format!("inference-{}", r.id.width)))??.figure
    };
    let all = lines(vec![
        series("one vector", false, rows, |r| Some(r.measured.as_ref()?.one.median_ms)),
        series("in batches", false, rows, |r| Some(r.measured.as_ref()?.many.per_vector_ms())),
        series("the note (M4)", true, rows, noted),
    ]);
    if all.is_empty() {
        return Ok(None);
    }
    let labels = (letter, "ms a vector");
    let svg = over_width("Time a vector", labels, Scale::Logarithmic, &all)?;
    let caption = match all.iter().any(|series| series.noted) {
        true => {
            "Milliseconds for a vector, alone and in batches; the note's line is of another device, \
             the GPU of a MacBook M4."
        }
        false => "Milliseconds for a vector, alone and in batches. The note gives ratings only.",
    };
    Ok(Some(Block::Figure { svg, caption: caption.into() }))
}

fn quality_section(run: &NoteRun) -> Result<Option<Section>> {
    let Some(table) = quality(run)? else { return Ok(None) };
    let mut section = Section::new("What students keep");
    let students = run.students();
    if students.len() > 1 {
        let (mut held, mut seen, mut pca) = (Vec::new(), Vec::new(), Vec::new());
        for student in &students {
            let point = |i: crate::metrics::Interval| Point {
                width: student.row.width as f64,
                value: i.mean,
                interval: Some((i.low, i.high)),
            };
            held.push(point(student.held_out_mean()?));
            seen.push(point(student.seen_mean()?));
            let line = point(student.pca_held_out.mean(student.seed)?);
            pca.push(Point { interval: None, ..line });
        }
        let named = |name: &str, noted, points| Series { name: name.into(), points, noted };
        let all = [
            named("held out", false, held),
            named("trained on", false, seen),
            named("PCA-192, held out", true, pca),
        ];
        let labels = ("S", "overlap@10");
        let svg = over_width("overlap@10 against S", labels, Scale::Linear, &all)?;
        let caption = "overlap@10 of the latents with 95 % intervals, of vectors held out and of as \
                       many that training saw. The two sets have neighbours of their own; overfitting \
                       would show as a distance that grows with S.";
        section = section.with(Block::Figure { svg, caption: caption.into() });
    }
    Ok(Some(section.with(within(table))))
}

fn bytes_section(run: &NoteRun) -> Result<Option<Section>> {
    let Some(table) = codes(run) else { return Ok(None) };
    let baselines = run.baselines.iter().flat_map(|all| &all.codes);
    let mut marks: Vec<Mark> = baselines
        .filter_map(|c| mark(&c.name, Kind::Baseline, c.bytes_per_vector, Some(c.overlap)))
        .collect();
    // Of the students the best of each number of bytes: the others would hide each other.
    for (name, code, own) in all_codes(run) {
        let taken = |m: &Mark| m.emphasis && m.x == code.bytes_per_vector as f64;
        if own && !marks.iter().any(taken) {
            marks.push(Mark {
                label: name.split(',').next().unwrap_or("student").to_string(),
                series: "student".into(),
                x: code.bytes_per_vector as f64,
                value: code.overlap.mean,
                interval: Some((code.overlap.low, code.overlap.high)),
                emphasis: true,
            });
        }
    }
    let mut section = Section::new("Quality at equal bytes");
    if !marks.is_empty() {
        let svg = quality_against(
            Axis::Bytes,
            "overlap@10 against bytes a vector",
            "overlap@10",
            &marks,
        )?;
        let caption = "Higher and further left is better. Bars are 95 % intervals; of the students \
                       the best of each size. Codes with fewer bytes than f32 are searched with \
                       queries in f32.";
        section = section.with(Block::Figure { svg, caption: caption.into() });
    }
    Ok(Some(section.with(Block::Table(table))))
}

fn repeat(run: &NoteRun, about: &About) -> Section {
    let settings: Vec<String> =
        about.settings.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let mut section = Section::new("How this was measured").with(Block::Text(format!(
        "{}. {}.",
        about.machine,
        settings.join("; ")
    )));
    if let Some(config) = &about.trained {
        section = section.with(Block::Text(format!(
            "Students: {} epochs, batches of {}, {} start, alignment weight {}, geometry weight {}, \
             seed {}; the learning rate as lnsp train has it for each width. Intervals from 1,000 \
             bootstrap resamples over the vectors.",
            config.epochs,
            config.batch,
            config.init,
            config.alignment_weight,
            config.geometry_weight,
            config.seed
        )));
    }
    let mut named: Vec<&str> = Vec::new();
    for found in run.rows.iter().filter_map(|row| row.measured.as_ref()) {
        // Random ones are alike but for their width.
        let name = found.vectors.split(" extended to").next().unwrap_or_default();
        if !named.contains(&name) {
            named.push(name);
        }
    }
    section = section.with(Block::Text(format!("Vectors: {}.", named.join("; "))));
    if let Some(table) = skipped(run) {
        section = section.with(Block::Table(table));
    }
    if !about.command.is_empty() {
        section = section
            .with(Block::Text("To repeat it:".into()))
            .with(Block::Command(about.command.clone()))
            .with(Block::Text(
                "The same in full, and the strategy that the note recommends:".into(),
            ))
            .with(Block::Command("lnsp note --full --out lnsp-note-full\nlnsp phases".into()));
    }
    section
}
