//! What does a frame say? `cargo run -p rfid-driver --example decode_frame`
//!
//! The frames come out of a stream with noise in it, as they do from a line.

use std::io::{self, Write as _};

use rfid_driver::codec::{Direction, Undecodable};
use rfid_driver::protocol::mercury::codec::{Frame, Reply};
use rfid_driver::protocol::{Protocol as _, mercury::Mercury};
use rfid_driver::tag_layout::TagLayout;
use rfid_driver::{Epc, protocol};

/// Noise that looks like the beginning of a frame, a tag report, and noise again. The report is of
/// a M6e Nano (`SparkFun_UHF_RFID_Reader.cpp`).
const STREAM: &[u8] = b"\xFF\x30\x22\
    \xFF\x28\x22\x00\x00\x10\x00\x1B\x01\xFF\x01\x01\xC4\x11\x0E\x16\x40\x00\x00\x01\x27\x00\x00\
    \x05\x00\x00\x0F\x00\x80\x30\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x15\x45\xE9\x4A\
    \x56\x1D\x13\x37";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut deframer = Mercury.deframer(Direction::FromReader);
    deframer.push(STREAM);
    // The line has gone silent, so what still waits for more bytes is looked past.
    deframer.handle_silence();
    while let Some(bytes) = deframer.next_frame() {
        // A view, then a meaning, without allocation: for a program.
        let frame = Frame::new_checked(bytes, Direction::FromReader).map_err(io::Error::other)?;
        if let Ok(Reply::Tag(record)) = Reply::parse(frame) {
            writeln!(out, "RSSI {:?} dBm, {:?} kHz", record.rssi_dbm, record.frequency_khz)?;
            if let Ok(epc) = Epc::try_from_slice(record.epc.0) {
                writeln!(out, "EPC {epc}: {}", TagLayout::of(&epc))?;
            }
        }
        // The same for any protocol, with a name for each byte: for a person.
        describe(bytes, &mut out)?;
    }
    writeln!(out, "{} bytes were noise", deframer.dropped_bytes())
}

fn describe(frame: &[u8], out: &mut impl io::Write) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a program of its own has a clock of its own")]
    let now = std::time::Instant::now();
    for protocol in protocol::ALL {
        match protocol.describe(frame, Direction::FromReader, now) {
            Ok(description) => {
                for field in description.fields {
                    writeln!(out, "  {:?} {} {:?}", field.bytes, field.name, field.value)?;
                }
            }
            Err(Undecodable::Frame(reason) | Undecodable::Meaning(reason)) => {
                writeln!(out, "{}: {reason}", protocol.name())?;
            }
        }
    }
    Ok(())
}
