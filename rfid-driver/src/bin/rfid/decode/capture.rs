//! A binary capture: what went over a line, noise included.
//!
//! Where the protocol is not given, all are tried on the beginning, until frames of one explain a
//! good part of it; nothing found meanwhile is lost.

use std::io::{self, BufReader, Read};

use serde_json::json;

use super::interpretation::Interpreter;
use super::track::Track;
use super::{Quality, READ_LEN, Stopped};
use crate::failure::Failure;
use crate::output::Output;

/// A protocol is chosen once it explains one byte in so many.
const EXPLAINED_SHARE: u64 = 4;
/// Or once so much has been seen.
const UNDECIDED_LEN_MAX: u64 = 1024 * 1024;

pub(super) fn decode<R: Read>(
    input: &mut BufReader<R>,
    interpreter: &Interpreter,
    output: &mut Output,
) -> Result<Quality, Stopped> {
    let protocols = interpreter.protocols().iter();
    let mut report = Report { bytes: 0, framed_bytes: 0, quality: Quality::Good, frames: 0 };
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
    report.end(output)
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

    fn end(self, output: &mut Output) -> Result<Quality, Stopped> {
        let dropped = self.bytes - self.framed_bytes;
        output.put(
            || {
                format!(
                    "{} frames; {dropped} of {} bytes were no part of one",
                    self.frames, self.bytes
                )
            },
            || json!({ "dropped_bytes": dropped }),
        )?;
        // A capture without a single frame is not a good one.
        Ok(if self.frames == 0 && self.bytes > 0 { Quality::Bad } else { self.quality })
    }
}
