//! Shelves: where the stubs of one side wait, sorted roughly, until they are matched.
//!
//! *Shelf*: one of a power of two of them; which one a stub goes to follows from its digest, or from
//! its place. *Stage*: a few stubs of each shelf, side by side in memory, so that a stub that comes is
//! written where the processor's cache has it. *Chunk*: what some stages make; a full one stays in
//! memory as long as the *room* lasts that all workers share, and goes to the spill file from then on.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::spill::{Spill, Spilled};
use super::stub::Stub;

/// How many chunks may still be kept in memory, by all workers together.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Room {
    pub(crate) fn new(chunks: usize) -> Self {
        Self(AtomicUsize::new(chunks))
    }

    fn take(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn give_back(&self, chunks: usize) {
        self.0.fetch_add(chunks, Ordering::Relaxed);
    }
}

/// How many shelves there are and how they are filled.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The shelves are two to this power; up to 16.
    pub(crate) bits: u32,
    /// Stubs in a chunk; a multiple of those in a stage.
    pub(crate) chunk_len: usize,
    /// Stubs in a stage; up to 255.
    pub(crate) stage_len: u8,
    /// Where spill files are made.
    pub(crate) folder: PathBuf,
}

impl Shape {
    pub(crate) fn shelves(&self) -> usize {
        1 << self.bits
    }

    /// Where a digest's leading bits say.
    #[inline]
    pub(crate) fn by_digest(&self, stub: &Stub) -> usize {
        usize::from(leading_16(stub.leading())) >> (16 - self.bits)
    }

    /// Shelf after shelf in order of place, of a side with so many places.
    pub(crate) fn by_place(&self, stub: &Stub, extent: u64) -> usize {
        let share = u128::from(stub.place()) * (1 << self.bits) / u128::from(extent.max(1));
        usize::try_from(share).unwrap_or(usize::MAX).min(self.shelves() - 1)
    }
}

const fn leading_16(word: u64) -> u16 {
    let bytes = word.to_be_bytes();
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// The shelves that one worker fills for one side.
#[derive(Debug)]
pub(crate) struct Shelves<'a> {
    shape: &'a Shape,
    room: &'a Room,
    /// Every shelf's stage, one behind the other.
    staged: Vec<Stub>,
    /// How many stubs each stage holds.
    counts: Vec<u8>,
    open: Vec<Vec<Stub>>,
    full: Vec<Vec<Vec<Stub>>>,
    spilled: Vec<Vec<Spilled>>,
    spill: Option<Spill>,
    failed: Option<io::Error>,
}

impl<'a> Shelves<'a> {
    pub(crate) fn new(shape: &'a Shape, room: &'a Room) -> Self {
        let shelves = shape.shelves();
        Self {
            shape,
            room,
            staged: vec![Stub::default(); shelves * usize::from(shape.stage_len)],
            counts: vec![0; shelves],
            open: vec![Vec::new(); shelves],
            full: vec![Vec::new(); shelves],
            spilled: vec![Vec::new(); shelves],
            spill: None,
            failed: None,
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, shelf: usize, stub: Stub) {
        let count = self.counts[shelf];
        let stage_len = self.shape.stage_len;
        self.staged[shelf * usize::from(stage_len) + usize::from(count)] = stub;
        self.counts[shelf] = count + 1;
        if count + 1 == stage_len {
            self.clear_stage(shelf);
        }
    }

    #[inline(never)]
    fn clear_stage(&mut self, shelf: usize) {
        self.counts[shelf] = 0;
        let stage_len = usize::from(self.shape.stage_len);
        let open = &mut self.open[shelf];
        if open.capacity() == 0 {
            open.reserve_exact(self.shape.chunk_len);
        }
        open.extend_from_slice(&self.staged[shelf * stage_len..(shelf + 1) * stage_len]);
        if open.len() >= self.shape.chunk_len {
            self.keep(shelf);
        }
    }

    fn keep(&mut self, shelf: usize) {
        if self.room.take() {
            self.full[shelf].push(std::mem::take(&mut self.open[shelf]));
        } else if self.failed.is_none() {
            match self.write(shelf) {
                Ok(chunk) => self.spilled[shelf].push(chunk),
                Err(error) => self.failed = Some(error),
            }
            self.open[shelf].clear();
        }
    }

    fn write(&mut self, shelf: usize) -> io::Result<Spilled> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::create(&self.shape.folder)?),
        };
        spill.write(&self.open[shelf])
    }

    /// Whether everything that was put is there; to be asked before anything is taken out.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Puts what is on a shelf behind what `into` holds.
    pub(crate) fn gather(
        &self,
        shelf: usize,
        bytes: &mut Vec<u8>,
        into: &mut Vec<Stub>,
    ) -> io::Result<()> {
        self.full[shelf].iter().for_each(|chunk| into.extend_from_slice(chunk));
        into.extend_from_slice(&self.open[shelf]);
        let stage = shelf * usize::from(self.shape.stage_len);
        into.extend_from_slice(&self.staged[stage..stage + usize::from(self.counts[shelf])]);
        if let Some(spill) = &self.spill {
            for chunk in &self.spilled[shelf] {
                spill.read(*chunk, bytes, into)?;
            }
        }
        Ok(())
    }
}

impl Drop for Shelves<'_> {
    fn drop(&mut self) {
        self.room.give_back(self.full.iter().map(Vec::len).sum());
    }
}
