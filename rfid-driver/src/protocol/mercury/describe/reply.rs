//! A reader's frame, field by field.

use super::command::{moduletech, protocol_parameter};
use super::{
    Parts, config_key_name, direction_name, level_name, power_mode_name, program_name,
    protocol_name, record, region_name, yes_no,
};
use crate::codec::{Fields, FieldsError};
use crate::protocol::mercury::codec::{
    Answer, Entry, Found, FoundTags, Frame, KIND_END, KIND_STATUS, KIND_TAG, MULTISELECT,
    MeaningError, Moduletech, Reply, SEARCH_STATUS, Status, opcode, stream_record_kind, take_flag,
};

/// A few words for what the frame says.
pub(super) fn kind(frame: Frame<'_>) -> Result<&'static str, MeaningError> {
    Ok(match Reply::parse(frame)? {
        Reply::Tag(_) => "tag record",
        Reply::KeepAlive { .. } => "keep-alive",
        Reply::StreamNote { data } => match stream_record_kind(data.0) {
            Some(KIND_END) => "end record",
            Some(KIND_STATUS) => "status record",
            Some(_) | None => "record of an unknown kind",
        },
        Reply::StreamStarted => "continuous read started",
        Reply::StreamStopped => "continuous read stopped",
        Reply::Refused { status: Status::NO_TAGS, .. } => "no tags found",
        Reply::Refused { .. } => "refusal",
        Reply::Done { opcode, data } => match Answer::parse(opcode, data.0) {
            Some(Answer::Moduletech(extension)) => moduletech_kind(&extension),
            Some(Answer::SilionTag(_)) => "tag record",
            Some(Answer::SilionHeartbeat { .. }) => "keep-alive",
            Some(Answer::AntennasDetected { .. }) => "detected antennas",
            Some(Answer::TagBufferCount { .. }) => "tag buffer count",
            Some(Answer::HopTime { .. }) => "hop time",
            Some(_) | None => opcode::answer_name(opcode).unwrap_or("unknown answer"),
        },
        reply @ (Reply::Version(_) | Reply::Booted(_) | Reply::Program(_)) => match reply {
            Reply::Version(_) => "version",
            Reply::Booted(_) => "firmware booted",
            _ => "current program",
        },
    })
}

fn moduletech_kind(extension: &Moduletech<'_>) -> &'static str {
    match extension.subcommand {
        0xAA48 | 0xAA58 => "continuous read started",
        0xAA49 | 0xAA59 => "continuous read stopped",
        _ => "extension of silion",
    }
}

pub(super) fn fields(
    parts: &mut Parts<'_>,
    frame: Frame<'_>,
    status: Status,
) -> Result<(), MeaningError> {
    match Reply::parse(frame)? {
        Reply::Tag(tag) => record::streamed(parts, &tag)?,
        Reply::KeepAlive { data } => keep_alive(parts, data.0)?,
        Reply::StreamNote { data } => note(parts, data.0)?,
        Reply::StreamStarted | Reply::StreamStopped => {
            parts.named(1, "action", |action| match action {
                0x01 => Some("start"),
                0x02 => Some("stop"),
                _ => None,
            })?;
        }
        Reply::Version(_) | Reply::Booted(_) => {
            for name in ["boot_loader", "hardware", "firmware_date", "firmware", "protocols"] {
                parts.code(4, name)?;
            }
        }
        Reply::Program(_) => parts.named(1, "program", program_name)?,
        Reply::Done { opcode, data } => match Answer::parse(opcode, data.0) {
            Some(answer) => answer_fields(parts, &answer)?,
            None => other_fields(parts, opcode, data.0)?,
        },
        Reply::Refused { data, .. } => refusal(parts, status, data.0)?,
    }
    Ok(())
}

/// A sign of life; from the 1.37 firmware with the head of a record and the time.
fn keep_alive(parts: &mut Parts<'_>, data: &[u8]) -> Result<(), FieldsError> {
    let head_len = if data.first() == Some(&MULTISELECT) { 7 } else { 6 };
    if data.len() == head_len + 4 {
        record::head(parts)?;
        parts.number(4, "elapsed_ms")?;
    }
    Ok(())
}

/// A record of a continuous read that carries no tag.
fn note(parts: &mut Parts<'_>, data: &[u8]) -> Result<(), FieldsError> {
    record::head(parts)?;
    let flags_at = usize::from(data.first() == Some(&MULTISELECT)) + 1;
    let search_flags = match data.get(flags_at..flags_at + 2) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    match stream_record_kind(data) {
        Some(KIND_END) => end_of_stream(parts),
        Some(KIND_STATUS) if search_flags & SEARCH_STATUS != 0 => stream_status(parts),
        Some(KIND_STATUS) => entries(parts),
        Some(KIND_TAG | _) | None => Ok(()),
    }
}

fn end_of_stream(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    let len = parts.data().len();
    if matches!(len, 4 | 10) {
        parts.number(4, "tags_found")?;
    }
    if len == 10 {
        embedded_outcome(parts)?;
    }
    Ok(())
}

fn embedded_outcome(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    parts.number(1, "embedded_count")?;
    parts.named(1, "embedded_opcode", |code| {
        u8::try_from(code).ok().and_then(opcode::request_name)
    })?;
    parts.number(2, "embedded_succeeded")?;
    parts.number(2, "embedded_failed")?;
    Ok(())
}

/// The reader's state as a continuous read reports it: frequency, temperature, antenna, as far as
/// the flags say (`tm_reader.h`, `TMR_SR_StatusType`).
fn stream_status(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    const FREQUENCY: u16 = 0x0002;
    const TEMPERATURE: u16 = 0x0004;
    const ANTENNA: u16 = 0x0008;
    let &[high, low, ref rest @ ..] = parts.data() else { return Ok(()) };
    let flags = u16::from_be_bytes([high, low]);
    let on = |flag| flags & flag != 0;
    let len = 3 * usize::from(on(FREQUENCY))
        + usize::from(on(TEMPERATURE))
        + 2 * usize::from(on(ANTENNA));
    if flags & !(FREQUENCY | TEMPERATURE | ANTENNA) != 0 || rest.len() != len {
        return Ok(());
    }
    parts.code(2, "status_flags")?;
    if on(FREQUENCY) {
        parts.number(3, "frequency_khz")?;
    }
    if on(TEMPERATURE) {
        parts.signed("temperature_celsius")?;
    }
    if on(ANTENNA) {
        parts.number(1, "transmit_port")?;
        parts.number(1, "receive_port")?;
    }
    Ok(())
}

/// Statistics, entry by entry.
fn entries(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    while let Ok(entry) = Entry::take(&mut Fields(parts.data())) {
        parts.code(entry.flag_len, "statistic_flag")?;
        parts.number(1, "statistic_len")?;
        let figure_len = entry.figure_len().filter(|len| entry.value.len().is_multiple_of(*len));
        let Some(figure_len) = figure_len else {
            if !entry.value.is_empty() {
                parts.bytes(entry.value.len(), "statistic")?;
            }
            continue;
        };
        for _ in 0..entry.value.len() / figure_len {
            figure(parts, entry.flag)?;
        }
    }
    Ok(())
}

fn figure(parts: &mut Parts<'_>, flag: u16) -> Result<(), FieldsError> {
    match flag {
        0x0001 => {
            parts.number(1, "port")?;
            parts.number(4, "radio_on_time_ms")?;
        }
        0x0040 => {
            parts.number(1, "transmit_port")?;
            parts.number(1, "receive_port")?;
            parts.signed("noise_floor_dbm")?;
        }
        0x0080 => parts.number(3, "frequency_khz")?,
        0x0100 => parts.signed("temperature_celsius")?,
        0x0200 => {
            parts.number(1, "transmit_port")?;
            parts.number(1, "receive_port")?;
        }
        0x0400 => parts.named(1, "protocol", protocol_name)?,
        _ => {
            parts.number(1, "port")?;
            parts.named(1, "connected", yes_no)?;
        }
    }
    Ok(())
}

fn answer_fields(parts: &mut Parts<'_>, answer: &Answer<'_>) -> Result<(), FieldsError> {
    match answer {
        Answer::Single(tag) => record::single(parts, tag)?,
        Answer::Found(found) => found_fields(parts, found)?,
        Answer::TagBufferCount { .. } => {
            parts.number(2, "read_index")?;
            parts.number(2, "write_index")?;
        }
        Answer::TagBuffer(buffer) => record::buffer(parts, buffer)?,
        Answer::SilionTag(tag) => record::silion(parts, tag)?,
        Answer::Moduletech(extension) => moduletech(parts, extension)?,
        Answer::SilionHeartbeat { data } => {
            parts.text(4, "marker")?;
            if data.0.len() >= 2 {
                parts.code(2, "search_flags")?;
            }
            parts.rest("state")?;
        }
        Answer::Statistics(_) => {
            parts.code(1, "option")?;
            let before = parts.data().len();
            let mut fields = Fields(parts.data());
            take_flag(&mut fields)?;
            parts.code(before - fields.0.len(), "statistics_flags")?;
            entries(parts)?;
        }
        answer => setting_fields(parts, answer)?,
    }
    Ok(())
}

fn found_fields(parts: &mut Parts<'_>, found: &Found) -> Result<(), FieldsError> {
    if found.multiselect {
        parts.code(1, "multiselect")?;
    }
    parts.code(1, "option")?;
    parts.code(2, "search_flags")?;
    match found.tags {
        FoundTags::Few(_) => parts.number(1, "tags_found")?,
        FoundTags::Many(_) => parts.number(4, "tags_found")?,
    };
    match found.embedded {
        None => Ok(()),
        Some(_) => embedded_outcome(parts),
    }
}

/// The answers that say what something is set to.
fn setting_fields(parts: &mut Parts<'_>, answer: &Answer<'_>) -> Result<(), FieldsError> {
    match answer {
        Answer::AntennasDetected { .. } => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "port")?;
                parts.named(1, "detected", yes_no)?;
            }
        }
        Answer::Power { limits, .. } => {
            parts.code(1, "option")?;
            parts.number(2, "power_cdbm")?;
            if limits.is_some() {
                parts.number(2, "power_max_cdbm")?;
                parts.number(2, "power_min_cdbm")?;
            }
        }
        Answer::Protocol { .. } => parts.named(2, "protocol", protocol_name)?,
        Answer::HopTable { .. } => {
            while !parts.is_at_end() {
                parts.number(4, "frequency_khz")?;
            }
        }
        Answer::HopTime { .. } => {
            parts.code(1, "option")?;
            parts.number(4, "hop_time_ms")?;
        }
        Answer::Pins { .. } => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "pin")?;
                parts.named(1, "direction", direction_name)?;
                parts.named(1, "level", level_name)?;
            }
        }
        Answer::Region { .. } => parts.named(1, "region", region_name)?,
        Answer::PowerMode { .. } => parts.named(1, "power_mode", power_mode_name)?,
        Answer::ReaderConfig { value, .. } => {
            parts.code(1, "option")?;
            parts.named(1, "key", config_key_name)?;
            if (1..=4).contains(&value.0.len()) {
                parts.number(value.0.len(), "value")?;
            }
        }
        Answer::ProtocolParameter { .. } => {
            protocol_parameter(parts)?;
            parts.rest("value")?;
        }
        Answer::AvailableProtocols { .. } => {
            while !parts.is_at_end() {
                parts.named(2, "protocol", protocol_name)?;
            }
        }
        Answer::AvailableRegions { .. } => {
            while !parts.is_at_end() {
                parts.named(1, "region", region_name)?;
            }
        }
        Answer::Temperature { .. } => parts.signed("temperature_celsius")?,
        Answer::Single(_)
        | Answer::Found(_)
        | Answer::TagBufferCount { .. }
        | Answer::TagBuffer(_)
        | Answer::SilionTag(_)
        | Answer::Moduletech(_)
        | Answer::SilionHeartbeat { .. }
        | Answer::Statistics(_) => {}
    }
    Ok(())
}

/// Forms that the codec passes through, as far as they are known; the rest is shown as it is.
fn other_fields(parts: &mut Parts<'_>, opcode: u8, data: &[u8]) -> Result<(), FieldsError> {
    match (opcode, data) {
        (opcode::ANTENNAS, [_, _]) => {
            parts.number(1, "transmit_port")?;
            parts.number(1, "receive_port")?;
        }
        (opcode::ANTENNAS, [0x01, _, _, ..]) => {
            parts.code(1, "option")?;
            parts.number(1, "transmit_port")?;
            parts.number(1, "receive_port")?;
        }
        (opcode::ANTENNAS, [0x02, pairs @ ..]) if pairs.len().is_multiple_of(2) => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "transmit_port")?;
                parts.number(1, "receive_port")?;
            }
        }
        (opcode::ANTENNAS, [0x03, powers @ ..]) if powers.len().is_multiple_of(5) => {
            parts.code(1, "option")?;
            port_powers(parts, None)?;
        }
        (opcode::ANTENNAS, [0x04, powers @ ..]) if powers.len().is_multiple_of(7) => {
            parts.code(1, "option")?;
            port_powers(parts, Some("settling_time_us"))?;
        }
        (opcode::ANTENNAS, [0x06, losses @ ..]) if losses.len().is_multiple_of(2) => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "port")?;
                parts.number(1, "return_loss_db")?;
            }
        }
        (opcode::ANTENNAS, [0x07, times @ ..]) if times.len().is_multiple_of(3) => {
            parts.code(1, "option")?;
            while !parts.is_at_end() {
                parts.number(1, "port")?;
                parts.number(2, "on_time_ms")?;
            }
        }
        (opcode::INPUTS, [_, ..]) => {
            while !parts.is_at_end() {
                parts.named(1, "level", level_name)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The power of each port, and what may come with it.
pub(super) fn port_powers(
    parts: &mut Parts<'_>,
    third: Option<&'static str>,
) -> Result<(), FieldsError> {
    while !parts.is_at_end() {
        parts.number(1, "port")?;
        parts.number(2, "read_power_cdbm")?;
        parts.number(2, "write_power_cdbm")?;
        if let Some(name) = third {
            parts.number(2, name)?;
        }
    }
    Ok(())
}

/// What comes with a failure. An assertion names the place in the firmware's source.
fn refusal(parts: &mut Parts<'_>, status: Status, data: &[u8]) -> Result<(), FieldsError> {
    if status == Status::ASSERTION && data.len() > 4 {
        parts.number(4, "line")?;
        let len = parts.data().len();
        parts.text(len, "source_file")?;
    }
    Ok(())
}
