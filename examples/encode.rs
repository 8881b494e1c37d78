//! Vectors to latents by an exported student.

use lnsp::device::Device;
use lnsp::format::{ReadOptions, read_all};
use lnsp::student::{Student, StudentFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = StudentFile::from_bytes("student", &std::fs::read("student.safetensors")?)?;
    let student = Student::new(&Device::cpu(), &file.parameters, file.info.precision)?;
    let bytes = std::fs::read("vectors.npy")?;
    let vectors = read_all("vectors.npy", &bytes, &ReadOptions::default())?;
    let latents = pollster::block_on(student.encode(&vectors))?;
    println!("{:?}", latents.row(0));
    Ok(())
}
