//! The audit log: who did what at this console, in a chain that shows any change. Pure, but for
//! [`log`].
//!
//! *Entry*: one line of JSON. *Deed*: what was done, one of a closed list. *Chain*: each line names
//! the digest of the line before it, so that a line that is changed, added or taken out breaks the
//! chain behind it. A tail that is cut off breaks nothing; therefore the *head*, the digest of the
//! last line, is printed on every shift report, where a person keeps it.
//!
//! Nothing of a plate or a tag stands in an entry, nor an order's free text: passages are named by
//! their identity. The notes of shifts do; their forms ask for no plates.
//! Deliberately absent: what the lanes and the books record of the same deeds, which is theirs.

mod log;

use std::io::{self, BufRead};
use std::net::IpAddr;

use domain::signature::Digest256;
use domain::wire::v1::ExceptionRecord;
use domain::{BusinessDate, LaneId, OperatorId, PassageId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::administration::key_proposal::WantedKey;
use crate::administration::proposal::PersonChange;
pub(crate) use log::{AuditLog, Author, NotAllowed};

/// Why the audit log was not opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file could not be opened, read or written.
    #[error("{what} the audit log {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An entry could not be made into a line.
    #[error("write an audit entry as JSON")]
    Json(#[source] serde_json::Error),
    /// The writing was interrupted.
    #[error("the audit entry was not written")]
    Interrupted,
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ChainBreak {
    /// The line, the first being 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A chain that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// How many entries it has.
    pub entries: u64,
    /// The digest of the last line; zeros where there is none.
    pub head: Digest256,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The lane did it, and wrote this passage.
    Done {
        passage: PassageId,
        /// What the vehicle owes, in minor units, where the lane said so in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fare: Option<i64>,
    },
    /// The lane did it, and there was no passage to write.
    Obeyed,
    /// The lane did not do it.
    Refused { why: String },
    /// Nobody knows: there was no answer that was understood.
    Unanswered { why: String },
}

/// Something that a shift leaves behind, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OpenItem {
    /// A vehicle waits.
    Call { lane: LaneId, call: u64, exception: ExceptionRecord },
    /// A lane is not as it should be.
    Lane { lane: LaneId },
    /// An order had no answer.
    Order { lane: LaneId, command: String },
    /// Passages that the centre has not taken yet.
    Unposted { lane: LaneId, passages: u64 },
}

/// What was done. New kinds may be added; what a kind holds never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Deed {
    /// The console began to serve.
    Started,
    /// The file before this one was found damaged at a line, and put aside.
    PutAside { file: String, line: u64 },
    /// A people file was taken.
    PeopleRead { version: u64 },
    /// Somebody logged in.
    LoggedIn { second_factor: bool },
    /// Somebody did not.
    LogInRefused { why: Refusal },
    /// Somebody logged out.
    LoggedOut,
    /// Somebody asked for what their roles do not give.
    RouteRefused { method: String, path: String },
    /// An order is on its way to a lane.
    OrderAsked {
        command: String,
        lane: LaneId,
        call: u64,
        verb: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A second person agrees to an order that takes two; it is they who stand as who did it.
    OrderAgreed { command: String },
    /// What became of it.
    OrderAnswered { command: String, outcome: Outcome },
    /// A plate or tag was shown in clear.
    Unmasked { passage: PassageId, reason: String },
    /// Something is about to be asked of the books, about a day, a case or a payment; what came of
    /// it is in the books, with the same name.
    BooksAsked { act: Act, subject: String },
    /// The books refused it.
    BooksRefused { act: Act, subject: String, why: String },
    /// Passages were looked for by something personal, which is not written down, on a day or on all.
    Searched { by: SearchedBy, day: Option<BusinessDate> },
    /// Somebody gave themselves a new password.
    PasswordChanged,
    /// A change of a person was proposed; the proposal's number is this entry's.
    PersonProposed { change: PersonChange },
    /// A person is about to be changed, where it takes two as another proposed.
    PersonChanged {
        change: PersonChange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<u64>,
    },
    /// The change that was about to be made could not be written; its proposal stands again.
    PersonNotChanged {
        change: PersonChange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<u64>,
    },
    /// A change was declined, or taken back.
    PersonDeclined { proposal: u64 },
    /// A key of the API was proposed; the proposal's number is this entry's.
    KeyProposed { key: WantedKey },
    /// A second administrator is about to make it.
    KeyAgreed { proposal: u64 },
    /// It could not be made; its proposal stands again.
    KeyNotMade { proposal: u64 },
    /// A key was declined, or taken back.
    KeyDeclined { proposal: u64 },
    /// A tariff version was proposed; the proposal's number is this entry's.
    TariffProposed { operator: OperatorId, version: String, document: String },
    /// A second person agreed to it.
    TariffApproved { proposal: u64 },
    /// Somebody did not, or its maker took it back.
    TariffDeclined { proposal: u64 },
    /// A shift began; its number is this entry's.
    ShiftStarted,
    /// A shift is offered to the next person, with what is open.
    ShiftOffered { shift: u64, to: String, note: String, open: Vec<OpenItem> },
    /// The next person took it.
    ShiftTaken { shift: u64 },
    /// A shift ended, with what is open.
    ShiftClosed { shift: u64, note: String, open: Vec<OpenItem> },
}

/// By what passages were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SearchedBy {
    /// A plate.
    Plate,
    /// A tag.
    Tag,
}

/// What is asked of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// To propose a day's settlement.
    Propose,
    /// To approve what another proposed.
    Approve,
    /// To order the payment of what is approved.
    Pay,
    /// To take a line of a bank's statement.
    Confirm,
    /// To see to a case from now on.
    TakeCase,
    /// To note something about a case.
    NoteCase,
    /// To propose how a case ends.
    ProposeCase,
    /// To settle a case as another proposed.
    SettleCase,
    /// To dispute a trip of one's own account.
    Dispute,
    /// To say what is on a passage's pictures.
    Review,
    /// To leave an item of the review to somebody else.
    LeaveReview,
    /// To make a key of the API.
    MakeKey,
    /// To revoke one.
    RevokeKey,
    /// To ask for a lane's mode.
    AskMode,
    /// To agree to one that another asked for.
    AgreeMode,
    /// To decline one, or take one's own back.
    DeclineMode,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refusal {
    /// Name or password are wrong; which of them is not told.
    Credentials,
    /// The code is wrong, or was used before.
    Code,
    /// Too many tries.
    TooFast,
    /// Their roles are of another place.
    Place,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    v: u32,
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When, by the run's clock.
    pub at: Timestamp,
    /// Who; nobody where it is the console itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What.
    pub deed: Deed,
    /// The digest of the line before.
    before: Digest256,
}

impl Chain {
    /// The next entry, and its line without the end of line.
    fn link(
        self,
        at: Timestamp,
        (who, from): (Option<String>, Option<IpAddr>),
        deed: Deed,
    ) -> Result<(Entry, String, Self), serde_json::Error> {
        let seq = self.entries + 1;
        let entry = Entry { v: 1, seq, at, who, from, deed, before: self.head };
        let line = serde_json::to_string(&entry)?;
        let next = Self { entries: seq, head: Digest256::of(line.as_bytes()) };
        Ok((entry, line, next))
    }

    /// Takes the next line, if it belongs there.
    fn follow(&mut self, line: &str) -> Result<Entry, ChainBreak> {
        let number = self.entries + 1;
        let broken = |why| ChainBreak { line: number, why };
        let entry: Entry = serde_json::from_str(line).or(Err(broken("it is no audit entry")))?;
        if entry.before != self.head {
            return Err(broken("it does not follow the line before it"));
        }
        if entry.seq != number || entry.v != 1 {
            return Err(broken("its number is not its place"));
        }
        *self = Self { entries: number, head: Digest256::of(line.as_bytes()) };
        Ok(entry)
    }
}

/// What reading a log came to.
struct Walk {
    chain: Chain,
    /// How many bytes hold whole lines.
    whole_bytes: u64,
    /// A last line without its end: the machine stopped while it was written.
    is_torn: bool,
}

/// Reads a log from its beginning and shows every entry.
fn walk(
    mut lines: impl BufRead,
    mut show: impl FnMut(Entry, Chain),
) -> io::Result<Result<Walk, ChainBreak>> {
    let mut walk = Walk { chain: Chain::default(), whole_bytes: 0, is_torn: false };
    let mut line = String::new();
    loop {
        line.clear();
        let read = match lines.read_line(&mut line) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let line = walk.chain.entries + 1;
                return Ok(Err(ChainBreak { line, why: "it is not text" }));
            }
            Err(error) => return Err(error),
        };
        if read == 0 {
            return Ok(Ok(walk));
        }
        let Some(whole) = line.strip_suffix('\n') else {
            walk.is_torn = true;
            return Ok(Ok(walk));
        };
        match walk.chain.follow(whole) {
            Ok(entry) => show(entry, walk.chain),
            Err(broken) => return Ok(Err(broken)),
        }
        walk.whole_bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

/// Checks the chain of a log, to its last whole line.
///
/// # Errors
/// When it cannot be read.
pub fn check(lines: impl BufRead) -> io::Result<Result<Chain, ChainBreak>> {
    check_with(lines, |_| {})
}

/// Checks the chain of a log and shows how it stands after each line.
pub(crate) fn check_with(
    lines: impl BufRead,
    mut show: impl FnMut(Chain),
) -> io::Result<Result<Chain, ChainBreak>> {
    Ok(walk(lines, |_, chain| show(chain))?.map(|walk| walk.chain))
}

#[cfg(test)]
mod tests;
