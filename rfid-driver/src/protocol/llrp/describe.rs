//! A message, field by field.

use std::time::Instant;

use super::codec::layout::{self, Shape};
use super::codec::{
    Frame, MeaningError, Message, MessageKind, Parameter, Parameters, StatusCode, tag_reports,
};
use super::tag::tag_read;
use crate::codec::{
    Description, DescriptionBuilder, Direction, Fields, FieldsError, Undecodable, Value,
};

pub(super) fn describe(
    bytes: &[u8],
    direction: Direction,
    at: Instant,
) -> Result<Description, Undecodable> {
    let frame = Frame::new_checked(bytes).map_err(|error| Undecodable::Frame(Box::new(error)))?;
    parts(frame, direction, at).map_err(|error| Undecodable::Meaning(Box::new(error)))
}

fn parts(frame: Frame<'_>, direction: Direction, at: Instant) -> Result<Description, MeaningError> {
    if frame.kind().direction().is_some_and(|fixed| fixed != direction) {
        return Err(MeaningError::Direction);
    }
    let message = Message::parse(frame)?;
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), direction, frame.kind().to_string());
    parts.code(2, "version_and_type")?;
    parts.number(4, "message_len")?;
    parts.number(4, "message_id")?;
    for (name, shape) in own_fields(&message) {
        put_field(&mut parts, name, *shape)?;
    }
    if let MessageKind::RO_ACCESS_REPORT = frame.kind()
        && let Message::Parameters { parameters, .. } = message
    {
        for report in tag_reports(parameters) {
            if let Some(read) = tag_read(&report?, &[], 0, at) {
                parts.tag(read);
            }
        }
    }
    Ok(parts.finish())
}

/// The fields of a message, from left to right.
fn own_fields(message: &Message<'_>) -> &'static [(&'static str, Shape)] {
    match message {
        Message::GetReaderCapabilities { .. } => {
            &[("requested", Shape::U8), ("parameters", Shape::Nested)]
        }
        Message::GetReaderConfig { .. } => &[
            ("antenna", Shape::U16),
            ("requested", Shape::U8),
            ("input", Shape::U16),
            ("output", Shape::U16),
            ("parameters", Shape::Nested),
        ],
        Message::SetReaderConfig { .. } => &[("flags", Shape::C8), ("parameters", Shape::Nested)],
        Message::Parameters { .. } | Message::Answer { .. } => &[("parameters", Shape::Nested)],
        Message::Spec { .. } => &[("spec_id", Shape::U32)],
        Message::SetProtocolVersion { .. } => &[("version", Shape::U8)],
        Message::SupportedVersion { .. } => &[
            ("current_version", Shape::U8),
            ("supported_version", Shape::U8),
            ("parameters", Shape::Nested),
        ],
        Message::Other { kind: MessageKind::CUSTOM_MESSAGE, body } if body.0.len() >= 5 => {
            &[("vendor", Shape::U32), ("subtype", Shape::U8), ("data", Shape::Rest)]
        }
        Message::Bare { .. } | Message::Other { .. } => &[],
    }
}

fn put_parameter(
    parts: &mut DescriptionBuilder<'_>,
    parameter: Parameter<'_>,
) -> Result<(), MeaningError> {
    let name = || Value::Text(parameter.kind.to_string());
    if parameter.header_len == 1 {
        parts.field(1, "parameter", |_| name())?;
    } else {
        parts.field(2, "parameter", |_| name())?;
        parts.number(2, "parameter_len")?;
    }
    let end = parts.position() + parameter.body.len();
    if let Some(layout) = layout::of(parameter.kind) {
        for (name, shape) in layout.fields {
            // The last field of a parameter must not run into the next parameter.
            put_field_until(parts, end, name, *shape)?;
        }
    }
    let rest = end.saturating_sub(parts.position());
    if rest > 0 {
        parts.bytes(rest, "data")?;
    }
    Ok(())
}

fn put_field(
    parts: &mut DescriptionBuilder<'_>,
    name: &'static str,
    shape: Shape,
) -> Result<(), MeaningError> {
    let end = parts.position() + parts.rest().len();
    put_field_until(parts, end, name, shape)
}

/// Describes the next field of what ends at `end`.
fn put_field_until(
    parts: &mut DescriptionBuilder<'_>,
    end: usize,
    name: &'static str,
    shape: Shape,
) -> Result<(), MeaningError> {
    let room = end.saturating_sub(parts.position());
    let here = parts.rest().get(..room).ok_or(FieldsError::Short { field: name })?;
    let taken = shape.take(&mut Fields(here), name)?;
    if shape == Shape::Nested {
        for parameter in Parameters::new_checked(taken)?.iter() {
            put_parameter(parts, parameter)?;
        }
        return Ok(());
    }
    if taken.is_empty() {
        return Ok(());
    }
    parts.field(taken.len(), name, |bytes| value(shape, bytes))?;
    Ok(())
}

fn value(shape: Shape, bytes: &[u8]) -> Value {
    let unsigned = bytes.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let counted = bytes.get(2..).unwrap_or_default();
    match shape {
        Shape::U8 | Shape::U16 | Shape::U32 | Shape::U64 => {
            Value::Number(i64::try_from(unsigned).unwrap_or(i64::MAX))
        }
        Shape::I8 | Shape::I16 => Value::Number(signed(bytes)),
        Shape::C8 | Shape::C16 | Shape::C32 => {
            Value::Code { code: unsigned, digits: u8::try_from(2 * bytes.len()).unwrap_or(u8::MAX) }
        }
        Shape::Status => match bytes {
            &[high, low] => Value::Text(StatusCode(u16::from_be_bytes([high, low])).to_string()),
            _ => Value::Bytes(bytes.to_vec()),
        },
        Shape::Text => Value::Text(String::from_utf8_lossy(counted).into_owned()),
        Shape::Bits | Shape::Bytes | Shape::Words => Value::Bytes(counted.to_vec()),
        Shape::U16s => Value::Text(numbers::<2>(counted)),
        Shape::U32s => Value::Text(numbers::<4>(counted)),
        Shape::B96 | Shape::Rest | Shape::Nested => Value::Bytes(bytes.to_vec()),
    }
}

fn signed(bytes: &[u8]) -> i64 {
    match *bytes {
        [byte] => i64::from(i8::from_be_bytes([byte])),
        [high, low] => i64::from(i16::from_be_bytes([high, low])),
        _ => 0,
    }
}

/// A list of numbers, for a person.
fn numbers<const LEN: usize>(bytes: &[u8]) -> String {
    let numbers = bytes.chunks(LEN).map(|number| {
        let number = number.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number.to_string()
    });
    numbers.collect::<Vec<_>>().join(" ")
}
