//! `reconciliation partner export|compare`: files for partners, of given records or of our own books, and
//! what the answers to them come to.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use domain::{BusinessDate, IssuerId, OperatorId, StationId, Timestamp};
use serde_json::{Map, Value, json};
use sqlx::PgPool;

use super::answer::{answer, left_standing};
use super::compare::{Compared, Difference, compare};
use super::write::{Order, Written, write};
use super::{Agencies, Of};
use crate::config::Config;
use crate::partner::command::{figures_json, figures_text, hex, refusal_json, say};
use crate::partner::exchange::export::{Exported, Parcel, asked_of_callers, export};
use crate::partner::layout::Layout;
use crate::partner::name::all;
use crate::partner::refusal::Refusal;

type Answer = Result<ExitCode, Box<dyn Error>>;

/// A file to write.
#[derive(Debug, Args)]
pub struct Export {
    /// The kind of file, such as ICTX or STRAN; BTVL is a whole STVL, DTVL one of changes.
    #[arg(long)]
    kind: String,
    /// Its records, where they are not from the books: one JSON object a line, as `print` prints them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["issuer", "answers"])]
    records: Option<PathBuf>,
    /// A value of the header, with --records; once for each.
    #[arg(long, value_name = "FIELD=VALUE", requires = "records")]
    header: Vec<String>,
    /// From the books: the issuer whose accounts were charged, or whose tags are listed.
    #[arg(long)]
    issuer: Option<IssuerId>,
    /// From the books: the operator of the transactions or corrections.
    #[arg(long, requires = "day")]
    operator: Option<OperatorId>,
    /// From the books: the station that a text file of VETC's is for.
    #[arg(long, requires = "operator", conflicts_with_all = ["issuer", "records", "answers"])]
    station: Option<StationId>,
    /// From the books: the closed settlement day of the transactions or corrections.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "operator")]
    day: Option<BusinessDate>,
    /// From the books: decides about this file that was taken, posts it, and answers it.
    #[arg(long, value_name = "NAME", requires = "partner", conflicts_with = "issuer")]
    answers: Option<String>,
    /// For whom; needed for lists and answers, and where a header does not say.
    #[arg(long = "for", value_name = "PARTNER")]
    partner: Option<String>,
    /// The file's name, with --records, where the header does not say it.
    #[arg(long, requires = "records")]
    name: Option<String>,
    /// Where it is put.
    #[arg(long)]
    folder: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was sent against what was answered.
#[derive(Debug, Args)]
pub struct Compare {
    /// With whom.
    #[arg(long = "with", value_name = "PARTNER")]
    partner: String,
    /// What was written since then; everything where absent.
    #[arg(long, value_name = "TIME", default_value_t = Timestamp::UNIX_EPOCH)]
    since: Timestamp,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// The kind of file, and whether it is one of changes.
fn kind_of(kind: &str) -> Result<(&'static Layout, bool), Box<dyn Error>> {
    Ok(match kind {
        "DTVL" => (layout_of("STVL")?, true),
        "BTVL" => (layout_of("STVL")?, false),
        kind => (layout_of(kind)?, kind == "ITGU"),
    })
}

fn layout_of(kind: &str) -> Result<&'static Layout, Box<dyn Error>> {
    all().find(|layout| layout.code == kind).ok_or_else(|| {
        let known: Vec<_> = all().map(|layout| layout.code).collect();
        format!("{kind:?} is no kind of file: {}", known.join(", ")).into()
    })
}

/// Writes a file.
///
/// # Errors
/// When an argument is wrong, or the disk or the database fails; a refusal is an answer with exit code 1.
pub async fn exported(pool: &PgPool, config: &Config, what: &Export, now: Timestamp) -> Answer {
    let (layout, is_change) = kind_of(&what.kind)?;
    match &what.records {
        Some(records) => of_records(pool, what, (layout, records), now).await,
        None => of_books(pool, config, what, (layout, is_change), now).await,
    }
}

async fn of_records(
    pool: &PgPool,
    what: &Export,
    (layout, records): (&'static Layout, &PathBuf),
    now: Timestamp,
) -> Answer {
    let mut header = Map::new();
    for pair in &what.header {
        let Some((field, value)) = pair.split_once('=') else {
            let asked = asked_of_callers(layout).join(", ");
            return Err(format!("{pair:?} is no FIELD=VALUE; the fields are {asked}").into());
        };
        header.insert(field.to_owned(), Value::from(value));
    }
    fs::create_dir_all(&what.folder)?;
    let parcel = Parcel {
        layout,
        records: records.clone(),
        header,
        partner: what.partner.clone(),
        name: what.name.clone(),
        folder: what.folder.clone(),
        of: None,
        on_top_of: None,
    };
    match export(pool, &parcel, now).await? {
        Ok(file) => told(what, layout, &file, (0, 0)),
        Err(refusal) => refused(what, &records.display().to_string(), &refusal),
    }
}

async fn of_books(
    pool: &PgPool,
    config: &Config,
    what: &Export,
    (layout, is_change): (&'static Layout, bool),
    now: Timestamp,
) -> Answer {
    let agencies: &Agencies = config.partner.as_ref().ok_or(
        "the configuration has no [partner]: own, hub, issuers and operators, as numbers of four digits",
    )?;
    let of = match &what.answers {
        Some(name) => {
            let partner = what.partner.as_deref().ok_or("--for says whose file is answered")?;
            let file_no = answer(pool, agencies, (partner, name, layout.code), now).await?;
            for left in left_standing(pool, file_no).await? {
                tracing::warn!("{left}");
            }
            Of::Decisions { file_no }
        }
        None => wanted(what, is_change)?,
    };
    let folder = &what.folder;
    let order = Order { layout, of, partner: what.partner.clone(), folder };
    match write(pool, agencies, &order, now).await? {
        Written::Now { file, without_tag } => told(what, layout, &file, without_tag),
        Written::Before(name) => {
            let before = json!({"file": name, "kind": layout.code, "before": true});
            say(what.json, &before, || {
                format!("{name} was written of that before; `partner again` has it sent again")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Written::Nothing => {
            let nothing = json!({"file": null, "kind": layout.code});
            say(what.json, &nothing, || "there is nothing to write".to_owned())?;
            Ok(ExitCode::SUCCESS)
        }
        Written::Refused(refusal) => refused(what, "the books", &refusal),
    }
}

/// What of the books is wanted.
fn wanted(what: &Export, is_change: bool) -> Result<Of, Box<dyn Error>> {
    let of_day = what.operator.clone().zip(what.day);
    Ok(match (&what.issuer, &what.station, of_day) {
        (_, Some(station), Some((operator, day))) => {
            Of::Station { operator, station: station.clone(), day }
        }
        (Some(issuer), None, Some((operator, day))) => {
            Of::Day { operator, issuer: issuer.clone(), day }
        }
        (Some(issuer), None, None) if is_change => Of::Changes { issuer: issuer.clone() },
        (Some(issuer), None, None) => Of::Tags { issuer: issuer.clone() },
        (None, None, _) | (_, Some(_), None) => {
            return Err(
                "say what it is written of: --records FILE, --issuer (with --operator and --day \
                        for transactions), --station with --operator and --day, or --answers NAME"
                    .into(),
            );
        }
    })
}

fn told(
    what: &Export,
    layout: &'static Layout,
    file: &Exported,
    (without_tag, amount): (i64, i64),
) -> Answer {
    let written = json!({
        "file": file.path, "file_no": file.file_no, "kind": layout.code,
        "figures": figures_json(file.examined.figures), "bytes": file.examined.bytes,
        "sha256": hex(&file.examined.digest),
        "without_tag": {"records": without_tag, "amount": amount},
    });
    say(what.json, &written, || {
        let figures = figures_text(file.examined.figures);
        let left = match without_tag {
            0 => String::new(),
            _ => format!("; {without_tag} charges over {amount} have no tag and are not in it"),
        };
        format!("{} is written: {figures}{left}", file.path.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn refused(what: &Export, records: &str, refusal: &Refusal) -> Answer {
    say(what.json, &refusal_json(records, refusal, None), || {
        format!("nothing is written: {refusal}")
    })?;
    Ok(ExitCode::FAILURE)
}

/// Prints what became of what was sent; fails unless all of it is matched.
///
/// # Errors
/// When the database fails.
pub async fn compared(pool: &PgPool, what: &Compare) -> Answer {
    let found = compare(pool, &what.partner, what.since).await?;
    say(what.json, &serde_json::to_value(&found)?, || text_of(&found))?;
    Ok(if found.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text_of(found: &Compared) -> String {
    let Compared { matched, amount_differs, rejected, unanswered, differences } = found;
    let mut lines: Vec<String> = [
        ("matched", matched),
        ("amount differs", amount_differs),
        ("rejected", rejected),
        ("not answered", unanswered),
    ]
    .map(|(name, sum)| {
        format!(
            "{name:<15} {:>10} asked {:>16} granted {:>16}",
            sum.records, sum.asked, sum.granted
        )
    })
    .to_vec();
    lines.extend(differences.iter().map(|Difference { transaction, asked, answer }| {
        let answer = answer.as_ref().map_or_else(
            || "no answer".to_owned(),
            |(code, amount)| format!("answered {code} {amount}"),
        );
        format!("{transaction}: asked {asked}, {answer}")
    }));
    lines.join("\n")
}
