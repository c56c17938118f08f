//! A host's frame, field by field.

use super::{
    Parts, bank_name, config_key_name, direction_name, gen2_parameter_name, level_name,
    power_mode_name, protocol_name, region_name,
};
use crate::codec::{Fields, FieldsError, Opaque};
use crate::protocol::mercury::codec::{
    Command, Frame, MULTISELECT, MeaningError, Moduletech, Operation, SEARCH_DUTY_CYCLE,
    SEARCH_EMBEDDED, SEARCH_STATISTICS, SEARCH_STATUS, SEARCH_TAGS_WANTED, StreamRequest, opcode,
    take_flag,
};

/// A few words for what the frame asks for.
pub(super) fn kind(frame: Frame<'_>) -> Result<&'static str, MeaningError> {
    Ok(match Command::parse(frame)? {
        Command::StartStream(_) => "start continuous read",
        Command::StopStream => "stop continuous read",
        Command::Other { opcode: opcode::MODULETECH, data: Opaque(data) } => {
            moduletech_kind(Moduletech::parse(data))
        }
        Command::Other { opcode, data: Opaque(data) } => other_kind(opcode, data),
        command => opcode::request_name(command.opcode()).unwrap_or("unknown command"),
    })
}

fn other_kind(opcode: u8, data: &[u8]) -> &'static str {
    match (opcode, data) {
        (opcode::STREAM, [_, _, 0x01, ..]) => "start continuous read",
        (opcode::STREAM, [_, _, 0x02, ..]) => "stop continuous read",
        (opcode::ANTENNAS, [0x05]) => "detect antennas",
        (opcode::HOP_TABLE, [0x01]) => "get hop time",
        (opcode::TAG_BUFFER, []) => "count tag buffer",
        (opcode::STATISTICS, [0x01, ..]) => "reset statistics",
        (opcode::HARDWARE_VERSION, [_, 0x40]) => "get serial number",
        _ => opcode::request_name(opcode).unwrap_or("unknown command"),
    }
}

fn moduletech_kind(extension: Option<Moduletech<'_>>) -> &'static str {
    match extension.map(|extension| extension.subcommand) {
        Some(0xAA48) => "start continuous read of silion",
        Some(0xAA49) => "stop continuous read of silion",
        Some(0xAA58) => "start continuous read of silion for many tags",
        Some(0xAA59) => "stop continuous read of silion for many tags",
        Some(_) | None => "extension of silion",
    }
}

pub(super) fn fields(parts: &mut Parts<'_>, frame: Frame<'_>) -> Result<(), MeaningError> {
    match Command::parse(frame)? {
        Command::StartStream(request) => start(parts, &request)?,
        Command::StopStream => {
            parts.number(2, "timeout_ms")?;
            parts.named(1, "action", |_| Some("stop"))?;
        }
        Command::SetBaud { .. } => parts.number(4, "baud")?,
        Command::SetRegion { .. } => parts.named(1, "region", region_name)?,
        Command::SetAntennas { .. } => {
            parts.code(1, "option")?;
            pairs(parts, "transmit_port", "receive_port")?;
        }
        Command::SetReadPower { .. } => parts.number(2, "read_power_cdbm")?,
        Command::SetProtocol { .. } => parts.named(2, "protocol", protocol_name)?,
        Command::SetReaderConfig { .. } => {
            parts.code(1, "option")?;
            parts.named(1, "key", config_key_name)?;
            parts.number(1, "value")?;
        }
        Command::ReaderConfig { .. } => {
            parts.code(1, "option")?;
            parts.named(1, "key", config_key_name)?;
        }
        Command::Other { opcode, data } => match Operation::parse(opcode, data.0) {
            Some(operation) => operation_fields(parts, &operation)?,
            None => other_fields(parts, opcode, data.0)?,
        },
        Command::Version | Command::BootFirmware | Command::CurrentProgram => {}
    }
    Ok(())
}

fn start(parts: &mut Parts<'_>, request: &StreamRequest) -> Result<(), FieldsError> {
    parts.number(2, "timeout_ms")?;
    parts.named(1, "action", |_| Some("start"))?;
    parts.named(1, "suboperation", |_| opcode::request_name(opcode::READ_MULTIPLE))?;
    parts.code(2, "protocol_search_flags")?;
    parts.named(1, "protocol", protocol_name)?;
    parts.number(1, "read_len")?;
    parts.named(1, "read_opcode", |_| opcode::request_name(opcode::READ_MULTIPLE))?;
    search(parts, request, "on_time_ms")
}

/// The arguments of a read of many tags, whose form is known.
fn search(
    parts: &mut Parts<'_>,
    request: &StreamRequest,
    on_time: &'static str,
) -> Result<(), FieldsError> {
    if parts.data().first() == Some(&MULTISELECT) {
        parts.code(1, "multiselect")?;
    }
    parts.code(1, "option")?;
    parts.code(2, "search_flags")?;
    parts.number(2, on_time)?;
    let on = |flags| request.search_flags & flags != 0;
    if on(SEARCH_DUTY_CYCLE) {
        parts.number(2, "off_time_ms")?;
    }
    parts.code(2, "metadata_flags")?;
    if on(SEARCH_STATUS | SEARCH_STATISTICS) {
        parts.code(2, "report_flags")?;
    }
    if on(SEARCH_TAGS_WANTED) {
        parts.number(4, "tags_wanted")?;
    }
    if on(SEARCH_EMBEDDED) && request.embedded.is_some() {
        parts.number(1, "embedded_count")?;
        parts.number(1, "embedded_len")?;
        parts.named(1, "embedded_opcode", |_| opcode::request_name(opcode::READ_TAG_DATA))?;
        parts.number(2, "embedded_timeout_ms")?;
        parts.code(1, "embedded_option")?;
        memory(parts)?;
    }
    Ok(())
}

/// Which part of a tag's memory.
fn memory(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.named(1, "bank", bank_name)?;
    parts.number(4, "address_words")?;
    parts.number(1, "len_words")?;
    Ok(())
}

fn pairs(
    parts: &mut Parts<'_>,
    first: &'static str,
    second: &'static str,
) -> Result<(), FieldsError> {
    while !parts.is_at_end() {
        parts.number(1, first)?;
        parts.number(1, second)?;
    }
    Ok(())
}

fn operation_fields(parts: &mut Parts<'_>, operation: &Operation<'_>) -> Result<(), FieldsError> {
    match operation {
        Operation::HardwareVersion { .. } => {
            parts.code(1, "option")?;
            parts.code(1, "field_flags")?;
        }
        Operation::ReadSingle { metadata, .. } => {
            parts.number(2, "timeout_ms")?;
            parts.code(1, "option")?;
            if metadata.is_some() {
                parts.code(2, "metadata_flags")?;
            }
        }
        Operation::ReadMultiple(request) => search(parts, request, "timeout_ms")?,
        Operation::TagBuffer { .. } => {
            parts.code(2, "metadata_flags")?;
            parts.code(1, "read_options")?;
        }
        Operation::Antennas(_) | Operation::ReadPower(_) | Operation::WritePower(_) => {
            parts.code(1, "option")?;
        }
        Operation::SetAntenna { .. } => pairs(parts, "transmit_port", "receive_port")?,
        Operation::SetWritePower { .. } => parts.number(2, "write_power_cdbm")?,
        Operation::HopTime | Operation::Pins => parts.code(1, "option")?,
        Operation::SetOutput { .. } => {
            parts.number(1, "pin")?;
            parts.named(1, "level", level_name)?;
        }
        Operation::SetPowerMode { .. } => parts.named(1, "power_mode", power_mode_name)?,
        Operation::ProtocolParameter { .. } => protocol_parameter(parts)?,
        Operation::SetProtocolParameter { .. } => {
            protocol_parameter(parts)?;
            parts.rest("value")?;
        }
        Operation::Statistics(_) => {
            parts.code(1, "option")?;
            let flags_len = parts.data().len();
            parts.code(flags_len, "statistics_flags")?;
        }
        Operation::Moduletech(extension) => moduletech(parts, extension)?,
        Operation::BootLoader
        | Operation::TagBufferCount
        | Operation::ClearTagBuffer
        | Operation::Protocol
        | Operation::HopTable
        | Operation::Region
        | Operation::PowerMode
        | Operation::AvailableProtocols
        | Operation::AvailableRegions
        | Operation::Temperature => {}
    }
    Ok(())
}

pub(super) fn protocol_parameter(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    const GEN2: u8 = 0x05;
    let is_gen2 = parts.data().first() == Some(&GEN2);
    parts.named(1, "protocol", protocol_name)?;
    parts.named(1, "key", |key| gen2_parameter_name(key).filter(|_| is_gen2))
}

/// Silion's extension, whichever way it goes.
pub(super) fn moduletech(
    parts: &mut Parts<'_>,
    extension: &Moduletech<'_>,
) -> Result<(), FieldsError> {
    parts.text(10, "marker")?;
    parts.code(2, "subcommand")?;
    let mut arguments = Fields(extension.data.0);
    let mut len = extension.data.0.len();
    if extension.subcommand == 0xAA48 && arguments.bytes(5, "head").is_ok() {
        parts.code(2, "metadata_flags")?;
        parts.code(1, "option")?;
        parts.code(2, "search_flags")?;
        len -= 5;
    }
    if len > 0 {
        parts.bytes(len, "arguments")?;
    }
    parts.code(1, "subcommand_sum")?;
    parts.code(1, "end")?;
    Ok(())
}

/// Forms that the codec passes through, as far as they are known; the rest is shown as it is.
fn other_fields(parts: &mut Parts<'_>, opcode: u8, data: &[u8]) -> Result<(), FieldsError> {
    match (opcode, data) {
        (opcode::STREAM, [_, _, _, ..]) => {
            parts.number(2, "timeout_ms")?;
            parts.named(1, "action", |action| match action {
                0x01 => Some("start"),
                0x02 => Some("stop"),
                _ => None,
            })?;
        }
        (opcode::SET_ANTENNAS, [option, rest @ ..]) => antenna_fields(parts, *option, rest.len())?,
        (opcode::SET_HOP_TABLE, [0x01, _, _, _, _]) => {
            parts.code(1, "option")?;
            parts.number(4, "hop_time_ms")?;
        }
        (opcode::SET_HOP_TABLE, [_, ..]) if data.len().is_multiple_of(4) => {
            while !parts.is_at_end() {
                parts.number(4, "frequency_khz")?;
            }
        }
        (opcode::SET_OUTPUT, [0x01, _, _, _]) => {
            parts.code(1, "option")?;
            parts.number(1, "pin")?;
            parts.named(1, "direction", direction_name)?;
            parts.named(1, "level", level_name)?;
        }
        (opcode::SET_OUTPUT, [_]) => parts.number(1, "pin")?,
        (opcode::SET_READER_CONFIG, [0x01, _, _, ..]) => {
            parts.code(1, "option")?;
            parts.named(1, "key", config_key_name)?;
            let len = parts.data().len();
            if len <= 4 {
                parts.number(len, "value")?;
            }
        }
        (opcode::SET_USER_PROFILE | opcode::USER_PROFILE, [_, _, ..]) => {
            parts.named(1, "option", |option| match option {
                0x01 => Some("save"),
                0x02 => Some("restore"),
                0x03 => Some("verify"),
                0x04 => Some("clear"),
                _ => None,
            })?;
            parts.code(1, "category")?;
            if !parts.is_at_end() {
                parts.code(1, "profile")?;
            }
        }
        (opcode::SET_FREQUENCY, [_, _, _, _]) => parts.number(4, "frequency_khz")?,
        (opcode::STATISTICS, [_, flags @ ..]) => {
            parts.code(1, "option")?;
            if take_flag(&mut Fields(flags)).is_ok() {
                let len = if flags[0] < 0x80 { 1 } else { 2 };
                parts.code(len, "statistics_flags")?;
            }
        }
        (opcode::SET_REGION | opcode::REGION, [_, ..]) => {
            parts.named(1, "region", region_name)?;
        }
        _ => read_fields(parts, opcode, data)?,
    }
    Ok(())
}

/// Which antennas to use, with what power.
fn antenna_fields(parts: &mut Parts<'_>, option: u8, len: usize) -> Result<(), FieldsError> {
    match (option, len) {
        (0x00, 2) => {
            parts.code(1, "option")?;
            pairs(parts, "transmit_port", "receive_port")?;
        }
        // The search list of the 1.37 client, one port each.
        (0x82, 1..) => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "port")?;
            }
        }
        (0x03, _) if len.is_multiple_of(5) => {
            parts.code(1, "option")?;
            super::reply::port_powers(parts, None)?;
        }
        (0x04, _) if len.is_multiple_of(7) => {
            parts.code(1, "option")?;
            super::reply::port_powers(parts, Some("settling_time_us"))?;
        }
        _ => {}
    }
    Ok(())
}

/// The same for what is done to tags.
fn read_fields(parts: &mut Parts<'_>, opcode: u8, data: &[u8]) -> Result<(), FieldsError> {
    match (opcode, data) {
        (opcode::READ_MULTIPLE, [_, _]) => parts.number(2, "timeout_ms")?,
        (opcode::READ_MULTIPLE, [0x00, _, _, _, _]) => {
            parts.code(1, "option")?;
            parts.code(2, "search_flags")?;
            parts.number(2, "timeout_ms")?;
        }
        (opcode::READ_SINGLE, [_, _]) => parts.number(2, "timeout_ms")?,
        (
            opcode::READ_SINGLE
            | opcode::WRITE_TAG_ID
            | opcode::WRITE_TAG_DATA
            | opcode::LOCK_TAG
            | opcode::KILL_TAG,
            [_, _, _, ..],
        ) => {
            parts.number(2, "timeout_ms")?;
            parts.code(1, "option")?;
        }
        (opcode::READ_TAG_DATA, [_, _, option, rest @ ..]) => {
            parts.number(2, "timeout_ms")?;
            parts.code(1, "option")?;
            match (option, rest.len()) {
                (0x00, 6) => memory(parts)?,
                (0x10, 8) => {
                    parts.code(2, "metadata_flags")?;
                    memory(parts)?;
                }
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}
