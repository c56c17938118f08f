//! The HTTP listener that cameras post to: `POST /camera/NAME/SECRET`.
//!
//! Cameras can be given a URL and little else, so the secret is its last part; it is compared in
//! constant time and never logged. A camera that does not exist and a secret that is wrong get the
//! same answer. Sizes, parts, time and the number of posts at once are bounded.
//!
//! What was taken in is answered by 200, even where it was not understood and lies in quarantine:
//! some cameras send again for ever what was refused.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use domain::signature::Digest256;
use domain::wire::v1::{PictureKind, PictureRecord};
use domain::{Clock, LaneId};
use multer::{Constraints, Multipart, SizeLimit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::sighting::{EventError, Sighting};
use super::store::{BoundedFolder, PICTURE_EXTENSION, Picture};
use super::{PlateSeen, dahua, hikvision};

/// No camera sends more parts: an event, a few pictures.
const PARTS_MAX: usize = 12;
/// No event's text is longer, in bytes.
const EVENT_BYTES_MAX: usize = 256 * 1024;
/// How long a camera may take to post, in real time.
const POST_WITHIN: Duration = Duration::from_secs(10);
/// How many posts are taken in at once.
const POSTS_AT_ONCE: usize = 8;
/// The folder of pictures, in the folder of what is kept.
pub const PICTURES_FOLDER: &str = "pictures";
/// What every JPEG begins with.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];

/// What a camera's events are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// XML, `EventNotificationAlert`.
    Hikvision,
    /// `key=value` lines or JSON.
    Dahua,
}

/// What a camera proves itself by. Only its digest is kept.
#[derive(Debug, Clone, Copy)]
pub struct CameraSecret(Digest256);

impl CameraSecret {
    /// Fewer characters could be guessed.
    pub const LEN_MIN: usize = 16;

    /// Takes a secret; nothing where it is too short, or has what a path cannot.
    #[must_use]
    pub fn try_new(secret: &str) -> Option<Self> {
        let is_plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (secret.len() >= Self::LEN_MIN && is_plain).then(|| Self(Digest256::of(secret.as_bytes())))
    }

    fn is(self, offered: &str) -> bool {
        // Digests of what differs differ everywhere: how far they agree tells nothing.
        let offered = Digest256::of(offered.as_bytes());
        let pairs = self.0.as_bytes().iter().zip(offered.as_bytes());
        pairs.fold(0, |differ, (own, other)| differ | (own ^ other)) == 0
    }
}

/// A camera.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Its name, in its path and in logs.
    pub name: String,
    /// The lane it looks at.
    pub lane: LaneId,
    /// What it writes.
    pub format: Format,
    /// What it proves itself by.
    pub secret: CameraSecret,
    /// What it calls complete confidence.
    pub confidence_max: u16,
}

/// Where cameras are listened for, and how much of what they send is kept.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// The address; of the cameras' own network.
    pub listen: SocketAddr,
    /// The folder of what is kept.
    pub folder: PathBuf,
    /// Pictures, in bytes.
    pub pictures_bytes_max: u64,
    /// What was not understood, in bytes.
    pub quarantine_bytes_max: u64,
    /// One post, in bytes.
    pub post_bytes_max: usize,
}

/// What the listener tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraWord {
    /// A plate was read.
    Seen(PlateSeen),
    /// A camera took pictures and read no plate.
    Pictured {
        /// The camera.
        camera: String,
        /// What it took, as far as it was kept.
        pictures: Vec<PictureRecord>,
    },
    /// A camera posted something else that was understood: it is alive.
    Alive {
        /// The camera.
        camera: String,
    },
    /// A camera posted what was not understood; it lies in quarantine.
    Quarantined {
        /// The camera.
        camera: String,
        /// Why.
        why: EventError,
    },
}

impl CameraWord {
    /// Which camera it is of: whatever it posted, it is alive.
    #[must_use]
    pub fn camera(&self) -> &str {
        match self {
            Self::Seen(seen) => &seen.camera,
            Self::Pictured { camera, .. }
            | Self::Alive { camera }
            | Self::Quarantined { camera, .. } => camera,
        }
    }
}

/// Why cameras cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The address cannot be had.
    #[error("listen for cameras on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder cannot be used.
    #[error("use {folder} for what cameras send")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What all posts share.
struct Desk {
    cameras: BTreeMap<String, Camera>,
    clock: Clock,
    post_bytes_max: usize,
    permits: Semaphore,
    pictures: Mutex<BoundedFolder>,
    quarantine: Mutex<BoundedFolder>,
    tell: Box<dyn Fn(CameraWord) + Send + Sync>,
}

/// A running listener. Dropping it stops it.
#[derive(Debug)]
pub struct CameraListener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl CameraListener {
    /// Listens, and calls `tell` with what cameras post. It must be quick.
    ///
    /// # Errors
    /// When the address or a folder cannot be had.
    pub async fn start(
        settings: ListenerSettings,
        cameras: Vec<Camera>,
        clock: Clock,
        tell: impl Fn(CameraWord) + Send + Sync + 'static,
    ) -> Result<Self, CameraError> {
        let open = |name, extension, bytes_max| {
            let folder = settings.folder.join(name);
            BoundedFolder::open(&folder, extension, bytes_max)
                .map(Mutex::new)
                .map_err(|source| CameraError::Folder { folder, source })
        };
        let desk = Arc::new(Desk {
            cameras: cameras.into_iter().map(|camera| (camera.name.clone(), camera)).collect(),
            clock,
            post_bytes_max: settings.post_bytes_max,
            permits: Semaphore::new(POSTS_AT_ONCE),
            pictures: open(PICTURES_FOLDER, PICTURE_EXTENSION, settings.pictures_bytes_max)?,
            quarantine: open("quarantine", "post", settings.quarantine_bytes_max)?,
            tell: Box::new(tell),
        });
        let failed = |source| CameraError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new().route("/camera/{name}/{secret}", post(take_in)).with_state(desk);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cameras are not heard any more"
                );
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for CameraListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take_in(
    State(desk): State<Arc<Desk>>,
    Path((name, secret)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let Some(camera) = desk.cameras.get(&name).filter(|camera| camera.secret.is(&secret)) else {
        tracing::warn!("a post to no camera, or with a wrong secret, was refused");
        return StatusCode::NOT_FOUND;
    };
    let Ok(_permit) = desk.permits.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let body = axum::body::to_bytes(body, desk.post_bytes_max);
    let body = match tokio::time::timeout(POST_WITHIN, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_large_or_broken)) => {
            tracing::warn!(camera = name, "a post was too large, or broke off");
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        Err(_late) => return StatusCode::REQUEST_TIMEOUT,
    };
    let at = desk.clock.real();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let word = match understand(camera, content_type, &body).await {
        Ok((Some(sighting), pictures)) => {
            let Sighting { plate, confidence, camera_time } = sighting;
            let pictures = desk.keep(camera, &pictures);
            let lane = camera.lane.clone();
            let camera = name;
            CameraWord::Seen(PlateSeen {
                camera,
                lane,
                plate,
                confidence,
                at,
                camera_time,
                pictures,
            })
        }
        Ok((None, pictures)) => {
            let pictures = desk.keep(camera, &pictures);
            if pictures.is_empty() {
                CameraWord::Alive { camera: name }
            } else {
                CameraWord::Pictured { camera: name, pictures }
            }
        }
        Err(why) => {
            desk.quarantine(camera, content_type, &why, &body);
            CameraWord::Quarantined { camera: name, why }
        }
    };
    (desk.tell)(word);
    StatusCode::OK
}

/// A picture as it came.
type Came = (PictureKind, Bytes);

/// What a part of a post is of, by the name that the camera gives it: `licensePlatePicture.jpg` and
/// `detectionPicture.jpg` are the two that every camera of the first format sends.
fn kind_of(name: &str) -> PictureKind {
    let name = name.to_ascii_lowercase();
    if name.contains("plate") {
        PictureKind::Plate
    } else if ["detection", "vehicle", "overview", "scene"].iter().any(|part| name.contains(part)) {
        PictureKind::Overview
    } else {
        PictureKind::Unknown
    }
}

/// What a post says, and the pictures that came with it.
async fn understand(
    camera: &Camera,
    content_type: Option<&str>,
    body: &Bytes,
) -> Result<(Option<Sighting>, Vec<Came>), EventError> {
    let (event, pictures) = match content_type.filter(|kind| kind.starts_with("multipart/")) {
        Some(kind) => parts(kind, body.clone()).await?,
        None => (body.clone(), Vec::new()),
    };
    if event.len() > EVENT_BYTES_MAX {
        return Err(EventError::Limit);
    }
    let text = std::str::from_utf8(&event).map_err(|_no_text| EventError::Text)?;
    let sighting = match camera.format {
        Format::Hikvision => hikvision::parse(text, camera.confidence_max)?,
        Format::Dahua => dahua::parse(text, camera.confidence_max)?,
    };
    Ok((sighting, pictures))
}

/// Takes a post apart: its one event, and its pictures.
async fn parts(content_type: &str, body: Bytes) -> Result<(Bytes, Vec<Came>), EventError> {
    let no_parts = |_why: multer::Error| EventError::Parts;
    let boundary = multer::parse_boundary(content_type).map_err(no_parts)?;
    let limit = SizeLimit::new().whole_stream(u64::try_from(body.len()).unwrap_or(u64::MAX));
    let stream = futures::stream::once(async move { Ok::<_, Infallible>(body) });
    let constraints = Constraints::new().size_limit(limit);
    let mut multipart = Multipart::with_constraints(stream, boundary, constraints);
    let (mut event, mut pictures) = (None, Vec::new());
    while let Some(part) = multipart.next_field().await.map_err(no_parts)? {
        if pictures.len() + usize::from(event.is_some()) == PARTS_MAX {
            return Err(EventError::Limit);
        }
        let is_image = part.content_type().is_some_and(|kind| kind.type_() == "image");
        let kind = kind_of(part.file_name().or(part.name()).unwrap_or_default());
        let bytes = part.bytes().await.map_err(no_parts)?;
        if is_image || bytes.starts_with(JPEG) {
            pictures.push((kind, bytes));
        } else if event.replace(bytes).is_some() {
            return Err(EventError::Several(2));
        }
    }
    Ok((event.ok_or(EventError::NoEvent)?, pictures))
}

impl Desk {
    /// Keeps pictures, as far as they are pictures and the disk takes them.
    fn keep(&self, camera: &Camera, pictures: &[Came]) -> Vec<PictureRecord> {
        let mut store = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = |(kind, bytes): &Came| match store.keep(bytes) {
            Ok(Picture { digest, len }) => Some(PictureRecord { digest, kind: *kind, len }),
            Err(error) => {
                tracing::warn!(
                    camera = camera.name,
                    error = &error as &dyn std::error::Error,
                    "a picture was not kept"
                );
                None
            }
        };
        pictures.iter().filter(|(_, bytes)| bytes.starts_with(JPEG)).filter_map(keep).collect()
    }

    fn quarantine(&self, camera: &Camera, kind: Option<&str>, why: &EventError, body: &Bytes) {
        let Camera { name, lane, .. } = camera;
        tracing::warn!(camera = name, lane.id = %lane, error = why as &dyn std::error::Error, "a post was not understood");
        // A head of our own, one line each, then the bytes as they came.
        let kind: String = kind.unwrap_or("none").chars().filter(|c| !c.is_control()).collect();
        let mut kept = format!("camera: {name}\nwhy: {why}\ncontent-type: {kind}\n\n").into_bytes();
        kept.extend_from_slice(body);
        let mut store = self.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = store.keep(&kept) {
            tracing::error!(
                camera = name,
                error = &error as &dyn std::error::Error,
                "a post could not be quarantined"
            );
        }
    }
}

#[cfg(test)]
mod tests;
