//! What the tests of vector files share: files made on the spot, and the largest allocation that
//! reading one asked for.
#![allow(dead_code, reason = "each test program uses its part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Cursor;

use lnsp::Matrix;
use lnsp::format::{self, FileKind, ReadOptions, WriteOptions};

/// Notes the largest single request of each thread, so that tests can tell whether a length in
/// a damaged header was believed.
struct Noting;

thread_local!(static LARGEST: Cell<usize> = const { Cell::new(0) });

// SAFETY: every call goes to the system's allocator as it came; a global allocator cannot be
// written without `unsafe`.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(size)));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

/// The largest single allocation that `f` asks for, in bytes.
pub fn largest_allocation(f: impl FnOnce()) -> usize {
    LARGEST.with(|l| l.set(0));
    f();
    LARGEST.with(Cell::get)
}

#[cfg(feature = "parquet")]
pub const KINDS: &[FileKind] = &[FileKind::Npy, FileKind::Safetensors, FileKind::Parquet];
#[cfg(not(feature = "parquet"))]
pub const KINDS: &[FileKind] = &[FileKind::Npy, FileKind::Safetensors];

pub fn sample(rows: usize, width: usize) -> Matrix {
    Matrix::from_fn(rows, width, |r, c| ((r * 31 + c * 7) as f32 * 0.37).sin() + 0.01)
}

pub fn name_of(kind: FileKind) -> String {
    format!("v.{}", kind.extension())
}

/// The bytes of a file of `m`, written in batches of `batch` rows.
pub fn written(kind: FileKind, m: &Matrix, batch: usize, options: &WriteOptions) -> Vec<u8> {
    let mut stream = Cursor::new(Vec::new());
    let name = name_of(kind);
    let mut writer = format::create(kind, &name, &mut stream, m.cols(), options).unwrap();
    for start in (0..m.rows()).step_by(batch) {
        writer.write(&m.slice_rows(start, (start + batch).min(m.rows()))).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), m.rows() as u64);
    stream.into_inner()
}

pub fn file(kind: FileKind, m: &Matrix) -> Vec<u8> {
    written(kind, m, 5, &WriteOptions::default())
}

/// An `.npy` file by hand, as numpy would write it.
pub fn npy(dict: &str, body: &[u8]) -> Vec<u8> {
    npy_version(1, dict, body)
}

pub fn npy_version(version: u8, dict: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let text = format!("{dict:<117}\n");
    match version {
        1 => bytes.extend((text.len() as u16).to_le_bytes()),
        _ => bytes.extend((text.len() as u32).to_le_bytes()),
    }
    bytes.extend(text.bytes());
    bytes.extend(body);
    bytes
}

pub fn dict(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
}

pub fn safetensors(json: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.bytes());
    bytes.extend(body);
    bytes
}

pub fn read(name: &str, bytes: &[u8]) -> lnsp::Result<Matrix> {
    format::read_all(name, bytes, &ReadOptions::default())
}

/// The message of the error that reading `bytes` gives; it must name the file.
pub fn complaint(name: &str, bytes: &[u8]) -> String {
    let message = read(name, bytes).expect_err("must be refused").to_string();
    assert!(message.starts_with(name), "{message:?} does not name {name}");
    message
}
