//! The console: the desk at the station, the books at the centre.
//!
//! Server-rendered pages for four kinds of people: the *station* operator sees every lane live and
//! answers *calls*; *finance* sees settlement days and passages; the road *authority* sees traffic
//! and revenue. Live knowledge comes from the broker, everything else from the books; either may
//! be away, and the rest works. Deliberately absent: decisions (the lane's), postings
//! (`clearing-house`), settlement (`reconciliation`), and anything that writes to the books.
//!
//! Modules in the order a request meets them.

mod access;
mod assets;
mod authority;
mod books;
pub mod config;
mod finance;
mod http;
mod language;
mod page;
mod station;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

pub use access::AccessError;
pub use language::Language;

use access::{Credentials, Sessions};
use books::Books;
use config::Config;
use http::{App, Parts};
use station::Desk;

/// How long open pages may take to end.
const ENDING_MAX: Duration = Duration::from_secs(3);

/// Why the console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Nobody could log in.
    #[error("set up access")]
    Access(#[source] AccessError),
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

/// Serves the console until `end` resolves; then open pages end and the function returns.
///
/// # Errors
/// When the secrets cannot be read or the address is not free. A broker or database that is away
/// is no error: the pages say so, and connections come up by themselves.
pub async fn run(
    config: Config,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ConsoleError> {
    let broker = config.broker.or_environment();
    let database = config.database.or_environment();
    let credentials =
        Credentials::try_load(&config.access.password_file).map_err(ConsoleError::Access)?;
    let address = config.http.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ConsoleError::Listen { address, source })?;
    let address = listener.local_addr().map_err(ConsoleError::Serve)?;

    let clock = Clock::of_run(config.clock);
    let desk = Arc::new(Desk::new(clock));
    let books = Arc::new(Books::default());
    let (end_all, ending) = watch::channel(false);
    let app = App::new(Parts {
        clock,
        desk: Arc::clone(&desk),
        books: Arc::clone(&books),
        credentials,
        sessions: Sessions::default(),
        ending: ending.clone(),
    });

    // Dropped on return, which ends them.
    let mut background = JoinSet::new();
    background.spawn({
        let books = Arc::clone(&books);
        async move { books.connect(&database).await }
    });
    background.spawn({
        let desk = Arc::clone(&desk);
        async move { desk.listen(&broker).await }
    });
    background.spawn({
        let desk = Arc::clone(&desk);
        async move { desk.watch_deadlines().await }
    });
    background.spawn(async move { desk.follow_register(&books).await });

    info!(address = %format_args!("http://{address}"), "console listening");
    let ended = async move {
        end.await;
        end_all.send_replace(true);
    };
    let serving = axum::serve(listener, http::router(app)).with_graceful_shutdown(ended);
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
