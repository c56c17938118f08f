//! What a UART hears when the other end sends at another rate.
//!
//! Not noise, but the true bits looked at in the wrong moments: a start bit, eight data bits, the
//! lowest first, and a stop bit, each sampled in the middle of where the receiver believes it to
//! be. A stop bit that is low is a framing error; in raw mode the byte is handed on all the same,
//! and the receiver waits for the line to rise before it looks for the next start.

/// Appends to `heard` what a receiver at `heard_baud` makes of `bytes` that are sent at `sent_baud`
/// one right after the other, on a line that is idle before and after. Rates within some 4 % of
/// each other do no harm. At no rate nothing is heard.
pub fn hear(bytes: &[u8], sent_baud: u32, heard_baud: u32, heard: &mut Vec<u8>) {
    if sent_baud == heard_baud {
        heard.extend_from_slice(bytes);
    } else if sent_baud > 0 && heard_baud > 0 {
        Receiver { bytes, ticks_per_sent_bit: heard_baud.into(), ticks_per_bit: sent_baud.into() }
            .receive(heard);
    }
}

/// A start bit, eight data bits, a stop bit.
const BITS_PER_BYTE: u64 = 10;
const STOP_BIT: u64 = 9;

/// Time is counted in ticks of which both kinds of bit have a whole number.
struct Receiver<'a> {
    bytes: &'a [u8],
    ticks_per_sent_bit: u64,
    ticks_per_bit: u64,
}

impl Receiver<'_> {
    fn receive(&self, heard: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(start) = self.next(Level::Low, at) {
            let middle_of = |bit: u64| start + (2 * bit + 1) * self.ticks_per_bit / 2;
            if self.level(middle_of(0)) == Level::High {
                // Shorter than half a bit: no start.
                at = middle_of(0);
                continue;
            }
            heard.push((1..STOP_BIT).fold(0, |byte, bit| {
                byte >> 1 | if self.level(middle_of(bit)) == Level::High { 0x80 } else { 0 }
            }));
            // At once where the stop bit is as it should be.
            let Some(rest) = self.next(Level::High, middle_of(STOP_BIT)) else { return };
            at = rest;
        }
    }

    /// When the line is next at this level, from `at` on.
    fn next(&self, level: Level, at: u64) -> Option<u64> {
        if self.level(at) == level {
            return Some(at);
        }
        let begins = |bit: u64| bit * self.ticks_per_sent_bit;
        // Behind the last bit the line is idle.
        (at / self.ticks_per_sent_bit + 1..=self.sent_bits())
            .map(begins)
            .find(|&edge| self.level(edge) == level)
    }

    fn sent_bits(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX).saturating_mul(BITS_PER_BYTE)
    }

    fn level(&self, at: u64) -> Level {
        let bit = at / self.ticks_per_sent_bit;
        let byte = usize::try_from(bit / BITS_PER_BYTE).ok().and_then(|at| self.bytes.get(at));
        match (byte, bit % BITS_PER_BYTE) {
            (Some(_), 0) => Level::Low,
            (Some(byte), data @ 1..STOP_BIT) if byte >> (data - 1) & 1 == 0 => Level::Low,
            (Some(_), _) | (None, _) => Level::High,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Low,
    High,
}

#[cfg(test)]
mod tests {
    use super::hear;
    use proptest::prelude::*;

    fn heard(bytes: &[u8], sent_baud: u32, heard_baud: u32) -> Vec<u8> {
        let mut heard = Vec::new();
        hear(bytes, sent_baud, heard_baud, &mut heard);
        heard
    }

    #[test]
    fn a_byte_at_half_the_rate_is_heard_with_each_bit_twice() {
        // 0x55 is low and high in turn, start bit included. In pairs, with the receiver's start and
        // stop bits marked: [0]01100110[0] 11 [0]0110011 and idle.
        assert_eq!(heard(&[0x55], 9600, 19_200), [0x66, 0xE6]);
        assert_eq!(heard(&[0xFF], 9600, 19_200), [0xFE]);
        assert_eq!(heard(&[0x00], 9600, 19_200), [0x00]);
    }

    #[test]
    fn a_line_without_a_rate_is_silent() {
        assert_eq!(heard(&[1, 2, 3], 9600, 0), []);
        assert_eq!(heard(&[1, 2, 3], 0, 9600), []);
        assert_eq!(heard(&[], 9600, 115_200), []);
    }

    proptest! {
        #[test]
        fn rates_almost_alike_do_no_harm(bytes: Vec<u8>, off_per_mille in -35_i32..=35) {
            let baud = (115_200 + 115_200 * off_per_mille / 1000).unsigned_abs();
            prop_assert_eq!(heard(&bytes, 115_200, baud), bytes);
        }

        #[test]
        fn a_wrong_rate_changes_every_frame(
            bytes in prop::collection::vec(any::<u8>(), 4..60),
            sent in prop::sample::select(vec![9600_u32, 38_400, 57_600, 115_200, 921_600]),
            at in prop::sample::select(vec![9600_u32, 38_400, 57_600, 115_200, 921_600]),
        ) {
            prop_assume!(sent != at);
            let garbage = heard(&bytes, sent, at);
            prop_assert_ne!(&garbage, &bytes);
            // No edge begins two bytes.
            prop_assert!(garbage.len() <= 5 * bytes.len());
        }
    }
}
