//! Fields of bits, taken from the left.

/// What is left of a row of bits.
#[derive(Clone, Copy)]
pub(super) struct Bits {
    value: u128,
    len: u32,
}

impl Bits {
    /// All bits of an EPC of 96.
    pub(super) fn of_epc(bytes: &[u8; 12]) -> Self {
        let value = bytes.iter().fold(0, |value, &byte| value << 8 | u128::from(byte));
        Self { value, len: 96 }
    }

    /// The last `len` bits of a number.
    pub(super) fn of_number(value: u64, len: u32) -> Self {
        Self { value: u128::from(value), len }
    }

    /// Takes the next `len` bits.
    ///
    /// # Panics
    /// If fewer are left or they do not fit into a `T`: layouts are written down in this crate.
    pub(super) fn take<T: TryFrom<u128>>(&mut self, len: u32) -> T {
        assert!(len <= self.len && len < u128::BITS, "the layout fits its row of bits");
        self.len -= len;
        let part = self.value >> self.len & ((1 << len) - 1);
        T::try_from(part).ok().expect("the type is as wide as the field")
    }
}
