//! The page of lnsp: several programs of one crate, so that a visitor is sent what is asked for.
//!
//! `bin/app.rs` is the shell ([`page`]): Leptos on the main thread, no compute; the table of sizes,
//! and of the library what is arithmetic (`arch`, `note`, `sizes`, `number`). `bin/view-*.rs` are
//! the other views, Leptos too, each fetched when it is first visited or seen ([`page::part`]).
//! `bin/worker.rs` is the compute core in a dedicated worker, started by the first question;
//! `bin/trainer.rs` the bigger half of it, what trains and the teacher ([`worker`]).
//! `bin/tokenizer.rs` cuts text into tokens (feature `text`). All speak [`protocol`]: the shell
//! keeps the workers ([`page::wire`]), every program of the page asks through [`page::lane`].
//! `bin/widget-*.rs` are the elements of the widget and their worker ([`widget`]).
//!
//! # To add a question
//! 1. A type for it and one for its answer in a file of `protocol/`, a line in `questions!`, and its
//!    name in the `requests!` of the program that answers. Large arrays do not go into either: they
//!    travel beside it as buffers (`Lane::ask`, `Task::buffer`, `Reply::with`).
//! 2. A function `async fn(&mut Core, Question, &Task) -> Result<Reply>` in a file of `worker/`,
//!    and its arm in `worker/core.rs` or `worker/trainer.rs`. State that outlives a question is a
//!    field there. Work in bounded pieces: `task.check().await?` between them lets messages in and
//!    ends the work if the visitor stopped it; `task.progress(share, text)` says how far it is.
//! 3. The device comes from `devices.get(choice, width).await?`. When it is lost the question is
//!    asked anew on a new device or the CPU by `worker`; what a view keeps on a device is to be
//!    dropped when `devices.generation()` has changed.
//!
//! # To add a view
//! A file (or folder) of `page/` with a component, a program `bin/view-NAME.rs` that starts it, a
//! `[[bin]]` and a link in `www/index.html`, a line in `page::tabs::Tab` and a part in
//! `scripts/size-gate.mjs`. Views are made when first visited and then kept, hidden; what a link
//! should restore is read and written through [`page::address::Address`]. Ask with a
//! [`page::job::Job`], which holds progress, cancel and the answer, and show it with `JobBar`.
//! [`page::lane::Lane`] names the workers: `WORK` and `TRAIN` for what is to stay, `MEASURE` and
//! `CLAIMS` for timings, which a stop may end the hard way.

#![warn(missing_docs)]

pub mod page;
pub mod protocol;
#[cfg(feature = "text")]
pub mod tokenizer;
pub mod widget;
pub mod worker;
