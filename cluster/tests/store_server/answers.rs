//! What the store answers: the requests of S3 that the programs make, each as its reference says.

use std::fmt;
use std::io;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use url::Url;

use super::{BUCKET, State, never};

/// The body of an answer.
pub type Answer = BoxBody<Bytes, io::Error>;

/// Keys of a page of a list: few, so that lists have pages.
const PAGE: usize = 7;

/// A request, taken apart.
pub struct Call {
    pub method: Method,
    /// Empty for the bucket itself.
    pub key: String,
    query: Vec<(String, String)>,
    range: Option<String>,
    signed: bool,
    /// Whether it is for our bucket.
    ours: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.key)?;
        self.query.iter().try_for_each(|(name, value)| write!(f, "?{name}={value}"))
    }
}

impl Call {
    pub fn of(head: &Parts) -> Self {
        let url = Url::parse(&format!("http://store{}", head.uri)).unwrap();
        let header = |name: &str| {
            head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let path = url.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self {
            method: head.method.clone(),
            key: key.into(),
            query: url.query_pairs().map(|(a, b)| (a.into_owned(), b.into_owned())).collect(),
            range: header("range"),
            signed: header("authorization").is_some_and(|a| a.starts_with("AWS4-HMAC-SHA256 ")),
            ours: bucket == BUCKET,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether it asks for a list of keys.
    pub fn lists(&self) -> bool {
        self.key.is_empty()
    }
}

fn say(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("ETag", "\"e\"")
        .header("Last-Modified", "Thu, 26 Nov 2026 00:00:00 GMT")
        .body(body.into())
        .unwrap()
}

fn refuse(status: StatusCode, code: &str) -> Response<Bytes> {
    say(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}

/// An answer as it is to be.
pub fn whole(answer: Response<Bytes>) -> Response<Answer> {
    answer.map(|bytes| Full::new(bytes).map_err(never).boxed())
}

/// An answer that ends after half of what it says that it has.
pub fn cut(answer: Response<Bytes>) -> Response<Answer> {
    let (mut head, bytes) = answer.into_parts();
    head.headers.insert("Content-Length", bytes.len().into());
    let half = bytes.slice(..bytes.len() / 2);
    let ends = [Ok(Frame::data(half)), Err(io::ErrorKind::ConnectionReset.into())];
    Response::from_parts(head, BodyExt::boxed(StreamBody::new(futures::stream::iter(ends))))
}

impl State {
    pub fn answer(&mut self, call: &Call, body: Bytes) -> Response<Bytes> {
        if !call.signed {
            return refuse(StatusCode::FORBIDDEN, "AccessDenied");
        }
        if !call.ours {
            return refuse(StatusCode::NOT_FOUND, "NoSuchBucket");
        }
        let upload = call.parameter("uploadId");
        match (call.method.as_str(), upload) {
            ("GET", _) if call.lists() => self.list(call),
            ("GET", _) => self.read(call),
            ("HEAD", _) => self.head(call),
            ("PUT", Some(upload)) => {
                let number = call.parameter("partNumber").and_then(|n| n.parse().ok());
                match (self.uploads.get_mut(upload), number) {
                    (Some(parts), Some(number)) => {
                        parts.insert(number, body);
                        say(StatusCode::OK, "")
                    }
                    _ => refuse(StatusCode::NOT_FOUND, "NoSuchUpload"),
                }
            }
            ("PUT", None) => {
                self.objects.insert(call.key.clone(), body);
                say(StatusCode::OK, "")
            }
            ("POST", Some(upload)) => self.complete(call, upload),
            ("POST", None) if call.parameter("uploads").is_some() => {
                self.begun += 1;
                let id = format!("upload-{}", self.begun);
                self.uploads.insert(id.clone(), Default::default());
                let name = "InitiateMultipartUploadResult";
                say(StatusCode::OK, format!("<{name}><UploadId>{id}</UploadId></{name}>"))
            }
            ("POST", None) if call.parameter("delete").is_some() => self.delete(&body),
            ("DELETE", Some(upload)) => {
                self.uploads.remove(upload);
                say(StatusCode::NO_CONTENT, "")
            }
            ("DELETE", None) => {
                self.objects.remove(&call.key);
                say(StatusCode::NO_CONTENT, "")
            }
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    /// `ListObjectsV2`, a page.
    fn list(&self, call: &Call) -> Response<Bytes> {
        let prefix = call.parameter("prefix").unwrap_or_default();
        let after = call.parameter("continuation-token").or(call.parameter("start-after"));
        let found: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a))
            .take(PAGE + 1)
            .collect();
        let entry = |(key, bytes): &(&String, &Bytes)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"e\"</ETag>\
                 <LastModified>2026-11-26T00:00:00.000Z</LastModified></Contents>",
                bytes.len()
            )
        };
        let page: String = found.iter().take(PAGE).map(entry).collect();
        let next = match found.len() > PAGE {
            true => format!("<NextContinuationToken>{}</NextContinuationToken>", found[PAGE - 1].0),
            false => String::new(),
        };
        say(StatusCode::OK, format!("<ListBucketResult>{page}{next}</ListBucketResult>"))
    }

    fn read(&self, call: &Call) -> Response<Bytes> {
        let Some(bytes) = self.objects.get(&call.key) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let Some(range) = call.range.as_deref().and_then(|r| r.strip_prefix("bytes=")) else {
            return say(StatusCode::OK, bytes.clone());
        };
        let len = bytes.len();
        let (first, last) = range.split_once('-').unwrap();
        let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => (first, (last + 1).min(len)),
            (Ok(first), Err(_)) => (first, len),
            (Err(_), last) => (len - last.unwrap().min(len), len),
        };
        if first >= end {
            return refuse(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        }
        let mut answer = say(StatusCode::PARTIAL_CONTENT, bytes.slice(first..end));
        let range = format!("bytes {first}-{}/{len}", end - 1);
        answer.headers_mut().insert("Content-Range", range.parse().unwrap());
        answer
    }

    fn head(&self, call: &Call) -> Response<Bytes> {
        let Some(bytes) = self.objects.get(&call.key) else {
            return say(StatusCode::NOT_FOUND, "");
        };
        let mut answer = say(StatusCode::OK, "");
        answer.headers_mut().insert("Content-Length", bytes.len().into());
        answer
    }

    /// The pieces of an upload become an object.
    fn complete(&mut self, call: &Call, upload: &str) -> Response<Bytes> {
        let Some(parts) = self.uploads.remove(upload) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let whole: Vec<u8> = parts.into_values().flatten().collect();
        self.objects.insert(call.key.clone(), whole.into());
        let name = "CompleteMultipartUploadResult";
        say(StatusCode::OK, format!("<{name}><ETag>\"e\"</ETag></{name}>"))
    }

    /// Of many at once.
    fn delete(&mut self, body: &Bytes) -> Response<Bytes> {
        let text = String::from_utf8_lossy(body);
        let keys: Vec<&str> =
            text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
        let gone: String = keys
            .iter()
            .inspect(|key| drop(self.objects.remove(**key)))
            .map(|key| format!("<Deleted><Key>{key}</Key></Deleted>"))
            .collect();
        say(StatusCode::OK, format!("<DeleteResult>{gone}</DeleteResult>"))
    }
}
