//! `lnsp-sql`: statements from the command line, a file, or typed.

use std::io::{IsTerminal, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{ColorChoice, Parser};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::DFParser;
use futures::TryStreamExt;
use lnsp::cli::ui::{Closed, Ui};
use lnsp::cli::{DeviceChoice, Global, memory};
use lnsp::number::{count, decimal};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::damage;
use crate::functions::embed;
use crate::output::{Copied, copy};
use crate::progress::Shown;
use crate::session::{Options, Session};
use crate::students::StudentRef;

/// Arguments of `lnsp-sql`.
#[derive(Debug, Parser)]
#[command(
    name = "lnsp-sql",
    version,
    about = "Students as SQL functions over Parquet, CSV and JSON files, here or on a cluster.",
    max_term_width = 100,
    after_help = "Functions:\n  \
        lnsp_encode(vector, student)           latents, a list of f32\n  \
        lnsp_encode(vector, student, 'f16')    latents as bytes, two a value\n  \
        lnsp_encode(vector, student, 'bits')   codes of few bits a latent, as of `lnsp encode --bits`; for\n                                         \
        a student of `lnsp train --latent-bits`\n  \
        lnsp_decode(latent, student)           vectors of latents, or of such bytes or codes\n  \
        lnsp_embed(text)                       the teacher's vector of a text\n  \
        cosine(a, b)                           of two vectors\n  \
        lnsp_score(query, code [, student])    cosine of a query with a code; with a student, a query as\n                                         \
        wide as its vectors is encoded first\n\n\
        Examples:\n  \
        lnsp-sql --student s256=student.safetensors -c \"COPY (SELECT id, lnsp_encode(embedding, 's256') \
        AS z FROM 'in/*.parquet') TO 'out/' STORED AS PARQUET\"\n  \
        lnsp-sql --remote df://localhost:50050 --student s256=/shared/student.safetensors -f job.sql\n  \
        lnsp-sql                               a shell; \\q ends it\n\n\
        Files are paths, or URLs of stores that speak S3 or HTTP (AWS_ACCESS_KEY_ID, AWS_ENDPOINT, …).\n\
        COPY writes a folder of Parquet files, or one if its name ends in .parquet; the output is there\n\
        whole or not at all."
)]
pub struct Args {
    /// Statements to carry out, parted by semicolons; may be given again.
    #[arg(long, short, value_name = "SQL")]
    pub command: Vec<String>,
    /// A file of statements; - for standard input.
    #[arg(long, short, value_name = "FILE", conflicts_with = "command")]
    pub file: Option<PathBuf>,
    /// A student by the name that statements use. Its file may be a URL; its sha256 is checked by
    /// every process that computes with it. May be given again.
    #[arg(long, value_name = "NAME=FILE[#SHA256]")]
    pub student: Vec<String>,
    /// Carry queries out on the cluster of this scheduler, df://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// Memory of the engine, such as 2GB; what sorts and joins need beyond goes to the disk [default:
    /// half of what is free].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<usize>,
    /// Parts that a query is cut into [default: one a core; 16 on a cluster].
    #[arg(long, value_name = "N")]
    pub parts: Option<NonZeroUsize>,
    /// Teacher of lnsp_embed [default: from the cache or the hub, as in `lnsp embed`].
    #[arg(long, value_name = "PATH")]
    pub teacher: Option<PathBuf>,
    /// Rows of a result that are shown.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_rows: usize,
    /// Print a JSON document a statement instead of tables.
    #[arg(long)]
    pub json: bool,
    /// No progress, results and errors only.
    #[arg(long, short)]
    pub quiet: bool,
    /// Colour: always, never, or auto (on a terminal and without NO_COLOR).
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", hide_possible_values = true)]
    pub color: ColorChoice,
}

/// A size such as `8GB`, `512MB` or `1000000`.
///
/// # Errors
/// Another form.
pub fn bytes(text: &str) -> std::result::Result<usize, String> {
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim().to_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000usize,
        _ => return Err("a size such as 512MB or 8GB is wanted".into()),
    };
    let size = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
    size.ok_or_else(|| "a size such as 512MB or 8GB is wanted".into())
}

/// Says what went wrong, if anything did; the exit code of a process.
pub fn exit(done: anyhow::Result<()>) -> ExitCode {
    report(&Ui::new(&global(false, false, ColorChoice::Auto)), done)
}

fn global(json: bool, quiet: bool, color: ColorChoice) -> Global {
    Global { json, device: DeviceChoice::Cpu, quiet, color }
}

fn report(ui: &Ui, done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            let cancelled = matches!(error.downcast_ref(), Some(lnsp::Error::Cancelled));
            ExitCode::from(if cancelled { 130 } else { 1 })
        }
    }
}

/// The command line of this process; the whole `main` of `lnsp-sql`.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let ui = Ui::new(&global(args.json, args.quiet, args.color));
    let done = crate::process::run(run(&args, &ui));
    report(&ui, done)
}

async fn run(args: &Args, ui: &Ui) -> anyhow::Result<()> {
    if let Some(teacher) = &args.teacher {
        embed::use_teacher(teacher.clone());
    }
    let students =
        args.student.iter().map(|text| StudentRef::declared(text)).collect::<Result<_>>();
    let half = usize::try_from(memory::available() / 2).ok().filter(|bytes| *bytes > 0);
    let options = Options {
        students: students.map_err(plain)?,
        memory: args.memory.or(half),
        parts: args.parts,
        remote: args.remote.clone(),
        cancel: ui.cancel(),
    };
    let shell =
        Shell { session: Session::open(options).map_err(plain)?, ui, max_rows: args.max_rows };
    if let Some(file) = &args.file {
        return shell.statements(&read(file)?).await;
    }
    if args.command.is_empty() {
        return shell.typed().await;
    }
    for command in &args.command {
        shell.statements(command).await?;
    }
    Ok(())
}

fn read(file: &PathBuf) -> anyhow::Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// The words of the engine's error that a reader can use: those of its cause.
fn plain(error: DataFusionError) -> anyhow::Error {
    let root = error.find_root();
    if let DataFusionError::External(cause) = root
        && let Some(lnsp::Error::Cancelled) = cause.downcast_ref()
    {
        return anyhow::Error::new(lnsp::Error::Cancelled);
    }
    if let DataFusionError::External(cause) = root
        && cause.to_string() == Closed.to_string()
    {
        return anyhow::Error::new(Closed);
    }
    let text = match root {
        DataFusionError::ObjectStore(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::External(_)
        | DataFusionError::SQL(..) => error.strip_backtrace(),
        root => root.message().into_owned(),
    };
    anyhow!(damage::of_store(&text).unwrap_or(text))
}

/// An error in showing, such as a reader that went away, among those of the engine.
fn shown(error: anyhow::Error) -> DataFusionError {
    DataFusionError::External(error.into())
}

struct Shell<'a> {
    session: Session,
    ui: &'a Ui,
    max_rows: usize,
}

impl Shell<'_> {
    /// Carries out statements one after the other, up to the first that fails.
    async fn statements(&self, text: &str) -> anyhow::Result<()> {
        for statement in DFParser::parse_sql(text).map_err(plain)? {
            let state = self.session.context().state();
            let tables = state.resolve_table_references(&statement).map_err(plain)?;
            let done = async {
                let plan = state.statement_to_plan(statement).await?;
                self.statement(plan).await
            };
            let Err(error) = done.await else { continue };
            if damage::suspected(&error) {
                let places: Vec<String> = tables.iter().map(|t| t.table().to_owned()).collect();
                if let Some(found) = damage::find(&self.session, &places).await {
                    return Err(anyhow!(found));
                }
            }
            return Err(plain(error));
        }
        Ok(())
    }

    /// Carries out a statement and shows what it gives.
    async fn statement(&self, plan: LogicalPlan) -> Result<()> {
        if let LogicalPlan::Copy(to) = &plan {
            let copied = copy(&self.session, to, &Shown(self.ui)).await?;
            return self.show_copied(&copied).map_err(shown);
        }
        let batches = tokio::select! {
            batches = self.query(plan) => batches,
            cancelled = self.session.cancelled() => {
                self.session.stop().await;
                Err(cancelled)
            }
        };
        self.show(&batches?).map_err(shown)
    }

    fn show_copied(&self, copied: &Copied) -> anyhow::Result<()> {
        if self.ui.json() {
            return self.ui.print_json(copied);
        }
        self.ui.print(&format!(
            "{}: {} rows in {} files, {} s, {} rows/s",
            copied.out,
            count(copied.rows),
            copied.files.len(),
            decimal(copied.seconds, 1),
            decimal(copied.rows_per_second, 0)
        ))
    }

    /// The first rows of a query, one more than are shown; nothing of a statement without a result.
    async fn query(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>> {
        let context = self.session.context();
        let frame = context.execute_logical_plan(plan).await?;
        let here =
            matches!(frame.logical_plan(), LogicalPlan::Explain(_) | LogicalPlan::EmptyRelation(_))
                || ballista_core::planner::scans_only_information_schema(frame.logical_plan())?;
        let frame = frame.limit(0, Some(self.max_rows + 1))?;
        if here {
            return frame.collect().await;
        }
        let plan = self.session.plan(&frame.into_optimized_plan()?).await?;
        self.session.execute(plan).await?.try_collect().await
    }

    fn show(&self, batches: &[RecordBatch]) -> anyhow::Result<()> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let columns = batches.first().map_or(0, RecordBatch::num_columns);
        if columns == 0 && !self.ui.json() {
            return Ok(());
        }
        let more = rows > self.max_rows;
        let shown = first_rows(batches, self.max_rows);
        if self.ui.json() {
            let mut writer = datafusion::arrow::json::ArrayWriter::new(Vec::new());
            writer.write_batches(&shown.iter().collect::<Vec<_>>())?;
            writer.finish()?;
            let list = writer.into_inner();
            let rows: serde_json::Value = match list.is_empty() {
                true => serde_json::Value::Array(Vec::new()),
                false => serde_json::from_slice(&list)?,
            };
            return self.ui.print_json(&serde_json::json!({ "rows": rows, "more": more }));
        }
        self.ui.print(&pretty_format_batches(&shown)?.to_string())?;
        let said =
            if more { format!("the first {} rows", self.max_rows) } else { format!("{rows} rows") };
        self.ui.print(&said)
    }

    /// Reads statements from the terminal, each up to a semicolon.
    async fn typed(&self) -> anyhow::Result<()> {
        if !std::io::stdin().is_terminal() {
            return self.statements(&read(&PathBuf::from("-"))?).await;
        }
        let mut editor = DefaultEditor::new()?;
        let mut text = String::new();
        loop {
            let line = match editor.readline(if text.is_empty() { "lnsp> " } else { "  ... " }) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => {
                    text.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => return Ok(()),
                Err(other) => return Err(other.into()),
            };
            if text.is_empty() && matches!(line.trim(), "\\q" | "quit" | "exit") {
                return Ok(());
            }
            text.push_str(&line);
            text.push('\n');
            if !line.trim_end().ends_with(';') {
                continue;
            }
            let _ = editor.add_history_entry(text.trim());
            if let Err(error) = self.statements(&std::mem::take(&mut text)).await {
                self.ui.error(&error);
                self.session.go_on();
            }
        }
    }
}

fn first_rows(batches: &[RecordBatch], most: usize) -> Vec<RecordBatch> {
    let mut left = most;
    let mut shown = Vec::new();
    for batch in batches {
        let rows = batch.num_rows().min(left);
        shown.push(batch.slice(0, rows));
        left -= rows;
    }
    shown
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_lines_are_consistent() {
        Args::command().debug_assert();
        crate::process::SchedulerArgs::command().debug_assert();
        crate::process::ExecutorArgs::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("8GB"), Ok(8_000_000_000));
        assert_eq!(bytes("512 mb"), Ok(512_000_000));
        assert_eq!(bytes("1000"), Ok(1000));
        for wrong in ["", "0", "GB", "8TB", "-1", "8.5GB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
