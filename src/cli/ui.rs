//! What a subcommand has of the terminal: results on standard output, the rest on standard error,
//! colour and width as the terminal has them, Ctrl-C as a flag.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use clap::ColorChoice;
use serde::Serialize;

use super::progress::Progress;
use super::{DeviceChoice, Global};
use crate::report::Table;
use crate::report::table::{Terminal, to_ascii};

/// Width where output is no terminal and COLUMNS says nothing.
const DEFAULT_WIDTH: usize = 100;
/// Lines are not set wider than this: the eye loses them.
const MAX_WIDTH: usize = 140;

/// The reader of standard output went away, as `head` does. No error, only a reason to stop.
#[derive(Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for Closed {}

/// A command line that contradicts itself; exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The terminal, as the flags and the environment have it.
#[derive(Debug)]
pub struct Ui {
    json: bool,
    quiet: bool,
    device: DeviceChoice,
    out: Terminal,
    err_color: bool,
    err_terminal: bool,
}

impl Ui {
    /// Looks at the flags, the environment and both streams.
    pub fn new(global: &Global) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|v: &String| !v.is_empty());
        let plain = variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb");
        let color = |terminal: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !plain,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
        // comfy-table asks the terminal for its width, and only if there is one.
        let width = comfy_table::Table::new()
            .width()
            .map(usize::from)
            .or_else(|| variable("COLUMNS")?.parse().ok())
            .unwrap_or(DEFAULT_WIDTH);
        let err_terminal = io::stderr().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            device: global.device,
            out: Terminal {
                width: width.clamp(20, MAX_WIDTH),
                color: color(io::stdout().is_terminal()),
                unicode: speaks_unicode(locale.as_deref()),
            },
            err_color: color(err_terminal),
            err_terminal,
        }
    }

    /// Whether results are to be one JSON document.
    pub fn json(&self) -> bool {
        self.json
    }

    /// The device that was asked for.
    pub fn device(&self) -> DeviceChoice {
        self.device
    }

    /// How standard output shows tables.
    pub fn terminal(&self) -> Terminal {
        self.out
    }

    /// Writes a result, as it is, and a line feed if it has none.
    ///
    /// # Errors
    /// [`Closed`] if nobody reads, else what the system says (a full disk).
    pub fn print(&self, text: &str) -> anyhow::Result<()> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let shown = if self.out.unicode || self.json { text.into() } else { to_ascii(text) };
        self.print_raw(&format!("{shown}{end}"))
    }

    /// Writes text that must not change by a byte, such as CSV.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn print_raw(&self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
            Err(e) => Err(anyhow::Error::new(e).context("could not write to standard output")),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a table for people.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn table(&self, table: &Table) -> anyhow::Result<()> {
        self.print_raw(&table.to_terminal(self.out))
    }

    /// Writes `value` as JSON, indented, with a line feed.
    ///
    /// # Errors
    /// As [`Self::print`], or what serde has against the value.
    pub fn print_json<T: Serialize>(&self, value: &T) -> anyhow::Result<()> {
        self.print_raw(&format!("{}\n", serde_json::to_string_pretty(value)?))
    }

    /// A line about what is going on, on standard error; nothing under `--quiet`.
    pub fn status(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// `warning: …` on standard error, under `--quiet` too.
    pub fn warn(&self, text: &str) {
        self.stderr(&format!("{} {text}", self.mark("warning:", "33")));
    }

    /// `error: …`, the whole chain on one line.
    pub fn error(&self, error: &anyhow::Error) {
        let text = one_line(&chain(error));
        self.stderr(&format!("{} {text}", self.mark("error:", "31")));
    }

    /// Whether progress is drawn as bars on a terminal.
    pub fn shows_bars(&self) -> bool {
        !self.quiet && self.err_terminal
    }

    /// Whether anything but results and errors is said.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Progress of `total` pieces of work (none if nobody knows how many), called `label`.
    pub fn progress(&self, label: &str, total: Option<u64>) -> Progress {
        Progress::new(label, total, self.quiet, self.err_terminal, self.err_color)
    }

    /// The flag that Ctrl-C sets, for long work to look at. A second Ctrl-C ends the process
    /// with 130. The first call takes the signal over; before it, Ctrl-C ends the process.
    pub fn cancel(&self) -> Arc<AtomicBool> {
        static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let flag = FLAG.get_or_init(|| {
            let flag = Arc::new(AtomicBool::new(false));
            let seen = flag.clone();
            let installed = ctrlc::set_handler(move || {
                if seen.swap(true, Ordering::SeqCst) {
                    std::process::exit(130);
                }
                let _ = writeln!(io::stderr(), "\nstopping; once more to stop at once");
            });
            if let Err(cause) = installed {
                self.warn(&format!("Ctrl-C will end this at once: {cause}"));
            }
            flag
        });
        flag.clone()
    }

    fn mark(&self, word: &str, code: &str) -> String {
        if self.err_color { format!("\x1b[1;{code}m{word}\x1b[0m") } else { word.into() }
    }

    fn stderr(&self, text: &str) {
        let text = if self.out.unicode { text.to_string() } else { to_ascii(text) };
        // If standard error is closed there is no one to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// No locale at all is most likely a container under a terminal that has Unicode.
fn speaks_unicode(locale: Option<&str>) -> bool {
    let utf8 = |l: &str| l.to_ascii_lowercase().replace('-', "").contains("utf8");
    cfg!(windows) || locale.is_none_or(utf8)
}

/// Causes joined by `: `, without those that the one before already quotes.
fn chain(error: &anyhow::Error) -> String {
    let mut out = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if out.is_empty() {
            out = text;
        } else if !out.ends_with(&text) {
            out = format!("{out}: {text}");
        }
    }
    out
}

/// Line feeds become spaces and other control characters a mark: file names may hold any.
fn one_line(text: &str) -> String {
    let calm = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.trim_end().chars().map(calm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line_and_quote_no_cause_twice() {
        let cause = io::Error::other("disk\nfull");
        let error = anyhow::Error::new(crate::Error::io("a\x1b[31m.npy", cause)).context("train");
        assert_eq!(one_line(&chain(&error)), "train: a\u{fffd}[31m.npy: disk full");
    }

    #[test]
    fn unicode_by_locale() {
        assert!(speaks_unicode(Some("en_US.UTF-8")) && speaks_unicode(Some("C.utf8")));
        assert!(speaks_unicode(None));
        assert!(cfg!(windows) || !speaks_unicode(Some("POSIX")));
    }
}
