//! What is proved of passages, charges and entries day by day: one settlement day is read at a time, by one
//! worker, and never sorted, so that whoever posts meanwhile is held up as little as may be.
//!
//! What goes over days is summed here, not in the database: a *span* is what a day has of a journal; two
//! days whose spans overlap might have the same passage, and only those are held against each other. A
//! digest, a few numbers a journal and a sum an account are in memory, and no passage.

mod repo;

use std::collections::{BTreeMap, HashMap};

use domain::BusinessDate;
use sqlx::PgConnection;

use super::{Invariant, Tally};
use repo::{Epoch, InBoth};

/// What a day, or what waits, has of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    journal_no: i32,
    /// Numbers up to the watermark.
    upto: i64,
    /// Whether the number after the watermark is there.
    has_next: bool,
    first: i32,
    last: i32,
    passages: i64,
}

/// A checked statement: how many were looked at, how many break it, the first of those.
type Counted = (i64, i64, Option<String>);

const ONCE: &str = "a passage is charged, rejected with a reason, or waits for its entry";
const PAID: &str =
    "a charge that costs something is paid for by exactly one transfer of that amount";
const ZERO: &str = "entries sum to zero";
const MOVED: &str = "what a batch moved on an operator's or issuer's account is what its rows say";

fn add(invariant: &mut Invariant, (checked, broken, first): Counted) {
    invariant.checked += checked;
    invariant.broken += broken;
    if invariant.first.is_none() {
        invariant.first = first;
    }
}

/// Every day, in one state of the books. `told` hears how many days are done, of how many.
pub(super) async fn check(
    tx: &mut PgConnection,
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Vec<Invariant>, sqlx::Error> {
    let [mut once, mut paid, mut moved] = [("I6", ONCE), ("I7", PAID), ("I9", MOVED)]
        .map(|(id, what)| Tally::new(id, what).invariant);
    let epochs = repo::epochs(tx).await?;
    let mut spans: BTreeMap<Option<BusinessDate>, Vec<Span>> = BTreeMap::new();
    let (mut same, mut sums) = (HashMap::new(), Sums::default());
    let days = repo::days(tx).await?;
    repo::make_room(tx).await?;
    for (done, &day) in (1..).zip(&days) {
        spans.insert(Some(day), repo::spans(tx, Some(day)).await?);
        same.extend(repo::same_at_watermark(tx, Some(day)).await?);
        add(&mut once, repo::without_reason(tx, day, None).await?);
        add(&mut paid, repo::unpaid(tx, day, None).await?);
        add(&mut moved, repo::moved(tx, day, None).await?);
        for (account, sum, entries) in repo::entries_by_account(tx, day).await? {
            sums.add(account, sum, entries);
        }
        told(done, u64::try_from(days.len()).unwrap_or(u64::MAX));
    }
    let waiting = repo::spans(tx, None).await?;
    once.checked += waiting.iter().map(|span| span.passages).sum::<i64>();
    spans.insert(None, waiting);
    same.extend(repo::same_at_watermark(tx, None).await?);
    let twice = twice(tx, &spans).await?;
    for InBoth { passages, who, .. } in &twice {
        add(&mut once, (0, *passages, Some(who.clone())));
    }
    let [covered, receipted] = at_watermark(&epochs, &stored(&spans, &twice), &same);
    let [zero, balances] = sums.check(tx).await?;
    Ok(vec![covered, receipted, once, paid, zero, balances, moved])
}

/// One day, and of one operator where it is named.
pub(super) async fn check_one(
    tx: &mut PgConnection,
    day: BusinessDate,
    operator_no: Option<i32>,
) -> Result<Vec<Invariant>, sqlx::Error> {
    let [mut once, mut paid, mut zero, mut moved] =
        [("I6", ONCE), ("I7", PAID), ("I9", ZERO), ("I9", MOVED)]
            .map(|(id, what)| Tally::new(id, what).invariant);
    repo::make_room(tx).await?;
    let mut chain = Tally::new(
        "I6",
        "a lane's numbers of the day are stored without a gap, up to its watermark",
    );
    for gap in repo::gaps(tx, day, operator_no).await? {
        chain.count(gap.missing == 0, || {
            format!("{}: {} of the numbers {} to {}", gap.who, gap.missing, gap.first, gap.last)
        });
    }
    add(&mut once, repo::without_reason(tx, day, operator_no).await?);
    add(&mut once, repo::elsewhere_too(tx, day, operator_no).await?);
    add(&mut paid, repo::unpaid(tx, day, operator_no).await?);
    add(&mut zero, repo::entries(tx, day, operator_no).await?);
    add(&mut moved, repo::moved(tx, day, operator_no).await?);
    Ok(vec![chain.invariant, once, paid, zero, moved])
}

/// Passages that two days have, or a day and what waits.
async fn twice(
    tx: &mut PgConnection,
    spans: &BTreeMap<Option<BusinessDate>, Vec<Span>>,
) -> Result<Vec<InBoth>, sqlx::Error> {
    let mut of_journals: HashMap<i32, Vec<(Option<BusinessDate>, Span)>> = HashMap::new();
    for (day, spans) in spans {
        for span in spans {
            of_journals.entry(span.journal_no).or_default().push((*day, *span));
        }
    }
    let mut suspects: BTreeMap<_, Vec<(i32, i32, i32)>> = BTreeMap::new();
    for (days, (journal_no, first, last)) in of_journals.values().flat_map(|all| overlaps(all)) {
        suspects.entry(days).or_default().push((journal_no, first, last));
    }
    let mut found = Vec::new();
    for ((one, other), places) in suspects {
        found.extend(repo::in_both(tx, one, other, &places).await?);
    }
    Ok(found)
}

type Days = (Option<BusinessDate>, Option<BusinessDate>);

/// Where two days of a journal overlap: which, and the numbers.
fn overlaps(
    all: &[(Option<BusinessDate>, Span)],
) -> impl Iterator<Item = (Days, (i32, i32, i32))> + '_ {
    all.iter().enumerate().flat_map(move |(place, (day, span))| {
        all[place + 1..].iter().filter_map(move |(other, beside)| {
            let (first, last) = (span.first.max(beside.first), span.last.min(beside.last));
            (first <= last).then_some(((*day, *other), (span.journal_no, first, last)))
        })
    })
}

/// What is stored of a journal: numbers up to its watermark, each once; whether the next is there; the last.
type Stored = HashMap<i32, (i64, bool, i64)>;

fn stored(spans: &BTreeMap<Option<BusinessDate>, Vec<Span>>, twice: &[InBoth]) -> Stored {
    let mut stored = Stored::new();
    for span in spans.values().flatten() {
        let (upto, has_next, last) = stored.entry(span.journal_no).or_default();
        *upto += span.upto;
        *has_next |= span.has_next;
        *last = (*last).max(span.last.into());
    }
    for again in twice {
        stored.entry(again.journal_no).or_default().0 -= again.upto;
    }
    stored
}

/// What holds at each journal's watermark: it covers what is stored, and its receipts say what is stored there.
fn at_watermark(epochs: &[Epoch], stored: &Stored, same: &HashMap<i32, bool>) -> [Invariant; 2] {
    let mut covered =
        Tally::new("I6", "a lane's watermark covers exactly what is stored without a gap");
    let mut receipted =
        Tally::new("I6", "what a receipt says is stored at a watermark is stored there");
    for epoch in epochs {
        let (upto, has_next, last) = stored.get(&epoch.journal_no).copied().unwrap_or_default();
        let holds = upto == epoch.posted_upto && !has_next && last == epoch.last_seq;
        covered.count(holds, || epoch.who.clone());
        let same = same.get(&epoch.journal_no).copied();
        receipted.count(same.unwrap_or(!epoch.has_digest), || epoch.who.clone());
    }
    [covered.invariant, receipted.invariant]
}

/// What entries come to, account by account.
#[derive(Debug, Default)]
struct Sums {
    by_account: HashMap<i64, i128>,
    sum: i128,
    entries: i64,
}

impl Sums {
    fn add(&mut self, account: i64, sum: i64, entries: i64) {
        *self.by_account.entry(account).or_default() += i128::from(sum);
        self.sum += i128::from(sum);
        self.entries += entries;
    }

    async fn check(&self, tx: &mut PgConnection) -> Result<[Invariant; 2], sqlx::Error> {
        let mut zero = Tally::new("I9", ZERO).invariant;
        zero.checked = self.entries;
        if self.sum != 0 {
            zero.broken = 1;
            zero.first = Some(format!("the sum is {}", self.sum));
        }
        let mut balances = Tally::new("I9", "a balance is the sum of its account's entries");
        for (account, balance) in repo::balances(tx).await? {
            let sum = self.by_account.get(&account).copied().unwrap_or_default();
            balances.count(sum == i128::from(balance), || account.to_string());
        }
        Ok([zero, balances.invariant])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: i32, last: i32) -> Span {
        let passages = i64::from(last - first) + 1;
        Span { journal_no: 7, upto: passages, has_next: false, first, last, passages }
    }

    #[test]
    fn only_days_that_share_numbers_are_held_against_each_other() {
        let day = |text: &str| Some(text.parse().unwrap());
        let (one, two, three) = (day("2026-03-01"), day("2026-03-02"), day("2026-03-03"));
        let apart = [(one, span(1, 10)), (two, span(11, 20)), (three, span(21, 30))];
        assert_eq!(overlaps(&apart).count(), 0);
        // One came late, and what waits stands beside.
        let late =
            [(one, span(1, 10)), (two, span(11, 20)), (three, span(5, 30)), (None, span(20, 20))];
        let found: Vec<_> = overlaps(&late).collect();
        assert_eq!(
            found,
            [
                ((one, three), (7, 5, 10)),
                ((two, three), (7, 11, 20)),
                ((two, None), (7, 20, 20)),
                ((three, None), (7, 20, 20)),
            ]
        );
    }

    #[test]
    fn a_watermark_covers_the_numbers_up_to_it_and_not_the_next() {
        let epoch = |posted_upto, last_seq| Epoch {
            journal_no: 7,
            who: "a:1".to_owned(),
            posted_upto,
            last_seq,
            has_digest: true,
        };
        let spans = BTreeMap::from([(None, vec![span(1, 10)])]);
        let same = HashMap::from([(7, true)]);
        let broken = |epoch: Epoch, spans: &BTreeMap<_, _>, same: &HashMap<_, _>| {
            at_watermark(&[epoch], &stored(spans, &[]), same).map(|one| one.broken)
        };
        assert_eq!(broken(epoch(10, 10), &spans, &same), [0, 0]);
        assert_eq!(broken(epoch(9, 10), &spans, &same), [1, 0]);
        assert_eq!(broken(epoch(10, 11), &spans, &same), [1, 0]);
        let beyond = BTreeMap::from([(None, vec![Span { has_next: true, ..span(1, 10) }])]);
        assert_eq!(broken(epoch(10, 10), &beyond, &same), [1, 0]);
        // One that is there twice is one.
        let both = BTreeMap::from([(None, vec![span(1, 10), span(4, 4)])]);
        let again = InBoth { journal_no: 7, passages: 1, upto: 1, who: "a:1:4".to_owned() };
        let once = at_watermark(&[epoch(10, 10)], &stored(&both, &[again]), &same);
        assert_eq!(once.map(|one| one.broken), [0, 0]);
        assert_eq!(broken(epoch(10, 10), &spans, &HashMap::from([(7, false)])), [0, 1]);
        assert_eq!(broken(epoch(10, 10), &spans, &HashMap::new()), [0, 1]);
        let unused = Epoch { has_digest: false, ..epoch(0, 0) };
        assert_eq!(broken(unused, &BTreeMap::new(), &HashMap::new()), [0, 0]);
    }
}
