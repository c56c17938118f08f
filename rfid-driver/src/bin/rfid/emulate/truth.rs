//! What an emulated reader really sent, in a file: one JSON object for each report of tags.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rfid_driver::emulator::pty::SentTag;
use rfid_driver::emulator::wire::Fate;
use serde_json::json;

use crate::clock;
use crate::failure::Failure;
use crate::hex::hex;

/// The book of what was sent.
#[derive(Debug)]
pub(super) struct Truth {
    path: PathBuf,
    file: BufWriter<File>,
    sent: mpsc::Receiver<SentTag>,
}

impl Truth {
    /// An empty book, and where to tell it what was sent.
    pub(super) fn create(path: &Path) -> Result<(Self, mpsc::Sender<SentTag>), Failure> {
        let what = || {
            format!("write the truth to {}; give a file in a folder that is there", path.display())
        };
        let file = File::create(path).map_err(|error| Failure::caused(what(), error))?;
        let (sender, sent) = mpsc::channel();
        Ok((Self { path: path.to_path_buf(), file: BufWriter::new(file), sent }, sender))
    }

    /// Writes down what is sent within `wait`, and lets it be seen.
    pub(super) fn write(&mut self, wait: Duration) -> Result<(), Failure> {
        let first = self.sent.recv_timeout(wait).ok();
        let write = || -> io::Result<()> {
            for sent in first.into_iter().chain(self.sent.try_iter()) {
                writeln!(self.file, "{}", object(&sent))?;
            }
            self.file.flush()
        };
        let what = || format!("write the truth to {}", self.path.display());
        write().map_err(|error| Failure::caused(what(), error))
    }
}

fn object(sent: &SentTag) -> serde_json::Value {
    let epcs: Vec<String> = sent.tags.iter().map(|read| read.epc.to_string()).collect();
    json!({
        "time": clock::rfc3339(sent.at),
        "reader_time_ms": u64::try_from(sent.reader_time.as_millis()).unwrap_or(u64::MAX),
        "epcs": epcs,
        "hex": hex(sent.frame.as_ref()),
        "intact": sent.fate == Fate::Intact,
    })
}
