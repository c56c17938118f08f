//! The commands by name, and which lengths of payload each has in which direction.

use crate::codec::Direction;

/// Declares each command once: code, constant, name.
macro_rules! opcodes {
    ($($code:literal $constant:ident $name:literal;)*) => {
        $(#[doc = concat!("Command ", stringify!($code), ": ", $name, ".")]
        pub const $constant: u8 = $code;)*

        /// What the command is called; `None` where no reader knows it.
        #[must_use]
        pub fn name(opcode: u8) -> Option<&'static str> {
            match opcode {
                $($code => Some($name),)*
                _ => None,
            }
        }
    };
}

// "UHF RFID Reader Serial Interface Protocol" V3.7, comprehensive command table; 6C, 6D, 94, 95,
// 97, 98: the vendor's C# development kit.
opcodes! {
    0x60 READ_GPIO "read gpio";
    0x61 WRITE_GPIO "write gpio";
    0x62 SET_DETECTOR "set antenna detector";
    0x63 DETECTOR "get antenna detector";
    0x66 SET_TEMPORARY_POWER "set temporary power";
    0x67 SET_IDENTIFIER "set identifier";
    0x68 IDENTIFIER "get identifier";
    0x69 SET_PROFILE "set rf profile";
    0x6A PROFILE "get rf profile";
    0x6C SET_ANTENNA_GROUP "set antenna group";
    0x6D ANTENNA_GROUP "get antenna group";
    0x70 RESET "reset";
    0x71 SET_BAUD "set baud rate";
    0x72 VERSION "get firmware version";
    0x73 SET_ADDRESS "set address";
    0x74 SET_ANTENNA "set work antenna";
    0x75 ANTENNA "get work antenna";
    0x76 SET_POWER "set power";
    0x77 POWER "get power";
    0x78 SET_REGION "set region";
    0x79 REGION "get region";
    0x7A SET_BEEPER "set beeper";
    0x7B TEMPERATURE "get temperature";
    0x7C SET_DENSE_MODE "set dense reader mode";
    0x7D DENSE_MODE "get dense reader mode";
    0x7E RETURN_LOSS "get return loss";
    0x80 INVENTORY "buffered inventory";
    0x81 READ "read tag";
    0x82 WRITE "write tag";
    0x83 LOCK "lock tag";
    0x84 KILL "kill tag";
    0x85 SET_MATCH "set epc match";
    0x86 MATCH "get epc match";
    0x89 REAL_TIME "real-time inventory";
    0x8A FAST_SWITCH "fast-switch antenna inventory";
    0x8B SESSION "session and target inventory";
    0x8C SET_FAST_TID "set fast tid";
    0x8D SAVE_FAST_TID "set and save fast tid";
    0x8E FAST_TID "get fast tid";
    0x90 BUFFER "get buffer";
    0x91 TAKE_BUFFER "get and reset buffer";
    0x92 BUFFER_COUNT "get buffer count";
    0x93 RESET_BUFFER "reset buffer";
    0x94 BLOCK_WRITE "block write tag";
    0x95 BUFFER_INTERVAL "get buffer frame interval";
    0x97 POWER_EIGHT "get power of eight ports";
    0x98 TAG_SELECT "tag select";
    0xB0 INVENTORY_6B "6b inventory";
    0xB1 READ_6B "6b read tag";
    0xB2 WRITE_6B "6b write tag";
    0xB3 LOCK_6B "6b lock tag";
    0xB4 QUERY_LOCK_6B "6b query lock";
}

/// Whether the command ever has a payload of so many bytes in this direction.
#[must_use]
pub fn has_payload_len(opcode: u8, direction: Direction, len: usize) -> bool {
    match direction {
        Direction::FromHost => command_has_len(opcode, len),
        Direction::FromReader => reply_has_len(opcode, len),
    }
}

fn command_has_len(opcode: u8, len: usize) -> bool {
    match opcode {
        READ_GPIO | DETECTOR | IDENTIFIER | PROFILE | ANTENNA_GROUP | RESET | VERSION | ANTENNA
        | POWER | REGION | TEMPERATURE | DENSE_MODE | MATCH | FAST_TID | BUFFER | TAKE_BUFFER
        | BUFFER_COUNT | RESET_BUFFER | BUFFER_INTERVAL | POWER_EIGHT | INVENTORY_6B => len == 0,
        SET_DETECTOR | SET_TEMPORARY_POWER | SET_PROFILE | SET_ANTENNA_GROUP | SET_BAUD
        | SET_ADDRESS | SET_ANTENNA | SET_BEEPER | SET_DENSE_MODE | RETURN_LOSS | INVENTORY
        | REAL_TIME | SET_FAST_TID | SAVE_FAST_TID => len == 1,
        WRITE_GPIO => len == 2,
        SET_IDENTIFIER => len == 12,
        SET_POWER => matches!(len, 1..=4 | 8 | 16),
        SET_REGION => matches!(len, 3 | 6),
        // With and without the password.
        READ => matches!(len, 3 | 7),
        WRITE | BLOCK_WRITE => len >= 9 && !len.is_multiple_of(2),
        LOCK => len == 6,
        KILL => len == 4,
        SET_MATCH => matches!(len, 1..=64),
        // Pairs for 4, 8 or 16 antennas; then interval and repeat, or the extended form.
        FAST_SWITCH => matches!(len, 10 | 18 | 34 | 21 | 29 | 45),
        SESSION => matches!(len, 3..=6),
        TAG_SELECT => matches!(len, 1 | 7..=39),
        READ_6B => len == 10,
        WRITE_6B => matches!(len, 11..=250),
        LOCK_6B | QUERY_LOCK_6B => len == 9,
        _ => false,
    }
}

fn reply_has_len(opcode: u8, len: usize) -> bool {
    // Any command can be refused with one byte.
    let of_success = match opcode {
        READ_GPIO => matches!(len, 2 | 4),
        IDENTIFIER => len == 12,
        VERSION => matches!(len, 2 | 3),
        POWER | POWER_EIGHT => matches!(len, 1..=4 | 8 | 16),
        REGION => matches!(len, 3 | 6),
        TEMPERATURE | BUFFER_COUNT => len == 2,
        INVENTORY => len == 9,
        READ => len >= 10,
        WRITE | BLOCK_WRITE | LOCK | KILL | BUFFER | TAKE_BUFFER => {
            matches!(len, 10..=134)
        }
        MATCH => matches!(len, 2..=64),
        // The failure of one antenna, the end of a round, or a tag.
        REAL_TIME | FAST_SWITCH | SESSION => {
            matches!(len, 2 | 7) || (matches!(len, 4..=68) && len.is_multiple_of(2))
        }
        TAG_SELECT => matches!(len, 8..=41),
        INVENTORY_6B => matches!(len, 2 | 9),
        READ_6B => matches!(len, 2..=225),
        WRITE_6B | LOCK_6B | QUERY_LOCK_6B => len == 2,
        _ => false,
    };
    of_success || (len == 1 && name(opcode).is_some())
}
