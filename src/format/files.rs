//! Vectors in named files; output appears whole under its name or not at all.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Dtype, RawWriter, check_options, create as create_stream, create_raw, open_raw};
use super::{FileKind, HEAD_BYTES, ReadOptions, VECTORS, VectorReader, VectorWriter, WriteOptions};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// Opens the vectors in the file at `path`; the kind is told by extension and content.
///
/// # Errors
/// [`Error::Io`] if it cannot be opened or read; [`Error::Format`] if it is not a whole, sound
/// file of vectors; [`Error::Invalid`] for options that do not go with it.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn VectorReader>> {
    let name = path.display().to_string();
    let (file, kind) = open_kind(path)?;
    check_options(kind, options)?;
    match kind {
        #[cfg(feature = "parquet")]
        FileKind::Parquet => {
            let column = options.column.as_deref();
            Ok(Box::new(super::parquet::ParquetReader::new(&name, file, column)?))
        }
        #[cfg(not(feature = "parquet"))]
        FileKind::Parquet => Err(super::no_parquet(&name)),
        _ => {
            let reader = open_raw(kind, &name, BufReader::new(file), options, VECTORS)?;
            reader.require_floats()?;
            Ok(Box::new(reader))
        }
    }
}

/// Opens the `.npy` or `.safetensors` file at `path`, be it vectors or codes.
///
/// # Errors
/// As [`open`].
pub fn open_any(
    path: &Path,
    options: &ReadOptions,
    preferred: &str,
) -> Result<super::RawReader<BufReader<File>>> {
    let (file, kind) = open_kind(path)?;
    let name = path.display().to_string();
    open_raw(kind, &name, BufReader::new(file), options, preferred)
}

/// Opens a file, tells its kind, and leaves it at its start.
fn open_kind(path: &Path) -> Result<(File, FileKind)> {
    let name = path.display().to_string();
    let read = || {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        file.rewind()?;
        Ok((file, head))
    };
    let (file, head) = read().map_err(|e| Error::io(path, e))?;
    Ok((file, FileKind::detect(&name, &head)?))
}

/// A writer of vectors of `width` values to the file at `path`, whose extension gives the kind.
/// The file appears, replacing an older one, when the writer is finished.
///
/// # Errors
/// [`Error::Format`] for an unknown extension; [`Error::Invalid`] for options that the format
/// cannot honour; [`Error::Io`] if the folder cannot be written to.
pub fn create(path: &Path, width: usize, options: &WriteOptions) -> Result<Box<dyn VectorWriter>> {
    let name = path.display().to_string();
    let kind = FileKind::from_name(&name)?;
    let output = AtomicFile::create(path)?;
    let stream = BufWriter::new(output.reopen()?);
    let inner = create_stream(kind, &name, stream, width, options)?;
    Ok(Box::new(FileWriter { inner, output }))
}

/// A writer of codes of `bytes` bytes to the file at `path`, `.npy` or `.safetensors`, that appears
/// when it is finished.
///
/// # Errors
/// As [`create`].
pub fn create_codes(path: &Path, bytes: usize, options: &WriteOptions) -> Result<CodeWriter> {
    let name = path.display().to_string();
    let kind = FileKind::from_name(&name)?;
    let output = AtomicFile::create(path)?;
    let stream = BufWriter::new(output.reopen()?);
    let options = WriteOptions { dtype: Dtype::U8, ..options.clone() };
    Ok(CodeWriter { inner: create_raw(kind, &name, stream, bytes, &options)?, output })
}

/// Codes to a file.
pub struct CodeWriter {
    inner: RawWriter<BufWriter<File>>,
    output: AtomicFile,
}

impl CodeWriter {
    /// Appends whole codes.
    ///
    /// # Errors
    /// As [`RawWriter::write_codes`].
    pub fn write(&mut self, codes: &[u8]) -> Result<()> {
        self.inner.write_codes(codes)
    }

    /// Completes the file; the number of codes in it.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails.
    pub fn finish(self) -> Result<u64> {
        let (stream, rows) = self.inner.into_inner()?;
        drop(stream);
        self.output.commit()?;
        Ok(rows)
    }
}

struct FileWriter {
    inner: Box<dyn VectorWriter>,
    output: AtomicFile,
}

impl VectorWriter for FileWriter {
    fn write(&mut self, rows: &Matrix) -> Result<()> {
        self.inner.write(rows)
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let rows = self.inner.finish()?;
        self.output.commit()?;
        Ok(rows)
    }
}

/// A file that is written under a temporary name in the folder of its destination and takes its
/// name at [`AtomicFile::commit`]; dropped before, it leaves nothing behind.
pub struct AtomicFile {
    temporary: NamedTempFile,
    destination: PathBuf,
}

impl AtomicFile {
    /// A new, empty file that shall become `path`. A symbolic link is followed.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `path` is there and no regular file; [`Error::Io`] if its folder is
    /// missing or cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        let destination = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if destination.exists() && !destination.is_file() {
            // A rename would put a plain file in place of a device such as /dev/null.
            let message = format!("{} is no regular file; name a file", path.display());
            return Err(Error::invalid("out", message));
        }
        let folder = match destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".lnsp-").suffix(".part");
        #[cfg(unix)]
        {
            // As any new file (less the umask), not for the owner alone as temporary files are.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(folder).map_err(|e| Error::io(path, e))?;
        Ok(Self { temporary, destination })
    }

    /// A second handle on the file, to be owned by a writer.
    ///
    /// # Errors
    /// [`Error::Io`] if the system gives none.
    pub fn reopen(&self) -> Result<File> {
        self.temporary.as_file().try_clone().map_err(|e| Error::io(&self.destination, e))
    }

    /// Brings the content to the disk and gives the file its name.
    ///
    /// # Errors
    /// [`Error::Io`] if either fails; the older file of that name, if any, is untouched then.
    pub fn commit(self) -> Result<()> {
        let Self { temporary, destination } = self;
        temporary.as_file().sync_all().map_err(|e| Error::io(&destination, e))?;
        temporary.persist(&destination).map_err(|e| Error::io(&destination, e.error))?;
        #[cfg(unix)]
        if let Some(folder) = destination.parent().filter(|f| !f.as_os_str().is_empty()) {
            // The new name itself must survive a power cut; not every file system can do it.
            let _ = File::open(folder).and_then(|f| f.sync_all());
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.temporary.flush()
    }
}

/// Writes `bytes` as the whole content of the file at `path`, at once or not at all.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| Error::io(path, e))?;
    file.commit()
}
