//! Operation codes, the third byte of a frame. The setter of a thing is its reader plus 30 hex.

/// Version of the running firmware.
pub const VERSION: u8 = 0x03;
/// Start the application; unsolicited, the module has just booted it.
pub const BOOT_FIRMWARE: u8 = 0x04;
/// Change the line's rate.
pub const SET_BAUD: u8 = 0x06;
/// Which program runs: boot loader or application.
pub const CURRENT_PROGRAM: u8 = 0x0C;
/// Read tags for a time, or one record of a continuous read.
pub const READ_MULTIPLE: u8 = 0x22;
/// Start or stop a continuous read.
pub const STREAM: u8 = 0x2F;
/// Which antennas are configured.
pub const ANTENNAS: u8 = 0x61;
/// How much power is used for reading.
pub const READ_POWER: u8 = 0x62;
/// Which tag protocol is used.
pub const PROTOCOL: u8 = 0x63;
/// Which radio region is set.
pub const REGION: u8 = 0x67;
/// The value of a reader configuration key.
pub const READER_CONFIG: u8 = 0x6A;
/// Set the antennas to use.
pub const SET_ANTENNAS: u8 = 0x91;
/// Set the power for reading.
pub const SET_READ_POWER: u8 = 0x92;
/// Set the tag protocol.
pub const SET_PROTOCOL: u8 = 0x93;
/// Set the radio region.
pub const SET_REGION: u8 = 0x97;
/// Set a reader configuration key.
pub const SET_READER_CONFIG: u8 = 0x9A;
