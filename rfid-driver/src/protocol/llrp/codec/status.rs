//! How it went: the parameter that every answer begins with.

use std::fmt;

use super::MeaningError;
use super::parameter::{Parameter, Parameters};
use crate::codec::{Fields, Opaque};

/// A status code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusCode(pub u16);

/// Declares the standard's codes once, as constants and as names.
macro_rules! status_codes {
    ($($code:literal $constant:ident $name:literal $meaning:literal;)*) => {
        impl StatusCode {
            $(#[doc = concat!("Status ", stringify!($code), ": ", $meaning, ".")]
            pub const $constant: Self = Self($code);)*

            /// Its name in the standard; `None` where it is not in it.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }

            /// What it means, in words; `None` where it is not in the standard.
            #[must_use]
            pub fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

// LLRP 1.0.1 and 1.1, "LLRPStatus Parameter"; 112 is not in 1.0.1. M: of the message, P: of a
// parameter in it, A: of an air protocol's field, R: of the reader.
status_codes! {
    0 SUCCESS "M_Success" "success";
    100 M_PARAMETER_ERROR "M_ParameterError" "error in a parameter of the message";
    101 M_FIELD_ERROR "M_FieldError" "error in a field of the message";
    102 M_UNEXPECTED_PARAMETER "M_UnexpectedParameter" "parameter that was not expected";
    103 M_MISSING_PARAMETER "M_MissingParameter" "parameter missing";
    104 M_DUPLICATE_PARAMETER "M_DuplicateParameter" "parameter more than once";
    105 M_OVERFLOW_PARAMETER "M_OverflowParameter" "too many of a parameter";
    106 M_OVERFLOW_FIELD "M_OverflowField" "too many of a field";
    107 M_UNKNOWN_PARAMETER "M_UnknownParameter" "unknown parameter";
    108 M_UNKNOWN_FIELD "M_UnknownField" "unknown field";
    109 M_UNSUPPORTED_MESSAGE "M_UnsupportedMessage" "message not supported";
    110 M_UNSUPPORTED_VERSION "M_UnsupportedVersion" "version not supported";
    111 M_UNSUPPORTED_PARAMETER "M_UnsupportedParameter" "parameter not supported";
    112 M_UNEXPECTED_MESSAGE "M_UnexpectedMessage" "message not expected now";
    200 P_PARAMETER_ERROR "P_ParameterError" "error in a parameter of the parameter";
    201 P_FIELD_ERROR "P_FieldError" "error in a field of the parameter";
    202 P_UNEXPECTED_PARAMETER "P_UnexpectedParameter" "parameter not expected in the parameter";
    203 P_MISSING_PARAMETER "P_MissingParameter" "parameter missing in the parameter";
    204 P_DUPLICATE_PARAMETER "P_DuplicateParameter" "parameter more than once in the parameter";
    205 P_OVERFLOW_PARAMETER "P_OverflowParameter" "too many of a parameter in the parameter";
    206 P_OVERFLOW_FIELD "P_OverflowField" "too many of a field in the parameter";
    207 P_UNKNOWN_PARAMETER "P_UnknownParameter" "unknown parameter in the parameter";
    208 P_UNKNOWN_FIELD "P_UnknownField" "unknown field in the parameter";
    209 P_UNSUPPORTED_PARAMETER "P_UnsupportedParameter" "parameter in the parameter not supported";
    300 A_INVALID "A_Invalid" "invalid value";
    301 A_OUT_OF_RANGE "A_OutOfRange" "value out of range";
    401 R_DEVICE_ERROR "R_DeviceError" "fault of the reader";
}

impl StatusCode {
    /// Whether the reader did what it was told.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name().unwrap_or("not in the standard"))
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How it went, with what the reader says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// The code.
    pub code: StatusCode,
    /// The reader's words, in UTF-8. They may quote what they are about.
    pub description: Opaque<'a>,
    /// Which field or parameter it is about.
    pub about: Parameters<'a>,
}

impl<'a> Status<'a> {
    /// Success, without words.
    pub const SUCCESS: Self = Self::of(StatusCode::SUCCESS);

    /// A code without words.
    #[must_use]
    pub const fn of(code: StatusCode) -> Self {
        Self { code, description: Opaque(&[]), about: Parameters::NONE }
    }

    pub(super) fn parse(parameter: Parameter<'a>) -> Result<Self, MeaningError> {
        let mut fields = Fields(parameter.body);
        let code = StatusCode(fields.u16("status")?);
        let len = fields.u16("error_description")?;
        let description = Opaque(fields.bytes(usize::from(len), "error_description")?);
        Ok(Self { code, description, about: Parameters::new_checked(fields.0)? })
    }
}
