//! Students in the forms that other programs take: an ONNX graph, the folder of a
//! SentenceTransformer, a module for JavaScript; and in the other direction, state dicts of layers
//! with the note's names.

pub mod onnx;
pub mod sentence_transformers;
pub mod state_dict;
pub mod web;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Which part of a student.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Vectors to latents.
    Encoder,
    /// Latents to vectors.
    Decoder,
    /// Vectors to vectors, by way of latents.
    Both,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Part::Encoder => "encoder",
            Part::Decoder => "decoder",
            Part::Both => "both",
        })
    }
}

impl FromStr for Part {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "encoder" => Ok(Part::Encoder),
            "decoder" => Ok(Part::Decoder),
            "both" => Ok(Part::Both),
            _ => Err(Error::invalid("part", format!("{text:?} is not encoder, decoder or both"))),
        }
    }
}
