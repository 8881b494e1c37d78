//! What the visitor chose, as it stands in the address.

use lnsp::device::DeviceChoice;
use lnsp::note::Family;
use lnsp::sizes::{DEFAULT_BATCH, MAX_BATCH, SizeRow, Sizes};
use lnsp::{Activation, Arch, Precision, Result, Variant};

use crate::page::address::Address;

/// What the visitor chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub precision: Precision,
    pub variant: Variant,
    pub batch: usize,
    pub device: String,
    /// Hidden width of the visitor's own size.
    pub s: usize,
    /// The visitor's own widths; empty for `384-s-192-s-384`.
    pub widths: String,
}

impl Settings {
    pub(super) fn read(address: Address) -> Self {
        Self {
            precision: address.read("dtype", Precision::F32),
            variant: address.read("variant", Variant::Plain),
            batch: Some(address.read("batch", DEFAULT_BATCH))
                .filter(|batch| (1..=MAX_BATCH).contains(batch))
                .unwrap_or(DEFAULT_BATCH),
            device: address.read("device", DeviceChoice::Auto).to_string(),
            s: address.read("s", 300),
            widths: address.read("widths", String::new()),
        }
    }

    /// The note's rows, recomputed; family A first.
    pub(super) fn rows(&self) -> Vec<SizeRow> {
        let both = [Family::A, Family::B];
        Sizes::new(&both, self.variant, Activation::Gelu, &[], self.batch)
            .map_or(Vec::new(), |sizes| sizes.rows)
    }

    /// The visitor's own architecture.
    pub(super) fn own(&self) -> Result<SizeRow> {
        let arch = match self.widths.trim() {
            "" => Arch::family_b(self.s)?,
            widths => widths.parse()?,
        };
        SizeRow::new(arch.with_variant(self.variant)?, self.batch)
    }

    /// The note's rows and the visitor's own, the latter last.
    pub(super) fn all(&self) -> Vec<SizeRow> {
        self.rows().into_iter().chain(self.own()).collect()
    }

    /// Bytes of the weights at the chosen precision.
    pub(super) fn bytes(&self, row: &SizeRow) -> u64 {
        match self.precision {
            Precision::F32 => row.bytes.f32,
            Precision::F16 => row.bytes.f16,
            Precision::Int8 => row.bytes.int8,
        }
    }
}
