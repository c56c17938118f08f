//! Taking fields off the front of a frame's data.

/// Why data do not hold the fields they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// The data end before the field does.
    #[error("data ends before the field {field}")]
    Short {
        /// The field that is cut off.
        field: &'static str,
    },
    /// The data go on after the last field.
    #[error("{len} bytes follow the last field")]
    Trailing {
        /// How many bytes are left over.
        len: usize,
    },
}

/// What is left of a frame's data. Integers are big-endian unless the name says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

/// Each takes one field off the front.
#[expect(missing_docs, reason = "the names are the types they take")]
#[expect(clippy::missing_errors_doc, reason = "all of them fail where the data end too early")]
impl<'a> Fields<'a> {
    pub fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], FieldsError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FieldsError::Short { field })?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FieldsError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(FieldsError::Short { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self, field: &'static str) -> Result<u8, FieldsError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub fn i8(&mut self, field: &'static str) -> Result<i8, FieldsError> {
        self.array(field).map(i8::from_be_bytes)
    }

    pub fn u16(&mut self, field: &'static str) -> Result<u16, FieldsError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, FieldsError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub fn u24(&mut self, field: &'static str) -> Result<u32, FieldsError> {
        let [high, middle, low] = self.array(field)?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    pub fn u32(&mut self, field: &'static str) -> Result<u32, FieldsError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub fn u64(&mut self, field: &'static str) -> Result<u64, FieldsError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Says that nothing may be left.
    pub fn end(self) -> Result<(), FieldsError> {
        match self.0.len() {
            0 => Ok(()),
            len => Err(FieldsError::Trailing { len }),
        }
    }
}
