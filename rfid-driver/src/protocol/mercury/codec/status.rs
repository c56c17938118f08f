//! What a module answers about how it went.

use std::fmt;

/// The status of a reply. 0000 is success; the high byte is the family of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

/// Declares the known codes once, as constants and as names.
macro_rules! statuses {
    ($($code:literal $constant:ident $name:literal;)*) => {
        impl Status {
            $(#[doc = concat!("Status ", stringify!($code), ": ", $name, ".")]
            pub const $constant: Self = Self($code);)*

            /// What the code means; `None` where it is not in the vendor's list.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

// MercuryAPI C 1.35.1.43 and 1.37.4.8, tmr_status.h; M6e User Guide, appendix "Error messages".
statuses! {
    0x0000 SUCCESS "success";
    0x0100 WRONG_DATA_LENGTH "wrong number of data bytes";
    0x0101 INVALID_OPCODE "invalid opcode";
    0x0102 UNIMPLEMENTED_OPCODE "opcode not implemented";
    0x0103 POWER_TOO_HIGH "power too high";
    0x0104 INVALID_FREQUENCY "invalid frequency";
    0x0105 INVALID_VALUE "invalid parameter value";
    0x0106 POWER_TOO_LOW "power too low";
    0x0109 UNIMPLEMENTED_FEATURE "feature not implemented";
    0x010A INVALID_BAUD "invalid baud rate";
    0x010B INVALID_REGION "invalid region";
    0x010C INVALID_LICENCE "invalid licence key";
    0x0200 INVALID_IMAGE "firmware image with a bad check";
    0x0201 INVALID_IMAGE_END "firmware image with a bad end address";
    0x0300 FLASH_ERASE_PASSWORD "bad flash erase password";
    0x0301 FLASH_WRITE_PASSWORD "bad flash write password";
    0x0302 FLASH_UNDEFINED "undefined flash error";
    0x0303 FLASH_SECTOR "illegal flash sector";
    0x0304 FLASH_NOT_ERASED "flash area not erased";
    0x0305 FLASH_ILLEGAL_WRITE "write to an illegal flash sector";
    0x0306 FLASH_VERIFY "flash verification failed";
    0x0400 NO_TAGS "no tags found";
    0x0401 NO_PROTOCOL "no protocol defined";
    0x0402 INVALID_PROTOCOL "invalid protocol";
    0x0403 LOCK_FAILED "written but not locked";
    0x0404 NO_DATA_READ "no data read from the tag";
    0x0405 RADIO_OFF "radio is off; no region set";
    0x0406 WRITE_FAILED "write to the tag failed";
    0x0407 NOT_FOR_THIS_PROTOCOL "not implemented for this protocol";
    0x0408 INVALID_WRITE_DATA "invalid data for the tag";
    0x0409 INVALID_ADDRESS "invalid address in the tag";
    0x040A GENERAL_TAG_ERROR "general tag error";
    0x040B DATA_TOO_LARGE "too much data for the tag";
    0x040C INVALID_KILL_PASSWORD "invalid kill password";
    0x040E KILL_FAILED "kill failed";
    0x040F BIT_DECODING "bits could not be decoded";
    0x0410 INVALID_EPC "invalid EPC";
    0x0411 INVALID_DATA_COUNT "invalid amount of data";
    0x0413 INVALID_TAG_OPERATION "invalid operation for the tag";
    0x0420 GEN2_OTHER "tag reported another error";
    0x0423 GEN2_OVERRUN "tag memory overrun or bad protocol control word";
    0x0424 GEN2_LOCKED "tag memory locked";
    0x0425 GEN2_AUTHENTICATION "tag authentication failed";
    0x0426 GEN2_UNTRACEABLE "tag hides its memory";
    0x042B GEN2_POWER "too little power at the tag";
    0x042F GEN2_NON_SPECIFIC "tag reported a non-specific error";
    0x0430 GEN2_UNKNOWN "tag reported an unknown error";
    0x04A7 TAG_PASSWORD "tag refused the password";
    0x0500 RADIO_FREQUENCY "radio frequency invalid";
    0x0501 CHANNEL_OCCUPIED "channel occupied";
    0x0502 TRANSMITTER_ON "transmitter already on";
    0x0503 ANTENNA_NOT_CONNECTED "antenna not connected";
    0x0504 TEMPERATURE "temperature beyond its limits";
    0x0505 HIGH_RETURN_LOSS "high return loss at the antenna";
    0x0507 INVALID_ANTENNA "no such antenna configuration";
    0x0509 SUPPLY_VOLTAGE "supply voltage out of range";
    0x0600 TOO_FEW_TAGS_BUFFERED "fewer tags buffered than asked for";
    0x0601 BUFFER_FULL "tag buffer full";
    0x0602 REPEATED_TAG "tag is in the buffer already";
    0x0603 TOO_MANY_TAGS "more tags than the buffer holds";
    0x0604 PASSWORD_WANTED "tag's password wanted from the host";
    0x7F00 UNKNOWN "unknown error in the module";
    0x7F01 ASSERTION "assertion failed in the module";
}

impl Status {
    /// Whether the module could do its work.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }

    /// Whether the radio cannot work as it should though the module answers: antenna, temperature,
    /// channel, supply.
    #[must_use]
    pub fn is_radio_fault(self) -> bool {
        self.0 >> 8 == 0x05
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x} ({})", self.0, self.name().unwrap_or("not in the list"))
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
