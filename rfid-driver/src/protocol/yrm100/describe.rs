//! A frame, field by field.

use std::time::Instant;

use super::codec::{
    Command, ErrorCode, Frame, FrameKind, MeaningError, Reply, TagIdentity, TagNotice, opcode,
};
use crate::codec::{
    Description, DescriptionBuilder, Direction, FieldsError, Opaque, Undecodable, Value,
};
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
    let kind = match frame.kind() {
        FrameKind::Command => name.to_owned(),
        FrameKind::Answer if frame.command() == opcode::FAILED => name.to_owned(),
        FrameKind::Answer => format!("{name}, answer"),
        FrameKind::Notice => "tag report".to_owned(),
    };
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), frame.kind().direction(), kind);
    parts.code(1, "start")?;
    parts.code(1, "type")?;
    parts.code(1, "command")?;
    parts.number(2, "parameters_len")?;
    let end = parts.position() + frame.parameters().len();
    match frame.kind() {
        FrameKind::Command => command_parts(&mut parts, &Command::parse(frame)?)?,
        FrameKind::Answer | FrameKind::Notice => {
            reply_parts(&mut parts, &Reply::parse(frame)?, at)?;
        }
    }
    let left = end - parts.position();
    if left > 0 {
        parts.bytes(left, "data")?;
    }
    parts.code(1, "sum")?;
    parts.code(1, "end")?;
    Ok(parts.finish())
}

type Parts<'a> = DescriptionBuilder<'a>;

/// What is not described here is left for `data`.
fn command_parts(parts: &mut Parts<'_>, command: &Command<'_>) -> Result<(), FieldsError> {
    match command {
        Command::Info { .. } => info(parts)?,
        Command::MultiPoll { .. } => {
            parts.code(1, "reserved")?;
            parts.number(2, "rounds")?;
        }
        Command::SetSelect(select) => select_parts(parts, select.mask.0.len())?,
        Command::SetSelectMode { .. } => drop(parts.number(1, "select_mode")?),
        Command::ReadMemory(_) | Command::WriteMemory { .. } => access_parts(parts)?,
        Command::Lock { .. } => {
            password(parts)?;
            parts.code(3, "lock_payload")?;
        }
        Command::Kill { .. } => password(parts)?,
        Command::SetBaud { .. } => baud(parts)?,
        Command::SetQuery { bits } => query_parts(parts, *bits)?,
        Command::SetRegion { .. } => region(parts)?,
        Command::SetChannel { .. } => drop(parts.number(1, "channel")?),
        Command::SetHopping { .. } => drop(parts.code(1, "hopping")?),
        Command::InsertChannels { .. } => drop(parts.number(1, "channel_count")?),
        Command::SetPower { .. } => drop(parts.number(2, "power_cdbm")?),
        Command::SetCarrier { .. } => drop(parts.code(1, "carrier")?),
        Command::SetDemodulator(_) => demodulator_parts(parts)?,
        Command::Pin(_) => pin_parts(parts)?,
        Command::SetIdleSleep { .. } => drop(parts.number(1, "idle_sleep_minutes")?),
        Command::Idle { .. } => {
            parts.number(1, "enter")?;
            parts.code(1, "reserved")?;
            parts.number(1, "idle_minutes")?;
        }
        Command::NxpReadProtect { .. } => {
            password(parts)?;
            parts.number(1, "reset")?;
        }
        Command::NxpChangeEas { .. } => {
            password(parts)?;
            parts.number(1, "armed")?;
        }
        Command::NxpChangeConfig { .. } => {
            password(parts)?;
            parts.code(2, "flipped_bits")?;
        }
        Command::MonzaQt { .. } => {
            password(parts)?;
            parts.number(1, "write")?;
            parts.number(1, "persistent")?;
            parts.code(2, "qt_control")?;
        }
        Command::BlockPermalock { .. } => {
            password(parts)?;
            parts.number(1, "lock")?;
            parts.number(1, "bank")?;
            parts.number(2, "block_pointer")?;
            parts.number(1, "block_range")?;
        }
        Command::SinglePoll
        | Command::StopPoll
        | Command::Select
        | Command::Query
        | Command::Region
        | Command::Channel
        | Command::Power
        | Command::Demodulator
        | Command::ScanJammer
        | Command::ScanRssi
        | Command::Sleep
        | Command::NxpEasAlarm
        | Command::Other { .. } => {}
    }
    Ok(())
}

/// What is not described here is left for `data`.
fn reply_parts(parts: &mut Parts<'_>, reply: &Reply<'_>, at: Instant) -> Result<(), FieldsError> {
    match reply {
        Reply::Tag { notice, .. } => tag_parts(parts, notice, at)?,
        Reply::Refused { code, tag } => {
            error(parts, *code)?;
            if let Some(tag) = tag {
                identity_parts(parts, tag)?;
            }
        }
        Reply::Info { text, .. } => {
            info(parts)?;
            parts.field(text.0.len(), "text", |bytes| {
                Value::Text(String::from_utf8_lossy(bytes).into_owned())
            })?;
        }
        Reply::Done { .. } => drop(parts.code(1, "outcome")?),
        Reply::Select(select) => select_parts(parts, select.mask.0.len())?,
        Reply::Query { bits } => query_parts(parts, *bits)?,
        Reply::Region(_) => region(parts)?,
        Reply::Channel(_) => drop(parts.number(1, "channel")?),
        Reply::Power { .. } => drop(parts.number(2, "power_cdbm")?),
        Reply::Demodulator(_) => demodulator_parts(parts)?,
        Reply::Scan { levels_dbm, .. } => {
            parts.number(1, "first_channel")?;
            parts.number(1, "last_channel")?;
            for _ in levels_dbm.0 {
                signed(parts, "level_dbm")?;
            }
        }
        Reply::Pin(_) => pin_parts(parts)?,
        Reply::Memory { tag, data } => {
            identity_parts(parts, tag)?;
            parts.bytes(data.0.len(), "memory")?;
        }
        Reply::Accessed { tag, result, .. } => {
            identity_parts(parts, tag)?;
            parts.bytes(result.0.len(), "result")?;
        }
        Reply::EasAlarm(_) => drop(parts.bytes(8, "alarm_code")?),
        Reply::Other { .. } => {}
    }
    Ok(())
}

fn tag_parts(
    parts: &mut Parts<'_>,
    notice: &TagNotice<'_>,
    at: Instant,
) -> Result<(), FieldsError> {
    signed(parts, "rssi_dbm")?;
    words(parts, &notice.identity)?;
    parts.code(2, "tag_crc")?;
    let computed = notice.computed_crc();
    if computed != notice.tag_crc {
        // In a stream this is no frame at all: a module does not report such a tag.
        let code = u64::from(computed);
        parts.field(0, "tag_crc_should_be", |_| Value::Code { code, digits: 4 })?;
    }
    if let Some(read) = tag_read(notice, at) {
        parts.tag(read);
    }
    Ok(())
}

fn identity_parts(parts: &mut Parts<'_>, tag: &TagIdentity<'_>) -> Result<(), FieldsError> {
    parts.number(1, "identity_len")?;
    words(parts, tag)
}

fn words(parts: &mut Parts<'_>, tag: &TagIdentity<'_>) -> Result<(), FieldsError> {
    parts.code(2, "pc")?;
    for _ in tag.xpc.0.chunks(2) {
        parts.code(2, "xpc")?;
    }
    parts.bytes(tag.epc.0.len(), "epc")?;
    Ok(())
}

fn info(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    named(parts, "what", |what| match what {
        0 => "hardware",
        1 => "software",
        2 => "maker",
        _ => "unknown",
    })
}

fn region(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    named(parts, "region", |region| match region {
        1 => "China 900 MHz",
        2 => "America",
        3 => "Europe",
        4 => "China 800 MHz",
        6 => "Korea",
        _ => "unknown",
    })
}

/// One byte, in hex and in words.
fn named(
    parts: &mut Parts<'_>,
    field: &'static str,
    name: impl Fn(u8) -> &'static str,
) -> Result<(), FieldsError> {
    parts.field(1, field, |byte| Value::Text(format!("{:02x} ({})", byte[0], name(byte[0]))))?;
    Ok(())
}

fn error(parts: &mut Parts<'_>, code: ErrorCode) -> Result<(), FieldsError> {
    parts.field(1, "error", |_| Value::Text(code.to_string()))?;
    Ok(())
}

fn signed(parts: &mut Parts<'_>, field: &'static str) -> Result<(), FieldsError> {
    parts.field(1, field, |byte| Value::Number(i8::from_be_bytes([byte[0]]).into()))?;
    Ok(())
}

fn baud(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.field(2, "baud", |bytes| {
        Value::Number(i64::from(u16::from_be_bytes([bytes[0], bytes[1]])) * 100)
    })?;
    Ok(())
}

fn password(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.code(4, "password")?;
    Ok(())
}

fn access_parts(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    password(parts)?;
    parts.number(1, "bank")?;
    parts.number(2, "word_address")?;
    parts.number(2, "word_count")?;
    Ok(())
}

fn select_parts(parts: &mut Parts<'_>, mask_len: usize) -> Result<(), FieldsError> {
    parts.field(1, "select", |byte| {
        let (target, action, bank) = (byte[0] >> 5, byte[0] >> 2 & 7, byte[0] & 3);
        Value::Text(format!("target {target}, action {action}, bank {bank}"))
    })?;
    parts.number(4, "pointer_bits")?;
    parts.number(1, "mask_bits")?;
    parts.code(1, "truncate")?;
    parts.bytes(mask_len, "mask")?;
    Ok(())
}

fn query_parts(parts: &mut Parts<'_>, bits: u16) -> Result<(), FieldsError> {
    let at = |shift: u32, count: u32| bits >> shift & ((1 << count) - 1);
    let text = format!(
        "dr {}, m {}, trext {}, sel {}, session {}, target {}, q {}",
        at(15, 1),
        at(13, 2),
        at(12, 1),
        at(10, 2),
        at(8, 2),
        at(7, 1),
        at(3, 4)
    );
    parts.field(2, "query", |_| Value::Text(text))?;
    Ok(())
}

fn demodulator_parts(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    const MIXER_DB: [i64; 7] = [0, 3, 6, 9, 12, 15, 16];
    const IF_DB: [i64; 8] = [12, 18, 21, 24, 27, 30, 36, 40];
    for (field, gains) in [("mixer_gain_db", &MIXER_DB[..]), ("if_gain_db", &IF_DB[..])] {
        parts.field(1, field, |byte| match gains.get(usize::from(byte[0])) {
            Some(gain) => Value::Number(*gain),
            None => Value::Text(format!("{:02x} (unknown)", byte[0])),
        })?;
    }
    parts.code(2, "threshold")?;
    Ok(())
}

fn pin_parts(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    named(parts, "operation", |operation| match operation {
        0 => "set direction",
        1 => "set level",
        2 => "read level",
        _ => "unknown",
    })?;
    parts.number(1, "pin")?;
    parts.number(1, "value")?;
    Ok(())
}

/// What a notice says about a tag; `None` where it lacks an identity.
pub(super) fn tag_read(notice: &TagNotice<'_>, at: Instant) -> Option<TagRead> {
    let TagIdentity { pc, epc: Opaque(epc), .. } = notice.identity;
    let dbm = notice.rssi_dbm;
    Some(TagRead {
        pc: Some(pc),
        xpc: notice.identity.xpc_words(),
        rssi: Some(Rssi { dbm: Some(i16::from(dbm)), raw: dbm.to_be_bytes()[0] }),
        ..TagRead::new(Epc::try_from_slice(epc).ok()?, at)
    })
}
