//! Numbers of a few bits each, one after the other, lowest bit first.

/// Appends numbers of up to eight bits to bytes.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u32,
    filled: u32,
}

impl BitWriter {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Appends the lowest `bits` bits of `value`.
    pub(super) fn write(&mut self, value: u8, bits: u8) {
        let mask = (1u32 << bits) - 1;
        self.pending |= (u32::from(value) & mask) << self.filled;
        self.filled += u32::from(bits);
        if self.filled >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.filled -= 8;
        }
    }

    /// Fills the last byte with zeros: the next number starts a byte.
    pub(super) fn align(&mut self) {
        if self.filled > 0 {
            self.bytes.push(self.pending as u8);
            self.pending = 0;
            self.filled = 0;
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

/// Reads numbers of up to eight bits from bytes; beyond their end come zeros.
pub(super) struct BitReader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    pending: u32,
    filled: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), pending: 0, filled: 0 }
    }

    pub(super) fn read(&mut self, bits: u8) -> u8 {
        if self.filled < u32::from(bits) {
            let next = self.bytes.next().copied().unwrap_or(0);
            self.pending |= u32::from(next) << self.filled;
            self.filled += 8;
        }
        let value = self.pending & ((1u32 << bits) - 1);
        self.pending >>= bits;
        self.filled -= u32::from(bits);
        value as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn layout_by_hand() {
        let mut writer = BitWriter::default();
        for (value, bits) in [(0b101, 3), (0b1, 1), (0b111111, 6), (0, 0), (0xff, 8)] {
            writer.write(value, bits);
        }
        // 101, then 1 above it, then the low four ones; 11, six ones; 11 and padding.
        assert_eq!(writer.into_bytes(), [0b1111_1101, 0b1111_1111, 0b0000_0011]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(numbers in prop::collection::vec((any::<u8>(), 0u8..=8), 0..99)) {
            let mut writer = BitWriter::with_capacity(4);
            numbers.iter().for_each(|(value, bits)| writer.write(*value, *bits));
            let bytes = writer.into_bytes();
            let total: usize = numbers.iter().map(|n| usize::from(n.1)).sum();
            prop_assert_eq!(bytes.len(), total.div_ceil(8));
            let mut reader = BitReader::new(&bytes);
            for (value, bits) in numbers {
                prop_assert_eq!(reader.read(bits), (u32::from(value) & ((1 << bits) - 1)) as u8);
            }
        }
    }
}
