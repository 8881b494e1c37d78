//! Runs on one set of vectors: what is missing in a results file is trained.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;
use pollster::block_on;

use super::estimate::{estimate, largest_memory};
use super::live::{Live, duration};
use super::results::Results;
use super::workers::{Event, Share, on_cpu, on_device};
use crate::cli::DeviceChoice;
use crate::cli::device::open_device;
use crate::cli::memory;
use crate::cli::ui::Ui;
use crate::device::Device;
use crate::error::Error;
use crate::experiment::sweep::{Finished, Record, RunData, RunSettings, run};
use crate::format::files::write_whole;
use crate::number::count;
use crate::student::StudentFile;
use crate::train::Progress;

/// What training runs takes.
pub struct Session<'a> {
    /// Where to say things.
    pub ui: &'a Ui,
    /// Runs at a time, if the user says.
    pub jobs: Option<NonZeroUsize>,
    /// The device, if it is open already.
    pub device: Option<Device>,
    /// The vectors.
    pub data: &'a RunData,
    /// The results so far.
    pub results: &'a mut Results,
}

impl Session<'_> {
    /// Trains those of `runs` that the results lack, called by `name`; `what` stands behind their
    /// number, such as ` over width`. Each student that is done is shown to `keep` before its run
    /// is written down. The device that was used.
    ///
    /// # Errors
    /// As [`on_cpu`], with the number of runs that are kept; what `keep` returns.
    pub fn complete(
        &mut self,
        runs: &[RunSettings],
        what: &str,
        name: &dyn Fn(&RunSettings) -> String,
        keep: &mut dyn FnMut(&Finished) -> anyhow::Result<()>,
    ) -> anyhow::Result<Device> {
        let ids = self.ids(runs);
        let missing = |(id, _): &(&String, &RunSettings)| self.results.get(id).is_none();
        let todo: Vec<RunSettings> =
            ids.iter().zip(runs).filter(missing).map(|(_, run)| run.clone()).collect();
        let device = match &self.device {
            Some(device) => device.clone(),
            None if todo.is_empty() && self.ui.device() != DeviceChoice::Gpu => Device::cpu(),
            None => {
                let widest = runs.iter().map(|run| run.arch.widths()[1]).max();
                open_device(self.ui, widest.unwrap_or(1))?
            }
        };
        let mut share = Share::new(
            self.jobs.map(NonZeroUsize::get),
            todo.len().max(1),
            rayon::current_num_threads(),
            memory::available(),
            largest_memory(runs)?,
        )?;
        if device.is_gpu() {
            share.jobs = 1;
        }
        self.say(&ids, what, &todo, share, &device)?;
        if todo.is_empty() {
            return Ok(device);
        }
        self.train(&todo, (share, &device), name, keep).with_context(|| {
            let there = ids.iter().filter(|id| self.results.get(id).is_some()).count();
            let path = self.results.path().display();
            format!("{there} of {} runs are in {path}; the same command goes on", runs.len())
        })?;
        Ok(device)
    }

    /// The records of `runs` that are there, in their order.
    pub fn records(&self, runs: &[RunSettings]) -> Vec<Record> {
        self.ids(runs).iter().filter_map(|id| self.results.get(id)).cloned().collect()
    }

    fn ids(&self, runs: &[RunSettings]) -> Vec<String> {
        runs.iter().map(|run| Record::id_of(run, &self.data.id)).collect()
    }

    /// How many runs there are, how many are done, and about how long the others take.
    fn say(
        &self,
        ids: &[String],
        what: &str,
        todo: &[RunSettings],
        share: Share,
        device: &Device,
    ) -> anyhow::Result<()> {
        if self.ui.quiet() {
            return Ok(());
        }
        let there: Vec<&Record> = ids.iter().filter_map(|id| self.results.get(id)).collect();
        let mut words = format!("{} runs{what}", count(ids.len() as u64));
        if !there.is_empty() {
            words.push_str(&format!(", {} of them done already", there.len()));
        }
        let others = self.results.runs().len() - there.len();
        if others > 0 {
            let path = self.results.path().display();
            words.push_str(&format!(" ({others} others in {path} stay)"));
        }
        if !todo.is_empty() {
            let seconds = estimate(todo, self.data, share, device)?;
            words.push_str(&format!(
                "; {} to train, {} at a time: about {}",
                todo.len(),
                share.jobs,
                duration(seconds)
            ));
        }
        self.ui.status(&words);
        if !todo.is_empty() && there.iter().any(|run| run.device != device.name()) {
            self.ui.warn(
                "some runs were done on another device: the last digits of their figures may \
                 differ",
            );
        }
        Ok(())
    }

    fn train(
        &mut self,
        todo: &[RunSettings],
        (share, device): (Share, &Device),
        name: &dyn Fn(&RunSettings) -> String,
        keep: &mut dyn FnMut(&Finished) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut live = Live::new(self.ui, todo.len(), share.jobs);
        let results = &mut *self.results;
        let mut on = |event: Event| -> anyhow::Result<()> {
            match event {
                Event::Step { worker, at, progress } => {
                    live.step(worker, &name(&todo[at]), &progress);
                }
                Event::Done { at, finished } => {
                    // The student first: a kill between the two costs a run, but no student.
                    keep(&finished)?;
                    live.done(&finished.record, &name(&todo[at]));
                    results.add(finished.record)?;
                }
            }
            Ok(())
        };
        let cancel = self.ui.cancel();
        match device.is_gpu() {
            true => on_device(device, todo, self.data, &cancel, &mut on),
            false => on_cpu(todo, self.data, share, &cancel, &mut on),
        }
    }

    /// The student of `best`, from the file at `path`, or trained again and written there if that
    /// holds another. `None` if its training diverged.
    ///
    /// # Errors
    /// What the device and the file system report; Ctrl-C.
    pub fn student_of(
        &self,
        best: &Record,
        device: &Device,
        path: &Path,
    ) -> anyhow::Result<Option<StudentFile>> {
        if best.validation.is_none() {
            return Ok(None);
        }
        let there = std::fs::read(path).ok().and_then(|bytes| {
            let file = StudentFile::from_bytes(&path.display().to_string(), &bytes).ok()?;
            (file.info.training.get("sweep_run")?.as_str()? == best.id).then_some(file)
        });
        if there.is_some() {
            return Ok(there);
        }
        self.ui.status(&format!(
            "{} does not hold the best run's student: it is trained again",
            path.display()
        ));
        let (cancel, bar) = (self.ui.cancel(), self.ui.progress("train", Some(100)));
        let mut watch = |progress: &Progress| {
            bar.set(100 * progress.step / progress.total_steps.max(1), "");
            if cancel.load(Ordering::SeqCst) { Err(Error::Cancelled) } else { Ok(()) }
        };
        let done = block_on(run(device, &best.settings(), self.data, &mut watch))?;
        if done.record.validation != best.validation {
            self.ui.warn("trained again, it comes to other figures: it was done on another device");
        }
        if let Some(file) = &done.student {
            write_whole(path, &file.to_bytes()?)?;
        }
        Ok(done.student)
    }
}

/// Keeps the best student so far in a file.
pub struct Best<'a> {
    path: &'a Path,
    score: f64,
}

impl<'a> Best<'a> {
    /// The file at `path` holds the best of `known`, if there are any.
    pub fn new(path: &'a Path, known: &[Record]) -> Self {
        let score = known.iter().map(Record::score).fold(f64::NEG_INFINITY, f64::max);
        Self { path, score }
    }

    /// Writes the student of `finished` if it is better.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn see(&mut self, finished: &Finished) -> anyhow::Result<()> {
        let score = finished.record.score();
        if let Some(file) = finished.student.as_ref().filter(|_| score > self.score) {
            write_whole(self.path, &file.to_bytes()?)?;
            self.score = score;
        }
        Ok(())
    }
}
