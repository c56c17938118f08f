//! Makes minutes out of the books and the other side's records, and keeps them.
//!
//! What the books say of a span is read again each time, so minutes that were made before a case was
//! settled, or a bank paid, are made anew under the next revision. Minutes that would say the same are
//! not made a second time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use domain::signature::{Digest256, SecretKey};
use domain::time::TimeError;
use domain::{Amount, BusinessDate, IssuerId, MoneyError, OperatorId, Timestamp};
use jiff::ToSpan as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};

use super::{
    Carried, Counted, DayPaper, Figure, Format, KindLine, Minutes, MinutesPaper, PaidBy, Party,
    Signers, Source, Span, Together, Unsound, by_kind, repo,
};
use crate::cases::of_matching::{About, DifferencesError, differences};
use crate::cases::{self, CaseError};
use crate::matching::class::{CLASSES, Class, ClassLine, SideSum};
use crate::matching::{Plan, Rules};
use crate::money::Signed;
use crate::papers::period::Sum;
use crate::settlement::repo::parsed;
use crate::settlement::{SettlementError, stored_amount};
use crate::sides::ledger::{By, Charges, LATE_MAX_D, LedgerError, charges};
use crate::sides::{Mapping, SideError, Table};
use crate::statement::repo::papers_between;
use crate::statement::{PaperError, Statement};
use crate::window::Actor;

/// Which minutes.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The operator.
    pub operator: OperatorId,
    /// With whom.
    pub with: Party,
    /// Of when.
    pub span: Span,
    /// Who signs.
    pub signers: Signers,
}

/// What an issuer says of a day.
#[derive(Debug)]
pub struct Theirs {
    /// Its records.
    pub table: Table,
    /// The files they are from.
    pub sources: Vec<Source>,
    /// By which rules they are held against ours.
    pub rules: Rules,
    /// With how many threads and how much memory.
    pub plan: Plan,
    /// Whether the day's passages are those that passed on it, in place of those settled with it.
    pub by_time: bool,
}

/// Why there are no minutes.
#[derive(Debug, thiserror::Error)]
pub enum MinutesError {
    /// The parties are not in the books.
    #[error("the books have no operator {operator} or no issuer {issuer}")]
    Unknown {
        /// The operator.
        operator: OperatorId,
        /// The issuer.
        issuer: IssuerId,
    },
    /// No day of the span is closed.
    #[error("{operator} has no statement within {span}: close its days first")]
    NotClosed {
        /// The operator.
        operator: OperatorId,
        /// Of when.
        span: Span,
    },
    /// Days on which something is owed have no minutes yet.
    #[error("there are no minutes of {}: make those first, each with the other side's file", list(.0))]
    DaysWithout(Vec<BusinessDate>),
    /// Passages came since the minutes of their days were made.
    #[error(
        "the minutes of {} have not what the books have of those days now, as passages came late: make \
         those again first, each with the other side's file", list(.0)
    )]
    DaysChanged(Vec<BusinessDate>),
    /// Days that are put together count in different ways.
    #[error(
        "the minutes of {0} count by another rule than those of the day before: make them alike"
    )]
    CountedOtherwise(BusinessDate),
    /// A stored paper is not to be believed.
    #[error("read the paper of {day}")]
    Paper {
        /// Its day.
        day: BusinessDate,
        /// Why not.
        #[source]
        source: PaperError,
    },
    /// The figures contradict each other.
    #[error("the figures do not agree, so there are no minutes")]
    Unsound(#[from] Unsound),
    /// Matching failed.
    #[error("hold both sides against each other")]
    Match(#[from] DifferencesError),
    /// Our side could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Our side is no table.
    #[error("read our side")]
    Table(#[from] SideError),
    /// A case could not be opened.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// A span has no beginning or end in the operator's calendar.
    #[error("find the days of the operator's calendar")]
    Calendar(#[from] TimeError),
    /// A sum is past what the books hold.
    #[error("sum the minutes")]
    Money(#[from] MoneyError),
    /// They could not be written as JSON.
    #[error("write the minutes")]
    Text(#[from] serde_json::Error),
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
}

/// As many days are named as one reads.
fn list(days: &[BusinessDate]) -> String {
    const SHOWN: usize = 12;
    let mut text: Vec<String> = days.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more) = days.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push(format!("{more} more"));
    }
    text.join(", ")
}

/// A file of the other side, by its name and digest.
///
/// # Errors
/// When it cannot be read.
pub fn source_of(path: &Path) -> io::Result<Source> {
    let mut file = File::open(path)?;
    let (mut digest, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        digest.update(&block[..read]);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Source { file: name, digest: Digest256::new(digest.finalize().into()) })
}

/// Minutes of a day between an operator and an issuer, with the issuer's records. What differs becomes
/// a case.
///
/// # Errors
/// When the day is not closed, a side cannot be read, the figures contradict each other, or the
/// database fails. Cases that were opened stay open.
pub async fn of_issuer_day(
    pool: &PgPool,
    key: &SecretKey,
    (asked, day): (&Asked, BusinessDate),
    theirs: &Theirs,
    now: Timestamp,
) -> Result<MinutesPaper, MinutesError> {
    let Asked { operator, with, .. } = asked;
    let days = statements(pool, key, asked).await?;
    let Some((_, stated)) = days.first() else {
        return Err(MinutesError::NotClosed { operator: operator.clone(), span: asked.span });
    };
    let about = About::of(pool, operator, day).await?;
    let by = if theirs.by_time { By::Passed(about.calendar.clone()) } else { By::Settled };
    let issuer = Some(with.issuer().clone());
    let wanted = Charges { operator: operator.clone(), issuer, from: day, through: day, by };
    let file = charges(pool, &wanted, &theirs.plan.folder).await?;
    let ours = Table::of(vec![(PathBuf::from("books"), file)], &Mapping::normal())?;
    let (totals, findings) =
        differences((&ours, &theirs.table), &theirs.rules, &theirs.plan, &about)?;
    let codes = cases::open_all(pool, &findings, &Actor::Program, now).await?;
    let found = repo::cases(pool, &codes).await?;
    let mut minutes = begin(pool, asked, &days, now).await?;
    minutes.counted = if theirs.by_time { Counted::Passed } else { Counted::Settled };
    minutes.sources = theirs.sources.clone();
    (minutes.ours, minutes.theirs) = (totals.ours, totals.theirs);
    minutes.classes = totals.classes;
    minutes.kinds = kinds_of_day(stated, with.issuer(), (totals.ours, totals.theirs))?;
    let (by_kind, open) = by_kind(&found)?;
    (minutes.cases, minutes.differences) = (by_kind, found);
    minutes.carried = carried(pool, asked, open).await?;
    keep(pool, key, minutes).await
}

/// Minutes of a month or a year between an operator and an issuer, put together from those of its days.
///
/// # Errors
/// When a day that has money has no minutes, the figures contradict each other, or the database fails.
pub async fn of_issuer_period(
    pool: &PgPool,
    key: &SecretKey,
    asked: &Asked,
    now: Timestamp,
) -> Result<MinutesPaper, MinutesError> {
    let days = statements(pool, key, asked).await?;
    let mut minutes = begin(pool, asked, &days, now).await?;
    let (mut together, mut codes) = (Together::default(), Vec::new());
    let (mut counted, mut ours) = (None, BTreeMap::new());
    for (day, paper) in repo::of_days(pool, &asked.operator, &asked.with, asked.span).await? {
        let of_day =
            paper.open(&key.public()).map_err(|source| MinutesError::Paper { day, source })?;
        if counted.is_some_and(|counted| counted != of_day.counted) {
            return Err(MinutesError::CountedOtherwise(day));
        }
        counted = Some(of_day.counted);
        together.add(&of_day)?;
        ours.insert(day, (of_day.ours.rows, of_day.ours.amount));
        codes.extend(of_day.differences.into_iter().map(|one| one.case));
        minutes.sources.extend(of_day.sources);
        minutes.minutes.push(DayPaper { day, digest: paper.digest() });
    }
    let has_money = |stated: &Statement| {
        stated.issuers.iter().any(|position| position.issuer == *asked.with.issuer())
    };
    let made = |day| minutes.minutes.iter().any(|one| one.day == day);
    let missing: Vec<BusinessDate> = days
        .iter()
        .filter(|(_, stated)| has_money(stated) && !made(stated.day))
        .map(|(_, stated)| stated.day)
        .collect();
    if !missing.is_empty() {
        return Err(MinutesError::DaysWithout(missing));
    }
    if counted == Some(Counted::Passed) {
        see_that_none_came_since(pool, asked, &ours).await?;
    }
    let found = repo::cases(pool, &codes).await?;
    let (by_kind, open) = by_kind(&found)?;
    minutes.counted = counted.unwrap_or(Counted::Settled);
    (minutes.ours, minutes.theirs) = (together.ours, together.theirs);
    (minutes.classes, minutes.cases) = (together.classes, by_kind);
    minutes.kinds = together.kinds.into_values().collect();
    minutes.differences = found.into_iter().filter(|one| !one.settled).collect();
    minutes.carried = carried(pool, asked, open).await?;
    keep(pool, key, minutes).await
}

/// Compares what the days' minutes have of ours, each its records and amount, with what the books have now.
async fn see_that_none_came_since(
    pool: &PgPool,
    asked: &Asked,
    ours: &BTreeMap<BusinessDate, (u64, Amount)>,
) -> Result<(), MinutesError> {
    let Asked { operator, with, span, .. } = asked;
    let calendar = About::of(pool, operator, span.first()).await?.calendar;
    let mut days = vec![span.first()];
    while let Some(day) = days.last().filter(|day| **day < span.last()) {
        days.push(BusinessDate::new(day.date().saturating_add(1.day())));
    }
    let begins =
        |day: &BusinessDate| calendar.end_of(BusinessDate::new(day.date().saturating_sub(1.day())));
    let starts = days.iter().map(begins).collect::<Result<Vec<_>, _>>()?;
    let bounds = (starts.as_slice(), calendar.end_of(span.last())?);
    let now = repo::passed(pool, (operator, with.issuer()), *span, bounds, LATE_MAX_D).await?;
    let none = (0, Amount::ZERO);
    let (mut changed, mut without) = (Vec::new(), Vec::new());
    for (index, day) in (0..).zip(days) {
        let has = now.get(&index).copied().unwrap_or(none);
        match ours.get(&day) {
            Some(said) if *said != has => changed.push(day),
            None if has != none => without.push(day),
            Some(_) | None => {}
        }
    }
    if !without.is_empty() {
        return Err(MinutesError::DaysWithout(without));
    }
    if changed.is_empty() { Ok(()) } else { Err(MinutesError::DaysChanged(changed)) }
}

/// Minutes between an operator and the bank of an issuer: what was to be paid in the span, and what the
/// bank's statements show of it.
///
/// # Errors
/// When the figures contradict each other or the database fails.
pub async fn of_bank(
    pool: &PgPool,
    key: &SecretKey,
    asked: &Asked,
    now: Timestamp,
) -> Result<MinutesPaper, MinutesError> {
    let Asked { operator, with, span, .. } = asked;
    let pair = (operator, with.issuer());
    let payments = repo::payments(pool, pair, *span).await?;
    let strange = repo::strange_lines(pool, pair, *span).await?;
    let held: Vec<String> = payments
        .iter()
        .filter(|payment| !payment.came_back)
        .map(|payment| payment.end_to_end.clone())
        .collect();
    let mut minutes = begin(pool, asked, &[], now).await?;
    let (owed, statements) = repo::parts(pool, &held).await?;
    minutes.owed = owed;
    minutes.statements =
        statements.into_iter().map(|(day, digest)| DayPaper { day, digest }).collect();
    minutes.counted = Counted::Ordered;
    let bank = Bank::try_new(&payments, &strange)?;
    for line in &bank.classes {
        minutes.ours = minutes.ours.plus(line.ours)?;
        minutes.theirs = minutes.theirs.plus(line.theirs)?;
    }
    (minutes.classes, minutes.kinds) = (bank.classes, bank.kinds);
    let names: Vec<String> = payments.iter().map(|payment| payment.end_to_end.clone()).collect();
    let lines: Vec<String> =
        strange.iter().map(|(reference, ..)| format!("{} {reference}", with.issuer())).collect();
    let codes = repo::bank_cases(pool, operator, &names, &lines).await?;
    let found = repo::cases(pool, &codes).await?;
    let (by_kind, open) = by_kind(&found)?;
    (minutes.cases, minutes.differences) = (by_kind, found);
    minutes.carried = Carried { cases: open, not_booked: bank.not_booked, ..Carried::default() };
    keep(pool, key, minutes).await
}

/// Both sides of a bank's payments.
struct Bank {
    classes: Vec<ClassLine>,
    kinds: Vec<KindLine>,
    not_booked: Signed,
}

impl Bank {
    fn try_new(
        payments: &[repo::Payment],
        strange: &[(String, bool, Amount)],
    ) -> Result<Self, MinutesError> {
        let none = SideSum::default();
        let mut classes: Vec<ClassLine> =
            CLASSES.map(|class| ClassLine { class, ours: none, theirs: none }).to_vec();
        let mut add = |class: Class, ours: SideSum, theirs: SideSum| {
            let line = &mut classes[class.index()];
            line.ours = line.ours.plus(ours)?;
            line.theirs = line.theirs.plus(theirs)?;
            Ok::<_, MoneyError>(())
        };
        let [mut ordered, mut undone, mut paid, mut returned] = [Figure::default(); 4];
        let mut not_booked = Signed::ZERO;
        for payment in payments {
            let amount = payment.amount;
            let reversed = if payment.came_back { amount } else { Amount::ZERO };
            let ours = SideSum { rows: 1, amount, reversed };
            let theirs = SideSum {
                rows: payment.paid.records + payment.returned.records,
                amount: stored_amount(payment.paid.amount.minor_units())?,
                reversed: stored_amount(payment.returned.amount.minor_units())?,
            };
            let shown = Signed::from(theirs.amount).minus(theirs.reversed.into())?;
            let wanted = Signed::from(amount).minus(reversed.into())?;
            let class = match theirs.rows {
                0 => Class::OnlyOurs,
                _ if shown == wanted => Class::Matched,
                _ => Class::AmountDiffers,
            };
            add(class, ours, theirs)?;
            not_booked = not_booked.plus(wanted.minus(shown)?)?;
            ordered = ordered.plus(Figure { records: 1, amount: amount.into() })?;
            if payment.came_back {
                let back = Signed::ZERO.minus(amount.into())?;
                undone = undone.plus(Figure { records: 1, amount: back })?;
            }
            paid = paid.plus(payment.paid)?;
            let back = Signed::ZERO.minus(payment.returned.amount)?;
            returned = returned.plus(Figure { records: payment.returned.records, amount: back })?;
        }
        for (_, is_paid, amount) in strange {
            let zero = Amount::ZERO;
            let (taken, back) = if *is_paid { (*amount, zero) } else { (zero, *amount) };
            add(Class::OnlyTheirs, none, SideSum { rows: 1, amount: taken, reversed: back })?;
            let of = if *is_paid { &mut paid } else { &mut returned };
            let signed = Signed::from(taken).minus(back.into())?;
            *of = of.plus(Figure { records: 1, amount: signed })?;
        }
        let line = |kind, ours, theirs| KindLine { kind, ours: Some(ours), theirs: Some(theirs) };
        let kinds =
            vec![line(PaidBy::Transfer, ordered, paid), line(PaidBy::GivenBack, undone, returned)];
        Ok(Self { classes, kinds, not_booked })
    }
}

/// The signed statements of the span, with their digests.
async fn statements(
    pool: &PgPool,
    key: &SecretKey,
    asked: &Asked,
) -> Result<Vec<(Digest256, Statement)>, MinutesError> {
    let Asked { operator, span, .. } = asked;
    let mut days = Vec::new();
    for paper in papers_between(pool, operator, span.first(), span.last()).await? {
        let day = paper.read()?.day;
        let stated =
            paper.open(&key.public()).map_err(|source| MinutesError::Paper { day, source })?;
        days.push((paper.digest, stated));
    }
    if days.is_empty() {
        return Err(MinutesError::NotClosed { operator: operator.clone(), span: *span });
    }
    Ok(days)
}

/// Minutes with their parties and what the statements say, and nothing found yet.
async fn begin(
    pool: &PgPool,
    asked: &Asked,
    days: &[(Digest256, Statement)],
    now: Timestamp,
) -> Result<Minutes, MinutesError> {
    let Asked { operator, with, span, signers } = asked.clone();
    let issuer = with.issuer();
    let Some((operator_name, issuer_name, currency)) = repo::names(pool, &operator, issuer).await?
    else {
        return Err(MinutesError::Unknown { operator, issuer: issuer.clone() });
    };
    let positions = days.iter().flat_map(|(_, day)| &day.issuers);
    let owed = positions
        .filter(|position| position.issuer == *issuer)
        .try_fold(Sum::default(), Sum::plus)?;
    let none = SideSum::default();
    Ok(Minutes {
        format: Format::V1,
        operator,
        operator_name,
        with,
        issuer_name,
        span,
        revision: 1,
        currency: parsed("currency", &currency)?,
        issued_at: now,
        signers,
        counted: Counted::Settled,
        statements: days
            .iter()
            .map(|(digest, day)| DayPaper { day: day.day, digest: *digest })
            .collect(),
        minutes: Vec::new(),
        sources: Vec::new(),
        ours: none,
        theirs: none,
        classes: Vec::new(),
        kinds: Vec::new(),
        differences: Vec::new(),
        cases: Vec::new(),
        carried: Carried::default(),
        owed,
    })
}

/// What both sides have of a day by how it was paid; of corrections and cash an issuer's files say nothing.
fn kinds_of_day(
    stated: &Statement,
    issuer: &IssuerId,
    (ours, theirs): (SideSum, SideSum),
) -> Result<Vec<KindLine>, MoneyError> {
    let whole = |side: SideSum| {
        let amount = Signed::from(side.amount).minus(side.reversed.into())?;
        Ok::<_, MoneyError>(Some(Figure { records: side.rows, amount }))
    };
    let corrected = stated.adjustments.iter().filter(|one| one.issuer.as_ref() == Some(issuer));
    let corrected = corrected.map(|one| Figure { records: 1, amount: one.amount });
    let corrected = corrected.into_iter().try_fold(Figure::default(), Figure::plus)?;
    let cash = Figure { records: stated.cash.passages, amount: stated.cash.amount.into() };
    let only_ours = |kind, figure| KindLine { kind, ours: Some(figure), theirs: None };
    Ok(vec![
        KindLine { kind: PaidBy::Account, ours: whole(ours)?, theirs: whole(theirs)? },
        only_ours(PaidBy::Correction, corrected),
        only_ours(PaidBy::Cash, cash),
    ])
}

async fn carried(pool: &PgPool, asked: &Asked, cases: Figure) -> Result<Carried, MinutesError> {
    let Asked { operator, with, span, .. } = asked;
    let (first, last) = (span.first(), span.last());
    let calendar = About::of(pool, operator, first).await?.calendar;
    let before = BusinessDate::new(first.date().saturating_sub(1.day()));
    let until = BusinessDate::new(last.date().saturating_add(LATE_MAX_D.days()));
    let bounds = (calendar.end_of(before)?, calendar.end_of(last)?);
    let pair = (operator, with.issuer());
    let [from_other_days, to_later_days] = repo::late(pool, pair, *span, bounds, until).await?;
    let not_booked = repo::not_booked(pool, pair, *span).await?;
    Ok(Carried { cases, from_other_days, to_later_days, not_booked })
}

/// Signs and keeps minutes, unless the last ones say the same.
async fn keep(
    pool: &PgPool,
    key: &SecretKey,
    mut minutes: Minutes,
) -> Result<MinutesPaper, MinutesError> {
    minutes.check()?;
    let begin = SettlementError::database("begin to keep minutes");
    let mut tx = pool.begin().await.map_err(begin)?;
    repo::hold(&mut tx, &minutes).await?;
    if let Some(before) = last(&mut tx, key, &minutes).await? {
        let (paper, said) = before;
        if said.says_the_same_as(&minutes) {
            return Ok(paper);
        }
        minutes.revision = said.revision + 1;
    }
    let paper = MinutesPaper::try_sign(&minutes, key)?;
    repo::insert(&mut tx, &minutes, &paper).await?;
    tx.commit().await.map_err(SettlementError::database("commit minutes"))?;
    Ok(paper)
}

async fn last(
    tx: &mut PgConnection,
    key: &SecretKey,
    minutes: &Minutes,
) -> Result<Option<(MinutesPaper, Minutes)>, MinutesError> {
    let paper = repo::minutes(tx, &minutes.operator, &minutes.with, minutes.span).await?;
    let Some(paper) = paper else { return Ok(None) };
    let day = minutes.span.first();
    let said = paper.open(&key.public()).map_err(|source| MinutesError::Paper { day, source })?;
    Ok(Some((paper, said)))
}
