//! What changed in a list since a partner's last one: what it was told of each tag beside what the books say
//! now, both in the order of serials, so that neither is ever in memory.
//!
//! A change is made on top of the last list, and only where the partner has acknowledged that one: on top of
//! a list that it does not have, or of another issuer's tags, a change says nothing or what is wrong. IAG has a word for a tag that is gone (status 4);
//! NIOP has none, and such a tag is told as invalid.

use futures::TryStreamExt as _;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::repo::{self, LastList};
use super::write::WriteError;
use super::{Parties, tag};
use crate::partner::exchange::repo::{channel_of, failed};
use crate::partner::layout::{Form, Layout};
use domain::IssuerId;

/// The list that changes of an issuer's tags are made on top of: the last one, if it was of these.
pub(super) async fn base(
    pool: &PgPool,
    layout: &'static Layout,
    (partner, issuer): (&str, &IssuerId),
) -> Result<LastList, WriteError> {
    let whole = match layout.form {
        Form::Xml(_) => "STVL",
        Form::Fixed | Form::Tuples => "ITAG",
    };
    let partner_name = || partner.to_owned();
    let last = repo::last_list(pool, (partner, channel_of(layout)), issuer).await?;
    let last = last.filter(|last| last.is_ours);
    let none = || WriteError::NoList { partner: partner_name(), issuer: issuer.clone(), whole };
    let last = last.ok_or_else(none)?;
    if last.state != "acknowledged" {
        let LastList { file, state, .. } = last;
        return Err(WriteError::ListNotTaken { partner: partner_name(), file, state, whole });
    }
    Ok(last)
}

/// What a partner must be told of a tag that it was told of before, or not; nothing where it knows.
fn change(layout: &'static Layout, said: Option<Value>, now: Option<Value>) -> Option<Value> {
    match (said, now) {
        (Some(said), Some(now)) if said == now => None,
        (Some(_) | None, Some(now)) => Some(now),
        (Some(mut gone), None) => {
            let (field, value) = match layout.form {
                Form::Xml(_) => ("TagStatus", "I"),
                Form::Fixed | Form::Tuples => ("STATUS", "4"),
            };
            let was = gone.get_mut(field)?;
            if *was == value {
                return None;
            }
            *was = json!(value);
            Some(gone)
        }
        (None, None) => None,
    }
}

/// Puts each change, by serial.
pub(super) async fn put_changes(
    pool: &PgPool,
    (layout, partner): (&'static Layout, &str),
    (issuer, parties): (&IssuerId, &Parties<'_>),
    mut put: impl FnMut(Value) -> std::io::Result<()>,
) -> Result<(), WriteError> {
    let mut of_books = pool.acquire().await.map_err(failed("connect"))?;
    let mut of_lists = pool.acquire().await.map_err(failed("connect"))?;
    let mut tags = repo::tags(&mut of_books, issuer);
    let mut told = repo::listed(&mut of_lists, (partner, channel_of(layout)), issuer);
    let (mut one, mut said) = (tags.try_next().await?, told.try_next().await?);
    loop {
        let serials =
            (one.as_ref().map(|one| one.serial), said.as_ref().map(|(serial, _)| *serial));
        let Some(serial) = [serials.0, serials.1].into_iter().flatten().min() else {
            return Ok(());
        };
        let mut now = None;
        if serials.0 == Some(serial) {
            now = one.map(|one| tag(layout, &one, parties));
            one = tags.try_next().await?;
            if one.as_ref().is_some_and(|next| next.serial == serial) {
                return Err(WriteError::SameSerial);
            }
        }
        let mut before = None;
        if serials.1 == Some(serial) {
            before = said.map(|(_, said)| said);
            said = told.try_next().await?;
        }
        if let Some(record) = change(layout, before, now) {
            put(record)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::iag::layout::ITGU;
    use crate::partner::niop::layout::STVL;

    #[test]
    fn a_partner_is_told_what_it_does_not_know_and_nothing_else() {
        let good = || Some(json!({"TAG_SERIAL": "0000000001", "STATUS": "1"}));
        let low = || Some(json!({"TAG_SERIAL": "0000000001", "STATUS": "2"}));
        let gone = || Some(json!({"TAG_SERIAL": "0000000001", "STATUS": "4"}));
        assert_eq!(change(&ITGU, good(), good()), None);
        assert_eq!(change(&ITGU, good(), low()), low());
        assert_eq!(change(&ITGU, None, good()), good());
        assert_eq!(change(&ITGU, good(), None), gone());
        assert_eq!(change(&ITGU, None, None), None);
        let valid = || Some(json!({"TagSerialNumber": "1", "TagStatus": "V"}));
        let invalid = || Some(json!({"TagSerialNumber": "1", "TagStatus": "I"}));
        assert_eq!(change(&STVL, valid(), None), invalid());
        // It stays on the list, and is told once.
        assert_eq!(change(&STVL, invalid(), None), None);
        assert_eq!(change(&STVL, invalid(), valid()), valid());
    }
}
