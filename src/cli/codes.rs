//! Files of codes, and the student that they belong to.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::bail;

use crate::codes::TrellisCode;
use crate::error::Error;
use crate::format::files::{CodeWriter, create_codes, open_any};
use crate::format::{CODES, Dtype, Metadata, RawReader, ReadOptions};
use crate::format::{VectorReader, WriteOptions};
use crate::matrix::Matrix;
use crate::student::StudentFile;
use crate::train::fingerprint;

/// The metadata key of the code that a file's codes are of.
const OF: &str = "code";

/// The code of the student in the file at `path`, which must have `bits` bits a latent.
///
/// # Errors
/// Without a code, or with one of other bits: says how to get it.
pub fn code_of(file: &StudentFile, path: &Path, bits: u32) -> anyhow::Result<TrellisCode> {
    let latent = file.info.arch.latent();
    match &file.code {
        None => bail!(
            "--bits {bits}: {} has no code for its latents; `lnsp train --latent-bits {bits}` makes \
             a student that has one",
            path.display()
        ),
        Some(code) if 8 * code.bytes() != latent * bits as usize => bail!(
            "--bits {bits}: the code of {} has {} bytes for {latent} latents, that is --bits {}",
            path.display(),
            code.bytes(),
            8 * code.bytes() / latent
        ),
        Some(code) => Ok(code.clone()),
    }
}

/// A file for codes of a student.
///
/// # Errors
/// As [`create_codes`].
pub fn create(path: &Path, student: &StudentFile, code: &TrellisCode) -> crate::Result<CodeWriter> {
    let metadata = Metadata::from([
        ("lnsp".into(), format!("codes by {}", student.info.arch)),
        ("teacher".into(), student.info.teacher.clone()),
        (OF.into(), identity(code)?),
    ]);
    let options = WriteOptions { dtype: Dtype::U8, tensor: CODES.into(), metadata };
    create_codes(path, code.bytes(), &options)
}

/// What tells a code from others.
fn identity(code: &TrellisCode) -> crate::Result<String> {
    let bits = code.bits().iter().map(|b| f32::from(*b));
    let rows = code.means().iter().chain(code.deviations()).copied().chain(bits).collect();
    Matrix::new(3, code.width(), rows).map(|all| fingerprint(&all))
}

/// A file of codes, read in blocks.
pub struct CodeFile {
    name: String,
    reader: RawReader<BufReader<File>>,
    block: Vec<u8>,
}

impl CodeFile {
    /// The codes at `path`; `None` if the file holds anything else, or cannot be read.
    pub fn open_if_codes(path: &Path) -> Option<Self> {
        // What is wrong with a file of vectors is for its own reader to say.
        let reader = open_any(path, &ReadOptions::default(), CODES).ok()?;
        let name = path.display().to_string();
        (reader.dtype() == Dtype::U8).then(|| Self { name, reader, block: Vec::new() })
    }

    /// Opens the codes at `path`.
    ///
    /// # Errors
    /// As [`open_any`]; a file of vectors.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let reader = open_any(path, &ReadOptions::default(), CODES)?;
        if reader.dtype() != Dtype::U8 {
            bail!("{name}: holds vectors where codes are wanted; `lnsp encode --bits` makes them");
        }
        Ok(Self { name, reader, block: Vec::new() })
    }

    /// The code of `student` (in the file at `path`), if these are codes of it.
    ///
    /// # Errors
    /// A student without a code, or with another.
    pub fn belongs_to(&self, student: &StudentFile, path: &Path) -> anyhow::Result<TrellisCode> {
        let Some(code) = &student.code else {
            bail!(
                "{}: holds codes, and the student {} has none; give the student that made them",
                self.name,
                path.display()
            );
        };
        let own = identity(code)?;
        let other = self.reader.metadata().get(OF).is_some_and(|of| *of != own);
        if other || self.reader.width() != code.bytes() {
            bail!(
                "{}: holds codes of {} bytes of another student than {}; give the one that made them",
                self.name,
                self.reader.width(),
                path.display()
            );
        }
        Ok(code.clone())
    }

    /// Codes in all.
    pub fn rows(&self) -> Option<u64> {
        self.reader.rows()
    }

    /// The next codes, at most `most`; none at the end.
    ///
    /// # Errors
    /// A truncated file.
    pub fn read(&mut self, most: usize) -> Result<&[u8], Error> {
        self.reader.read_codes(most, &mut self.block)?;
        Ok(&self.block)
    }
}
