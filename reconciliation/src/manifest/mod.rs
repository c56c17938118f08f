//! Manifests: what a lane says it wrote on a day, against what the books have. The comparing is pure.
//!
//! A *manifest* is a lane's account of one journal's numbers: first and last, how many, the sum of
//! what was charged, the digest of the last record, counts by vehicle group and by disposition. The
//! books make one of themselves ([`repo::of_day`]); an operator's own comes as a file, JSON
//! lines of the same shape, with what it knows. Whatever both name must be equal. A lane tells its own
//! over the wire, signed: [`lanes`] holds it against the books, [`standing`] says what of it keeps a day
//! open. Deliberately absent: asking lanes for manifests (`clearing_house::manifests`) and for what is
//! missing, which receipts do.

pub mod lanes;
pub mod repo;
pub mod standing;
pub mod told;

use std::collections::BTreeMap;

use domain::LaneId;
use serde::{Deserialize, Serialize};

/// One journal's numbers of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The lane.
    pub lane: LaneId,
    /// The journal's epoch.
    pub epoch: u32,
    /// The first number of the day.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// How many.
    pub passages: u64,
    /// What they were charged, in the smallest unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The first half of the last record's digest, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// How many of each vehicle group; `-` where it could not be told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, u64>,
    /// How many of each disposition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dispositions: BTreeMap<String, u64>,
}

/// Everything in which a lane's manifests differ from the books', in words that name lane and figure.
#[must_use]
pub fn differences(books: &[Manifest], lanes: &[Manifest]) -> Vec<String> {
    let by_journal = |manifests: &[Manifest]| -> BTreeMap<(LaneId, u32), Manifest> {
        manifests.iter().map(|one| ((one.lane.clone(), one.epoch), one.clone())).collect()
    };
    let (books, lanes) = (by_journal(books), by_journal(lanes));
    let mut found = Vec::new();
    for ((lane, epoch), theirs) in &lanes {
        let name = format!("lane {lane} epoch {epoch}");
        match books.get(&(lane.clone(), *epoch)) {
            Some(ours) => found.extend(of_journal(&name, ours, theirs)),
            None => found.push(format!(
                "{name}: the lane wrote {} passages, {} to {}; the books have none",
                theirs.passages, theirs.first_seq, theirs.last_seq
            )),
        }
    }
    for (journal, ours) in books.iter().filter(|(journal, _)| !lanes.contains_key(*journal)) {
        let (lane, epoch) = journal;
        found.push(format!(
            "lane {lane} epoch {epoch}: the books have {} passages, {} to {}; the lane names none",
            ours.passages, ours.first_seq, ours.last_seq
        ));
    }
    found
}

fn of_journal(name: &str, ours: &Manifest, theirs: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    let mut figure = |what: &str, books: String, lane: String| {
        if books != lane {
            found.push(format!("{name}: {what} is {books} in the books, {lane} at the lane"));
        }
    };
    let text = |number: u64| number.to_string();
    figure("the first number", text(ours.first_seq), text(theirs.first_seq));
    figure("the last number", text(ours.last_seq), text(theirs.last_seq));
    figure("the count", text(ours.passages), text(theirs.passages));
    if let (Some(books), Some(lane)) = (ours.amount, theirs.amount) {
        figure("the sum", books.to_string(), lane.to_string());
    }
    if let (Some(books), Some(lane)) = (&ours.head, &theirs.head) {
        figure("the last digest", books.clone(), lane.clone());
    }
    for (what, books, lane) in [
        ("of group", &ours.groups, &theirs.groups),
        ("of disposition", &ours.dispositions, &theirs.dispositions),
    ] {
        // What the lane does not count it says nothing of.
        if lane.is_empty() {
            continue;
        }
        let names: std::collections::BTreeSet<&String> = books.keys().chain(lane.keys()).collect();
        for one in names {
            let count = |of: &BTreeMap<String, u64>| text(of.get(one).copied().unwrap_or_default());
            figure(&format!("the count {what} {one}"), count(books), count(lane));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(change: impl FnOnce(&mut Manifest)) -> Manifest {
        let mut manifest = Manifest {
            lane: "cienco4/ben-thuy/l01".parse().unwrap(),
            epoch: 1,
            first_seq: 1,
            last_seq: 9,
            passages: 9,
            amount: Some(423_000),
            head: Some("00ff".to_owned()),
            groups: [("1".to_owned(), 9)].into(),
            dispositions: [("posted".to_owned(), 9)].into(),
        };
        change(&mut manifest);
        manifest
    }

    #[test]
    fn equal_manifests_say_nothing_and_neither_does_what_one_does_not_name() {
        let books = [manifest(|_| {})];
        assert!(differences(&books, &books).is_empty());
        let short = manifest(|one| {
            (one.amount, one.head) = (None, None);
            (one.groups, one.dispositions) = (BTreeMap::new(), BTreeMap::new());
        });
        assert!(differences(&books, &[short]).is_empty());
    }

    #[test]
    fn every_figure_that_differs_is_named() {
        let lane = manifest(|one| {
            (one.last_seq, one.passages, one.amount) = (10, 10, Some(563_000));
            one.groups.insert("4".to_owned(), 1);
        });
        let start = "lane cienco4/ben-thuy/l01 epoch 1: ";
        let expected = [
            "the last number is 9 in the books, 10 at the lane",
            "the count is 9 in the books, 10 at the lane",
            "the sum is 423000 in the books, 563000 at the lane",
            "the count of group 4 is 0 in the books, 1 at the lane",
        ];
        let found = differences(&[manifest(|_| {})], &[lane]);
        assert_eq!(found, expected.map(|line| format!("{start}{line}")));
    }

    #[test]
    fn a_journal_that_one_side_does_not_have_is_named() {
        let one = [manifest(|_| {})];
        let only_lane = differences(&[], &one);
        assert_eq!(only_lane.len(), 1);
        assert!(only_lane[0].ends_with("the books have none"), "{only_lane:?}");
        let only_books = differences(&one, &[]);
        assert!(only_books[0].ends_with("the lane names none"), "{only_books:?}");
    }
}
