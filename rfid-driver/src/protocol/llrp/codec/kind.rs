//! What kinds of message there are.

use std::fmt;

use crate::codec::Direction;

/// The type of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageKind(pub u16);

/// Declares the standard's messages once, as constants, names and directions.
macro_rules! messages {
    ($($number:literal $constant:ident $direction:ident $name:literal;)*) => {
        impl MessageKind {
            $(#[doc = concat!("Message ", stringify!($number), ": ", $name, ".")]
            pub const $constant: Self = Self($number);)*

            /// Its name; `None` where it is not in the standard.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }

            /// Which way it goes; `None` where that is not fixed.
            #[must_use]
            pub fn direction(self) -> Option<Direction> {
                match self.0 {
                    $($number => messages!(@ $direction),)*
                    _ => None,
                }
            }
        }
    };
    (@ host) => { Some(Direction::FromHost) };
    (@ reader) => { Some(Direction::FromReader) };
    (@ either) => { None };
}

// LLRP 1.1; 46, 47, 56 and 57 are not in 1.0.1. The readers' answers are ten above the commands.
messages! {
    1 GET_READER_CAPABILITIES host "get reader capabilities";
    2 GET_READER_CONFIG host "get reader config";
    3 SET_READER_CONFIG host "set reader config";
    4 CLOSE_CONNECTION_RESPONSE reader "close connection response";
    11 GET_READER_CAPABILITIES_RESPONSE reader "get reader capabilities response";
    12 GET_READER_CONFIG_RESPONSE reader "get reader config response";
    13 SET_READER_CONFIG_RESPONSE reader "set reader config response";
    14 CLOSE_CONNECTION host "close connection";
    20 ADD_ROSPEC host "add rospec";
    21 DELETE_ROSPEC host "delete rospec";
    22 START_ROSPEC host "start rospec";
    23 STOP_ROSPEC host "stop rospec";
    24 ENABLE_ROSPEC host "enable rospec";
    25 DISABLE_ROSPEC host "disable rospec";
    26 GET_ROSPECS host "get rospecs";
    30 ADD_ROSPEC_RESPONSE reader "add rospec response";
    31 DELETE_ROSPEC_RESPONSE reader "delete rospec response";
    32 START_ROSPEC_RESPONSE reader "start rospec response";
    33 STOP_ROSPEC_RESPONSE reader "stop rospec response";
    34 ENABLE_ROSPEC_RESPONSE reader "enable rospec response";
    35 DISABLE_ROSPEC_RESPONSE reader "disable rospec response";
    36 GET_ROSPECS_RESPONSE reader "get rospecs response";
    40 ADD_ACCESSSPEC host "add accessspec";
    41 DELETE_ACCESSSPEC host "delete accessspec";
    42 ENABLE_ACCESSSPEC host "enable accessspec";
    43 DISABLE_ACCESSSPEC host "disable accessspec";
    44 GET_ACCESSSPECS host "get accessspecs";
    45 CLIENT_REQUEST_OP reader "client request op";
    46 GET_SUPPORTED_VERSION host "get supported version";
    47 SET_PROTOCOL_VERSION host "set protocol version";
    50 ADD_ACCESSSPEC_RESPONSE reader "add accessspec response";
    51 DELETE_ACCESSSPEC_RESPONSE reader "delete accessspec response";
    52 ENABLE_ACCESSSPEC_RESPONSE reader "enable accessspec response";
    53 DISABLE_ACCESSSPEC_RESPONSE reader "disable accessspec response";
    54 GET_ACCESSSPECS_RESPONSE reader "get accessspecs response";
    55 CLIENT_REQUEST_OP_RESPONSE host "client request op response";
    56 GET_SUPPORTED_VERSION_RESPONSE reader "get supported version response";
    57 SET_PROTOCOL_VERSION_RESPONSE reader "set protocol version response";
    60 GET_REPORT host "get report";
    61 RO_ACCESS_REPORT reader "ro access report";
    62 KEEPALIVE reader "keepalive";
    63 READER_EVENT_NOTIFICATION reader "reader event notification";
    64 ENABLE_EVENTS_AND_REPORTS host "enable events and reports";
    72 KEEPALIVE_ACK host "keepalive ack";
    100 ERROR_MESSAGE either "error message";
    1023 CUSTOM_MESSAGE either "custom message";
}

impl MessageKind {
    /// Whether a stream that is in step may hold it: the standard has used numbers up to 100 and
    /// keeps those to 199 for its next versions; everything beyond is reserved, but for 1023.
    #[must_use]
    pub fn is_plausible(self) -> bool {
        matches!(self.0, 1..=199 | 1023)
    }

    /// Whether its body begins with a status, parameters following.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self.0, 4 | 11..=13 | 30..=36 | 50..=54 | 57 | 100)
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "message {}", self.0),
        }
    }
}

impl fmt::Debug for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self})", self.0)
    }
}
