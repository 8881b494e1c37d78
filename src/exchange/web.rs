//! A student for JavaScript: the file that the page loads, beside a module without dependencies
//! that reads and runs it.

/// The name of the student's file beside [`MODULE`].
pub const STUDENT_NAME: &str = "student.safetensors";
/// The name of [`MODULE`].
pub const MODULE_NAME: &str = "student.mjs";
/// The module: `Student.load(url)`, `encode`, `decode`.
pub const MODULE: &str = include_str!("student.mjs");
