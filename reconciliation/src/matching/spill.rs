//! The spill file: chunks of stubs that memory does not hold. The only disk that matching touches.
//!
//! One file a worker and side, without a name, so that it is gone whatever becomes of the program.
//! Chunks are written one after the other and read again by where they stand.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::stub::{STUB_LEN, Stub};

#[derive(Debug)]
pub(crate) struct Spill {
    file: File,
    len: u64,
    bytes: Vec<u8>,
}

/// Where a chunk stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spilled {
    at: u64,
    stubs: usize,
}

impl Spill {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, len: 0, bytes: Vec::new() })
    }

    pub(crate) fn write(&mut self, stubs: &[Stub]) -> io::Result<Spilled> {
        self.bytes.clear();
        stubs.iter().for_each(|stub| self.bytes.extend_from_slice(&stub.to_bytes()));
        self.file.write_all_at(&self.bytes, self.len)?;
        let spilled = Spilled { at: self.len, stubs: stubs.len() };
        self.len += self.bytes.len() as u64;
        Ok(spilled)
    }

    /// Reads a chunk again, behind what is there.
    pub(crate) fn read(
        &self,
        chunk: Spilled,
        bytes: &mut Vec<u8>,
        into: &mut Vec<Stub>,
    ) -> io::Result<()> {
        bytes.resize(chunk.stubs * STUB_LEN, 0);
        self.file.read_exact_at(bytes, chunk.at)?;
        into.extend(bytes.as_chunks::<STUB_LEN>().0.iter().map(Stub::from_bytes));
        Ok(())
    }
}
