//! The centre's books in a database of a test's own.
//!
//! The database server is one for the tests of a process that run at the same time: the first
//! starts it, and it goes with the last. What every office begins with is made once per server, as
//! a template: network and tariffs of `deploy/viet-nam`, a key and an epoch for every lane, and the
//! accounts of `accounts`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use clearing_house::account;
use clearing_house::config::{Database as Address, ListPolicy, load};
use clearing_house::intake::Books;
use clearing_house::registry::{self, NetworkFile};
use clearing_house::sql::connect;
use clearing_house::verify::{Proof, verify};
use domain::signature::SecretKey;
use domain::tariff::{Tariff, TariffFile};
use domain::{Clock, Timestamp};
use simulator::demo::database::{Database, Role};
use simulator::demo::run_folder::RunFolder;
use sqlx::PgPool;

use crate::lane::{journal_of, key_of, vehicle};
use crate::programs::{postgres_bin, repository};

/// When everything of an office began.
const FOUNDED: &str = "2026-02-01T00:00:00Z";
/// Noon of the day on which the tests post: 2 March 2026 in Viet Nam.
const NOON: &str = "2026-03-02T05:00:00Z";
/// What lanes are told of balances.
pub const POLICY: ListPolicy = ListPolicy { no_money_below: 50_000, low_below: 300_000 };
/// What each account but the poor one begins with.
pub const BEGINS_WITH: i64 = 5_000_000;
/// The account that has less than a passage needs.
pub const POOR: u8 = 50;
/// The vehicle with a month pass for Bến Thủy.
pub const WITH_PASS: u8 = 51;
/// The vehicle that is exempt by law.
pub const EXEMPT: u8 = 52;

/// The time of posting.
#[must_use]
pub fn noon() -> Timestamp {
    NOON.parse().expect("noon is an instant")
}

/// The centre's key.
#[must_use]
pub fn centre_key() -> SecretKey {
    SecretKey::from_seed(&[42; 32])
}

/// Accounts 1001 to 1052, one vehicle each: the odd ones are VETC's, the even ones VDTC's.
fn accounts() -> String {
    let line = |number: u8| {
        let vehicle = vehicle(number);
        let issuer = if number.is_multiple_of(2) { "vdtc" } else { "vetc" };
        let amount = if number == POOR { 40_000 } else { BEGINS_WITH };
        let pass = serde_json::json!({
            "station": "ben-thuy", "from": FOUNDED, "until": "2026-04-01T00:00:00Z",
        });
        serde_json::json!({
            "account": vehicle.account,
            "issuer": issuer,
            "state": "open",
            "top_up": {"reference": format!("open-{}", vehicle.account), "amount": amount},
            "vehicles": [{
                "plate": vehicle.plate,
                "group": vehicle.group,
                "tag": vehicle.tag,
                "exempt": number == EXEMPT,
                "pass": (number == WITH_PASS).then_some(pass),
            }],
        })
        .to_string()
    };
    (1..=EXEMPT).map(line).collect::<Vec<_>>().join("\n")
}

/// The server, and how many databases it was asked for.
#[derive(Debug)]
struct Server {
    database: Database,
    asked: AtomicU32,
    /// Dropped last: the server's files are in it.
    _run: RunFolder,
}

/// The database every office is a copy of.
const TEMPLATE: &str = "template_office";

impl Server {
    /// The one that runs, or a new one.
    fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *running = Arc::downgrade(&server);
            server
        })
    }

    fn start() -> Self {
        let run = RunFolder::temporary().expect("a folder for the database");
        let database = Database::start(&run, &postgres_bin()).expect("a database server");
        let template = database.create(TEMPLATE).expect("a database");
        // A test's runtime may be waiting for this: the template is made by one of its own.
        let found = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(found_office(&template));
        });
        found.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Self { database, asked: AtomicU32::new(0), _run: run }
    }

    async fn copy(&self, of: &str) -> String {
        let name = format!("office_{}", self.asked.fetch_add(1, Ordering::Relaxed));
        let pool = pool(&self.database.url()).await;
        let statement = format!("create database {name} template {of}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect("a copy");
        pool.close().await;
        name
    }
}

/// Connects to a database of these books.
pub async fn pool(url: &str) -> PgPool {
    connect(&Address::at(url)).await.expect("the database answers")
}

/// Makes the books of an office in an empty database: network, tariffs, lanes, keys, epochs and the
/// accounts 1001 to 1052.
pub async fn found_office(url: &str) {
    let pool = pool(url).await;
    sqlx::migrate!("../clearing-house/migrations").run(&pool).await.expect("books");
    reconciliation::schema::migrate(&pool).await.expect("settlement beside the books");
    // The days the tests post on; a service makes those of its own clock.
    sqlx::query("select make_posting_days('2026-03-01', '2026-03-04')")
        .execute(&pool)
        .await
        .expect("partitions");
    let network: NetworkFile =
        load(&repository("deploy/viet-nam/network.toml")).expect("a network");
    registry::import_network(&pool, &network).await.expect("a network in the books");
    for name in ["ben-thuy", "bac-nam"] {
        let file: TariffFile =
            load(&repository(&format!("deploy/viet-nam/tariff-{name}.toml"))).expect("a tariff");
        let tariff = Tariff::try_from(file).expect("fares");
        clearing_house::tariff::import(&pool, &tariff).await.expect("a tariff in the books");
    }
    let founded: Timestamp = FOUNDED.parse().expect("an instant");
    for lane in &network.lanes {
        let key = key_of(&lane.id).public();
        registry::enrol_lane(&pool, &lane.id, key, founded).await.expect("an enrolled lane");
        let journal = journal_of(&lane.id);
        registry::epoch_of_journal(&pool, &lane.id, journal.as_bytes(), founded)
            .await
            .expect("an epoch");
    }
    let clock = Clock::of_run(Some(Clock::anchor(founded, 1.0)));
    account::import(&pool, accounts().as_bytes(), clock).await.expect("accounts");
    // A database with connections cannot be copied.
    pool.close().await;
}

/// The centre's books in a database of their own.
#[derive(Debug)]
pub struct Office {
    /// The database, as its superuser.
    pub pool: PgPool,
    /// Its address.
    pub url: String,
    name: String,
    server: Arc<Server>,
}

impl Office {
    /// Opens an office with nothing posted yet but the accounts' first top-ups.
    pub async fn open() -> Self {
        Self::opened(Server::shared(), TEMPLATE).await
    }

    /// A copy of this office, for as many as are wanted. Its own pool is closed from now on.
    pub async fn copy(&self) -> Self {
        self.pool.close().await;
        Self::opened(Arc::clone(&self.server), &self.name).await
    }

    async fn opened(server: Arc<Server>, of: &str) -> Self {
        let name = server.copy(of).await;
        let url = server.database.url_of(&name);
        Self { pool: pool(&url).await, url, name, server }
    }

    /// The address of the books for a role of `deploy/postgresql-roles.sql`.
    #[must_use]
    pub fn url_for(&self, role: Role) -> String {
        self.server.database.url_of_for(&self.name, role)
    }

    /// A worker's view of the books.
    pub async fn books(&self) -> Books {
        Books::open(self.pool.clone(), POLICY, Clock::system())
            .await
            .expect("the registry can be read")
    }

    /// What `clearing-house verify` finds.
    pub async fn proof(&self) -> Proof {
        verify(&self.pool, centre_key().public(), POLICY, &mut |_, _| ())
            .await
            .expect("the books can be read")
    }

    /// Sees that every invariant holds, and that balances sum to zero by a count of our own.
    pub async fn assert_proven(&self) {
        let proof = self.proof().await;
        let broken: Vec<_> = proof.invariants.iter().filter(|one| one.broken > 0).collect();
        assert!(proof.ok && broken.is_empty(), "{broken:#?}");
        assert_eq!(self.number("select sum(balance)::int8 from ledger_balance_v1").await, 0);
    }

    /// One number of the books.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect(sql)
    }

    /// One column of text.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.expect(sql)
    }

    /// Everything the books come to, as lines that can be compared: charges, trips, balances and
    /// watermarks; not when they were made, nor in which order.
    pub async fn picture(&self) -> Vec<String> {
        picture(&self.pool).await
    }

    /// The balance of an account.
    pub async fn balance(&self, account: i64) -> i64 {
        sqlx::query_scalar("select balance from balance_v1 where account = $1")
            .bind(account)
            .fetch_one(&self.pool)
            .await
            .expect("the account is in the books")
    }
}

/// Everything the books come to, as [`Office::picture`] has it.
pub async fn picture(pool: &PgPool) -> Vec<String> {
    let mut lines = Vec::new();
    for sql in [
        "select concat_ws(' ', 'charge', lane, epoch, seq, disposition, why, operator, day, account, \
                payer, amount, tariff, entry, late) from charge order by lane, epoch, seq",
        "select concat_ws(' ', 'trip', exit_lane, exit_seq, entry_lane, entry_seq) from trip_v1 order by 1",
        "select concat_ws(' ', 'balance', kind, issuer, operator, account, balance) \
             from ledger_balance_v1 order by 1",
        "select concat_ws(' ', 'watermark', lane, epoch, posted_upto) from lane_epoch order by 1",
        "select concat_ws(' ', 'waits', lane, epoch, seq) from awaiting_entry order by 1",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.expect(sql);
        lines.extend(rows);
    }
    lines
}
