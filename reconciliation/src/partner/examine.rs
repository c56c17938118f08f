//! Looks a whole file through, before anything of it is taken: every rule of its layout, its name,
//! its count, its doubles; and what it comes to.
//!
//! Doubles are found in bounded memory. Where identities ascend, there is none. Where they do not,
//! fingerprints of up to [`KEYS_MAX`] are kept; past that the database's unique key decides, and
//! [`Examined::doubles`] says so.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Amount, MoneyError};
use sha2::{Digest as _, Sha256};

use super::file::Reader;
use super::layout::{Form, Layout, Roles};
use super::name::FileName;
use super::record::Record;
use super::refusal::{Fault, FileError, Refusal, Wrong};

/// Identities that are kept at most, in some 40 MB.
pub const KEYS_MAX: usize = 1 << 20;

/// What a file comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Its records.
    pub records: u64,
    /// What is to be paid by them, in minor units.
    pub to_pay: Amount,
    /// What is to be given back by them, in minor units.
    pub to_give_back: Amount,
}

impl Figures {
    /// Adds a record.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn add(&mut self, record: &Record, roles: &Roles) -> Result<(), Wrong> {
        self.records += 1;
        let Some((field, text)) = roles.amount.and_then(|a| Some((a, record.text(a)?))) else {
            return Ok(());
        };
        let (is_back, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (roles.direction.and_then(|d| record.text(d)) == Some("-"), text),
        };
        let sum = if is_back { &mut self.to_give_back } else { &mut self.to_pay };
        let amount = digits.parse().map_err(|_no_number| MoneyError::Overflow);
        let added = amount.and_then(Amount::try_new).and_then(|amount| sum.plus(amount));
        *sum = added.map_err(|error| Wrong::new(field, error.to_string(), "a sum that fits"))?;
        Ok(())
    }
}

/// Whether doubles within a file were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubles {
    /// There is none.
    None,
    /// There are too many records in no order to be sure; the database decides.
    LeftToTheDatabase,
}

/// A file that is good in itself.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What it is.
    pub layout: &'static Layout,
    /// Its header.
    pub header: Record,
    /// What it comes to.
    pub figures: Figures,
    /// Its bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Whether doubles were looked for.
    pub doubles: Doubles,
}

/// One pass over a file: each record once, and in the end what the file came to.
#[derive(Debug)]
pub struct Pass<R: Read> {
    reader: Reader<BufReader<Tallied<R>>>,
    tally: Arc<Mutex<Tally>>,
    figures: Figures,
    seen: Seen,
}

impl<R: Read> Pass<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not as the layout or the name says, or the disk fails.
    pub fn open(name: &FileName, input: R) -> Result<Self, FileError> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let input = Tallied { input, tally: Arc::clone(&tally) };
        let reader = Reader::open(name.layout, BufReader::with_capacity(1 << 16, input))?;
        name.agrees(reader.header())?;
        Ok(Self { reader, tally, figures: Figures::default(), seen: Seen::new(KEYS_MAX) })
    }

    /// Reads the next record; false after the last. What was read before may still be followed by
    /// a refusal: whoever takes records must be able to forget them.
    ///
    /// # Errors
    /// When anything is not as the layout says, or the disk fails.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, FileError> {
        let roles = &self.reader.layout().roles;
        if !self.reader.next(record)? {
            // A file without header says nothing by being empty.
            if self.figures.records == 0 && matches!(self.reader.layout().form, Form::Tuples) {
                let refusal = Refusal::of_file(Fault::File, "there is no record", "at least one");
                return Err(refusal.into());
            }
            return Ok(false);
        }
        let place = self.reader.place();
        let refuse = |wrong| FileError::from(Refusal::of_value(wrong, place));
        self.figures.add(record, roles).map_err(refuse)?;
        if self.seen.is_double(record, roles) {
            let field = roles.identity.join(" + ");
            return Err(refuse(Wrong::new(field, "stood in the file before", "each record once")));
        }
        Ok(true)
    }

    /// How many records were read, and what they come to.
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    /// How many bytes were read.
    pub fn bytes(&self) -> u64 {
        lock(&self.tally).bytes
    }

    /// What the file came to, when all of it was read.
    pub fn finish(self) -> Examined {
        let Tally { digest, bytes } = std::mem::take(&mut *lock(&self.tally));
        Examined {
            layout: self.reader.layout(),
            header: self.reader.header().clone(),
            figures: self.figures,
            bytes,
            digest: digest.finalize().into(),
            doubles: self.seen.doubles(),
        }
    }
}

/// Looks a whole file through.
///
/// # Errors
/// When anything is not as the layout or the name says, or the disk fails.
pub fn examine(name: &FileName, input: impl Read) -> Result<Examined, FileError> {
    let mut pass = Pass::open(name, input)?;
    let mut record = Record::default();
    while pass.next(&mut record)? {}
    Ok(pass.finish())
}

/// What a record is known by, in one line.
#[must_use]
pub fn identity(record: &Record, roles: &Roles) -> String {
    let mut text = String::new();
    identity_into(record, roles, &mut text);
    text
}

fn identity_into(record: &Record, roles: &Roles, text: &mut String) {
    text.clear();
    for (index, path) in roles.identity.iter().enumerate() {
        if index > 0 {
            text.push('/');
        }
        text.push_str(record.text(path).unwrap_or_default());
    }
}

/// Identities that stood there before.
#[derive(Debug)]
struct Seen {
    last: String,
    now: String,
    /// Whether each was above the one before so far, the shorter below the longer.
    ascends: bool,
    /// Fingerprints of all of them; none any more once there were too many.
    keys: Option<HashSet<u128>>,
    keys_max: usize,
    hashers: [RandomState; 2],
}

impl Seen {
    fn new(keys_max: usize) -> Self {
        Self {
            last: String::new(),
            now: String::new(),
            ascends: true,
            keys: Some(HashSet::new()),
            keys_max,
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    fn is_double(&mut self, record: &Record, roles: &Roles) -> bool {
        if roles.identity.is_empty() {
            return false;
        }
        std::mem::swap(&mut self.last, &mut self.now);
        identity_into(record, roles, &mut self.now);
        self.is_known()
    }

    fn is_known(&mut self) -> bool {
        self.ascends &= (self.last.len(), &self.last) < (self.now.len(), &self.now);
        let key = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(&self.now)));
        let Some(keys) = &mut self.keys else { return false };
        let is_double = !keys.insert(key[0] << 64 | key[1]);
        if keys.len() > self.keys_max {
            self.keys = None;
        }
        is_double
    }

    fn doubles(&self) -> Doubles {
        if self.ascends || self.keys.is_some() { Doubles::None } else { Doubles::LeftToTheDatabase }
    }
}

/// Counts and digests what is read.
#[derive(Debug)]
struct Tallied<R> {
    input: R,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    digest: Sha256,
    bytes: u64,
}

/// Nobody stops half-way through a tally.
fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Read> Read for Tallied<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let taken = self.input.read(room)?;
        let mut tally = lock(&self.tally);
        tally.digest.update(&room[..taken]);
        tally.bytes += taken as u64;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there is a double among them, where so many are kept, and what is known in the end.
    fn check(identities: &[&str], keys_max: usize, is_double: bool, doubles: Doubles) {
        let mut seen = Seen::new(keys_max);
        let found = identities.iter().any(|identity| {
            std::mem::swap(&mut seen.last, &mut seen.now);
            seen.now = (*identity).to_owned();
            seen.is_known()
        });
        assert_eq!((found, seen.doubles()), (is_double, doubles), "{identities:?}");
    }

    #[test]
    fn doubles_are_found_or_ruled_out_or_left_to_the_database() {
        check(&["1", "2", "9", "10"], 2, false, Doubles::None);
        check(&["2", "1", "3"], 9, false, Doubles::None);
        check(&["2", "1", "2"], 9, true, Doubles::None);
        check(&["2", "1", "3", "4", "1"], 2, false, Doubles::LeftToTheDatabase);
        check(&["2", "2"], 0, false, Doubles::LeftToTheDatabase);
    }
}
