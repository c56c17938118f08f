//! `clearing-house tariff …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::signature::SecretKey;
use domain::tariff::{Begin, Tariff, TariffFile};
use domain::{OperatorId, Timestamp};
use jiff::tz::TimeZone;
use serde_json::json;
use sqlx::PgPool;

use super::lint::{Document, Finding, Stations, has_errors, lint};
use super::simulate::{Simulation, simulate};
use super::{entitle, import, load, show, stations, traffic};
use crate::registry::NetworkFile;
use crate::{config, directives};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What can be done with tariffs.
#[derive(Debug, Subcommand)]
pub enum TariffCommand {
    /// Import tariff files; a file with an error is not imported, and then none is.
    Import {
        /// The TOML files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Say what is wrong with tariff files; needs no database. Fails where there is an error.
    Lint(LintArgs),
    /// Show the version of an operator that is in force.
    Show(ShowArgs),
    /// What stored passages would have cost by another version. Nothing is written.
    Simulate(SimulateArgs),
    /// Grant vehicles a discount, such as a local resident's: a file of one JSON object a line.
    Entitle {
        /// The file.
        file: PathBuf,
    },
}

/// What is looked at.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// The TOML files, of one or several operators.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A network file: operators, zones and stations are looked up in it.
    #[arg(long)]
    network: Option<PathBuf>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// Write JSON for another program.
    #[arg(long)]
    json: bool,
}

/// Which version.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Whose tariff.
    #[arg(long)]
    operator: OperatorId,
    /// When, by the operator's clock (2026-03-02T09:00) or as an instant; now, where it is not given.
    #[arg(long)]
    at: Option<String>,
    /// Write the tariff file as JSON.
    #[arg(long)]
    json: bool,
}

/// What is tried out.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The version: a tariff file, imported or not.
    #[arg(long)]
    under: PathBuf,
    /// From when, by the tariff's clock or as an instant.
    #[arg(long)]
    from: Option<String>,
    /// Until when.
    #[arg(long)]
    until: Option<String>,
    /// Counted traffic in place of stored passages: a file of at,entry,station,group,passages.
    #[arg(long, requires = "against", conflicts_with_all = ["from", "until"])]
    traffic: Option<PathBuf>,
    /// The tariff file that the counted traffic is compared by.
    #[arg(long, requires = "traffic")]
    against: Option<PathBuf>,
    /// Write JSON for another program.
    #[arg(long)]
    json: bool,
}

/// What a command said, and whether it found everything in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Whether the command did what was asked.
    pub in_order: bool,
}

impl Said {
    fn well(text: String) -> Self {
        Self { text, in_order: true }
    }
}

/// Looks at tariff files.
///
/// # Errors
/// When a file cannot be read or is no tariff.
pub fn lint_files(args: &LintArgs) -> Result<Said, Failure> {
    let documents: Vec<Document> =
        args.files.iter().map(|file| Document::read(file)).collect::<Result<_, _>>()?;
    let network: Option<NetworkFile> =
        args.network.as_ref().map(|file| config::load(file)).transpose()?;
    let stations = network.as_ref().map(Stations::from);
    let findings = lint(&documents, std::iter::empty(), stations.as_ref());
    let in_order = !has_errors(&findings) && (findings.is_empty() || !args.strict);
    let text = if args.json { serde_json::to_string(&findings)? } else { told(&findings) };
    Ok(Said { text, in_order })
}

fn told(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found".to_owned();
    }
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Carries a command out.
///
/// # Errors
/// When a file is no tariff, or the database fails.
pub async fn carry_out(
    command: TariffCommand,
    pool: &PgPool,
    centre: &SecretKey,
    now: Timestamp,
) -> Result<Said, Failure> {
    match command {
        TariffCommand::Import { files } => import_files(pool, &files, (centre, now)).await,
        TariffCommand::Lint(args) => lint_files(&args),
        TariffCommand::Show(args) => show_in_force(pool, &args, now).await,
        TariffCommand::Simulate(args) => simulate_under(pool, &args).await,
        TariffCommand::Entitle { file } => {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| format!("read {}: {error}", file.display()))?;
            let granted = entitle(pool, &text, now)
                .await
                .map_err(|error| format!("{}: {error}", file.display()))?;
            Ok(Said::well(format!(r#"{{"granted":{granted}}}"#)))
        }
    }
}

async fn import_files(
    pool: &PgPool,
    files: &[PathBuf],
    (centre, now): (&SecretKey, Timestamp),
) -> Result<Said, Failure> {
    let documents: Vec<Document> =
        files.iter().map(|file| Document::read(file)).collect::<Result<_, _>>()?;
    let stored = load(pool).await?;
    let findings = lint(&documents, stored.versions(), Some(&stations(pool).await?));
    let in_order = !has_errors(&findings);
    if in_order {
        for (document, file) in documents.iter().zip(files) {
            import(pool, &document.tariff).await?;
            // The same file for the lanes: what is in it is for them to read.
            let whole = serde_json::to_value(config::load::<toml::Value>(file)?)?;
            directives::note_tariff(pool, centre, &document.tariff.operator, &whole, now).await?;
        }
    }
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.push(if in_order {
        format!("imported {}", documents.len())
    } else {
        "nothing imported: there are errors".to_owned()
    });
    Ok(Said { text: lines.join("\n"), in_order })
}

/// An instant as a person gives it.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, Failure> {
    match Begin::try_from(text.to_owned())? {
        Begin::Instant(at) => Ok(at),
        Begin::Local(local) => Ok(local.to_zoned(zone.clone())?.timestamp()),
    }
}

async fn show_in_force(pool: &PgPool, args: &ShowArgs, now: Timestamp) -> Result<Said, Failure> {
    let book = load(pool).await?;
    // The operator's clock is that of its tariffs; each of them has the same.
    let own = book.versions().find(|tariff| tariff.operator == args.operator);
    let zone = own.map_or(TimeZone::UTC, |tariff| tariff.zone.clone());
    let at = args.at.as_ref().map_or(Ok(now), |text| instant(text, &zone))?;
    let tariff = book.in_force(&args.operator, at)?;
    Ok(Said::well(if args.json {
        serde_json::to_string_pretty(&TariffFile::from(tariff))?
    } else {
        show::text(tariff)
    }))
}

async fn simulate_under(pool: &PgPool, args: &SimulateArgs) -> Result<Said, Failure> {
    let document = Document::read(&args.under)?;
    let tariff: &Tariff = &document.tariff;
    let bound = |text: &Option<String>, otherwise| {
        text.as_ref().map_or(Ok(otherwise), |text| instant(text, &tariff.zone))
    };
    let simulation = if let (Some(file), Some(against)) = (&args.traffic, &args.against) {
        let against = Document::read(against)?;
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("read {}: {error}", file.display()))?;
        traffic::simulate(&text, &against.tariff, tariff)
            .map_err(|error| format!("{}: {error}", file.display()))?
    } else {
        let (from, until) = (bound(&args.from, EARLIEST)?, bound(&args.until, LATEST)?);
        simulate(pool, tariff, from, until).await?
    };
    Ok(Said::well(if args.json { as_json(&simulation) } else { as_table(&simulation) }))
}

/// The bounds where none is given: what a database can hold of the domain's years.
const EARLIEST: Timestamp = Timestamp::UNIX_EPOCH;
const LATEST: Timestamp = Timestamp::MAX;

fn as_json(simulation: &Simulation) -> String {
    let rows: Vec<_> = simulation
        .0
        .iter()
        .map(|((station, group), one)| {
            json!({"station": station, "group": group, "difference": one, "more": one.more()})
        })
        .collect();
    let total = simulation.total();
    json!({"rows": rows, "total": total, "more": total.more()}).to_string()
}

fn as_table(simulation: &Simulation) -> String {
    let mut lines = vec![format!(
        "{:<20} {:>5} {:>9} {:>16} {:>16} {:>16}  no fare before, after",
        "station", "group", "passages", "before", "after", "more"
    )];
    let total = (("all".to_owned(), String::new()), simulation.total());
    let rows = simulation
        .0
        .iter()
        .map(|((station, group), one)| ((station.to_string(), group.to_string()), *one))
        .chain(std::iter::once(total));
    for ((station, group), one) in rows {
        lines.push(format!(
            "{station:<20} {group:>5} {:>9} {:>16} {:>16} {:>16}  {}, {}",
            one.passages,
            one.before,
            one.after,
            one.more(),
            one.unrated_before,
            one.unrated_after
        ));
    }
    lines.join("\n")
}
