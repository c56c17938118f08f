//! What it must come to, from what was planted alone: days, fees, positions and payments, with
//! arithmetic of its own. Nothing here asks the product or the database.

use std::collections::BTreeMap;

use super::world::{CONTRACTS, Contract, HOLIDAYS, ISSUERS, OPERATORS};

pub(crate) const DAY_S: i64 = 86_400;

/// The number of a date, from 1 January 1970.
pub(crate) fn day_number(date: &str) -> i64 {
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let [year, month, day] = parts[..] else { panic!("{date} is no date") };
    let (shifted_year, shifted_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = shifted_year.div_euclid(400);
    let of_era = shifted_year - era * 400;
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a number.
pub(crate) fn date_of(number: i64) -> String {
    let shifted = number + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, more) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + more)
}

/// The settlement day of an operator at an instant: dated by its last moment.
pub(crate) fn settlement_day(operator: usize, at_s: i64) -> i64 {
    let operator = &OPERATORS[operator];
    let local = at_s + operator.ahead_h * 3_600;
    let (date, hour) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S) / 3_600);
    if operator.cut_off_h > 0 && hour >= operator.cut_off_h { date + 1 } else { date }
}

/// Whether banks move money on a date.
pub(crate) fn is_bank_day(date: i64) -> bool {
    // 1 January 1970 was a Thursday: 5 and 6 are Saturday and Sunday.
    (date + 3).rem_euclid(7) < 5 && !HOLIDAYS.iter().any(|holiday| day_number(holiday) == date)
}

/// The bank day that is so many after a date; the date itself, or the first after it, for none.
pub(crate) fn bank_day(from: i64, more: u32) -> i64 {
    let mut date = from;
    while !is_bank_day(date) {
        date += 1;
    }
    (0..more).fold(date, |date, _| bank_day(date + 1, 0))
}

/// Who is owed by whom: numbers in `OPERATORS` and `ISSUERS`.
pub(crate) type Pair = (usize, usize);

/// A pair's day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub passages: i64,
    pub gross: i64,
    pub adjustment: i64,
    /// Passages that corrections add, less those they take away.
    pub corrected: i64,
}

/// What a position comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub fee: i64,
    pub vat: i64,
    pub net: i64,
}

impl Position {
    pub(crate) fn settled(&self, (operator, issuer): Pair, day: i64) -> Settled {
        let in_force = |one: &&Contract| {
            one.operator == OPERATORS[operator].id
                && one.issuer == ISSUERS[issuer]
                && day_number(one.from) <= day
        };
        let terms = CONTRACTS.iter().filter(in_force).max_by_key(|one| day_number(one.from));
        let (share, each, vat, down) = match terms {
            Some(terms) => {
                (terms.fee_millionths, terms.per_passage, terms.vat_millionths, terms.rounds_down)
            }
            None => (OPERATORS[operator].fee_millionths, 0, 0, false),
        };
        let base = self.gross + self.adjustment;
        let fee = part(base, share, down) + each * (self.passages + self.corrected);
        let vat = part(fee, vat, down);
        Settled { fee, vat, net: base - fee - vat }
    }
}

/// So many millionths of a sum, made whole.
fn part(sum: i64, millionths: i64, rounds_down: bool) -> i64 {
    let more = if rounds_down { 0 } else { 500_000 };
    let size = (i128::from(sum.abs()) * i128::from(millionths) + more) / 1_000_000;
    sum.signum() * i64::try_from(size).unwrap()
}

/// The truth as it grows.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// By pair and settlement day.
    pub positions: BTreeMap<(Pair, i64), Position>,
    /// What each pair's closed days come to and no payment is ordered for.
    pub unpaid: BTreeMap<Pair, i64>,
    /// Up to which day each operator is closed.
    pub closed_through: [i64; 3],
}

impl Truth {
    /// A toll is posted: into its day, or the first that is still open.
    pub(crate) fn post(&mut self, pair: Pair, own_day: i64, fare: i64) -> i64 {
        let day = own_day.max(self.closed_through[pair.0] + 1);
        let position = self.positions.entry((pair, day)).or_default();
        position.passages += 1;
        position.gross += fare;
        day
    }

    /// Something is put right in an open day.
    pub(crate) fn correct(&mut self, pair: Pair, day: i64, by: i64, passages: i64) {
        assert!(day > self.closed_through[pair.0], "the test corrects a closed day");
        let position = self.positions.entry((pair, day)).or_default();
        position.adjustment += by;
        position.corrected += passages;
    }

    /// Every day of an operator is closed that is over.
    pub(crate) fn close_through(&mut self, operator: usize, through: i64) {
        let newly = self.closed_through[operator] + 1..=through;
        for ((pair, day), position) in &self.positions {
            if pair.0 == operator && newly.contains(day) {
                *self.unpaid.entry(*pair).or_default() += position.settled(*pair, *day).net;
            }
        }
        self.closed_through[operator] = self.closed_through[operator].max(through);
    }

    /// What is paid now: every pair whose sum is above zero.
    pub(crate) fn pay(&mut self) -> BTreeMap<Pair, i64> {
        let due: BTreeMap<Pair, i64> = self
            .unpaid
            .iter()
            .filter(|(_, sum)| **sum > 0)
            .map(|(pair, sum)| (*pair, *sum))
            .collect();
        for pair in due.keys() {
            self.unpaid.remove(pair);
        }
        due
    }
}

#[test]
fn the_truths_own_arithmetic_is_right() {
    assert_eq!(day_number("1970-01-01"), 0);
    assert_eq!((day_number("2026-07-01"), date_of(20_635).as_str()), (20_635, "2026-07-01"));
    assert_eq!(date_of(day_number("2024-02-29") + 1), "2024-03-01");
    // A Friday, and the Tuesday before two holidays.
    assert_eq!(date_of(bank_day(day_number("2026-07-03"), 1)), "2026-07-06");
    assert_eq!(date_of(bank_day(day_number("2026-09-01"), 0)), "2026-09-03");
    assert_eq!((part(64_060, 25_000, false), part(64_060, 25_000, true)), (1_602, 1_601));
    assert_eq!(part(-64_060, 25_000, false), -1_602);
}
