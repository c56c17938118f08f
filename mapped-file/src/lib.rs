//! A file that never changes, read as memory.
//!
//! It exists so that the rest of the workspace can forbid unsafe code: mapping a file is unsafe,
//! because the memory would change under its reader if somebody changed the file, and would be
//! gone if somebody shortened it. What makes it sound here is a rule about the files, which the
//! caller must keep; see [`MappedFile::open`].
//!
//! Deliberately absent: writing, growing, and any meaning of the bytes.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// A file's bytes in memory, for as long as this lives.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a file.
    ///
    /// The rule: the file was written whole under another name by this program, is never opened
    /// for writing again, never shortened, and only ever replaced by a rename or unlinked. Both of
    /// the latter leave a mapped file as it was until the last mapping ends.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped, or is empty.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an empty file"));
        }
        #[expect(
            unsafe_code,
            reason = "the one call that maps a file; its condition is the rule above"
        )]
        // SAFETY: by the rule above nobody writes to or shortens the file while it is mapped: it is
        // in a folder that one process at a time owns by a lock, has its final content before it
        // gets this name, and leaves the name by rename or unlink alone. The map is read only and
        // private to the kernel's page cache; no other mapping of it is writable.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }

    /// The bytes from an offset, where the file has so many.
    #[must_use]
    pub fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        self.0.get(offset..offset.checked_add(len)?)
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the file has no bytes; never, as such a file is not mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings the whole file into memory, so that no later reader waits for the disk. Takes as long
    /// as the disk does; meant for a thread that nobody waits for.
    ///
    /// # Errors
    /// When the system cannot do that (Linux before 5.14); the map is as usable as before.
    pub fn bring_in(&self) -> io::Result<()> {
        self.0.advise(Advice::PopulateRead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_stays_as_it_was_when_another_takes_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (name, new) = (folder.path().join("list"), folder.path().join("list.new"));
        std::fs::write(&name, b"first").unwrap();
        let first = MappedFile::open(&name).unwrap();
        std::fs::write(&new, b"second one").unwrap();
        std::fs::rename(&new, &name).unwrap();
        let second = MappedFile::open(&name).unwrap();
        assert_eq!(first.bytes(0, first.len()), Some(&b"first"[..]));
        assert_eq!(second.bytes(7, 3), Some(&b"one"[..]));
    }

    #[test]
    fn bytes_beyond_the_end_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("list");
        std::fs::write(&name, b"first").unwrap();
        let map = MappedFile::open(&name).unwrap();
        assert_eq!(map.bytes(3, 3), None);
        assert_eq!(map.bytes(usize::MAX, 2), None);
        assert_eq!(map.bytes(5, 0), Some(&[][..]));
        std::fs::write(&name, b"").unwrap();
        assert!(MappedFile::open(&name).is_err());
    }
}
