//! Books with very many passages, filled by the database: what the posting would have written, a day
//! at a time and in the order of time.
//!
//! All days but the last two are closed and stated. Each account drives about as often as any other;
//! one passage in fifty is strange. What pages are quick by is made as the service makes it.

use clearing_house::search;
use domain::tariff::{Tariff, TariffFile};
use domain::{BusinessDate, Clock};
use jiff::tz::TimeZone;
use sqlx::{AssertSqlSafe, PgPool};

use crate::Failed;
use crate::report::{Report, count};

/// The account that is looked for.
pub(super) const ACCOUNT: i64 = 77;
/// An amount that few passages have.
pub(super) const RARE_AMOUNT: i64 = 123_000;
/// Lanes.
const LANES: u64 = 40;
/// Passages in a batch.
const BATCH_LEN: u64 = 5_000;

/// What was filled, and what there is to look for.
pub(super) struct Filled {
    passages: u64,
    seconds: f64,
    ready_s: f64,
    bytes: f64,
    index_bytes: f64,
    pub(super) open_day: BusinessDate,
    pub(super) closed_day: BusinessDate,
    pub(super) passage: String,
    pub(super) plate: String,
    pub(super) tag: String,
}

impl Filled {
    pub(super) fn tell(&self, report: &mut Report) {
        let Self { passages, seconds, ready_s, bytes, index_bytes, .. } = self;
        report.figure("books", "passages", count(*passages), "", 1);
        report.figure("books", "filled in", *seconds, "s", 1);
        report.figure("books", "days made ready in", *ready_s, "s", 1);
        report.figure("books", "tables and indexes", bytes / count(*passages), "B/passage", 1);
        let each = index_bytes / count(*passages);
        report.figure("books", "of it to find vehicles by", each, "B/passage", 1);
    }
}

/// What stands once: network, accounts with a vehicle and a tag each, manners, lanes.
const WORLD: &str = "
insert into operator values ('cienco4', 'Cienco4', 'VND', 'Asia/Ho_Chi_Minh', '00:00', 0.03);
insert into issuer values ('vetc', 'VETC');
insert into station values ('cienco4', 'ben-thuy', 'Bến Thủy', 'open', null);
insert into lane select 'cienco4/ben-thuy/l' || lpad(n::text, 2, '0'), 'cienco4', 'ben-thuy', 'open'
    from generate_series(1, LANES) n;
insert into lane_epoch (lane, epoch, journal, opened_at, posted_upto, last_seq)
    select lane, 1, sha256(lane::bytea), now(), EACH_LANE, EACH_LANE from lane order by lane;
insert into account select n, 'vetc', 'open', now() - interval '1 year' from generate_series(1, ACCOUNTS) n;
insert into ledger_account (kind, issuer, operator, account) values ('payable', 'vetc', 'cienco4', null);
insert into ledger_account (kind, issuer, account, balance)
    select 'customer', 'vetc', account, 1000000000 from account order by account;
insert into vehicle_link (plate, account, vehicle_group, valid_from)
    select '37A' || lpad(account::text, 7, '0'), account, 1, now() - interval '1 year' from account;
insert into tag_link (tag, plate, valid_from)
    select decode('3416214B88C00117', 'hex') || int4send(account::int),
           '37A' || lpad(account::text, 7, '0'), now() - interval '1 year' from account;
insert into posting_chain default values;
insert into manner (role, vehicle_group, exception, decision, payment, disposition, why, payer, late,
                    tariff, fare_shown)
    select 'open', g, x, case when x is null then 'opened-by-tag' else 'charged-by-plate' end, 'account',
           'posted', 'fare', 'account', false, 'bench', 'same'
    from generate_series(1, 5) g, unnest(array[null, 'no-tag', 'no-money', 'blocked']) x;
analyze account, ledger_account, vehicle_link, tag_link, lane_epoch, manner";

/// One day. `n` counts the day's passages; every other number is made of it, so that a run is the
/// same each time.
const DAY: &str = "
insert into settlement_day (operator, day) values ('cienco4', 'DAY');
select make_posting_days('DAY', 'DAY');
insert into posting_batch (chain, place, posted_at, passages, amount, hash)
    select 1, BASE / BATCH_LEN + n + 1 + DAY_NO,
           'DAY'::timestamptz - interval '7 hours' + n * (interval 'SPAN' / BATCHES), BATCH_LEN, 0, sha256('')
    from generate_series(0, BATCHES - 1) n;
insert into posting (amount, at, digest, journal_no, seq, batch, manner, debit, credit, operator_no, day,
                     tag, plate)
    select case when n % 10007 = 0 then RARE else 47000 end,
           'DAY'::timestamptz - interval '7 hours' + n * (interval 'SPAN' / EACH_DAY),
           md5((BASE + n)::text)::uuid, 1 + n % LANES, (BASE + n) / LANES + 1,
           FIRST_BATCH + n / BATCH_LEN,
           case when n % 50 <> 0 then 1 + 4 * (n % 5) else 1 + 4 * (n % 5) + 1 + (n / 50) % 3 end,
           1 + 1 + a, 1, 1, 'DAY',
           case when n % 50 <> 0 then decode('3416214B88C00117', 'hex') || int4send(1 + a) else '' end,
           case when n % 50 <> 0 then '' else '37A' || lpad((1 + a)::text, 7, '0') end
    from (select n, (((BASE + n) * 7919) % ACCOUNTS)::int as a
          from generate_series(0::bigint, EACH_DAY - 1) n) p;
insert into batch_sum (batch, ledger_account, day, operator_no, passages, amount)
    select batch, 1, 'DAY', 1, count(*), sum(amount) from posting where day = 'DAY' group by batch";

/// Closes and states a day, as far as pages look.
const CLOSE: &str = "
update settlement_day set state = 'closed', closed_at = 'DAY'::timestamptz + interval '2 days' where day = 'DAY';
insert into statement (operator, day, revision, canonical, digest, signature, issued_at, passages, gross, fee,
                       net, cash)
    select 'cienco4', 'DAY', 1, '{}', sha256(''), sha256('') || sha256(''), now(), sum(passages), sum(amount),
           0, sum(amount), 0
    from batch_sum where operator_no = 1 and day = 'DAY'";

async fn run(pool: &PgPool, statements: &str, numbers: &[(&str, String)]) -> Result<(), Failed> {
    let mut text = statements.to_owned();
    for (name, value) in numbers {
        text = text.replace(name, value);
    }
    for statement in text.split(";\n") {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(pool).await?;
    }
    Ok(())
}

const TARIFF: &str = "version = 'bench'\noperator = 'cienco4'\ncurrency = 'VND'\n\
     valid_from = '2020-01-01T00:00:00Z'\nsource = 'bench'\n\
     fare = [{ station = 'ben-thuy', amounts = [47000] }]";

/// The network, the accounts, and a tariff.
async fn make_world(pool: &PgPool, accounts: u64, each_lane: u64) -> Result<(), Failed> {
    run(
        pool,
        WORLD,
        &[
            ("ACCOUNTS", accounts.to_string()),
            ("EACH_LANE", each_lane.to_string()),
            ("LANES", LANES.to_string()),
        ],
    )
    .await?;
    let file: TariffFile = toml::from_str(TARIFF)?;
    clearing_house::tariff::import(pool, &Tariff::try_from(file)?).await?;
    Ok(())
}

/// What the relations of such a name weigh.
async fn bytes(pool: &PgPool, like: &str) -> Result<f64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(sum(pg_relation_size(c.oid)), 0)::float8 from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i') and c.relname like $1",
    )
    .bind(like)
    .fetch_one(pool)
    .await
}

/// Fills empty books.
pub(super) async fn fill(
    pool: &PgPool,
    (passages, days): (u64, u32),
    clock: Clock,
) -> Result<Filled, Failed> {
    sqlx::migrate!("../clearing-house/migrations").run(pool).await?;
    reconciliation::schema::migrate(pool).await?;
    let each_day = passages.div_ceil(u64::from(days)).max(BATCH_LEN);
    let batches = each_day.div_ceil(BATCH_LEN);
    let accounts = (passages / 20).clamp(1_000, 1_000_000);
    let now = clock.now().to_zoned(TimeZone::get("Asia/Ho_Chi_Minh")?);
    let today = BusinessDate::new(now.date());
    let since_midnight_s = now.duration_since(&now.start_of_day()?).as_secs().max(60);
    let started = clock.real();
    let each_lane = each_day * u64::from(days) / LANES;
    make_world(pool, accounts, each_lane).await?;
    let date = |back: u32| -> Result<BusinessDate, Failed> {
        Ok(BusinessDate::new(today.date().checked_sub(jiff::Span::new().days(back))?))
    };
    for number in 0..days {
        let day = date(days - 1 - number)?;
        let base = u64::from(number) * each_day;
        // Nothing has passed yet that is to come.
        let is_today = number + 1 == days;
        let span_s = if is_today { since_midnight_s } else { 24 * 3_600 };
        let numbers = [
            ("EACH_DAY", each_day.to_string()),
            ("FIRST_BATCH", (u64::from(number) * batches + 1).to_string()),
            ("BATCHES", batches.to_string()),
            ("BATCH_LEN", BATCH_LEN.to_string()),
            ("ACCOUNTS", accounts.to_string()),
            ("LANES", LANES.to_string()),
            ("SPAN", format!("{span_s} seconds")),
            ("DAY_NO", number.to_string()),
            ("BASE", base.to_string()),
            ("RARE", RARE_AMOUNT.to_string()),
            ("DAY", day.to_string()),
        ];
        run(pool, DAY, &numbers).await?;
        if number + 2 < days {
            run(pool, CLOSE, &numbers).await?;
        }
    }
    // As autovacuum does: statistics, which pages are old, and what the filters know.
    sqlx::raw_sql("vacuum analyze").execute(pool).await?;
    let seconds = clock.real().duration_since(started).as_secs_f64();
    let ready = clock.real();
    for _ in 0..days {
        search::make_ready(pool, clock.now()).await?;
    }
    let ready_s = clock.real().duration_since(ready).as_secs_f64();
    sqlx::raw_sql("analyze day_traffic").execute(pool).await?;
    let found_by = bytes(pool, "posting%by_tag").await?
        + bytes(pool, "posting%by_plate").await?
        + bytes(pool, "posting%vehicles").await?;
    Ok(Filled {
        passages: each_day * u64::from(days),
        seconds,
        ready_s,
        bytes: bytes(pool, "posting%").await?,
        index_bytes: found_by,
        open_day: date(0)?,
        closed_day: date(days / 2)?,
        passage: format!("cienco4/ben-thuy/l01:1:{}", each_lane / 2),
        plate: format!("37A{ACCOUNT:07}"),
        tag: format!("3416214B88C00117{ACCOUNT:08X}"),
    })
}
