//! The page of lnsp: three programs of one crate.
//!
//! `bin/app.rs` is the page ([`page`]): Leptos on the main thread, no compute; of the library it
//! uses what is arithmetic (`arch`, `note`, `sizes`, `number`). `bin/worker.rs` is the compute
//! core ([`worker`]) in a dedicated worker, started by the first question. `bin/tokenizer.rs` cuts
//! text into tokens in a worker of its own (feature `text`). All speak [`protocol`].
//!
//! # To add a question
//! 1. A type for it and one for its answer in a file of `protocol/`, and a line in `questions!`.
//!    Large arrays do not go into either: they travel beside it as buffers (`Lane::ask_with`,
//!    `Task::buffers`, `Reply::with`).
//! 2. A function `async fn(&mut Core, Question, &Task) -> Result<Reply>` in a file of `worker/`,
//!    and its arm in `worker::answer`. State that outlives a question is a field of `Core`. Work
//!    in bounded pieces: `task.check().await?` between them lets messages in and ends the work if
//!    the visitor stopped it; `task.progress(share, text)` says how far it is.
//! 3. The device comes from `core.devices.get(choice, width).await?`. When it is lost the question
//!    is asked anew on a new device or the CPU by `worker`; what a view keeps on a device is to be
//!    dropped when `core.devices.generation()` has changed.
//!
//! # To add a view
//! A file (or folder) of `page/` with a component, a line in `page::tabs::Tab` and its arm in
//! `page::shell`. Views are made when first visited and then kept, hidden; what a link should
//! restore is read and written through [`page::address::Address`]. Ask with a [`page::job::Job`],
//! which holds progress, cancel and the answer, and show it with `JobBar`. There are two workers,
//! [`page::lane::Lanes`]: `work` for what is to stay (students, training), `measure` for timings,
//! which a stop may end the hard way.

#![warn(missing_docs)]

pub mod page;
pub mod protocol;
#[cfg(feature = "text")]
pub mod tokenizer;
pub mod worker;
