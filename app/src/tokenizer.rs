//! The tokenizer in a worker of its own: a program apart, as it is bigger than everything else and
//! only of use to those who type text. It speaks [`protocol`](crate::protocol) and answers
//! [`Tokenize`] alone.

use std::cell::RefCell;
use std::rc::Rc;

use lnsp::Result;
use lnsp::teacher::tokenizer::Tokenizer;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use crate::protocol::{Tokenize, Tokenized, TokenizerRequest};
use crate::worker::post::Wanted;
use crate::worker::source::{Part, download, find};
use crate::worker::{Reply, Task, failure, fetch, post};

/// Under which the cache keeps the tokenizer.
const KEY: &str = "./teacher/kept-tokenizer.json";
/// How the tokenizer's file is called in messages.
const NAME: &str = "the teacher's tokenizer";
/// The model's own limit.
const MAX_TOKENS: usize = 256;

/// The tokenizer once it was asked for, and the address it came from.
type Room = Rc<RefCell<Option<(Option<String>, Rc<Tokenizer>)>>>;

/// Listens to the page; called once, by the tokenizer's program.
pub fn start() {
    post::say_panics();
    let room = Room::default();
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let Some(Wanted::Answer(request, task)) = post::read(&event) else { return };
        let room = room.clone();
        spawn_local(async move {
            let id = task.id();
            post::begun(id);
            let TokenizerRequest::Tokenize(question) = request;
            match tokenize(&room, question, &task).await {
                Ok(reply) => post::done(id, &reply),
                Err(error) => post::failed(id, &failure(&error)),
            }
        });
    });
    post::scope().set_onmessage(Some(listen.as_ref().unchecked_ref()));
    listen.forget();
    post::ready();
}

/// Answers [`Tokenize`].
async fn tokenize(room: &Room, question: Tokenize, task: &Task) -> Result<Reply> {
    let tokenizer = open(room, question.address, task).await?;
    let tokens = tokenizer.encode(&question.texts)?;
    let lengths: Vec<u32> = tokens.ids.iter().map(|ids| ids.len() as u32).collect();
    let answer = Tokenized { cut: tokens.cut, max_tokens: tokenizer.max_tokens() };
    Ok(Reply::of(&answer)?.with_words(&tokens.ids.concat()).with_words(&lengths))
}

async fn open(room: &Room, address: Option<String>, task: &Task) -> Result<Rc<Tokenizer>> {
    if let Some((from, tokenizer)) = &*room.borrow()
        && *from == address
    {
        return Ok(tokenizer.clone());
    }
    let read = |bytes: &[u8]| Tokenizer::from_bytes(NAME, bytes, MAX_TOKENS);
    let kept = if address.is_none() { fetch::kept(KEY).await } else { None };
    let tokenizer = match kept.and_then(|bytes| read(&bytes).ok()) {
        Some(tokenizer) => tokenizer,
        None => {
            let found = find(Part::Tokenizer, address.as_deref(), task).await?;
            let bytes = download(&found, "downloading the tokenizer", task).await?;
            let tokenizer = read(&bytes)?;
            if address.is_none() {
                fetch::keep(KEY, &bytes).await;
            }
            tokenizer
        }
    };
    let tokenizer = Rc::new(tokenizer);
    room.replace(Some((address, tokenizer.clone())));
    Ok(tokenizer)
}
