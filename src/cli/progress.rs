//! Progress of long work on standard error: a bar on a terminal, elsewhere a line every few
//! seconds, under `--quiet` nothing.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// One piece of long work; the bar goes when this is dropped.
pub struct Progress {
    label: String,
    total: Option<u64>,
    way: Way,
}

enum Way {
    Quiet,
    Bar(ProgressBar),
    Lines { started: Instant, last: Cell<Instant> },
}

impl Progress {
    pub(super) fn new(
        label: &str,
        total: Option<u64>,
        quiet: bool,
        terminal: bool,
        color: bool,
    ) -> Self {
        let way = match (quiet, terminal) {
            (true, _) => Way::Quiet,
            (_, true) => Way::Bar(bar(label, total, color)),
            _ => {
                let now = Instant::now();
                Way::Lines { started: now, last: Cell::new(now) }
            }
        };
        Self { label: label.into(), total, way }
    }

    /// No progress at all, for work within other work that shows its own.
    pub(super) fn none() -> Self {
        Self { label: String::new(), total: None, way: Way::Quiet }
    }

    /// `done` pieces are done; `message` says more, such as the loss and the rate.
    pub fn set(&self, done: u64, message: &str) {
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_string());
            }
            Way::Lines { started, last } => {
                if last.get().elapsed() >= EVERY {
                    last.set(Instant::now());
                    let line = line(&self.label, done, self.total, message, started.elapsed());
                    let _ = writeln!(std::io::stderr().lock(), "{line}");
                }
            }
        }
    }

    /// A line that stays, above the bar where there is one.
    pub fn line(&self, text: &str) {
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => bar.println(text),
            Way::Lines { .. } => {
                let _ = writeln!(std::io::stderr().lock(), "{text}");
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &str, total: Option<u64>, color: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(8));
    let tint = if color { ".cyan" } else { "" };
    let template = match total {
        Some(_) => {
            format!("{{prefix}}  {{bar:28{tint}}} {{percent:>3}} %  {{eta:>4}} left  {{wide_msg}}")
        }
        None => "{prefix}  {spinner} {human_pos}  {elapsed}  {wide_msg}".into(),
    };
    let style = ProgressStyle::with_template(&template).expect("the template is fixed");
    bar.set_style(style.progress_chars("━━─"));
    bar.set_prefix(label.to_string());
    bar
}

/// `train  40 %  12 s left  loss 0.031`.
fn line(label: &str, done: u64, total: Option<u64>, message: &str, elapsed: Duration) -> String {
    let mut out = match total.filter(|t| *t > 0) {
        None => format!("{label}  {}", crate::number::count(done)),
        Some(total) => {
            let share = (done as f64 / total as f64).clamp(0.0, 1.0);
            let left = match share {
                s if s > 0.0 => format!("  {:.0} s left", elapsed.as_secs_f64() * (1.0 / s - 1.0)),
                _ => String::new(),
            };
            format!("{label}  {:.0} %{left}", 100.0 * share)
        }
    };
    if !message.is_empty() {
        out.push_str("  ");
        out.push_str(message);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_say_share_and_time_left() {
        let ten = Duration::from_secs(10);
        assert_eq!(
            line("train", 40, Some(100), "loss 0.1", ten),
            "train  40 %  15 s left  loss 0.1"
        );
        assert_eq!(line("train", 0, Some(100), "", ten), "train  0 %");
        assert_eq!(line("read", 1200, None, "", ten), "read  1,200");
        assert_eq!(line("none", 5, Some(0), "", ten), "none  5");
    }
}
