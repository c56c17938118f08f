//! Frames as text, one a line: hex, before it perhaps a protocol's name and `H>R` or `R>H`; what
//! follows `#` is a comment. A line of tab-separated columns that begin with protocol, direction
//! and hex is taken as that, whatever the further columns hold.

use std::io::{self, BufRead, BufReader, Read};

use rfid_driver::codec::Direction;
use rfid_driver::protocol::{self, Protocol};

use super::interpretation::{Interpretation, Interpreter};
use super::{Quality, Stopped};
use crate::arguments::protocol_of;
use crate::hex;
use crate::output::Output;

/// Far longer than the longest frame in hex with a comment.
const LINE_LEN_MAX: usize = 1024 * 1024;
/// What separates the words in front of the hex.
const WORD_ENDS: [char; 3] = [' ', '\t', ':'];

/// Whether bytes are the beginning of a text.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Cut off in the middle of a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n'))
}

pub(super) fn decode<R: Read>(
    input: &mut BufReader<R>,
    mut interpreter: Interpreter,
    output: &mut Output,
) -> Result<Quality, Stopped> {
    let mut quality = Quality::Good;
    let mut number = 0;
    let mut line = Vec::new();
    while read_line(input, &mut line).map_err(Stopped::Input)? == Found::Line {
        number += 1;
        let place = ("line", number);
        let parsed = if line.len() > LINE_LEN_MAX {
            Err(format!("the line is longer than {LINE_LEN_MAX} bytes"))
        } else {
            parse(&String::from_utf8_lossy(&line))
        };
        let (interpretation, bytes) = match parsed {
            Ok(None) => continue,
            Ok(Some(Frame { protocol, direction, bytes })) => {
                (interpreter.interpret(&bytes, protocol, direction), bytes)
            }
            Err(error) => (Interpretation::wrong(&interpreter, error), Vec::new()),
        };
        if !interpretation.is_good() {
            quality = Quality::Bad;
        }
        output
            .put(|| interpretation.text(place, &bytes), || interpretation.object(place, &bytes))?;
        // Whoever writes the other end of a pipe may be waiting to see what came of it.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(quality)
}

/// Whether there was another line.
#[derive(PartialEq, Eq)]
enum Found {
    Line,
    End,
}

/// Reads a line; of one that is too long, only enough to see that.
fn read_line<R: Read>(input: &mut BufReader<R>, line: &mut Vec<u8>) -> io::Result<Found> {
    line.clear();
    input.by_ref().take(LINE_LEN_MAX as u64 + 1).read_until(b'\n', line)?;
    if line.len() > LINE_LEN_MAX && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok(if line.is_empty() { Found::End } else { Found::Line })
}

/// What a line holds.
#[derive(Debug)]
struct Frame {
    protocol: Option<&'static dyn Protocol>,
    direction: Option<Direction>,
    bytes: Vec<u8>,
}

/// `None` where the line holds no frame.
fn parse(line: &str) -> Result<Option<Frame>, String> {
    let line = line.trim_start_matches('\u{FEFF}').trim();
    if line.starts_with('#') {
        return Ok(None);
    }
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    if let ["protocol", "direction", "hex", ..] = columns[..] {
        return Ok(None);
    }
    if let [protocol, direction, hex, ..] = columns[..]
        && (direction == "-" || direction_of(direction).is_some())
    {
        let protocol = protocol_of(protocol).map_err(|error| format!("{protocol}: {error}"))?;
        let direction = direction_of(direction);
        return Ok(Some(Frame { protocol: Some(protocol), direction, bytes: hex::bytes(hex)? }));
    }
    let mut words = line.split('#').next().unwrap_or_default().trim();
    let mut word = first(words);
    let protocol = protocol::by_name(word);
    if protocol.is_some() {
        words = after(words, word);
        word = first(words);
    }
    let direction = direction_of(word);
    if direction.is_some() {
        words = after(words, word);
    }
    let bytes = hex::bytes(words)?;
    if bytes.is_empty() {
        return match (protocol, direction) {
            (None, None) => Ok(None),
            _ => Err("the line holds no frame".to_owned()),
        };
    }
    Ok(Some(Frame { protocol, direction, bytes }))
}

fn first(words: &str) -> &str {
    words.split(WORD_ENDS).next().unwrap_or_default()
}

/// What follows the first word.
fn after<'a>(words: &'a str, word: &str) -> &'a str {
    words[word.len()..].trim_start_matches(WORD_ENDS)
}

fn direction_of(word: &str) -> Option<Direction> {
    match word {
        "H>R" | "h>r" => Some(Direction::FromHost),
        "R>H" | "r>h" => Some(Direction::FromReader),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rfid_driver::codec::Direction::{self, FromHost, FromReader};

    use super::{Protocol, is_text, parse};

    #[track_caller]
    fn check(line: &str, protocol: Option<&str>, direction: Option<Direction>, hex: &str) {
        let frame = parse(line).unwrap().unwrap();
        assert_eq!(frame.protocol.map(Protocol::name), protocol, "{line}");
        assert_eq!((frame.direction, crate::hex::hex(&frame.bytes)), (direction, hex.to_owned()));
    }

    #[test]
    fn a_line_is_a_frame_however_it_is_written() {
        check("ff00031d0c", None, None, "FF00031D0C");
        check("  FF 00 03 1D 0C  # version\r\n", None, None, "FF00031D0C");
        check("H>R ff:00:03:1d:0c", None, Some(FromHost), "FF00031D0C");
        check("R>H: FF00", None, Some(FromReader), "FF00");
        check("mercury H>R FF00", Some("mercury"), Some(FromHost), "FF00");
        check(
            "mercury\tH>R\tff00031d0c\tGet # Version\tx\tok",
            Some("mercury"),
            Some(FromHost),
            "FF00031D0C",
        );
        check("\u{FEFF}ff00", None, None, "FF00");
    }

    #[test]
    fn headings_comments_and_empty_lines_hold_no_frame() {
        for line in ["", "   ", "# ff00", "protocol\tdirection\thex\tmeaning", "   # x"] {
            assert!(parse(line).unwrap().is_none(), "{line}");
        }
    }

    #[test]
    fn what_is_not_hex_says_so() {
        assert_eq!(parse("hello").unwrap_err(), "'h' is not a hex digit");
        assert_eq!(parse("H>R").unwrap_err(), "the line holds no frame");
        assert!(parse("morse\tH>R\tff").unwrap_err().starts_with("morse: no such protocol"));
    }

    #[test]
    fn text_is_told_from_bytes() {
        assert!(is_text(b"FF 00 03\n") && is_text(b"") && is_text("# Größe".as_bytes()));
        assert!(is_text(&"ö".as_bytes()[..1]));
        for bytes in
            [&[0xFF, 0x00, 0x03][..], &[0xA0, 0x04], &[0x04, 0xFF, 0x21], &[0xBB, 0], b"CT\0"]
        {
            assert!(!is_text(bytes));
        }
    }
}
