//! A sweep while it goes on: on a terminal the runs at work and the best so far, elsewhere a line a
//! run.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::ui::Ui;
use crate::experiment::sweep::Record;
use crate::number::decimal;
use crate::train::Progress;

/// Runs in the list of the best.
const BEST: usize = 5;

/// The display.
pub struct Live<'a> {
    ui: &'a Ui,
    total: usize,
    done: usize,
    began: Instant,
    /// Score and words, the best first.
    best: Vec<(f64, String)>,
    bars: Option<Bars>,
}

struct Bars {
    /// Goes last: it draws the others.
    _all: MultiProgress,
    overall: ProgressBar,
    workers: Vec<ProgressBar>,
    list: Vec<ProgressBar>,
}

impl<'a> Live<'a> {
    /// `total` runs, `jobs` at a time.
    pub fn new(ui: &'a Ui, total: usize, jobs: usize) -> Self {
        let bars = ui.shows_bars().then(|| Bars::new(total, jobs));
        Self { ui, total, done: 0, began: Instant::now(), best: Vec::new(), bars }
    }

    /// A run that worker `worker` trains, called `name`.
    pub fn step(&self, worker: usize, name: &str, progress: &Progress) {
        let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(worker)) else {
            return;
        };
        bar.set_length(progress.total_steps);
        bar.set_position(progress.step);
        bar.set_message(name.to_string());
    }

    /// A run that is done.
    pub fn done(&mut self, record: &Record, name: &str) {
        self.done += 1;
        let outcome = match (&record.validation, &record.failure) {
            (Some(score), _) => format!(
                "score {}, overlap@10 {}",
                decimal(score.score, 4),
                decimal(score.overlap_at_10.unwrap_or(f64::NAN), 4)
            ),
            (None, failure) => format!("diverged, {}", failure.as_deref().unwrap_or("no score")),
        };
        match &self.bars {
            Some(bars) => bars.overall.set_position(self.done as u64),
            None => self.ui.status(&format!(
                "run {} of {}: {outcome}, {} s; {name}{}",
                self.done,
                self.total,
                decimal(record.seconds, 1),
                self.left()
            )),
        }
        self.rank(record.score(), name.to_string());
        self.draw_list();
    }

    /// `; about 2 min left`, as the runs so far have it.
    fn left(&self) -> String {
        let left = (self.total - self.done) as f64;
        if left == 0.0 {
            return String::new();
        }
        let each = self.began.elapsed().as_secs_f64() / self.done.max(1) as f64;
        format!("; about {} left", duration(left * each))
    }

    fn rank(&mut self, score: f64, name: String) {
        let at = self.best.partition_point(|(other, _)| *other >= score);
        self.best.insert(at, (score, name));
        self.best.truncate(BEST);
    }

    fn draw_list(&self) {
        let Some(bars) = &self.bars else { return };
        for (line, (score, name)) in bars.list.iter().zip(&self.best) {
            line.set_message(format!("{}  {name}", decimal(*score, 4)));
        }
    }
}

impl Bars {
    fn new(total: usize, jobs: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let style = |template: &str| {
            let style = ProgressStyle::with_template(template).expect("the template is fixed");
            style.progress_chars("━━─")
        };
        let overall = all.add(ProgressBar::new(total as u64));
        overall.set_style(style("sweep  {bar:28} {pos} of {len} runs  {eta} left"));
        overall.enable_steady_tick(Duration::from_secs(1));
        let worker = style("  {bar:12} {percent:>3} %  {wide_msg}");
        let workers = (0..jobs)
            .map(|_| {
                let bar = all.add(ProgressBar::new(1));
                bar.set_style(worker.clone());
                bar
            })
            .collect();
        let list = (0..BEST)
            .map(|_| {
                let line = all.add(ProgressBar::new(1));
                line.set_style(style("  {wide_msg}"));
                line
            })
            .collect();
        Self { _all: all, overall, workers, list }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.workers.iter().chain(&self.list).chain([&self.overall]) {
            bar.finish_and_clear();
        }
    }
}

/// `40 s`, `12 min`, `3.5 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{} s", decimal(s.max(1.0), 0)),
        s if s < 5400.0 => format!("{} min", decimal(s / 60.0, 0)),
        s => format!("{} h", decimal(s / 3600.0, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_words() {
        let shown: Vec<String> = [0.2, 59.0, 90.0, 3000.0, 9000.0].map(duration).to_vec();
        assert_eq!(shown, ["1 s", "59 s", "2 min", "50 min", "2.5 h"]);
    }
}
