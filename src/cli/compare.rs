//! `lnsp compare`: cosines of a few sentences before and after.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::bail;
use pollster::block_on;
use serde::Serialize;

use super::DeviceChoice;
use super::device::open_device;
use super::tasks::{embed, open_teacher};
use super::teacher::TeacherArgs;
use super::ui::{Ui, Usage};
use super::vectors::read_student;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::{FewTexts, compare_few};
use crate::report::few_tables::few_tables;

/// Texts that can be taken in at a glance, and more.
const MOST: usize = 64;
/// Where a student is looked for if none is named.
const STUDENTS: [&str; 2] = ["lnsp-demo/student.safetensors", "student.safetensors"];
/// Bytes of standard input or of a file that are read at most.
const LONGEST: u64 = 1 << 20;

/// Arguments of `lnsp compare`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lnsp compare \"A cat sat on the mat.\" \"A kitten lay on a rug.\" \"Shares fell.\"\n  \
    lnsp compare --student s512.safetensors --text sentences.txt\n  \
    head -5 sentences.txt | lnsp compare --text - --output")]
pub struct Args {
    /// Texts, two or more.
    #[arg(value_name = "TEXT")]
    pub texts: Vec<String>,
    /// More texts, a line each; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// The student, as `lnsp train` writes it [default: that of the demo,
    /// lnsp-demo/student.safetensors, else student.safetensors].
    #[arg(long, value_name = "FILE")]
    pub student: Option<PathBuf>,
    /// Compare the student's output rather than its latents.
    #[arg(long)]
    pub output: bool,
    /// The teacher that embeds the texts.
    #[command(flatten)]
    pub teacher: TeacherArgs,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    student: String,
    texts: &'a [String],
    /// Texts that were cut at the teacher's limit.
    cut: u64,
    #[serde(flatten)]
    cosines: &'a FewTexts,
}

/// Runs `lnsp compare`.
///
/// # Errors
/// Fewer than two texts, an empty one, or too many; no student; as the teacher and the student.
pub fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    let texts = texts(args)?;
    let path = student_path(args.student.as_deref())?;
    let student = read_student(&path)?;
    let encoder = open_teacher(ui, &args.teacher, &student)?;
    let (vectors, cut) = embed(ui, &encoder, &texts)?;
    if cut > 0 {
        ui.warn(&format!(
            "{cut} of {} texts longer than the teacher takes: cut at its limit",
            texts.len()
        ));
    }
    // A few vectors are no work for a GPU.
    let device = match ui.device() {
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::cpu(),
        DeviceChoice::Gpu => open_device(ui, student.info.arch.widths()[1])?,
    };
    let few = block_on(compare_few(&device, &student, &vectors))?;
    if ui.json() {
        let student = path.display().to_string();
        return ui.print_json(&Answer { student, texts: &texts, cut, cosines: &few });
    }
    let longest = (ui.terminal().width / 3).clamp(8, 40);
    let [before, after] = few_tables(&few, &texts, args.output, longest);
    ui.table(&before)?;
    ui.print("")?;
    ui.table(&after)
}

/// The texts of the command line, then those of the file or of standard input.
fn texts(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut texts = args.texts.clone();
    let piped = texts.is_empty() && args.text.is_none() && !std::io::stdin().is_terminal();
    let from = if piped { Some(Path::new("-")) } else { args.text.as_deref() };
    if let Some(path) = from {
        texts.extend(lines(path)?);
    }
    if let Some(empty) = texts.iter().position(|text| text.trim().is_empty()) {
        bail!(Usage(format!("text {} is empty; give words to compare", empty + 1)));
    }
    match texts.len() {
        0 => bail!(Usage("no texts; give two or more, or --text FILE with one a line".into())),
        1 => bail!(Usage("only one text; a cosine is between two, give another one".into())),
        given if given > MOST => bail!(Usage(format!(
            "{given} texts are too many for a table, at most {MOST}; lnsp eval measures large sets"
        ))),
        _ => Ok(texts),
    }
}

/// The lines of a file, or of standard input for `-`, without blank ones.
fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let (name, mut bytes) = (path.display().to_string(), Vec::new());
    let read = match name.as_str() {
        "-" => std::io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|e| Error::io(path, e))?;
    let name = if name == "-" { "standard input".into() } else { name };
    if bytes.len() as u64 > LONGEST {
        let message = "is longer than 1 MiB; a few sentences are wanted";
        bail!(Error::format(name, message));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::format(name, "is not UTF-8; save it as UTF-8, a text a line"))?;
    let text = text.trim_start_matches('\u{feff}').lines();
    Ok(text.filter(|line| !line.trim().is_empty()).map(str::to_string).collect())
}

/// The student that was named, or the first that is there.
fn student_path(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.into());
    }
    let there = STUDENTS.iter().map(PathBuf::from).find(|path| path.is_file());
    there.ok_or_else(|| {
        let [demo, trained] = STUDENTS;
        Error::invalid(
            "--student",
            format!(
                "not given, and there is neither {demo} nor {trained} here; `lnsp demo` makes the \
                 first in a few minutes"
            ),
        )
        .into()
    })
}
