//! How far a query has come.

use std::future::Future;
use std::time::{Duration, Instant};

use datafusion::common::Result;
use lnsp::cli::progress::Progress;
use lnsp::cli::ui::Ui;
use lnsp::number::decimal;

use crate::output::{Target, WriteExec};

/// How often a display is brought up to date.
const OFTEN: Duration = Duration::from_millis(200);

/// Shows progress on a terminal, or lines now and then elsewhere, as the command does.
#[derive(Debug)]
pub struct Shown<'a>(pub &'a Ui);

impl Shown<'_> {
    /// Awaits `work`, by the rows that `plan` has written in this process.
    pub async fn rows<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        plan: &WriteExec,
        total: Option<u64>,
    ) -> Result<T> {
        let (bar, began) = (self.0.progress("rows", total), Instant::now());
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(OFTEN) => {
                    let rows = plan.rows_written();
                    let rate = rows as f64 / began.elapsed().as_secs_f64();
                    bar.set(rows, &format!("{} rows/s", decimal(rate, 0)));
                }
            }
        }
    }

    /// Awaits `work` on other machines, by the files that are there, of `parts`.
    pub async fn parts<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        target: &Target,
        parts: usize,
    ) -> Result<T> {
        let bar: Progress = self.0.progress("files", Some(parts as u64));
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(OFTEN) => {
                    // Not to be told is not to have failed.
                    let there = target.list().await.map_or(0, |files| files.len());
                    bar.set((there.min(parts)) as u64, "");
                }
            }
        }
    }
}
