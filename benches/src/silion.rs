//! The same reports of tags for the crate `rfid-silion-compat`, and that crate at work on them.
//!
//! It knows the record as Silion's modules send it: with the length of the EPC in one byte, counting
//! bytes, where the others have two, counting bits.

use rfid_silion_compat::frame::{parse_reader_frame, protocol_crc16};
use rfid_silion_compat::parsers::parse_tag_epc_and_meta_data;
use rfid_silion_compat::{MetadataFlags, TagEpcAndMetaData};

/// Of a record: option, search flags, metadata flags, kind.
const RECORD_HEADER_LEN: usize = 6;
/// PC, 96 bits of EPC, and the tag's own check.
const EPC_MEMORY_LEN: u8 = 16;
const EPC_BITS_LEN: usize = 2;
const CRC_LEN: usize = 2;

/// A Mercury report of a tag with an EPC of 96 bits, in Silion's form.
#[must_use]
pub fn as_silion_sends(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame[..frame.len() - CRC_LEN].to_vec();
    let at = bytes.len() - usize::from(EPC_MEMORY_LEN) - EPC_BITS_LEN;
    bytes.splice(at..at + EPC_BITS_LEN, [EPC_MEMORY_LEN]);
    bytes[1] -= 1;
    let check = protocol_crc16(&bytes);
    bytes.extend_from_slice(&check.to_be_bytes());
    bytes
}

/// What the other crate makes of it.
#[must_use]
pub fn parsed(frame: &[u8]) -> Option<TagEpcAndMetaData> {
    let frame = parse_reader_frame(frame).ok()?;
    let flags = frame.data.get(3..5)?;
    let flags = MetadataFlags::from_raw(u16::from_be_bytes([flags[0], flags[1]]));
    parse_tag_epc_and_meta_data(flags, frame.data.get(RECORD_HEADER_LEN..)?).ok()
}
