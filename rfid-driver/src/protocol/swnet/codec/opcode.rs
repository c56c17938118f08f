//! Command codes.

/// Declares the codes once, as constants and as names.
macro_rules! opcodes {
    ($($code:literal $constant:ident $name:literal;)*) => {
        $(#[doc = concat!("Code ", stringify!($code), ": ", $name, ".")]
        pub const $constant: u8 = $code;)*

        /// What the code means; `None` where the manual does not know it.
        #[must_use]
        pub fn name(code: u8) -> Option<&'static str> {
            match code {
                $($code => Some($name),)*
                _ => None,
            }
        }
    };
}

// UHF RFID Reader User's Manual V2.0, chapter 4.
opcodes! {
    0x01 INVENTORY "inventory";
    0x02 READ_MEMORY "read tag memory";
    0x03 WRITE_MEMORY "write tag memory";
    0x10 SYSTEM "system parameters";
    0x20 DEVICE "device parameters";
    0x21 SET_DEVICE "set device parameters";
    0x22 RESET_DEVICE "default device parameters";
    0x23 PARAMETER "device parameter";
    0x24 SET_PARAMETER "set device parameter";
    0x26 NETWORK "network parameters";
    0x27 SET_NETWORK "set network parameters";
    0x28 RESET_NETWORK "default network parameters";
    0x2B TIME "time";
    0x2C SET_TIME "set time";
    0x2E SPECIAL "special parameters";
    0x2F SET_SPECIAL "set special parameters";
    0x3E FREQUENCY "frequency";
    0x3F SET_FREQUENCY "set frequency";
    0x40 STOP_READ "stop read";
    0x41 START_READ "start read";
    0x45 ACTIVE_DATA "active data";
    0x85 CLOSE_RELAY "close relay";
    0x86 RELEASE_RELAY "release relay";
    0xE0 CHECK_MODULE "check module";
    0xE1 CHECK_ANTENNAS "check antennas";
    0xFF HEARTBEAT "heartbeat";
}
