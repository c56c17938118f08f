//! The statement: the paper of one operator's closed day, and its signature. Pure.
//!
//! *Canonical text*: the statement as JSON without blanks, fields in the order they stand here,
//! lists in order of their keys. It is what is digested, signed and stored; every other form (text,
//! CSV) is made from it. *Revision*: always 1 so far; a closed day is not stated twice.
//!
//! Deliberately absent: where the figures come from (`settlement`), PDF and payment orders.

mod csv;
pub mod filed;
pub mod repo;
mod text;

pub use csv::FormError;

use domain::signature::{Context, Digest256, PublicKey, SecretKey, Signature, SignatureError};
use domain::{
    Amount, BusinessDate, Currency, IssuerId, LaneId, MoneyError, OperatorId, Rounding, StationId,
    Timestamp, VehicleGroup,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::matching::Totals as Matched;

/// Who the statement is for, of which day, on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The operator that is owed.
    pub operator: OperatorId,
    /// The operator's name.
    pub operator_name: String,
    /// The settlement day.
    pub day: BusinessDate,
    /// The currency of every amount.
    pub currency: Currency,
    /// The share of the gross that the issuer keeps.
    pub fee_share: Decimal,
    /// When the day was closed and the statement made.
    pub issued_at: Timestamp,
    /// Why the day was closed before its cut-off, if it was.
    pub early_reason: Option<String>,
}

/// What the books say of a day, before fees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayFigures {
    /// Tolls charged to accounts, by issuer.
    pub issuers: Vec<IssuerTolls>,
    /// Tolls taken in cash.
    pub cash: Cash,
    /// Passages and tolls, by station and group.
    pub traffic: Vec<Traffic>,
    /// Passages by what became of them.
    pub dispositions: Vec<DispositionCount>,
    /// Which numbers of each lane fell into the day.
    pub lanes: Vec<LaneSpan>,
    /// Tariff versions that were used.
    pub tariffs: Vec<String>,
    /// The ledger's side matched against what the lanes wrote.
    pub matching: Matched,
}

/// Tolls charged to accounts of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerTolls {
    /// The issuer.
    pub issuer: IssuerId,
    /// How many passages.
    pub passages: u64,
    /// What they cost.
    pub gross: Amount,
}

/// What one issuer owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The issuer that owes.
    pub issuer: IssuerId,
    /// How many passages.
    pub passages: u64,
    /// Tolls charged to its accounts.
    pub gross: Amount,
    /// What it keeps.
    pub fee: Amount,
    /// What it pays.
    pub net: Amount,
}

impl Position {
    /// Takes the fee from an issuer's tolls: the share of the whole gross, made whole once, a half
    /// up, so that no fraction of a passage is rounded away.
    ///
    /// # Errors
    /// When the share is negative or above one.
    pub fn try_new(tolls: &IssuerTolls, fee_share: Decimal) -> Result<Self, MoneyError> {
        let IssuerTolls { issuer, passages, gross } = tolls;
        let fee = gross.share(fee_share, Rounding::HalfUp)?;
        let net = gross.minus(fee)?;
        Ok(Self { issuer: issuer.clone(), passages: *passages, gross: *gross, fee, net })
    }
}

/// Tolls the operator took itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cash {
    /// How many passages.
    pub passages: u64,
    /// What they cost.
    pub amount: Amount,
}

/// Posted passages of one group through one station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The station.
    pub station: StationId,
    /// The group; none where the lane could not tell.
    pub group: Option<VehicleGroup>,
    /// How many passages.
    pub passages: u64,
    /// What they cost, from accounts and in cash.
    pub amount: Amount,
}

/// How many passages became what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispositionCount {
    /// What became of them.
    pub disposition: String,
    /// How many passages.
    pub passages: u64,
}

/// The numbers of one lane's journal that fell into the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpan {
    /// The lane.
    pub lane: LaneId,
    /// The journal's epoch.
    pub epoch: u32,
    /// The first number.
    pub first_seq: u64,
    /// The last number.
    pub last_seq: u64,
    /// How many between them fell into this day.
    pub passages: u64,
}

/// The day in one line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Passages that were paid for, from accounts or in cash.
    pub passages: u64,
    /// Tolls charged to accounts.
    pub gross: Amount,
    /// What the issuers keep.
    pub fee: Amount,
    /// What the issuers pay.
    pub net: Amount,
    /// Tolls in cash.
    pub cash: Amount,
}

/// Which layout a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[serde(rename = "etc/v1/statement")]
    V1,
}

/// One operator's closed day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The layout.
    pub format: Format,
    /// The operator that is owed.
    pub operator: OperatorId,
    /// The operator's name.
    pub operator_name: String,
    /// The settlement day.
    pub day: BusinessDate,
    /// Which statement of the day.
    pub revision: u32,
    /// The currency of every amount.
    pub currency: Currency,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Why the day was closed before its cut-off, if it was.
    pub early_reason: Option<String>,
    /// The share of the gross that the issuer keeps.
    pub fee_share: Decimal,
    /// The day in one line.
    pub totals: Totals,
    /// What each issuer owes.
    pub issuers: Vec<Position>,
    /// What the operator took in cash.
    pub cash: Cash,
    /// Posted passages by station and group.
    pub traffic: Vec<Traffic>,
    /// Passages by what became of them.
    pub dispositions: Vec<DispositionCount>,
    /// The lanes' numbers.
    pub lanes: Vec<LaneSpan>,
    /// Tariff versions that were used.
    pub tariffs: Vec<String>,
    /// The ledger's side (ours) matched against the lanes' own records (theirs).
    pub matching: Matched,
}

impl Statement {
    /// Makes the statement of a day.
    ///
    /// # Errors
    /// When a fee cannot be taken or a sum is past what the books hold.
    pub fn try_new(header: Header, figures: DayFigures) -> Result<Self, MoneyError> {
        let issuers: Vec<Position> = figures
            .issuers
            .iter()
            .map(|tolls| Position::try_new(tolls, header.fee_share))
            .collect::<Result<_, _>>()?;
        let totals = Totals {
            passages: issuers.iter().map(|p| p.passages).sum::<u64>() + figures.cash.passages,
            gross: Amount::sum(issuers.iter().map(|p| p.gross))?,
            fee: Amount::sum(issuers.iter().map(|p| p.fee))?,
            net: Amount::sum(issuers.iter().map(|p| p.net))?,
            cash: figures.cash.amount,
        };
        Ok(Self {
            format: Format::V1,
            operator: header.operator,
            operator_name: header.operator_name,
            day: header.day,
            revision: 1,
            currency: header.currency,
            issued_at: header.issued_at,
            early_reason: header.early_reason,
            fee_share: header.fee_share,
            totals,
            issuers,
            cash: figures.cash,
            traffic: figures.traffic,
            dispositions: figures.dispositions,
            lanes: figures.lanes,
            tariffs: figures.tariffs,
            matching: figures.matching,
        })
    }

    /// The part that was not counted: who, when, on which terms.
    #[must_use]
    pub fn header(&self) -> Header {
        Header {
            operator: self.operator.clone(),
            operator_name: self.operator_name.clone(),
            day: self.day,
            currency: self.currency,
            fee_share: self.fee_share,
            issued_at: self.issued_at,
            early_reason: self.early_reason.clone(),
        }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// Never for a statement that was made here; the JSON writer could fail in principle.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Why a stored or received paper is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// The bytes are others than were digested.
    #[error("the digest is not that of the text")]
    Digest,
    /// The signature is not ours over these bytes.
    #[error("the signature is not the centre's over this text")]
    Signature(#[source] SignatureError),
    /// The text is no statement.
    #[error("the text is no statement")]
    Text(#[source] serde_json::Error),
    /// The text says the same in other bytes.
    #[error("the text is not the canonical one")]
    NotCanonical,
}

/// A statement with the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The canonical text.
    pub canonical: String,
    /// Its SHA-256.
    pub digest: Digest256,
    /// The centre's signature over it.
    pub signature: Signature,
}

/// A paper as it is filed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    statement: Statement,
    digest: Digest256,
    signature: Signature,
}

impl Paper {
    /// Signs a statement.
    ///
    /// # Errors
    /// When the statement cannot be written as JSON.
    pub fn try_sign(statement: &Statement, key: &SecretKey) -> Result<Self, serde_json::Error> {
        let canonical = statement.canonical()?;
        let digest = Digest256::of(canonical.as_bytes());
        let signature = key.sign(Context::Statement, canonical.as_bytes());
        Ok(Self { canonical, digest, signature })
    }

    /// Reads a paper as [`Self::to_json`] wrote it; [`Self::open`] then says whether to believe it.
    ///
    /// # Errors
    /// When it is not such a paper.
    pub fn try_from_json(text: &str) -> Result<Self, serde_json::Error> {
        let Envelope { statement, digest, signature } = serde_json::from_str(text)?;
        Ok(Self { canonical: statement.canonical()?, digest, signature })
    }

    /// The statement, once digest, signature and text have been checked.
    ///
    /// # Errors
    /// When any of them is not as it was signed.
    pub fn open(&self, key: &PublicKey) -> Result<Statement, PaperError> {
        let bytes = self.canonical.as_bytes();
        if Digest256::of(bytes) != self.digest {
            return Err(PaperError::Digest);
        }
        key.verify(Context::Statement, bytes, &self.signature).map_err(PaperError::Signature)?;
        let statement = self.read().map_err(PaperError::Text)?;
        let again = statement.canonical().map_err(PaperError::Text)?;
        if again == self.canonical { Ok(statement) } else { Err(PaperError::NotCanonical) }
    }

    /// The statement as the text has it, unchecked.
    ///
    /// # Errors
    /// When the text is no statement.
    pub fn read(&self) -> Result<Statement, serde_json::Error> {
        serde_json::from_str(&self.canonical)
    }

    /// The form that partners' programs read: the canonical text with its digest and signature.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Put together by hand: the statement must keep the very bytes that were signed.
        format!(
            "{{\"statement\":{},\"digest\":\"{}\",\"signature\":\"{}\"}}\n",
            self.canonical,
            self.digest,
            self.signature.to_text()
        )
    }

    /// The form a clerk files.
    ///
    /// # Errors
    /// When the text is no statement.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(text::render(&self.read()?, self))
    }

    /// The form a spreadsheet reads.
    ///
    /// # Errors
    /// When the text is no statement, or the CSV writer fails.
    pub fn to_csv(&self) -> Result<String, FormError> {
        csv::render(&self.read().map_err(FormError::Text)?)
    }
}

#[cfg(test)]
pub(crate) mod tests;
