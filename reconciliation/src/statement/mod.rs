//! The statement: the paper of one operator's closed day, and its signature. Pure.
//!
//! *Canonical text*: the statement as JSON without blanks, fields in the order they stand here,
//! lists in order of their keys. It is what is digested, signed and stored; every other form (text,
//! CSV) is made from it. *Revision*: always 1 so far; a closed day is not stated twice.
//!
//! Deliberately absent: where the figures come from (`settlement`), pages (`papers`), payment orders
//! (`payment`).

mod csv;
pub mod filed;
pub mod repo;
mod text;

pub use csv::FormError;

use std::collections::BTreeMap;

use domain::signature::{Context, Digest256, PublicKey, SecretKey, Signature, SignatureError};
use domain::{
    Amount, BusinessDate, Currency, IssuerId, LaneId, MoneyError, OperatorId, StationId, Timestamp,
    VehicleGroup,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::approval::{HoleDecision, Person};
use crate::contract::FeeTerms;
use crate::matching::Totals as Matched;
use crate::money::Signed;

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
    /// The share that an issuer keeps who has no contract of its own.
    pub fee_share: Decimal,
    /// The fee terms of the others.
    pub terms: BTreeMap<IssuerId, FeeTerms>,
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
    /// Corrections that landed in the day.
    pub adjustments: Vec<Adjustment>,
    /// Passages and tolls, by station and group.
    pub traffic: Vec<Traffic>,
    /// Passages by what became of them.
    pub dispositions: Vec<DispositionCount>,
    /// Which numbers of each lane fell into the day.
    pub lanes: Vec<LaneSpan>,
    /// Tariff versions that were used.
    pub tariffs: Vec<String>,
    /// Holes over which two people closed the day.
    pub holes: Vec<Hole>,
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
    /// What corrections of earlier tolls add to that, or take away.
    #[serde(default, skip_serializing_if = "Signed::is_zero")]
    pub adjustment: Signed,
    /// What it keeps.
    pub fee: Signed,
    /// The tax on that.
    #[serde(default, skip_serializing_if = "Signed::is_zero")]
    pub vat: Signed,
    /// What it pays; below zero, what it is paid back.
    pub net: Signed,
    /// The terms of its contract; those of the statement's fee share where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<FeeTerms>,
}

impl Position {
    /// Takes the fee from an issuer's tolls and corrections: each part of it made whole once, so that
    /// no fraction of a passage is rounded away.
    ///
    /// `adjusted` is how many passages the corrections add, or take away.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn try_new(
        tolls: &IssuerTolls,
        (adjustment, adjusted): (Signed, i64),
        fee_share: Decimal,
        terms: Option<&FeeTerms>,
    ) -> Result<Self, MoneyError> {
        let IssuerTolls { issuer, passages, gross } = tolls;
        let base = Signed::from(*gross).plus(adjustment)?;
        let counted = i64::try_from(*passages).ok().and_then(|n| n.checked_add(adjusted));
        let fee = terms
            .unwrap_or(&FeeTerms::share(fee_share))
            .fee(base, counted.ok_or(MoneyError::Overflow)?)?;
        Ok(Self {
            issuer: issuer.clone(),
            passages: *passages,
            gross: *gross,
            adjustment,
            fee: fee.fee,
            vat: fee.vat,
            net: base.minus(fee.fee)?.minus(fee.vat)?,
            terms: terms.cloned(),
        })
    }

    /// Whether what is paid and what is kept make up what was driven and corrected.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let base = Signed::from(self.gross).plus(self.adjustment);
        let parts = self.net.plus(self.fee).and_then(|sum| sum.plus(self.vat));
        base.is_ok() && base == parts
    }
}

/// A correction that landed in the day, of something that was posted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// Its number in the ledger.
    pub transfer: u64,
    /// What it is: `reversal`, `repost` or `adjustment`.
    pub kind: String,
    /// Whose debt it changes; cash where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// In favour of the operator above zero.
    pub amount: Signed,
    /// The passage it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<CorrectedPassage>,
    /// The outside reference, such as a case's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Adjustment {
    /// How many passages it adds: a reversal takes one away.
    fn passages(&self) -> i64 {
        match self.kind.as_str() {
            "reversal" => -1,
            "repost" => 1,
            _ => 0,
        }
    }
}

/// A passage of a day before, with the time it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectedPassage {
    /// Which.
    pub id: domain::PassageId,
    /// When it was.
    pub at: Timestamp,
    /// The day it was settled with.
    pub day: BusinessDate,
}

/// Numbers of a lane that never came, and who closed the day over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// What was decided.
    pub decision: HoleDecision,
    /// Who proposed it.
    pub maker: Person,
    /// Who approved it.
    pub checker: Person,
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
    /// What corrections add to that, or take away.
    #[serde(default, skip_serializing_if = "Signed::is_zero")]
    pub adjustment: Signed,
    /// What the issuers keep.
    pub fee: Signed,
    /// The tax on that.
    #[serde(default, skip_serializing_if = "Signed::is_zero")]
    pub vat: Signed,
    /// What the issuers pay.
    pub net: Signed,
    /// Tolls in cash.
    pub cash: Amount,
    /// What corrections add to that, or take away.
    #[serde(default, skip_serializing_if = "Signed::is_zero")]
    pub cash_adjustment: Signed,
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
    /// Corrections that landed in the day, by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// Posted passages by station and group.
    pub traffic: Vec<Traffic>,
    /// Passages by what became of them.
    pub dispositions: Vec<DispositionCount>,
    /// The lanes' numbers.
    pub lanes: Vec<LaneSpan>,
    /// Tariff versions that were used.
    pub tariffs: Vec<String>,
    /// Holes over which two people closed the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
    /// The ledger's side (ours) matched against the lanes' own records (theirs).
    pub matching: Matched,
}

impl Statement {
    /// Makes the statement of a day.
    ///
    /// # Errors
    /// When a fee cannot be taken or a sum is past what the books hold.
    pub fn try_new(header: Header, figures: DayFigures) -> Result<Self, MoneyError> {
        let issuers = positions(&header, &figures)?;
        let of_cash = figures.adjustments.iter().filter(|one| one.issuer.is_none());
        let totals = Totals {
            passages: issuers.iter().map(|p| p.passages).sum::<u64>() + figures.cash.passages,
            gross: Amount::sum(issuers.iter().map(|p| p.gross))?,
            adjustment: Signed::sum(issuers.iter().map(|p| p.adjustment))?,
            fee: Signed::sum(issuers.iter().map(|p| p.fee))?,
            vat: Signed::sum(issuers.iter().map(|p| p.vat))?,
            net: Signed::sum(issuers.iter().map(|p| p.net))?,
            cash: figures.cash.amount,
            cash_adjustment: Signed::sum(of_cash.map(|one| one.amount))?,
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
            adjustments: figures.adjustments,
            traffic: figures.traffic,
            dispositions: figures.dispositions,
            lanes: figures.lanes,
            tariffs: figures.tariffs,
            holes: figures.holes,
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
            terms: self
                .issuers
                .iter()
                .filter_map(|position| Some((position.issuer.clone(), position.terms.clone()?)))
                .collect(),
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

/// What each issuer owes that has tolls or corrections in the day, in order.
fn positions(header: &Header, figures: &DayFigures) -> Result<Vec<Position>, MoneyError> {
    let mut tolls: BTreeMap<&IssuerId, (IssuerTolls, Signed, i64)> = BTreeMap::new();
    for of_issuer in &figures.issuers {
        tolls.insert(&of_issuer.issuer, (of_issuer.clone(), Signed::ZERO, 0));
    }
    for one in &figures.adjustments {
        let Some(issuer) = &one.issuer else { continue };
        let (_, sum, passages) = tolls.entry(issuer).or_insert_with(|| {
            let none = IssuerTolls { issuer: issuer.clone(), passages: 0, gross: Amount::ZERO };
            (none, Signed::ZERO, 0)
        });
        *sum = sum.plus(one.amount)?;
        *passages += one.passages();
    }
    tolls
        .into_iter()
        .map(|(issuer, (tolls, adjustment, adjusted))| {
            let terms = header.terms.get(issuer);
            Position::try_new(&tolls, (adjustment, adjusted), header.fee_share, terms)
        })
        .collect()
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
