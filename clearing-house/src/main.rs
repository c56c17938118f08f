//! The command `clearing-house`.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clearing_house::account::command::AccountCommand;
use clearing_house::api::command::ApiCommand;
use clearing_house::config::{self, Config};
use clearing_house::credentials::command::{self as credentials, AuthorityCommand, LaneCommand};
use clearing_house::credentials::keep_told;
use clearing_house::directives::Herald;
use clearing_house::intake::{self, Books};
use clearing_house::lists::Publisher;
use clearing_house::receipts::Receipts;
use clearing_house::registry::{self, NetworkFile};
use clearing_house::tariff::command::TariffCommand;
use clearing_house::verify::Proof;
use clearing_house::{
    api, broker, epochs, gate, manifests, pictures, question, report, rights, search, sql, tariff,
    verify,
};
use domain::signature::SecretKey;
use domain::wire::subject::PICTURES;
use domain::{BusinessDate, Clock, OperatorId};
use mimalloc::MiMalloc;
use sqlx::PgPool;
use tokio::sync::Notify;

/// A fifth of what a passage cost here was the system's allocator (decision 0035).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Passages to charges to ledger; lists and receipts to lanes.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The configuration file.
    #[arg(long, env = "ETC_CONFIG", default_value = "clearing-house.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database's schema up to date.
    Migrate,
    /// Take passages, publish lists and receipts, until told to stop.
    Run,
    /// Prove from stored rows what can be proved; fail on the first break.
    ///
    /// The whole proof holds one state of the books until it ends, and no row that is changed meanwhile can
    /// be cleared away: posting beside it becomes slow. Let it run on a standby, or in hours without
    /// traffic; for every day there is --day.
    Verify(Verify),
    /// Passages, exceptions, lanes, tolls and the ledger in numbers.
    Report(Output),
    /// Make the centre's secret key; prints the public key.
    Keygen {
        /// Where to write the key.
        #[arg(long)]
        key_file: PathBuf,
    },
    /// Operators, issuers, stations and lanes.
    #[command(subcommand)]
    Network(Network),
    /// Tariffs.
    #[command(subcommand)]
    Tariff(TariffCommand),
    /// Traffic accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Lanes, their keys and their credentials.
    #[command(subcommand)]
    Lane(LaneCommand),
    /// The authority: keys, certificates, credentials.
    #[command(subcommand)]
    Authority(AuthorityCommand),
    /// The HTTP API's description, and keys for its callers.
    #[command(subcommand)]
    Api(ApiCommand),
}

/// How often days are made ready for pages: how old what they tell of an open day may be.
const READY_EVERY: Duration = Duration::from_secs(60);
/// How soon pictures are filed again where that ended.
const FILE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How soon the stream of pictures is looked for again where it could not be made, or is not filed.
const STREAM_AGAIN_AFTER: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
struct Output {
    /// Write JSON for another program.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Verify {
    /// This settlement day alone, from its own rows: in seconds, and without the passages' bytes.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<BusinessDate>,
    /// This operator's alone.
    #[arg(long, requires = "day")]
    operator: Option<OperatorId>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Network {
    /// Import a network file.
    Import {
        /// The TOML file.
        file: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_unset| "info,async_nats=warn".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match carry_out(cli).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "failed");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(cli: Cli) -> Result<ExitCode, Failure> {
    let (path, command) = (cli.config, cli.command);
    // What makes keys needs no database, which may not be there yet.
    let command = match command {
        Command::Keygen { key_file } => {
            say(&String::from(new_key(&key_file)?.public()))?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Authority(command) => {
            if let Some(keys) = credentials::authority(command)? {
                let config: Config = config::load(&path)?;
                let pool = sql::connect(&config.database.clone().or_environment()).await?;
                let clock = Clock::of_run(config.clock);
                credentials::renew(&keys, &config, &pool, clock).await?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Tariff(TariffCommand::Lint(args)) => {
            let said = tariff::command::lint_files(&args)?;
            say(&said.text)?;
            return Ok(if said.in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Api(ApiCommand::Describe) => {
            api::command::describe()?;
            return Ok(ExitCode::SUCCESS);
        }
        other => other,
    };
    let config: Config = config::load(&path)?;
    let clock = Clock::of_run(config.clock);
    let pool = sql::connect(&config.database.clone().or_environment()).await?;
    match command {
        Command::Keygen { .. } | Command::Authority(_) | Command::Api(ApiCommand::Describe) => {}
        Command::Api(ApiCommand::Key(command)) => {
            api::command::keys(&command, &pool, clock.now()).await?;
        }
        Command::Migrate => {
            sqlx::migrate!().set_ignore_missing(true).run(&pool).await?;
            rights::apply(&pool).await?;
        }
        Command::Run => run(config, pool, clock).await?,
        Command::Verify(what) => return prove(&pool, &config, &what).await,
        Command::Report(output) => say(&reported(&pool, &output).await?)?,
        Command::Network(Network::Import { file }) => {
            let network: NetworkFile = config::load(&file)?;
            registry::import_network(&pool, &network).await?;
        }
        Command::Tariff(command) => {
            let said = tariff::command::carry_out(
                command,
                &pool,
                &config.centre.secret_key()?,
                clock.now(),
            )
            .await?;
            say(&said.text)?;
            return Ok(if said.in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Account(command) => {
            clearing_house::account::command::carry_out(command, config.list, &pool, clock).await?;
        }
        Command::Lane(command) => credentials::lane(command, &config, &pool, clock).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a key and writes it where only this user can read it; a key that is there stays.
fn new_key(path: &Path) -> Result<SecretKey, Failure> {
    let key = SecretKey::try_generate()?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| format!("make the key file {}: {error}", path.display()))?;
    writeln!(file, "{}", key.to_secret_text())?;
    file.sync_all()?;
    Ok(key)
}

#[expect(clippy::too_many_lines, reason = "what the centre consists of, put together in one place")]
async fn run(config: Config, pool: PgPool, clock: Clock) -> Result<(), Failure> {
    let key = config.centre.secret_key()?;
    let client = config.broker.clone().or_environment().connect("clearing-house").await?;
    let jetstream = broker::jetstream(client.clone());
    let system = match config.broker_system.clone() {
        Some(link) => Some(link.or_environment().connect("clearing-house, system").await?),
        None => None,
    };
    let replicas = gate::pass(config.production, system.as_ref(), &jetstream).await?;
    let telling = async {
        match system {
            Some(system) => keep_told(system, pool.clone()).await,
            None => std::future::pending().await,
        }
    };
    let woken = Arc::new(Notify::new());
    let receipts = Arc::new(Receipts::new(
        pool.clone(),
        client.clone(),
        key.clone(),
        clock,
        Arc::clone(&woken),
    ));
    let books = Books::open(pool.clone(), config.list, clock).await?;
    let books = Arc::new(books.with_entry_age_max(config.intake.entry_age_max()));
    let lists = sql::connect(&config.database.clone().or_environment().for_lists()).await?;
    let publisher =
        Publisher::new(lists.clone(), jetstream.clone(), key.clone(), config.list, clock);
    let intake = async {
        loop {
            match broker::ensure_streams_kept_by(&jetstream, replicas).await {
                // What they held is said again: receipts and snapshot both look after that.
                Ok(broker::StreamsFound::SomeMade | broker::StreamsFound::All) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "streams, again");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    continue;
                }
            }
            tracing::info!("taking passages");
            let ran = intake::run(&jetstream, &books, &receipts, clock, config.intake).await;
            let Err(error) = ran;
            tracing::warn!(error = &error as &dyn std::error::Error, "intake, again");
        }
    };
    let grants = async {
        loop {
            let served = epochs::serve(client.clone(), pool.clone(), key.clone(), clock).await;
            tracing::warn!(?served, "the epoch desk closed, again");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let questions = async {
        loop {
            let served = question::serve(client.clone(), pool.clone(), key.clone(), clock).await;
            tracing::warn!(?served, "the question desk closed, again");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let manifests = async {
        loop {
            let served = manifests::serve(client.clone(), pool.clone(), key.clone(), clock).await;
            tracing::warn!(?served, "the desk for manifests closed, again");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let filing = async {
        loop {
            // Desks fetch pictures there, whether they are filed or not. No passage waits for it.
            if let Err(error) = broker::ensure_stream(&jetstream, PICTURES, replicas).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "no stream of pictures, again");
                tokio::time::sleep(STREAM_AGAIN_AFTER).await;
                continue;
            }
            let Some(config) = &config.pictures else {
                tokio::time::sleep(STREAM_AGAIN_AFTER).await;
                continue;
            };
            let Err(error) = pictures::run(&jetstream, config, Clock::system()).await;
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "pictures are filed, again");
            tokio::time::sleep(FILE_AGAIN_AFTER).await;
        }
    };
    let readying = async {
        loop {
            if let Err(error) = search::make_ready(&pool, clock.now()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "days are not ready to be looked at"
                );
            }
            tokio::time::sleep(READY_EVERY).await;
        }
    };
    let api = api::run(config.api.as_ref(), lists, client.clone(), config.list, clock);
    let herald = Herald {
        pool: pool.clone(),
        client: client.clone(),
        jetstream: jetstream.clone(),
        key: key.clone(),
        clock,
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        () = intake => {}
        () = grants => {}
        () = telling => {}
        () = readying => {}
        () = questions => {}
        () = manifests => {}
        () = filing => {}
        failed = api => failed?,
        () = herald.run() => {}
        () = publisher.run(woken) => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopped");
    Ok(())
}

async fn reported(pool: &PgPool, output: &Output) -> Result<String, Failure> {
    let report = report::report(pool).await?;
    Ok(if output.json {
        serde_json::to_string(&report)?
    } else {
        serde_json::to_string_pretty(&report)?
    })
}

/// Proves the books, or a day of them.
async fn prove(pool: &PgPool, config: &Config, what: &Verify) -> Result<ExitCode, Failure> {
    let proof = match what.day {
        Some(day) => verify::verify_day(pool, day, what.operator.as_ref()).await?,
        None => {
            let centre = config.centre.secret_key()?.public();
            let is_watched = !what.output.json && std::io::stderr().is_terminal();
            let mut told = |done: u64, of: u64| {
                if is_watched {
                    // Nobody is hurt when a terminal does not take it.
                    let end = if done < of { "" } else { "\r\x1b[K" };
                    drop(write!(std::io::stderr(), "\rproving day {done} of {of}\x1b[K{end}"));
                }
            };
            verify::verify(pool, centre, config.list, &mut told).await?
        }
    };
    say(&if what.output.json { serde_json::to_string(&proof)? } else { table(&proof) })?;
    Ok(if proof.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(proof: &Proof) -> String {
    let mut lines = Vec::new();
    for invariant in &proof.invariants {
        let verdict = if invariant.broken == 0 { "holds " } else { "BROKEN" };
        lines.push(format!(
            "{verdict} {:<4} {:>9} checked  {}",
            invariant.id, invariant.checked, invariant.what
        ));
        if let Some(first) = &invariant.first {
            lines.push(format!("       {} broken, the first: {first}", invariant.broken));
        }
    }
    lines.join("\n")
}

fn say(text: &str) -> Result<(), std::io::Error> {
    writeln!(std::io::stdout().lock(), "{text}")
}
