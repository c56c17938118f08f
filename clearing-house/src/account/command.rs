//! The command `clearing-house account`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use domain::{AccountId, Amount, Clock, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::link::{self, InstrumentKind, NewVehicle};
use super::money::{self, Reservation};
use super::state::{self, Change, Request, Requester};
use super::{AccountError, Effect, import, show};
use crate::config::ListPolicy;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Open the accounts of a file, one JSON object a line.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Open an account.
    Open {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// Who holds it.
        #[arg(long)]
        issuer: IssuerId,
    },
    /// Put money into an account; a reference has one effect.
    TopUp(Movement),
    /// Pay money back out of an account; a reference has one effect.
    Refund(Movement),
    /// Set money aside; prints the hold by which it is released.
    Reserve {
        /// Which account, and how to answer.
        #[command(flatten)]
        movement: Movement,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Give money that was set aside free again.
    Release {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// The hold.
        #[arg(long)]
        hold: i64,
    },
    /// Link a vehicle to an account, with its tag or without; or a tag to a vehicle of it.
    Link(Link),
    /// End a vehicle's link to an account, or a tag's to its vehicle.
    Unlink {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// The vehicle.
        #[arg(long, conflicts_with = "tag", required_unless_present = "tag")]
        plate: Option<Plate>,
        /// The tag, in hexadecimal.
        #[arg(long)]
        tag: Option<TagId>,
    },
    /// Set the one instrument an account is paid with.
    Instrument {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// What it is.
        #[arg(long)]
        kind: InstrumentKind,
        /// The issuer's name for it; never a card's number.
        #[arg(long)]
        token: String,
    },
    /// Set the balance below which an account's drivers are told; without one, the centre's holds.
    Threshold {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// Whole minor units.
        #[arg(long)]
        low_below: Option<i64>,
    },
    /// Lock an account.
    Lock(Wish),
    /// Unlock an account.
    Unlock(Wish),
    /// Make an old toll account a traffic account.
    Convert(Wish),
    /// Close an account for good.
    Close(Wish),
    /// What came and went.
    Statement {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
        /// From when; from the beginning where absent.
        #[arg(long)]
        from: Option<Timestamp>,
        /// Until before when; until now where absent.
        #[arg(long)]
        until: Option<Timestamp>,
    },
    /// What an account is and has.
    Show {
        /// Which account, and how to answer.
        #[command(flatten)]
        of: Of,
    },
}

/// Which account, and how the answer is written.
#[derive(Debug, Args)]
pub struct Of {
    /// The account.
    #[arg(long)]
    account: i64,
    /// Write JSON for another program.
    #[arg(long)]
    json: bool,
}

impl Of {
    const fn account(&self) -> AccountId {
        AccountId::new(self.account)
    }
}

/// A movement of money.
#[derive(Debug, Args)]
pub struct Movement {
    /// Which account, and how to answer.
    #[command(flatten)]
    of: Of,
    /// Whole minor units.
    #[arg(long)]
    amount: i64,
    /// The payer's reference.
    #[arg(long)]
    reference: String,
}

/// What is to be linked.
#[derive(Debug, Args)]
pub struct Link {
    /// Which account, and how to answer.
    #[command(flatten)]
    of: Of,
    /// The vehicle.
    #[arg(long)]
    plate: Plate,
    /// Its group; without one only the tag is linked.
    #[arg(long, required_unless_present = "tag")]
    group: Option<u8>,
    /// Exempt by law.
    #[arg(long, requires = "group")]
    exempt: bool,
    /// The tag, in hexadecimal.
    #[arg(long)]
    tag: Option<TagId>,
}

/// Who wants what, and why.
#[derive(Debug, Args)]
pub struct Wish {
    /// Which account, and how to answer.
    #[command(flatten)]
    of: Of,
    /// Whose wish it is.
    #[arg(long)]
    requested_by: Requester,
    /// Who carries it out.
    #[arg(long)]
    actor: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The account refused.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// An amount that is none.
    #[error("--amount")]
    Amount(#[source] domain::MoneyError),
    /// A group that is none.
    #[error("--group: {0}")]
    Group(String),
    /// A file could not be opened, or the answer not written.
    #[error("{what}")]
    File {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What a command answers: a sentence for a person, and the same for a program.
struct Reply {
    of_program: Value,
    of_person: String,
    is_json: bool,
}

impl Reply {
    fn effect(of: &Of, effect: Effect, now: &str, before: &str) -> Self {
        let told = match effect {
            Effect::Now => now,
            Effect::Before => before,
        };
        let of_program = json!({"account": of.account, "effect": effect});
        Self { of_program, of_person: told.to_owned(), is_json: of.json }
    }

    fn picture(of: &Of, picture: Value) -> Self {
        let of_person = format!("{picture:#}");
        Self { of_program: picture, of_person, is_json: of.json }
    }

    fn write(&self) -> Result<(), CommandError> {
        let mut out = std::io::stdout().lock();
        let written = if self.is_json {
            writeln!(out, "{}", self.of_program)
        } else {
            writeln!(out, "{}", self.of_person)
        };
        written.map_err(|source| CommandError::File { what: "write the answer".to_owned(), source })
    }
}

/// Carries out a command and writes what came of it.
///
/// # Errors
/// When it is refused, or something fails.
pub async fn carry_out(
    command: AccountCommand,
    policy: ListPolicy,
    pool: &PgPool,
    clock: Clock,
) -> Result<(), CommandError> {
    let now = clock.now();
    let reply = match command {
        AccountCommand::Import { file } => import_file(&file, pool, clock).await?,
        AccountCommand::Open { of, issuer } => {
            let effect = link::open(pool, of.account(), &issuer, now).await?;
            Reply::effect(&of, effect, "opened", "was open before")
        }
        AccountCommand::TopUp(Movement { of, amount, reference }) => {
            let amount = Amount::try_new(amount).map_err(CommandError::Amount)?;
            let effect = money::top_up(pool, of.account(), amount, &reference, policy, now).await?;
            Reply::effect(&of, effect, "topped up", "topped up before by the same reference")
        }
        AccountCommand::Refund(Movement { of, amount, reference }) => {
            let amount = Amount::try_new(amount).map_err(CommandError::Amount)?;
            let effect = money::refund(pool, of.account(), amount, &reference, policy, now).await?;
            Reply::effect(&of, effect, "refunded", "refunded before by the same reference")
        }
        AccountCommand::Reserve { movement, reason } => {
            reserve(&movement, &reason, policy, pool, now).await?
        }
        AccountCommand::Release { of, hold } => {
            let effect = money::release(pool, of.account(), hold, policy, now).await?;
            Reply::effect(&of, effect, "released", "released before")
        }
        AccountCommand::Link(wanted) => link_one(&wanted, pool, now).await?,
        AccountCommand::Unlink { of, plate, tag } => {
            if let Some(plate) = plate {
                link::unlink_vehicle(pool, of.account(), &plate, now).await?;
            }
            if let Some(tag) = tag {
                link::unlink_tag(pool, of.account(), &tag, now).await?;
            }
            Reply::effect(&of, Effect::Now, "unlinked", "")
        }
        AccountCommand::Instrument { of, kind, token } => {
            let effect = link::set_instrument(pool, of.account(), kind, &token, now).await?;
            Reply::effect(&of, effect, "is paid with this from now on", "was paid with this before")
        }
        AccountCommand::Threshold { of, low_below } => {
            link::set_low_below(pool, of.account(), low_below).await?;
            Reply::effect(&of, Effect::Now, "set", "")
        }
        AccountCommand::Lock(wish) => change(&wish, Change::Lock, pool, now).await?,
        AccountCommand::Unlock(wish) => change(&wish, Change::Unlock, pool, now).await?,
        AccountCommand::Convert(wish) => change(&wish, Change::Convert, pool, now).await?,
        AccountCommand::Close(wish) => change(&wish, Change::Close, pool, now).await?,
        AccountCommand::Statement { of, from, until } => {
            let from = from.unwrap_or(Timestamp::UNIX_EPOCH);
            let until = until.unwrap_or(now);
            Reply::picture(&of, value(&show::statement(pool, of.account(), from, until).await?))
        }
        AccountCommand::Show { of } => {
            Reply::picture(&of, value(&show::show(pool, of.account()).await?))
        }
    };
    reply.write()
}

async fn import_file(path: &Path, pool: &PgPool, clock: Clock) -> Result<Reply, CommandError> {
    let file = std::fs::File::open(path).map_err(|source| CommandError::File {
        what: format!("open {}", path.display()),
        source,
    })?;
    let imported = import(pool, std::io::BufReader::new(file), clock).await?;
    let of_program = json!({"accounts": imported.accounts, "tags": imported.tags});
    Ok(Reply { of_person: of_program.to_string(), of_program, is_json: true })
}

async fn reserve(
    Movement { of, amount, reference }: &Movement,
    reason: &str,
    policy: ListPolicy,
    pool: &PgPool,
    now: Timestamp,
) -> Result<Reply, CommandError> {
    let amount = Amount::try_new(*amount).map_err(CommandError::Amount)?;
    let wanted = Reservation { amount, reference, reason };
    let held = money::reserve(pool, of.account(), wanted, policy, now).await?;
    Ok(Reply {
        of_program: json!({"account": of.account, "hold": held.hold, "effect": held.effect}),
        of_person: format!("set aside as hold {}", held.hold),
        is_json: of.json,
    })
}

async fn link_one(wanted: &Link, pool: &PgPool, now: Timestamp) -> Result<Reply, CommandError> {
    let Link { of, plate, group, exempt, tag } = wanted;
    let effect = match (group, tag) {
        (Some(group), tag) => {
            let group = VehicleGroup::try_new(*group)
                .map_err(|error| CommandError::Group(error.to_string()))?;
            let (plate, tag) = (plate.clone(), tag.clone());
            let vehicle = NewVehicle { plate, group, exempt: *exempt, tag };
            link::link_vehicle(pool, of.account(), &vehicle, now).await?
        }
        (None, Some(tag)) => link::link_tag(pool, of.account(), plate, tag, now).await?,
        (None, None) => Effect::Before,
    };
    Ok(Reply::effect(of, effect, "linked", "was linked before"))
}

async fn change(
    wish: &Wish,
    wanted: Change,
    pool: &PgPool,
    now: Timestamp,
) -> Result<Reply, CommandError> {
    let request = Request {
        requested_by: wish.requested_by,
        actor: wish.actor.clone(),
        reason: wish.reason.clone(),
    };
    let effect = state::change(pool, wish.of.account(), wanted, &request, now).await?;
    Ok(Reply::effect(&wish.of, effect, "done", "was so before"))
}

/// # Panics
/// Never: what is shown has a JSON form.
fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("what is shown has a JSON form")
}
