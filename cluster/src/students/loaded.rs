//! A student as it computes in this process, with the code of its latents.

use datafusion::common::{Result, exec_datafusion_err};
use lnsp::codes::{CodeSearch, TrellisCode};
use lnsp::device::Device;
use lnsp::student::{Student, StudentFile};
use lnsp::{Matrix, Precision};

/// A student in this process.
#[derive(Debug)]
pub struct Loaded {
    name: String,
    student: Student,
    code: Option<LatentCode>,
}

/// The code of few bits that a student's file carries.
#[derive(Debug)]
struct LatentCode {
    code: TrellisCode,
    search: CodeSearch,
}

impl Loaded {
    /// The student in a file's bytes; `place` is for messages.
    ///
    /// # Errors
    /// Bytes that are no student.
    pub(super) fn from_bytes(name: &str, place: &str, bytes: &[u8]) -> lnsp::Result<Self> {
        let file = StudentFile::from_bytes(place, bytes)?;
        let device = Device::cpu();
        let student = Student::new(&device, &file.parameters, Precision::F32)?;
        let code = file.code.map(|code| {
            let search = CodeSearch::new(&device, &code)?;
            Ok::<_, lnsp::Error>(LatentCode { code, search })
        });
        Ok(Self { name: name.into(), student, code: code.transpose()? })
    }

    /// What the query that loaded it calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width of the vectors that it takes.
    pub fn input(&self) -> usize {
        self.student.arch().input()
    }

    /// Width of its latents.
    pub fn latent(&self) -> usize {
        self.student.arch().latent()
    }

    /// Latents of vectors, each row as in any other batch.
    ///
    /// # Errors
    /// Another width.
    pub fn encode(&self, vectors: &Matrix) -> Result<Matrix> {
        self.on_one_core(|| pollster::block_on(self.student.encode_rows(vectors)))
    }

    /// Vectors of latents, each row as in any other batch.
    ///
    /// # Errors
    /// Another width.
    pub fn decode(&self, latents: &Matrix) -> Result<Matrix> {
        self.on_one_core(|| pollster::block_on(self.student.decode_rows(latents)))
    }

    /// Bytes of a code of few bits; none if the student has no such code.
    pub fn code_bytes(&self) -> Option<usize> {
        self.code.as_ref().map(|own| own.code.bytes())
    }

    /// Latents as codes of few bits, one after the other: what `lnsp encode --bits` writes of them.
    ///
    /// # Errors
    /// A student without such a code; another width.
    pub fn pack(&self, latents: &Matrix) -> Result<Vec<u8>> {
        let own = self.own_code()?;
        self.on_one_core(|| own.code.pack(latents))
    }

    /// The latents that codes of few bits stand for.
    ///
    /// # Errors
    /// A student without such a code; bytes that are no whole codes.
    pub fn unpack(&self, codes: &[u8]) -> Result<Matrix> {
        let own = self.own_code()?;
        self.on_one_core(|| own.code.unpack(codes))
    }

    /// Cosines of the latents of one query (1×k) with codes of few bits, which are read as they lie:
    /// those by which `lnsp search` ranks.
    ///
    /// # Errors
    /// As [`Self::unpack`], and another width.
    pub fn scores(&self, query: &Matrix, codes: &[u8]) -> Result<Matrix> {
        let search = &self.own_code()?.search;
        self.on_one_core(|| {
            let query = search.queries(query)?;
            pollster::block_on(search.scores(&query, codes))
        })
    }

    fn own_code(&self) -> Result<&LatentCode> {
        self.code.as_ref().ok_or_else(|| {
            exec_datafusion_err!(
                "the student {} has no code of few bits for its latents; `lnsp train --latent-bits 2` \
                 makes a student that has one of 2 bits a latent",
                self.name
            )
        })
    }

    /// The engine has a thread for each part of a query: a student that shared its work between the
    /// cores again would only make them wait for each other.
    fn on_one_core<T>(&self, f: impl FnOnce() -> lnsp::Result<T>) -> Result<T> {
        lnsp::device::on_one_core(f)
            .map_err(|e| exec_datafusion_err!("the student {}: {e}", self.name))
    }
}
