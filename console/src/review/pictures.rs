//! Pictures of passages, as far as the centre has them: files in a folder, one folder for each
//! passage, `OPERATOR/STATION/LANE/EPOCH/SEQ/`. The clearing house files them there and forgets them
//! in time; what is not there is absent, and the page says so. What is no picture by its first bytes
//! is none.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::PassageId;

use crate::picture::Picture;

/// Pictures that a page shows at most, the first by name.
const SHOWN_MAX: usize = 4;

/// The largest picture that is served.
const BYTES_MAX: u64 = 8 << 20;

/// How long a session that has said why sees the pictures of a passage.
const SEEN_FOR: Duration = Duration::from_secs(300);

/// How many such permissions there are at once; the oldest goes.
const SEEN_MAX: usize = 256;

/// That a session sees the pictures of a passage, and until when.
#[derive(Debug)]
struct Seen {
    session: String,
    passage: PassageId,
    until: Instant,
}

/// Where pictures are, and who has just said why they look at some. Copies are of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pictures {
    folder: Option<PathBuf>,
    seen: Arc<Mutex<VecDeque<Seen>>>,
}

impl Pictures {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, seen: Arc::default() }
    }

    /// Lets a session see the pictures of a passage for a while; why is written down already.
    pub(crate) fn let_see(&self, session: &str, passage: &PassageId, now: Instant) {
        let mut all = self.seen();
        all.retain(|seen| now < seen.until);
        if all.len() == SEEN_MAX {
            all.pop_front();
        }
        let (session, passage) = (session.to_owned(), passage.clone());
        all.push_back(Seen { session, passage, until: now + SEEN_FOR });
    }

    /// Whether a session sees the pictures of a passage now.
    pub(crate) fn may_see(&self, session: &str, passage: &PassageId, now: Instant) -> bool {
        let own = |seen: &Seen| seen.session == session && seen.passage == *passage;
        self.seen().iter().any(|seen| own(seen) && now < seen.until)
    }

    fn seen(&self) -> MutexGuard<'_, VecDeque<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of a passage, in the order of their names; none where there is no folder. Blocks.
    pub(crate) fn of(&self, passage: &PassageId) -> io::Result<Vec<PathBuf>> {
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
    pub(crate) fn picture(
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
        Ok(Picture::try_new(bytes))
    }
}

fn is_named_as_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| matches!(extension, "jpg" | "jpeg" | "png"))
}

#[cfg(test)]
mod tests {
    use domain::Clock;

    use super::*;

    #[test]
    fn a_session_sees_the_pictures_of_the_passage_it_said_why_about_for_a_while() {
        let pictures = Pictures::default();
        let start = Clock::system().real();
        let passage = |seq: u64| format!("cienco4/ben-thuy/l01:1:{seq}").parse().unwrap();
        let one: PassageId = passage(7);
        assert!(!pictures.may_see("s1", &one, start));
        pictures.clone().let_see("s1", &one, start);
        assert!(pictures.may_see("s1", &one, start));
        assert!(!pictures.may_see("s2", &one, start), "another session");
        assert!(!pictures.may_see("s1", &passage(8), start), "another passage");
        assert!(!pictures.may_see("s1", &one, start + SEEN_FOR), "long ago");
        for seq in 1..=300 {
            pictures.let_see("s3", &passage(seq), start);
        }
        assert!(!pictures.may_see("s1", &one, start), "the oldest permission went");
        assert_eq!(pictures.seen().len(), SEEN_MAX);
    }

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
