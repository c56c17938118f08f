//! Takes a partner's file: looked through first, then written in one transaction, or refused with
//! nothing changed but the note of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use domain::Timestamp;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, PgPool};

use super::ExchangeError;
use super::code::Code;
use super::received::{Offer, SizeGuard, Verdict, judge};
use super::repo::{self, CountedBy, Direction, Entry, channel_of};
use super::sent::{Action, Event, handle};
use crate::partner::examine::{Doubles, Examined, Figures, Pass, identity};
use crate::partner::iag;
use crate::partner::layout::{Form, Layout, Order, Roles};
use crate::partner::name::FileName;
use crate::partner::niop;
use crate::partner::record::Record;
use crate::partner::refusal::{Fault, FileError, Refusal, Wrong};

/// A file that asks to be taken, and what the caller says of it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Where it is.
    pub path: PathBuf,
    /// From whom, where the file does not say.
    pub partner: Option<String>,
    /// How many records it has, where the file does not say.
    pub records: Option<u64>,
    /// Whether it is taken though nobody says how many records it has.
    pub uncounted: bool,
    /// How far a whole list may differ in size from the one before.
    pub guard: SizeGuard,
    /// Who we are, where a file that is for somebody else is to be refused.
    pub own: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It was taken.
    Taken {
        /// Its number in the log.
        file_no: i64,
        /// The answer to the partner.
        answer: Code,
        /// What it came to.
        figures: Figures,
        /// Numbers that are missing since.
        missing: BTreeSet<u64>,
        /// What is to be done about a file of ours that it answers.
        actions: Vec<Action>,
    },
    /// It was taken before. Nothing changed.
    Again,
    /// It was refused. Nothing changed.
    Refused {
        /// The answer to the partner.
        answer: Code,
        /// Where it is wrong.
        refusal: Refusal,
    },
}

/// Tells how far a long import is: bytes of how many.
pub type Told<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Takes a file.
///
/// # Errors
/// When the disk or the database fails; a file that is not as it should be is no error.
pub async fn import(
    pool: &PgPool,
    arrival: &Arrival,
    now: Timestamp,
    told: Told<'_>,
) -> Result<Imported, ExchangeError> {
    let name = name_of(&arrival.path);
    let (answer, refusal, kind, shown) = match FileName::parse(&name) {
        Err(refusal) => (Code::File, refusal, String::new(), "(unknown)".to_owned()),
        Ok(name) => match try_import(pool, arrival, &name, now, told).await {
            Ok(imported) => return Ok(imported),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Refused(answer, refusal)) => {
                (answer, refusal, name.layout.code.to_owned(), name.shown)
            }
        },
    };
    let partner = arrival.partner.as_deref().unwrap_or("");
    repo::refuse(pool, (partner, &kind, &shown), (answer, &refusal), now).await?;
    Ok(Imported::Refused { answer, refusal })
}

/// Why an import stops.
pub(super) enum Stop {
    Error(ExchangeError),
    Refused(Code, Refusal),
}

impl From<ExchangeError> for Stop {
    fn from(error: ExchangeError) -> Self {
        Self::Error(error)
    }
}

/// A refusal is answered by its fault; a disk that fails is no refusal.
fn stop(layout: &'static Layout) -> impl Fn(FileError) -> Stop {
    move |error| match error {
        FileError::Io(source) => Stop::Error(ExchangeError::Read(source)),
        FileError::Refused(refusal) => {
            Stop::Refused(Code::of_fault(refusal.fault, layout), *refusal)
        }
    }
}

async fn try_import(
    pool: &PgPool,
    arrival: &Arrival,
    name: &FileName,
    now: Timestamp,
    told: Told<'_>,
) -> Result<Imported, Stop> {
    let layout = name.layout;
    let examined = look_through(&arrival.path, name, told).map_err(stop(layout))?;
    let counted_by = counted(arrival, &examined).map_err(|wrong| stop(layout)(wrong.into()))?;
    is_for_us(arrival, &examined).map_err(|wrong| stop(layout)(wrong.into()))?;
    let partner = partner_of(arrival, &examined).map_err(|wrong| stop(layout)(wrong.into()))?;
    let offer = Offer::of(layout, &examined.header, examined.figures.records);
    let failed = repo::failed;
    let mut connection = pool.acquire().await.map_err(failed("connect"))?;
    let mut tx = connection.begin().await.map_err(failed("begin the import"))?;
    repo::lock_in_tx(&mut tx, Direction::Received, &partner, channel_of(layout)).await?;
    let channel =
        repo::channel_in_tx(&mut tx, Direction::Received, &partner, channel_of(layout)).await?;
    let before = repo::before_in_tx(&mut tx, &partner, &name.shown, &examined, &offer).await?;
    let (answer, missing) = match judge(&channel, &offer, before, arrival.guard) {
        Verdict::Again => return Ok(Imported::Again),
        Verdict::Refuse { answer, reason, wanted } => {
            return Err(Stop::Refused(answer, Refusal::of_file(Fault::File, reason, wanted)));
        }
        Verdict::Take { answer, missing, fills: _ } => (answer, missing),
    };
    let entry = Entry {
        direction: Direction::Received,
        partner: &partner,
        name: &name.shown,
        examined: &examined,
        counted_by,
        answer: Some(answer),
    };
    let file_no = repo::add_in_tx(&mut tx, &entry, &offer, now).await?;
    let actions = if layout.roles.order == Order::Answer {
        answered(&mut tx, &partner, &examined, now).await?
    } else {
        copy(&mut tx, &arrival.path, name, (file_no, &examined), told).await?;
        vec![]
    };
    tx.commit().await.map_err(failed("commit the import"))?;
    Ok(Imported::Taken { file_no, answer, figures: examined.figures, missing, actions })
}

fn look_through(path: &Path, name: &FileName, told: Told<'_>) -> Result<Examined, FileError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut pass = Pass::open(name, file)?;
    let mut record = Record::default();
    while pass.next(&mut record)? {
        if pass.figures().records.is_multiple_of(TOLD_EVERY) {
            told(pass.bytes(), bytes);
        }
    }
    Ok(pass.finish())
}

/// Somebody is told how far it is after so many records.
const TOLD_EVERY: u64 = 50_000;

/// Who counted the records; a file that does not say needs somebody who does.
fn counted(arrival: &Arrival, examined: &Examined) -> Result<CountedBy, Refusal> {
    let found = examined.figures.records;
    match (examined.layout.roles.count, arrival.records) {
        (_, Some(said)) if said != found => {
            let reason = format!("there are {found} records");
            Err(Refusal::of_file(Fault::Count, reason, format!("{said}, as the caller says")))
        }
        (Some(_), _) => Ok(CountedBy::Header),
        (None, Some(_)) => Ok(CountedBy::Caller),
        (None, None) if examined.layout.roles.order == Order::Answer => Ok(CountedBy::Header),
        (None, None) if arrival.uncounted => Ok(CountedBy::Nobody),
        (None, None) => {
            let reason = "the format has no count, so a file that was cut would not be noticed";
            let wanted = "the number of records from the partner, or leave to do without";
            Err(Refusal::of_file(Fault::Count, reason, wanted))
        }
    }
}

fn is_for_us(arrival: &Arrival, examined: &Examined) -> Result<(), Refusal> {
    let addressee = examined.layout.roles.to.and_then(|to| examined.header.text(to));
    match (addressee, arrival.own.as_deref()) {
        (Some(addressee), Some(own)) if addressee != own => {
            let reason = format!("it is for {addressee}");
            Err(Refusal::of_file(Fault::Header, reason, format!("a file for {own}")))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

/// From whom the file is, by its header or by the caller's word; where both say it, they agree.
fn partner_of(arrival: &Arrival, examined: &Examined) -> Result<String, Refusal> {
    let said = examined.layout.roles.from.and_then(|from| examined.header.text(from));
    match (said, arrival.partner.as_deref()) {
        (Some(said), Some(expected)) if said != expected => {
            let reason = format!("it is from {said}");
            Err(Refusal::of_file(Fault::Header, reason, format!("a file from {expected}")))
        }
        (Some(from), _) | (None, Some(from)) => Ok(from.to_owned()),
        (None, None) => {
            let reason = "the format does not say from whom it is";
            Err(Refusal::of_file(Fault::File, reason, "the partner's name from the caller"))
        }
    }
}

/// Writes the records. The file is read again, and must be the same.
pub(super) async fn copy(
    tx: &mut PgConnection,
    path: &Path,
    name: &FileName,
    (file_no, examined): (i64, &Examined),
    told: Told<'_>,
) -> Result<(), Stop> {
    let layout = name.layout;
    let stop = stop(layout);
    let file = File::open(path).map_err(|error| stop(error.into()))?;
    let mut pass = Pass::open(name, file).map_err(&stop)?;
    let mut record = Record::default();
    let mut copying = tx
        .copy_in_raw(
            "copy partner_record (file_no, record_no, identity, to_pay, to_give_back, body) \
             from stdin (format csv)",
        )
        .await
        .map_err(repo::failed("begin to write records"))?;
    let mut rows = Rows::new(file_no, layout);
    while pass.next(&mut record).map_err(&stop)? {
        rows.add(&record).map_err(|wrong| {
            Stop::Refused(Code::Detail, Refusal::of_file(Fault::Detail, wrong.reason, wrong.wanted))
        })?;
        if rows.is_full() {
            let chunk = rows.take();
            copying.send(chunk).await.map_err(|error| doubled(error, layout, examined))?;
            told(pass.bytes(), examined.bytes);
        }
    }
    copying.send(rows.take()).await.map_err(|error| doubled(error, layout, examined))?;
    let written = copying.finish().await.map_err(|error| doubled(error, layout, examined))?;
    let again = pass.finish();
    if again.digest != examined.digest || written != examined.figures.records {
        let reason = "it changed while it was read";
        let refusal =
            Refusal::of_file(Fault::File, reason, "a file that nobody writes to any more");
        return Err(Stop::Refused(Code::File, refusal));
    }
    Ok(())
}

/// What the database refused: a double that was left to it, or else it failed.
fn doubled(error: sqlx::Error, layout: &'static Layout, examined: &Examined) -> Stop {
    let is_double = error.as_database_error().and_then(|error| error.constraint())
        == Some("one_record_per_identity");
    if is_double && examined.doubles == Doubles::LeftToTheDatabase {
        let mut refusal =
            Refusal::of_file(Fault::Detail, "a record stands there twice", "each record once");
        refusal.field = layout.roles.identity.join(" + ");
        return Stop::Refused(Code::Detail, refusal);
    }
    Stop::Error(ExchangeError::Database { what: "write the records", source: error })
}

/// Rows of `partner_record`, as CSV.
struct Rows {
    file_no: i64,
    layout: &'static Layout,
    records: u64,
    csv: csv::Writer<Vec<u8>>,
}

impl Rows {
    /// A chunk is sent when it is at least that long.
    const BYTES: usize = 1 << 18;

    fn new(file_no: i64, layout: &'static Layout) -> Self {
        Self { file_no, layout, records: 0, csv: csv::Writer::from_writer(Vec::new()) }
    }

    fn add(&mut self, record: &Record) -> Result<(), Wrong> {
        self.records += 1;
        let roles: &Roles = &self.layout.roles;
        let mut own = Figures::default();
        own.add(record, roles)?;
        let body: Value = record.to_json(self.layout.record);
        let row = [
            self.file_no.to_string(),
            self.records.to_string(),
            // Nothing is known by nothing: an empty identity would be null.
            format!(
                "{}{}",
                identity(record, roles),
                if roles.identity.is_empty() { "-" } else { "" }
            ),
            own.to_pay.minor_units().to_string(),
            own.to_give_back.minor_units().to_string(),
            body.to_string(),
        ];
        self.csv
            .write_record(&row)
            .map_err(|_in_memory| Wrong::new("", "cannot be written", "a record"))
    }

    fn is_full(&self) -> bool {
        self.csv.get_ref().len() >= Self::BYTES
    }

    fn take(&mut self) -> Vec<u8> {
        let full = std::mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new()));
        full.into_inner().unwrap_or_default()
    }
}

/// Notes the answer to a file of ours.
async fn answered(
    tx: &mut PgConnection,
    partner: &str,
    examined: &Examined,
    now: Timestamp,
) -> Result<Vec<Action>, Stop> {
    let header = &examined.header;
    let text = |path: &str| header.text(path).unwrap_or_default();
    let (code, file) = match examined.layout.form {
        Form::Fixed => {
            let file = repo::named_in_tx(tx, partner, text("ORIG_FILE")).await?;
            (text("RETURN_CODE"), file)
        }
        Form::Xml(_) | Form::Tuples => {
            let kind = text("OrigSubmissionType");
            let stamp = text("OrigSubmissionDateTime");
            (text("AckReturnCode"), repo::timed_in_tx(tx, partner, kind, stamp).await?)
        }
    };
    let Some((code, file)) = Code::parse(code).zip(file) else {
        let reason = "it answers a file that was not sent to that partner";
        let refusal = Refusal::of_file(Fault::File, reason, "an answer to a file of ours");
        return Err(Stop::Refused(Code::File, refusal));
    };
    let event = Event::Answered(code);
    let (after, actions) = handle(file.state, event, now);
    repo::note_in_tx(tx, &file, event, after, now).await?;
    Ok(actions)
}

/// The acknowledgement of a file, where its format has any.
///
/// # Errors
/// When a value of it does not fit the format, such as our own agency's.
pub fn acknowledgement(
    layout: &'static Layout,
    header: &Record,
    name: &str,
    (own, code, now): (&str, Code, Timestamp),
) -> Result<Option<(&'static Layout, Record)>, Wrong> {
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let from = layout.roles.from.and_then(|from| header.text(from)).unwrap_or_default();
    let code = code.to_string();
    let (answer, values) = match (&layout.form, layout.roles.order) {
        (_, Order::Answer) | (Form::Tuples, _) => return Ok(None),
        (Form::Fixed, _) => (
            &iag::layout::ACK,
            serde_json::json!({
                "FILE_TYPE": "ACK", "VERSION": "01.60.02", "FROM_AGENCY": own, "TO_AGENCY": from,
                "ORIG_FILE": name, "FILE_DATE_TIME": now, "RETURN_CODE": code,
            }),
        ),
        (Form::Xml(_), _) => (
            &niop::layout::ACK,
            serde_json::json!({
                "SubmissionType": "ACK", "OrigSubmissionType": layout.code,
                "OrigSubmissionDateTime": header.text("SubmissionDateTime"),
                "SSIOPHubID": header.text("SSIOPHubID"), "FromAgencyID": from, "ToAgencyID": own,
                "AckDateTime": now, "AckReturnCode": code,
            }),
        ),
    };
    Record::from_json(&values, answer.header).map(|record| Some((answer, record)))
}

/// Looks a file through, without taking it.
///
/// # Errors
/// When it is not as it should be, or the disk fails.
pub fn check(path: &Path, told: Told<'_>) -> Result<(FileName, Examined), FileError> {
    let name = FileName::parse(&name_of(path))?;
    let examined = look_through(path, &name, told)?;
    Ok((name, examined))
}

/// The header alone, for the answer to a file whose records are wrong.
///
/// # Errors
/// When the header is wrong as well, or the disk fails.
pub fn header_of(path: &Path) -> Result<(FileName, Record), FileError> {
    let name = FileName::parse(&name_of(path))?;
    let reader = crate::partner::file::Reader::open(
        name.layout,
        std::io::BufReader::new(File::open(path)?),
    )?;
    let header = reader.header().clone();
    Ok((name, header))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
