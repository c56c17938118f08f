//! The check of a frame: CRC-16/MCRF4XX over everything from LEN to the last byte of data.

use crc::{CRC_16_MCRF4XX, Crc};

const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_MCRF4XX);

/// The check over `covered`.
pub(super) fn checksum(covered: &[u8]) -> u16 {
    CRC.checksum(covered)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_check_is_that_of_a_captured_frame() {
        // "05 FF 28 00" and "04 00 21" as sent to a real reader.
        assert_eq!(checksum(&[0x05, 0xFF, 0x28, 0x00]), 0x4676);
        assert_eq!(checksum(&[0x04, 0x00, 0x21]), 0x6AD9);
    }
}
