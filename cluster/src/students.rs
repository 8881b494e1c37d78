//! Students by name: where each one's file is and what its sha256 must be. That travels with a query,
//! and every process checks the file it finds before it computes with it.

mod loaded;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::scalar::ScalarValue;
use sha2::{Digest, Sha256};

pub use self::loaded::Loaded;
use crate::functions::student_argument;
use crate::stores::{fetch, url_of};

/// Digits of a sha256 in hex.
const HASH_DIGITS: usize = 64;

/// A student as it is named in a plan: `NAME=PLACE#SHA256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudentRef {
    /// What the query calls it.
    pub name: String,
    /// A URL; of a file on this machine, and of the same path on every other, if it is `file:`.
    pub place: String,
    /// The sha256 of its file, in hex.
    pub sha256: String,
}

impl fmt::Display for StudentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}#{}", self.name, self.place, self.sha256)
    }
}

impl FromStr for StudentRef {
    type Err = DataFusionError;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('=').and_then(|(name, rest)| {
            let (place, hash) = rest.rsplit_once('#')?;
            is_hash(hash).then_some((name, place, hash))
        });
        let Some((name, place, hash)) = parts else {
            return exec_err!(
                "no student is called {text:?}; name it with --student {}=FILE",
                text.split('=').next().unwrap_or(text)
            );
        };
        Ok(Self { name: name.into(), place: place.into(), sha256: hash.to_lowercase() })
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl StudentRef {
    /// What `--student NAME=PLACE[#SHA256]` says. Without a hash, the file is read and its own is
    /// taken, so that every other process computes with the same student.
    ///
    /// # Errors
    /// Another form; a file that cannot be read and has no hash; one of another hash.
    pub fn declared(text: &str) -> Result<Self> {
        let Some((name, place)) =
            text.split_once('=').filter(|(n, p)| !n.is_empty() && !p.is_empty())
        else {
            return plan_err!("--student {text:?}: NAME=FILE, or NAME=FILE#SHA256, is wanted");
        };
        let (place, given) = match place.rsplit_once('#') {
            Some((place, hash)) if is_hash(hash) => (place, Some(hash.to_lowercase())),
            Some((_, hash)) => {
                return plan_err!(
                    "--student {name}: {hash:?} is no sha256, which has {HASH_DIGITS} hex digits"
                );
            }
            None => (place, None),
        };
        let url = url_of(place)?.to_string();
        let sha256 = match (fetch(place), given) {
            (Ok(bytes), given) => {
                let found = hash_of(&bytes);
                match given {
                    Some(given) if given != found => {
                        return plan_err!(
                            "--student {name}: the sha256 of {place} is {found}, not {given}"
                        );
                    }
                    _ => found,
                }
            }
            // Where a cluster computes, this machine need not have it.
            (Err(_), Some(given)) => given,
            (Err(cause), None) => {
                return plan_err!(
                    "--student {name}: {place} cannot be read here ({cause}); name a file that can, or \
                     give its sha256 with {name}={place}#SHA256"
                );
            }
        };
        Ok(Self { name: name.into(), place: url, sha256 })
    }

    /// The student, read and checked the first time that this process asks for its sha256.
    ///
    /// # Errors
    /// A file that is not there, is another one, or no student: each says on which machine.
    pub fn load(&self) -> Result<Arc<Loaded>> {
        static LOADED: LazyLock<Mutex<HashMap<String, Arc<Loaded>>>> =
            LazyLock::new(Mutex::default);
        // Held while it is read: others that need it would only read it, too.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(student) = loaded.get(&self.sha256) {
            return Ok(Arc::clone(student));
        }
        let student = Arc::new(self.read()?);
        loaded.insert(self.sha256.clone(), Arc::clone(&student));
        Ok(student)
    }

    fn read(&self) -> Result<Loaded> {
        let (name, place, here) = (&self.name, &self.place, machine());
        let bytes = match fetch(place) {
            Ok(bytes) => bytes,
            Err(cause) => {
                return exec_err!(
                    "the student {name} is not to be had on {here}: {place}: {}; put the file there on \
                     every machine, or name a URL that all can read",
                    first_line(&cause.to_string())
                );
            }
        };
        let found = hash_of(&bytes);
        if found != self.sha256 {
            return exec_err!(
                "the student {name} is another one on {here}: the sha256 of {place} is {found}, not \
                 {}; copy the same file to every machine",
                self.sha256
            );
        }
        Loaded::from_bytes(name, place, &bytes)
            .map_err(|cause| exec_datafusion_err!("the student {name}: {cause}"))
    }
}

/// The name of this machine and process, for messages that come from afar.
fn machine() -> String {
    static HOST: LazyLock<String> = LazyLock::new(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
        if name.trim().is_empty() { "this machine".into() } else { name.trim().to_string() }
    });
    format!("{} (process {})", *HOST, std::process::id())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

/// Writes into a plan, in place of a student's name, where its file is and what its sha256 is.
#[derive(Debug)]
pub struct Names(pub Vec<StudentRef>);

impl Names {
    fn resolve(&self, name: &str) -> Result<String> {
        if let Some(known) = self.0.iter().find(|known| known.name == name) {
            return Ok(known.to_string());
        }
        if name.parse::<StudentRef>().is_ok() {
            return Ok(name.into());
        }
        let known: Vec<&str> = self.0.iter().map(|known| known.name.as_str()).collect();
        let known = if known.is_empty() {
            "none is".into()
        } else {
            format!("named are {}", known.join(", "))
        };
        plan_err!("no student is called {name:?} ({known}); name it with --student {name}=FILE")
    }
}

impl FunctionRewrite for Names {
    fn name(&self) -> &str {
        "students by name"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::ScalarFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
        let Some(argument) = student_argument(call.func.name(), call.args.len()) else {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        };
        let name = match &call.args[argument] {
            Expr::Literal(
                ScalarValue::Utf8(Some(name))
                | ScalarValue::LargeUtf8(Some(name))
                | ScalarValue::Utf8View(Some(name)),
                _,
            ) => name.clone(),
            other => {
                return plan_err!(
                    "{}: the student is to be named by a text such as 's256', not by {other}",
                    call.func.name()
                );
            }
        };
        let resolved = self.resolve(&name)?;
        if resolved == name {
            return Ok(Transformed::no(Expr::ScalarFunction(call)));
        }
        call.args[argument] = Expr::Literal(ScalarValue::Utf8(Some(resolved)), None);
        Ok(Transformed::yes(Expr::ScalarFunction(call)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_back_and_others_are_refused() {
        let hash = "ab".repeat(32);
        let text = format!("s256=file:///data/s#1.safetensors#{hash}");
        let read: StudentRef = text.parse().unwrap();
        assert_eq!((read.name.as_str(), read.sha256.as_str()), ("s256", hash.as_str()));
        assert_eq!(read.to_string(), text);
        let error = "s256".parse::<StudentRef>().unwrap_err().to_string();
        assert!(error.contains("--student s256=FILE"), "{error}");
    }

    #[test]
    fn a_declared_student_is_hashed_and_checked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let path = file.path().display();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(StudentRef::declared(&format!("s={path}")).unwrap().sha256, abc);
        assert_eq!(StudentRef::declared(&format!("s={path}#{abc}")).unwrap().sha256, abc);
        let message = |text: &str| StudentRef::declared(text).unwrap_err().to_string();
        let other = message(&format!("s={path}#{}", "0".repeat(64)));
        assert!(other.contains("is ba7816bf"), "{other}");
        assert!(message("s=/no/such/file").contains("s=/no/such/file#SHA256"));
        assert!(message("s").contains("NAME=FILE"));
        assert!(message(&format!("s={path}#12")).contains("is no sha256"));
        // A place of other machines.
        let far = StudentRef::declared(&format!("s=/no/such/file#{abc}")).unwrap();
        let missing = far.load().unwrap_err().to_string();
        assert!(missing.contains("the student s is not to be had on"), "{missing}");
        let no_student = StudentRef::declared(&format!("s={path}")).unwrap().load().unwrap_err();
        assert!(no_student.to_string().contains("no student"), "{no_student}");
    }
}
