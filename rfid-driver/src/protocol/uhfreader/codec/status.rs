//! What a reader answers about how it went.

use std::fmt;

/// The status of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

/// Declares the known codes once, as constants and as names.
macro_rules! statuses {
    ($($code:literal $constant:ident $name:literal;)*) => {
        impl Status {
            $(#[doc = concat!("Status ", stringify!($code), ": ", $name, ".")]
            pub const $constant: Self = Self($code);)*

            /// What the code means; `None` where it is not in the vendor's lists.
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

// UHFReader18 manual V2.0 chapter 5; UHFReader288MP manual V1.14 chapter 5 and 8.2.1, V2.20 8.4.22.
statuses! {
    0x00 SUCCESS "success";
    0x01 INVENTORY_DONE "inventory done";
    0x02 INVENTORY_TIMEOUT "inventory ended by its scan time";
    0x03 INVENTORY_MORE "more tags follow in another frame";
    0x04 INVENTORY_MEMORY_FULL "inventory ended by full memory";
    0x05 ACCESS_PASSWORD "wrong access password";
    0x09 KILL_FAILED "kill failed";
    0x0A KILL_PASSWORD_ZERO "kill password is zero";
    0x0B TAG_LACKS_COMMAND "tag does not support the command";
    0x0C ACCESS_PASSWORD_ZERO "access password is zero";
    0x0D TAG_PROTECTED "tag is protected already";
    0x0E TAG_NOT_PROTECTED "tag is not protected";
    0x10 BYTES_LOCKED_6B "6B: bytes are locked";
    0x11 LOCK_FAILED_6B "6B: lock failed";
    0x12 LOCKED_ALREADY_6B "6B: locked already";
    0x13 SAVE_FAILED "parameter could not be saved";
    0x14 POWER_NOT_ADJUSTABLE "power cannot be adjusted";
    0x15 INVENTORY_DONE_6B "6B: inventory done";
    0x16 INVENTORY_TIMEOUT_6B "6B: inventory ended by its scan time";
    0x17 INVENTORY_MORE_6B "6B: more tags follow in another frame";
    0x18 INVENTORY_MEMORY_FULL_6B "6B: inventory ended by full memory";
    0x19 NOT_SUPPORTED_OR_PASSWORD "not supported, or the access password is zero";
    0x1A TAG_CUSTOM_FUNCTION "tag's custom function failed";
    0x26 STATISTICS "statistics of an inventory";
    0x28 HEARTBEAT "heartbeat";
    0xEE EAS_ALARM "EAS alarm";
    0xF8 ANTENNA "antenna error";
    0xF9 EXECUTION "command could not be executed";
    0xFA POOR_COMMUNICATION "poor communication with the tag";
    0xFB NO_TAG "no tag";
    0xFC TAG_ERROR "tag returned an error code";
    0xFD WRONG_LENGTH "wrong length of command";
    0xFE ILLEGAL_COMMAND "illegal command or bad check";
    0xFF PARAMETER "wrong parameter";
}

impl Status {
    /// Whether the reply lists what an inventory has found so far.
    #[must_use]
    pub fn lists_tags(self) -> bool {
        (Self::INVENTORY_DONE.0..=Self::INVENTORY_MEMORY_FULL.0).contains(&self.0)
    }

    /// Whether the command was refused or failed.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self.0, 0x05..=0x14 | 0x19 | 0x1A | 0xF8..=0xFF)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x} ({})", self.0, self.name().unwrap_or("not in the list"))
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a tag's own error code means, as it follows status FC (EPC Gen2 v2.1, annex I).
pub(in crate::protocol::uhfreader) fn tag_error_name(code: u8) -> &'static str {
    match code {
        0x00 => "other error",
        0x03 => "memory overrun",
        0x04 => "memory locked",
        0x0B => "too little power",
        0x0F => "non-specific error",
        _ => "not in the list",
    }
}
