//! Pictures of the vehicle that waits: which there are (a lane's note), and their bytes, from this
//! desk's own broker.
//!
//! A station's desk hears its lanes' pictures as they are published and holds the last ones in an
//! *album*, so that it needs no stream and no centre; what it did not hear, and what the centre's desk
//! shows, is fetched by its digest. Bytes are held against the digest before anybody sees them. A
//! picture is shown to those who answer the vehicle, while it waits, and to nobody else; what a lane
//! says of passages is the centre's to file.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_nats::jetstream::stream::DirectGetErrorKind;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{PictureNote, PictureRecord, Pictured};
use domain::{LaneId, Timestamp};
use tracing::warn;

use crate::http::App;
use crate::page::Visit;
use crate::picture::Picture;

use super::desk::Desk;

/// How many bytes of pictures a station's desk holds.
const ALBUM_BYTES_MAX: usize = 48 << 20;

/// Of how many calls of a lane the pictures are known.
const CALLS_MAX: usize = 8;

/// Pictures of one vehicle that are shown; the last are.
const SHOWN_MAX: usize = 4;

/// How long a picture is waited for.
const FETCH_WITHIN: Duration = Duration::from_secs(2);
const FETCH_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Which pictures belong to the vehicles that a lane called for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted(BTreeMap<u64, (Timestamp, Vec<PictureRecord>)>);

impl Noted {
    /// Takes a lane's note; one that was overtaken on the way adds nothing.
    pub(super) fn handle_note(&mut self, note: PictureNote) {
        let PictureNote { at, of, mut pictures, .. } = note;
        let Pictured::Call { call } = of else { return };
        if self.0.get(&call).is_some_and(|(known, _)| *known > at) {
            return;
        }
        pictures.drain(..pictures.len().saturating_sub(SHOWN_MAX));
        self.0.insert(call, (at, pictures));
        while self.0.len() > CALLS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, (at, _))| *at).map(|(call, _)| *call);
            oldest.and_then(|call| self.0.remove(&call));
        }
    }

    /// The pictures of a call that was raised then. A lane that restarted counts calls from 1 again:
    /// what was said before is of another vehicle.
    pub(super) fn of(&self, call: u64, raised_at: Timestamp) -> &[PictureRecord] {
        match self.0.get(&call) {
            Some((at, pictures)) if *at >= raised_at => pictures,
            Some(_) | None => &[],
        }
    }
}

/// The last pictures that were heard.
#[derive(Debug, Default)]
pub(super) struct Album {
    /// The oldest first.
    held: VecDeque<(Digest256, LaneId, Bytes)>,
    bytes: usize,
}

impl Album {
    /// Holds what came on a lane's subject, if it is what the subject says; tells whether it is.
    pub(super) fn hold(&mut self, subject: &str, bytes: Bytes) -> bool {
        let named = subject.rsplit_once('.').and_then(|(of, digest)| {
            Some((subject::lane_of(of)?, digest.parse::<Digest256>().ok()?))
        });
        let Some((lane, digest)) = named.filter(|(_, digest)| *digest == Digest256::of(&bytes))
        else {
            return false;
        };
        if self.of(&lane, &digest).is_some() || bytes.len() > ALBUM_BYTES_MAX {
            return true;
        }
        self.bytes += bytes.len();
        self.held.push_back((digest, lane, bytes));
        while self.bytes > ALBUM_BYTES_MAX {
            let Some((_, _, gone)) = self.held.pop_front() else { break };
            self.bytes -= gone.len();
        }
        true
    }

    pub(super) fn of(&self, lane: &LaneId, digest: &Digest256) -> Option<Bytes> {
        let same = |(held, of, _): &&(Digest256, LaneId, Bytes)| held == digest && of == lane;
        self.held.iter().find(same).map(|(_, _, bytes)| bytes.clone())
    }
}

impl Desk {
    /// A picture that a lane has published; nothing where nobody has it, or it is not what it is
    /// called.
    async fn picture(&self, lane: &LaneId, digest: &Digest256) -> Option<Picture> {
        let bytes = match self.held(lane, digest) {
            Some(bytes) => bytes,
            None => self.fetched(lane, digest).await?,
        };
        if Digest256::of(&bytes) != *digest {
            warn!(lane.id = %lane, picture = %digest, "a picture is not what its digest says");
            return None;
        }
        Picture::try_new(bytes)
    }

    /// What the broker keeps under this digest. A note may be here before the broker has written what
    /// it names: it is looked for again until the time is over.
    async fn fetched(&self, lane: &LaneId, digest: &Digest256) -> Option<Bytes> {
        let streams = async_nats::jetstream::new(self.connected()?);
        let to = subject::picture(lane, digest);
        let fetch = async {
            let stream = streams.get_stream_no_info(subject::PICTURES.name).await.ok()?;
            loop {
                match stream.direct_get_last_for_subject(to.clone()).await {
                    Ok(message) => return Some(message.payload),
                    Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                        tokio::time::sleep(FETCH_AGAIN_AFTER).await;
                    }
                    Err(_) => return None,
                }
            }
        };
        tokio::time::timeout(FETCH_WITHIN, fetch).await.ok().flatten()
    }
}

type PicturePath = (String, String, String, u64, String);

/// A picture of the vehicle that waits, for those who answer it.
pub(crate) async fn picture(
    State(app): State<App>,
    Extension(visit): Extension<Visit>,
    Path((operator, station, lane, call, digest)): Path<PicturePath>,
) -> Response {
    let lane = format!("{operator}/{station}/{lane}").parse::<LaneId>().ok();
    let lane = lane.filter(|lane| visit.scope().covers(lane));
    let (Some(lane), Ok(digest)) = (lane, digest.parse::<Digest256>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !app.desk().has_picture(&lane, call, &digest) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match app.desk().picture(&lane, &digest).await {
        Some(picture) => picture.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use domain::wire::v1::PictureKind;

    use super::*;

    fn lane(name: &str) -> LaneId {
        format!("cienco4/ben-thuy/{name}").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn note(call: u64, second: i64, pictures: &[u8]) -> PictureNote {
        let record = |number: &u8| PictureRecord {
            digest: Digest256::of(&[*number]),
            kind: PictureKind::Plate,
            len: 1,
        };
        let pictures = pictures.iter().map(record).collect();
        PictureNote {
            v: 1,
            lane: lane("l01"),
            at: at(second),
            of: Pictured::Call { call },
            pictures,
        }
    }

    #[test]
    fn what_a_lane_said_last_of_a_call_is_shown() {
        let mut noted = Noted::default();
        noted.handle_note(note(1, 20, &[1, 2]));
        noted.handle_note(note(1, 10, &[1]));
        assert_eq!(noted.of(1, at(5)).len(), 2);
        noted.handle_note(note(1, 30, &[1, 2, 3, 4, 5, 6]));
        assert_eq!(noted.of(1, at(5)).len(), SHOWN_MAX);
        assert!(noted.of(2, at(5)).is_empty());
    }

    #[test]
    fn pictures_of_before_a_restart_are_not_the_next_vehicles() {
        let mut noted = Noted::default();
        noted.handle_note(note(1, 10, &[1]));
        assert!(noted.of(1, at(11)).is_empty());
        noted.handle_note(note(1, 12, &[2]));
        assert_eq!(noted.of(1, at(11)).len(), 1);
    }

    #[test]
    fn pictures_are_known_of_the_last_calls_alone() {
        let mut noted = Noted::default();
        for call in 1..=20 {
            noted.handle_note(note(call, i64::try_from(call).unwrap(), &[1]));
        }
        assert!(noted.of(12, at(0)).is_empty());
        assert_eq!((noted.0.len(), noted.of(13, at(0)).len()), (CALLS_MAX, 1));
    }

    #[test]
    fn only_what_is_as_its_subject_says_is_held_and_for_its_own_lane() {
        let mut album = Album::default();
        let bytes = Bytes::from_static(b"\xff\xd8\xff a picture");
        let digest = Digest256::of(&bytes);
        let subject = subject::picture(&lane("l01"), &digest);
        assert!(album.hold(&subject, bytes.clone()));
        assert_eq!(album.of(&lane("l01"), &digest), Some(bytes.clone()));
        assert_eq!(album.of(&lane("l02"), &digest), None);
        let forged = Bytes::from_static(b"\xff\xd8\xff another");
        assert!(!album.hold(&subject, forged.clone()));
        assert!(!album.hold("etc.v1.picture.cienco4.ben-thuy.l01.no-digest", forged));
        assert_eq!((album.held.len(), album.bytes), (1, bytes.len()));
    }

    #[test]
    fn an_album_holds_the_last_pictures_within_its_bounds() {
        let mut album = Album::default();
        let picture = |number: u8| Bytes::from(vec![number; ALBUM_BYTES_MAX / 3]);
        for number in 1..=5 {
            let digest = Digest256::of(&picture(number));
            assert!(album.hold(&subject::picture(&lane("l01"), &digest), picture(number)));
        }
        let has = |number| album.of(&lane("l01"), &Digest256::of(&picture(number))).is_some();
        assert_eq!([1, 2, 3, 4, 5].map(has), [false, false, true, true, true]);
        assert!(album.bytes <= ALBUM_BYTES_MAX);
    }
}
