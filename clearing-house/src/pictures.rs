//! Files the pictures of passages, so that people at the centre see what they decide about.
//!
//! A lane publishes pictures and then a note that says whose they are. The notes are taken one by one
//! through a durable consumer; the pictures of each passage are fetched by digest, held against it,
//! and written whole into `OPERATOR/STATION/LANE/EPOCH/SEQ/`. Nothing here is money, and nothing waits
//! for it: a picture that the broker does not have any more is missing, and the pages say so.
//!
//! *Refused*: bytes that are not what their digest says, or no picture by their first bytes; a note
//! that speaks of another lane than the one whose subject it came on. Files are forgotten when
//! they are older than the site keeps them. Deliberately absent: which pictures a lane sends, and
//! who may look at them (`console`).

use std::convert::Infallible;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
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

/// Pictures of passages, in a folder of the centre's.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Pictures in a folder, which need not be there yet.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
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

    /// Files a picture; one that is there already stays. Blocks.
    ///
    /// # Errors
    /// When the disk refuses, or the bytes are.
    fn file(
        folder: &Path,
        picture: &PictureRecord,
        bytes: &[u8],
    ) -> io::Result<Result<(), Refusal>> {
        if Digest256::of(bytes) != picture.digest {
            return Ok(Err(Refusal::Digest));
        }
        let Some(extension) = extension(bytes) else { return Ok(Err(Refusal::NoPicture)) };
        // The whole comes before what was cut out of it.
        let order = match picture.kind {
            PictureKind::Overview => 1,
            PictureKind::Plate => 2,
            PictureKind::Unknown => 3,
        };
        let name = format!("{order}-{}-{}", picture.kind.name(), picture.digest);
        let whole = folder.join(format!("{name}.{extension}"));
        if whole.exists() {
            return Ok(Ok(()));
        }
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        let fresh = folder.join(format!("{name}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(fresh, whole)?;
        Ok(Ok(()))
    }

    /// Forgets what is older than it is kept, and folders that have nothing left. Blocks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget(&self, now: SystemTime, keep: Duration) -> io::Result<u64> {
        match fs::metadata(&self.folder) {
            Ok(_) => forget_in(&self.folder, now, keep),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }
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
    let files = Files::new(config.folder.clone());
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
    for picture in note.pictures {
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
        let folder = folder.clone();
        let filed = tokio::task::spawn_blocking(move || Files::file(&folder, &picture, &bytes));
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
    all
}

#[cfg(test)]
mod tests;
