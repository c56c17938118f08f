//! The books before the first passage, and what can be read off them afterwards.

use std::fmt::Write as _;

use clearing_house::config::ListPolicy;
use clearing_house::{account, registry};
use domain::tariff::{Tariff, TariffFile};
use domain::{Clock, Timestamp};
use serde_json::json;
use sqlx::PgPool;

use super::passages::{FARE, Lanes, tag_of};
use crate::Failed;

pub(crate) const LIST_POLICY: ListPolicy =
    ListPolicy { no_money_below: 50_000, low_below: 300_000 };

const NETWORK: &str = r#"
operator = [{ id = "cienco4", name = "Cienco4", currency = "VND", zone = "Asia/Ho_Chi_Minh", cut_off = "00:00", fee_share = "0.03" }]
issuer = [{ id = "vetc", name = "VETC" }]
station = [{ id = "ben-thuy", operator = "cienco4", name = "Bến Thủy", kind = "open" }]
"#;

/// Makes network, tariff, lanes and accounts.
pub(crate) async fn make(
    pool: &PgPool,
    lanes: &Lanes,
    accounts: u32,
    clock: Clock,
) -> Result<(), Failed> {
    sqlx::migrate!("../clearing-house/migrations").run(pool).await?;
    let mut network = NETWORK.to_owned();
    for lane in lanes.lanes() {
        write!(network, "\n[[lane]]\nid = '{}'\nrole = 'open'\n", lane.id)?;
    }
    registry::import_network(pool, &toml::from_str(&network)?).await?;
    let file: TariffFile = toml::from_str(&format!(
        "version = 'bench'\noperator = 'cienco4'\ncurrency = 'VND'\n\
         valid_from = '2020-01-01T00:00:00Z'\nsource = 'bench'\n\
         fare = [{{ station = 'ben-thuy', amounts = [{FARE}] }}]"
    ))?;
    clearing_house::tariff::import(pool, &Tariff::try_from(file)?).await?;
    for lane in lanes.lanes() {
        registry::enrol_lane(pool, &lane.id, lane.key.public(), Timestamp::UNIX_EPOCH).await?;
        registry::epoch_of_journal(pool, &lane.id, &[1; 32], clock.now()).await?;
    }
    let mut lines = String::new();
    for account in 1..=accounts {
        let line = json!({
            "account": account,
            "issuer": "vetc",
            "state": "open",
            "top_up": {"reference": format!("open-{account}"), "amount": 1_000_000_000},
            "vehicles": [{
                "plate": format!("37A{account:07}"),
                "group": 1,
                "tag": tag_of(account)?.to_hex(),
            }],
        });
        writeln!(lines, "{line}")?;
    }
    account::import(pool, lines.as_bytes(), clock).await?;
    // As autovacuum does by itself before long, for tables that have rows. The others must not be
    // counted as empty: the plans that connections keep would be made for an empty table.
    sqlx::raw_sql(
        "vacuum analyze account, vehicle_link, tag_link, ledger_account, transfer, list_change",
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Checks that every passage was posted and paid for, once.
pub(crate) async fn check(pool: &PgPool, posted: i64) -> Result<(), Failed> {
    let (charges, amount): (i64, i64) = sqlx::query_as(
        "select count(*), coalesce(sum(amount), 0)::int8 from transfer where kind = 'toll'",
    )
    .fetch_one(pool)
    .await?;
    if (charges, amount) == (posted, posted * FARE) {
        Ok(())
    } else {
        Err(format!("{charges} transfers stand for {posted} passages").into())
    }
}

/// Bytes of all tables with their indexes.
pub(crate) async fn table_bytes(pool: &PgPool) -> Result<f64, Failed> {
    Ok(sqlx::query_scalar(
        "select sum(pg_total_relation_size(oid))::float8 from pg_class \
         where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_one(pool)
    .await?)
}

/// Where the log is.
pub(crate) async fn log_position(pool: &PgPool) -> Result<String, Failed> {
    Ok(sqlx::query_scalar("select pg_current_wal_lsn()::text").fetch_one(pool).await?)
}

/// Bytes of log since then.
pub(crate) async fn log_bytes_since(pool: &PgPool, position: &str) -> Result<f64, Failed> {
    Ok(sqlx::query_scalar("select pg_wal_lsn_diff(pg_current_wal_lsn(), $1::pg_lsn)::float8")
        .bind(position)
        .fetch_one(pool)
        .await?)
}
