//! The part of the configuration that says which panels, cameras and classifier a lane has. A lane
//! needs none of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use domain::VehicleGroup;
use serde::Deserialize;

use crate::camera::{CameraSecret, Format};
use crate::display::panel::Font;
use crate::display::{Charset, DisplaySettings, Language, Layout};
use crate::field_io::classifier::AxleClass;
use crate::pictures::SendPictures;

/// A fare display. A lane may have several, such as one in each language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Display {
    /// Its serial port.
    pub port: PathBuf,
    /// The port's speed.
    #[serde(default = "display_baud")]
    pub baud: u32,
    /// Characters in a row.
    #[serde(default = "usual_columns")]
    pub columns: u8,
    /// Rows.
    #[serde(default = "usual_rows")]
    pub rows: u8,
    /// From the top of a row to the top of the next, in pixels.
    #[serde(default = "usual_row_px")]
    pub row_px: u8,
    /// What its font has: `ascii` or `utf8`.
    #[serde(default = "usual_charset")]
    pub charset: Charset,
    /// `vietnamese` or `english`.
    #[serde(default = "usual_language")]
    pub language: Language,
    /// The font, by its height in pixels: 16, 7 or 5.
    #[serde(default = "usual_font")]
    pub font_px: Font,
}

const fn display_baud() -> u32 {
    4_800
}

const fn usual_columns() -> u8 {
    16
}

const fn usual_rows() -> u8 {
    2
}

const fn usual_row_px() -> u8 {
    16
}

const fn usual_charset() -> Charset {
    Charset::Ascii
}

const fn usual_language() -> Language {
    Language::Vietnamese
}

const fn usual_font() -> Font {
    Font::Px16
}

impl Display {
    /// What its driver needs to know.
    #[must_use]
    pub fn settings(&self) -> DisplaySettings {
        let Self { port, baud, columns, rows, row_px, charset, language, font_px } = self;
        let layout = Layout { columns: *columns, rows: *rows, row_px: *row_px, charset: *charset };
        let (port, language, font) = (port.clone(), *language, *font_px);
        DisplaySettings { port, baud: *baud, layout, language, font }
    }

    pub(super) fn wrongs(&self) -> impl Iterator<Item = String> {
        let too_small = self.columns == 0 || self.rows == 0;
        too_small.then(|| "display.columns and display.rows are 1 at least".to_owned()).into_iter()
    }
}

/// A classifier that measures vehicles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// Its serial port.
    pub port: PathBuf,
    /// The port's speed.
    #[serde(default = "classifier_baud")]
    pub baud: u32,
    /// Silence after so many seconds of run time; it says every 5 s that it is there.
    #[serde(default = "classifier_silent_after_s")]
    pub silent_after_s: u64,
    /// The tariff's group of each of its classes; a class without one measures nothing.
    pub groups: BTreeMap<AxleClass, u8>,
}

const fn classifier_baud() -> u32 {
    9_600
}

/// Two and a half times its period of 5 s.
const fn classifier_silent_after_s() -> u64 {
    13
}

impl Classifier {
    /// The tariff's group of a class.
    #[must_use]
    pub fn group(&self, class: AxleClass) -> Option<VehicleGroup> {
        self.groups.get(&class).and_then(|number| VehicleGroup::try_new(*number).ok())
    }

    pub(super) fn wrongs(&self) -> impl Iterator<Item = String> {
        self.groups.values().filter_map(|number| {
            let error = VehicleGroup::try_new(*number).err()?;
            Some(format!("classifier.groups: {error}"))
        })
    }
}

/// A camera that reads plates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Its name; it posts to `/camera/NAME/SECRET`.
    pub name: String,
    /// What it writes: `hikvision` or `dahua`.
    pub format: Format,
    /// The file that holds its secret, at least 16 letters and digits.
    pub secret_file: PathBuf,
    /// What it calls complete confidence: 100, or 255.
    #[serde(default = "confidence_max")]
    pub confidence_max: u16,
    /// Lost after so many seconds without a post, of run time; 0 for a camera that posts nothing
    /// while nobody comes.
    #[serde(default = "camera_silent_after_s")]
    pub silent_after_s: u64,
}

const fn confidence_max() -> u16 {
    100
}

const fn camera_silent_after_s() -> u64 {
    120
}

impl Camera {
    /// Reads its secret.
    ///
    /// # Errors
    /// Tells what is wrong with the file, and never what is in it.
    pub fn secret(&self) -> Result<CameraSecret, String> {
        let file = self.secret_file.display();
        let text = std::fs::read_to_string(&self.secret_file)
            .map_err(|error| format!("camera.secret_file {file}: {error}"))?;
        CameraSecret::try_new(text.trim()).ok_or_else(|| {
            let min = CameraSecret::LEN_MIN;
            format!("camera.secret_file {file} holds {min} letters and digits at least")
        })
    }

    pub(super) fn wrongs(&self) -> impl Iterator<Item = String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let name = (self.name.is_empty() || !self.name.chars().all(is_plain))
            .then(|| format!("camera.name is letters, digits and hyphens, not {:?}", self.name));
        let scale = (self.confidence_max == 0)
            .then(|| "camera.confidence_max is 1 at least, usually 100 or 255".to_owned());
        name.into_iter().chain(scale)
    }
}

/// Where the station's cameras are listened for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cameras {
    /// Address and port, of the cameras' own network.
    pub listen: SocketAddr,
    /// Pictures that are kept, in megabytes.
    #[serde(default = "pictures_mb_max")]
    pub pictures_mb_max: u64,
    /// Posts that were not understood and are kept, in megabytes.
    #[serde(default = "quarantine_mb_max")]
    pub quarantine_mb_max: u64,
    /// Whose pictures the lanes send to the broker: `exceptions`, `all` or `none`.
    #[serde(default)]
    pub send_pictures: SendPictures,
    /// One post, in megabytes.
    #[serde(default = "post_mb_max")]
    pub post_mb_max: usize,
}

const fn pictures_mb_max() -> u64 {
    2_000
}

const fn quarantine_mb_max() -> u64 {
    50
}

const fn post_mb_max() -> usize {
    8
}
