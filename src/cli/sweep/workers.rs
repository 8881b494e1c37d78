//! Runs side by side: on the CPU each on its own threads, on a GPU one after another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use pollster::block_on;

use crate::device::{Cpu, Device};
use crate::error::{Error, Result};
use crate::experiment::sweep::{Finished, RunData, RunSettings, run};
use crate::train::Progress;

/// What a worker tells.
pub enum Event {
    /// The run at this place of the plan is so far.
    Step {
        /// Who works on it.
        worker: usize,
        /// Its place.
        at: usize,
        /// How far it is.
        progress: Progress,
    },
    /// It is done.
    Done {
        /// Its place.
        at: usize,
        /// What came of it.
        finished: Box<Finished>,
    },
}

/// How runs share the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Runs at a time.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
    /// Bytes that the tensors of each may take.
    pub memory: u64,
}

impl Share {
    /// `jobs` runs at a time on `cores` cores with `memory` bytes, each needing `needed`; none asked
    /// for is one a core.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if not even one run fits.
    pub fn new(
        jobs: Option<usize>,
        runs: usize,
        cores: usize,
        memory: u64,
        needed: u64,
    ) -> Result<Self> {
        if needed > memory {
            return Err(Error::OutOfMemory {
                what: "training the largest student of the search".into(),
                needed,
                available: format!("and {memory} bytes are available"),
                advice: "leave out the largest --width, or choose a smaller --batch".into(),
            });
        }
        let fits = usize::try_from(memory / needed.max(1)).unwrap_or(usize::MAX);
        let jobs = jobs.unwrap_or(cores).min(runs).min(fits).max(1);
        Ok(Self { jobs, threads: (cores / jobs).max(1), memory: memory / jobs as u64 })
    }
}

/// Does every run of `plan` on the CPU, `share.jobs` at a time, and tells `on` what happens, in the
/// calling thread. The bits of a result do not depend on the threads behind it.
///
/// # Errors
/// The first error of a run or of `on`, which ends the others; [`Error::Cancelled`] when `cancel` is
/// set.
pub fn on_cpu(
    plan: &[RunSettings],
    data: &RunData,
    share: Share,
    cancel: &AtomicBool,
    on: &mut dyn FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let halt = || cancel.load(Ordering::SeqCst) || stop.load(Ordering::SeqCst);
    let mut told = Ok(());
    std::thread::scope(|scope| {
        let (sender, receiver) = channel::<Event>();
        for worker in 0..share.jobs.min(plan.len()) {
            let (sender, next, stop, failure, halt) =
                (sender.clone(), &next, &stop, &failure, &halt);
            scope.spawn(move || {
                let work = || work(worker, plan, data, share, next, halt, &sender);
                if let Err(cause) = work() {
                    stop.store(true, Ordering::SeqCst);
                    let mut kept = failure.lock().unwrap_or_else(|e| e.into_inner());
                    // A worker that was stopped for another's error says less than that one.
                    if kept.as_ref().is_none_or(|e| matches!(e, Error::Cancelled)) {
                        *kept = Some(cause);
                    }
                }
            });
        }
        drop(sender);
        for event in receiver {
            if told.is_ok() {
                told = on(event);
                if told.is_err() {
                    stop.store(true, Ordering::SeqCst);
                }
            }
        }
    });
    told?;
    match failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        Some(cause) => Err(cause.into()),
        None => Ok(()),
    }
}

/// One worker: takes the next run until there is none.
fn work(
    worker: usize,
    plan: &[RunSettings],
    data: &RunData,
    share: Share,
    next: &AtomicUsize,
    halt: &(dyn Fn() -> bool + Sync),
    sender: &Sender<Event>,
) -> Result<()> {
    // Kernels take the threads of the pool that they are called in: this one.
    let _pool = rayon::ThreadPoolBuilder::new()
        .num_threads(share.threads)
        .use_current_thread()
        .build()
        .map_err(|e| Error::invalid("--jobs", e.to_string()))?;
    let device = Device::Cpu(Cpu::new(Some(share.memory)));
    loop {
        let at = next.fetch_add(1, Ordering::SeqCst);
        let Some(settings) = plan.get(at) else { return Ok(()) };
        one(&device, settings, data, (worker, at), halt, &mut |event| {
            // Nobody listens once the work has been given up.
            let _ = sender.send(event);
            Ok(())
        })?;
    }
}

/// Does every run of `plan` on `device`, one after another.
///
/// # Errors
/// As [`on_cpu`].
pub fn on_device(
    device: &Device,
    plan: &[RunSettings],
    data: &RunData,
    cancel: &AtomicBool,
    on: &mut dyn FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let halt = || cancel.load(Ordering::SeqCst);
    for (at, settings) in plan.iter().enumerate() {
        let mut told = Ok(());
        let done = one(device, settings, data, (0, at), &halt, &mut |event| {
            told = on(event);
            if told.is_ok() { Ok(()) } else { Err(Error::Cancelled) }
        });
        told?;
        done?;
    }
    Ok(())
}

fn one(
    device: &Device,
    settings: &RunSettings,
    data: &RunData,
    (worker, at): (usize, usize),
    halt: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut watch = |progress: &Progress| {
        if halt() {
            return Err(Error::Cancelled);
        }
        tell(Event::Step { worker, at, progress: *progress })
    };
    let finished = block_on(run(device, settings, data, &mut watch))?;
    tell(Event::Done { at, finished: Box::new(finished) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::arch::Arch;
    use crate::experiment::sweep::{Kind, Record, Space, Values};
    use crate::matrix::Matrix;
    use crate::train::{Budget, TrainConfig, Trainer};

    fn vectors() -> Matrix {
        Matrix::from_fn(700, 384, |r, c| {
            let scale = 1.0 / (1.0 + (c % 61) as f32);
            scale * ((r * 13 + c * 7) as f32 * 0.37).sin() + if c == 0 { 0.5 } else { 0.0 }
        })
    }

    #[test]
    fn shares_by_cores_memory_and_runs() {
        let share = |jobs, runs, cores, memory| Share::new(jobs, runs, cores, memory, 10).unwrap();
        assert_eq!(share(None, 24, 8, 1000), Share { jobs: 8, threads: 1, memory: 125 });
        assert_eq!(share(None, 24, 8, 35), Share { jobs: 3, threads: 2, memory: 11 });
        assert_eq!(share(Some(1), 24, 8, 1000), Share { jobs: 1, threads: 8, memory: 1000 });
        assert_eq!(share(None, 2, 8, 1000), Share { jobs: 2, threads: 4, memory: 500 });
        assert!(Share::new(None, 1, 8, 9, 10).is_err());
    }

    /// At widths where kernels share their work among threads: one thread, several, and the pool of
    /// everything else give the same bits, and those of a plain training.
    #[test]
    fn threads_do_not_change_a_bit() {
        let data = RunData::new(&vectors(), (60, 7), None).unwrap();
        let mut space = Space { archs: vec![Arch::family_b(256).unwrap()], ..Space::default() };
        let values = |text| Values::parse(text, Kind::Whole);
        space.axes = vec![("epochs".into(), values("1").unwrap())];
        space.seeds = Some(values("1..2").unwrap());
        let plan = space.grid().unwrap();
        let go = |jobs, threads| {
            let share = Share { jobs, threads, memory: u64::MAX };
            let mut done: Vec<Option<Finished>> = vec![None, None];
            on_cpu(&plan, &data, share, &AtomicBool::new(false), &mut |event| {
                if let Event::Done { at, finished, .. } = event {
                    done[at] = Some(*finished);
                }
                Ok(())
            })
            .unwrap();
            done.into_iter().map(Option::unwrap).collect::<Vec<_>>()
        };
        let (one, two, three) = (go(1, 1), go(2, 1), go(1, 3));
        let same = |a: &[Finished], b: &[Finished]| {
            let timeless = |f: &Finished| Record { seconds: 0.0, ..f.record.clone() };
            a.iter().zip(b).all(|(a, b)| timeless(a) == timeless(b) && a.student == b.student)
        };
        assert!(same(&one, &two), "two at a time");
        assert!(same(&one, &three), "three threads");
        let plain = block_on(async {
            let config = TrainConfig { seed: 2, ..plan[1].config.clone() };
            let arch = &plan[1].arch;
            let mut trainer =
                Trainer::new(&Device::cpu(), arch, &config, data.training.clone()).await.unwrap();
            trainer.advance(Budget::steps(u64::MAX)).await.unwrap();
            trainer.student().await.unwrap()
        });
        assert_eq!(one[1].student.as_ref().unwrap().parameters, plain);
    }

    #[test]
    fn an_error_of_the_listener_or_a_stop_ends_all() {
        let rows = Arc::new(vectors()).slice_rows(0, 300);
        let data = RunData::new(&rows, (30, 7), None).unwrap();
        let space = Space { archs: vec![Arch::family_b(200).unwrap()], ..Space::default() };
        let plan = space.grid().unwrap();
        let share = Share { jobs: 2, threads: 1, memory: u64::MAX };
        let go = |cancel: bool, on: &mut dyn FnMut(Event) -> anyhow::Result<()>| {
            on_cpu(&plan, &data, share, &AtomicBool::new(cancel), on).unwrap_err()
        };
        let full = go(false, &mut |_| anyhow::bail!("disk full"));
        assert_eq!(full.to_string(), "disk full");
        let stopped = go(true, &mut |_| Ok(()));
        assert!(matches!(stopped.downcast_ref(), Some(Error::Cancelled)), "{stopped}");
        let small = Share { memory: 1000, ..share };
        let cause = on_cpu(&plan, &data, small, &AtomicBool::new(false), &mut |_| Ok(()));
        let cause = cause.unwrap_err();
        assert!(matches!(cause.downcast_ref(), Some(Error::OutOfMemory { .. })), "{cause}");
    }
}
