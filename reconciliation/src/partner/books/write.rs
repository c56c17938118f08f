//! Writes a partner's file of our own books: read as a stream, put beside as records, and handed to the
//! exchange, which numbers, checks and logs it.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use domain::{BusinessDate, IssuerId, OperatorId, Timestamp};
use futures::TryStreamExt as _;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tempfile::NamedTempFile;

use super::repo::Wanted;
use super::vetc::{self, StationLanes};
use super::{Agencies, Agency, Of, Parties, Unnamed, changes, decision, repo, tag, transaction};
use crate::partner::exchange::ExchangeError;
use crate::partner::exchange::export::{Exported, Origin, Parcel, export, finish, is_in_folder};
use crate::partner::layout::{Form, Layout, Order as Place};
use crate::partner::refusal::Refusal;

/// What is to be written, and for whom.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The kind of file.
    pub layout: &'static Layout,
    /// What of.
    pub of: Of,
    /// For whom, where what it is of does not say.
    pub partner: Option<String>,
    /// Where it is put.
    pub folder: &'a Path,
}

/// What became of it.
#[derive(Debug)]
pub enum Written {
    /// It is there.
    Now {
        /// The file.
        file: Exported,
        /// Charges that no record could be written of, having no tag: how many, and how much.
        without_tag: (i64, i64),
    },
    /// A file was written of the same before: its name.
    Before(String),
    /// The layout cannot hold what the books have.
    Refused(Refusal),
    /// There is nothing to write.
    Nothing,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The configuration does not name somebody.
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    /// The kind is not one that is written of this.
    #[error("{kind} is not written of that: {wanted}")]
    Kind {
        /// The kind.
        kind: &'static str,
        /// What would be right.
        wanted: &'static str,
    },
    /// More may be posted into the day.
    #[error("{day} of {operator} is not closed: more may be posted into it")]
    Open {
        /// The operator.
        operator: OperatorId,
        /// The day.
        day: BusinessDate,
    },
    /// Nobody says for whom a list is.
    #[error("nobody says for whom the list is")]
    ForWhom,
    /// There is no list of the books that could be changed.
    #[error(
        "{partner}'s last list is none of the books' tags of {issuer} that could be changed: write a \
         whole {whole} first"
    )]
    NoList {
        /// For whom.
        partner: String,
        /// Whose tags.
        issuer: IssuerId,
        /// The kind of a whole list.
        whole: &'static str,
    },
    /// The partner has not said that it has the list that would be changed.
    #[error(
        "{partner} has not acknowledged {file} ({state}), and a change of a list that it lacks says \
         nothing: wait for its answer, or write a whole {whole}"
    )]
    ListNotTaken {
        /// For whom.
        partner: String,
        /// The list.
        file: String,
        /// What became of it.
        state: String,
        /// The kind of a whole list.
        whole: &'static str,
    },
    /// No list can tell two tags apart.
    #[error(
        "two tags of the issuer have one serial, the last four bytes: no list can tell them apart"
    )]
    SameSerial,
    /// The operator is unknown, or has a zone that is none.
    #[error("the books have no calendar of {0}")]
    Calendar(OperatorId),
    /// The disk failed.
    #[error("put the records beside")]
    Disk(#[from] std::io::Error),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// Writes a file of the books.
///
/// # Errors
/// When the configuration does not name a party, the day is open, or the disk or the database fails.
pub async fn write(
    pool: &PgPool,
    agencies: &Agencies,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Written, WriteError> {
    let mut header = header(agencies, order, now)?;
    let to = order.layout.roles.to.and_then(|to| header.get(to)).and_then(Value::as_str);
    let station = match &order.of {
        Of::Station { station, .. } => Some(station.as_str()),
        Of::Day { .. } | Of::Tags { .. } | Of::Changes { .. } | Of::Decisions { .. } => None,
    };
    let partner =
        order.partner.as_deref().or(to).or(station).ok_or(WriteError::ForWhom)?.to_owned();
    let of = order.of.name(now);
    let kind = order.layout.code;
    fs::create_dir_all(order.folder)?;
    // What was written before may be there under its other name, where that run was stopped.
    finish(pool, order.folder).await?;
    if let Some(name) = repo::written(pool, (kind, &partner, &of)).await? {
        return Ok(Written::Before(name));
    }
    let base = match order.of {
        Of::Changes { ref issuer } => {
            Some(changes::base(pool, order.layout, (&partner, issuer)).await?)
        }
        Of::Day { .. } | Of::Station { .. } | Of::Tags { .. } | Of::Decisions { .. } => None,
    };
    if let Some((field, base)) = named_list(order.layout).zip(base.as_ref()) {
        header.insert(field.to_owned(), json!(base.list));
    }
    let records = NamedTempFile::new()?;
    let (count, without_tag) = put_beside(pool, agencies, (order, &partner), &records).await?;
    if count == 0 {
        return Ok(Written::Nothing);
    }
    let parcel = Parcel {
        layout: order.layout,
        records: records.path().to_owned(),
        header,
        partner: Some(partner),
        name: name(pool, order, now).await?,
        folder: order.folder.to_owned(),
        of: Some(Origin { name: of, issuer: order.of.issuer_of_tags().cloned() }),
        on_top_of: base.map(|base| base.stamp),
    };
    Ok(match export(pool, &parcel, now).await? {
        Ok(file) => Written::Now { file, without_tag },
        Err(refusal) => Written::Refused(refusal),
    })
}

/// The field in which a change names its list.
fn named_list(layout: &'static Layout) -> Option<&'static str> {
    match layout.roles.order {
        Place::Change { of } | Place::WholeOrChange { of, .. } => Some(of),
        Place::Numbered(_) | Place::Whole | Place::Answer | Place::Alone => None,
    }
}

/// The file's name, where its header does not say it.
async fn name(
    pool: &PgPool,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Option<String>, WriteError> {
    let Of::Station { operator, .. } = &order.of else { return Ok(None) };
    let zone = zone(pool, operator).await?;
    let is_taken = async |name: &str| {
        Ok::<_, WriteError>(
            is_in_folder(order.folder, name)? || repo::is_name_of_sent(pool, name).await?,
        )
    };
    Ok(Some(vetc::free_name(order.layout, now, &zone, is_taken).await?))
}

/// The kinds that are written of each.
fn wrong_kind(order: &Order<'_>) -> Option<WriteError> {
    let kind = order.layout.code;
    let (kinds, wanted): (&[&str], _) = match order.of {
        Of::Day { .. } => {
            (&["STRAN", "SCORR", "ICTX", "ITXC"], "STRAN, SCORR, ICTX and ITXC are of a day")
        }
        Of::Station { .. } => {
            (&["ETAG", "TRANSFERSPECIAL"], "ETAG and TRANSFERSPECIAL are of a station's day")
        }
        Of::Tags { .. } => (&["STVL", "ITAG", "ICLP"], "STVL, ITAG and ICLP are of tags"),
        Of::Changes { .. } => {
            (&["STVL", "ITGU"], "ITGU and DTVL are changes of tags; no format has one of plates")
        }
        Of::Decisions { .. } => {
            (&["SRECON", "ICRX", "IRXC"], "SRECON, ICRX and IRXC answer a file")
        }
    };
    (!kinds.contains(&kind)).then_some(WriteError::Kind { kind, wanted })
}

fn header(
    agencies: &Agencies,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Map<String, Value>, WriteError> {
    if let Some(wrong) = wrong_kind(order) {
        return Err(wrong);
    }
    let own = agencies.own.as_str();
    let to = match &order.of {
        Of::Day { issuer, .. } => Some(agencies.issuer(issuer)?.as_str()),
        Of::Station { .. } | Of::Tags { .. } | Of::Changes { .. } => None,
        Of::Decisions { .. } => Some(order.partner.as_deref().ok_or(WriteError::ForWhom)?),
    };
    let mut header = Map::new();
    let mut set = |field: &str, value: Value| drop(header.insert(field.to_owned(), value));
    match (&order.layout.form, &order.of) {
        (Form::Xml(_), of) => {
            set("SSIOPHubID", json!(agencies.hub()?.as_str()));
            match of {
                Of::Day { .. } => {
                    set("AwayAgencyID", json!(own));
                    set("HomeAgencyID", json!(to));
                }
                Of::Decisions { .. } => {
                    set("AwayAgencyID", json!(to));
                    set("HomeAgencyID", json!(own));
                }
                Of::Tags { .. } => {
                    set("HomeAgencyID", json!(own));
                    set("BulkIndicator", json!("B"));
                    // Grows with time, as each whole list is another.
                    set("BulkIdentifier", json!((now.as_second() / 60).to_string()));
                }
                Of::Changes { .. } => {
                    set("HomeAgencyID", json!(own));
                    set("BulkIndicator", json!("D"));
                }
                Of::Station { .. } => {}
            }
        }
        (Form::Tuples, _) => {}
        (Form::Fixed, _) => {
            set("FROM_AGENCY", json!(own));
            if let Some(to) = to {
                set("TO_AGENCY", json!(to));
            }
        }
    }
    Ok(header)
}

/// Streams the records into a file of a name that nobody knows, one JSON object a line; says how many.
async fn put_beside(
    pool: &PgPool,
    agencies: &Agencies,
    (order, partner): (&Order<'_>, &str),
    records: &NamedTempFile,
) -> Result<(u64, (i64, i64)), WriteError> {
    let mut out = BufWriter::new(records.as_file());
    let mut count = 0;
    let mut put = |value: Value| {
        count += 1;
        writeln!(out, "{value}")
    };
    let mut without_tag = (0, 0);
    let mut connection =
        pool.acquire().await.map_err(crate::partner::exchange::repo::failed("connect"))?;
    match &order.of {
        Of::Day { operator, issuer, day } => {
            let parties = parties(pool, agencies, (operator, issuer, *day)).await?;
            let is_correction = matches!(order.layout.code, "SCORR" | "ITXC");
            let mut rows = if is_correction {
                repo::corrections(&mut connection, (operator, issuer, *day))
            } else {
                let wanted = (operator, Wanted::ChargedTo(issuer), *day);
                without_tag = repo::without_tag(pool, wanted).await?;
                repo::transactions(&mut connection, wanted)
            };
            while let Some(passage) = rows.try_next().await? {
                if let Some(passage) = passage {
                    put(transaction(order.layout, &passage, &parties))?;
                }
            }
        }
        Of::Station { operator, station, day } => {
            let lanes = StationLanes::try_new(operator, station, &agencies.lanes)?;
            let zone = zone_of_closed(pool, operator, *day).await?;
            let wanted = match order.layout.code {
                "TRANSFERSPECIAL" => Wanted::ExemptAt(station),
                _ => Wanted::ChargedAt(station),
            };
            without_tag = repo::without_tag(pool, (operator, wanted, *day)).await?;
            let mut rows = repo::transactions(&mut connection, (operator, wanted, *day));
            while let Some(passage) = rows.try_next().await? {
                if let Some(passage) = passage {
                    put(vetc::transaction(order.layout, &passage, &lanes, &zone)?)?;
                }
            }
        }
        Of::Changes { issuer } => {
            let parties = of_tags(agencies, issuer)?;
            drop(connection);
            changes::put_changes(pool, (order.layout, partner), (issuer, &parties), put).await?;
        }
        Of::Tags { issuer } => {
            let parties = of_tags(agencies, issuer)?;
            let mut rows = repo::tags(&mut connection, issuer);
            while let Some(one) = rows.try_next().await? {
                put(tag(order.layout, &one, &parties))?;
            }
        }
        Of::Decisions { file_no } => {
            let own: &Agency = &agencies.own;
            let mut rows = repo::decisions(&mut connection, *file_no);
            while let Some(decided) = rows.try_next().await? {
                put(decision(order.layout, &decided, own))?;
            }
        }
    }
    out.flush()?;
    Ok((count, without_tag))
}

async fn parties<'a>(
    pool: &PgPool,
    agencies: &'a Agencies,
    (operator, issuer, day): (&'a OperatorId, &IssuerId, BusinessDate),
) -> Result<Parties<'a>, WriteError> {
    Ok(Parties {
        own: &agencies.own,
        tags: agencies.issuer(issuer)?,
        road: Some((agencies.operator(operator)?, operator)),
        zone: zone_of_closed(pool, operator, day).await?,
    })
}

fn of_tags<'a>(agencies: &'a Agencies, issuer: &IssuerId) -> Result<Parties<'a>, WriteError> {
    let (own, tags) = (&agencies.own, agencies.issuer(issuer)?);
    Ok(Parties { own, tags, road: None, zone: TimeZone::UTC })
}

/// An operator's zone.
async fn zone(pool: &PgPool, operator: &OperatorId) -> Result<TimeZone, WriteError> {
    let unknown = || WriteError::Calendar(operator.clone());
    let (zone, _cut_off) = repo::calendar(pool, operator).await?.ok_or_else(unknown)?;
    TimeZone::get(&zone).map_err(|_unknown| unknown())
}

/// The same, where a day takes no more postings.
async fn zone_of_closed(
    pool: &PgPool,
    operator: &OperatorId,
    day: BusinessDate,
) -> Result<TimeZone, WriteError> {
    let zone = zone(pool, operator).await?;
    if !repo::is_closed(pool, operator, day).await? {
        return Err(WriteError::Open { operator: operator.clone(), day });
    }
    Ok(zone)
}
