//! Command codes, the third byte of a frame. An answer repeats the code of its command, with few
//! exceptions that are named here.

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

// R200 user protocol V2.3.3, chapter 35; M5Stack Unit RFID UHF Protocol, chapter 3.
opcodes! {
    0x03 INFO "module information";
    0x04 IDLE "idle mode";
    0x07 SET_REGION "set region";
    0x08 REGION "region";
    0x0B SELECT "select parameters";
    0x0C SET_SELECT "set select parameters";
    0x0D QUERY "query parameters";
    0x0E SET_QUERY "set query parameters";
    0x11 SET_BAUD "set baud rate";
    0x12 SET_SELECT_MODE "set select mode";
    0x17 SLEEP "sleep";
    0x1A PIN "pin";
    0x1D SET_IDLE_SLEEP "set idle sleep time";
    0x22 SINGLE_POLL "single poll";
    0x27 MULTI_POLL "multi poll";
    0x28 STOP_POLL "stop poll";
    0x39 READ_MEMORY "read tag memory";
    0x49 WRITE_MEMORY "write tag memory";
    0x65 KILL "kill tag";
    0x82 LOCK "lock tag";
    0xA9 INSERT_CHANNELS "insert channels";
    0xAA CHANNEL "channel";
    0xAB SET_CHANNEL "set channel";
    0xAD SET_HOPPING "set frequency hopping";
    0xB0 SET_CARRIER "set continuous carrier";
    0xB6 SET_POWER "set transmit power";
    0xB7 POWER "transmit power";
    0xD3 BLOCK_PERMALOCK "block permalock";
    0xD4 BLOCK_PERMALOCK_DONE "block permalock written";
    0xE0 NXP_CHANGE_CONFIG "nxp change config";
    0xE1 NXP_READ_PROTECT "nxp read protect";
    0xE2 NXP_READ_PROTECT_RESET "nxp read protect reset";
    0xE3 NXP_CHANGE_EAS "nxp change eas";
    0xE4 NXP_EAS_ALARM "nxp eas alarm";
    0xE5 MONZA_QT "impinj monza qt";
    0xE6 MONZA_QT_DONE "impinj monza qt written";
    0xF0 SET_DEMODULATOR "set demodulator";
    0xF1 DEMODULATOR "demodulator";
    0xF2 SCAN_JAMMER "scan jammer";
    0xF3 SCAN_RSSI "scan channel rssi";
    0xFF FAILED "refusal";
}
