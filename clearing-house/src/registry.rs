//! The registry: operators, issuers, stations, lanes and their keys, tariffs. Imported from
//! files, kept in the database, held in memory where passages are rated.

use std::collections::HashMap;
use std::num::NonZeroU64;

use domain::signature::{Context, PublicKey, Signature};
use domain::tariff::TariffBook;
use domain::time::{SettlementCalendar, TimeError};
use domain::{Currency, IssuerId, LaneId, OperatorId, StationId, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool, Row};

use crate::config::ConfigError;
use crate::sql::{from_sql, to_sql};

mod parts;

/// Why the registry could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database failed.
    #[error("{doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored row does not follow the domain's rules.
    #[error("the stored {what} is not one: {why}")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// An import file is not as it should be.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The tariffs could not be read.
    #[error(transparent)]
    Tariffs(#[from] crate::tariff::StoreError),
    /// A network file contradicts itself.
    #[error("network file: {0}")]
    Network(String),
}

fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> RegistryError {
    move |source| RegistryError::Database { doing, source }
}

fn stored<E: ToString>(what: &'static str) -> impl FnOnce(E) -> RegistryError {
    move |error| RegistryError::Stored { what, why: error.to_string() }
}

/// An operator as rating and posting need it.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its settlement days.
    pub calendar: SettlementCalendar,
}

/// A lane's key, and when it was good.
#[derive(Debug, Clone)]
pub(crate) struct LaneKey {
    pub(crate) public_key: PublicKey,
    valid_from: Timestamp,
    valid_until: Option<Timestamp>,
    /// Ended because it may be in wrong hands.
    revoked: bool,
}

/// When something was signed and when it came: a key is judged by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedWhen {
    /// When the signer says it was written; absent where it does not say.
    pub written_at: Option<Timestamp>,
    /// When the centre had it.
    pub came_at: Timestamp,
}

impl LaneKey {
    /// Whether the key was the lane's: it was enrolled when the message came, and had not ended
    /// then, or not yet when the message was written. So a journal that was not sent to its end
    /// when its lane was enrolled anew is still its lane's. What a revoked key signed counts by when
    /// it came alone: whoever has the key can write any time he likes.
    pub(crate) fn is_good(&self, when: SignedWhen) -> bool {
        let before_end =
            |at: Timestamp| self.valid_until.is_none_or(|valid_until| at < valid_until);
        self.valid_from <= when.came_at
            && (before_end(when.came_at)
                || (!self.revoked && when.written_at.is_some_and(before_end)))
    }

    /// Whether the key speaks for what one signed by it names: it is good for that too, and it was
    /// the lane's already when that says it was written. So a key does not speak for what was to be
    /// signed with the one before it, which may have been revoked.
    pub(crate) fn vouches(&self, when: SignedWhen) -> bool {
        self.is_good(when) && when.written_at.is_some_and(|at| self.valid_from <= at)
    }
}

/// Everything about lanes, operators and tariffs, in memory.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    operators: HashMap<OperatorId, Operator>,
    roads: HashMap<(OperatorId, StationId), String>,
    keys: HashMap<LaneId, Vec<LaneKey>>,
    tariffs: TariffBook,
}

impl Registry {
    /// Reads the registry from the database.
    ///
    /// # Errors
    /// When the database fails or holds what the domain refuses.
    pub async fn load(pool: &PgPool) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for row in sqlx::query("select operator, zone, cut_off from operator")
            .fetch_all(pool)
            .await
            .map_err(failed("read operators"))?
        {
            let id = OperatorId::try_new(row.get(0)).map_err(stored("operator"))?;
            let calendar = SettlementCalendar::try_new(row.get(1), row.get(2))
                .map_err(stored::<TimeError>("settlement calendar"))?;
            registry.operators.insert(id, Operator { calendar });
        }
        for row in sqlx::query("select operator, station, road from station where road is not null")
            .fetch_all(pool)
            .await
            .map_err(failed("read stations"))?
        {
            let operator = OperatorId::try_new(row.get(0)).map_err(stored("operator"))?;
            let station = StationId::try_new(row.get(1)).map_err(stored("station"))?;
            registry.roads.insert((operator, station), row.get(2));
        }
        for row in sqlx::query("select lane, public_key, valid_from, valid_until, revoked from lane_key order by lane, valid_from")
            .fetch_all(pool)
            .await
            .map_err(failed("read lane keys"))?
        {
            let lane: LaneId = row.get::<&str, _>(0).parse().map_err(stored("lane"))?;
            let public_key = PublicKey::try_from_slice(row.get(1)).map_err(stored("lane key"))?;
            registry.keys.entry(lane).or_default().push(LaneKey {
                public_key,
                valid_from: from_sql(row.get(2)),
                valid_until: row.get::<Option<_>, _>(3).map(from_sql),
                revoked: row.get(4),
            });
        }
        registry.tariffs = crate::tariff::load(pool).await?;
        Ok(registry)
    }

    /// The tariffs of all operators.
    #[must_use]
    pub fn tariffs(&self) -> &TariffBook {
        &self.tariffs
    }

    /// An operator.
    #[must_use]
    pub fn operator(&self, operator: &OperatorId) -> Option<&Operator> {
        self.operators.get(operator)
    }

    /// The entry/exit road a lane's station belongs to.
    #[must_use]
    pub fn road(&self, lane: &LaneId) -> Option<&str> {
        self.roads.get(&(lane.operator().clone(), lane.station().clone())).map(String::as_str)
    }

    /// A lane for which a key was ever enrolled, and all its keys.
    pub(crate) fn enrolled(&self, lane: &LaneId) -> Option<(&LaneId, &[LaneKey])> {
        self.keys.get_key_value(lane).map(|(lane, keys)| (lane, keys.as_slice()))
    }

    /// The keys that were ever enrolled for a lane.
    pub(crate) fn keys(&self, lane: &LaneId) -> &[LaneKey] {
        self.keys.get(lane).map_or(&[], Vec::as_slice)
    }

    /// Whether `signature` is by a key that was the lane's then.
    #[must_use]
    pub fn signed_by_lane(
        &self,
        lane: &LaneId,
        when: SignedWhen,
        context: Context,
        payload: &[u8],
        signature: &Signature,
    ) -> bool {
        self.keys(lane).iter().any(|key| {
            key.is_good(when) && key.public_key.verify(context, payload, signature).is_ok()
        })
    }
}

/// A network file: who runs what where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// Road operators.
    #[serde(rename = "operator")]
    pub operators: Vec<OperatorRow>,
    /// Issuers.
    #[serde(rename = "issuer")]
    pub issuers: Vec<IssuerRow>,
    /// Stations.
    #[serde(rename = "station")]
    pub stations: Vec<StationRow>,
    /// Lanes.
    #[serde(rename = "lane")]
    pub lanes: Vec<LaneRow>,
}

/// An operator in a network file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the same names in migrations/0001_books.sql")]
pub struct OperatorRow {
    pub id: OperatorId,
    pub name: String,
    pub currency: Currency,
    pub zone: String,
    pub cut_off: String,
    pub fee_share: Decimal,
}

/// An issuer in a network file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the same names in migrations/0001_books.sql")]
pub struct IssuerRow {
    pub id: IssuerId,
    pub name: String,
}

/// A station in a network file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the same names in migrations/0001_books.sql")]
pub struct StationRow {
    pub id: StationId,
    pub operator: OperatorId,
    pub name: String,
    pub kind: StationKind,
    pub road: Option<String>,
}

/// How a station collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StationKind {
    /// Every pass is paid for.
    Open,
    /// Trips between entries and exits are paid for.
    EntryExit,
}

/// A lane in a network file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the same names in migrations/0001_books.sql")]
pub struct LaneRow {
    pub id: LaneId,
    pub role: domain::wire::v1::RoleRecord,
}

/// Imports a network file; what is there already is brought up to date.
///
/// # Errors
/// When the file contradicts itself or the database fails; nothing is then changed.
pub async fn import_network(pool: &PgPool, file: &NetworkFile) -> Result<(), RegistryError> {
    for operator in &file.operators {
        SettlementCalendar::try_new(&operator.zone, &operator.cut_off).map_err(|error| {
            RegistryError::Network(format!("operator {}: {error}", operator.id))
        })?;
    }
    let mut tx = pool.begin().await.map_err(failed("begin the import"))?;
    for operator in &file.operators {
        sqlx::query(
            "insert into operator values ($1, $2, $3, $4, $5, $6) on conflict (operator) do update \
             set name = excluded.name, zone = excluded.zone, cut_off = excluded.cut_off, \
                 fee_share = excluded.fee_share",
        )
        .bind(operator.id.as_str())
        .bind(&operator.name)
        .bind(operator.currency.to_string())
        .bind(&operator.zone)
        .bind(&operator.cut_off)
        .bind(operator.fee_share)
        .execute(&mut *tx)
        .await
        .map_err(failed("write an operator"))?;
    }
    for issuer in &file.issuers {
        sqlx::query("insert into issuer values ($1, $2) on conflict (issuer) do update set name = excluded.name")
            .bind(issuer.id.as_str())
            .bind(&issuer.name)
            .execute(&mut *tx)
            .await
            .map_err(failed("write an issuer"))?;
    }
    for station in &file.stations {
        write_station(&mut tx, station).await?;
    }
    for lane in &file.lanes {
        write_lane(&mut tx, lane).await?;
    }
    tx.commit().await.map_err(failed("commit the import"))
}

async fn write_station(tx: &mut PgConnection, station: &StationRow) -> Result<(), RegistryError> {
    let kind = match station.kind {
        StationKind::Open => "open",
        StationKind::EntryExit => "entry-exit",
    };
    sqlx::query(
        "insert into station values ($1, $2, $3, $4, $5) \
         on conflict (operator, station) do update set name = excluded.name",
    )
    .bind(station.operator.as_str())
    .bind(station.id.as_str())
    .bind(&station.name)
    .bind(kind)
    .bind(&station.road)
    .execute(tx)
    .await
    .map_err(failed("write a station: an entry-exit station needs a road, an open one has none"))?;
    Ok(())
}

async fn write_lane(tx: &mut PgConnection, lane: &LaneRow) -> Result<(), RegistryError> {
    let role = serde_json::to_value(lane.role).map_err(stored("role"))?;
    sqlx::query("insert into lane values ($1, $2, $3, $4) on conflict (lane) do nothing")
        .bind(lane.id.to_string())
        .bind(lane.id.operator().as_str())
        .bind(lane.id.station().as_str())
        .bind(role.as_str())
        .execute(tx)
        .await
        .map_err(failed("write a lane: its station must be in the network"))?;
    Ok(())
}

/// Registers a lane's key from an instant on; keys before it end there.
///
/// # Errors
/// When the lane is not in the network or the database fails.
pub async fn enrol_lane(
    pool: &PgPool,
    lane: &LaneId,
    key: PublicKey,
    from: Timestamp,
) -> Result<(), RegistryError> {
    let mut tx = pool.begin().await.map_err(failed("begin the enrolment"))?;
    sqlx::query("update lane_key set valid_until = $2 where lane = $1 and valid_until is null")
        .bind(lane.to_string())
        .bind(to_sql(from))
        .execute(&mut *tx)
        .await
        .map_err(failed("end the lane's key"))?;
    sqlx::query("insert into lane_key (lane, public_key, valid_from) values ($1, $2, $3)")
        .bind(lane.to_string())
        .bind(key.as_bytes().as_slice())
        .bind(to_sql(from))
        .execute(&mut *tx)
        .await
        .map_err(failed("write the lane's key: the lane must be in the network"))?;
    tx.commit().await.map_err(failed("commit the enrolment"))
}

/// The epoch a lane's journal may write: the one it has, or the next.
///
/// # Errors
/// When the lane is not in the network or the database fails.
pub async fn epoch_of_journal(
    pool: &PgPool,
    lane: &LaneId,
    journal: &[u8; 32],
    now: Timestamp,
) -> Result<NonZeroU64, RegistryError> {
    sqlx::query(
        "insert into lane_epoch (lane, epoch, journal, opened_at) \
         select $1, coalesce(max(epoch), 0) + 1, $2, $3 from lane_epoch where lane = $1 \
         on conflict on constraint lane_epoch_journal do nothing",
    )
    .bind(lane.to_string())
    .bind(journal.as_slice())
    .bind(to_sql(now))
    .execute(pool)
    .await
    .map_err(failed("open an epoch: the lane must be in the network"))?;
    let epoch: i32 =
        sqlx::query_scalar("select epoch from lane_epoch where lane = $1 and journal = $2")
            .bind(lane.to_string())
            .bind(journal.as_slice())
            .fetch_one(pool)
            .await
            .map_err(failed("read the epoch"))?;
    u64::try_from(epoch)
        .ok()
        .and_then(NonZeroU64::new)
        .ok_or(RegistryError::Stored { what: "epoch", why: "it is not positive".to_owned() })
}
