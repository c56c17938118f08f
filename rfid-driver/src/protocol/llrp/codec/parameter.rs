//! Parameters: the parts of a message, with or without a length of their own.

use std::fmt;

use super::MeaningError;
use super::layout;

/// The type of a parameter. Those below 128 have no length field (TV), the others have one (TLV).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParameterKind(pub u16);

pub(super) const TLV_HEADER_LEN: usize = 4;
const TV_MARK: u8 = 0x80;
const TLV_KIND_MAX: u16 = 0x03FF;

impl ParameterKind {
    /// Its name; `None` where it is not in the standard.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        layout::of(self).map(|layout| layout.name)
    }
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "parameter {}", self.0),
        }
    }
}

impl fmt::Debug for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self})", self.0)
    }
}

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its type.
    pub kind: ParameterKind,
    /// What follows its header.
    pub body: &'a [u8],
    /// How many bytes its header has.
    pub header_len: usize,
}

impl<'a> Parameter<'a> {
    /// Takes one parameter off the front of `bytes`, which are not empty.
    fn split_first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), MeaningError> {
        let room = bytes.len();
        if bytes[0] & TV_MARK != 0 {
            let kind = u16::from(bytes[0] & !TV_MARK);
            let len = layout::of(ParameterKind(kind))
                .and_then(layout::Layout::fixed_len)
                .ok_or(MeaningError::UnknownTv { kind })?;
            let too_long = || MeaningError::ParameterLength { kind, len: u16::from(len) + 1, room };
            let (body, rest) =
                bytes[1..].split_at_checked(usize::from(len)).ok_or_else(too_long)?;
            return Ok((Self { kind: ParameterKind(kind), body, header_len: 1 }, rest));
        }
        let header = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let kind = header(0).unwrap_or(0);
        let len = header(2).unwrap_or(0);
        if kind > TLV_KIND_MAX {
            return Err(MeaningError::Reserved { header: kind });
        }
        let end = usize::from(len);
        if !(TLV_HEADER_LEN..=room).contains(&end) {
            return Err(MeaningError::ParameterLength { kind, len, room });
        }
        let (whole, rest) = bytes.split_at(end);
        let body = &whole[TLV_HEADER_LEN..];
        Ok((Self { kind: ParameterKind(kind), body, header_len: TLV_HEADER_LEN }, rest))
    }

    /// The parameters inside it, behind its own `fields_len` bytes.
    ///
    /// # Errors
    /// Says which of them does not fit.
    pub fn nested(&self, fields_len: usize) -> Result<Parameters<'a>, MeaningError> {
        Parameters::new_checked(self.body.get(fields_len..).unwrap_or_default())
    }
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} bytes, withheld", self.kind, self.body.len())
    }
}

/// A list of parameters whose lengths, on this level, have been checked.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters<'a> {
    bytes: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// None.
    pub const NONE: Self = Self { bytes: &[] };

    /// Takes `bytes` as parameters, one after the other, to the last byte.
    ///
    /// # Errors
    /// Says which parameter does not fit.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, MeaningError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = Parameter::split_first(rest)?.1;
        }
        Ok(Self { bytes })
    }

    /// Their bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            // Checked when the list was made.
            let (parameter, behind) = Parameter::split_first(rest).ok()?;
            rest = behind;
            Some(parameter)
        })
    }

    /// The first of a type.
    #[must_use]
    pub fn find(&self, kind: ParameterKind) -> Option<Parameter<'a>> {
        self.iter().find(|parameter| parameter.kind == kind)
    }

    /// Takes the first parameter off, if it is of `kind`.
    pub(super) fn split_first(&self, kind: ParameterKind) -> Option<(Parameter<'a>, Self)> {
        if self.bytes.is_empty() {
            return None;
        }
        let (first, rest) = Parameter::split_first(self.bytes).ok()?;
        (first.kind == kind).then_some((first, Self { bytes: rest }))
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
