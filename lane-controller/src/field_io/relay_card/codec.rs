//! The relay card's messages: bytes to meanings, and commands to bytes. Pure.
//!
//! The card speaks ASCII at 9600 baud, without addresses and without check sums. It says
//! `VARAINPUT3HIGH` or `…LOW`, ended by CR, whenever input 3 changes, and every 10 to 15 s a state
//! such as `MSSL07M00000000`. It is told `R3,N,01` and CR LF: relay 3, energised, for one second.
//!
//! With no check sum, only the exact text counts as a message. Everything else is noise, costs one
//! byte, and is counted by the deframer; parsing never panics whatever the bytes are. What noise
//! can forge all the same, the next state puts right.
//!
//! Source: `Protocol_Relay Card.pdf` in `SoftomationItSolution/HighwaySolutions@61ff8d9`,
//! `Documents/SDK_VARA`. It shows the state by one example only and does not explain its digits.
//! They are read as the levels of inputs 1 to 8, and which end is input 1 is a matter of
//! configuration ([`StateOrder`]), to be checked when a card is put in. The two digits before the
//! `M` are not used.

use rfid_driver::codec::{Cut, Framing};

/// How many inputs tell their changes.
pub const INPUTS: u8 = 5;
/// How many levels a state has.
const STATE_LEVELS: usize = 8;

/// An input of the card, 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(try_from = "u8")]
pub struct InputNumber(u8);

/// A number that no input has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a relay card has inputs 1 to {INPUTS}, not {0}")]
pub struct InputNumberError(u8);

impl InputNumber {
    /// Takes an input's number.
    ///
    /// # Errors
    /// When the card has no such input.
    pub const fn try_new(number: u8) -> Result<Self, InputNumberError> {
        if number >= 1 && number <= INPUTS {
            Ok(Self(number))
        } else {
            Err(InputNumberError(number))
        }
    }

    fn place(self) -> usize {
        usize::from(self.0) - 1
    }
}

impl TryFrom<u8> for InputNumber {
    type Error = InputNumberError;
    fn try_from(number: u8) -> Result<Self, InputNumberError> {
        Self::try_new(number)
    }
}

/// What an input carries, or what a relay is driven to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Voltage; a relay that is energised.
    High,
    /// None.
    Low,
}

/// Which digit of a state is input 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateOrder {
    /// The first.
    #[default]
    FirstIsInput1,
    /// The last.
    LastIsInput1,
}

/// The levels of all inputs at one instant, as the card told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardState([Level; STATE_LEVELS]);

impl CardState {
    /// What an input carried.
    #[must_use]
    pub fn level(&self, input: InputNumber, order: StateOrder) -> Level {
        match order {
            StateOrder::FirstIsInput1 => self.0[input.place()],
            StateOrder::LastIsInput1 => self.0[STATE_LEVELS - 1 - input.place()],
        }
    }
}

/// What the card says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// An input has changed.
    Changed {
        /// Which.
        input: InputNumber,
        /// What it carries now.
        level: Level,
    },
    /// All inputs, said unasked every 10 to 15 s.
    State(CardState),
}

/// The patterns of a message: `k` is an input's number, `d` a digit, `b` a 0 or 1.
const RISE: &[u8] = b"VARAINPUTkHIGH\r";
const FALL: &[u8] = b"VARAINPUTkLOW\r";
const STATE: &[u8] = b"MSSLddMbbbbbbbb";

/// How the card's messages lie in the stream. What ends a line is a frame of its own, which says
/// nothing: the card ends some messages by CR, and whether it ends its state is not told.
#[derive(Debug)]
pub struct CardFraming;

impl Framing for CardFraming {
    const LEN_MAX: usize = 15;

    fn cut(bytes: &[u8]) -> Cut {
        if matches!(bytes.first(), Some(b'\r' | b'\n')) {
            return Cut::Frame { len: 1 };
        }
        let mut cut = Cut::Noise;
        for pattern in [RISE, FALL, STATE] {
            if bytes.iter().zip(pattern).all(|(byte, wanted)| is(*byte, *wanted)) {
                if bytes.len() >= pattern.len() {
                    return Cut::Frame { len: pattern.len() };
                }
                cut = Cut::Incomplete;
            }
        }
        cut
    }
}

fn is(byte: u8, wanted: u8) -> bool {
    match wanted {
        b'k' => (b'1'..=b'0' + INPUTS).contains(&byte),
        b'd' => byte.is_ascii_digit(),
        b'b' => matches!(byte, b'0' | b'1'),
        literal => byte == literal,
    }
}

impl Message {
    /// Reads an intact frame; nothing where it is but the end of a line, or no frame at all.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        if let Some(rest) = frame.strip_prefix(b"VARAINPUT") {
            let (number, level) = rest.split_first()?;
            let input = InputNumber::try_new(number.wrapping_sub(b'0')).ok()?;
            let level = match level {
                b"HIGH\r" => Level::High,
                b"LOW\r" => Level::Low,
                _ => return None,
            };
            return Some(Self::Changed { input, level });
        }
        let digits = frame.strip_prefix(b"MSSL")?.get(2..)?.strip_prefix(b"M")?;
        let digits: &[u8; STATE_LEVELS] = digits.try_into().ok()?;
        let level = |digit| if digit == b'1' { Level::High } else { Level::Low };
        Some(Self::State(CardState(digits.map(level))))
    }
}

/// A relay of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// The traffic light: green while energised.
    Light = 1,
    /// Raises the arm.
    Open = 3,
    /// Lowers the arm.
    Close = 4,
    /// The siren.
    Siren = 5,
}

/// How long a relay is driven; the card times it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulseTime(u8);

impl PulseTime {
    /// Until told otherwise.
    pub const HOLD: Self = Self(60);
    /// One second, the shortest.
    pub const SHORTEST: Self = Self(1);

    /// A pulse of so many seconds; nothing where the card knows no such pulse.
    #[must_use]
    pub const fn of_seconds(seconds: u8) -> Option<Self> {
        if seconds >= 1 && seconds <= 59 { Some(Self(seconds)) } else { None }
    }
}

/// What the card is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Which relay.
    pub relay: Relay,
    /// Energised or not.
    pub level: Level,
    /// For how long.
    pub time: PulseTime,
}

impl Command {
    /// The command's bytes, appended to `line`.
    pub fn emit(self, line: &mut Vec<u8>) {
        let level = match self.level {
            Level::High => b'N',
            Level::Low => b'F',
        };
        let time = self.time.0;
        line.extend([b'R', b'0' + self.relay as u8, b',', level, b',']);
        line.extend([b'0' + time / 10, b'0' + time % 10, b'\r', b'\n']);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rfid_driver::deframe::Deframer;

    use super::*;

    /// Everything that is said in a stream, which comes in pieces of the given length.
    fn heard(stream: &[u8], piece: usize) -> (Vec<Message>, u64) {
        let mut deframer = Deframer::<CardFraming>::new();
        let mut messages = Vec::new();
        for mut bytes in stream.chunks(piece) {
            while !bytes.is_empty() {
                bytes = deframer.push(bytes);
                while let Some(frame) = deframer.next_frame() {
                    messages.extend(Message::parse(frame));
                }
            }
        }
        (messages, deframer.dropped_bytes())
    }

    fn changed(number: u8, level: Level) -> Message {
        Message::Changed { input: InputNumber::try_new(number).unwrap(), level }
    }

    fn state(text: &str) -> Message {
        Message::parse(text.as_bytes()).unwrap()
    }

    fn check(stream: &str, expected: &[Message], dropped: u64) {
        for piece in 1..=stream.len() {
            let (messages, lost) = heard(stream.as_bytes(), piece);
            assert_eq!((messages.as_slice(), lost), (expected, dropped), "in pieces of {piece}");
        }
    }

    #[test]
    fn the_messages_of_the_manual_are_understood() {
        check("VARAINPUT1HIGH\r", &[changed(1, Level::High)], 0);
        check("VARAINPUT5LOW\r", &[changed(5, Level::Low)], 0);
        check("MSSL07M00000000", &[state("MSSL07M00000000")], 0);
        check(
            "VARAINPUT2HIGH\rMSSL07M01000000\rVARAINPUT2LOW\r\n",
            &[changed(2, Level::High), state("MSSL07M01000000"), changed(2, Level::Low)],
            0,
        );
    }

    #[test]
    fn a_state_tells_every_input_from_the_end_it_is_configured_for() {
        let Message::State(state) = state("MSSL07M10000010") else { panic!("a state") };
        let high = |order| -> Vec<u8> {
            let is_high = |number: &u8| {
                state.level(InputNumber::try_new(*number).unwrap(), order) == Level::High
            };
            (1..=INPUTS).filter(is_high).collect()
        };
        assert_eq!(high(StateOrder::FirstIsInput1), [1]);
        assert_eq!(high(StateOrder::LastIsInput1), [2]);
    }

    #[test]
    fn noise_costs_its_own_bytes_and_no_message() {
        check("xVARAINPUT1HIGH\r", &[changed(1, Level::High)], 1);
        check("VARAINPVARAINPUT1LOW\r", &[changed(1, Level::Low)], 7);
        check("VARAINPUT6HIGH\rVARAINPUT0LOW\rVARAINPUT4LOW\r", &[changed(4, Level::Low)], 27);
        check("MSSL07M0000200VARAINPUT1LOW\r", &[changed(1, Level::Low)], 14);
        // Not the exact text: no message.
        check("VARAINPUT1HIGHX\r", &[], 15);
    }

    #[test]
    fn commands_are_those_of_the_manual() {
        let check = |relay, level, time, expected: &[u8]| {
            let mut line = Vec::new();
            Command { relay, level, time }.emit(&mut line);
            assert_eq!(line, expected);
        };
        check(Relay::Open, Level::High, PulseTime::SHORTEST, b"R3,N,01\r\n");
        check(Relay::Close, Level::High, PulseTime::SHORTEST, b"R4,N,01\r\n");
        check(Relay::Close, Level::Low, PulseTime::HOLD, b"R4,F,60\r\n");
        check(Relay::Light, Level::Low, PulseTime::HOLD, b"R1,F,60\r\n");
        check(Relay::Siren, Level::High, PulseTime::of_seconds(59).unwrap(), b"R5,N,59\r\n");
        assert_eq!(PulseTime::of_seconds(0), None);
        assert_eq!(PulseTime::of_seconds(60), None);
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic_and_never_hide_the_message_behind_them(
            noise in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            let mut stream = noise;
            // A line's end ends whatever the noise began.
            stream.extend(b"\rVARAINPUT3HIGH\r");
            let (messages, _) = heard(&stream, 7);
            prop_assert_eq!(messages.last(), Some(&changed(3, Level::High)));
        }

        #[test]
        fn no_frame_of_any_bytes_panics(frame in prop::collection::vec(any::<u8>(), 0..20)) {
            let _any = Message::parse(&frame);
        }
    }
}
