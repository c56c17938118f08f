//! Cameras that read plates: their events come by HTTP, in the two formats that are common.
//!
//! A camera posts to a path of its own that ends in its secret ([`listener`]). What it posts is a
//! stranger's: sizes and counts are bounded, and only what is exactly an event becomes a
//! [`PlateSeen`]. What is not is kept with the reason in a bounded quarantine, for a person to look
//! at. Pictures are kept by their digest, in a bounded store ([`store`]).
//!
//! Deliberately absent: reading plates from pictures, comparing them with registered ones (the
//! verdict does), and pulling from cameras.
//!
//! A plate is personal data: it stands in a [`PlateSeen`] and in what is kept on the disk, never in
//! a log, an error, a file's name or an answer.
//!
//! Words: a *sighting* is what one event says; its *confidence* is how sure the camera is, 0 to
//! 100.

pub mod sighting;
pub mod hikvision;
pub mod dahua;
pub mod store;
pub mod listener;
pub mod watch;

use std::time::Instant;

use domain::wire::v1::PictureRecord;
use domain::{LaneId, Plate, Timestamp};

pub use listener::{
    Camera, CameraError, CameraListener, CameraSecret, CameraWord, Format, ListenerSettings,
};
pub use sighting::{Confidence, EventError, Sighting};
pub use store::Picture;
pub use watch::CameraWatch;

/// A plate that a camera read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlateSeen {
    /// The camera's name.
    pub camera: String,
    /// The lane that the camera looks at.
    pub lane: LaneId,
    /// The plate.
    pub plate: Plate,
    /// How sure the camera is.
    pub confidence: Confidence,
    /// When the event was here.
    pub at: Instant,
    /// When the camera says it was: its clock is its own.
    pub camera_time: Option<Timestamp>,
    /// What it looked like; kept, as far as the store has room.
    pub pictures: Vec<PictureRecord>,
}
