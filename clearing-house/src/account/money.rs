//! Money into and out of accounts, and set aside in them; each movement once per reference.
//!
//! References are the payer's and are unique for an issuer and a kind of movement, so that two
//! issuers' banks may number alike.

use domain::{AccountId, Amount, BusinessDate, IssuerId, Timestamp};
use jiff::tz::TimeZone;
use sqlx::{PgConnection, PgPool, Row};

use super::{AccountError, AccountState, Effect, Standing, failed, lock, post, something};
use crate::config::ListPolicy;
use crate::ledger::{LedgerAccountKey, LedgerError, NewTransfer, TransferKind};
use crate::sql::to_sql;

/// The longest reference, in characters.
const REFERENCE_LEN_MAX: usize = 100;

/// A customer's movements of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Movement {
    TopUp,
    Refund,
    Hold,
    Release,
}

impl Movement {
    const fn kind(self) -> TransferKind {
        match self {
            Self::TopUp => TransferKind::TopUp,
            Self::Refund => TransferKind::Refund,
            Self::Hold => TransferKind::Hold,
            Self::Release => TransferKind::Release,
        }
    }

    /// Debit and credit.
    fn legs(self, account: AccountId, issuer: &IssuerId) -> (LedgerAccountKey, LedgerAccountKey) {
        let customer = LedgerAccountKey::Customer(account);
        let bank = LedgerAccountKey::Bank(issuer.clone());
        let held = LedgerAccountKey::Held(issuer.clone());
        match self {
            Self::TopUp => (bank, customer),
            Self::Refund => (customer, bank),
            Self::Hold => (customer, held),
            Self::Release => (held, customer),
        }
    }

    /// Whether the account's state allows it.
    fn allowed(self, standing: &Standing, amount: Amount) -> Result<(), AccountError> {
        let owes = amount.minor_units() <= standing.available.saturating_neg();
        match (self, standing.state) {
            (Self::TopUp, AccountState::Closed) if !owes => {
                Err(standing.refuse("it takes no more than it owes"))
            }
            (Self::TopUp | Self::Release, _)
            | (
                Self::Refund,
                AccountState::Open | AccountState::NotConverted | AccountState::Closed,
            )
            | (Self::Hold, AccountState::Open | AccountState::NotConverted) => Ok(()),
            (Self::Refund, AccountState::Blocked) => {
                Err(standing.refuse("unlock it before anything is paid back"))
            }
            (Self::Hold, AccountState::Blocked | AccountState::Closed) => {
                Err(standing.refuse("only money of an account in use is set aside"))
            }
        }
    }

    fn transfer(
        self,
        account: AccountId,
        issuer: &IssuerId,
        amount: Amount,
        reference: &str,
        now: Timestamp,
    ) -> NewTransfer {
        let (debit, credit) = self.legs(account, issuer);
        NewTransfer {
            kind: self.kind(),
            debit,
            credit,
            amount,
            operator: None,
            day: BusinessDate::new(now.to_zoned(TimeZone::UTC).date()),
            posted_at: now,
            passage: None,
            reference: Some(in_the_ledger(issuer, reference)),
        }
    }
}

/// A reference as the ledger keeps it: with its issuer.
pub(super) fn in_the_ledger(issuer: &IssuerId, reference: &str) -> String {
    format!("{issuer}/{reference}")
}

/// The transfer of a top-up, for those who post many at once.
pub(super) fn top_up_transfer(
    account: AccountId,
    issuer: &IssuerId,
    amount: Amount,
    reference: &str,
    now: Timestamp,
) -> NewTransfer {
    Movement::TopUp.transfer(account, issuer, amount, reference, now)
}

/// Tops an account up; the payer's reference makes a second try a no-op.
///
/// # Errors
/// When there is no such account, it is closed and owes less, the reference was used for something
/// else, or the database fails.
pub async fn top_up(
    pool: &PgPool,
    account: AccountId,
    amount: Amount,
    reference: &str,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    once(pool, Movement::TopUp, Order { account, amount, reference }, policy, now).await
}

/// Pays money back out of an account, as far as its balance reaches.
///
/// # Errors
/// When there is no such account, it is locked, the balance does not reach, the reference was used
/// for something else, or the database fails.
pub async fn refund(
    pool: &PgPool,
    account: AccountId,
    amount: Amount,
    reference: &str,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    once(pool, Movement::Refund, Order { account, amount, reference }, policy, now).await
}

/// What is wanted of an account's money.
#[derive(Debug, Clone, Copy)]
struct Order<'a> {
    account: AccountId,
    amount: Amount,
    reference: &'a str,
}

fn check_reference(reference: &str) -> Result<(), AccountError> {
    let len = reference.chars().count();
    let good = (1..=REFERENCE_LEN_MAX).contains(&len) && !reference.chars().any(char::is_control);
    if good { Ok(()) } else { Err(AccountError::NoReference) }
}

async fn once(
    pool: &PgPool,
    movement: Movement,
    order: Order<'_>,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    something(order.amount)?;
    check_reference(order.reference)?;
    let mut tx = pool.begin().await.map_err(failed("begin the payment"))?;
    let standing = lock(&mut tx, order.account).await?;
    if let Some(effect) = done_before(&mut tx, movement, &standing.issuer, order).await? {
        return Ok(effect);
    }
    match carry_out(&mut tx, movement, &standing, order, policy, now).await {
        Ok(()) => {
            tx.commit().await.map_err(failed("commit the payment"))?;
            Ok(Effect::Now)
        }
        // Another account's payment by the same reference got in first.
        Err(AccountError::Ledger(LedgerError::AlreadyPosted { .. })) => {
            tx.rollback().await.map_err(failed("end the payment"))?;
            Err(AccountError::ReferenceTaken { reference: order.reference.to_owned() })
        }
        Err(error) => Err(error),
    }
}

async fn carry_out(
    tx: &mut PgConnection,
    movement: Movement,
    standing: &Standing,
    order: Order<'_>,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<(), AccountError> {
    movement.allowed(standing, order.amount)?;
    let transfer =
        movement.transfer(order.account, &standing.issuer, order.amount, order.reference, now);
    let after = post(tx, &transfer, policy).await?;
    match (movement, after) {
        (Movement::Refund | Movement::Hold, Some(after)) if after < 0 => {
            Err(AccountError::NotEnough {
                account: order.account,
                available: after.saturating_add(order.amount.minor_units()),
                wanted: order.amount.minor_units(),
            })
        }
        _ => Ok(()),
    }
}

/// What the reference has done already, if anything.
async fn done_before(
    tx: &mut PgConnection,
    movement: Movement,
    issuer: &IssuerId,
    order: Order<'_>,
) -> Result<Option<Effect>, AccountError> {
    let row = sqlx::query(
        "select b.account, t.amount from transfer_v1 t \
         left join balance_v1 b on b.ledger_account in (t.debit, t.credit) \
         where t.kind = $1 and t.reference = $2",
    )
    .bind(movement.kind().name())
    .bind(in_the_ledger(issuer, order.reference))
    .fetch_optional(tx)
    .await
    .map_err(failed("look up the reference"))?;
    let Some(row) = row else { return Ok(None) };
    let (account, amount): (Option<i64>, i64) = (row.get(0), row.get(1));
    if account == Some(order.account.as_i64()) && amount == order.amount.minor_units() {
        Ok(Some(Effect::Before))
    } else {
        Err(AccountError::ReferenceTaken { reference: order.reference.to_owned() })
    }
}

/// Money set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Held {
    /// The hold, by which it is released.
    pub hold: i64,
    /// Whether it was set aside now.
    pub effect: Effect,
}

/// What is wanted set aside, and why.
#[derive(Debug, Clone, Copy)]
pub struct Reservation<'a> {
    /// How much.
    pub amount: Amount,
    /// The reference that makes a second try a no-op.
    pub reference: &'a str,
    /// Why, for people.
    pub reason: &'a str,
}

/// Sets money of an account aside, as far as its balance reaches.
///
/// # Errors
/// When there is no such account, it is not in use, the balance does not reach, the reference was
/// used for something else, or the database fails.
pub async fn reserve(
    pool: &PgPool,
    account: AccountId,
    wanted: Reservation<'_>,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<Held, AccountError> {
    let order = Order { account, amount: something(wanted.amount)?, reference: wanted.reference };
    check_reference(order.reference)?;
    let mut tx = pool.begin().await.map_err(failed("begin the hold"))?;
    let standing = lock(&mut tx, account).await?;
    let reference = in_the_ledger(&standing.issuer, order.reference);
    if let Some(effect) = done_before(&mut tx, Movement::Hold, &standing.issuer, order).await? {
        let hold = sqlx::query_scalar("select hold from hold where reference = $1")
            .bind(reference)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed("look up the hold"))?;
        return Ok(Held { hold, effect });
    }
    match carry_out(&mut tx, Movement::Hold, &standing, order, policy, now).await {
        Ok(()) => {}
        Err(AccountError::Ledger(LedgerError::AlreadyPosted { .. })) => {
            return Err(AccountError::ReferenceTaken { reference: order.reference.to_owned() });
        }
        Err(error) => return Err(error),
    }
    let hold = sqlx::query_scalar(
        "insert into hold (account, amount, reference, reason, placed_at) \
         values ($1, $2, $3, $4, $5) returning hold",
    )
    .bind(account.as_i64())
    .bind(order.amount.minor_units())
    .bind(reference)
    .bind(wanted.reason)
    .bind(to_sql(now))
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("write the hold"))?;
    tx.commit().await.map_err(failed("commit the hold"))?;
    Ok(Held { hold, effect: Effect::Now })
}

/// Gives money that was set aside free again; a second try is a no-op.
///
/// # Errors
/// When the account has no such hold or the database fails.
pub async fn release(
    pool: &PgPool,
    account: AccountId,
    hold: i64,
    policy: ListPolicy,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the release"))?;
    let standing = lock(&mut tx, account).await?;
    let row = sqlx::query(
        "select amount, released_at is null from hold where hold = $1 and account = $2",
    )
    .bind(hold)
    .bind(account.as_i64())
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed("look up the hold"))?
    .ok_or(AccountError::NoHold { account, hold })?;
    let (amount, is_open): (i64, bool) = (row.get(0), row.get(1));
    if !is_open {
        return Ok(Effect::Before);
    }
    let amount =
        Amount::try_new(amount).map_err(|error| AccountError::Ledger(LedgerError::Money(error)))?;
    let reference = format!("hold-{hold}");
    let order = Order { account, amount, reference: &reference };
    carry_out(&mut tx, Movement::Release, &standing, order, policy, now).await?;
    sqlx::query("update hold set released_at = $2 where hold = $1")
        .bind(hold)
        .bind(to_sql(now))
        .execute(&mut *tx)
        .await
        .map_err(failed("end the hold"))?;
    tx.commit().await.map_err(failed("commit the release"))?;
    Ok(Effect::Now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: AccountState, available: i64) -> Standing {
        let issuer = IssuerId::try_new("vetc").unwrap();
        Standing { account: AccountId::new(1), issuer, state, available }
    }

    #[test]
    fn what_a_state_allows_is_what_the_table_says() {
        use AccountState::{Blocked, Closed, NotConverted, Open};
        let amount = Amount::try_new(5_000).unwrap();
        for (movement, allowed) in [
            (Movement::TopUp, &[Open, Blocked, NotConverted][..]),
            (Movement::Refund, &[Open, NotConverted, Closed]),
            (Movement::Hold, &[Open, NotConverted]),
            (Movement::Release, &[Open, Blocked, NotConverted, Closed]),
        ] {
            for state in [Open, Blocked, NotConverted, Closed] {
                let may = movement.allowed(&standing(state, 9_000), amount).is_ok();
                assert_eq!(may, allowed.contains(&state), "{movement:?} {state:?}");
            }
        }
    }

    #[test]
    fn a_closed_account_takes_what_it_owes_and_no_more() {
        let closed = standing(AccountState::Closed, -5_000);
        for (amount, may) in [(4_999, true), (5_000, true), (5_001, false)] {
            let amount = Amount::try_new(amount).unwrap();
            assert_eq!(Movement::TopUp.allowed(&closed, amount).is_ok(), may, "{amount:?}");
        }
    }

    #[test]
    fn every_movement_has_the_customer_on_one_side() {
        let issuer = IssuerId::try_new("vdtc").unwrap();
        for movement in [Movement::TopUp, Movement::Refund, Movement::Hold, Movement::Release] {
            let (debit, credit) = movement.legs(AccountId::new(4), &issuer);
            let customer = LedgerAccountKey::Customer(AccountId::new(4));
            assert_eq!(usize::from(debit == customer) + usize::from(credit == customer), 1);
        }
    }

    #[test]
    fn a_reference_is_a_short_line_of_text() {
        for good in ["1", "FT26325/ 42", &"x".repeat(100)] {
            assert!(check_reference(good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", &"x".repeat(101)] {
            assert!(matches!(check_reference(bad), Err(AccountError::NoReference)), "{bad:?}");
        }
    }
}
