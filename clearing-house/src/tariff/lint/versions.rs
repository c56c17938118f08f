//! Whether one version follows the other, without a time in which nothing is in force.

use std::collections::BTreeMap;

use domain::tariff::Tariff;
use domain::{OperatorId, Timestamp};

use super::Finding;
use super::document::{Document, Place};

/// A version of an operator; one of a file, or one in the books.
struct Version<'a> {
    tariff: &'a Tariff,
    document: Option<&'a Document>,
}

impl Version<'_> {
    fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.tariff.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

pub(super) fn check<'a>(
    documents: &'a [Document],
    stored: impl Iterator<Item = &'a Tariff>,
) -> Vec<Finding> {
    let mut by_operator: BTreeMap<&OperatorId, Vec<Version<'a>>> = BTreeMap::new();
    let offered = documents
        .iter()
        .map(|document| Version { tariff: &document.tariff, document: Some(document) });
    // What is offered again is not told from what is there.
    let known = stored
        .filter(|known| !documents.iter().any(|document| document.tariff == **known))
        .map(|tariff| Version { tariff, document: None });
    for version in offered.chain(known) {
        by_operator.entry(&version.tariff.operator).or_default().push(version);
    }
    let mut findings = Vec::new();
    for versions in by_operator.values_mut() {
        versions.sort_by_key(|version| version.tariff.valid_from);
        for pair in versions.windows(2) {
            findings.extend(follows(&pair[0], &pair[1]));
        }
    }
    findings
}

/// What is wrong with a version and the next, told at the one that is in a file.
fn follows(earlier: &Version<'_>, later: &Version<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (one, next) = (earlier.tariff, later.tariff);
    let mut tell = |is_error: bool, check, place_earlier, message: String| {
        let at_earlier = earlier.document.map(|document| (document, place_earlier));
        if let Some((document, place)) =
            later.document.map(|document| (document, Place::ValidFrom)).or(at_earlier)
        {
            findings.push(if is_error {
                document.error(check, place, message)
            } else {
                document.warning(check, place, message)
            });
        }
    };
    let (name, next_name) = (&one.version, &next.version);
    let begins = later.local(next.valid_from);
    if one.version == next.version || one.valid_from == next.valid_from {
        let message = format!(
            "versions {name} and {next_name} of {} have one name or one beginning ({begins}): each \
             version needs its own",
            one.operator
        );
        tell(true, "versions", Place::Version, message);
        return findings;
    }
    match one.valid_until {
        Some(until) if until < next.valid_from => {
            let ends = earlier.local(until);
            let message = format!(
                "no tariff of {} is in force from {ends}, where {name} ends, to {begins}, where \
                 {next_name} begins; {next_name} would begin on {ends}, or {name} have no \
                 `valid_until`",
                one.operator
            );
            tell(true, "gap", Place::ValidUntil, message);
        }
        Some(until) if until > next.valid_from => {
            let ends = earlier.local(until);
            let message = format!(
                "{name} says that it ends {ends}, but from {begins} on {next_name} is in force"
            );
            tell(false, "overlap", Place::ValidUntil, message);
        }
        Some(_) | None => {}
    }
    if one.currency != next.currency {
        let message = format!(
            "{name} is in {} and {next_name} in {}: an operator's ledger has one currency",
            one.currency, next.currency
        );
        tell(true, "currency", Place::Version, message);
    }
    findings
}
