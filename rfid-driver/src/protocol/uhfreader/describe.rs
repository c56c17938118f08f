//! A frame, field by field.

use std::time::Instant;

use super::codec::{
    Command, Dialect, Express, Frame, InventoryRequest, MeaningError, ReaderInfo, Reply, Status,
    TagBlock, TagList, antenna_of_byte, baud_of_code, opcode, tag_error_name,
};
use crate::codec::{Description, DescriptionBuilder, Direction, FieldsError, Undecodable, Value};
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

/// What a block says about a tag; `None` where it lacks an identity. `antenna` is the port.
pub(super) fn tag_read(block: &TagBlock<'_>, antenna: Option<u8>, at: Instant) -> Option<TagRead> {
    Some(TagRead {
        tid: block.tid.and_then(|tid| Tid::try_from_slice(tid.0).ok()),
        antenna,
        rssi: block.rssi_raw.map(|raw| Rssi { dbm: None, raw }),
        frequency_khz: block.frequency_khz,
        ..TagRead::new(Epc::try_from_slice(block.epc.0).ok()?, at)
    })
}

fn parts(frame: Frame<'_>, at: Instant) -> Result<Description, MeaningError> {
    match frame.direction() {
        Direction::FromHost => {
            let command = Command::parse(frame)?;
            let kind = name(command.opcode());
            let mut parts = header(frame, kind.to_owned())?;
            command_fields(&mut parts, &command)?;
            finish(parts)
        }
        Direction::FromReader => {
            let reply = Reply::parse(frame)?;
            let mut parts = header(frame, reply_kind(&reply))?;
            parts.field(1, "status", |bytes| Value::Text(Status(bytes[0]).to_string()))?;
            reply_fields(&mut parts, &reply, at)?;
            finish(parts)
        }
    }
}

fn name(opcode: u8) -> &'static str {
    opcode::name(opcode).unwrap_or("unknown operation")
}

fn header(frame: Frame<'_>, kind: String) -> Result<DescriptionBuilder<'_>, FieldsError> {
    let mut parts = DescriptionBuilder::new(frame.as_bytes(), frame.direction(), kind);
    parts.number(1, "len")?;
    parts.code(1, "address")?;
    parts.code(1, "opcode")?;
    Ok(parts)
}

/// What has no name of its own, and the check.
fn finish(mut parts: DescriptionBuilder<'_>) -> Result<Description, MeaningError> {
    const CHECK_LEN: usize = 2;
    let rest = parts.rest().len() - CHECK_LEN;
    if rest > 0 {
        parts.bytes(rest, "data")?;
    }
    parts.field(CHECK_LEN, "check", |bytes| Value::Code {
        code: u64::from(u16::from_le_bytes([bytes[0], bytes[1]])),
        digits: 4,
    })?;
    Ok(parts.finish())
}

fn reply_kind(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Tags { list, .. } if list.tags().next().is_none() => "inventory end".to_owned(),
        Reply::Tags { .. } | Reply::Pushed(_) => "tag report".to_owned(),
        Reply::Statistics { .. } => "inventory statistics".to_owned(),
        Reply::Heartbeat { .. } => "heartbeat".to_owned(),
        Reply::Info(_) => name(opcode::READER_INFO).to_owned(),
        Reply::WorkMode { .. } => name(opcode::WORK_MODE).to_owned(),
        Reply::ScanMode { .. } => name(opcode::SCAN_MODE).to_owned(),
        Reply::Pins(_) => name(opcode::PINS).to_owned(),
        Reply::Temperature { .. } => name(opcode::TEMPERATURE).to_owned(),
        Reply::ReturnLoss(_) => name(opcode::RETURN_LOSS).to_owned(),
        Reply::SerialNumber(_) => name(opcode::SERIAL_NUMBER).to_owned(),
        Reply::Done { opcode, .. } => format!("{} done", name(*opcode)),
        Reply::Refused { opcode: opcode::NOT_UNDERSTOOD, .. } => {
            "command not understood".to_owned()
        }
        Reply::Refused { status: Status::NO_TAG, .. } => "no tag".to_owned(),
        Reply::Refused { opcode, status, .. } if status.is_failure() => {
            format!("{} refused", name(*opcode))
        }
        Reply::Refused { opcode, .. } => format!("{} answered", name(*opcode)),
    }
}

type Parts<'a> = DescriptionBuilder<'a>;

fn command_fields(parts: &mut Parts<'_>, command: &Command<'_>) -> Result<(), FieldsError> {
    match command {
        Command::Inventory(request) => return inventory_fields(parts, request),
        Command::SetFrequency { .. } => return frequency_fields(parts),
        Command::SetAddress { .. } => parts.code(1, "new_address")?,
        Command::SetScanTime { .. } => return scan_time(parts),
        Command::SetBaud { .. } => {
            parts.field(1, "baud", |bytes| {
                baud_of_code(bytes[0])
                    .map_or(Value::Code { code: u64::from(bytes[0]), digits: 2 }, |baud| {
                        Value::Number(i64::from(baud))
                    })
            })?;
            return Ok(());
        }
        Command::SetPower { dbm } => {
            return dbm.iter().try_for_each(|_| parts.number(1, "power_dbm").map(drop));
        }
        Command::SetScanMode { .. } => return scan_mode_fields(parts),
        Command::SetAntennas { antennas } => {
            return antennas.iter().try_for_each(|_| parts.code(1, "antennas").map(drop));
        }
        Command::SetOutputs { .. } => parts.code(1, "output_pins")?,
        Command::SetAntennaCheck { .. } => parts.number(1, "antenna_check")?,
        Command::SetRealTime { .. } => return real_time_fields(parts),
        Command::SetWorkMode { .. } => parts.number(1, "mode")?,
        Command::HeartbeatTime { .. } => parts.code(1, "heartbeat_time")?,
        Command::ReturnLoss { .. } => {
            parts.number(4, "frequency_khz")?;
            parts.number(1, "antenna_index")?
        }
        Command::Other { opcode, data } => return other_fields(parts, *opcode, data.0.len()),
        Command::InventoryAll
        | Command::InventorySingle
        | Command::ReaderInfo
        | Command::ScanMode
        | Command::Pins
        | Command::WorkMode
        | Command::Temperature
        | Command::Stop
        | Command::SerialNumber => return Ok(()),
    };
    Ok(())
}

fn inventory_fields(
    parts: &mut Parts<'_>,
    request: &InventoryRequest<'_>,
) -> Result<(), FieldsError> {
    parts.code(1, "q_and_flags")?;
    parts.code(1, "session")?;
    if let Some(mask) = &request.mask {
        parts.number(1, "mask_memory")?;
        parts.number(2, "mask_address_bits")?;
        parts.number(1, "mask_len_bits")?;
        if !mask.data.0.is_empty() {
            parts.bytes(mask.data.0.len(), "mask")?;
        }
    }
    if request.tid.is_some() {
        parts.number(1, "tid_address_words")?;
        parts.number(1, "tid_len_words")?;
    }
    if let Some(express) = &request.express {
        parts.number(1, "target")?;
        antenna_selector(parts, express)?;
        scan_time(parts)?;
    }
    Ok(())
}

fn antenna_selector(parts: &mut Parts<'_>, express: &Express) -> Result<(), FieldsError> {
    match express.port() {
        Some(port) => parts.field(1, "antenna", |_| Value::Number(i64::from(port))).map(drop),
        None => parts.code(1, "antenna").map(drop),
    }
}

fn scan_time(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.field(1, "scan_time_ms", |bytes| Value::Number(100 * i64::from(bytes[0]))).map(drop)
}

fn frequency_fields(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.code(1, "frequency_max")?;
    parts.code(1, "frequency_min").map(drop)
}

fn scan_mode_fields(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.number(1, "mode")?;
    parts.code(1, "mode_state")?;
    parts.number(1, "memory")?;
    parts.number(1, "first_word")?;
    parts.number(1, "words")?;
    parts.number(1, "tag_time_s").map(drop)
}

fn real_time_fields(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.number(1, "tag_protocol")?;
    parts.number(1, "pause")?;
    parts.number(1, "filter_time_s")?;
    parts.code(1, "q_and_flags")?;
    parts.code(1, "session").map(drop)
}

/// The access commands: everything that the same three forms cover (18 manual V2.0, 8.2.2 to
/// 8.2.7). What does not fit stays `data`.
fn other_fields(parts: &mut Parts<'_>, opcode: u8, data_len: usize) -> Result<(), FieldsError> {
    /// In place of a length: the tag is chosen by a mask that follows.
    const BY_MASK: usize = 0xFF;
    let words_at = |parts: &Parts<'_>, at: usize| match parts.rest().get(at) {
        Some(&words) if usize::from(words) == BY_MASK => 0,
        Some(&words) => 2 * usize::from(words),
        None => usize::MAX,
    };
    let end = parts.position() + data_len;
    let fits = |parts: &Parts<'_>, len: usize| parts.position().saturating_add(len) <= end;
    match opcode {
        opcode::READ_DATA | opcode::KILL | opcode::LOCK => {
            let epc_len = words_at(parts, 0);
            let after = if opcode == opcode::READ_DATA { 8 } else { 5 };
            if !fits(parts, epc_len.saturating_add(after)) {
                return Ok(());
            }
            parts.number(1, "epc_len_words")?;
            epc(parts, epc_len)?;
            match opcode {
                opcode::READ_DATA => {
                    parts.number(1, "memory")?;
                    parts.number(1, "first_word")?;
                    parts.number(1, "words")?;
                }
                opcode::LOCK => {
                    parts.number(1, "select")?;
                    parts.number(1, "protection")?;
                }
                _ => {}
            }
            if fits(parts, 4) { parts.bytes(4, "password").map(drop) } else { Ok(()) }
        }
        opcode::WRITE_DATA | opcode::BLOCK_WRITE => {
            let (written_len, epc_len) = (words_at(parts, 0), words_at(parts, 1));
            if !fits(parts, written_len.saturating_add(epc_len).saturating_add(8)) {
                return Ok(());
            }
            parts.number(1, "words")?;
            parts.number(1, "epc_len_words")?;
            epc(parts, epc_len)?;
            parts.number(1, "memory")?;
            parts.number(1, "first_word")?;
            parts.bytes(written_len, "written")?;
            parts.bytes(4, "password").map(drop)
        }
        opcode::WRITE_EPC => {
            let epc_len = words_at(parts, 0);
            if !fits(parts, epc_len.saturating_add(5)) {
                return Ok(());
            }
            parts.number(1, "epc_len_words")?;
            parts.bytes(4, "password")?;
            epc(parts, epc_len)
        }
        opcode::BUZZER if data_len == 3 => {
            parts.number(1, "active_time")?;
            parts.number(1, "silent_time")?;
            parts.number(1, "times").map(drop)
        }
        _ => Ok(()),
    }
}

fn epc(parts: &mut Parts<'_>, len: usize) -> Result<(), FieldsError> {
    if len > 0 { parts.bytes(len, "epc").map(drop) } else { Ok(()) }
}

fn reply_fields(parts: &mut Parts<'_>, reply: &Reply<'_>, at: Instant) -> Result<(), FieldsError> {
    match reply {
        Reply::Tags { list, .. } => tag_fields(parts, list, true, at),
        Reply::Pushed(list) => tag_fields(parts, list, false, at),
        Reply::Statistics { .. } => {
            parts.code(1, "antenna_bits")?;
            parts.number(2, "reads_per_s")?;
            parts.number(4, "reads").map(drop)
        }
        Reply::Heartbeat { antennas, .. } => {
            parts.number(4, "packet_number")?;
            parts.bytes(antennas.0.len(), "antenna_states")?;
            parts.number(4, "tags").map(drop)
        }
        Reply::Info(info) => info_fields(parts, info),
        Reply::WorkMode { parameters, .. } => {
            parts.number(1, "mode")?;
            if parameters.0.len() >= 5 { real_time_fields(parts) } else { Ok(()) }
        }
        Reply::ScanMode { .. } => {
            parts.bytes(4, "wiegand")?;
            scan_mode_fields(parts)?;
            parts.number(1, "eas_accuracy")?;
            parts.number(1, "syris_offset_ms").map(drop)
        }
        Reply::Pins(_) => parts.code(1, "pins").map(drop),
        Reply::Temperature { plus, degrees } => {
            let celsius = celsius(*plus, *degrees);
            parts.field(2, "celsius", |_| Value::Number(i64::from(celsius))).map(drop)
        }
        Reply::ReturnLoss(_) => parts.number(1, "return_loss_db").map(drop),
        Reply::SerialNumber(_) => parts.code(4, "serial_number").map(drop),
        Reply::Refused { status: Status::TAG_ERROR, data, .. } if data.0.len() == 1 => parts
            .field(1, "tag_error", |bytes| Value::Text(tag_error_name(bytes[0]).to_owned()))
            .map(drop),
        Reply::Done { .. } | Reply::Refused { .. } => Ok(()),
    }
}

/// What operation 92 says, with its sign.
pub(super) fn celsius(plus: u8, degrees: u8) -> i16 {
    if plus == 0 { -i16::from(degrees) } else { i16::from(degrees) }
}

fn info_fields(parts: &mut Parts<'_>, info: &ReaderInfo<'_>) -> Result<(), FieldsError> {
    parts.number(1, "firmware_version")?;
    parts.number(1, "firmware_sub_version")?;
    parts.code(1, "reader_type")?;
    parts.code(1, "tag_protocols")?;
    frequency_fields(parts)?;
    parts.number(1, "power_dbm")?;
    if info.scan_time.is_some() {
        scan_time(parts)?;
    }
    for name in ["antennas", "beep", "output", "antenna_check"].into_iter().take(info.more.0.len())
    {
        parts.code(1, name)?;
    }
    Ok(())
}

fn tag_fields(
    parts: &mut Parts<'_>,
    list: &TagList<'_>,
    counted: bool,
    at: Instant,
) -> Result<(), FieldsError> {
    let antenna = list.antenna_byte().map(|byte| antenna_of_byte(byte, false));
    if let Some(antenna) = antenna {
        parts.field(1, "antenna", |_| Value::Number(i64::from(antenna)))?;
    }
    if counted {
        parts.number(1, "tags")?;
    }
    for block in list.tags() {
        if counted || list.dialect() == Dialect::New288 {
            parts.code(1, "len_and_flags")?;
        }
        epc(parts, block.epc.0.len())?;
        if let Some(tid) = block.tid {
            parts.bytes(tid.0.len(), "tid")?;
        }
        if block.rssi_raw.is_some() {
            parts.number(1, "rssi_raw")?;
        }
        if block.phase_raw.is_some() {
            parts.code(4, "phase_raw")?;
            parts.number(3, "frequency_khz")?;
        }
        if let Some(read) = tag_read(&block, antenna, at) {
            parts.tag(read);
        }
    }
    Ok(())
}
