//! Taking fields off the front of a frame's data.

use super::MeaningError;

/// What is left of a frame's data.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(
        &mut self,
        len: usize,
        field: &'static str,
    ) -> Result<&'a [u8], MeaningError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(MeaningError::Short { field })?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], MeaningError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(MeaningError::Short { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, MeaningError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(super) fn i8(&mut self, field: &'static str) -> Result<i8, MeaningError> {
        self.array(field).map(i8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, MeaningError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self, field: &'static str) -> Result<u32, MeaningError> {
        let [high, middle, low] = self.array(field)?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, MeaningError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(super) fn end(self) -> Result<(), MeaningError> {
        match self.0.len() {
            0 => Ok(()),
            len => Err(MeaningError::Trailing { len }),
        }
    }
}
