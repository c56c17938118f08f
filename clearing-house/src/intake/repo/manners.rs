//! Manners: everything about a passage that has few values, as one number.

use std::collections::{BTreeSet, HashMap};

use domain::VehicleGroup;
use domain::passage::{Decision, ExceptionKind, LaneRole, Passage, Payment};
use domain::wire::v1::{Disposition, ReasonRecord};
use sqlx::{PgConnection, Row as _};

use super::super::post::{BooksError, failed};
use super::name;
use crate::rating::{Charge, Payer, Why};

/// The manner of a passage and its charge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Manner {
    /// What the lane wrote; nothing where it cannot be read.
    seen: Option<Seen>,
    /// What it was found to cost; nothing where it waits.
    found: Option<(Disposition, Why)>,
    payer: &'static str,
    late: bool,
    tariff: Option<String>,
    fare_shown: FareShown,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Seen {
    role: LaneRole,
    group: Option<VehicleGroup>,
    exception: Option<ExceptionKind>,
    decision: Decision,
    reason: Option<String>,
    payment: Payment,
}

/// The fare the lane showed, beside what was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FareShown {
    /// What was charged.
    Same,
    /// Another; it is kept beside.
    Other,
    /// None.
    None,
}

impl FareShown {
    const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}

impl Manner {
    pub(crate) fn of(
        passage: Option<&Passage>,
        charge: Option<&Charge>,
        late: bool,
        fare_shown: FareShown,
    ) -> Self {
        Self {
            seen: passage.map(|passage| Seen {
                role: passage.role,
                group: passage.group,
                exception: passage.exception,
                decision: passage.decision,
                reason: passage
                    .attendance
                    .as_ref()
                    .and_then(|by| name(ReasonRecord::from(by.reason.clone()))),
                payment: passage.payment,
            }),
            found: charge.map(|charge| (charge.disposition, charge.why)),
            payer: match charge.map(|charge| &charge.payer) {
                Some(Payer::Account { .. }) => "account",
                Some(Payer::Cash) => "cash",
                Some(Payer::Nobody) | None => "nobody",
            },
            late,
            tariff: charge.and_then(|charge| charge.tariff.clone()),
            fare_shown,
        }
    }
}

/// Numbers of manners.
pub(crate) type Manners = HashMap<Manner, i32>;

/// Numbers these manners, in one order, so that two workers never wait for each other.
pub(crate) async fn number(
    tx: &mut PgConnection,
    manners: &BTreeSet<&Manner>,
) -> Result<Manners, BooksError> {
    let mut numbers = Manners::new();
    for manner in manners {
        numbers.insert((*manner).clone(), number_one(tx, manner).await?);
    }
    Ok(numbers)
}

async fn number_one(tx: &mut PgConnection, manner: &Manner) -> Result<i32, BooksError> {
    let seen = manner.seen.as_ref();
    let statements = [
        "select manner from manner where (role, vehicle_group, exception, decision, reason, payment, \
             disposition, why, payer, late, tariff, fare_shown) \
             is not distinct from ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        "insert into manner (role, vehicle_group, exception, decision, reason, payment, disposition, why, payer, \
             late, tariff, fare_shown) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             on conflict do nothing returning manner",
    ];
    // Looked up again after another worker was first.
    for statement in [statements[0], statements[1], statements[0]] {
        let row = sqlx::query(statement)
            .bind(seen.and_then(|seen| name(domain::wire::v1::RoleRecord::from(seen.role))))
            .bind(seen.and_then(|seen| seen.group).map(|group| i16::from(group.number())))
            .bind(
                seen.and_then(|s| s.exception)
                    .and_then(|one| name(domain::wire::v1::ExceptionRecord::from(one))),
            )
            .bind(seen.and_then(|s| name(domain::wire::v1::DecisionRecord::from(s.decision))))
            .bind(seen.and_then(|seen| seen.reason.clone()))
            .bind(seen.and_then(|s| name(domain::wire::v1::PaymentRecord::from(s.payment))))
            .bind(manner.found.map(|(disposition, _)| disposition.name()))
            .bind(manner.found.map(|(_, why)| why.name()))
            .bind(manner.payer)
            .bind(manner.late)
            .bind(manner.tariff.as_deref())
            .bind(manner.fare_shown.name())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("number the manner of a passage"))?;
        if let Some(row) = row {
            return Ok(row.get(0));
        }
    }
    Err(BooksError::Raced)
}
