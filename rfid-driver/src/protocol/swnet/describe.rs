//! A frame, field by field.

use std::time::Instant;

use super::codec::{Command, Frame, MeaningError, Reply, TagRecord, TagRecords, opcode};
use crate::codec::{Description, DescriptionBuilder, Direction, FieldsError, Undecodable, Value};
use crate::{Epc, Rssi, TagRead};

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
    let name = opcode::name(frame.command()).unwrap_or("unknown command");
    let kind = match (frame.direction(), frame.command()) {
        (Direction::FromHost, _) => name.to_owned(),
        (Direction::FromReader, opcode::ACTIVE_DATA | opcode::HEARTBEAT) => name.to_owned(),
        (Direction::FromReader, _) => format!("{name}, answer"),
    };
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), frame.direction(), kind);
    parts.code(2, "head")?;
    parts.number(2, "len")?;
    parts.code(1, "address")?;
    parts.code(1, "command")?;
    if frame.status().is_some() {
        parts.field(1, "status", |byte| {
            let said = if byte[0] == 1 { "success" } else { "failure" };
            Value::Text(format!("{:02x} ({said})", byte[0]))
        })?;
    }
    let end = parts.position() + frame.data().len();
    match frame.direction() {
        Direction::FromHost => command_parts(&mut parts, &Command::parse(frame)?)?,
        Direction::FromReader => reply_parts(&mut parts, &Reply::parse(frame)?, at)?,
    }
    let left = end - parts.position();
    if left > 0 {
        parts.bytes(left, "data")?;
    }
    parts.code(1, "check")?;
    Ok(parts.finish())
}

type Parts<'a> = DescriptionBuilder<'a>;

/// What is not described here is left for `data`.
fn command_parts(parts: &mut Parts<'_>, command: &Command<'_>) -> Result<(), FieldsError> {
    match command {
        Command::Parameter { .. } => parameter(parts)?,
        Command::SetParameter { .. } => {
            parameter(parts)?;
            parts.number(1, "value")?;
        }
        Command::Inventory
        | Command::System
        | Command::StartRead
        | Command::StopRead
        | Command::CheckAntennas
        | Command::CheckModule
        | Command::Other { .. } => {}
    }
    Ok(())
}

/// What is not described here is left for `data`.
fn reply_parts(parts: &mut Parts<'_>, reply: &Reply<'_>, at: Instant) -> Result<(), FieldsError> {
    match reply {
        Reply::Inventory(tags) => {
            parts.number(2, "tag_count")?;
            tag_parts(parts, tags, at)?;
        }
        Reply::ActiveData { tags, .. } => {
            parts.bytes(7, "serial")?;
            parts.number(1, "tag_count")?;
            tag_parts(parts, tags, at)?;
        }
        Reply::Heartbeat { .. } => drop(parts.bytes(7, "serial")?),
        Reply::System { .. } => {
            for field in ["software", "hardware"] {
                parts.field(1, field, |byte| {
                    Value::Text(format!("{}.{}", byte[0] >> 4, byte[0] & 0x0F))
                })?;
            }
            parts.bytes(7, "serial")?;
        }
        Reply::Parameter { .. } => {
            parameter(parts)?;
            parts.number(1, "value")?;
        }
        Reply::Antennas { connected } => {
            let ports: Vec<_> =
                (1..=16_u8).filter(|port| connected >> (port - 1) & 1 == 1).collect();
            parts.field(2, "antennas", |_| Value::Text(format!("{ports:?}")))?;
        }
        Reply::Done { .. } | Reply::Failed { .. } => {}
    }
    Ok(())
}

fn parameter(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.field(1, "parameter", |byte| {
        let name = match byte[0] {
            1 => "transport",
            2 => "work mode",
            3 => "address",
            4 => "filter time",
            5 => "power in dBm",
            6 => "beep",
            7 => "baud rate code",
            _ => "unknown",
        };
        Value::Text(format!("{:02x} ({name})", byte[0]))
    })?;
    Ok(())
}

fn tag_parts(parts: &mut Parts<'_>, tags: &TagRecords<'_>, at: Instant) -> Result<(), FieldsError> {
    for record in tags.iter() {
        parts.number(1, "record_len")?;
        parts.code(1, "tag_type")?;
        parts.number(1, "antenna")?;
        parts.bytes(record.epc.0.len(), "epc")?;
        parts.number(1, "rssi_raw")?;
        if let Some(read) = tag_read(&record, at) {
            parts.tag(read);
        }
    }
    Ok(())
}

/// What a record says about a tag; `None` where it lacks an identity.
fn tag_read(record: &TagRecord<'_>, at: Instant) -> Option<TagRead> {
    Some(TagRead {
        antenna: Some(record.antenna),
        rssi: Some(Rssi { dbm: None, raw: record.rssi }),
        ..TagRead::new(Epc::try_from_slice(record.epc.0).ok()?, at)
    })
}
