//! The vehicle classifier: infrared curtains that tell class, axles and direction. Codec and the
//! watch over its count; pure.
//!
//! It speaks ASCII at 9600 baud, or the same text over TCP, and takes no commands. When idle it
//! says `STX,01,11111111,11111111,ETX` every 5 s: the beams of its two curtains. For each vehicle
//! it says `STX,02,<class>,<axles>,<F or R>,<wheelbase>,<count>,ETX`. The commas and the words
//! `STX` and `ETX` are what is on the line. There is no check sum: only text that is exactly so,
//! with numbers in range, is a message; anything else is noise and parsing never panics.
//!
//! The count goes up by one for each vehicle, so that a gap in it is a vehicle that was missed on
//! the line ([`CountWatch`]). A vehicle in reverse has direction `R`.
//!
//! Source: `IR AVC protocol.pdf` in `SoftomationItSolution/HighwaySolutions@61ff8d9`,
//! `Documents/SDK_Sagar`. It does not tell the unit of the wheelbase, which is kept as text of
//! digits, nor where the count wraps: a count that goes down is taken for a restart.

mod line;

use rfid_driver::codec::{Cut, Framing};

pub use line::{ClassifierSettings, ClassifierThread, ClassifierWord};

/// A class as the classifier knows them; the tariff's groups are another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AxleClass {
    /// Motorcycle, three-wheeler, car.
    Light,
    /// Tractor, light commercial vehicle.
    LightCommercial,
    /// Truck or bus of two axles.
    TruckOrBus,
    /// Three axles.
    ThreeAxles,
    /// Four to six axles.
    FourToSixAxles,
    /// Seven axles and more.
    SevenAxlesOrMore,
}

impl AxleClass {
    const fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Light,
            2 => Self::LightCommercial,
            3 => Self::TruckOrBus,
            5 => Self::ThreeAxles,
            6 => Self::FourToSixAxles,
            7 => Self::SevenAxlesOrMore,
            _ => return None,
        })
    }
}

/// Which way a vehicle went through the curtains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// As traffic goes.
    Forward,
    /// Backwards.
    Reverse,
}

/// A vehicle that went through the curtains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VehicleMeasured {
    /// Its class.
    pub class: AxleClass,
    /// Its axles.
    pub axles: u8,
    /// Which way it went.
    pub direction: Direction,
    /// Its wheelbase, in the unit that the classifier was set up for.
    pub wheelbase: u32,
    /// Its place in the classifier's count.
    pub count: u32,
}

/// What the classifier says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// It is there; the beams of its two curtains, the first beam in the highest bit, 1 for free.
    Idle {
        /// The two curtains.
        beams: [u8; 2],
    },
    /// A vehicle.
    Vehicle(VehicleMeasured),
}

/// How the classifier's messages lie in the stream.
#[derive(Debug)]
pub struct ClassifierFraming;

const BEGIN: &[u8] = b"STX,";
const END: &[u8] = b",ETX";

impl Framing for ClassifierFraming {
    const LEN_MAX: usize = 64;

    fn cut(bytes: &[u8]) -> Cut {
        // What separates messages is not told; ends of lines and blanks are no noise.
        if bytes.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n' | b' ')) {
            return Cut::Frame { len: 1 };
        }
        if !bytes.iter().zip(BEGIN).all(|(byte, wanted)| byte == wanted) {
            return Cut::Noise;
        }
        let window = &bytes[..bytes.len().min(Self::LEN_MAX)];
        let body = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b',';
        match window.windows(END.len()).position(|tail| tail == END) {
            Some(at) if Message::parse(&window[..at + END.len()]).is_some() => {
                Cut::Frame { len: at + END.len() }
            }
            None if window.len() < Self::LEN_MAX && window.iter().all(body) => Cut::Incomplete,
            Some(_) | None => Cut::Noise,
        }
    }
}

impl Message {
    /// Reads a frame; nothing where it is not exactly a message.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let body = frame.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let mut fields = std::str::from_utf8(body).ok()?.split(',');
        let message = match fields.next()? {
            "01" => Self::Idle { beams: [beams(fields.next()?)?, beams(fields.next()?)?] },
            "02" => Self::Vehicle(VehicleMeasured {
                class: AxleClass::of_number(number(fields.next()?, 2)?.try_into().ok()?)?,
                axles: number(fields.next()?, 2)?.try_into().ok()?,
                direction: match fields.next()? {
                    "F" => Direction::Forward,
                    "R" => Direction::Reverse,
                    _ => return None,
                },
                wheelbase: number(fields.next()?, 9)?,
                count: number(fields.next()?, 9)?,
            }),
            _ => return None,
        };
        fields.next().is_none().then_some(message)
    }
}

/// A decimal number of at most so many digits, and nothing else.
fn number(text: &str, digits_max: usize) -> Option<u32> {
    let is_number =
        (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn beams(text: &str) -> Option<u8> {
    let is_beams = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0' | b'1'));
    is_beams.then(|| u8::from_str_radix(text, 2).ok())?
}

/// What the count says about the vehicle before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountStep {
    /// The first that was heard of, or the next.
    Next,
    /// Vehicles in between were missed.
    Missed {
        /// How many.
        vehicles: u32,
    },
    /// The same message again.
    Repeated,
    /// The classifier has begun to count anew; what it counted meanwhile is not known.
    Restarted,
}

/// Watches the classifier's count.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountWatch {
    last: Option<u32>,
}

impl CountWatch {
    /// Takes a vehicle's count.
    pub fn handle(&mut self, count: u32) -> CountStep {
        match self.last.replace(count) {
            None => CountStep::Next,
            Some(last) if count == last => CountStep::Repeated,
            Some(last) if count < last => CountStep::Restarted,
            Some(last) if count == last + 1 => CountStep::Next,
            Some(last) => CountStep::Missed { vehicles: count - last - 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rfid_driver::deframe::Deframer;

    use super::*;

    fn heard(stream: &[u8], piece: usize) -> Vec<Message> {
        let mut deframer = Deframer::<ClassifierFraming>::new();
        let mut messages = Vec::new();
        for mut bytes in stream.chunks(piece) {
            while !bytes.is_empty() {
                bytes = deframer.push(bytes);
                while let Some(frame) = deframer.next_frame() {
                    messages.extend(Message::parse(frame));
                }
            }
        }
        messages
    }

    fn check(stream: &str, expected: &[Message]) {
        for piece in 1..=stream.len() {
            assert_eq!(heard(stream.as_bytes(), piece), expected, "in pieces of {piece}");
        }
    }

    const TRUCK: Message = Message::Vehicle(VehicleMeasured {
        class: AxleClass::FourToSixAxles,
        axles: 4,
        direction: Direction::Forward,
        wheelbase: 850,
        count: 17,
    });

    #[test]
    fn the_messages_of_the_manual_are_understood() {
        check("STX,01,11111111,11111111,ETX", &[Message::Idle { beams: [0xff, 0xff] }]);
        check("STX,01,11110111,00000000,ETX\r\n", &[Message::Idle { beams: [0xf7, 0] }]);
        check("STX,02,6,4,F,850,17,ETX", &[TRUCK]);
        let reversing = Message::Vehicle(VehicleMeasured {
            class: AxleClass::Light,
            axles: 2,
            direction: Direction::Reverse,
            wheelbase: 260,
            count: 18,
        });
        check("STX,02,6,4,F,850,17,ETX\r\nSTX,02,1,02,R,260,000018,ETX", &[TRUCK, reversing]);
    }

    #[test]
    fn what_is_not_exactly_a_message_is_noise_and_hides_none() {
        for noise in [
            "STX,02,4,2,F,1,1,ETX",
            "STX,02,6,4,X,850,17,ETX",
            "STX,02,6,4,F,850,ETX",
            "STX,02,6,4,F,850,17,1,ETX",
            "STX,02,6,-4,F,850,17,ETX",
            "STX,01,1111111,11111111,ETX",
            "STX,03,1,ETX",
            "STX,02,6,4,F,85",
        ] {
            check(&format!("{noise}\rSTX,02,6,4,F,850,17,ETX"), &[TRUCK]);
        }
    }

    #[test]
    fn the_count_tells_who_was_missed() {
        let mut watch = CountWatch::default();
        for (count, step) in [
            (17, CountStep::Next),
            (18, CountStep::Next),
            (18, CountStep::Repeated),
            (21, CountStep::Missed { vehicles: 2 }),
            (1, CountStep::Restarted),
            (2, CountStep::Next),
        ] {
            assert_eq!(watch.handle(count), step, "{count}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic_and_never_hide_the_message_behind_them(
            noise in prop::collection::vec(any::<u8>(), 0..150)
        ) {
            let mut stream = noise;
            stream.extend(b"\rSTX,02,6,4,F,850,17,ETX");
            let messages = heard(&stream, 13);
            prop_assert_eq!(messages.last(), Some(&TRUCK));
        }
    }
}
