//! Minutes of reconciliation (*biên bản đối soát*): what two parties found when they held their
//! records against each other, signed by us and with places for both to sign. Pure but for its shell
//! ([`make`], [`repo`]).
//!
//! *Parties*: an operator, and an issuer or the bank that an issuer pays through. *Span*: a settlement
//! day, a month or a year. *Class*: what became of a record, as matching has it; every record of either
//! side is in one, so the classes add up to both sides. *Kind*: how it was paid. *Difference*: a record
//! that is not matched, with its case and how that ends. *Carried over*: what these minutes leave to
//! the next: cases that are not settled, passages that came late, money that the bank does not show.
//!
//! Minutes are made again when something has changed, under the next *revision*; what was made before
//! stays. Those of a month or a year are put together from the days' minutes, each named by its digest.
//! Deliberately absent: how minutes look (`papers`), deciding a case (`cases`).

pub mod make;
pub mod repo;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use domain::signature::Digest256;
use domain::{Amount, BusinessDate, Currency, IssuerId, MoneyError, OperatorId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cases::{Kind, Outcome};
use crate::matching::class::{CLASSES, ClassLine, SideSum};
use crate::money::Signed;
use crate::papers::period::{NotAPeriod, Period, Sum};
use crate::papers::sealed::Sealed;

/// Minutes with the bytes that were signed.
pub type MinutesPaper = Sealed<Minutes>;

/// With whom an operator's records are held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The issuer whose accounts were charged.
    Issuer(IssuerId),
    /// The bank that an issuer pays through.
    BankOf(IssuerId),
}

impl Party {
    /// The issuer, who stands behind either.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerId {
        match self {
            Self::Issuer(issuer) | Self::BankOf(issuer) => issuer,
        }
    }

    /// Its kind, as the books name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Issuer(_) => "issuer",
            Self::BankOf(_) => "bank-of",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "{issuer}"),
            Self::BankOf(issuer) => write!(f, "the bank of {issuer}"),
        }
    }
}

/// The days of minutes: a day, a month or a year, such as `2026-11-21`, `2026-11` or `2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Span {
    /// A settlement day.
    Day(BusinessDate),
    /// A month or a year.
    Period(Period),
}

impl Span {
    /// The first day.
    #[must_use]
    pub const fn first(self) -> BusinessDate {
        match self {
            Self::Day(day) => day,
            Self::Period(period) => period.first(),
        }
    }

    /// The last day.
    #[must_use]
    pub fn last(self) -> BusinessDate {
        match self {
            Self::Day(day) => day,
            Self::Period(period) => period.last(),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Period(period) => write!(f, "{period}"),
        }
    }
}

/// Not a day, a month or a year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no day such as 2026-11-21, month such as 2026-11 or year such as 2026")]
pub struct NotASpan {
    text: String,
    #[source]
    source: NotAPeriod,
}

impl FromStr for Span {
    type Err = NotASpan;
    fn from_str(text: &str) -> Result<Self, NotASpan> {
        if let Ok(day) = text.parse::<BusinessDate>()
            && day.to_string() == text
        {
            return Ok(Self::Day(day));
        }
        let shown = || text.chars().take(16).collect();
        text.parse().map(Self::Period).map_err(|source| NotASpan { text: shown(), source })
    }
}

impl TryFrom<String> for Span {
    type Error = NotASpan;
    fn try_from(text: String) -> Result<Self, NotASpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// Which layout minutes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[serde(rename = "etc/v1/minutes")]
    V1,
}

/// What makes a passage one of the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// It was settled with it.
    Settled,
    /// It passed in it, also where it was settled later.
    Passed,
    /// It was to be paid in it.
    Ordered,
}

/// Who signs, where it is known before the paper is printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signers {
    /// For the operator: a name, and what they are.
    pub operator: String,
    /// For the other party.
    pub other: String,
}

/// A signed paper that minutes stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayPaper {
    /// Its day.
    pub day: BusinessDate,
    /// Of its signed text.
    pub digest: Digest256,
}

/// A file of the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, without folders.
    pub file: String,
    /// The SHA-256 of its bytes.
    pub digest: Digest256,
}

/// How many, and how much: below zero where it is given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// How many.
    pub records: u64,
    /// How much.
    pub amount: Signed,
}

impl Figure {
    /// Both together.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self { records: self.records + other.records, amount: self.amount.plus(other.amount)? })
    }
}

/// How something was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaidBy {
    /// From an account.
    Account,
    /// A correction of what was charged to an account.
    Correction,
    /// In cash, which the operator has already.
    Cash,
    /// By a bank.
    Transfer,
    /// A bank gave it back.
    GivenBack,
}

/// What both sides have of one kind; none where a side has no records of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindLine {
    /// How it was paid.
    pub kind: PaidBy,
    /// Ours.
    pub ours: Option<Figure>,
    /// Theirs.
    pub theirs: Option<Figure>,
}

/// Something that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The case's code.
    pub case: String,
    /// Its kind.
    pub kind: Kind,
    /// What it is about.
    pub subject: String,
    /// Our record.
    pub ours: Option<String>,
    /// Theirs.
    pub theirs: Option<String>,
    /// How much money hangs on it.
    pub amount: Amount,
    /// Whether it is settled.
    pub settled: bool,
    /// How it ends: settled, or as it is proposed.
    pub outcome: Option<Outcome>,
}

/// Cases of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseLine {
    /// The kind.
    pub kind: Kind,
    /// Those that are settled.
    pub settled: Figure,
    /// Those that are not.
    pub open: Figure,
}

/// What minutes leave to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Cases that are not settled, and the money that hangs on them.
    pub cases: Figure,
    /// Passages of other days that were settled with these.
    pub from_other_days: Figure,
    /// Passages of these days that were settled with later ones.
    pub to_later_days: Figure,
    /// What is owed and no bank's statement shows.
    pub not_booked: Signed,
}

/// Minutes of reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minutes {
    /// The layout.
    pub format: Format,
    /// The operator.
    pub operator: OperatorId,
    /// The operator's name.
    pub operator_name: String,
    /// The other party.
    pub with: Party,
    /// The name of the issuer, who is the other party or stands behind it.
    pub issuer_name: String,
    /// Of when.
    pub span: Span,
    /// Which minutes of the span.
    pub revision: u32,
    /// The currency of every amount.
    pub currency: Currency,
    /// When they were made.
    pub issued_at: Timestamp,
    /// Who signs.
    pub signers: Signers,
    /// What makes a record one of the span.
    pub counted: Counted,
    /// The signed statements of the days.
    pub statements: Vec<DayPaper>,
    /// The minutes of the days, where these are put together from them.
    pub minutes: Vec<DayPaper>,
    /// The other side's files.
    pub sources: Vec<Source>,
    /// Our records.
    pub ours: SideSum,
    /// Theirs.
    pub theirs: SideSum,
    /// Both by class; every class is there.
    pub classes: Vec<ClassLine>,
    /// Both by how it was paid.
    pub kinds: Vec<KindLine>,
    /// What is not the same; of a month or year, what of it is not settled.
    pub differences: Vec<Difference>,
    /// All cases, by kind.
    pub cases: Vec<CaseLine>,
    /// What is left to the next minutes.
    pub carried: Carried,
    /// What the issuer owes by the signed statements.
    pub owed: Sum,
}

/// Minutes that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// Two figures that should be the same.
    #[error("{what}: {is} is not {should}")]
    Differ {
        /// Of what.
        what: &'static str,
        /// The one.
        is: String,
        /// The other.
        should: String,
    },
    /// A sum is past what the books hold.
    #[error("sum up the minutes")]
    Money(#[from] MoneyError),
}

fn same<T>(what: &'static str, is: &T, should: &T) -> Result<(), Unsound>
where
    T: PartialEq + fmt::Debug + ?Sized,
{
    if is == should {
        return Ok(());
    }
    Err(Unsound::Differ { what, is: format!("{is:?}"), should: format!("{should:?}") })
}

impl Minutes {
    /// Sees that the figures agree with each other: classes with both sides, kinds with both sides, our
    /// side with what was stated, the parts of what is owed with the whole.
    ///
    /// # Errors
    /// When two of them do not, naming which.
    pub fn check(&self) -> Result<(), Unsound> {
        let classes: Vec<_> = self.classes.iter().map(|line| line.class).collect();
        same("the classes", classes.as_slice(), &CLASSES)?;
        let by_class = sum_of_classes(&self.classes)?;
        same("our records by class", &by_class.ours, &self.ours)?;
        same("their records by class", &by_class.theirs, &self.theirs)?;
        let (ours, theirs) = (net_of(self.ours)?, net_of(self.theirs)?);
        let main = [PaidBy::Account, PaidBy::Transfer, PaidBy::GivenBack];
        let of_kinds = |side: fn(&KindLine) -> Option<Figure>| {
            let lines = self.kinds.iter().filter(|line| main.contains(&line.kind));
            Signed::sum(lines.filter_map(side).map(|figure| figure.amount))
        };
        same("our records by kind", &of_kinds(|line| line.ours)?, &ours)?;
        same("their records by kind", &of_kinds(|line| line.theirs)?, &theirs)?;
        let owed = self.owed;
        let base = Signed::from(owed.gross).plus(owed.adjustment)?;
        same("what is owed", &owed.net, &base.minus(owed.fee)?.minus(owed.vat)?)?;
        let carried = &self.carried;
        let should = match self.counted {
            Counted::Settled => Signed::from(owed.gross),
            Counted::Passed => Signed::from(owed.gross)
                .minus(carried.from_other_days.amount)?
                .plus(carried.to_later_days.amount)?,
            Counted::Ordered => owed.net,
        };
        same("our records and the signed statements", &ours, &should)?;
        let open = self.cases.iter().try_fold(Figure::default(), |sum, one| sum.plus(one.open))?;
        same("what is carried over and the cases that are open", &carried.cases, &open)
    }

    /// Whose, with whom, of when.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} and {} for {}", self.operator, self.with, self.span)
    }

    /// The same but for when it was made and how often.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let (issued_at, revision) = (other.issued_at, other.revision);
        Self { issued_at, revision, ..self.clone() } == *other
    }
}

/// What a side's records come to, less what they give back.
fn net_of(side: SideSum) -> Result<Signed, MoneyError> {
    Signed::from(side.amount).minus(Signed::from(side.reversed))
}

fn sum_of_classes(lines: &[ClassLine]) -> Result<ClassLine, MoneyError> {
    let zero =
        ClassLine { class: CLASSES[0], ours: SideSum::default(), theirs: SideSum::default() };
    lines.iter().try_fold(zero, |sum, line| {
        let (ours, theirs) = (sum.ours.plus(line.ours)?, sum.theirs.plus(line.theirs)?);
        Ok(ClassLine { ours, theirs, ..sum })
    })
}

/// Cases as they stand, by kind, and what of them is open.
///
/// # Errors
/// When a sum is past what the books hold.
pub fn by_kind(differences: &[Difference]) -> Result<(Vec<CaseLine>, Figure), MoneyError> {
    let mut lines: BTreeMap<Kind, CaseLine> = BTreeMap::new();
    let mut open = Figure::default();
    for one in differences {
        let none = Figure::default();
        let line = lines.entry(one.kind);
        let line = line.or_insert(CaseLine { kind: one.kind, settled: none, open: none });
        let figure = Figure { records: 1, amount: one.amount.into() };
        if one.settled {
            line.settled = line.settled.plus(figure)?;
        } else {
            line.open = line.open.plus(figure)?;
            open = open.plus(figure)?;
        }
    }
    Ok((lines.into_values().collect(), open))
}

/// Both sides of many days, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    ours: SideSum,
    theirs: SideSum,
    classes: Vec<ClassLine>,
    kinds: BTreeMap<PaidBy, KindLine>,
}

impl Default for Together {
    fn default() -> Self {
        let none = SideSum::default();
        Self {
            ours: none,
            theirs: none,
            classes: CLASSES.map(|class| ClassLine { class, ours: none, theirs: none }).to_vec(),
            kinds: BTreeMap::new(),
        }
    }
}

impl Together {
    /// Adds a day.
    ///
    /// # Errors
    /// When a sum is past what the books hold.
    pub fn add(&mut self, day: &Minutes) -> Result<(), MoneyError> {
        self.ours = self.ours.plus(day.ours)?;
        self.theirs = self.theirs.plus(day.theirs)?;
        for (sum, line) in self.classes.iter_mut().zip(&day.classes) {
            sum.ours = sum.ours.plus(line.ours)?;
            sum.theirs = sum.theirs.plus(line.theirs)?;
        }
        for line in &day.kinds {
            let none = KindLine { kind: line.kind, ours: None, theirs: None };
            let sum = self.kinds.entry(line.kind).or_insert(none);
            sum.ours = both(sum.ours, line.ours)?;
            sum.theirs = both(sum.theirs, line.theirs)?;
        }
        Ok(())
    }
}

fn both(a: Option<Figure>, b: Option<Figure>) -> Result<Option<Figure>, MoneyError> {
    match (a, b) {
        (Some(a), Some(b)) => a.plus(b).map(Some),
        (one, None) | (None, one) => Ok(one),
    }
}

#[cfg(test)]
pub(crate) mod tests;
