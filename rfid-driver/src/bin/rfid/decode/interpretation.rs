//! What a frame is: which protocol, from whom, and what it says.
//!
//! Where the protocol or the sender is not given, all are tried and the one is taken that explains
//! most: an intact frame with a meaning before one without, one that reports tags before one that
//! does not, and then whichever leaves the fewest bytes unexplained.

use std::cmp::Reverse;

use rfid_driver::codec::{Description, Direction, Undecodable};
use rfid_driver::protocol::Protocol;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::failure::with_causes;
use crate::hex::hex;
use crate::shown::{field_object, field_text, tag_object, tag_text};

/// Bytes on a line of an annotated frame.
const BYTES_PER_LINE: usize = 12;

/// Who tries what.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    protocols: Vec<&'static dyn Protocol>,
    direction: Option<Direction>,
    // The protocol of the frame before: a recording rarely changes it.
    before: Option<&'static dyn Protocol>,
}

impl Interpreter {
    pub(super) fn new(protocols: Vec<&'static dyn Protocol>, direction: Option<Direction>) -> Self {
        Self { protocols, direction, before: None }
    }

    pub(super) fn protocols(&self) -> &[&'static dyn Protocol] {
        &self.protocols
    }

    /// The directions to try, the reader's first.
    pub(super) fn directions(&self, said: Option<Direction>) -> Vec<Direction> {
        match said.or(self.direction) {
            Some(direction) => vec![direction],
            None => vec![Direction::FromReader, Direction::FromHost],
        }
    }

    /// Takes `bytes` for one frame, of `protocol` and `direction` where those are known.
    pub(super) fn interpret(
        &mut self,
        bytes: &[u8],
        protocol: Option<&'static dyn Protocol>,
        direction: Option<Direction>,
    ) -> Interpretation {
        let protocols = protocol.map_or_else(|| self.protocols.clone(), |one| vec![one]);
        let mut attempts: Vec<Attempt> = Vec::new();
        for protocol in &protocols {
            for direction in self.directions(direction) {
                attempts.push(Attempt::new(*protocol, direction, bytes));
            }
        }
        let before = self.before.map(Protocol::name);
        let best = attempts
            .iter()
            .enumerate()
            .max_by_key(|(order, attempt)| {
                (attempt.rank(), before == Some(attempt.protocol.name()), Reverse(*order))
            })
            .map_or(0, |(order, _)| order);
        match attempts.get(best).map(Attempt::rank) {
            Some(rank) if rank.is_frame() => {
                let attempt = attempts.swap_remove(best);
                self.before = Some(attempt.protocol);
                Interpretation {
                    protocol: Some(attempt.protocol.name()),
                    direction: Some(attempt.direction),
                    outcome: attempt.outcome.map_err(|error| with_causes(&error)),
                }
            }
            _ => self.no_frame(&protocols, &attempts, direction),
        }
    }

    /// Nothing fits. It is said of the protocol that was named or that the frames before were in,
    /// or else of all.
    fn no_frame(
        &self,
        protocols: &[&'static dyn Protocol],
        attempts: &[Attempt],
        direction: Option<Direction>,
    ) -> Interpretation {
        let likely = match protocols {
            [only] => Some(only.name()),
            _ => self.before.map(Protocol::name),
        };
        let reasons: Vec<String> = protocols
            .iter()
            .map(|protocol| protocol.name())
            .filter(|name| likely.is_none_or(|likely| likely == *name))
            .map(|name| match likely {
                Some(_) => reason(name, attempts),
                None => format!("{name}: {}", reason(name, attempts)),
            })
            .collect();
        Interpretation {
            protocol: likely,
            direction: direction.or(self.direction),
            outcome: Err(reasons.join("; ")),
        }
    }
}

/// Why a protocol does not fit, from both ends where they differ.
fn reason(protocol: &str, attempts: &[Attempt]) -> String {
    let mut reasons =
        attempts.iter().filter(|attempt| attempt.protocol.name() == protocol).filter_map(
            |attempt| Some((attempt.direction, with_causes(attempt.outcome.as_ref().err()?))),
        );
    match (reasons.next(), reasons.next()) {
        (Some((_, reader)), Some((_, host))) if reader != host => {
            format!("if from the reader, {reader}; if from the host, {host}")
        }
        (Some((_, reason)), _) => reason,
        (None, _) => "not a frame".to_owned(),
    }
}

/// One way to see a frame.
#[derive(Debug)]
struct Attempt {
    protocol: &'static dyn Protocol,
    direction: Direction,
    outcome: Result<Description, Undecodable>,
}

impl Attempt {
    fn new(protocol: &'static dyn Protocol, direction: Direction, bytes: &[u8]) -> Self {
        let outcome = protocol.describe(bytes, direction, clock::now());
        Self { protocol, direction, outcome }
    }

    fn rank(&self) -> Rank {
        match &self.outcome {
            Ok(description) => Rank::of(description),
            Err(Undecodable::Meaning(_)) => Rank::Meaningless,
            Err(Undecodable::Frame(_)) => Rank::NoFrame,
        }
    }
}

/// How well a frame is explained, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    NoFrame,
    Meaningless,
    Explained { tags: usize, unexplained_bytes: Reverse<usize> },
}

impl Rank {
    fn of(description: &Description) -> Self {
        let unexplained = description.fields.iter().filter(|field| field.name == "data");
        let unexplained: usize = unexplained.map(|field| field.bytes.len()).sum();
        let tags = description.tags.len();
        Self::Explained { tags, unexplained_bytes: Reverse(unexplained) }
    }

    fn is_frame(self) -> bool {
        self != Self::NoFrame
    }
}

/// What a frame is taken for.
#[derive(Debug)]
pub(super) struct Interpretation {
    pub(super) protocol: Option<&'static str>,
    pub(super) direction: Option<Direction>,
    /// Or what is wrong with it.
    pub(super) outcome: Result<Description, String>,
}

impl Interpretation {
    /// Something that is not even bytes.
    pub(super) fn wrong(interpreter: &Interpreter, error: String) -> Self {
        let protocol = match interpreter.protocols() {
            [only] => Some(only.name()),
            _ => None,
        };
        Self { protocol, direction: None, outcome: Err(error) }
    }

    pub(super) fn rank(&self) -> Rank {
        match &self.outcome {
            Ok(description) => Rank::of(description),
            Err(_) => Rank::Meaningless,
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.outcome.is_ok()
    }

    /// For a program; `place` says where the frame was found.
    pub(super) fn object(&self, place: (&str, u64), bytes: &[u8]) -> Value {
        let description = self.outcome.as_ref().ok();
        let tags: Vec<Value> = description
            .iter()
            .flat_map(|description| &description.tags)
            .map(|read| Value::Object(tag_object(read)))
            .collect();
        let mut object = json!({
            "protocol": self.protocol,
            "ok": self.outcome.is_ok(),
            "error": self.outcome.as_ref().err(),
            "kind": description.map(|description| &description.kind),
            "direction": self.direction.map(arrow),
            "fields": description.map_or_else(|| json!({}), fields_object),
            "tags": tags,
            "hex": hex(bytes),
        });
        object[place.0] = json!(place.1);
        object
    }

    /// For a person: each byte with what it is.
    pub(super) fn text(&self, place: (&str, u64), bytes: &[u8]) -> String {
        let (name, at) = place;
        let protocol = self.protocol.unwrap_or("unknown protocol");
        let arrow = self.direction.map_or("", arrow);
        match &self.outcome {
            Err(error) => {
                let bytes = match bytes {
                    [] => String::new(),
                    bytes => format!("\n{}", annotated(0, bytes, "", "")),
                };
                format!("{name} {at}: BAD {protocol} {arrow} {error}{bytes}")
            }
            Ok(description) => {
                let mut text = format!("{name} {at}: {protocol} {arrow} {}", description.kind);
                for field in &description.fields {
                    let value = field_text(&field.value);
                    let slice = bytes.get(field.bytes.clone()).unwrap_or_default();
                    text += "\n";
                    text += &annotated(field.bytes.start, slice, field.name, &value);
                }
                for read in &description.tags {
                    text += &format!("\n  tag {}", tag_text(read));
                }
                text
            }
        }
    }
}

/// A repeated name becomes an array.
fn fields_object(description: &Description) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    let mut repeated: Vec<&str> = Vec::new();
    for field in &description.fields {
        let value = field_object(&field.value);
        match fields.get_mut(field.name) {
            None => {
                fields.insert(field.name.to_owned(), value);
            }
            Some(Value::Array(values)) if repeated.contains(&field.name) => values.push(value),
            Some(first) => {
                *first = json!([first.take(), value]);
                repeated.push(field.name);
            }
        }
    }
    Value::Object(fields)
}

/// One field: where it lies, its bytes, its name, its value.
fn annotated(start: usize, bytes: &[u8], name: &str, value: &str) -> String {
    const WIDTH: usize = 3 * BYTES_PER_LINE;
    let mut lines = Vec::new();
    for (row, chunk) in bytes.chunks(BYTES_PER_LINE).enumerate() {
        let at = start + row * BYTES_PER_LINE;
        let shown: String = chunk.iter().map(|byte| format!("{byte:02X} ")).collect();
        let line = match row {
            0 => format!("  {at:04}  {shown:<WIDTH$}{name:<22} {value}"),
            _ => format!("  {at:04}  {shown}"),
        };
        lines.push(line.trim_end().to_owned());
    }
    if bytes.is_empty() {
        lines.push(format!("  {start:04}  {:<WIDTH$}{name:<22} {value}", "").trim_end().to_owned());
    }
    lines.join("\n")
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::FromHost => "H>R",
        Direction::FromReader => "R>H",
    }
}
