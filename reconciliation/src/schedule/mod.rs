//! The scheduler: what is due is done, once, whoever was killed meanwhile.
//!
//! A *job* is a thing to do with a key that says for what. Which jobs are due follows from the books
//! and the time alone, so nothing is lost with a process that dies; which are done is a row each
//! (`job_run`), written when the job has ended well. A job that is refused is tried again at the next
//! *tick*. Two schedulers take turns on each job.
//!
//! The jobs: *close* an operator's day that is over; *file* its statements, and those of a month that
//! is over; open a *case* for what keeps a day from closing; raise an *alarm* when a deadline is near,
//! and another when it has passed; open a
//! case for a payment of which no bank has shown anything; *erase*, once a day, what reviewers read long
//! enough ago. Deliberately absent: approving and paying, which people do.

mod repo;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use domain::signature::SecretKey;
use domain::{BusinessDate, Clock, Timestamp};
use jiff::ToSpan as _;
use sqlx::PgPool;

use crate::calendar::repo::{Banks, items};
use crate::calendar::{Item, Standing};
use crate::cases::{self, finding};
use crate::papers::period::{Period, PeriodPaper, PeriodStatement};
use crate::payment::repo::waiting;
use crate::review;
use crate::settlement::repo::operators;
use crate::settlement::{DayClose, Outcome, Refusal, SettlementError, Today, close_through};
use crate::statement::filed;
use crate::statement::repo::papers_between;
use crate::window::Actor;

/// What went wrong in a tick; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The books failed.
    #[error(transparent)]
    Books(#[from] SettlementError),
    /// A case could not be opened.
    #[error("open a case")]
    Case(#[from] cases::CaseError),
    /// A paper could not be filed.
    #[error("file a statement")]
    Filing(#[from] filed::FilingError),
    /// A period's paper could not be made or written.
    #[error("file the statement of {period}: {problem}")]
    Period {
        /// Which.
        period: Period,
        /// What went wrong.
        problem: String,
    },
}

/// What the scheduler works with.
#[derive(Debug)]
pub struct Scheduler<'a> {
    /// The books.
    pub pool: &'a PgPool,
    /// The run's clock.
    pub clock: &'a Clock,
    /// The centre's key.
    pub key: &'a SecretKey,
    /// Where papers are filed.
    pub folder: &'a Path,
}

/// How far back it is seen to that statements are filed.
const FILE_BACK_D: i64 = 7;

/// How far deadlines are looked back.
const LOOK_BACK_D: i64 = 400;

/// How long it is from one tick to the next: run time.
pub const TICK: Duration = Duration::from_secs(60);

impl Scheduler<'_> {
    /// Does everything that is due now; says what was done.
    ///
    /// # Errors
    /// When something fails; what was done before stays done, and the rest is due at the next tick.
    pub async fn tick(&self) -> Result<Vec<String>, ScheduleError> {
        let now = self.clock.now();
        // Its own: whatever else fails, nothing is kept for longer; and it keeps nothing else from being done.
        let erased = self.erase(now).await;
        let mut done = Vec::new();
        if let Some((through, closes)) = self.close(now).await? {
            done.extend(closes.iter().filter_map(told));
            cases::open_of_closes(self.pool, &closes, now).await?;
            self.file(through).await?;
        }
        done.extend(self.months(now).await?);
        done.extend(self.alarms(now).await?);
        done.extend(self.late_banks().await?);
        done.extend(erased?);
        Ok(done)
    }

    /// Erases what reviewers read long enough ago.
    async fn erase(&self, now: Timestamp) -> Result<Option<String>, SettlementError> {
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        let Some(mut claim) = repo::claim(self.pool, "erase", &today).await? else {
            return Ok(None);
        };
        let erased = review::erase_in_tx(claim.tx(), now).await?;
        claim.done(now, &format!("{erased} looks")).await?;
        Ok((erased > 0).then(|| format!("erased what was read in {erased} looks")))
    }

    /// Files what was stated lately and is not in the folder: also what another process stated and did
    /// not live to file.
    async fn file(&self, through: BusinessDate) -> Result<(), ScheduleError> {
        let first = through.date().saturating_sub(FILE_BACK_D.days());
        for operator in operators(self.pool).await? {
            let id = &operator.operator;
            for paper in papers_between(self.pool, id, BusinessDate::new(first), through).await? {
                let day = paper.read().map_err(SettlementError::Statement)?.day;
                filed::file(self.folder, id, day, &paper)?;
            }
        }
        Ok(())
    }

    /// Closes what is over, up to the latest day that is over for any operator.
    async fn close(
        &self,
        now: Timestamp,
    ) -> Result<Option<(BusinessDate, Vec<DayClose>)>, SettlementError> {
        let mut last_over = None;
        for operator in operators(self.pool).await? {
            let calendar = operator.calendar()?;
            last_over = last_over.max(Some(before(calendar.day_of(now))));
        }
        let Some(through) = last_over else { return Ok(None) };
        let today = Today { clock: self.clock, early_reason: None };
        let closes = close_through(self.pool, through, today, self.key).await?;
        Ok(Some((through, closes)))
    }

    /// Files the statements of months that are over and closed.
    async fn months(&self, now: Timestamp) -> Result<Vec<String>, ScheduleError> {
        let mut done = Vec::new();
        for (operator, first) in repo::months_over(self.pool, now).await? {
            let period = Period::Month(first);
            let key = format!("{operator}/{period}");
            let Some(claim) = repo::claim(self.pool, "month", &key).await? else { continue };
            let mut days = Vec::new();
            let failed = |problem: String| ScheduleError::Period { period, problem };
            for paper in papers_between(self.pool, &operator, first, period.last()).await? {
                let statement =
                    paper.open(&self.key.public()).map_err(|error| failed(error.to_string()))?;
                days.push((paper.digest, statement));
            }
            let statement = PeriodStatement::try_new(period, &days);
            let statement = statement.map_err(|error| failed(error.to_string()))?;
            let paper = PeriodPaper::try_sign(&statement, self.key);
            let paper = paper.map_err(|error| failed(error.to_string()))?;
            let pdf = paper.pdf().map_err(|error| failed(error.to_string()))?;
            let name = |extension| self.folder.join(format!("{operator}-{period}.{extension}"));
            for (extension, bytes) in [("pdf", pdf), ("json", paper.to_json().into_bytes())] {
                let file = name(extension);
                std::fs::write(&file, bytes)
                    .map_err(|error| failed(format!("write {}: {error}", file.display())))?;
            }
            claim.done(now, "filed").await?;
            done.push(format!("filed the statement of {operator} for {period}"));
        }
        Ok(done)
    }

    /// Opens a case for each payment of which no bank has shown anything in time.
    ///
    /// # Errors
    /// When the books fail; what was done before stays done.
    pub async fn late_banks(&self) -> Result<Vec<String>, ScheduleError> {
        let now = self.clock.now();
        let waiting = waiting(self.pool).await?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let banks = Banks::of_contracts(self.pool).await?;
        let mut today = BTreeMap::new();
        for operator in operators(self.pool).await? {
            let calendar = operator.calendar()?;
            today.insert(operator.operator, calendar.local(now).date());
        }
        let mut done = Vec::new();
        for payment in waiting {
            let booked_by = banks.booked_by(&payment.window, &payment.issuer, payment.execute_on);
            let is_late =
                today.get(&payment.window.operator).is_some_and(|date| *date > booked_by.date());
            if !is_late {
                continue;
            }
            let Some(claim) = repo::claim(self.pool, "bank-late", &payment.end_to_end).await?
            else {
                continue;
            };
            let found = finding::of_waiting(&payment, booked_by);
            cases::open(self.pool, &found, &Actor::Program, now).await?;
            claim.done(now, "a case").await?;
            done.push(format!("late: payment {}", payment.end_to_end));
        }
        Ok(done)
    }

    /// Says once of each deadline that it is near, and once that it has passed.
    async fn alarms(&self, now: Timestamp) -> Result<Vec<String>, ScheduleError> {
        let since = now - jiff::SignedDuration::from_hours(24 * LOOK_BACK_D);
        let since = BusinessDate::new(since.to_zoned(jiff::tz::TimeZone::UTC).date());
        let mut done = Vec::new();
        for item in items(self.pool, since, now).await? {
            let job = match item.standing {
                Standing::Near => "near",
                Standing::Overdue { .. } => "overdue",
                Standing::Met | Standing::MetLate | Standing::Ahead => continue,
            };
            let Item { operator, issuer, duty, due, .. } = &item;
            let key = format!("{operator}/{issuer}/{duty}");
            let Some(claim) = repo::claim(self.pool, job, &key).await? else { continue };
            claim.done(now, item.standing.name()).await?;
            let (operator, issuer, duty) = (operator.as_str(), issuer.as_str(), duty.to_string());
            let due = due.to_string();
            if job == "overdue" {
                tracing::error!(operator, issuer, duty, due, "a deadline of settlement has passed");
            } else {
                tracing::warn!(operator, issuer, duty, due, "a deadline of settlement is near");
            }
            done.push(format!("{job}: {key}"));
        }
        Ok(done)
    }
}

fn before(day: BusinessDate) -> BusinessDate {
    BusinessDate::new(day.date().yesterday().unwrap_or_else(|_first_day| day.date()))
}

fn told(close: &DayClose) -> Option<String> {
    let DayClose { operator, day, outcome } = close;
    match outcome {
        Outcome::Closed { .. } => Some(format!("closed {operator} {day}")),
        Outcome::ClosedBefore => None,
        // Another operator's day may be over earlier.
        Outcome::Refused(why) if matches!(why.as_slice(), [Refusal::NotOver { .. }]) => None,
        Outcome::Refused(_) => Some(format!("could not close {operator} {day}")),
    }
}
