//! `reconciliation partner`: files of partners, checked, taken, written and followed up.
//!
//! Standard output is for programs and people who read results; how far a long file is goes to
//! standard error, and only to a terminal. Names are shown without a plate.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use clearing_house::sql::connect;
use domain::{Clock, Timestamp};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::books::command::{Compare, Export, compared, exported};
use super::examine::Figures;
use super::exchange::ExchangeError;
use super::exchange::code::Code;
use super::exchange::export::{due, gaps, note, write_answer};
use super::exchange::import::{Arrival, Imported, acknowledgement, check, header_of, import};
use super::exchange::received::SizeGuard;
use super::exchange::sent::{Action, Event, Why};
use super::file::Reader;
use super::layout::Layout;
use super::name::{FileName, name_of};
use super::record::Record;
use super::refusal::{FileError, Refusal};
use crate::command::progress::{Progress, Unit};
use crate::config::Config;

/// What to do with partners' files.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Looks a file through and says what it comes to; needs no database.
    Check(Check),
    /// Prints a file's records as JSON, one a line; needs no database.
    Print {
        /// The file. What is printed has plates and tags in it where the file has.
        file: PathBuf,
    },
    /// Prints every layout as tables of Markdown; needs no database.
    Layouts,
    /// Takes a file: all of it, or nothing.
    Import(Import),
    /// Writes a file for a partner, of given records or of the books: numbered and logged.
    Export(Export),
    /// Holds what was sent to a partner against its answers; fails unless all of it is matched.
    Compare(Compare),
    /// Notes that a partner has got a file of ours.
    Delivered(Named),
    /// Has a file sent again, whatever it stands at.
    Again(Named),
    /// Says what is to be done now: files to send, people to call, numbers that are missing.
    Due {
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// A file to look through.
#[derive(Debug, Args)]
pub struct Check {
    /// The file, under the name it came with.
    file: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// A file to take.
#[derive(Debug, Args)]
pub struct Import {
    /// The file, under the name it came with.
    file: PathBuf,
    /// From whom; needed where the file does not say.
    #[arg(long, value_name = "PARTNER")]
    from: Option<String>,
    /// How many records it has, as the partner said; for formats without a count.
    #[arg(long, value_name = "COUNT", conflicts_with = "uncounted")]
    records: Option<u64>,
    /// Takes a file of a format without a count though nobody said how many records it has.
    #[arg(long)]
    uncounted: bool,
    /// How many per cent a whole list may differ in size from the one before.
    #[arg(long, value_name = "PERCENT", default_value_t = SizeGuard::default().percent)]
    size_guard: u64,
    /// Our own agency, which answers; a file for another is refused.
    #[arg(long, value_name = "AGENCY", requires = "answers")]
    answer_as: Option<String>,
    /// Where the acknowledgement is put.
    #[arg(long, value_name = "FOLDER", requires = "answer_as")]
    answers: Option<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// A file of ours.
#[derive(Debug, Args)]
pub struct Named {
    /// Whose it is.
    #[arg(long = "for", value_name = "PARTNER")]
    partner: String,
    /// Its name, as the log shows it.
    name: String,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

type Answer = Result<ExitCode, Box<dyn Error>>;

/// Does it.
///
/// # Errors
/// When the disk or the database fails, or an argument is not one. A file that is refused is an
/// answer with exit code 1.
pub async fn run(command: &Command, config: &Config) -> Answer {
    match command {
        Command::Check(what) => return checked(what),
        Command::Print { file } => return print(file),
        Command::Layouts => return layouts(),
        Command::Import(_)
        | Command::Export(_)
        | Command::Compare(_)
        | Command::Delivered(_)
        | Command::Again(_)
        | Command::Due { .. } => {}
    }
    let pool = connect(&config.database.clone().or_environment()).await?;
    let now = Clock::of_run(config.clock).now();
    match command {
        Command::Check(what) => checked(what),
        Command::Print { file } => print(file),
        Command::Layouts => layouts(),
        Command::Import(what) => imported(&pool, what, now).await,
        Command::Export(what) => exported(&pool, config, what, now).await,
        Command::Compare(what) => compared(&pool, what).await,
        Command::Delivered(what) => noted(&pool, what, Event::Delivered, now).await,
        Command::Again(what) => noted(&pool, what, Event::Asked, now).await,
        Command::Due { json } => is_due(&pool, *json, now).await,
    }
}

fn checked(what: &Check) -> Answer {
    let progress = Progress::new("looking through", 0, Unit::Bytes, what.json);
    let checked = check(&what.file, &mut |at, of| progress.tell(at, of));
    drop(progress);
    match checked {
        Ok((name, examined)) => {
            let good = json!({
                "file": name.shown, "kind": examined.layout.code, "good": true,
                "figures": figures_json(examined.figures), "bytes": examined.bytes,
                "sha256": hex(&examined.digest),
                "header": examined.header.to_json(examined.layout.header),
            });
            say(what.json, &good, || {
                format!(
                    "{} is a good {}: {}",
                    name.shown,
                    examined.layout.code,
                    figures_text(examined.figures)
                )
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(FileError::Refused(refusal)) => {
            say(what.json, &refusal_json(&shown(&what.file), &refusal, None), || {
                format!("{} is refused: {refusal}", shown(&what.file))
            })?;
            Ok(ExitCode::FAILURE)
        }
        Err(FileError::Io(error)) => Err(unread(&what.file, &error)),
    }
}

/// Which file could not be read, and why.
fn unread(path: &Path, error: &io::Error) -> Box<dyn Error> {
    format!("{} cannot be read: {error}", shown(path)).into()
}

fn print(file: &Path) -> Answer {
    let name = FileName::parse(&file.file_name().unwrap_or_default().to_string_lossy())
        .map_err(FileError::from)?;
    let input = File::open(file).map_err(|error| unread(file, &error))?;
    let mut reader = Reader::open(name.layout, BufReader::new(input))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut record = Record::default();
    while reader.next(&mut record)? {
        writeln!(out, "{}", record.to_json(name.layout.record))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn layouts() -> Answer {
    io::stdout().lock().write_all(super::document::tables().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn imported(pool: &PgPool, what: &Import, now: Timestamp) -> Answer {
    let arrival = Arrival {
        path: what.file.clone(),
        partner: what.from.clone(),
        records: what.records,
        uncounted: what.uncounted,
        guard: SizeGuard { percent: what.size_guard },
        own: what.answer_as.clone(),
    };
    let progress = Progress::new("taking", 0, Unit::Bytes, what.json);
    let imported = import(pool, &arrival, now, &mut |at, of| progress.tell(at, of)).await;
    drop(progress);
    let imported = imported.map_err(|error| match error {
        ExchangeError::Read(error) => unread(&what.file, &error),
        error => error.into(),
    })?;
    let name = shown(&what.file);
    let code = match &imported {
        Imported::Taken { answer, .. } | Imported::Refused { answer, .. } => *answer,
        Imported::Again => Code::Again,
    };
    let answer = write_acknowledgement(what, code, now)?;
    match &imported {
        Imported::Taken { file_no, figures, missing, actions, .. } => {
            let missing: Vec<u64> = missing.iter().copied().collect();
            let done: Vec<String> = actions.iter().map(|action| told(*action)).collect();
            let taken = json!({
                "file": name, "taken": true, "file_no": file_no, "answer": code.to_string(),
                "figures": figures_json(*figures), "missing": missing, "todo": done,
                "acknowledgement": answer,
            });
            say(what.json, &taken, || {
                let mut text = format!("{name} is taken: {}", figures_text(*figures));
                if !missing.is_empty() {
                    text += &format!("; before it are missing {missing:?}");
                }
                done.iter().fold(text, |text, action| text + "; " + action)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Imported::Again => {
            let again = json!({
                "file": name, "taken": false, "again": true, "answer": code.to_string(),
                "acknowledgement": answer,
            });
            say(what.json, &again, || format!("{name} was taken before; nothing changed"))?;
            Ok(ExitCode::SUCCESS)
        }
        Imported::Refused { refusal, .. } => {
            say(what.json, &refusal_json(&name, refusal, Some(code)), || {
                format!("{name} is refused ({code}), and nothing changed: {refusal}")
            })?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Puts the answer to a file where it is asked for; nothing where the format has none, or the
/// file's header cannot be read, so that nobody knows whom to answer.
fn write_acknowledgement(
    what: &Import,
    code: Code,
    now: Timestamp,
) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let Some((own, folder)) = what.answer_as.as_deref().zip(what.answers.as_deref()) else {
        return Ok(None);
    };
    let Ok((name, header)) = header_of(&what.file) else { return Ok(None) };
    let answer = acknowledgement(name.layout, &header, &name.shown, (own, code, now))
        .map_err(|wrong| format!("the answer's field {}: {}", wrong.field, wrong.reason))?;
    let Some((layout, answer)) = answer else { return Ok(None) };
    let file = name_of(layout, &answer)
        .unwrap_or_else(|| answer_name(name.layout, &name.shown, own, &answer, code));
    fs::create_dir_all(folder)?;
    Ok(Some(write_answer(layout, &answer, &file, folder)?))
}

/// The name of an acknowledgement whose header does not say all of it: the hub of both sides is the
/// file's.
#[must_use]
pub fn answer_name(
    answered: &'static Layout,
    name: &str,
    own: &str,
    answer: &Record,
    code: Code,
) -> String {
    let hub = answer.text("SSIOPHubID").unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    // The answered file's name without its addressee: hub, sender, … and time.
    let ending = name.rsplit_once('.').map_or(answered.code, |(_, ending)| ending);
    let parts: Vec<&str> = stem.split('_').collect();
    let rest = match parts.as_slice() {
        [hub, from, _to, stamp] => format!("{hub}_{from}_{own}_{stamp}"),
        parts => parts.join("_"),
    };
    format!("{hub}_{own}_{rest}_{code}_{ending}.ACK")
}

async fn noted(pool: &PgPool, what: &Named, event: Event, now: Timestamp) -> Answer {
    let Some(actions) = note(pool, (&what.partner, &what.name), event, now).await? else {
        return Err(format!("no file {} was written for {}", what.name, what.partner).into());
    };
    let todo: Vec<String> = actions.into_iter().map(told).collect();
    let object = json!({"file": what.name, "partner": what.partner, "todo": todo});
    say(what.json, &object, || {
        if todo.is_empty() { "noted".to_owned() } else { format!("noted: {}", todo.join("; ")) }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn is_due(pool: &PgPool, json: bool, now: Timestamp) -> Answer {
    let todo = due(pool, now).await?;
    let gaps = gaps(pool).await?;
    let files: Vec<Value> = todo
        .iter()
        .map(|(file, actions)| {
            let actions: Vec<String> = actions.iter().map(|action| told(*action)).collect();
            json!({ "partner": file.partner, "file": file.name, "todo": actions })
        })
        .collect();
    let missing: Vec<Value> = gaps
        .iter()
        .map(|(partner, channel, number)| {
            json!({ "partner": partner, "channel": channel, "number": number })
        })
        .collect();
    say(json, &json!({ "files": files, "missing": missing }), || {
        let mut lines: Vec<String> = todo
            .iter()
            .flat_map(|(file, actions)| actions.iter().map(move |action| (file, *action)))
            .map(|(file, action)| format!("{} for {}: {}", file.name, file.partner, told(action)))
            .collect();
        lines.extend(gaps.iter().map(|(partner, channel, number)| {
            format!("{partner} has not sent {channel} number {number}: ask for it")
        }));
        if lines.is_empty() { "nothing is due".to_owned() } else { lines.join("\n") }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn told(action: Action) -> String {
    match action {
        Action::Send => "send it".to_owned(),
        Action::SendMissing => "send the files before it that the partner lacks".to_owned(),
        Action::Call(Why::Refused(code)) => {
            format!("call a person: the partner refused it ({code})")
        }
        Action::Call(Why::Silence) => "call a person: the partner does not answer".to_owned(),
        Action::Call(Why::Contradiction(code)) => {
            format!("call a person: the partner took it and now says {code}")
        }
    }
}

/// Amounts are plain digits: grouped as papers group them, cents would look like fractions.
pub(super) fn figures_text(figures: Figures) -> String {
    let Figures { records, to_pay, to_give_back } = figures;
    let (to_pay, to_give_back) = (to_pay.minor_units(), to_give_back.minor_units());
    format!(
        "records {records}; in minor units, to be paid {to_pay}, to be given back {to_give_back}"
    )
}

pub(super) fn figures_json(figures: Figures) -> Value {
    json!({
        "records": figures.records,
        "to_pay": figures.to_pay,
        "to_give_back": figures.to_give_back,
    })
}

pub(super) fn refusal_json(file: &str, refusal: &Refusal, answer: Option<Code>) -> Value {
    json!({
        "file": file, "good": false, "taken": false, "answer": answer.map(|code| code.to_string()),
        "line": refusal.line, "record": refusal.record, "field": refusal.field,
        "reason": refusal.reason, "wanted": refusal.wanted,
    })
}

/// A file's name as it may be shown.
fn shown(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    FileName::parse(&name).map_or_else(|_| "the file".to_owned(), |name| name.shown)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn say(json: bool, value: &Value, text: impl FnOnce() -> String) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json { writeln!(out, "{value}") } else { writeln!(out, "{}", text()) }
}
