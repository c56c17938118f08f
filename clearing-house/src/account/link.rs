//! Opening accounts, and what belongs to them: vehicles, tags, an instrument.

use domain::{AccountId, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, Row};

use super::{AccountError, AccountState, Effect, Standing, failed, lock};
use crate::lists;
use crate::sql::to_sql;

/// An account to be opened.
#[derive(Debug, Clone)]
pub(super) struct NewAccount {
    pub(super) account: AccountId,
    pub(super) issuer: IssuerId,
    pub(super) state: AccountState,
}

/// Opens accounts; those that are there stay as they are.
pub(super) async fn open_in_tx(
    tx: &mut PgConnection,
    accounts: &[NewAccount],
    now: Timestamp,
) -> Result<(), AccountError> {
    let opened: Vec<i64> = sqlx::query_scalar(
        "insert into account (account, issuer, state, opened_at) select account, issuer, state, $4 \
         from unnest($1::int8[], $2::text[], $3::text[]) as u (account, issuer, state) \
         on conflict do nothing returning account",
    )
    .bind(accounts.iter().map(|new| new.account.as_i64()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|new| new.issuer.as_str()).collect::<Vec<_>>())
    .bind(accounts.iter().map(|new| new.state.name()).collect::<Vec<_>>())
    .bind(to_sql(now))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("open accounts: a number is above zero, an issuer in the network"))?;
    sqlx::query(
        "insert into ledger_account (kind, issuer, account) select 'customer', issuer, account \
         from account where account = any($1) on conflict do nothing",
    )
    .bind(&opened)
    .execute(&mut *tx)
    .await
    .map_err(failed("open ledger accounts"))?;
    sqlx::query(
        "insert into account_state (account, state, since, requested_by, actor, reason) \
         select account, state, opened_at, 'issuer', issuer, 'opened' from account where account = any($1)",
    )
    .bind(&opened)
    .execute(tx)
    .await
    .map_err(failed("write down the accounts' state"))?;
    Ok(())
}

/// Opens an account; a second try is a no-op.
///
/// # Errors
/// When the issuer is not in the network, another issuer has an account of that number, or the
/// database fails.
pub async fn open(
    pool: &PgPool,
    account: AccountId,
    issuer: &IssuerId,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the opening"))?;
    let is_known: bool = sqlx::query_scalar("select exists (select from issuer where issuer = $1)")
        .bind(issuer.as_str())
        .fetch_one(&mut *tx)
        .await
        .map_err(failed("look up the issuer"))?;
    if !is_known {
        return Err(AccountError::NoIssuer(issuer.clone()));
    }
    let before: Option<String> =
        sqlx::query_scalar("select issuer from account where account = $1 for share")
            .bind(account.as_i64())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("look up the account"))?;
    match before {
        Some(its) if its == issuer.as_str() => return Ok(Effect::Before),
        Some(its) => return Err(AccountError::AccountTaken { account, issuer: its }),
        None => {}
    }
    let new = NewAccount { account, issuer: issuer.clone(), state: AccountState::Open };
    open_in_tx(&mut tx, &[new], now).await?;
    tx.commit().await.map_err(failed("commit the opening"))?;
    Ok(Effect::Now)
}

/// A vehicle to be linked.
#[derive(Debug, Clone)]
pub struct NewVehicle {
    /// Its plate.
    pub plate: Plate,
    /// Its registered group.
    pub group: VehicleGroup,
    /// Exempt by law.
    pub exempt: bool,
    /// Its tag, if it has one already.
    pub tag: Option<TagId>,
}

/// Links a vehicle to an account from now on; the same again is a no-op. Another group or exemption
/// ends the link there is and begins a new one. What belongs to a closed account may be taken over.
///
/// # Errors
/// When the account is locked or closed, vehicle or tag belong elsewhere, or the database fails.
pub async fn link_vehicle(
    pool: &PgPool,
    account: AccountId,
    vehicle: &NewVehicle,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the link"))?;
    let standing = in_use(&mut tx, account).await?;
    let linked = link_in_tx(&mut tx, &standing, vehicle, now).await?;
    let tagged = match &vehicle.tag {
        Some(tag) => tag_in_tx(&mut tx, &vehicle.plate, tag, now).await?,
        None => Effect::Before,
    };
    lists::note_accounts_in_tx(&mut tx, &[account.as_i64()])
        .await
        .map_err(failed("note the vehicle for the list"))?;
    tx.commit().await.map_err(failed("commit the link"))?;
    Ok(if (linked, tagged) == (Effect::Before, Effect::Before) {
        Effect::Before
    } else {
        Effect::Now
    })
}

/// Links a tag to a vehicle of an account from now on; the same again is a no-op.
///
/// # Errors
/// When the account is locked or closed, the vehicle is not its own, the tag is on another vehicle,
/// the vehicle has another tag, or the database fails.
pub async fn link_tag(
    pool: &PgPool,
    account: AccountId,
    plate: &Plate,
    tag: &TagId,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the link"))?;
    in_use(&mut tx, account).await?;
    match owner(&mut tx, plate).await? {
        Some(its) if its.account == account => {}
        Some(_) | None => return Err(AccountError::NoVehicle { account }),
    }
    let effect = tag_in_tx(&mut tx, plate, tag, now).await?;
    lists::note_tags_in_tx(&mut tx, &[tag.as_bytes().to_vec()])
        .await
        .map_err(failed("note the tag for the list"))?;
    tx.commit().await.map_err(failed("commit the link"))?;
    Ok(effect)
}

async fn in_use(tx: &mut PgConnection, account: AccountId) -> Result<Standing, AccountError> {
    let standing = lock(tx, account).await?;
    match standing.state {
        AccountState::Open | AccountState::NotConverted => Ok(standing),
        AccountState::Blocked => Err(standing.refuse("unlock it before anything is linked to it")),
        AccountState::Closed => Err(standing.refuse("link to an account that is in use")),
    }
}

/// Whose a vehicle is now.
struct Owner {
    account: AccountId,
    is_closed: bool,
    group: i16,
    exempt: bool,
}

async fn owner(tx: &mut PgConnection, plate: &Plate) -> Result<Option<Owner>, AccountError> {
    let row = sqlx::query(
        "select v.account, a.state = 'closed', v.vehicle_group, v.exempt \
         from vehicle v join account a using (account) where v.plate = $1",
    )
    .bind(plate.as_str())
    .fetch_optional(tx)
    .await
    .map_err(failed("look up the vehicle"))?;
    Ok(row.map(|row| Owner {
        account: AccountId::new(row.get(0)),
        is_closed: row.get(1),
        group: row.get(2),
        exempt: row.get(3),
    }))
}

async fn link_in_tx(
    tx: &mut PgConnection,
    standing: &Standing,
    vehicle: &NewVehicle,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let group = i16::from(vehicle.group.number());
    match owner(tx, &vehicle.plate).await? {
        Some(its) if its.account == standing.account => {
            if (its.group, its.exempt) == (group, vehicle.exempt) {
                return Ok(Effect::Before);
            }
            end_vehicle(tx, &vehicle.plate, now).await?;
        }
        Some(its) if its.is_closed => {
            take_tag_off(tx, &vehicle.plate, now).await?;
            end_vehicle(tx, &vehicle.plate, now).await?;
        }
        Some(its) => return Err(AccountError::VehicleElsewhere { account: its.account }),
        None => {}
    }
    sqlx::query(
        "insert into vehicle_link (plate, account, vehicle_group, exempt, valid_from) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(vehicle.plate.as_str())
    .bind(standing.account.as_i64())
    .bind(group)
    .bind(vehicle.exempt)
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(failed(
        "link the vehicle: another link of it was made meanwhile, or later than now",
    ))?;
    Ok(Effect::Now)
}

async fn tag_in_tx(
    tx: &mut PgConnection,
    plate: &Plate,
    tag: &TagId,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let rows = sqlx::query(
        "select t.plate = $1, a.state is not distinct from 'closed', t.plate from tag t \
         left join vehicle v using (plate) left join account a using (account) \
         where t.plate = $1 or t.tag = $2",
    )
    .bind(plate.as_str())
    .bind(tag.as_bytes())
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("look up the tag"))?;
    let mut same = false;
    for row in &rows {
        let (on_this, of_closed): (bool, bool) = (row.get(0), row.get(1));
        match (on_this, of_closed) {
            (true, _) => same = is_on(tx, plate, tag).await?,
            (false, true) => {
                let plate =
                    Plate::try_new(row.get(2)).map_err(|_plate| AccountError::TagElsewhere)?;
                take_tag_off(tx, &plate, now).await?;
            }
            (false, false) => return Err(AccountError::TagElsewhere),
        }
        if on_this && !same {
            return Err(AccountError::VehicleHasTag);
        }
    }
    if same {
        return Ok(Effect::Before);
    }
    sqlx::query("insert into tag_link (tag, plate, valid_from) values ($1, $2, $3)")
        .bind(tag.as_bytes())
        .bind(plate.as_str())
        .bind(to_sql(now))
        .execute(tx)
        .await
        .map_err(failed(
            "link the tag: another link of it was made meanwhile, or later than now",
        ))?;
    Ok(Effect::Now)
}

async fn is_on(tx: &mut PgConnection, plate: &Plate, tag: &TagId) -> Result<bool, AccountError> {
    sqlx::query_scalar("select exists (select from tag where plate = $1 and tag = $2)")
        .bind(plate.as_str())
        .bind(tag.as_bytes())
        .fetch_one(tx)
        .await
        .map_err(failed("look up the tag"))
}

/// Ends a vehicle's link to an account from now on, and its tag's to the vehicle.
///
/// # Errors
/// When the vehicle is not the account's or the database fails.
pub async fn unlink_vehicle(
    pool: &PgPool,
    account: AccountId,
    plate: &Plate,
    now: Timestamp,
) -> Result<(), AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the unlinking"))?;
    lock(&mut tx, account).await?;
    match owner(&mut tx, plate).await? {
        Some(its) if its.account == account => {}
        Some(_) | None => return Err(AccountError::NoVehicle { account }),
    }
    take_tag_off(&mut tx, plate, now).await?;
    end_vehicle(&mut tx, plate, now).await?;
    tx.commit().await.map_err(failed("commit the unlinking"))
}

/// Takes a tag off its vehicle from now on.
///
/// # Errors
/// When the tag is on no vehicle of the account or the database fails.
pub async fn unlink_tag(
    pool: &PgPool,
    account: AccountId,
    tag: &TagId,
    now: Timestamp,
) -> Result<(), AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the unlinking"))?;
    lock(&mut tx, account).await?;
    let plate: Option<String> = sqlx::query_scalar(
        "select plate from tag join vehicle using (plate) where tag = $1 and account = $2",
    )
    .bind(tag.as_bytes())
    .bind(account.as_i64())
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed("look up the tag"))?;
    let plate = plate.and_then(|plate| Plate::try_new(&plate).ok());
    take_tag_off(&mut tx, &plate.ok_or(AccountError::NoTag { account })?, now).await?;
    tx.commit().await.map_err(failed("commit the unlinking"))
}

async fn take_tag_off(
    tx: &mut PgConnection,
    plate: &Plate,
    now: Timestamp,
) -> Result<(), AccountError> {
    let ended: Vec<Vec<u8>> = sqlx::query_scalar(
        "update tag_link set valid_until = greatest($2, valid_from) \
         where plate = $1 and valid_until is null returning tag",
    )
    .bind(plate.as_str())
    .bind(to_sql(now))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("end the tag's link"))?;
    lists::note_tags_in_tx(tx, &ended).await.map_err(failed("note the tag for the list"))
}

async fn end_vehicle(
    tx: &mut PgConnection,
    plate: &Plate,
    now: Timestamp,
) -> Result<(), AccountError> {
    sqlx::query(
        "update vehicle_link set valid_until = greatest($2, valid_from) \
         where plate = $1 and valid_until is null",
    )
    .bind(plate.as_str())
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(failed("end the vehicle's link"))?;
    Ok(())
}

/// What a customer pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum InstrumentKind {
    /// An account at a bank.
    BankAccount,
    /// A card.
    Card,
    /// A wallet.
    Wallet,
}

impl InstrumentKind {
    const fn name(self) -> &'static str {
        match self {
            Self::BankAccount => "bank-account",
            Self::Card => "card",
            Self::Wallet => "wallet",
        }
    }
}

/// Gives an account the instrument it is paid with from now on, in place of the one before.
/// `token` is the issuer's name for it, never a card's number.
///
/// # Errors
/// When the account is locked or closed, the token is empty or too long, or the database fails.
pub async fn set_instrument(
    pool: &PgPool,
    account: AccountId,
    kind: InstrumentKind,
    token: &str,
    now: Timestamp,
) -> Result<Effect, AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the link"))?;
    in_use(&mut tx, account).await?;
    let same: bool = sqlx::query_scalar(
        "select exists (select from instrument where account = $1 and kind = $2 and token = $3 \
                        and valid_until is null)",
    )
    .bind(account.as_i64())
    .bind(kind.name())
    .bind(token)
    .fetch_one(&mut *tx)
    .await
    .map_err(failed("look up the instrument"))?;
    if same {
        return Ok(Effect::Before);
    }
    end_instrument(&mut tx, account, now).await?;
    sqlx::query(
        "insert into instrument (account, kind, token, valid_from) values ($1, $2, $3, $4)",
    )
    .bind(account.as_i64())
    .bind(kind.name())
    .bind(token)
    .bind(to_sql(now))
    .execute(&mut *tx)
    .await
    .map_err(failed("link the instrument: its token has 1 to 200 characters"))?;
    tx.commit().await.map_err(failed("commit the link"))?;
    Ok(Effect::Now)
}

pub(super) async fn end_instrument(
    tx: &mut PgConnection,
    account: AccountId,
    now: Timestamp,
) -> Result<(), AccountError> {
    sqlx::query(
        "update instrument set valid_until = greatest($2, valid_from) \
         where account = $1 and valid_until is null",
    )
    .bind(account.as_i64())
    .bind(to_sql(now))
    .execute(tx)
    .await
    .map_err(failed("end the instrument's link"))?;
    Ok(())
}

/// Sets the balance below which this account's drivers are told; the centre's own where absent.
///
/// # Errors
/// When there is no such account or the database fails.
pub async fn set_low_below(
    pool: &PgPool,
    account: AccountId,
    low_below: Option<i64>,
) -> Result<(), AccountError> {
    let mut tx = pool.begin().await.map_err(failed("begin the change"))?;
    lock(&mut tx, account).await?;
    sqlx::query("update account set low_below = $2 where account = $1")
        .bind(account.as_i64())
        .bind(low_below)
        .execute(&mut *tx)
        .await
        .map_err(failed("set the threshold"))?;
    lists::note_accounts_in_tx(&mut tx, &[account.as_i64()])
        .await
        .map_err(failed("note the account for the list"))?;
    tx.commit().await.map_err(failed("commit the change"))
}
