//! What people read: tables for the terminal, CSV, JSON and HTML, plots as SVG, and the page that
//! holds them.

pub mod bench_tables;
pub mod effects;
pub mod eval_page;
pub mod eval_tables;
pub mod few_tables;
pub mod heat_map;
pub mod html;
pub mod note_page;
pub mod note_plots;
pub mod note_tables;
pub mod phases_page;
pub mod plot;
pub mod scale;
pub mod size_tables;
pub mod svg;
pub mod sweep_page;
pub mod sweep_plots;
pub mod sweep_tables;
pub mod table;
pub mod task_page;
pub mod task_tables;

pub use html::{Block, Report, Section, Statement};
pub use svg::Svg;
pub use table::{Align, Cell, Column, Table, Tone};
