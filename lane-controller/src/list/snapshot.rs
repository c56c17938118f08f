//! A snapshot on its way into a table, part by part: the list may be far larger than the memory.
//!
//! Rows are spooled to files by the first bits of their hash; each file is then small enough to be
//! put in order in memory, and one after the other they are the whole list in order.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use domain::account_list::{self, ContentHash, ListEntry};
use domain::signature::{Digest256, PublicKey};
use domain::wire::v1::{ListEntryRecord, Manifest};

use super::guard::Anchor;
use super::row::{Marks, Row, encode_pass, hash_of};
use super::table::{Kind, TableWriter, Title};
use super::{ListError, SignedMessage, read_manifest};

/// About how many rows are put in order at once.
const SPOOL_ROWS: u64 = 500_000;
/// The most files a snapshot is spooled to, as a power of two.
const SPOOL_BITS_MAX: u32 = 8;
const BUFFER_LEN: usize = 64 << 10;

/// A snapshot of which some parts are here.
#[derive(Debug)]
pub struct SnapshotBuilder {
    manifest: SignedMessage,
    content: Manifest,
    centre: PublicKey,
    folder: PathBuf,
    spools: Vec<BufWriter<File>>,
    bits: u32,
    salt: u64,
    hash: ContentHash,
    tags: u64,
    common: u64,
    parts: usize,
    bytes: Vec<u8>,
}

impl SnapshotBuilder {
    pub(super) fn begin(
        folder: &Path,
        manifest: &SignedMessage,
        centre: PublicKey,
    ) -> Result<Self, ListError> {
        let content = read_manifest(manifest, &centre)?;
        let folder = folder.join("spool");
        let bits = content.tags.div_ceil(SPOOL_ROWS).next_power_of_two().trailing_zeros();
        let bits = bits.min(SPOOL_BITS_MAX);
        let make = || -> io::Result<Vec<BufWriter<File>>> {
            if folder.exists() {
                std::fs::remove_dir_all(&folder)?;
            }
            std::fs::create_dir_all(&folder)?;
            (0..1_u32 << bits)
                .map(|number| File::create(folder.join(number.to_string())))
                .map(|file| file.map(|file| BufWriter::with_capacity(BUFFER_LEN, file)))
                .collect()
        };
        let spools = make().map_err(|source| ListError::Keep { path: folder.clone(), source })?;
        let salt =
            content.hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        Ok(Self {
            manifest: manifest.clone(),
            content,
            centre,
            folder,
            spools,
            bits,
            salt,
            hash: ContentHash::default(),
            tags: 0,
            common: 0,
            parts: 0,
            bytes: Vec::new(),
        })
    }

    /// The version of the snapshot.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.content.version
    }

    /// How many parts there are, which are to be added from the first to the last.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.content.parts.len()
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// When it is not the one that the manifest names, or the disk fails.
    pub fn add_part(&mut self, part: &SignedMessage) -> Result<(), ListError> {
        if self.content.parts.get(self.parts) != Some(&Digest256::of(part.payload.as_bytes())) {
            return Err(ListError::Damaged("a part has another digest".to_owned()));
        }
        let records: Vec<ListEntryRecord> = serde_json::from_str(&part.payload)
            .map_err(|error| ListError::Damaged(error.to_string()))?;
        self.parts += 1;
        for record in records {
            self.spool(&ListEntry::from(record))
                .map_err(|source| ListError::Keep { path: self.folder.clone(), source })?;
        }
        Ok(())
    }

    fn spool(&mut self, entry: &ListEntry) -> io::Result<()> {
        let pass = encode_pass(entry.pass.as_ref());
        let tag = entry.tag.as_bytes();
        let row = Row { hash: hash_of(tag, self.salt), tag, marks: Marks::of(entry), pass: &pass };
        self.bytes.clear();
        row.encode(&mut self.bytes);
        // Shifted twice, as a shift by all 64 bits is none.
        let spool = usize::try_from(row.hash >> (63 - self.bits) >> 1).unwrap_or(0);
        self.spools[spool].write_all(&self.bytes)?;
        self.hash = self.hash.plus(entry.hash());
        self.tags += 1;
        self.common += u64::from(row.is_common());
        Ok(())
    }

    pub(super) const fn tags(&self) -> u64 {
        self.tags
    }

    pub(super) const fn content(&self) -> &Manifest {
        &self.content
    }

    pub(super) const fn manifest(&self) -> &SignedMessage {
        &self.manifest
    }

    /// Proves that this is what the centre said, and writes the table.
    pub(super) fn finish(mut self, path: &Path, anchor: Anchor) -> Result<(), ListError> {
        let version = self.content.version;
        let hash = ContentHash::new(*self.content.hash.as_bytes());
        if self.parts != self.content.parts.len() {
            let (here, all) = (self.parts, self.content.parts.len());
            return Err(ListError::Damaged(format!("{here} parts of {all} are here")));
        }
        // A tag that is there twice has the hash wrong, too, but says more of what is wrong.
        let whole = self.hash == hash && self.tags == self.content.tags;
        let title = Title {
            kind: Kind::Base,
            version,
            hash,
            issued_at: self.content.issued_at,
            tags: self.tags,
            anchor,
            salt: self.salt,
        };
        let keep = |source| ListError::Keep { path: path.to_owned(), source };
        let (manifest, common) = (self.manifest.clone(), self.common);
        let mut table =
            TableWriter::create(path, title, common, manifest, self.centre).map_err(keep)?;
        for (number, spool) in std::mem::take(&mut self.spools).into_iter().enumerate() {
            drop(spool.into_inner().map_err(|error| keep(error.into_error()))?);
            self.write_spool(number, &mut table)?;
        }
        if !whole {
            let refused = account_list::ListError::Hash { version };
            return Err(ListError::Refused(refused));
        }
        table.finish().map_err(keep)?;
        std::fs::remove_dir_all(&self.folder).map_err(keep)
    }

    fn write_spool(&self, number: usize, table: &mut TableWriter) -> Result<(), ListError> {
        let path = self.folder.join(number.to_string());
        let keep = |source| ListError::Keep { path: path.clone(), source };
        let bytes = std::fs::read(&path).map_err(keep)?;
        std::fs::remove_file(&path).map_err(keep)?;
        let (mut order, mut at) = (Vec::new(), 0);
        while let Some(row) = Row::decode(&bytes[at..], self.salt) {
            order.push((row.hash, at));
            at += row.encoded_len();
        }
        let row_at = |at: usize| Row::decode(&bytes[at..], self.salt);
        order.sort_unstable_by(|(hash, at), (other_hash, other_at)| {
            let tag = |at| row_at(at).map(|row| row.tag);
            hash.cmp(other_hash).then_with(|| tag(*at).cmp(&tag(*other_at)))
        });
        let mut before: Option<Row<'_>> = None;
        for (_, at) in order {
            let Some(row) = row_at(at) else { continue };
            if before.is_some_and(|before| before.place() == row.place()) {
                let twice = account_list::ListError::Twice { version: self.content.version };
                return Err(ListError::Refused(twice));
            }
            table.push(&row).map_err(keep)?;
            before = Some(row);
        }
        Ok(())
    }
}
