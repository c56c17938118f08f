//! Partner files out of our own books, and what the answers to them come to.
//!
//! *Away*: where the vehicle drove; *home*: who holds its account. We are away for what our operators'
//! days charged to an issuer's accounts, and home for what partners send us about our tags. A file is
//! written of something once ([`Of`]): a closed day of an operator and an issuer, a list at a time, the
//! answers to one received file. Whoever asks again is told the file that is there.
//!
//! *Number*: what a passage is called in partners' files: its number in the ledger. *Serial*: what a tag
//! is called there: the last four bytes of its EPC, as a number; agencies tell apart whose. *Decision*:
//! what home makes of a transaction, posted through the ledger's door with it. *Comparing*: each
//! transaction that was sent against its last answer, to the minor unit.
//!
//! *Change*: of a list, what a partner was told of a tag and is so no more. The books know no balance of
//! yesterday, so what each partner was last told is kept (`partner_listed`), by issuer.
//!
//! Deliberately absent: changes of lists of plates, for which no format has a file; plates as identities in
//! NIOP, which has those of three countries alone.

pub mod answer;
mod changes;
pub mod command;
pub mod compare;
mod iag;
mod niop;
mod repo;
pub mod vetc;
pub mod write;

use std::collections::BTreeMap;
use std::fmt;

use domain::{BusinessDate, IssuerId, OperatorId, StationId, Timestamp};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::layout::{Form, Layout};

/// An agency's number: four digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Agency(String);

impl Agency {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Agency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Agency {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let is_one = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_one { Ok(Self(text)) } else { Err(format!("{text:?} is no agency such as \"4081\"")) }
    }
}

/// What operators and issuers are called in partners' files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agencies {
    /// Ours.
    pub own: Agency,
    /// The hub that NIOP files go through.
    pub hub: Option<Agency>,
    /// Of issuers, whose tags they are.
    #[serde(default)]
    pub issuers: BTreeMap<IssuerId, Agency>,
    /// Of operators, whose roads they are.
    #[serde(default)]
    pub operators: BTreeMap<OperatorId, Agency>,
    /// Of lanes, in the text files of their stations.
    #[serde(default)]
    pub lanes: BTreeMap<vetc::LaneName, vetc::LaneNumber>,
}

impl Agencies {
    fn issuer(&self, issuer: &IssuerId) -> Result<&Agency, Unnamed> {
        self.issuers.get(issuer).ok_or_else(|| Unnamed::agency(&format!("issuers.{issuer}")))
    }

    fn operator(&self, operator: &OperatorId) -> Result<&Agency, Unnamed> {
        let unnamed = || Unnamed::agency(&format!("operators.{operator}"));
        self.operators.get(operator).ok_or_else(unnamed)
    }

    fn operator_of(&self, agency: &str) -> Result<&OperatorId, Unnamed> {
        let mut operators = self.operators.iter();
        let found = operators.find(|(_, known)| known.as_str() == agency);
        let unnamed = || Unnamed::agency(&format!("operators = {agency}"));
        found.map(|(operator, _)| operator).ok_or_else(unnamed)
    }

    fn hub(&self) -> Result<&Agency, Unnamed> {
        self.hub.as_ref().ok_or_else(|| Unnamed::agency("hub"))
    }
}

/// Somebody whose number is not in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration's [partner] does not say {0}")]
pub struct Unnamed(String);

impl Unnamed {
    fn agency(place: &str) -> Self {
        Self(format!("{place}: a number of four digits"))
    }
}

/// What a file is written of, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// What a closed day of an operator charged to an issuer's accounts, or corrected there.
    Day {
        /// The operator.
        operator: OperatorId,
        /// The issuer.
        issuer: IssuerId,
        /// The settlement day.
        day: BusinessDate,
    },
    /// What passed at a station on a closed day.
    Station {
        /// The operator.
        operator: OperatorId,
        /// The station.
        station: StationId,
        /// The settlement day.
        day: BusinessDate,
    },
    /// An issuer's tags, as they are now.
    Tags {
        /// The issuer.
        issuer: IssuerId,
    },
    /// What changed in an issuer's tags since the partner's last list of them.
    Changes {
        /// The issuer.
        issuer: IssuerId,
    },
    /// What we decided about the records of a file that was received.
    Decisions {
        /// Its number in the log.
        file_no: i64,
    },
}

impl Of {
    /// Whose tags, of a list.
    fn issuer_of_tags(&self) -> Option<&IssuerId> {
        match self {
            Self::Tags { issuer } | Self::Changes { issuer } => Some(issuer),
            Self::Day { .. } | Self::Station { .. } | Self::Decisions { .. } => None,
        }
    }

    /// What it is called in the log; a list is another at each time.
    fn name(&self, now: Timestamp) -> String {
        match self {
            Self::Day { operator, issuer, day } => format!("{operator} {issuer} {day}"),
            Self::Station { operator, station, day } => format!("{operator}/{station} {day}"),
            Self::Tags { issuer } => format!("tags of {issuer} at {now}"),
            Self::Changes { issuer } => format!("changes of tags of {issuer} at {now}"),
            Self::Decisions { file_no } => format!("decisions of file {file_no}"),
        }
    }
}

/// A passage as a partner is told of it.
#[derive(Clone)]
struct Passage {
    number: u64,
    at: Timestamp,
    station: String,
    lane: String,
    is_exit: bool,
    entry: Option<Entry>,
    tag: Vec<u8>,
    /// As it was read; empty where it was not.
    plate: String,
    group: i16,
    amount: u64,
    /// Whether the lane opened by itself, on what it knew of the tag.
    is_lanes: bool,
    is_of_convoy: bool,
    /// Which correction of it, and when it was made; none for the passage itself.
    correction: Option<(u32, Timestamp)>,
}

impl Passage {
    fn serial(&self) -> u32 {
        serial_of(&self.tag)
    }
}

/// The last four bytes of a tag, as a number.
fn serial_of(tag: &[u8]) -> u32 {
    tag.iter().rev().take(4).rev().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// Where a passage's trip began.
#[derive(Clone)]
struct Entry {
    at: Timestamp,
    station: String,
    lane: String,
}

/// A tag as a partner is told of it.
struct Tag {
    serial: u32,
    plate: String,
    group: i16,
    standing: Standing,
}

/// What an account's tags are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good,
    /// Less is left than its owner wants to be told of.
    Low,
    /// Nothing is left.
    Empty,
    /// It is blocked or closed.
    Invalid,
}

/// Who stands in a file's header and records.
struct Parties<'a> {
    own: &'a Agency,
    /// Whose tags they are.
    tags: &'a Agency,
    /// Whose road it was, and the operator's own name.
    road: Option<(&'a Agency, &'a OperatorId)>,
    zone: TimeZone,
}

/// What home made of a transaction or correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is charged.
    Posted,
    /// It was charged before.
    Duplicate,
    /// We have no such tag.
    NotOnFile,
    /// The account is closed, or blocked and not seen as good at the lane.
    AccountInvalid,
    /// The account has less, and the lane did not see it as good.
    Insufficient,
    /// It is from too long ago.
    TooOld,
    /// It corrects what was never posted.
    NothingToCorrect,
    /// It asks that money is given back that nobody charged.
    GivesBack,
}

impl Disposition {
    const ALL: [Self; 8] = [
        Self::Posted,
        Self::Duplicate,
        Self::NotOnFile,
        Self::AccountInvalid,
        Self::Insufficient,
        Self::TooOld,
        Self::NothingToCorrect,
        Self::GivesBack,
    ];

    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Duplicate => "duplicate",
            Self::NotOnFile => "not-on-file",
            Self::AccountInvalid => "account-invalid",
            Self::Insufficient => "insufficient",
            Self::TooOld => "too-old",
            Self::NothingToCorrect => "nothing-to-correct",
            Self::GivesBack => "gives-back",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A decision, on its way into an answer.
struct Decided {
    reference: String,
    correction: u32,
    disposition: Disposition,
    /// What the transaction stands at with us.
    amount: u64,
    at: Timestamp,
}

/// A name as the formats' alphabets allow it: capitals and digits.
fn code_of(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn zoned(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A passage as a record of its layout.
fn transaction(layout: &'static Layout, passage: &Passage, parties: &Parties<'_>) -> Value {
    match (&layout.form, &passage.correction) {
        (Form::Xml(_), None) => niop::transaction(passage, parties),
        (Form::Xml(_), Some(_)) => niop::correction(passage, parties),
        (Form::Fixed | Form::Tuples, _) => iag::transaction(passage, parties),
    }
}

/// A tag as a record of its layout.
fn tag(layout: &'static Layout, tag: &Tag, parties: &Parties<'_>) -> Value {
    match (&layout.form, layout.code) {
        (Form::Xml(_), _) => niop::tag(tag, parties),
        (Form::Fixed | Form::Tuples, "ICLP") => iag::plate(tag, parties),
        (Form::Fixed | Form::Tuples, _) => iag::tag(tag, parties),
    }
}

/// A decision as a record of its layout.
fn decision(layout: &'static Layout, decided: &Decided, own: &Agency) -> Value {
    match layout.form {
        Form::Xml(_) => niop::decision(decided, own),
        Form::Fixed | Form::Tuples => iag::decision(decided),
    }
}

#[cfg(test)]
mod tests;
