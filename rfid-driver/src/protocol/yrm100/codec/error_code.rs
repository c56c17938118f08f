//! Why a module did not do what it was told.

use std::fmt;

/// The code of a refusal. Up to 2F it is the module's own; above, the low half is what the tag
/// answered and the high half what was tried.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u8);

/// Declares the module's own codes once, as constants and as names.
macro_rules! errors {
    ($($code:literal $constant:ident $name:literal;)*) => {
        impl ErrorCode {
            $(#[doc = concat!("Code ", stringify!($code), ": ", $name, ".")]
            pub const $constant: Self = Self($code);)*

            fn of_the_module(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

// R200 user protocol V2.3.3, chapter 36; M5Stack Unit RFID UHF Protocol, chapter 4.
errors! {
    0x09 READ_FAILED "tag memory not read: no answer or a bad check";
    0x10 WRITE_FAILED "tag memory not written: no answer or a bad check";
    0x12 KILL_FAILED "tag not killed: no answer or a bad check";
    0x13 LOCK_FAILED "tag not locked: no answer or a bad check";
    0x14 BLOCK_PERMALOCK_FAILED "blocks not locked: no answer or a bad check";
    0x15 NO_TAG "no tag, or an answer with a bad check";
    0x16 ACCESS_DENIED "tag denied access: wrong password";
    0x17 INVALID_COMMAND "invalid command";
    0x1A CHANGE_CONFIG_FAILED "configuration not changed: no answer or a bad check";
    0x1B CHANGE_EAS_FAILED "surveillance bit not changed: no answer or a bad check";
    0x1D EAS_ALARM_FAILED "no tag gave the right alarm code";
    0x20 NO_FREE_CHANNEL "all channels occupied";
    0x2A READ_PROTECT_FAILED "not read-protected: no answer or a bad check";
    0x2B READ_PROTECT_RESET_FAILED "read protection not lifted: no answer or a bad check";
    0x2E QT_FAILED "QT command failed: no answer or a bad check";
}

impl ErrorCode {
    /// What the code means; `None` where the manual does not know it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.of_the_module().or_else(|| self.tag_error().map(|(tried, _)| tried))
    }

    /// Where a tag has answered with an error: what was tried, and what the tag says (EPC Gen2,
    /// annex I).
    #[must_use]
    pub fn tag_error(self) -> Option<(&'static str, &'static str)> {
        let tried = match self.0 >> 4 {
            0xA => "tag refused to be read",
            0xB => "tag refused to be written",
            0xC => "tag refused to be locked",
            0xD => "tag refused to be killed",
            0xE => "tag refused a permalock or its maker's own command",
            _ => return None,
        };
        let said = match self.0 & 0x0F {
            0x0 => "other error",
            0x1 => "not supported",
            0x2 => "insufficient privileges",
            0x3 => "memory overrun",
            0x4 => "memory locked",
            0xB => "insufficient power",
            0xF => "non-specific error",
            _ => "an error that the standard does not know",
        };
        Some((tried, said))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x} ({}", self.0, self.name().unwrap_or("not in the manual"))?;
        match self.tag_error() {
            Some((_, said)) => write!(f, ": {said})"),
            None => f.write_str(")"),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
