//! The tags in a frame, field by field.

use super::{Parts, protocol_name};
use crate::codec::FieldsError;
use crate::protocol::mercury::codec::{
    EmbeddedData, MULTISELECT, SilionForm, SilionTag, SingleForm, SingleTag, TagBuffer, TagRecord,
};
use crate::protocol::mercury::session::{single_read, tag_read};

/// One tag of a continuous read.
pub(super) fn streamed(parts: &mut Parts<'_>, record: &TagRecord<'_>) -> Result<(), FieldsError> {
    head(parts)?;
    body(parts, record)?;
    parts.tag(tag_read(record, parts.at));
    Ok(())
}

/// What comes before the metadata of a record of a continuous read.
pub(super) fn head(parts: &mut Parts<'_>) -> Result<(), FieldsError> {
    if parts.data().first() == Some(&MULTISELECT) {
        parts.code(1, "multiselect")?;
    }
    parts.code(1, "option")?;
    parts.code(2, "search_flags")?;
    parts.code(2, "metadata_flags")?;
    parts.named(1, "record_kind", |kind| match kind {
        0x00 => Some("end"),
        0x01 => Some("tag"),
        0x02 => Some("status"),
        _ => None,
    })?;
    Ok(())
}

/// The tags that were in the buffer.
pub(super) fn buffer(parts: &mut Parts<'_>, buffer: &TagBuffer<'_>) -> Result<(), FieldsError> {
    parts.code(2, "metadata_flags")?;
    parts.code(1, "read_options")?;
    parts.number(1, "tag_count")?;
    for record in buffer.iter().flatten() {
        body(parts, &record)?;
        parts.tag(tag_read(&record, parts.at));
    }
    Ok(())
}

/// The tag that a single read found.
pub(super) fn single(parts: &mut Parts<'_>, tag: &SingleTag<'_>) -> Result<(), FieldsError> {
    let record = &tag.record;
    match tag.form {
        SingleForm::Bare => {}
        SingleForm::Option => parts.code(1, "option")?,
        SingleForm::Metadata => {
            if record.multiselect {
                parts.code(1, "multiselect")?;
            }
            parts.code(1, "option")?;
            parts.code(2, "metadata_flags")?;
            metadata(parts, record)?;
        }
    }
    parts.bytes(record.epc.0.len(), "epc")?;
    parts.code(2, "tag_crc")?;
    parts.tag(single_read(tag, parts.at));
    Ok(())
}

/// A tag of Silion's continuous read.
pub(super) fn silion(parts: &mut Parts<'_>, tag: &SilionTag<'_>) -> Result<(), FieldsError> {
    parts.code(2, "metadata_flags")?;
    metadata(parts, &tag.record)?;
    match tag.form {
        SilionForm::Bytes => parts.number(1, "epc_len")?,
        SilionForm::Bits => parts.number(2, "epc_bits")?,
    };
    words(parts, &tag.record)?;
    parts.tag(tag_read(&tag.record, parts.at));
    Ok(())
}

/// What a record holds after its flags.
fn body(parts: &mut Parts<'_>, record: &TagRecord<'_>) -> Result<(), FieldsError> {
    metadata(parts, record)?;
    parts.number(2, "epc_bits")?;
    words(parts, record)
}

fn metadata(parts: &mut Parts<'_>, record: &TagRecord<'_>) -> Result<(), FieldsError> {
    if record.read_count.is_some() {
        parts.number(1, "read_count")?;
    }
    if record.rssi_dbm.is_some() {
        parts.signed("rssi_dbm")?;
    }
    if record.antenna.is_some() {
        parts.code(1, "antenna")?;
    }
    if record.frequency_khz.is_some() {
        parts.number(3, "frequency_khz")?;
    }
    if record.timestamp_ms.is_some() {
        parts.number(4, "timestamp_ms")?;
    }
    if record.phase_deg.is_some() {
        parts.number(2, "phase_deg")?;
    }
    if record.protocol.is_some() {
        parts.named(1, "protocol", protocol_name)?;
    }
    match record.data {
        None => {}
        Some(EmbeddedData::Bits { bytes, .. }) => {
            parts.number(2, "data_bits")?;
            if !bytes.0.is_empty() {
                parts.bytes(bytes.0.len(), "embedded_data")?;
            }
        }
        Some(EmbeddedData::Failed(status)) => {
            parts.code(2, "data_bits")?;
            parts.status(status, "embedded_status")?;
        }
    }
    if record.gpio.is_some() {
        parts.code(1, "gpio")?;
    }
    if record.gen2_q.is_some() {
        parts.number(1, "gen2_q")?;
    }
    if record.gen2_link_frequency.is_some() {
        parts.named(1, "gen2_link_frequency", |code| match code {
            0x00 => Some("250 kHz"),
            0x02 => Some("320 kHz"),
            0x04 => Some("640 kHz"),
            _ => None,
        })?;
    }
    if record.gen2_target.is_some() {
        parts.code(1, "gen2_target")?;
    }
    if record.brand.is_some() {
        parts.code(2, "brand")?;
    }
    if let Some(tag_type) = record.tag_type {
        parts.bytes(tag_type.0.len(), "tag_type")?;
    }
    Ok(())
}

/// What the tag itself sent.
fn words(parts: &mut Parts<'_>, record: &TagRecord<'_>) -> Result<(), FieldsError> {
    if record.has_pc() {
        parts.code(2, "pc")?;
    }
    for name in ["xpc_w1", "xpc_w2"].into_iter().take(record.xpc.0.len() / 2) {
        parts.code(2, name)?;
    }
    if !record.epc.0.is_empty() {
        parts.bytes(record.epc.0.len(), "epc")?;
    }
    if record.has_crc() {
        parts.code(2, "tag_crc")?;
    }
    Ok(())
}
