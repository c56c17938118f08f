//! The audit log on disk: appended, flushed, and read again at each start.
//!
//! An entry is on the disk before anybody acts on it. What the entries add up to (the highest
//! people file, the shifts) is kept beside them, so that the log is all a console has to keep.
//! A log found damaged is put aside, never mended, and a new one says so in its first line: a
//! station must have a desk. A last line that was not written whole is cut off: nobody acted on it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Clock;
use tracing::{error, warn};

use super::{AuditError, Chain, ChainBreak, Deed, Entry, Walk, walk};
use crate::administration::key_proposal::{KeyRule, ProposedKeys};
use crate::administration::proposal::{Changes, PersonError};
use crate::station::shift::{ShiftError, Shifts};
use crate::tariffs::proposal::{Proposals, TariffError};

/// How many entries are kept at hand for the page.
const RECENT_MAX: usize = 500;

/// Who does something, and from where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Author {
    pub who: Option<String>,
    pub from: Option<IpAddr>,
}

/// What the entries add up to.
#[derive(Debug, Default)]
struct Sum {
    recent: VecDeque<Entry>,
    shifts: Shifts,
    proposals: Proposals,
    changes: Changes,
    proposed_keys: ProposedKeys,
    people_version: u64,
}

impl Sum {
    fn add(&mut self, entry: Entry) {
        self.shifts.handle(&entry);
        self.proposals.handle(&entry);
        self.changes.handle(&entry);
        self.proposed_keys.handle(&entry);
        if let Deed::PeopleRead { version } = entry.deed {
            self.people_version = self.people_version.max(version);
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(entry);
    }
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// Where the next line goes.
    end: u64,
    chain: Chain,
    sum: Sum,
}

/// A console's log.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    clock: Clock,
    inner: Mutex<Inner>,
}

/// A rule that forbids a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAllowed {
    /// One of shifts.
    #[error(transparent)]
    Shift(#[from] ShiftError),
    /// One of proposals of tariffs.
    #[error(transparent)]
    Tariff(#[from] TariffError),
    /// One of changes of people.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// One of keys of the API.
    #[error(transparent)]
    Key(#[from] KeyRule),
}

/// What recording came to: the entry, or the rule that forbids it.
pub(crate) type Recorded = Result<Entry, NotAllowed>;

impl AuditLog {
    /// Opens a log, making it where there is none.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn open(path: &Path, clock: Clock) -> Result<Self, AuditError> {
        let failed = |what| move |source| AuditError::File { what, path: path.to_owned(), source };
        let mut sum = Sum::default();
        let (walk, put_aside) = match read(path, &mut sum).map_err(failed("read"))? {
            Ok(walk) => (walk, None),
            Err(broken) => {
                let aside = put_aside(path).map_err(failed("put aside"))?;
                error!(line = broken.line, why = broken.why, kept = %aside.display(),
                    "the audit log is damaged");
                sum = Sum::default();
                let walk = Walk { chain: Chain::default(), whole_bytes: 0, is_torn: false };
                (walk, Some((aside, broken)))
            }
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path).map_err(failed("open"))?;
        if walk.is_torn {
            warn!("the last line of the audit log was not written whole; it is cut off");
            file.set_len(walk.whole_bytes).map_err(failed("mend"))?;
        }
        let inner = Inner { file, end: walk.whole_bytes, chain: walk.chain, sum };
        let log = Self { path: path.to_owned(), clock, inner: Mutex::new(inner) };
        if let Some((aside, ChainBreak { line, .. })) = put_aside {
            let file = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // No rule of shifts forbids it.
            log.append(&Author::default(), Deed::PutAside { file, line })?.ok();
        }
        Ok(log)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry and waits until it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written; then it is as if it had never been tried.
    pub(crate) fn append(&self, author: &Author, deed: Deed) -> Result<Recorded, AuditError> {
        let mut inner = self.inner();
        let who = author.who.as_deref();
        if let Err(refused) = inner.sum.shifts.admits(who, &deed) {
            return Ok(Err(refused.into()));
        }
        if let Err(refused) = inner.sum.proposals.admits(who, &deed) {
            return Ok(Err(refused.into()));
        }
        if let Err(refused) = inner.sum.changes.admits(who, &deed) {
            return Ok(Err(refused.into()));
        }
        if let Err(refused) = inner.sum.proposed_keys.admits(who, &deed) {
            return Ok(Err(refused.into()));
        }
        let by = (author.who.clone(), author.from);
        let (entry, mut line, chain) =
            inner.chain.link(self.clock.now(), by, deed).map_err(AuditError::Json)?;
        line.push('\n');
        let end = inner.end;
        if let Err(source) = write_at(&mut inner.file, end, line.as_bytes()) {
            // A half-written line must not stand before the next one.
            if let Err(error) = inner.file.set_len(end) {
                error!(error = &error as &dyn std::error::Error, "mend the audit log");
            }
            return Err(AuditError::File { what: "write", path: self.path.clone(), source });
        }
        inner.end = end + u64::try_from(line.len()).unwrap_or(u64::MAX);
        inner.chain = chain;
        inner.sum.add(entry.clone());
        Ok(Ok(entry))
    }

    /// Writes an entry without holding up the threads that serve pages.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn record(
        self: &Arc<Self>,
        author: Author,
        deed: Deed,
    ) -> Result<Recorded, AuditError> {
        let log = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || log.append(&author, deed)).await;
        written.unwrap_or(Err(AuditError::Interrupted))
    }

    /// Writes an entry; if that fails a person must look, but what it tells of goes on. For deeds
    /// that are recorded elsewhere too, or that only take something away.
    pub(crate) async fn note(self: &Arc<Self>, author: Author, deed: Deed) {
        match self.record(author, deed).await {
            Ok(Ok(_)) => {}
            Ok(Err(refused)) => error!(error = &refused as &dyn std::error::Error, "audit"),
            Err(error) => error!(error = &error as &dyn std::error::Error, "audit"),
        }
    }

    /// The highest people file that was ever taken.
    pub(crate) fn people_version(&self) -> u64 {
        self.inner().sum.people_version
    }

    /// The shifts as they are now.
    pub(crate) fn shifts(&self) -> Shifts {
        self.inner().sum.shifts.clone()
    }

    /// The proposals of tariffs as they are now.
    pub(crate) fn proposals(&self) -> Proposals {
        self.inner().sum.proposals.clone()
    }

    /// The changes of people that wait for a second administrator.
    pub(crate) fn changes(&self) -> Changes {
        self.inner().sum.changes.clone()
    }

    /// The keys of the API that wait for a second administrator.
    pub(crate) fn proposed_keys(&self) -> ProposedKeys {
        self.inner().sum.proposed_keys.clone()
    }

    /// The last entries, newest first, and the chain.
    pub(crate) fn recent(&self) -> (Vec<Entry>, Chain) {
        let inner = self.inner();
        (inner.sum.recent.iter().rev().cloned().collect(), inner.chain)
    }

    /// Reads the whole file again and checks it.
    pub(crate) fn check(&self) -> Result<Result<Chain, ChainBreak>, AuditError> {
        let failed = |source| AuditError::File { what: "read", path: self.path.clone(), source };
        super::check(BufReader::new(File::open(&self.path).map_err(failed)?)).map_err(failed)
    }
}

fn read(path: &Path, sum: &mut Sum) -> io::Result<Result<Walk, ChainBreak>> {
    match File::open(path) {
        Ok(file) => walk(BufReader::new(file), |entry, _| sum.add(entry)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => walk(io::empty(), |_, _| {}),
        Err(error) => Err(error),
    }
}

/// Renames a damaged log, to the first name that is free.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            std::fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open(path: &Path) -> AuditLog {
        AuditLog::open(path, Clock::system()).unwrap()
    }

    fn lan() -> Author {
        Author { who: Some("lan".to_owned()), from: None }
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_goes_on() {
        let folder = folder();
        let path = folder.path().join("audit.log");
        let log = open(&path);
        log.append(&Author::default(), Deed::PeopleRead { version: 7 }).unwrap().unwrap();
        log.append(&lan(), Deed::ShiftStarted).unwrap().unwrap();
        drop(log);
        let log = open(&path);
        assert_eq!(log.people_version(), 7);
        assert!(log.shifts().open_of("lan").is_some());
        let entry = log.append(&lan(), Deed::LoggedOut).unwrap().unwrap();
        assert_eq!(entry.seq, 3);
        assert_eq!(log.check().unwrap().unwrap(), log.recent().1);
        assert_eq!(log.recent().0.first(), Some(&entry));
    }

    #[test]
    fn a_line_that_was_not_written_whole_is_cut_off_and_the_rest_stays() {
        let folder = folder();
        let path = folder.path().join("audit.log");
        open(&path).append(&lan(), Deed::LoggedOut).unwrap().unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"v\":1,\"se").unwrap();
        let log = open(&path);
        assert_eq!(log.append(&lan(), Deed::LoggedOut).unwrap().unwrap().seq, 2);
        assert_eq!(log.check().unwrap().unwrap().entries, 2);
    }

    #[test]
    fn a_damaged_log_is_kept_aside_and_the_new_one_says_so() {
        let folder = folder();
        let path = folder.path().join("audit.log");
        for _ in 0..2 {
            open(&path).append(&lan(), Deed::LoggedOut).unwrap().unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap().replacen("lan", "kim", 1);
        std::fs::write(&path, &text).unwrap();
        let log = open(&path);
        let first = log.recent().0.pop().unwrap();
        let file = "audit.log.damaged-1".to_owned();
        assert_eq!(first.deed, Deed::PutAside { file, line: 2 });
        assert_eq!(
            std::fs::read_to_string(folder.path().join("audit.log.damaged-1")).unwrap(),
            text
        );
    }
}
