//! Writes the seeds of the corpora: for every protocol and model, what a session and an emulator say
//! to each other until tags are reported.
//!
//! `cargo run --bin seeds` in this folder, after a protocol or a target has changed.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rfid_driver::emulator::{EmulatorSettings, FieldTag};
use rfid_driver::protocol::{self, Protocol};
use rfid_driver::session::{ReaderSettings, TidReading, Transmit};
use rfid_driver::{Epc, Tid};

const TALK: Duration = Duration::from_millis(400);
const STREAM_LEN_MAX: usize = 1500;
/// Longer than any of the short instructions of the targets.
const PIECE_LEN: usize = 0x60;
/// The instruction "let 40 ms pass".
const STEP: u8 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    for (index, kind) in (0_u8..).zip(protocol::ALL) {
        for (model_index, model) in (0_u8..).zip(kind.models()) {
            let Some((from_reader, from_host)) = talk(*kind, model)? else { continue };
            let name = format!("{}-{model}", kind.name());
            let frames = |direction: u8, stream: &[u8]| {
                [&[index << 1 | direction, 16], cut(stream)].concat()
            };
            write("frames", &format!("{name}-reader"), &frames(0, &from_reader.concat()))?;
            write("frames", &format!("{name}-host"), &frames(1, &from_host.concat()))?;
            write("session", &name, &script(index, 1, &from_reader))?;
            write("emulator", &name, &script(index, model_index, &from_host))?;
        }
    }
    Ok(())
}

/// What each end says, frame by frame; `None` where there is no emulator.
#[expect(clippy::type_complexity, reason = "two lists of frames")]
fn talk(
    kind: &dyn Protocol,
    model: &str,
) -> Result<Option<(Vec<Vec<u8>>, Vec<Vec<u8>>)>, Box<dyn Error>> {
    let settings = EmulatorSettings { model: Some(model.to_owned()), ..EmulatorSettings::default() };
    let Ok(mut reader) = kind.emulator(&settings) else { return Ok(None) };
    let mut session =
        kind.session(&ReaderSettings { tid: TidReading::On, ..ReaderSettings::default() })?;
    let tag = FieldTag {
        tid: Some(Tid::try_from_slice(&[0xE2, 0x80, 0x11, 0x05, 0x20, 0, 0, 1, 2, 3, 4, 5])?),
        ..FieldTag::new(Epc::try_from_slice(b"\x34\x16\x21\x4B\x88fuzzing")?, -60, 1)
    };
    reader.set_field(&[tag], Duration::ZERO);
    let origin = Instant::now();
    let (mut from_reader, mut from_host) = (Vec::new(), Vec::new());
    session.handle_open(origin);
    for step in 0..u32::MAX {
        let now = Duration::from_millis(5) * step;
        if now > TALK {
            break;
        }
        while let Some(transmit) = session.poll_transmit() {
            if let Transmit::Frame(frame) = transmit {
                from_host.push(frame.as_ref().to_vec());
                reader.handle_bytes(frame.as_ref(), now);
            }
        }
        while let Some(transmit) = reader.poll_transmit() {
            from_reader.push(transmit.frame.as_ref().to_vec());
            session.handle_bytes(transmit.frame.as_ref(), origin + now);
        }
        reader.handle_deadline(now);
        session.handle_deadline(origin + now);
        while session.poll_event().is_some() {}
    }
    Ok(Some((from_reader, from_host)))
}

fn cut(stream: &[u8]) -> &[u8] {
    &stream[..stream.len().min(STREAM_LEN_MAX)]
}

/// The stream as instructions for a session or an emulator: pieces, with time between them.
fn script(first: u8, second: u8, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut script = vec![first, second];
    for piece in cut(&frames.concat()).chunks(PIECE_LEN) {
        script.push(STEP);
        script.push(u8::try_from(PIECE_LEN).expect("fits"));
        script.extend_from_slice(piece);
    }
    script
}

fn write(target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)?;
    Ok(())
}
