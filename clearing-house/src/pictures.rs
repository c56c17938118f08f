//! Files the pictures of passages, so that people at the centre see what they decide about.
//!
//! A lane publishes pictures and then a note that says whose they are. The notes are taken one by one
//! through a durable consumer; the pictures of each passage are fetched by digest, held against it,
//! and written whole into `OPERATOR/STATION/LANE/EPOCH/SEQ/`. Nothing here is money, and nothing waits
//! for it: a picture that the broker does not have any more is missing, and the pages say so.
//!
//! *Refused*: bytes that are not what their digest says, or no picture by their first bytes; a note
//! that speaks of another lane than the one whose subject it came on. Files are forgotten when
//! they are older than the site keeps them, or the oldest of more than it has room for; a passage has
//! sixteen at most, those that were named last. Deliberately absent: which pictures a lane sends,
//! and who may look at them (`console`).

use std::convert::Infallible;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use async_nats::jetstream::{AckKind, Context, Message};
use domain::wire::subject;
use domain::wire::v1::{self, PictureKind, PictureNote, PictureRecord, Pictured};
use domain::{Clock, signature::Digest256};
use futures::StreamExt as _;

use crate::config;

/// The consumer's name.
const CONSUMER: &str = "pictures";
/// How long one note may take.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often a note is taken whose pictures could not be filed.
const DELIVER_MAX: i64 = 8;
/// How soon it is taken again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// No vehicle has more pictures; a note that says so is refused.
const PICTURES_MAX: usize = 16;
/// How often what is too old is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Why filing has to begin anew.
#[derive(Debug, thiserror::Error)]
pub enum FilingError {
    /// The broker or its stream is gone.
    #[error("take notes of pictures from the broker")]
    Broker(#[source] async_nats::Error),
    /// The broker ended the delivery.
    #[error("the broker ended the delivery of notes")]
    Ended,
}

/// Why a picture, or a note, is refused: it will never be filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not as version 1 has it.
    #[error("the note is not as version 1 has it")]
    Shape,
    /// A lane spoke of another.
    #[error("the note speaks of another lane than the one that sent it")]
    Speaker,
    /// More than any vehicle has.
    #[error("the note names more pictures than a vehicle has")]
    TooMany,
    /// The bytes are others.
    #[error("the bytes are not what their digest says")]
    Digest,
    /// There will never be room for it.
    #[error("the picture is larger than all that may be kept")]
    TooLarge,
    /// Something else.
    #[error("the bytes are no picture")]
    NoPicture,
}

/// What a lane said, as far as it may be believed.
fn examine(subject: &str, payload: &[u8]) -> Result<PictureNote, Refusal> {
    let note: PictureNote =
        v1::parse("note of pictures", payload).map_err(|_why| Refusal::Shape)?;
    if subject::lane_of(subject).as_ref() != Some(&note.lane) {
        return Err(Refusal::Speaker);
    }
    if note.pictures.len() > PICTURES_MAX {
        return Err(Refusal::TooMany);
    }
    Ok(note)
}

/// What a picture's name ends in, by its first bytes.
fn extension(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        Some("jpg")
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("png")
    } else {
        None
    }
}

/// Pictures of passages, in a folder of the centre's. Copies are of the same.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    bytes_max: u64,
    /// How many bytes there are, once they are counted; who changes files holds it.
    bytes: Arc<Mutex<Option<u64>>>,
}

impl Files {
    /// Pictures in a folder, which need not be there yet, and how many bytes there may be.
    #[must_use]
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max, bytes: Arc::default() }
    }

    /// Where the pictures are that a note is of; nowhere where that is no passage.
    fn folder_of(&self, note: &PictureNote) -> Option<PathBuf> {
        match note.of {
            Pictured::Passage { epoch, seq } => {
                let lane = self.folder.join(note.lane.to_string());
                Some(lane.join(epoch.to_string()).join(seq.to_string()))
            }
            Pictured::Call { .. } => None,
        }
    }

    /// Files a picture; one that is there already stays, and the oldest of all go where room is
    /// needed. Blocks.
    ///
    /// # Errors
    /// When the disk refuses, or the bytes are.
    fn file(
        &self,
        folder: &Path,
        picture: &PictureRecord,
        bytes: &[u8],
    ) -> io::Result<Result<(), Refusal>> {
        if Digest256::of(bytes) != picture.digest {
            return Ok(Err(Refusal::Digest));
        }
        let Some(extension) = extension(bytes) else { return Ok(Err(Refusal::NoPicture)) };
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > self.bytes_max {
            return Ok(Err(Refusal::TooLarge));
        }
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name_of(picture);
        let whole = folder.join(format!("{name}.{extension}"));
        if whole.exists() {
            return Ok(Ok(()));
        }
        // Until all is done, what there is must be counted again.
        let there = match held.take() {
            Some(there) if there.saturating_add(len) <= self.bytes_max => there,
            _ => self.make_room(len)?,
        };
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        let fresh = folder.join(format!("{name}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(fresh, whole)?;
        *held = Some(there + len);
        Ok(Ok(()))
    }

    /// Has the oldest files go until there is room; tells how many bytes are left. Some more go, so
    /// that not every picture has to look at all others. Blocks.
    fn make_room(&self, len: u64) -> io::Result<u64> {
        let mut found = Vec::new();
        files_in(&self.folder, &mut found)?;
        found.sort();
        let mut bytes: u64 = found.iter().map(|(_, _, len)| len).sum();
        if bytes.saturating_add(len) <= self.bytes_max {
            return Ok(bytes);
        }
        let target = self.bytes_max.saturating_sub(len).min(self.bytes_max / 20 * 19);
        let mut gone = 0_u64;
        for (_, path, len) in found {
            if bytes <= target {
                break;
            }
            fs::remove_file(&path)?;
            // One that has something stays, and so do those above it.
            let folders = path.ancestors().skip(1).take_while(|folder| *folder != self.folder);
            folders.map(fs::remove_dir).take_while(Result::is_ok).for_each(drop);
            bytes -= len;
            gone += 1;
        }
        tracing::warn!(gone, "the oldest pictures went: there is no more room ([pictures] mb_max)");
        Ok(bytes)
    }

    /// Has files of a passage go where there are too many: the oldest that a note does not name.
    /// Blocks.
    fn bound(&self, folder: &Path, named: &[PictureRecord]) -> io::Result<()> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        files_in(folder, &mut found)?;
        found.sort();
        let mut over = found.len().saturating_sub(PICTURES_MAX);
        let named: Vec<String> = named.iter().map(name_of).collect();
        for (_, path, _) in found {
            let stem = path.file_stem().unwrap_or_default();
            if over > 0 && !named.iter().any(|name| stem == name.as_str()) {
                *held = None;
                fs::remove_file(&path)?;
                over -= 1;
            }
        }
        Ok(())
    }

    /// Forgets what is older than it is kept, and folders that have nothing left. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget(&self, now: SystemTime, keep: Duration) -> io::Result<u64> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *held = None;
        match fs::metadata(&self.folder) {
            Ok(_) => forget_in(&self.folder, now, keep),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// What a picture's file is called, without what its name ends in.
fn name_of(picture: &PictureRecord) -> String {
    // The whole comes before what was cut out of it.
    let order = match picture.kind {
        PictureKind::Overview => 1,
        PictureKind::Plate => 2,
        PictureKind::Unknown => 3,
    };
    format!("{order}-{}-{}", picture.kind.name(), picture.digest)
}

/// All files below a folder: when they were written, where they are, and their length.
fn files_in(folder: &Path, found: &mut Vec<(SystemTime, PathBuf, u64)>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            files_in(&entry.path(), found)?;
        } else if meta.is_file() {
            found.push((meta.modified()?, entry.path(), meta.len()));
        }
    }
    Ok(())
}

fn forget_in(folder: &Path, now: SystemTime, keep: Duration) -> io::Result<u64> {
    let mut forgotten = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forgotten += forget_in(&entry.path(), now, keep)?;
            // One that has something stays; so does one that is being filled.
            fs::remove_dir(entry.path()).ok();
        } else if kind.is_file() {
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > keep {
                fs::remove_file(entry.path())?;
                forgotten += 1;
            }
        }
    }
    Ok(forgotten)
}

/// Files pictures for as long as the broker's stream lives.
///
/// # Errors
/// When the stream is lost; the caller calls again.
pub async fn run(
    jetstream: &Context,
    config: &config::Pictures,
    machine: Clock,
) -> Result<Infallible, FilingError> {
    let broker = |error: async_nats::Error| FilingError::Broker(error);
    let files = Files::new(config.folder.clone(), config.mb_max.get().saturating_mul(1_000_000));
    let stream = jetstream.get_stream(subject::PICTURES.name).await;
    let stream = stream.map_err(|error| broker(error.into()))?;
    let wanted = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: DELIVER_MAX,
        filter_subject: subject::ALL_PICTURE_NOTES.to_owned(),
        ..pull::Config::default()
    };
    let consumer: PullConsumer = stream
        .get_or_create_consumer(CONSUMER, wanted)
        .await
        .map_err(|error| broker(error.into()))?;
    let mut notes = consumer.messages().await.map_err(|error| broker(error.into()))?;
    let keep = DAY * u32::from(config.keep_days.get());
    let mut forget = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            note = notes.next() => {
                let note = note.ok_or(FilingError::Ended)?.map_err(|error| broker(error.into()))?;
                let done = handle(&stream, &files, &note).await;
                let word = if done { AckKind::Ack } else { AckKind::Nak(Some(AGAIN_AFTER)) };
                note.ack_with(word).await.map_err(broker)?;
            }
            _ = forget.tick() => {
                let (files, now) = (files.clone(), SystemTime::from(machine.now()));
                let forgotten = tokio::task::spawn_blocking(move || files.forget(now, keep)).await;
                match forgotten {
                    Ok(Ok(count)) => tracing::debug!(count, "old pictures are forgotten"),
                    Ok(Err(error)) => tracing::error!(%error, "old pictures are not forgotten"),
                    Err(error) => tracing::error!(%error, "old pictures are not forgotten"),
                }
            }
        }
    }
}

/// Files what a note names; tells whether there is nothing left to do.
async fn handle(stream: &Stream, files: &Files, message: &Message) -> bool {
    let note = match examine(&message.subject, &message.payload) {
        Ok(note) => note,
        Err(why) => {
            let error = &why as &dyn std::error::Error;
            tracing::warn!(subject = %message.subject, error, "a note of pictures is refused");
            return true;
        }
    };
    let Some(folder) = files.folder_of(&note) else { return true };
    let mut all = true;
    for picture in note.pictures.clone() {
        let digest = picture.digest;
        let from = subject::picture(&note.lane, &digest);
        let bytes = match stream.direct_get_last_for_subject(from).await {
            Ok(found) => found.payload,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                tracing::debug!(lane.id = %note.lane, picture = %digest, "the broker has no such picture");
                continue;
            }
            Err(error) => {
                tracing::warn!(lane.id = %note.lane, picture = %digest, %error, "a picture was not fetched");
                all = false;
                continue;
            }
        };
        let (files, folder) = (files.clone(), folder.clone());
        let filed = tokio::task::spawn_blocking(move || files.file(&folder, &picture, &bytes));
        match filed.await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(why))) => {
                let error = &why as &dyn std::error::Error;
                tracing::warn!(lane.id = %note.lane, picture = %digest, error, "a picture is refused");
            }
            Ok(Err(error)) => {
                tracing::error!(lane.id = %note.lane, picture = %digest, %error, "a picture was not filed");
                all = false;
            }
            Err(error) => tracing::error!(%error, "a picture was not filed"),
        }
    }
    let files = files.clone();
    let bound = tokio::task::spawn_blocking(move || files.bound(&folder, &note.pictures));
    match bound.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "pictures of a passage did not go"),
        Err(error) => tracing::error!(%error, "pictures of a passage did not go"),
    }
    all
}

#[cfg(test)]
mod tests;
