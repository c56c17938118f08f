//! Posting alone: passages that were examined and rated, into the books, durable, exactly once, with
//! both entries and every balance, by several workers.
//!
//! What is counted of bytes: `tables` are the rows of passages, charges and tolls with their unique
//! index, and what stands beside them for each batch; the exact signed bytes are measured by a run
//! of their own. What is not in it: examining signatures and rating (the whole way has them).

use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

use clearing_house::intake::{Books, Genuine, Rated};
use clearing_house::rating::{Charge, Payer, Why};
use domain::passage::{ClockQuality, Decision, LaneRole, Passage, Payment};
use domain::signature::{Digest256, Signature};
use domain::wire::v1::Disposition;
use domain::{
    AccountId, Amount, BusinessDate, Clock, IssuerId, LaneId, PassageId, TagId, Timestamp,
    VehicleGroup,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;

use super::passages::tag_of;
use super::world::LIST_POLICY;
use crate::Failed;
use crate::latency::Latency;
use crate::report::{Report, count};

/// Lanes of each worker; order per lane holds because no two workers share one.
pub(crate) const LANES_EACH: usize = 50;
/// One passage in five is of the hundredth of the accounts that drives most.
const FREQUENT_SHARE: f64 = 0.2;

/// How much is posted, and onto what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Accounts with a balance.
    pub(crate) accounts: u32,
    /// Who posts at once, each the passages of its own lanes.
    pub(crate) workers: usize,
    /// Passages in a batch.
    pub(crate) batch_len: usize,
    /// Passages in all.
    pub(crate) passages: usize,
    /// Bytes of the signed original that are kept for each passage, or none.
    pub(crate) payload_len: usize,
    /// The settlement day into which all of them fall.
    pub(crate) day: BusinessDate,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) passages: u64,
    pub(crate) a_second: f64,
    batches: Latency,
    log_bytes: f64,
    table_bytes: f64,
    server_us: f64,
    client_us: f64,
}

impl Posted {
    pub(crate) fn tell(&self, report: &mut Report, subject: &str) {
        let each = |sum: f64| sum / count(self.passages);
        report.latency(subject, "a batch", &self.batches);
        report.figure(subject, "passages", self.a_second, "passages/s", self.passages);
        report.figure(subject, "log", each(self.log_bytes), "B/passage", self.passages);
        report.figure(
            subject,
            "tables and indexes",
            each(self.table_bytes),
            "B/passage",
            self.passages,
        );
        report.figure(subject, "server", each(self.server_us), "µs of CPU/passage", self.passages);
        report.figure(subject, "client", each(self.client_us), "µs of CPU/passage", self.passages);
    }
}

/// Makes an operator with lanes, and accounts.
pub(crate) async fn make(pool: &PgPool, accounts: u32, lanes: usize) -> Result<(), Failed> {
    sqlx::migrate!("../clearing-house/migrations").run(pool).await?;
    let statements = format!(
        "insert into operator values ('cienco4', 'Cienco4', 'VND', 'Asia/Ho_Chi_Minh', '00:00', 0.03);
         insert into issuer values ('vetc', 'VETC');
         insert into station values ('cienco4', 'ben-thuy', 'Bến Thủy', 'open', null);
         insert into lane select 'cienco4/ben-thuy/l' || n, 'cienco4', 'ben-thuy', 'open' from generate_series(1, {lanes}) n;
         insert into lane_epoch (lane, epoch, journal, opened_at)
             select lane, 1, sha256(lane::bytea), now() from lane;
         insert into account select n, 'vetc', 'open', now() from generate_series(1, {accounts}) n;
         insert into ledger_account (kind, issuer, account)
             select 'customer', 'vetc', account from account order by account;
         vacuum analyze;"
    );
    for statement in statements.split(';') {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(pool).await?;
    }
    Ok(())
}

/// A worker's lanes, and the batch it fills again and again.
pub(crate) struct Worker {
    lanes: Vec<(LaneId, u64)>,
    /// The lane whose turn it is.
    next: usize,
    pub(crate) batch: Vec<Rated>,
    chance: ChaCha8Rng,
    accounts: u32,
    first_account: i64,
}

impl Worker {
    /// Worker of that number, from 0, with its usual lanes, which have come as far as `from`.
    pub(crate) fn new(
        number: usize,
        load: Load,
        first_account: i64,
        from: u64,
    ) -> Result<Self, Failed> {
        let lanes = number * LANES_EACH + 1..=(number + 1) * LANES_EACH;
        Self::of_lanes(lanes, (number, load), first_account, from)
    }

    /// The same with lanes of its own, which take turns where there are more than fit into a batch.
    pub(crate) fn of_lanes(
        lanes: RangeInclusive<usize>,
        (number, load): (usize, Load),
        first_account: i64,
        from: u64,
    ) -> Result<Self, Failed> {
        let lanes = lanes
            .map(|lane| Ok((format!("cienco4/ben-thuy/l{lane}").parse()?, from)))
            .collect::<Result<_, Failed>>()?;
        let payload: Vec<u8> = (0..load.payload_len).map(|at| b"passage "[at % 8]).collect();
        let batch =
            (0..load.batch_len).map(|index| rated(index, &payload)).collect::<Result<_, _>>()?;
        let chance = ChaCha8Rng::seed_from_u64(u64::try_from(number)?);
        Ok(Self { lanes, next: 0, batch, chance, accounts: load.accounts, first_account })
    }

    /// The next passages: each lane a stretch of its own.
    pub(crate) fn fill(&mut self, now: Timestamp, day: BusinessDate) -> Result<(), Failed> {
        let lanes = self.lanes.len();
        let each = self.batch.len().div_ceil(lanes);
        for stretch in self.batch.chunks_mut(each) {
            let (lane, last) = &mut self.lanes[self.next];
            self.next = (self.next + 1) % lanes;
            for one in stretch {
                *last += 1;
                let account = if self.chance.random_bool(FREQUENT_SHARE) {
                    self.chance.random_range(0..self.accounts / 100)
                } else {
                    self.chance.random_range(0..self.accounts)
                };
                let genuine = &mut one.genuine;
                genuine.id.lane.clone_from(lane);
                genuine.id.seq = NonZeroU64::new(*last).ok_or("sequences begin at 1")?;
                let mut digest = [0; 32];
                self.chance.fill(&mut digest);
                genuine.content_hash = Digest256::new(digest);
                if let Some(passage) = &mut genuine.passage {
                    passage.at = now;
                    passage.tag = Some(tag_of(account)?);
                }
                one.own_day = day;
                one.customer = Some(self.first_account + i64::from(account));
                if let Payer::Account { account: payer, .. } = &mut one.charge.payer {
                    *payer = AccountId::new(i64::from(account) + 1);
                }
            }
        }
        Ok(())
    }
}

fn rated(index: usize, payload: &[u8]) -> Result<Rated, Failed> {
    let id: PassageId = "cienco4/ben-thuy/l1:1:1".parse()?;
    let fare = Amount::try_new(47_000)?;
    let passage = Passage {
        id: id.clone(),
        role: LaneRole::Open,
        at: Timestamp::UNIX_EPOCH,
        clock: ClockQuality::Synchronised,
        uptime_ns: 0,
        boot: "bench".to_owned(),
        tag: Some(TagId::try_from_slice(&[0; 12])?),
        plate: None,
        group: Some(VehicleGroup::try_new(1)?),
        list_version: 1,
        status_seen: None,
        tariff: None,
        entry: None,
        exception: None,
        decision: Decision::OpenedByTag,
        attendance: None,
        fare: Some(fare),
        payment: Payment::Account,
        previous: Digest256::default(),
    };
    Ok(Rated {
        genuine: Genuine {
            id,
            content_hash: Digest256::default(),
            signature: Signature::try_from_slice(&[7; 64])?,
            passage: Some(Box::new(passage)),
            index,
        },
        charge: Charge {
            payer: Payer::Account {
                account: AccountId::new(1),
                issuer: IssuerId::try_new("vetc")?,
            },
            amount: fare,
            tariff: Some("bench".to_owned()),
            ..Charge::nothing(Disposition::Posted, Why::Fare, None)
        },
        customer: None,
        own_day: "2026-01-01".parse()?,
        payload: payload.to_vec(),
    })
}

/// The ledger account of account 1; the others follow.
pub(crate) async fn first_account(pool: &PgPool) -> Result<i64, Failed> {
    Ok(sqlx::query_scalar(
        "select min(ledger_account) from ledger_account where account is not null",
    )
    .fetch_one(pool)
    .await?)
}

/// Posts a load with several workers at once. `from` is the last sequence that each lane has.
pub(crate) async fn post(
    pool: &PgPool,
    load: Load,
    from: u64,
    server: i32,
    clock: Clock,
) -> Result<Posted, Failed> {
    let first_account = first_account(pool).await?;
    let stored_before = super::world::table_bytes(pool).await?;
    let log_before = super::world::log_position(pool).await?;
    let cpu_before = (children_cpu(server)?, own_cpu()?);
    let started = clock.real();
    let each = load.passages / load.workers / load.batch_len;
    let workers = (0..load.workers).map(|number| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let books = Books::open(pool, LIST_POLICY, clock).await?;
            let mut worker = Worker::new(number, load, first_account, from)?;
            let mut batches = Latency::try_new()?;
            for _ in 0..each {
                let now = clock.now();
                worker.fill(now, load.day)?;
                let began = clock.real();
                let outcome = loop {
                    match books.post_rated(&worker.batch, now).await {
                        Ok(outcome) => break outcome,
                        Err(error) if error.is_refusal() => return Err(Failed::from(error)),
                        // A deadlock or a race: the same batch again.
                        Err(_again) => {}
                    }
                };
                batches.record(clock.real().duration_since(began));
                if outcome.fresh != load.batch_len {
                    return Err(format!("{} passages were taken", outcome.fresh).into());
                }
            }
            Ok::<_, Failed>(batches)
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut batches = Latency::try_new()?;
    for worker in workers {
        batches.merge(&worker.await??)?;
    }
    let elapsed: Duration = clock.real().duration_since(started);
    clearing_house::ledger::fold(pool).await?;
    let passages = u64::try_from(each * load.workers * load.batch_len)?;
    Ok(Posted {
        passages,
        a_second: count(passages) / elapsed.as_secs_f64(),
        batches,
        log_bytes: super::world::log_bytes_since(pool, &log_before).await?,
        table_bytes: super::world::table_bytes(pool).await? - stored_before,
        server_us: children_cpu(server)? - cpu_before.0,
        client_us: own_cpu()? - cpu_before.1,
    })
}

/// How many sequences of each lane that many passages are.
pub(crate) fn each_lane(passages: u64, workers: usize) -> Result<u64, Failed> {
    Ok(passages / u64::try_from(LANES_EACH * workers)?)
}

/// Checks that both sides of every toll are there: Σ = 0, and as much as was posted.
pub(super) async fn check(pool: &PgPool, passages: u64) -> Result<(), Failed> {
    let (rows, tolls, sum, customers): (i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from posting), (select coalesce(sum(amount), 0)::int8 from posting), \
                (select sum(balance)::int8 from ledger_balance_v1), \
                (select -sum(balance)::int8 from ledger_balance_v1 where account is not null)",
    )
    .fetch_one(pool)
    .await?;
    let posted = i64::try_from(passages)?;
    if rows == posted && tolls == posted * 47_000 && sum == 0 && customers == tolls {
        Ok(())
    } else {
        Err(format!("{rows} rows, {tolls} of tolls, sum {sum}, customers {customers}").into())
    }
}

/// CPU time of this process, in microseconds.
fn own_cpu() -> Result<f64, Failed> {
    cpu_of(&std::fs::read_to_string("/proc/self/stat")?, false)
}

/// CPU time of a server's children, those that have ended too, in microseconds.
fn children_cpu(server: i32) -> Result<f64, Failed> {
    let mut sum = cpu_of(&std::fs::read_to_string(format!("/proc/{server}/stat"))?, true)?;
    for entry in std::fs::read_dir("/proc")? {
        let stat = entry?.path().join("stat");
        let Ok(text) = std::fs::read_to_string(stat) else { continue };
        let parent = fields(&text).nth(1).and_then(|parent| parent.parse::<i32>().ok());
        if parent == Some(server) {
            sum += cpu_of(&text, false)?;
        }
    }
    Ok(sum)
}

/// The fields of `/proc/PID/stat` after the command's name (proc(5)).
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit(')').next().unwrap_or_default().split_whitespace()
}

fn cpu_of(stat: &str, and_of_ended_children: bool) -> Result<f64, Failed> {
    let ticks: Vec<u64> =
        fields(stat).skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    let taken = if and_of_ended_children { &ticks[..] } else { &ticks[..2] };
    // Linux tells ticks of a hundredth of a second, whatever its own are (time(7)).
    Ok(count(taken.iter().sum()) * 10_000.0)
}
