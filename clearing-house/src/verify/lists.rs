//! The account list again: every delta's signature and chain, and what the lanes have been told.

use domain::account_list::{AccountList, ListDelta, ListEntry};
use domain::signature::{Context, PublicKey, Signature};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, parse};
use sqlx::{PgConnection, Row};

use super::{Invariant, Tally, VerifyError};
use crate::config::ListPolicy;
use crate::lists::facts;

pub(super) async fn check(
    tx: &mut PgConnection,
    centre: PublicKey,
    policy: ListPolicy,
) -> Result<Vec<Invariant>, VerifyError> {
    let mut signed = Tally::new("I17", "a delta of the list is signed by the centre");
    let mut chained = Tally::new("I17", "a delta of the list follows the one before it");
    let mut told = Tally::new("I17", "the stored list is what all deltas lead to");
    let mut current = Tally::new("I17", "lanes have been told what holds now, or will be at once");
    let mut list = AccountList::default();
    let rows = sqlx::query("select version, payload, signature from list_delta order by version")
        .fetch_all(&mut *tx)
        .await?;
    for row in &rows {
        let version: i64 = row.get(0);
        let (payload, signature): (&[u8], String) = (row.get(1), row.get(2));
        let who = || format!("version {version}");
        let good = Signature::try_from(signature)
            .is_ok_and(|signature| centre.verify(Context::List, payload, &signature).is_ok());
        signed.count(good, who);
        let applied = parse::<DeltaRecord>("delta", payload)
            .is_ok_and(|record| list.apply(&ListDelta::from(record)).is_ok());
        chained.count(applied, who);
    }
    let stored = sqlx::query_scalar::<_, String>("select entry from list_entry order by tag")
        .fetch_all(&mut *tx)
        .await?;
    let entries: Vec<Option<ListEntry>> = stored
        .iter()
        .map(|text| serde_json::from_str::<ListEntryRecord>(text).ok().map(ListEntry::from))
        .collect();
    for (place, entry) in (1..).zip(&entries) {
        let same = entry.as_ref().is_some_and(|entry| list.find(&entry.tag) == Some(entry));
        told.count(same, || format!("entry {place} in the order of tags"));
    }
    told.count(entries.len() == list.len(), || {
        format!("{} tags are stored and the deltas lead to {}", entries.len(), list.len())
    });
    for (place, (entry, noted)) in (1..).zip(facts::all_now(tx, policy).await?) {
        let holds = noted || list.find(&entry.tag) == Some(&entry);
        current.count(holds, || format!("tag {place} in the order of tags"));
    }
    Ok([signed, chained, told, current].into_iter().map(|tally| tally.invariant).collect())
}
