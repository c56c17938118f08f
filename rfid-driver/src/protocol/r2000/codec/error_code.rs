//! What a reader answers about how it went.

use std::fmt;

/// The result of a command. 10 is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u8);

/// Declares the known codes once, as constants and as names.
macro_rules! codes {
    ($($code:literal $constant:ident $name:literal;)*) => {
        impl ErrorCode {
            $(#[doc = concat!("Result ", stringify!($code), ": ", $name, ".")]
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

// "UHF RFID Reader Serial Interface Protocol" V3.7, chapter 3 "Error code"; 3C and EE: `pyImpinj`.
codes! {
    0x10 SUCCESS "success";
    0x11 FAIL "failed";
    0x20 MCU_RESET "controller reset error";
    0x21 CARRIER_ON "carrier could not be switched on";
    0x22 ANTENNA_MISSING "antenna missing";
    0x23 WRITE_FLASH "flash could not be written";
    0x24 READ_FLASH "flash could not be read";
    0x25 SET_POWER "power could not be set";
    0x31 TAG_INVENTORY "tag inventory error";
    0x32 TAG_READ "tag read error";
    0x33 TAG_WRITE "tag write error";
    0x34 TAG_LOCK "tag lock error";
    0x35 TAG_KILL "tag kill error";
    0x36 NO_TAG "no tag to operate on";
    0x37 ACCESS_AFTER_INVENTORY "inventory succeeded but access failed";
    0x38 BUFFER_EMPTY "buffer is empty";
    0x3C NXP_COMMAND "custom command of the chip failed";
    0x40 PASSWORD "access failed or password wrong";
    0x41 PARAMETER "invalid parameter";
    0x42 WORD_COUNT "word count too long";
    0x43 MEMORY_BANK "memory bank out of range";
    0x44 LOCK_REGION "lock region out of range";
    0x45 LOCK_ACTION "lock action out of range";
    0x46 ADDRESS "reader address invalid";
    0x47 ANTENNA_ID "antenna out of range";
    0x48 POWER_RANGE "power out of range";
    0x49 REGION "frequency region out of range";
    0x4A BAUD "baud rate out of range";
    0x4B BEEPER_MODE "beeper mode out of range";
    0x4C MATCH_TOO_LONG "epc match too long";
    0x4D MATCH_LENGTH "epc match length wrong";
    0x4E MATCH_MODE "epc match mode invalid";
    0x4F FREQUENCY_RANGE "frequency range invalid";
    0x50 RN16 "no random number received from the tag";
    0x51 DENSE_MODE "dense reader mode invalid";
    0x52 PLL_LOCK "synthesiser does not lock";
    0x53 RADIO_CHIP "radio chip does not respond";
    0x54 POWER_NOT_REACHED "wanted power cannot be reached";
    0x55 COPYRIGHT "firmware authentication failed";
    0x56 SPECTRUM "spectrum regulation error";
    0x57 POWER_TOO_LOW "power too low";
    0xEE RETURN_LOSS "return loss could not be measured";
}

impl ErrorCode {
    /// Whether the command did what it should.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }

    /// Whether it is in the vendor's list.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.name().is_some()
    }

    /// Whether the command was wrong, so that asking again is of no use.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self.0, 0x40..=0x4F | 0x51 | 0x55)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x} ({})", self.0, self.name().unwrap_or("not in the list"))
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
