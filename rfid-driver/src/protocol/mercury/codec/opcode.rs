//! Operation codes, the third byte of a frame. The setter of a thing is its getter plus 30 hex.
//!
//! Source: `MercuryAPI` C 1.35.1.43 and 1.37.4.8, `serial_reader_imp.h`, `TMR_SR_OpCode`; AA from
//! Silion's "Communication Protocol".

/// Declares the operation codes once: their values, what they ask for, and what answers them.
macro_rules! opcodes {
    ($($code:literal $constant:ident $request:literal, $answer:literal;)*) => {
        $(#[doc = concat!("Operation ", stringify!($code), ": ", $request, ".")]
        pub const $constant: u8 = $code;)*

        /// What the operation asks for; `None` where it is not in the vendor's list.
        #[must_use]
        pub fn request_name(opcode: u8) -> Option<&'static str> {
            match opcode {
                $($code => Some($request),)*
                _ => None,
            }
        }

        /// What answers it; `None` where it is not in the vendor's list.
        #[must_use]
        pub fn answer_name(opcode: u8) -> Option<&'static str> {
            match opcode {
                $($code => Some($answer),)*
                _ => None,
            }
        }
    };
}

opcodes! {
    0x01 WRITE_FLASH "write flash", "flash written";
    0x02 READ_FLASH "read flash", "flash";
    0x03 VERSION "get version", "version";
    0x04 BOOT_FIRMWARE "boot firmware", "firmware booted";
    0x06 SET_BAUD "set baud rate", "baud rate set";
    0x07 ERASE_FLASH "erase flash", "flash erased";
    0x08 VERIFY_IMAGE "verify firmware image", "firmware image verified";
    0x09 BOOT_LOADER "boot the boot loader", "boot loader booted";
    0x0A MODIFY_FLASH "modify flash", "flash modified";
    0x0B SILICON_ID "get silicon id", "silicon id";
    0x0C CURRENT_PROGRAM "get current program", "current program";
    0x0D WRITE_FLASH_SECTOR "write flash sector", "flash sector written";
    0x0E SECTOR_SIZE "get sector size", "sector size";
    0x0F MODIFY_FLASH_SECTOR "modify flash sector", "flash sector modified";
    0x10 HARDWARE_VERSION "get hardware version", "hardware version";
    0x21 READ_SINGLE "read a single tag", "single tag";
    0x22 READ_MULTIPLE "read tags for a time", "tags found";
    0x23 WRITE_TAG_ID "write tag id", "tag id written";
    0x24 WRITE_TAG_DATA "write tag data", "tag data written";
    0x25 LOCK_TAG "lock tag", "tag locked";
    0x26 KILL_TAG "kill tag", "tag killed";
    0x27 PASS_THROUGH "pass bytes to the tag", "bytes of the tag";
    0x28 READ_TAG_DATA "read tag data", "tag data";
    0x29 TAG_BUFFER "get tag buffer", "tag buffer";
    0x2A CLEAR_TAG_BUFFER "clear tag buffer", "tag buffer cleared";
    0x2D WRITE_TAG_SPECIFIC "write tag by chip command", "tag written by chip command";
    0x2E ERASE_TAG_SPECIFIC "erase tag by chip command", "tag erased by chip command";
    0x2F STREAM "continuous read", "continuous read";
    0x61 ANTENNAS "get antennas", "antennas";
    0x62 READ_POWER "get read power", "read power";
    0x63 PROTOCOL "get tag protocol", "tag protocol";
    0x64 WRITE_POWER "get write power", "write power";
    0x65 HOP_TABLE "get hop table", "hop table";
    0x66 INPUTS "get pins", "pins";
    0x67 REGION "get region", "region";
    0x68 POWER_MODE "get power mode", "power mode";
    0x69 USER_MODE "get user mode", "user mode";
    0x6A READER_CONFIG "get reader configuration", "reader configuration";
    0x6B PROTOCOL_PARAMETER "get protocol parameter", "protocol parameter";
    0x6C STATISTICS "get statistics", "statistics";
    0x6D USER_PROFILE "get user profile", "user profile";
    0x70 AVAILABLE_PROTOCOLS "get available tag protocols", "available tag protocols";
    0x71 AVAILABLE_REGIONS "get available regions", "available regions";
    0x72 TEMPERATURE "get temperature", "temperature";
    0x91 SET_ANTENNAS "set antennas", "antennas set";
    0x92 SET_READ_POWER "set read power", "read power set";
    0x93 SET_PROTOCOL "set tag protocol", "tag protocol set";
    0x94 SET_WRITE_POWER "set write power", "write power set";
    0x95 SET_HOP_TABLE "set hop table", "hop table set";
    0x96 SET_OUTPUT "set pin", "pin set";
    0x97 SET_REGION "set region", "region set";
    0x98 SET_POWER_MODE "set power mode", "power mode set";
    0x99 SET_USER_MODE "set user mode", "user mode set";
    0x9A SET_READER_CONFIG "set reader configuration", "reader configuration set";
    0x9B SET_PROTOCOL_PARAMETER "set protocol parameter", "protocol parameter set";
    0x9D SET_USER_PROFILE "set user profile", "user profile set";
    0x9E SET_LICENCE "set licence key", "licence key set";
    0xAA MODULETECH "extension of silion", "extension of silion";
    0xC1 SET_FREQUENCY "set operating frequency", "operating frequency set";
    0xC3 TRANSMIT_CARRIER "transmit a carrier", "carrier transmitted";
}
