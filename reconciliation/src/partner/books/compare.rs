//! What was sent against what was answered: each transaction against its last answer, to the minor unit.

use domain::Timestamp;
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::PgPool;

use super::repo;
use crate::partner::exchange::ExchangeError;
use crate::partner::exchange::repo::failed;

/// As many differences are listed.
pub const LISTED_MAX: usize = 1_000;

/// Transactions, and what was asked for them and granted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub records: u64,
    /// What was asked.
    pub asked: u64,
    /// What the answers grant.
    pub granted: i64,
}

impl Sum {
    fn add(&mut self, asked: u64, granted: i64) {
        self.records += 1;
        self.asked = self.asked.saturating_add(asked);
        self.granted = self.granted.saturating_add(granted);
    }
}

/// A transaction that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its number.
    pub transaction: String,
    /// What was asked.
    pub asked: u64,
    /// The code of the answer, and what it grants; none where there is no answer.
    pub answer: Option<(String, i64)>,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Posted, with the amount that was asked.
    pub matched: Sum,
    /// Posted, with another amount.
    pub amount_differs: Sum,
    /// Not posted.
    pub rejected: Sum,
    /// Not answered.
    pub unanswered: Sum,
    /// What is not matched, up to [`LISTED_MAX`].
    pub differences: Vec<Difference>,
}

impl Compared {
    /// Whether everything is matched.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.amount_differs.records + self.rejected.records + self.unanswered.records == 0
    }

    fn take(&mut self, one: repo::Answered) {
        let granted = one.answer.as_ref().map_or(0, |(_, amount)| *amount);
        let sum = match &one.answer {
            None => &mut self.unanswered,
            Some((code, _)) if !matches!(code.as_str(), "P" | "POST" | "PPST") => {
                &mut self.rejected
            }
            Some((_, amount)) if u64::try_from(*amount) == Ok(one.asked) => {
                self.matched.add(one.asked, granted);
                return;
            }
            Some(_) => &mut self.amount_differs,
        };
        sum.add(one.asked, granted);
        if self.differences.len() < LISTED_MAX {
            let repo::Answered { identity, asked, answer } = one;
            self.differences.push(Difference { transaction: identity, asked, answer });
        }
    }
}

/// Compares what was sent to a partner since a time with its answers.
///
/// # Errors
/// When the database fails.
pub async fn compare(
    pool: &PgPool,
    partner: &str,
    since: Timestamp,
) -> Result<Compared, ExchangeError> {
    let mut compared = Compared::default();
    let mut connection = pool.acquire().await.map_err(failed("connect"))?;
    // NIOP answers a transaction as correction 0 of it; IAG by its number alone.
    for (kind, answer, suffix) in [
        ("STRAN", "SRECON", "/0"),
        ("SCORR", "SRECON", ""),
        ("ICTX", "ICRX", ""),
        ("ITXC", "IRXC", ""),
    ] {
        let asked = (partner.to_owned(), kind, answer);
        let mut rows = repo::answered(&mut connection, asked, suffix, since);
        while let Some(one) = rows.try_next().await? {
            compared.take(one);
        }
    }
    Ok(compared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(asked: u64, answer: Option<(&str, i64)>) -> repo::Answered {
        let answer = answer.map(|(code, amount)| (code.to_owned(), amount));
        repo::Answered { identity: "7".to_owned(), asked, answer }
    }

    #[test]
    fn every_transaction_is_in_one_class_and_the_classes_add_up() {
        let mut compared = Compared::default();
        assert!(compared.is_whole());
        compared.take(answered(47_000, Some(("P", 47_000))));
        assert!(compared.is_whole());
        compared.take(answered(47_000, Some(("POST", 40_000))));
        compared.take(answered(47_000, Some(("INSU", 0))));
        compared.take(answered(47_000, None));
        let Compared { matched, amount_differs, rejected, unanswered, .. } = &compared;
        let asked = [matched, amount_differs, rejected, unanswered].map(|sum| sum.asked);
        assert_eq!(asked, [47_000; 4]);
        assert_eq!((amount_differs.granted, compared.differences.len()), (40_000, 3));
        assert!(!compared.is_whole());
    }
}
