//! Writes a file for a partner: numbered, whole or not at all, and in the log before anybody can
//! send it.
//!
//! The bytes are complete on the disk under a name ending in `.part` before the log has the file,
//! and get their own name after it. A run that is stopped between the two is finished by the next.

use std::fs::{self, File};
use std::io::{BufRead, BufWriter};
use std::path::{Path, PathBuf};

use domain::{IssuerId, Timestamp};
use serde_json::{Map, Value, json};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::ExchangeError;
use super::import::{self, copy};
use super::listed;
use super::received::Offer;
use super::repo::{self, CountedBy, Direction, Entry, SentFile, channel_of};
use super::sent::{Action, Event, State, handle};
use crate::partner::examine::{Examined, examine};
use crate::partner::file::Writer;
use crate::partner::layout::{Element, Form, Layout, Order, fields};
use crate::partner::name::{FileName, name_of};
use crate::partner::record::Record;
use crate::partner::refusal::{Fault, FileError, Place, Refusal, Wrong};

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The kind of file.
    pub layout: &'static Layout,
    /// Its records, one JSON object a line.
    pub records: PathBuf,
    /// The header's values that are neither its number, its count nor its time.
    pub header: Map<String, Value>,
    /// For whom, where the header does not say.
    pub partner: Option<String>,
    /// The file's name, where the header does not say it.
    pub name: Option<String>,
    /// Where files for partners are put.
    pub folder: PathBuf,
    /// What it is written of, where no second file may be written of the same: its records are kept.
    pub of: Option<Origin>,
    /// The time of the list that it changes, where that must be the last one still.
    pub on_top_of: Option<String>,
}

/// What of our books a file is written of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it is called in the log.
    pub name: String,
    /// Whose tags, where it is a list.
    pub issuer: Option<IssuerId>,
}

/// A file that was written.
#[derive(Debug, Clone)]
pub struct Exported {
    /// Its number in the log.
    pub file_no: i64,
    /// Where it is.
    pub path: PathBuf,
    /// What it came to.
    pub examined: Examined,
}

/// Writes a file for a partner.
///
/// # Errors
/// When a record or the header is not as the layout says, in which case nothing is left, or the
/// disk or the database fails.
pub async fn export(
    pool: &PgPool,
    parcel: &Parcel,
    now: Timestamp,
) -> Result<Result<Exported, Refusal>, ExchangeError> {
    finish(pool, &parcel.folder).await?;
    let mut connection = pool.acquire().await.map_err(repo::failed("connect"))?;
    match try_export(&mut connection, parcel, now).await {
        Ok(exported) => Ok(Ok(exported)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stop::Error(error)) => Err(error),
    }
}

/// Why an export stops.
pub(super) enum Stop {
    Error(ExchangeError),
    Refused(Refusal),
}

impl From<ExchangeError> for Stop {
    fn from(error: ExchangeError) -> Self {
        Self::Error(error)
    }
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(source) => Self::Error(ExchangeError::Write(source)),
            FileError::Refused(refusal) => Self::Refused(*refusal),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(source: std::io::Error) -> Self {
        Self::Error(ExchangeError::Write(source))
    }
}

async fn try_export(
    connection: &mut PgConnection,
    parcel: &Parcel,
    now: Timestamp,
) -> Result<Exported, Stop> {
    let layout = parcel.layout;
    let records = count(&parcel.records)?;
    let to = layout.roles.to.and_then(|to| parcel.header.get(to)).and_then(Value::as_str);
    let Some(partner) = parcel.partner.as_deref().or(to) else {
        let reason = "nobody says for whom it is";
        return Err(Refusal::of_file(Fault::Header, reason, "the partner's name").into_stop());
    };
    let mut tx = connection.begin().await.map_err(repo::failed("begin the export"))?;
    repo::lock_in_tx(&mut tx, Direction::Sent, partner, channel_of(layout)).await?;
    let channel =
        repo::channel_in_tx(&mut tx, Direction::Sent, partner, channel_of(layout)).await?;
    let header = header(parcel, records, channel.last + 1, now)
        .map_err(|wrong| Stop::Refused(Refusal::of_value(wrong, Place::default())))?;
    let Some(name) = name_of(layout, &header).or_else(|| parcel.name.clone()) else {
        let reason = "its header does not say its name";
        return Err(Refusal::of_file(Fault::File, reason, "the name from the caller").into_stop());
    };
    let parsed = FileName::parse(&name).map_err(Stop::Refused)?;
    if Path::new(&name).file_name().is_none_or(|own| own != name.as_str()) {
        let refusal = Refusal::of_file(Fault::File, "its name is a path", "a name without folders");
        return Err(refusal.into_stop());
    }
    if !std::ptr::eq(parsed.layout, layout) {
        let reason = format!("its name {} is one of another kind", parsed.shown);
        let refusal = Refusal::of_file(Fault::File, reason, format!("a {}", layout.code));
        return Err(refusal.into_stop());
    }
    if repo::named_in_tx(&mut tx, partner, &parsed.shown).await?.is_some() {
        let reason = format!("a file {} was written for {partner} before", parsed.shown);
        let wanted = "another time or name";
        return Err(Refusal::of_file(Fault::File, reason, wanted).into_stop());
    }
    listed::may_follow(parcel, channel.list.as_ref(), &header)?;
    let path = parcel.folder.join(&name);
    let (part, out) = claim(&parcel.folder, &name)?;
    let written = write(parcel, &header, out);
    let logged = match written {
        Ok(()) => log(&mut tx, parcel, (partner, &parsed, &header), &part, now).await,
        Err(stop) => Err(stop),
    };
    let (file_no, examined) = match logged {
        Ok(logged) => logged,
        Err(stop) => {
            // It may not be there yet; what is there is of no use to anybody.
            drop(fs::remove_file(&part));
            return Err(stop);
        }
    };
    tx.commit().await.map_err(repo::failed("commit the export"))?;
    fs::rename(&part, &path)?;
    sync_folder(&parcel.folder)?;
    Ok(Exported { file_no, path, examined })
}

/// Where a file is before it has its name.
fn part_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.part"))
}

/// Whether a folder has a file of that name, or one that will be called so.
pub(in crate::partner) fn is_in_folder(folder: &Path, name: &str) -> std::io::Result<bool> {
    Ok(folder.join(name).try_exists()? || part_of(folder, name).try_exists()?)
}

/// Begins the file under its other name. Who has that one alone may give the name, so no file takes
/// another's place.
fn claim(folder: &Path, name: &str) -> Result<(PathBuf, File), Stop> {
    let taken = || {
        let reason = format!("{name} is in the folder already, or another run writes it");
        Refusal::of_file(Fault::File, reason, "another time or name").into_stop()
    };
    let part = part_of(folder, name);
    let out = match File::create_new(&part) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken()),
        out => out?,
    };
    if folder.join(name).try_exists()? {
        fs::remove_file(&part)?;
        return Err(taken());
    }
    Ok((part, out))
}

/// Reads the file that was written as a partner would, and adds it to the log.
async fn log(
    tx: &mut PgConnection,
    parcel: &Parcel,
    (partner, name, header): (&str, &FileName, &Record),
    part: &Path,
    now: Timestamp,
) -> Result<(i64, Examined), Stop> {
    let examined = examine(name, File::open(part)?)?;
    let counted_by = match parcel.layout.roles.count {
        Some(_) => CountedBy::Header,
        None => CountedBy::Caller,
    };
    let entry = Entry {
        direction: Direction::Sent,
        partner,
        name: &name.shown,
        examined: &examined,
        counted_by,
        answer: None,
    };
    let offer = Offer::of(parcel.layout, header, examined.figures.records);
    let file_no = repo::add_in_tx(tx, &entry, &offer, now).await?;
    if let Some(of) = &parcel.of {
        repo::add_origin_in_tx(tx, (file_no, parcel.layout.code, partner), &of.name).await?;
        listed::note_in_tx(tx, parcel, (partner, of.issuer.as_ref()), &offer).await?;
        if parcel.layout.roles.amount.is_some() {
            copy(tx, part, name, (file_no, &examined), &mut |_, _| ()).await.map_err(|stop| {
                match stop {
                    import::Stop::Error(error) => Stop::Error(error),
                    import::Stop::Refused(_, refusal) => Stop::Refused(refusal),
                }
            })?;
        }
    }
    Ok((file_no, examined))
}

impl Refusal {
    pub(super) fn into_stop(self) -> Stop {
        Stop::Refused(self)
    }
}

/// How many lines there are with something on them.
fn count(path: &Path) -> Result<u64, Stop> {
    let mut records = 0;
    for line in std::io::BufReader::new(File::open(path)?).lines() {
        records += u64::from(!line?.trim().is_empty());
    }
    Ok(records)
}

/// The header: what the caller says, and what the exchange does.
fn header(parcel: &Parcel, records: u64, number: u64, now: Timestamp) -> Result<Record, Wrong> {
    let roles = &parcel.layout.roles;
    let mut values = parcel.header.clone();
    let mut set = |field: Option<&'static str>, value: Value| {
        if let Some(field) = field {
            values.entry(field).or_insert(value);
        }
    };
    set(roles.count, json!(records.to_string()));
    set(roles.stamp, json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    if let Order::Numbered(field) = roles.order {
        set(Some(field), json!(number.to_string()));
    }
    // What can have one value only has it.
    let only = |element: &Element| match element {
        Element::Field(field) => field.kind.only().map(|value| (field.name, value)),
        Element::Group { .. } => None,
    };
    for (field, value) in parcel.layout.header.iter().filter_map(only) {
        values.entry(field).or_insert(json!(value));
    }
    Record::from_json(&Value::Object(values), parcel.layout.header)
}

/// Writes all of it and waits until it is on the disk.
fn write(parcel: &Parcel, header: &Record, out: File) -> Result<(), Stop> {
    let layout = parcel.layout;
    let out = BufWriter::with_capacity(1 << 16, out);
    let mut writer = Writer::open(layout, header, out)?;
    let lines = std::io::BufReader::new(File::open(&parcel.records)?).lines();
    for (number, line) in (1..).zip(lines) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let refuse = |wrong: Wrong| {
            let place = Place { line: number, record: number };
            Stop::Refused(Refusal::of_value(wrong, place))
        };
        let value: Value = serde_json::from_str(&line).map_err(|error| {
            // What the parser says is not passed on: it quotes.
            let reason = format!("is no JSON from column {} on", error.column());
            refuse(Wrong::new("", reason, "one object a line"))
        })?;
        let record = Record::from_json(&value, layout.record).map_err(refuse)?;
        (layout.rule)(&record).map_err(refuse)?;
        writer.write(&record)?;
    }
    let out = writer.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    out.sync_all()?;
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<(), Stop> {
    Ok(File::open(folder)?.sync_all()?)
}

/// Gives their names to files that were logged by a run that was stopped then.
///
/// # Errors
/// When the disk or the database fails.
pub async fn finish(pool: &PgPool, folder: &Path) -> Result<(), ExchangeError> {
    let mut connection = pool.acquire().await.map_err(repo::failed("connect"))?;
    let open = repo::open_in_tx(&mut connection).await?;
    for entry in fs::read_dir(folder).map_err(ExchangeError::Write)? {
        let part = entry.map_err(ExchangeError::Write)?.path();
        let path = part.with_extension("");
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let is_part = part.extension().is_some_and(|extension| extension == "part");
        let Some(name) = name.filter(|_| is_part).and_then(|name| FileName::parse(&name).ok())
        else {
            continue;
        };
        // Only what the log has: the bytes of a run that was not logged are another file's.
        let Ok(examined) = File::open(&part).map_err(FileError::Io).and_then(|f| examine(&name, f))
        else {
            continue;
        };
        let is_logged = open.iter().any(|file| {
            file.state == State::Written
                && file.name == name.shown
                && file.digest == examined.digest
        });
        if is_logged && !path.exists() {
            fs::rename(&part, &path).map_err(ExchangeError::Write)?;
        }
    }
    Ok(())
}

/// Notes that a partner has a file, or should get it again.
///
/// # Errors
/// When the database fails.
pub async fn note(
    pool: &PgPool,
    (partner, name): (&str, &str),
    event: Event,
    now: Timestamp,
) -> Result<Option<Vec<Action>>, ExchangeError> {
    let mut tx = pool.begin().await.map_err(repo::failed("begin the note"))?;
    let Some(file) = repo::named_in_tx(&mut tx, partner, name).await? else { return Ok(None) };
    let (after, actions) = handle(file.state, event, now);
    repo::note_in_tx(&mut tx, &file, event, after, now).await?;
    tx.commit().await.map_err(repo::failed("commit the note"))?;
    Ok(Some(actions))
}

/// What is to be done about files that were sent, now: each with its actions.
///
/// # Errors
/// When the database fails.
pub async fn due(
    pool: &PgPool,
    now: Timestamp,
) -> Result<Vec<(SentFile, Vec<Action>)>, ExchangeError> {
    let mut tx = pool.begin().await.map_err(repo::failed("begin the look"))?;
    let mut todo = Vec::new();
    for file in repo::open_in_tx(&mut tx).await? {
        let (after, actions) = handle(file.state, Event::Due, now);
        if after != file.state {
            repo::note_in_tx(&mut tx, &file, Event::Due, after, now).await?;
        }
        if !actions.is_empty() {
            todo.push((file, actions));
        }
    }
    tx.commit().await.map_err(repo::failed("commit the look"))?;
    Ok(todo)
}

/// Numbers that partners jumped over and have not sent since: partner, channel, number.
///
/// # Errors
/// When the database fails.
pub async fn gaps(pool: &PgPool) -> Result<Vec<(String, String, i64)>, ExchangeError> {
    repo::gaps(pool).await
}

/// Writes a file that is no part of a numbered exchange, such as an acknowledgement.
///
/// # Errors
/// When the header is not as the layout says, or the disk fails.
pub fn write_answer(
    layout: &'static Layout,
    header: &Record,
    name: &str,
    folder: &Path,
) -> Result<PathBuf, FileError> {
    let part = folder.join(format!("{name}.part"));
    let out = BufWriter::new(File::create(&part)?);
    let out = Writer::open(layout, header, out)?.finish()?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    let path = folder.join(name);
    fs::rename(&part, &path)?;
    Ok(path)
}

/// Whether a layout's header has fields that a caller must say.
#[must_use]
pub fn asked_of_callers(layout: &'static Layout) -> Vec<&'static str> {
    let roles = &layout.roles;
    let ours = [roles.count, roles.stamp];
    let is_ours = |name: &str| {
        ours.contains(&Some(name)) || matches!(roles.order, Order::Numbered(field) if field == name)
    };
    if matches!(layout.form, Form::Tuples) {
        return vec![];
    }
    fields(layout.header)
        .filter(|field| field.kind.only().is_none() && !is_ours(field.name))
        .map(|field| field.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, name) = (folder.path(), "ETAG_ALL_000_20260303190059.txt");
        assert!(!is_in_folder(folder, name).unwrap());
        let (part, _out) = claim(folder, name).ok().unwrap();
        // Another run, while this one writes and when it has.
        assert!(matches!(claim(folder, name), Err(Stop::Refused(_))) && part.exists());
        assert!(is_in_folder(folder, name).unwrap());
        fs::rename(&part, folder.join(name)).unwrap();
        assert!(matches!(claim(folder, name), Err(Stop::Refused(_))) && !part.exists());
        assert!(is_in_folder(folder, name).unwrap());
    }
}
