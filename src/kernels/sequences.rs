//! Where the sequences of a batch lie: their tokens one after another, nothing between them.

use crate::device::{Device, Tensor};
use crate::error::{Error, Result};

/// The sequences of a batch of packed tokens.
#[derive(Debug)]
pub struct Sequences {
    /// The first token of each sequence, and the number of tokens at the end.
    offsets: Vec<usize>,
    longest: usize,
    starts: Tensor,
    members: Tensor,
}

impl Sequences {
    /// Sequences of so many tokens each, in that order.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none or one is empty; out of memory.
    pub fn new(device: &Device, lengths: &[usize]) -> Result<Self> {
        if lengths.is_empty() || lengths.contains(&0) {
            let message = format!("{} sequences, of which none may be empty", lengths.len());
            return Err(Error::Shape { kernel: "sequences", message });
        }
        let mut offsets = vec![0];
        let mut members = Vec::with_capacity(lengths.iter().sum());
        for (sequence, length) in lengths.iter().enumerate() {
            offsets.push(offsets[sequence] + length);
            members.resize(offsets[sequence + 1], sequence as u32);
        }
        let starts: Vec<u32> = offsets.iter().map(|at| *at as u32).collect();
        let upload = |words: &[u32]| {
            let mut tensor = device.zeros(1, words.len())?;
            device.write_words(&mut tensor, words)?;
            Ok::<_, Error>(tensor)
        };
        Ok(Self {
            longest: lengths.iter().copied().max().unwrap_or(0),
            starts: upload(&starts)?,
            members: upload(&members)?,
            offsets,
        })
    }

    /// Number of sequences.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.offsets[self.count()]
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The first token of each sequence, and the number of tokens at the end.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// [`Self::offsets`] on the device, `1 × (count + 1)` words.
    pub(crate) fn starts(&self) -> &Tensor {
        &self.starts
    }

    /// The sequence of each token, `1 × tokens` words.
    pub(crate) fn members(&self) -> &Tensor {
        &self.members
    }
}
