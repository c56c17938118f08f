//! Lanes' own manifests against the books: what agrees, what is short, what differs. Pure.
//!
//! The lane counted from its records, the books from theirs, over the same numbers. Where numbers are
//! not here yet the manifest is *short*: which they are is said by the completeness of the day, and
//! they are asked for by receipts. Where all are here and a figure is another, it *differs*: that can
//! only be a lane that counts wrongly, or records that are not the lane's. Loops likewise, hour by
//! hour, by the equation of [`LoopCounts`]; they keep no day open, as no asking brings a vehicle back.

use domain::signature::HalfDigest;
use domain::wire::v1::{DayManifest, LoopCounts, LoopDay, PassageSums};

/// What the books have under a manifest's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfBooks {
    /// What its passages come to, by what the lane wrote in each.
    pub sums: PassageSums,
    /// The first half of the digest of the last record; none where that is not here.
    pub head: Option<HalfDigest>,
    /// For each hour of the loops: passages of vehicles that were not sent away.
    pub gone: Vec<u64>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictOf {
    /// Both agree.
    Agrees,
    /// Numbers are not here yet.
    Short,
    /// All are here, and a figure is another.
    Differs,
}

impl VerdictOf {
    /// Its name in the books.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Short => "short",
            Self::Differs => "differs",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Agrees, Self::Short, Self::Differs].into_iter().find(|one| one.name() == name)
    }
}

/// What a comparison came to, with each figure that differs, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In short.
    pub of: VerdictOf,
    /// The figures.
    pub figures: Vec<String>,
    /// The loops'.
    pub loops: Vec<String>,
}

/// Holds a manifest against the books.
#[must_use]
pub fn judge(manifest: &DayManifest, books: &OfBooks) -> Verdict {
    let figures = figures(manifest, books);
    let of = if figures.is_empty() {
        VerdictOf::Agrees
    } else if books.sums.passages < manifest.sums.passages {
        VerdictOf::Short
    } else {
        VerdictOf::Differs
    };
    // Vehicles are held against passages when all of these are here.
    let loops = match (&manifest.loops, of) {
        (Some(loops), VerdictOf::Agrees) => of_loops(loops, &books.gone),
        (Some(_), VerdictOf::Short | VerdictOf::Differs) | (None, _) => Vec::new(),
    };
    Verdict { of, figures, loops }
}

fn figures(manifest: &DayManifest, books: &OfBooks) -> Vec<String> {
    let mut found = Vec::new();
    let mut figure = |what: &str, books: String, lane: String| {
        if books != lane {
            found.push(format!("{what} is {books} in the books, {lane} at the lane"));
        }
    };
    let (ours, theirs) = (&books.sums, &manifest.sums);
    figure("the count", ours.passages.to_string(), theirs.passages.to_string());
    figure("the sum", ours.amount.to_string(), theirs.amount.to_string());
    if manifest.sums.passages > 0 {
        let head = books.head.map_or_else(|| "none".to_owned(), |head| head.to_string());
        figure("the last digest", head, HalfDigest::from(manifest.head).to_string());
    }
    for (what, ours, theirs) in
        [("of group", &ours.groups, &theirs.groups), ("of", &ours.decisions, &theirs.decisions)]
    {
        let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let count = |of: &std::collections::BTreeMap<String, u64>| {
                of.get(name).copied().unwrap_or_default().to_string()
            };
            figure(&format!("the count {what} {name}"), count(ours), count(theirs));
        }
    }
    found
}

fn of_loops(loops: &LoopDay, gone: &[u64]) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = loops.before;
    for (hour, passages) in loops.hours.iter().zip(gone) {
        let now = hour.counts;
        let grown =
            |figure: fn(&LoopCounts) -> u64| i128::from(figure(&now)) - i128::from(figure(&before));
        let strays = grown(|counts| counts.strays);
        let lost = grown(|counts| counts.lost);
        let vehicles = grown(|counts| counts.crossings) - grown(|counts| counts.repeats) - strays
            + grown(|counts| counts.unseen)
            + grown(|counts| counts.turned_back)
            + grown(|counts| counts.between);
        before = now;
        let from = hour.from;
        // Where the counters began anew, nobody knows what they would have said.
        if lost != 0 {
            continue;
        }
        if strays > 0 {
            found.push(format!("{from}: {strays} pulses of the exit loop have no vehicle"));
        }
        if vehicles != i128::from(*passages) {
            found.push(format!("{from}: {vehicles} vehicles by the loops, {passages} passages"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use domain::signature::Digest256;
    use domain::wire::v1::LoopHour;

    use super::*;

    fn both() -> (DayManifest, OfBooks) {
        let sums = PassageSums {
            passages: 3,
            amount: domain::Amount::try_new(141_000).unwrap(),
            groups: [("1".to_owned(), 3)].into(),
            decisions: [("opened-by-tag".to_owned(), 3)].into(),
        };
        let head = Digest256::of(b"the last");
        let hour = |from: &str, last_seq, crossings, between| LoopHour {
            from: from.parse().unwrap(),
            last_seq,
            counts: LoopCounts { crossings, between, ..LoopCounts::default() },
        };
        let loops = LoopDay {
            before: LoopCounts::default(),
            hours: vec![
                hour("2026-03-02T01:00:00Z", 2, 1, 1),
                hour("2026-03-02T02:00:00Z", 3, 2, 1),
            ],
        };
        let manifest = DayManifest {
            day: "2026-03-02".parse().unwrap(),
            first_seq: 1,
            last_seq: 3,
            head,
            sums: sums.clone(),
            loops: Some(loops),
        };
        (manifest, OfBooks { sums, head: Some(head.into()), gone: vec![2, 1] })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut DayManifest, &mut OfBooks), of: VerdictOf, said: &[&str]) {
        let (mut manifest, mut books) = both();
        change(&mut manifest, &mut books);
        let verdict = judge(&manifest, &books);
        assert_eq!(verdict.of, of, "{verdict:?}");
        let all: Vec<&String> = verdict.figures.iter().chain(&verdict.loops).collect();
        assert_eq!(all, said);
    }

    #[test]
    fn a_lane_and_the_books_that_agree_have_nothing_to_say() {
        check(|_, _| {}, VerdictOf::Agrees, &[]);
    }

    #[test]
    fn what_is_not_here_yet_makes_a_manifest_short() {
        let less = |_: &mut DayManifest, books: &mut OfBooks| {
            books.sums.passages = 2;
            books.sums.amount = domain::Amount::try_new(94_000).unwrap();
            books.sums.groups.insert("1".to_owned(), 2);
            books.sums.decisions.insert("opened-by-tag".to_owned(), 2);
            books.head = None;
        };
        let digest = HalfDigest::from(Digest256::of(b"the last"));
        let head = format!("the last digest is none in the books, {digest} at the lane");
        check(
            less,
            VerdictOf::Short,
            &[
                "the count is 2 in the books, 3 at the lane",
                "the sum is 94.000 in the books, 141.000 at the lane",
                &head,
                "the count of group 1 is 2 in the books, 3 at the lane",
                "the count of opened-by-tag is 2 in the books, 3 at the lane",
            ],
        );
    }

    #[test]
    fn another_figure_under_the_same_numbers_differs() {
        check(
            |manifest, _| manifest.sums.amount = domain::Amount::try_new(141_001).unwrap(),
            VerdictOf::Differs,
            &["the sum is 141.000 in the books, 141.001 at the lane"],
        );
        check(
            |manifest, _| {
                manifest.sums.groups = [("1".to_owned(), 2), ("4".to_owned(), 1)].into();
            },
            VerdictOf::Differs,
            &[
                "the count of group 1 is 3 in the books, 2 at the lane",
                "the count of group 4 is 0 in the books, 1 at the lane",
            ],
        );
    }

    #[test]
    fn the_hour_is_named_in_which_loops_and_passages_differ() {
        let hour = |change: fn(&mut LoopCounts)| {
            move |manifest: &mut DayManifest, _: &mut OfBooks| {
                let loops = manifest.loops.as_mut().unwrap();
                change(&mut loops.hours[1].counts);
            }
        };
        // Two drove through one behind the other, and only one has a passage.
        check(
            hour(|counts| counts.crossings += 1),
            VerdictOf::Agrees,
            &["2026-03-02T02:00:00Z: 2 vehicles by the loops, 1 passages"],
        );
        check(
            hour(|counts| (counts.crossings, counts.strays) = (3, 1)),
            VerdictOf::Agrees,
            &["2026-03-02T02:00:00Z: 1 pulses of the exit loop have no vehicle"],
        );
        // A trailer explains it, and counters that began anew prove nothing.
        check(hour(|counts| (counts.crossings, counts.repeats) = (3, 1)), VerdictOf::Agrees, &[]);
        check(hour(|counts| (counts.crossings, counts.lost) = (9, 1)), VerdictOf::Agrees, &[]);
    }
}
