//! A binary capture: what went over a line, noise included.
//!
//! Where the protocol is not given, all are tried on the beginning, until frames of one explain a
//! good part of it; nothing found meanwhile is lost.
//!
//! One object is printed for each frame and for nothing else: how much was no part of one is a
//! remark. Only a capture without any frame is judged as if it were meant to be one.

use std::io::{self, BufReader, Read};

use super::interpretation::{Interpretation, Interpreter};
use super::track::Track;
use super::{Quality, READ_LEN, Stopped};
use crate::failure::Failure;
use crate::output::Output;

/// A protocol is chosen once it explains one byte in so many.
const EXPLAINED_SHARE: u64 = 4;
/// Or once so much has been seen.
const UNDECIDED_LEN_MAX: u64 = 1024 * 1024;
/// A capture without a frame that is longer than this was not meant to be a single one.
const LONE_FRAME_LEN_MAX: usize = 512;

pub(super) fn decode<R: Read>(
    input: &mut BufReader<R>,
    interpreter: &Interpreter,
    output: &mut Output,
) -> Result<Quality, Stopped> {
    let protocols = interpreter.protocols().iter();
    let mut report =
        Report { bytes: 0, framed_bytes: 0, quality: Quality::Good, frames: 0, start: Vec::new() };
    let mut tracks: Vec<Track> =
        protocols.map(|protocol| Track::new(*protocol, interpreter)).collect();
    let mut undecided_since = 0;
    let mut buffer = vec![0; READ_LEN];
    loop {
        let len = match input.read(&mut buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stopped::Input(error)),
        };
        report.bytes += len as u64;
        let wanted = (LONE_FRAME_LEN_MAX - report.start.len()).min(len);
        report.start.extend_from_slice(&buffer[..wanted]);
        for track in &mut tracks {
            if len == 0 {
                track.finish();
            } else {
                track.push(&buffer[..len]);
            }
        }
        let seen = report.bytes - undecided_since;
        if tracks.len() > 1 {
            let enough =
                if len == 0 || seen >= UNDECIDED_LEN_MAX { 1 } else { seen / EXPLAINED_SHARE };
            if !choose(&mut tracks, enough.max(1)) && seen >= UNDECIDED_LEN_MAX {
                undecided_since = report.bytes;
            }
        }
        if let [track] = &mut tracks[..] {
            report.put(track, output)?;
            output.flush()?;
        }
        if len == 0 {
            break;
        }
    }
    report.end(interpreter, output)
}

/// Keeps only the protocol that explains most, if that is enough.
fn choose(tracks: &mut Vec<Track>, enough: u64) -> bool {
    let best = tracks
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, track)| (track.explained_bytes(), track.certain_count()))
        .filter(|(_, track)| track.explained_bytes() >= enough || enough == 1)
        .filter(|(_, track)| track.certain_count() > 0)
        .map(|(order, _)| order);
    if let Some(best) = best {
        *tracks = vec![tracks.swap_remove(best)];
    }
    best.is_some()
}

/// What has been printed.
struct Report {
    bytes: u64,
    framed_bytes: u64,
    frames: u64,
    quality: Quality,
    // The first bytes of the capture.
    start: Vec<u8>,
}

impl Report {
    fn put(&mut self, track: &mut Track, output: &mut Output) -> Result<(), Failure> {
        for frame in track.take() {
            self.framed_bytes += frame.bytes.len() as u64;
            self.frames += 1;
            if !frame.interpretation.is_good() {
                self.quality = Quality::Bad;
            }
            let place = ("offset", frame.offset);
            output.put(
                || frame.interpretation.text(place, &frame.bytes),
                || frame.interpretation.object(place, &frame.bytes),
            )?;
        }
        Ok(())
    }

    fn end(self, interpreter: &Interpreter, output: &mut Output) -> Result<Quality, Stopped> {
        let Self { bytes, frames, .. } = self;
        let dropped = bytes - self.framed_bytes;
        let is_frameless = frames == 0 && bytes > 0;
        if is_frameless {
            let lone = if bytes == self.start.len() as u64 { &self.start[..] } else { &[] };
            let wrong = match lone {
                [] => Interpretation::wrong(interpreter, format!("no frame in {bytes} bytes")),
                lone => interpreter.clone().interpret(lone, None, None),
            };
            let place = ("offset", 0);
            output.put(|| wrong.text(place, lone), || wrong.object(place, lone))?;
        }
        output
            .remark(format!("{frames} frames; {dropped} of {bytes} bytes were no part of one"))?;
        Ok(if is_frameless { Quality::Bad } else { self.quality })
    }
}
