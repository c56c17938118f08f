//! A Mercury frame, field by field.

use std::time::Instant;

use super::codec::{Command, Frame, MeaningError, Reply};
use super::session::tag_read;
use crate::codec::{Description, DescriptionBuilder, Direction, Undecodable};

pub(super) fn describe(
    bytes: &[u8],
    direction: Direction,
    at: Instant,
) -> Result<Description, Undecodable> {
    let frame = Frame::new_checked(bytes, direction)
        .map_err(|error| Undecodable::Frame(Box::new(error)))?;
    parts(frame, at).map_err(|error| Undecodable::Meaning(Box::new(error)))
}

fn parts(frame: Frame<'_>, at: Instant) -> Result<Description, MeaningError> {
    let kind = match frame.direction() {
        Direction::FromHost => format!("{:?}", Command::parse(frame)?),
        Direction::FromReader => format!("{:?}", Reply::parse(frame)?),
    };
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), frame.direction(), kind);
    parts.code(1, "start")?;
    parts.number(1, "data_len")?;
    parts.code(1, "opcode")?;
    if let Some(status) = frame.status() {
        parts.code(2, "status")?;
        if status.is_success()
            && let Ok(Reply::Tag(record)) = Reply::parse(frame)
            && let Some(read) = tag_read(&record, at)
        {
            parts.tag(read);
        }
    }
    parts.bytes(frame.data().len(), "data")?;
    parts.code(2, "check")?;
    Ok(parts.finish())
}
