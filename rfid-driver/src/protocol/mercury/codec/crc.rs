//! The check of a Mercury frame.
//!
//! The vendor calls it a CCITT CRC-16; it is not. `serial_reader_l3.c` shifts the data into the
//! *bottom* of the register: polynomial 1021, start FFFF, no sixteen zero bits at the end. The
//! `crc` crate only knows the augmented form, but the two differ by exactly the last two bytes: an
//! augmented register that has seen all bytes but those (with the start value that FFFF becomes,
//! 1D0F) XOR the last two bytes is what the module computes.

use crc::{CRC_16_SPI_FUJITSU, Crc};

const AUGMENTED: Crc<u16> = Crc::<u16>::new(&CRC_16_SPI_FUJITSU);

/// The check over `covered`: everything from LEN to the last byte of data.
///
/// # Panics
/// If `covered` is shorter than two bytes; LEN and OP are always there.
pub(super) fn checksum(covered: &[u8]) -> u16 {
    let Some((head, tail)) = covered.split_last_chunk::<2>() else {
        panic!("a frame covers at least LEN and OP")
    };
    AUGMENTED.checksum(head) ^ u16::from_be_bytes(*tail)
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_check_is_the_vendors_and_not_ccitt() {
        assert_eq!(checksum(&[0x00, 0x03]), 0x1D0C);
        assert_eq!(checksum(&[0x00, 0x04]), 0x1D0B);
        assert_eq!(checksum(&[0x01, 0x97, 0x02]), 0x4BBF);
    }
}
