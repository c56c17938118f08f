//! The console: the desk at the station, the books at the centre.
//!
//! Server-rendered pages for the people of a toll road: the *station* operator sees every lane live
//! and answers *calls*; *finance* sees settlement days and the passages behind them; the road
//! *authority* sees traffic and revenue. Who may see and do what is one table, `routes`; what was
//! done is in a chained log, `audit`. Live knowledge comes from the broker, everything else from
//! the books; either may be away, and the rest works. A console at a station has no books at all.
//! What people decide about money goes through the doors of `reconciliation` and `clearing-house`
//! alone, and into the audit log first. Deliberately absent: decisions at the lane (the lane's),
//! postings (`clearing-house`), what settling is and who may not agree to what (`reconciliation`).
//!
//! Modules in the order a request meets them.

mod http;
mod routes;
mod access;
mod audit;
mod audit_page;
mod administration;
mod equipment;
mod page;
mod picture;
mod language;
mod station;
mod finance;
mod cases;
mod review;
mod tariffs;
mod holder;
mod authority;
mod books;
mod change;
mod chart;
mod assets;
pub mod command;
pub mod config;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clearing_house::config::Database;
use domain::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

pub use access::{AccessError, People, PeopleError, Person, Role, Scope, ScopeError, SecondFactor};
pub use audit::{AuditError, Chain, ChainBreak, check as check_audit_log};
pub use language::Language;
pub use routes::{roles_document, shown_paths};

use access::{DeskKey, Door, Sessions};
use administration::Administration;
use audit::{AuditLog, Author, Deed};
use books::{Books, Purpose};
use config::{Config, ConfigError};
use http::{App, Cookies, Parts};
use review::Reviewing;
use station::Desk;

/// How long open pages may take to end.
const ENDING_MAX: Duration = Duration::from_secs(3);

/// Why the console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The configuration's parts do not go together.
    #[error("check the configuration")]
    Config(#[source] ConfigError),
    /// Nobody could log in.
    #[error("set up access")]
    Access(#[source] AccessError),
    /// What is done could not be recorded.
    #[error("open the audit log")]
    Audit(#[source] AuditError),
    /// The address is not free.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Serving failed.
    #[error("serve the pages")]
    Serve(#[source] std::io::Error),
}

/// Connects to the books, in each role that the configuration gives, and lets the desk read the
/// register of lanes.
fn connect(
    background: &mut JoinSet<()>,
    (books, desk): (&Arc<Books>, &Arc<Desk>),
    (reading, others): (Database, [(Purpose, Option<Database>); 2]),
) {
    let all = [(Purpose::Reading, Some(reading))].into_iter().chain(others);
    for (purpose, database) in all {
        let Some(database) = database else { continue };
        let books = Arc::clone(books);
        background.spawn(async move { books.connect(purpose, &database).await });
    }
    let (books, desk) = (Arc::clone(books), Arc::clone(desk));
    background.spawn(async move { desk.follow_register(&books).await });
}

/// Serves the console until `end` resolves; then open pages end and the function returns.
///
/// # Errors
/// When the secrets cannot be read or the address is not free. A broker or database that is away
/// is no error: the pages say so, and connections come up by themselves.
pub async fn run(
    config: Config,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ConsoleError> {
    config.check().map_err(ConsoleError::Config)?;
    let own_passwords = config.own_passwords_file();
    let clock = Clock::of_run(config.clock);
    let broker = config.broker.or_environment();
    let database = config.database.map(Database::or_environment);
    let audit = Arc::new(AuditLog::open(&config.audit.file, clock).map_err(ConsoleError::Audit)?);
    let place = config.station.as_ref().map(config::Station::scope);
    let at_station = place.is_some();
    let (file, key) = (&config.access.people_file, config.access.people_key);
    let door = Door::try_load((file, &own_passwords), key, place, audit.people_version());
    let door = Arc::new(door.map_err(ConsoleError::Access)?);
    let desk_key = DeskKey::try_load(config.desk.as_ref().map(|desk| desk.key_file.as_path()))
        .map_err(ConsoleError::Access)?;
    let address = config.http.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ConsoleError::Listen { address, source })?;
    let address = listener.local_addr().map_err(ConsoleError::Serve)?;

    let desk = Arc::new(Desk::new(clock, config.station));
    let books = Arc::new(Books::default());
    let sessions = Arc::new(Sessions::default());
    let (end_all, ending) = watch::channel(false);
    let app = App::new(Parts {
        clock,
        machine: Clock::system(),
        desk: Arc::clone(&desk),
        books: Arc::clone(&books),
        door: Arc::clone(&door),
        sessions: Arc::clone(&sessions),
        desk_key,
        audit: Arc::clone(&audit),
        cookies: if config.http.behind_tls { Cookies::Secure } else { Cookies::Loopback },
        review: Reviewing::new(&config.review),
        administration: Administration::new(&config.access),
        at_station,
        ending: ending.clone(),
    });
    note_start(&audit, door.people().version())?;

    // Dropped on return, which ends them.
    let mut background = JoinSet::new();
    if let Some(database) = database {
        let others = [
            (Purpose::Settlement, config.settlement_database),
            (Purpose::Registry, config.registry_database),
        ];
        connect(&mut background, (&books, &desk), (database, others));
    }
    background.spawn(async move { door.follow(&sessions, &audit).await });
    background.spawn({
        let desk = Arc::clone(&desk);
        async move { desk.listen(&broker).await }
    });
    background.spawn(async move { desk.watch_deadlines().await });

    info!(address = %format_args!("http://{address}"), "console listening");
    let ended = async move {
        end.await;
        end_all.send_replace(true);
    };
    let serving =
        axum::serve(listener, with_addresses(http::router(app))).with_graceful_shutdown(ended);
    let overdue = async move {
        let mut ending = ending;
        // A sender that is gone means the same.
        ending.wait_for(|ending| *ending).await.ok();
        tokio::time::sleep(ENDING_MAX).await;
    };
    tokio::select! {
        served = serving => served.map_err(ConsoleError::Serve),
        () = overdue => Ok(()),
    }
}

fn note_start(audit: &AuditLog, version: u64) -> Result<(), ConsoleError> {
    for deed in [Deed::Started, Deed::PeopleRead { version }] {
        // No rule of shifts forbids these.
        audit.append(&Author::default(), deed).map_err(ConsoleError::Audit)?.ok();
    }
    Ok(())
}

/// Tells the handlers who is at the other end.
fn with_addresses(
    router: axum::Router,
) -> axum::extract::connect_info::IntoMakeServiceWithConnectInfo<axum::Router, std::net::SocketAddr>
{
    router.into_make_service_with_connect_info()
}
