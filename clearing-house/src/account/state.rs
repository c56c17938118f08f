//! Locking, unlocking, converting and closing accounts.
//!
//! An account that owes money is neither locked nor closed (Decree 119/2024, art. 14). What an
//! authority locked, an authority unlocks. A closed account keeps its links, so that lanes know its
//! tags as closed, until another account takes the vehicle over; a passage that was made before and
//! comes late is still charged to it.

use domain::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{AccountError, AccountState, Effect, Standing, failed, lock};
use crate::lists;
use crate::sql::to_sql;

/// Whose wish it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Requester {
    /// The owner of the account.
    Owner,
    /// The issuer.
    Issuer,
    /// A competent authority.
    Authority,
}

impl Requester {
    const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Issuer => "issuer",
            Self::Authority => "authority",
        }
    }
}

/// Who wants a state changed, and why.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose wish it is.
    pub requested_by: Requester,
    /// Who carries it out, by staff id or program.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What is to become of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its tags no longer pass.
    Lock,
    /// Its tags pass again.
    Unlock,
    /// An old toll account becomes a traffic account.
    Convert,
    /// For good.
    Close,
}

/// What stands in the way of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The state, and what would be right.
    State(&'static str),
    Debt,
    MoneyLeft,
}

/// What a change leads to: the next state, nothing because it is there already, or a refusal.
///
/// `held` is what is set aside; `locked_by` is who locked the account, if it is locked.
fn next(
    change: Change,
    state: AccountState,
    available: i64,
    held: i64,
    (locked_by, requester): (Option<Requester>, Requester),
) -> Result<Option<AccountState>, Refusal> {
    use AccountState::{Blocked, Closed, NotConverted, Open};
    match (change, state) {
        (Change::Lock, Blocked)
        | (Change::Unlock | Change::Convert, Open)
        | (Change::Close, Closed) => Ok(None),
        (Change::Lock | Change::Close, Open | NotConverted) | (Change::Close, Blocked)
            if available < 0 =>
        {
            Err(Refusal::Debt)
        }
        (Change::Close, Open | NotConverted | Blocked) if available + held > 0 => {
            Err(Refusal::MoneyLeft)
        }
        (Change::Close, Open | NotConverted | Blocked) => Ok(Some(Closed)),
        (Change::Lock, Open) => Ok(Some(Blocked)),
        (Change::Lock, NotConverted) => Err(Refusal::State("convert or close it")),
        (Change::Unlock, Blocked)
            if locked_by == Some(Requester::Authority) && requester != Requester::Authority =>
        {
            Err(Refusal::State("an authority locked it, and only an authority unlocks it"))
        }
        (Change::Unlock, Blocked) | (Change::Convert, NotConverted) => Ok(Some(Open)),
        (Change::Unlock, NotConverted) => Err(Refusal::State("it is not locked; convert it")),
        (Change::Convert, Blocked) => Err(Refusal::State("it is a traffic account already")),
        (Change::Lock | Change::Unlock | Change::Convert, Closed) => {
            Err(Refusal::State("closed is for good; open another"))
        }
    }
}

/// Changes an account's state; what is so already is a no-op.
///
/// # Errors
/// When there is no such account, it owes, money is left, its state does not allow it, or the
/// database fails.
pub async fn change(
    pool: &PgPool,
    account: AccountId,
    change: Change,
    request: &Request,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the change"))?;
    let standing = lock(&mut tx, account).await?;
    let held: i64 = sqlx::query_scalar(
        "select coalesce(sum(amount), 0)::int8 from hold where account = $1 and released_at is null",
    )
    .bind(account.as_i64())
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("look up what is set aside"))?;
    let locked_by = locked_by(&mut tx, &standing).await?;
    let who = (locked_by, request.requested_by);
    match next(change, standing.state, standing.available, held, who) {
        Ok(None) => return Ok(Effect::Before),
        Ok(Some(state)) => write(&mut tx, account, state, request, now).await?,
        Err(Refusal::State(cure)) => return Err(standing.refuse(cure)),
        Err(Refusal::Debt) => {
            let owed = standing.available.unsigned_abs();
            return Err(AccountError::Debt { account, owed });
        }
        Err(Refusal::MoneyLeft) => {
            return Err(AccountError::MoneyLeft { account, left: standing.available + held });
        }
    }
    tx.commit().await.map_err(failed("commit the change"))?;
    Ok(Effect::Now)
}

async fn locked_by(
    tx: &mut PgConnection,
    standing: &Standing,
) -> Result<Option<Requester>, AccountError> {
    if standing.state != AccountState::Blocked {
        return Ok(None);
    }
    let name: Option<String> = sqlx::query_scalar(
        "select requested_by from account_state where account = $1 order by account_state desc limit 1",
    )
    .bind(standing.account.as_i64())
    .fetch_optional(tx)
    .await
    .map_err(failed("look up who locked the account"))?;
    let all = [Requester::Owner, Requester::Issuer, Requester::Authority];
    Ok(name.and_then(|name| all.into_iter().find(|one| one.name() == name)))
}

async fn write(
    tx: &mut PgConnection,
    account: AccountId,
    state: AccountState,
    request: &Request,
    now: Timestamp,
) -> Result<(), AccountError> {
    sqlx::query("update account set state = $2 where account = $1")
        .bind(account.as_i64())
        .bind(state.name())
        .execute(&mut *tx)
        .await
        .map_err(failed("change the account's state"))?;
    sqlx::query(
        "insert into account_state (account, state, since, requested_by, actor, reason) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(account.as_i64())
    .bind(state.name())
    .bind(to_sql(now))
    .bind(request.requested_by.name())
    .bind(&request.actor)
    .bind(&request.reason)
    .execute(&mut *tx)
    .await
    .map_err(failed("write down the account's state"))?;
    if state == AccountState::Closed {
        super::link::end_instrument(tx, account, now).await?;
    }
    lists::note_accounts_in_tx(tx, &[account.as_i64()])
        .await
        .map_err(failed("note the account for the list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccountState::{Blocked, Closed, NotConverted, Open};
    use Change::{Close, Convert, Lock, Unlock};

    const OWNER: (Option<Requester>, Requester) = (Some(Requester::Owner), Requester::Owner);

    #[test]
    fn states_follow_each_other_as_the_table_says() {
        for (change, state, leads_to) in [
            (Lock, Open, Ok(Some(Blocked))),
            (Lock, Blocked, Ok(None)),
            (Unlock, Blocked, Ok(Some(Open))),
            (Unlock, Open, Ok(None)),
            (Convert, NotConverted, Ok(Some(Open))),
            (Convert, Open, Ok(None)),
            (Close, Open, Ok(Some(Closed))),
            (Close, Blocked, Ok(Some(Closed))),
            (Close, NotConverted, Ok(Some(Closed))),
            (Close, Closed, Ok(None)),
        ] {
            assert_eq!(next(change, state, 0, 0, OWNER), leads_to, "{change:?} {state:?}");
        }
        for (change, state) in [
            (Lock, NotConverted),
            (Unlock, NotConverted),
            (Convert, Blocked),
            (Lock, Closed),
            (Unlock, Closed),
            (Convert, Closed),
        ] {
            let refused = next(change, state, 0, 0, OWNER);
            assert!(matches!(refused, Err(Refusal::State(_))), "{change:?} {state:?}");
        }
    }

    #[test]
    fn an_account_that_owes_is_neither_locked_nor_closed() {
        for state in [Open, NotConverted, Blocked] {
            assert_eq!(next(Close, state, -1, 0, OWNER), Err(Refusal::Debt));
            assert_eq!(next(Close, state, -1, 5, OWNER), Err(Refusal::Debt));
        }
        assert_eq!(next(Lock, Open, -1, 0, OWNER), Err(Refusal::Debt));
        assert_eq!(next(Lock, Open, 0, 0, OWNER), Ok(Some(Blocked)));
    }

    #[test]
    fn money_goes_back_before_an_account_closes() {
        for (available, held) in [(1, 0), (0, 1)] {
            assert_eq!(next(Close, Open, available, held, OWNER), Err(Refusal::MoneyLeft));
        }
    }

    #[test]
    fn what_an_authority_locked_an_authority_unlocks() {
        let authority = Some(Requester::Authority);
        for (requester, may) in
            [(Requester::Owner, false), (Requester::Issuer, false), (Requester::Authority, true)]
        {
            let led = next(Unlock, Blocked, 0, 0, (authority, requester));
            assert_eq!(led.is_ok(), may, "{requester:?}");
        }
    }
}
