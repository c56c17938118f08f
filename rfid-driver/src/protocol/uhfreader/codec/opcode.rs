//! The operations by number, with what the manuals call them and how long their answers are.

/// As long as a frame can be.
const ANY: u8 = 250;

/// Declares the operations once: number, constant, name, and how many bytes of data a success has at
/// most.
macro_rules! operations {
    ($($code:literal $constant:ident $name:literal $reply:expr;)*) => {
        $(#[doc = concat!("Operation ", stringify!($code), ": ", $name, ".")]
        pub const $constant: u8 = $code;)*

        /// What an operation is called; `None` where no manual has it.
        #[must_use]
        pub fn name(opcode: u8) -> Option<&'static str> {
            match opcode {
                $($code => Some($name),)*
                _ => None,
            }
        }

        /// How many bytes of data a success has at most; `None` where no manual has it.
        pub(super) fn reply_data_len_max(opcode: u8) -> Option<u8> {
            match opcode {
                $($code => Some($reply),)*
                _ => None,
            }
        }
    };
}

operations! {
    0x01 INVENTORY "inventory" ANY;
    0x02 READ_DATA "read tag memory" ANY;
    0x03 WRITE_DATA "write tag memory" 0;
    0x04 WRITE_EPC "write EPC" 0;
    0x05 KILL "kill tag" 0;
    0x06 LOCK "lock tag memory" 0;
    0x07 BLOCK_ERASE "erase tag block" 0;
    0x08 READ_PROTECT "read-protect tag by EPC" 0;
    0x09 READ_PROTECT_ANY "read-protect any tag" 0;
    0x0A RESET_READ_PROTECT "unlock read protection" 0;
    0x0B CHECK_READ_PROTECT "check read protection" 1;
    0x0C EAS_CONFIGURE "configure EAS of tag" 0;
    0x0D EAS_CHECK "check EAS alarm" 0;
    0x0E BLOCK_LOCK "lock tag block" 0;
    0x0F INVENTORY_SINGLE "inventory of one tag" ANY;
    0x10 BLOCK_WRITE "write tag block" 0;
    0x11 MONZA_QT "read Monza 4QT parameters" 2;
    0x12 SET_MONZA_QT "set Monza 4QT parameters" 0;
    0x15 EXTENDED_READ "read extended tag memory" ANY;
    0x16 EXTENDED_WRITE "write extended tag memory" 0;
    0x18 INVENTORY_BUFFERED "inventory into buffer" ANY;
    0x19 INVENTORY_MIXED "mixed inventory" ANY;
    0x1A INVENTORY_EPC "inventory by EPC" ANY;
    0x1B INVENTORY_QT "QT inventory" ANY;
    0x21 READER_INFO "reader information" 64;
    0x22 SET_FREQUENCY "set frequency band" 0;
    0x24 SET_ADDRESS "set reader address" 0;
    0x25 SET_SCAN_TIME "set scan time" 0;
    0x28 SET_BAUD "set baud rate" 0;
    0x2F SET_POWER "set power" 0;
    0x30 SET_RF_OUTPUT "switch RF output" 0;
    0x33 BUZZER "control LED and buzzer" 0;
    0x34 SET_WIEGAND "set Wiegand output" 0;
    0x35 SET_SCAN_MODE "set scan mode" 0;
    0x36 SCAN_MODE "scan mode" 12;
    0x37 SET_EAS_ACCURACY "set EAS accuracy" 0;
    0x38 SET_SYRIS_OFFSET "set Syris response offset" 0;
    0x3A SET_CUSTOM_FUNCTION "set tag custom function" 1;
    0x3B TRIGGER_TIME "trigger time" 1;
    0x3F SET_ANTENNAS "set antenna multiplexing" 0;
    0x40 SET_BEEP "switch buzzer" 0;
    0x46 SET_OUTPUTS "set output pins" 0;
    0x47 PINS "pins" 1;
    0x48 PULSE_RELAY "pulse relay or antenna" 0;
    0x4C SERIAL_NUMBER "serial number" 4;
    0x50 INVENTORY_SIGNAL_6B "6B: inventory of one tag" ANY;
    0x51 INVENTORY_6B "6B: inventory" ANY;
    0x52 READ_DATA_6B "6B: read" ANY;
    0x53 WRITE_DATA_6B "6B: write" 0;
    0x54 CHECK_LOCK_6B "6B: check lock" 1;
    0x55 LOCK_6B "6B: lock" 0;
    0x66 SET_ANTENNA_CHECK "set antenna check" 0;
    0x6A SET_NETWORK "set communication interface" 8;
    0x6B POWER_MODE "power mode" 1;
    0x6E ANTENNA_CHECK_THRESHOLD "return loss threshold of antenna check" 1;
    0x70 SET_BUFFER_EPC_LEN "set EPC length of buffer" 0;
    0x71 BUFFER_EPC_LEN "EPC length of buffer" 1;
    0x72 BUFFER "data of buffer" ANY;
    0x73 CLEAR_BUFFER "clear buffer" 0;
    0x74 BUFFER_COUNT "tags in buffer" 2;
    0x75 SET_REAL_TIME "set real-time inventory" 0;
    0x76 SET_WORK_MODE "set work mode" 0;
    0x77 WORK_MODE "work mode" 64;
    0x78 HEARTBEAT_TIME "heartbeat time" 1;
    0x79 SET_WRITE_POWER "set write power" 0;
    0x7A WRITE_POWER "write power" 1;
    0x7B WRITE_RETRIES "write retries" 1;
    0x7D SET_TAG_PASSWORD "set password of tag custom function" 0;
    0x7E TAG_PASSWORD "password of tag custom function" 4;
    0x7F PROFILE "radio profile" 1;
    0x90 DENSE_READER "dense reader mode" 1;
    0x91 RETURN_LOSS "return loss" 1;
    0x92 TEMPERATURE "temperature" 2;
    0x93 STOP "stop inventory" 0;
    0x94 POWER_BY_ANTENNA "power by antenna" 16;
    0x9A SELECT "select tags" 0;
    0x9F SELECT_WITH_CARRIER "select tags with carrier" 0;
    0xEA READER_CONFIG "reader configuration" ANY;
    0xEE PUSH "real-time report" ANY;
}

/// What a reply has in place of the operation where the command was not understood at all
/// (`UHFReader18` manual V2.0, 8.1).
pub const NOT_UNDERSTOOD: u8 = 0x00;

/// Whether replies to the operation list tags under status 01 to 04.
pub(super) fn lists_tags(opcode: u8) -> bool {
    matches!(
        opcode,
        INVENTORY
            | INVENTORY_SINGLE
            | INVENTORY_BUFFERED
            | INVENTORY_MIXED
            | INVENTORY_EPC
            | INVENTORY_QT
            | BUFFER
    )
}
