//! An R2000 frame, field by field.

use std::time::Instant;

use super::codec::{
    Command, ErrorCode, Frame, FreqAnt, MeaningError, Phase, PhasePlace, Reply, RssiConvention,
    TagReport, channel_khz, fast_tid, opcode,
};
use crate::codec::{
    Description, DescriptionBuilder, Direction, FieldsError, Opaque, Undecodable, Value,
};
use crate::{Epc, Rssi, TagRead, Tid};

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
    let name = opcode::name(frame.opcode()).unwrap_or_default();
    let reply = match frame.direction() {
        Direction::FromHost => {
            let mut parts = begin(frame, name.to_owned())?;
            command_parts(&mut parts, Command::parse(frame)?)?;
            return finish(parts);
        }
        Direction::FromReader => Reply::parse(frame)?,
    };
    let mut parts = begin(frame, reply_kind(&reply, name))?;
    reply_parts(&mut parts, &reply)?;
    // No model is known here, so the convention is the protocol's first.
    if let Some(read) = tag_read(&reply, RssiConvention::default(), at) {
        parts.tag(read);
    }
    finish(parts)
}

fn begin(frame: Frame<'_>, kind: String) -> Result<DescriptionBuilder<'_>, FieldsError> {
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), frame.direction(), kind);
    parts.code(1, "start")?;
    parts.number(1, "len")?;
    parts.code(1, "address")?;
    parts.code(1, "command")?;
    Ok(parts)
}

/// Whatever has not been named is data; the check is last.
fn finish(mut parts: DescriptionBuilder<'_>) -> Result<Description, MeaningError> {
    let left = parts.rest().len().saturating_sub(1);
    if left > 0 {
        parts.bytes(left, "data")?;
    }
    parts.code(1, "check")?;
    Ok(parts.finish())
}

fn reply_kind(reply: &Reply<'_>, name: &str) -> String {
    match reply {
        Reply::Tag(_) => "tag report".to_owned(),
        Reply::RoundEnd { .. } | Reply::SwitchEnd { .. } | Reply::BufferedEnd { .. } => {
            format!("{name} end")
        }
        Reply::AntennaFailed { .. } => format!("{name}: antenna failed"),
        Reply::Refused { .. } => format!("{name}: refused"),
        Reply::Done { .. } => format!("{name}: done"),
        Reply::Buffered(_) => "buffered tag".to_owned(),
        Reply::Accessed(_) => format!("{name}: tag"),
        Reply::BufferCount { .. }
        | Reply::Version { .. }
        | Reply::Temperature { .. }
        | Reply::Inputs { .. }
        | Reply::ReturnLoss { .. }
        | Reply::Region(_)
        | Reply::Value { .. } => name.to_owned(),
    }
}

fn command_parts(
    parts: &mut DescriptionBuilder<'_>,
    command: Command<'_>,
) -> Result<(), FieldsError> {
    match command {
        Command::Ask { .. } => {}
        Command::SetBaud { .. } => baud(parts)?,
        Command::SetAddress { .. } => drop(parts.number(1, "new_address")?),
        Command::SetAntenna { .. } => antenna(parts)?,
        Command::SetPower { power_dbm } => each(parts, power_dbm, "power_dbm")?,
        Command::SetTemporaryPower { .. } => drop(parts.number(1, "power_dbm")?),
        Command::SetRegion(_) => region(parts)?,
        Command::SetBeeper { .. } => drop(parts.number(1, "mode")?),
        Command::SetDetector { .. } => drop(parts.number(1, "return_loss_min_db")?),
        Command::SetOutput { .. } => names(parts, &["pin", "level"])?,
        Command::SetIdentifier { identifier } => {
            parts.bytes(identifier.len(), "identifier")?;
        }
        Command::SetProfile { .. } => drop(parts.code(1, "profile")?),
        Command::ReturnLoss { .. } => channel(parts)?,
        Command::Inventory { .. } | Command::RealTime { .. } => {
            parts.number(1, "repeat")?;
        }
        Command::FastSwitch(switch) => {
            for _turn in switch.pairs.as_chunks::<2>().0 {
                antenna(parts)?;
                parts.number(1, "rounds")?;
            }
            parts.number(1, "interval_ms")?;
            if !switch.extension.is_empty() {
                parts.bytes(5, "reserved")?;
                let extension =
                    ["session", "target", "optimise", "ongoing", "target_quantity", "with_phase"];
                names(parts, &extension)?;
            }
            parts.number(1, "repeat")?;
        }
        Command::Session { options, .. } => {
            names(parts, &["session", "target"])?;
            let options_named = ["select_flag", "with_phase", "power_saving"];
            names(parts, options_named.get(..options.len()).unwrap_or_default())?;
            parts.number(1, "repeat")?;
        }
        Command::SetFastTid { .. } => drop(parts.code(1, "status")?),
        Command::Read { password, .. } => {
            names(parts, &["bank", "word_address", "words"])?;
            optional(parts, password, "password")?;
        }
        Command::Write { data, .. } => {
            parts.bytes(4, "password")?;
            names(parts, &["bank", "word_address", "words"])?;
            parts.bytes(data.0.len(), "data")?;
        }
        Command::Lock { .. } => {
            parts.bytes(4, "password")?;
            names(parts, &["bank", "action"])?;
        }
        Command::Kill { .. } => drop(parts.bytes(4, "password")?),
        Command::SetMatch { epc, .. } => {
            parts.number(1, "mode")?;
            if let Some(epc) = epc {
                parts.number(1, "epc_len")?;
                optional(parts, epc, "epc")?;
            }
        }
        Command::Other { data, .. } => optional(parts, data, "data")?,
    }
    Ok(())
}

fn reply_parts(parts: &mut DescriptionBuilder<'_>, reply: &Reply<'_>) -> Result<(), FieldsError> {
    match reply {
        Reply::Tag(report) => tag_parts(parts, report)?,
        Reply::RoundEnd { .. } => {
            antenna(parts)?;
            parts.number(2, "rate_per_s")?;
            parts.number(4, "total")?;
        }
        Reply::SwitchEnd { .. } => {
            parts.number(3, "total")?;
            parts.number(4, "duration_ms")?;
        }
        Reply::AntennaFailed { .. } => {
            antenna(parts)?;
            result(parts)?;
        }
        Reply::BufferedEnd { .. } => {
            antenna(parts)?;
            parts.number(2, "tag_count")?;
            parts.number(2, "rate_per_s")?;
            parts.number(4, "total")?;
        }
        Reply::Buffered(tag) => {
            stored_parts(parts, tag.epc, Opaque(&[]))?;
            strength(parts)?;
            freq_ant(parts, tag.antenna())?;
            parts.number(1, "read_count")?;
        }
        Reply::Accessed(tag) => {
            stored_parts(parts, tag.epc, tag.data)?;
            if tag.opcode == opcode::READ {
                parts.number(1, "read_len")?;
            } else {
                result(parts)?;
            }
            freq_ant(parts, tag.antenna())?;
            parts.code(1, "operation_count")?;
        }
        Reply::BufferCount { .. } => drop(parts.number(2, "tag_count")?),
        Reply::Version { .. } => names(parts, &["major", "minor"])?,
        Reply::Temperature { sign, .. } => {
            parts.number(1, "sign")?;
            let below_zero = *sign == 0;
            parts.field(1, "celsius", |bytes| {
                let degrees = i64::from(bytes[0]);
                Value::Number(if below_zero { -degrees } else { degrees })
            })?;
        }
        Reply::Inputs { levels } => each(parts, levels, "level")?,
        Reply::ReturnLoss { .. } => drop(parts.number(1, "return_loss_db")?),
        Reply::Region(_) => region(parts)?,
        Reply::Done { .. } | Reply::Refused { .. } => result(parts)?,
        Reply::Value { opcode, data } => value_parts(parts, *opcode, data.0)?,
    }
    Ok(())
}

fn value_parts(
    parts: &mut DescriptionBuilder<'_>,
    opcode: u8,
    data: &[u8],
) -> Result<(), FieldsError> {
    match (opcode, data) {
        (opcode::POWER | opcode::POWER_EIGHT, powers) => each(parts, powers, "power_dbm"),
        (opcode::ANTENNA, _) => antenna(parts),
        (opcode::DETECTOR, _) => parts.number(1, "return_loss_min_db").map(drop),
        (opcode::PROFILE, _) => parts.code(1, "profile").map(drop),
        (opcode::FAST_TID, _) => parts.code(1, "status").map(drop),
        (opcode::IDENTIFIER, data) => parts.bytes(data.len(), "identifier").map(drop),
        (opcode::MATCH, [_, _, epc @ ..]) => {
            names(parts, &["mode", "epc_len"])?;
            optional(parts, Opaque(epc), "epc")
        }
        (opcode::MATCH, _) => parts.number(1, "mode").map(drop),
        (opcode::INVENTORY_6B, [_, uid @ ..]) if uid.len() == 8 => {
            antenna(parts)?;
            parts.bytes(8, "uid").map(drop)
        }
        _ => Ok(()),
    }
}

fn tag_parts(
    parts: &mut DescriptionBuilder<'_>,
    report: &TagReport<'_>,
) -> Result<(), FieldsError> {
    freq_ant(parts, report.antenna())?;
    parts.code(2, "pc")?;
    match fast_tid(report.pc, report.epc.0) {
        Some((epc, tid)) => {
            parts.bytes(epc.len(), "epc")?;
            parts.code(2, "tag_crc")?;
            parts.bytes(tid.len(), "tid")?;
        }
        None => optional(parts, report.epc, "epc")?,
    }
    let place = report.phase.map(|phase| phase.place);
    if place == Some(PhasePlace::BeforeRssi) {
        parts.number(2, "phase")?;
    }
    strength(parts)?;
    if place == Some(PhasePlace::AfterRssi) {
        parts.number(2, "phase")?;
    }
    Ok(())
}

fn stored_parts(
    parts: &mut DescriptionBuilder<'_>,
    epc: Opaque<'_>,
    data: Opaque<'_>,
) -> Result<(), FieldsError> {
    parts.number(2, "tag_count")?;
    parts.number(1, "data_len")?;
    parts.code(2, "pc")?;
    optional(parts, epc, "epc")?;
    parts.code(2, "tag_crc")?;
    optional(parts, data, "data")
}

/// One byte that says two things is one field with both in words.
fn freq_ant(parts: &mut DescriptionBuilder<'_>, antenna: u8) -> Result<(), FieldsError> {
    parts.field(1, "channel_and_antenna", |bytes| {
        let channel = FreqAnt(bytes[0]).channel();
        let khz =
            channel_khz(channel).map_or("beyond the table".to_owned(), |khz| format!("{khz} kHz"));
        Value::Text(format!("channel {channel} ({khz}), antenna {antenna}"))
    })?;
    Ok(())
}

fn strength(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    parts.field(1, "rssi_dbm", |bytes| {
        Value::Number(RssiConvention::default().dbm(bytes[0]).into())
    })?;
    Ok(())
}

/// On the line from 0, for people from 1; FF is none.
fn antenna(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    parts.field(1, "antenna", |bytes| match bytes[0] {
        0xFF => Value::Text("none".to_owned()),
        port => Value::Number(i64::from(port) + 1),
    })?;
    Ok(())
}

fn channel(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    parts.field(1, "frequency_khz", |bytes| match channel_khz(bytes[0]) {
        Some(khz) => Value::Number(khz.into()),
        None => Value::Text(format!("channel {}, beyond the table", bytes[0])),
    })?;
    Ok(())
}

fn baud(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    parts.field(1, "baud", |bytes| match super::baud_of_code(bytes[0]) {
        Some(baud) => Value::Number(baud.into()),
        None => Value::Code { code: bytes[0].into(), digits: 2 },
    })?;
    Ok(())
}

fn result(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    parts.field(1, "result", |bytes| Value::Text(ErrorCode(bytes[0]).to_string()))?;
    Ok(())
}

fn region(parts: &mut DescriptionBuilder<'_>) -> Result<(), FieldsError> {
    // The check follows.
    let user = parts.rest().len() > 4;
    parts.number(1, "region")?;
    if user {
        parts.field(1, "channel_step_khz", |bytes| Value::Number(i64::from(bytes[0]) * 10))?;
        parts.number(1, "channel_count")?;
        parts.number(3, "first_khz")?;
    } else {
        channel(parts)?;
        channel(parts)?;
    }
    Ok(())
}

fn names(parts: &mut DescriptionBuilder<'_>, fields: &[&'static str]) -> Result<(), FieldsError> {
    fields.iter().try_for_each(|&field| parts.number(1, field).map(drop))
}

fn each(
    parts: &mut DescriptionBuilder<'_>,
    values: &[u8],
    field: &'static str,
) -> Result<(), FieldsError> {
    values.iter().try_for_each(|_| parts.number(1, field).map(drop))
}

fn optional(
    parts: &mut DescriptionBuilder<'_>,
    bytes: Opaque<'_>,
    field: &'static str,
) -> Result<(), FieldsError> {
    if bytes.0.is_empty() { Ok(()) } else { parts.bytes(bytes.0.len(), field).map(drop) }
}

/// What a reply says about a tag; `None` where it reports none with a usable identity.
pub(super) fn tag_read(
    reply: &Reply<'_>,
    convention: RssiConvention,
    at: Instant,
) -> Option<TagRead> {
    let rssi = |raw| Some(Rssi { dbm: Some(convention.dbm(raw)), raw });
    match reply {
        Reply::Tag(report) => {
            let (epc, tid) = match fast_tid(report.pc, report.epc.0) {
                Some((epc, tid)) => (epc, Tid::try_from_slice(tid).ok()),
                None => (report.epc.0, None),
            };
            Some(TagRead {
                pc: Some(report.pc),
                tid,
                antenna: Some(report.antenna()),
                rssi: rssi(report.rssi),
                frequency_khz: channel_khz(report.freq_ant.channel()),
                phase_deg: report.phase.and_then(degrees),
                ..TagRead::new(Epc::try_from_slice(epc).ok()?, at)
            })
        }
        Reply::Buffered(tag) => Some(TagRead {
            pc: Some(tag.pc),
            antenna: Some(tag.antenna()),
            rssi: rssi(tag.rssi),
            frequency_khz: channel_khz(tag.freq_ant.channel()),
            read_count: tag.reads.into(),
            ..TagRead::new(Epc::try_from_slice(tag.epc.0).ok()?, at)
        }),
        Reply::Accessed(tag) => Some(TagRead {
            pc: Some(tag.pc),
            antenna: Some(tag.antenna()),
            frequency_khz: channel_khz(tag.freq_ant.channel()),
            ..TagRead::new(Epc::try_from_slice(tag.epc.0).ok()?, at)
        }),
        Reply::RoundEnd { .. }
        | Reply::SwitchEnd { .. }
        | Reply::AntennaFailed { .. }
        | Reply::BufferedEnd { .. }
        | Reply::BufferCount { .. }
        | Reply::Version { .. }
        | Reply::Temperature { .. }
        | Reply::Inputs { .. }
        | Reply::ReturnLoss { .. }
        | Reply::Region(_)
        | Reply::Done { .. }
        | Reply::Refused { .. }
        | Reply::Value { .. } => None,
    }
}

/// The vendor gives the phase no unit: only what can be degrees is taken for degrees.
fn degrees(phase: Phase) -> Option<u16> {
    (phase.raw <= 180).then_some(phase.raw)
}
