//! What is checked of one closed day. Pure.

use std::collections::BTreeMap;

use domain::signature::PublicKey;
use domain::{BusinessDate, IssuerId, OperatorId};

use super::{Invariant, Verdict};
use crate::approval::Person;
use crate::manifest::told::Agreed;
use crate::settlement::{Counted, Source, proof};
use crate::statement::{Cash, DayFigures, Paper, Position, Statement, Totals};
use crate::window::{Event, State};

/// What an issuer keeps of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    /// Its fee.
    Fee,
    /// The tax on it.
    Vat,
}

/// What is stored of a window's life.
#[derive(Debug, Clone, Default)]
pub(super) struct WindowRows {
    /// What it became, in order.
    pub(super) states: Vec<State>,
    /// Maker and checker of its settlement, and whether it was this statement they saw.
    pub(super) approved: Option<(Person, Person, bool)>,
}

/// Everything that is stored about a day that is closed or has a statement.
#[derive(Debug, Clone)]
pub(super) struct ClosedDay {
    pub(super) operator: OperatorId,
    pub(super) day: BusinessDate,
    /// Whether the day takes no more postings.
    pub(super) closed: bool,
    /// Charges and toll transfers that fell into the day.
    pub(super) postings: u64,
    /// Those of them that were made after the day was closed.
    pub(super) postings_after: u64,
    /// How many statements the day has.
    pub(super) statements: u64,
    pub(super) paper: Option<Paper>,
    /// The totals that stand beside the statement's text.
    pub(super) totals: Totals,
    pub(super) positions: Vec<Position>,
    pub(super) cash: Option<Cash>,
    /// Fees and the tax on them in the ledger: how many, and their sum in minor units.
    pub(super) fees: BTreeMap<(IssuerId, Kept), (u64, i64)>,
    /// What the window became, in order, and the two behind its settlement.
    pub(super) window: WindowRows,
    /// The day's money as the charges have it, and as the ledger has it.
    pub(super) charges: BTreeMap<Source, Counted>,
    pub(super) ledger: BTreeMap<Source, Counted>,
    /// What charges and passages say now.
    pub(super) recounted: DayFigures,
}

/// The invariants of settlement.
#[derive(Debug)]
pub(super) struct Invariants {
    closed: Invariant,
    window: Invariant,
    people: Invariant,
    once: Invariant,
    positions: Invariant,
    fees: Invariant,
    proof: Invariant,
    signature: Invariant,
    recount: Invariant,
    partition: Invariant,
    manifests: Invariant,
}

impl Invariants {
    pub(super) const fn new() -> Self {
        let invariant = Invariant::new;
        Self {
            closed: invariant(
                "I11",
                "no charge, toll or correction is posted into a day after its close",
            ),
            window: invariant("I12-window", "a window went from state to state as the rules allow"),
            people: invariant(
                "I25",
                "behind each approved window stand two people who saw its statement",
            ),
            once: invariant("I12-once", "a closed day has one statement, an open day none"),
            positions: invariant(
                "I12-positions",
                "positions and cash are the statement's, gross + adjustment = fee + VAT + net",
            ),
            fees: invariant("I12-fees", "the fee of each position is in the ledger exactly once"),
            proof: invariant(
                "I12-proof",
                "charges and ledger agree on each payer to the last unit",
            ),
            signature: invariant(
                "I12-signature",
                "each statement has its digest and the centre's signature",
            ),
            recount: invariant(
                "I12-recount",
                "each statement, made again from the charges, is the same to the byte",
            ),
            partition: invariant("I13", "the classes of the matching add up to both sides"),
            manifests: invariant(
                "I18",
                "what a lane told of a day, and was agreed on, is what the books have",
            ),
        }
    }

    pub(super) fn verdict(self) -> Verdict {
        let Self {
            closed,
            window,
            people,
            once,
            positions,
            fees,
            proof,
            signature,
            recount,
            partition,
            manifests,
        } = self;
        let invariants = vec![
            closed, window, people, once, positions, fees, proof, signature, recount, partition,
            manifests,
        ];
        Verdict { ok: invariants.iter().all(|invariant| invariant.broken == 0), invariants }
    }

    pub(super) fn check(&mut self, day: &ClosedDay, key: &PublicKey) {
        let name = format!("{} {}", day.operator, day.day);
        self.closed.count(day.postings, day.postings_after, || {
            format!("{name}: {} postings after the close", day.postings_after)
        });
        let wanted = u64::from(day.closed);
        self.once.look(
            (day.statements != wanted)
                .then(|| format!("{name}: {} statements instead of {wanted}", day.statements)),
        );
        self.check_window(&day.window, &name);
        self.check_fees(day, &name);
        self.check_proof(day, &name);
        let Some(paper) = &day.paper else { return };
        let statement = match paper.open(key) {
            Ok(statement) => {
                self.signature.look(None);
                statement
            }
            Err(error) => {
                self.signature.look(Some(format!("{name}: {error}")));
                // What was forged may still be read, and is then wrong in more than one way.
                let Ok(statement) = paper.read() else { return };
                statement
            }
        };
        self.check_positions(day, &statement, &name);
        self.recount.look(recount(day, paper, &statement).map(|what| format!("{name}: {what}")));
        self.partition.look(partition(day, &statement).map(|what| format!("{name}: {what}")));
    }

    /// What both sides agreed on once they agree on for good: nothing of it changes any more.
    pub(super) fn check_manifests(&mut self, agreed: &[Agreed]) {
        for Agreed { lane, day, figures } in agreed {
            let differs = figures.first().map(|figure| format!("lane {lane}, {day}: {figure}"));
            self.manifests.look(differs);
        }
    }

    fn check_positions(&mut self, day: &ClosedDay, statement: &Statement, name: &str) {
        let invariant = &mut self.positions;
        let header = (statement.operator == day.operator && statement.day == day.day).then_some(());
        let totals = (day.totals == statement.totals).then_some(());
        let cash = (day.cash == Some(statement.cash)).then_some(());
        for (holds, what) in [(header, "operator and day"), (totals, "totals"), (cash, "cash")] {
            invariant
                .look(holds.is_none().then(|| format!("{name}: {what} are not the statement's")));
        }
        // The terms stand in the statement alone, and stay what they were when it was made.
        let stated = statement.issuers.iter().cloned().map(|one| Position { terms: None, ..one });
        invariant.look(
            (!day.positions.iter().cloned().eq(stated))
                .then(|| format!("{name}: the stored positions are not the statement's")),
        );
        for position in &day.positions {
            invariant.look(
                (!position.adds_up())
                    .then(|| format!("{name}: issuer {} does not add up", position.issuer)),
            );
        }
    }

    fn check_window(&mut self, window: &WindowRows, name: &str) {
        let mut before = State::Open;
        for &after in &window.states {
            let allowed = Event::ALL.into_iter().any(|event| before.after(event) == Ok(after));
            self.window.look((!allowed).then(|| format!("{name}: {before} became {after}")));
            before = after;
        }
        let wrong = match &window.approved {
            Some((maker, checker, _)) if maker == checker => {
                Some(format!("{name}: {maker} approved what {checker} proposed"))
            }
            Some((.., false)) => Some(format!("{name}: another statement was approved")),
            Some((.., true)) => None,
            None => window
                .states
                .contains(&State::Approved)
                .then(|| format!("{name}: nobody approved it")),
        };
        self.people.look(wrong);
    }

    fn check_fees(&mut self, day: &ClosedDay, name: &str) {
        for Position { issuer, fee, vat, .. } in &day.positions {
            for (kept, sum) in [(Kept::Fee, fee), (Kept::Vat, vat)] {
                let wanted = (u64::from(!sum.is_zero()), sum.minor_units());
                let found = day.fees.get(&(issuer.clone(), kept)).copied().unwrap_or_default();
                self.fees.look((found != wanted).then(|| {
                    let (times, found) = found;
                    format!("{name}: {kept:?} of {issuer}, {sum}, is in the ledger {times} times: {found}")
                }));
            }
        }
    }

    fn check_proof(&mut self, day: &ClosedDay, name: &str) {
        let differences = proof::differences(&day.charges, &day.ledger);
        let broken = u64::try_from(differences.len()).unwrap_or(u64::MAX);
        let payers = u64::try_from(day.charges.len()).unwrap_or(u64::MAX);
        self.proof.count(payers.max(broken), broken, || {
            let first = differences.first().map(ToString::to_string);
            format!("{name}: {}", first.unwrap_or_default())
        });
    }

    /// Fees in the ledger that no position asks for.
    pub(super) fn check_stray_fees(&mut self, fees: u64, strays: &[String]) {
        let broken = u64::try_from(strays.len()).unwrap_or(u64::MAX);
        self.fees.count(fees, broken, || {
            format!("a fee without a position: {}", strays.first().map_or("", String::as_str))
        });
    }
}

fn recount(day: &ClosedDay, paper: &Paper, statement: &Statement) -> Option<String> {
    let again = Statement::try_new(statement.header(), day.recounted.clone());
    match again.map(|again| (again.canonical(), again.totals)) {
        Ok((Ok(canonical), _)) if canonical == paper.canonical => None,
        Ok((_, totals)) => Some(format!(
            "stated gross {}, cash {}, passages {}; the charges give {}, {}, {}, or differ in detail",
            statement.totals.gross,
            statement.totals.cash,
            statement.totals.passages,
            totals.gross,
            totals.cash,
            totals.passages,
        )),
        Err(error) => Some(format!("the charges cannot be summed: {error}")),
    }
}

/// Our side of the matching is the money of the statement; their side is what the lanes wrote.
fn partition(day: &ClosedDay, statement: &Statement) -> Option<String> {
    let stated = statement.totals;
    let ours = statement.matching.ours().ok()?;
    let money = stated.gross.plus(stated.cash).ok()?;
    if ours.records != stated.passages || ours.amount != money {
        return Some(format!(
            "the classes give {} passages and {}, the day {} and {money}",
            ours.records, ours.amount, stated.passages
        ));
    }
    let theirs = (statement.matching.theirs().ok()?, day.recounted.matching.theirs().ok()?);
    (theirs.0 != theirs.1).then(|| {
        format!("the classes give the lanes {}, their records {}", theirs.0.amount, theirs.1.amount)
    })
}

#[cfg(test)]
mod tests;
