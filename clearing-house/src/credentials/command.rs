//! The commands `clearing-house authority …` and `clearing-house lane …`.

use std::io::Write as _;
use std::path::PathBuf;

use broker_authority::{Authority, Part};
use clap::{Args, Subcommand, ValueEnum};
use domain::{Clock, LaneId, OperatorId, StationId};
use sqlx::PgPool;

use super::{Again, Enrolment, Moment};
use crate::config::{self, Config};
use crate::directives::{self, LaneDirectiveFile};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where the authority's keys are.
#[derive(Debug, Args)]
pub struct Keys {
    /// The authority's folder, as `authority init` made it.
    #[arg(long, env = "ETC_AUTHORITY", value_name = "DIR")]
    authority: PathBuf,
}

/// The authority: keys, certificates, credentials.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the fields are the commands' arguments, told where they are")]
pub enum AuthorityCommand {
    /// Make the keys and the CA, once, and what a broker is configured with.
    Init {
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        server: Server,
    },
    /// Write what one more broker, or one with an old certificate, is configured with.
    Broker {
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        server: Server,
    },
    /// Write the certificate of a database server.
    Database {
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        server: Server,
    },
    /// Give a program of the centre its credential and certificate.
    Credential {
        #[command(flatten)]
        keys: Keys,
        /// For whom.
        part: PartName,
        /// Whose desk; for the console of an operator or of a station.
        #[arg(long, required_if_eq_any([("part", "operator-console"), ("part", "station-console")]))]
        operator: Option<OperatorId>,
        /// Where the desk stands; for a station's console.
        #[arg(long, required_if_eq("part", "station-console"))]
        station: Option<StationId>,
        /// Where to write the files.
        #[arg(long, value_name = "DIR")]
        folder: PathBuf,
    },
    /// Give lanes the rights that this version knows, and tell the broker.
    Renew {
        #[command(flatten)]
        keys: Keys,
    },
}

/// A server's own files.
#[derive(Debug, Args)]
pub struct Server {
    /// The folder of the server's files, where it will read them: a broker's `nats-server.conf`
    /// stands beside the `authority.conf` that is written here.
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// A name or address under which the server is reached; once for each.
    #[arg(long = "host", required = true, value_name = "NAME")]
    hosts: Vec<String>,
}

/// Who can be given a credential besides lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names of broker_authority::Part")]
pub enum PartName {
    Centre,
    Console,
    OperatorConsole,
    StationConsole,
    Observer,
    System,
}

/// Lanes, their keys and their credentials.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the fields are the commands' arguments, told where they are")]
pub enum LaneCommand {
    /// Say how a lane is to work, from an instant on; prints the directive's version.
    Order {
        /// The TOML file: `lane`, `effective_at`, `ordered_by`, `mode` and `[policy]`.
        file: PathBuf,
    },
    /// Make the signing key of each lane, and credential and certificate of the computer that
    /// serves them; prints nothing that is secret.
    Enrol {
        /// operator/station/lane; several, where one computer serves them.
        #[arg(required = true)]
        lanes: Vec<LaneId>,
        #[command(flatten)]
        keys: Keys,
        /// Where to write the files.
        #[arg(long, value_name = "DIR")]
        folder: PathBuf,
        /// End what the lanes were given before, in place of refusing.
        #[arg(long)]
        replace: bool,
    },
    /// End the keys and credentials of lanes now; what they have open is closed.
    Revoke {
        /// operator/station/lane
        #[arg(required = true)]
        lanes: Vec<LaneId>,
        #[command(flatten)]
        keys: Keys,
    },
}

/// Carries out what needs no database; hands back what does.
///
/// # Errors
/// When a file cannot be read or written.
pub fn authority(command: AuthorityCommand) -> Result<Option<Keys>, Failure> {
    let now = Clock::system().now();
    match command {
        AuthorityCommand::Init { keys, server } => {
            let authority = Authority::make(&keys.authority, now)?;
            authority.write_broker(&server.folder, &server.hosts, now)?;
            Ok(None)
        }
        AuthorityCommand::Broker { keys, server } => {
            Authority::open(&keys.authority)?.write_broker(&server.folder, &server.hosts, now)?;
            Ok(None)
        }
        AuthorityCommand::Database { keys, server } => {
            Authority::open(&keys.authority)?.write_database(&server.folder, &server.hosts, now)?;
            Ok(None)
        }
        AuthorityCommand::Credential { keys, part, operator, station, folder } => {
            let part = match (part, operator) {
                (PartName::Centre, _) => Part::Centre,
                (PartName::Console, _) => Part::Console,
                (PartName::OperatorConsole, Some(operator)) => Part::OperatorConsole(operator),
                (PartName::OperatorConsole, None) => return Err("--operator is missing".into()),
                (PartName::StationConsole, operator) => match (operator, station) {
                    (Some(operator), Some(station)) => Part::StationConsole(operator, station),
                    (None, _) | (_, None) => {
                        return Err("--operator or --station is missing".into());
                    }
                },
                (PartName::Observer, _) => Part::Observer,
                (PartName::System, _) => Part::System,
            };
            let issued = Authority::open(&keys.authority)?.issue_to(&part, now)?;
            issued.identity.write(&folder)?;
            Ok(None)
        }
        AuthorityCommand::Renew { keys } => Ok(Some(keys)),
    }
}

/// Signs the account anew and tells the broker.
///
/// # Errors
/// When the authority, the books or the broker fail.
pub async fn renew(
    keys: &Keys,
    config: &Config,
    pool: &PgPool,
    clock: Clock,
) -> Result<(), Failure> {
    let authority = Authority::open(&keys.authority)?;
    let token = super::renew_account(pool, &authority, moment(clock)).await?;
    tell(config, Some(token)).await
}

/// Enrols or revokes.
///
/// # Errors
/// When it is refused, or the authority, the books or the broker fail.
pub async fn lane(
    command: LaneCommand,
    config: &Config,
    pool: &PgPool,
    clock: Clock,
) -> Result<(), Failure> {
    let at = moment(clock);
    let token = match command {
        LaneCommand::Order { file } => {
            let wanted: LaneDirectiveFile = config::load(&file)?;
            let (key, now) = (config.centre.secret_key()?, clock.now());
            let wanted = wanted.into_directive(now);
            let version = directives::order_lane(pool, &key, wanted, now).await?;
            writeln!(std::io::stdout(), r#"{{"version":{version}}}"#)?;
            return Ok(());
        }
        LaneCommand::Enrol { lanes, keys, folder, replace } => {
            let again = if replace { Again::Replace } else { Again::Refuse };
            let what = Enrolment { lanes: &lanes, folder: &folder, again, at };
            let authority = Authority::open(&keys.authority)?;
            super::enrol(pool, &authority, &config.broker.url, &what).await?
        }
        LaneCommand::Revoke { lanes, keys } => {
            let authority = Authority::open(&keys.authority)?;
            super::revoke(pool, &authority, &lanes, at).await?
        }
    };
    tell(config, token).await
}

fn moment(clock: Clock) -> Moment {
    Moment { run: clock.now(), real: Clock::system().now() }
}

async fn tell(config: &Config, token: Option<String>) -> Result<(), Failure> {
    let Some(token) = token else { return Ok(()) };
    let Some(system) = config.broker_system.clone() else {
        return Err(
            "the books know, the broker does not: the configuration has no [broker_system]; \
                    a running clearing house that has one will tell it"
                .into(),
        );
    };
    let told = async {
        let client = system.or_environment().connect_now("clearing-house command").await?;
        super::push(&client, &token).await?;
        Ok::<(), Failure>(())
    };
    told.await.map_err(|error| {
        format!(
            "the books know, the broker does not yet ({error}); `clearing-house run` tells it as soon as it is back"
        )
        .into()
    })
}
