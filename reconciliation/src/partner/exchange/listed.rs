//! What each partner was last told of each tag, by lists of our own books: kept in the transaction that logs
//! the list, as it is what the next changes are made of. The files themselves are the proof of it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};

use domain::IssuerId;
use serde_json::Value;
use sqlx::PgConnection;

use super::export::{Parcel, Stop};
use super::received::{List, Listing, Offer};
use super::repo::{self, channel_of};
use crate::partner::layout::Layout;
use crate::partner::record::Record;
use crate::partner::refusal::{Fault, Refusal};

/// So many tags are noted at a time.
const AT_A_TIME: usize = 5_000;

/// Whether a list of the books may follow the last one: it is later, and a change is of that very one.
pub(super) fn may_follow(
    parcel: &Parcel,
    last: Option<&List>,
    header: &Record,
) -> Result<(), Stop> {
    let stamp = parcel.layout.roles.stamp.and_then(|stamp| header.text(stamp)).unwrap_or_default();
    let is_list = Offer::of(parcel.layout, header, 0).listing.is_some();
    if let Some(last) =
        last.filter(|last| parcel.of.is_some() && is_list && stamp <= last.stamp.as_str())
    {
        let reason = format!("its time {stamp} is not after the last list's");
        let wanted = format!("a time after {}", last.stamp);
        return Err(Refusal::of_file(Fault::Date, reason, wanted).into_stop());
    }
    match (&parcel.on_top_of, last) {
        (Some(base), Some(last)) if *base != last.stamp => {
            let reason =
                format!("it changes the list of {base}, and another was written meanwhile");
            let wanted = format!("the changes since the list of {}", last.stamp);
            Err(Refusal::of_file(Fault::File, reason, wanted).into_stop())
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// The field of a tag's serial, in lists of tags.
fn serial_field(layout: &'static Layout) -> Option<&'static str> {
    match layout.code {
        "ITAG" | "ITGU" => Some("TAG_SERIAL"),
        "STVL" => Some("TagSerialNumber"),
        _ => None,
    }
}

/// Notes what the partner is told by a list.
pub(super) async fn note_in_tx(
    tx: &mut PgConnection,
    parcel: &Parcel,
    (partner, issuer): (&str, Option<&IssuerId>),
    offer: &Offer,
) -> Result<(), Stop> {
    let (Some(field), Some(listing), Some(issuer)) =
        (serial_field(parcel.layout), &offer.listing, issuer)
    else {
        return Ok(());
    };
    let channel = channel_of(parcel.layout);
    if matches!(listing, Listing::Whole(_)) {
        repo::forget_listed_in_tx(tx, (partner, channel)).await?;
    }
    let of = (partner, channel, issuer);
    let mut said = Vec::new();
    for line in BufReader::new(File::open(&parcel.records)?).lines() {
        let line = line?;
        let record: Value = serde_json::from_str(&line).unwrap_or_default();
        let serial =
            record.get(field).and_then(Value::as_str).and_then(|serial| serial.parse().ok());
        // Each line was read as a record of the layout before.
        let Some(serial) = serial else { continue };
        let is_gone = record.get("STATUS").and_then(Value::as_str) == Some("4");
        said.push((serial, (!is_gone).then_some(line)));
        if said.len() == AT_A_TIME {
            repo::say_listed_in_tx(tx, of, std::mem::take(&mut said)).await?;
        }
    }
    Ok(repo::say_listed_in_tx(tx, of, said).await?)
}
