//! Pictures of passages, as far as the centre has them: files in a folder, one folder for each
//! passage, `OPERATOR/STATION/LANE/EPOCH/SEQ/`. Stations fill it by whatever copies files; what is
//! not there yet is absent, and the page says so. What is no picture by its first bytes is none.
//! Deliberately absent: copying, keeping within bounds and deleting in time, which belong to
//! whoever fills the folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::PassageId;
use domain::signature::Digest256;

/// Pictures that a page shows at most, the first by name.
const SHOWN_MAX: usize = 4;

/// The largest picture that is served.
const BYTES_MAX: u64 = 8 << 20;

/// A picture that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// Where pictures are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pictures {
    folder: Option<PathBuf>,
}

impl Pictures {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The files of a passage, in the order of their names; none where there is no folder. Blocks.
    pub(super) fn of(&self, passage: &PassageId) -> io::Result<Vec<PathBuf>> {
        let Some(folder) = self.folder_of(passage) else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A file of its own, and no link to somewhere else.
            if entry.file_type()?.is_file() && is_named_as_picture(&entry.path()) {
                files.push(entry.path());
            }
        }
        files.sort();
        files.truncate(SHOWN_MAX);
        Ok(files)
    }

    fn folder_of(&self, passage: &PassageId) -> Option<PathBuf> {
        let PassageId { lane, epoch, seq } = passage;
        let folder = self.folder.as_ref()?.join(lane.to_string());
        Some(folder.join(epoch.to_string()).join(seq.to_string()))
    }

    /// One of a passage's pictures, the first being 1; nothing where it is not there, or none. Blocks.
    pub(super) fn picture(
        &self,
        passage: &PassageId,
        number: usize,
    ) -> io::Result<Option<Picture>> {
        let files = self.of(passage)?;
        let Some(file) = number.checked_sub(1).and_then(|place| files.get(place)) else {
            return Ok(None);
        };
        if fs::metadata(file)?.len() > BYTES_MAX {
            return Ok(None);
        }
        let bytes = fs::read(file)?;
        Ok(media_type(&bytes).map(|media_type| Picture { media_type, bytes }))
    }
}

impl Picture {
    /// What it is known by.
    pub(super) fn digest(&self) -> Digest256 {
        Digest256::of(&self.bytes)
    }
}

fn is_named_as_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| matches!(extension, "jpg" | "jpeg" | "png"))
}

/// What a picture is by its first bytes.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_those_of_the_passage_and_nothing_that_only_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let passage: PassageId = "cienco4/ben-thuy/l01:1:7".parse().unwrap();
        let pictures = Pictures::new(Some(folder.path().to_owned()));
        assert!(pictures.of(&passage).unwrap().is_empty());
        let own = folder.path().join("cienco4/ben-thuy/l01/1/7");
        fs::create_dir_all(&own).unwrap();
        for (name, bytes) in [
            ("1-plate.jpg", b"\xff\xd8\xff of the plate".as_slice()),
            ("2-whole.png", b"\x89PNG\r\n\x1a\n of the whole"),
            ("3-none.jpg", b"<script>"),
            ("notes.txt", b"\xff\xd8\xff"),
        ] {
            fs::write(own.join(name), bytes).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", own.join("0-elsewhere.jpg")).unwrap();
        assert_eq!(pictures.of(&passage).unwrap().len(), 3);
        let kind =
            |number| pictures.picture(&passage, number).unwrap().map(|picture| picture.media_type);
        assert_eq!([kind(1), kind(2)], [Some("image/jpeg"), Some("image/png")]);
        assert_eq!([kind(0), kind(3), kind(4)], [None; 3]);
        let other: PassageId = "cienco4/ben-thuy/l01:1:8".parse().unwrap();
        assert!(pictures.of(&other).unwrap().is_empty());
        assert!(Pictures::default().of(&passage).unwrap().is_empty());
    }
}
