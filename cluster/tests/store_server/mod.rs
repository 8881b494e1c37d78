//! A store that speaks S3, in memory, on a port of this machine, and the ways in which it fails.
#![allow(dead_code, reason = "each test uses a part of it")]

mod answers;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use answers::{Answer, Call};

/// The one bucket.
pub const BUCKET: &str = "bucket";

/// What goes wrong, for requests whose key holds a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The answer to a GET ends after half of its bytes, so many times.
    CutGet(&'static str, usize),
    /// The connection of a PUT ends without an answer, so many times.
    CutPut(&'static str, usize),
    /// A PUT is not answered.
    HoldPut(&'static str),
}

/// What the store holds.
#[derive(Debug, Default)]
pub struct State {
    /// Objects by key.
    objects: BTreeMap<String, Bytes>,
    /// Pieces of uploads that are neither finished nor given up, by upload.
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    /// Uploads so far.
    begun: usize,
    /// Each request that it answered, such as `PUT out/x?partNumber=1`, in their order.
    log: Vec<String>,
    trouble: Option<Trouble>,
}

/// A store that ends with the process.
#[derive(Clone, Debug)]
pub struct Store {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Store {
    /// An empty one.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let store = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&store.state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve(listener, state));
        });
        store
    }

    /// What processes that use it need in their environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ACCESS_KEY_ID", "a".into()),
            ("AWS_SECRET_ACCESS_KEY", "b".into()),
        ]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts a file there.
    pub fn put(&self, key: &str, file: &Path) {
        self.state().objects.insert(key.into(), std::fs::read(file).unwrap().into());
    }

    /// The bytes of an object.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).cloned()
    }

    /// Keys that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.state().objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Uploads that are neither finished nor given up.
    pub fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }

    /// Requests that it answered, or holds.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// What goes wrong from now on.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state().trouble = trouble;
    }
}

async fn serve(listener: std::net::TcpListener, state: Arc<Mutex<State>>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        let service = service_fn(move |request| handle(request, Arc::clone(&state)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // How it ended is for the other side to say.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// What is to happen to a request.
enum Fate {
    Answer,
    CutAnswer,
    Cut,
    Hold,
}

impl State {
    fn fate(&mut self, call: &Call) -> Fate {
        let (holds, fate, times) = match &mut self.trouble {
            Some(Trouble::CutGet(word, times)) if call.method == Method::GET && !call.lists() => {
                (call.key.contains(*word), Fate::CutAnswer, times)
            }
            Some(Trouble::CutPut(word, times)) if call.method == Method::PUT => {
                (call.key.contains(*word), Fate::Cut, times)
            }
            Some(Trouble::HoldPut(word)) if call.method == Method::PUT => {
                return if call.key.contains(*word) { Fate::Hold } else { Fate::Answer };
            }
            _ => return Fate::Answer,
        };
        if !holds || *times == 0 {
            return Fate::Answer;
        }
        *times -= 1;
        fate
    }
}

/// Answers a request, or ends its connection.
async fn handle(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> io::Result<Response<Answer>> {
    let (head, body) = request.into_parts();
    let call = Call::of(&head);
    let fate = {
        let mut state = state.lock().unwrap();
        state.log.push(call.to_string());
        state.fate(&call)
    };
    match fate {
        Fate::Hold => std::future::pending().await,
        Fate::Cut => Err(io::ErrorKind::ConnectionReset.into()),
        Fate::Answer | Fate::CutAnswer => {
            let body = http_body_util::BodyExt::collect(body).await.map_err(io::Error::other)?;
            let answer = state.lock().unwrap().answer(&call, body.to_bytes());
            Ok(match fate {
                Fate::CutAnswer => answers::cut(answer),
                _ => answers::whole(answer),
            })
        }
    }
}

/// Nothing: an answer in memory cannot fail.
fn never(never: Infallible) -> io::Error {
    match never {}
}
