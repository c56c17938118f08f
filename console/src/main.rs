//! The console's command line.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use console::command::{NewPerson, PeopleFiles, check_audit, make_desk_key, make_key};
use console::config::Config;
use console::{Role, Scope};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// The desk at the station, the books at the centre.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration, a TOML file; `run` needs it.
    #[arg(long, env = "ETC_CONSOLE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages until interrupted: of the centre, or of the [station] of the configuration.
    Run,
    /// Make the key of a desk, and print what its lanes' configuration has to know of it.
    DeskKey {
        /// The file; only the console may read it.
        file: PathBuf,
    },
    /// Change who may use the consoles.
    People(PeopleArguments),
    /// Check an audit log's chain.
    Audit {
        /// The log.
        file: PathBuf,
        /// The head printed on a shift report: the log must still contain that entry.
        #[arg(long)]
        head: Option<String>,
    },
    /// Print who may use which route, as docs/console-roles.md has it.
    Roles,
}

#[derive(Args)]
struct PeopleArguments {
    /// The people file.
    #[arg(long)]
    file: PathBuf,
    /// The secret key that signs it; keep it where the consoles are not.
    #[arg(long)]
    key: PathBuf,
    #[command(subcommand)]
    what: People,
}

#[derive(Subcommand)]
enum People {
    /// Make the key and an empty file; prints the public key for the consoles' configuration.
    Init,
    /// Add a person; prints their password, unless one is given, and their second factor, where
    /// their roles need one.
    Add {
        /// The staff id.
        name: String,
        /// What people call them.
        #[arg(long)]
        full_name: String,
        /// What they may do; repeat for more.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// Where: * for everywhere, OPERATOR, or OPERATOR/STATION.
        #[arg(long, default_value = "*")]
        scope: Scope,
        /// The account of an account holder.
        #[arg(long)]
        account: Option<i64>,
        /// A file with the password, or - for standard input; a new one is made without it.
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// Show everybody.
    List,
    /// Give a person a new password.
    Password {
        name: String,
        /// A file with the password, or - for standard input; a new one is made without it.
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// Give a person a new second factor.
    Totp { name: String },
    /// Print the code of a person's second factor at this moment: where there is no authenticator.
    Code { name: String },
    /// Give a person other roles.
    Roles {
        name: String,
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        #[arg(long)]
        scope: Option<Scope>,
    },
    /// Let a person in no more; they are logged out at once wherever the file arrives.
    Disable { name: String },
    /// Let a person in again.
    Enable { name: String },
    /// Write the file for a station's console: those who have business there.
    Export {
        /// OPERATOR/STATION.
        station: Scope,
        /// Where to.
        #[arg(long)]
        to: PathBuf,
    },
}

fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let outcome = match command {
        Command::Run => match config {
            Some(config) => serve(&config),
            None => {
                error!("run needs --config FILE, or ETC_CONSOLE_CONFIG");
                return ExitCode::from(2);
            }
        },
        Command::DeskKey { file } => {
            make_desk_key(&file).map_err(Into::into).and_then(|told| tell(&told))
        }
        Command::People(arguments) => people(arguments).and_then(|told| tell(&told)),
        Command::Audit { file, head } => check_audit(&file, head.as_deref())
            .map_err(Into::into)
            .and_then(|chain| tell(&format!("holds: {}:{}\n", chain.entries, chain.head))),
        Command::Roles => tell(&console::roles_document()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!(error = failure.as_ref(), "console failed");
            ExitCode::FAILURE
        }
    }
}

fn tell(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn people(arguments: PeopleArguments) -> Result<String, Box<dyn Error>> {
    let files = PeopleFiles { file: arguments.file, key: arguments.key };
    let nothing = |()| String::new();
    let told = match arguments.what {
        People::Init => make_key(&files).map(|key| format!("people_key = \"{key}\"\n"))?,
        People::Add { name, full_name, roles, scope, account, password_file } => {
            let given = given(password_file.as_deref())?;
            let roles = BTreeSet::from_iter(roles);
            let new = NewPerson { name, full_name, roles, scope, account };
            files.add(new, given.as_deref())?
        }
        People::List => files.list()?,
        People::Password { name, password_file } => {
            files.set_password(&name, given(password_file.as_deref())?.as_deref())?
        }
        People::Totp { name } => files.set_second_factor(&name)?,
        People::Code { name } => format!("{}\n", files.code(&name)?),
        People::Roles { name, roles, scope } => {
            files.set_roles(&name, BTreeSet::from_iter(roles), scope).map(nothing)?
        }
        People::Disable { name } => files.set_active(&name, false).map(nothing)?,
        People::Enable { name } => files.set_active(&name, true).map(nothing)?,
        People::Export { station, to } => files.export(&station, &to).map(nothing)?,
    };
    Ok(told)
}

/// The password of a file's first line, or of standard input's.
fn given(file: Option<&Path>) -> Result<Option<String>, std::io::Error> {
    let Some(file) = file else { return Ok(None) };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)?;
    }
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

fn serve(path: &Path) -> Result<(), Box<dyn Error>> {
    let config: Config = clearing_house::config::load(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let end = interruption()?;
        console::run(config, end).await?;
        info!("console ended");
        Ok(())
    })
}

/// Resolves when the process is asked to end.
fn interruption() -> Result<impl Future<Output = ()> + Send + 'static, std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
