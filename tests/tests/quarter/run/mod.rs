//! The mornings of the quarter: lanes send, days close, banks' statements come, money is ordered, files
//! of the other side are matched, and every case is settled.

mod cases;
mod money;
mod other_side;
mod command;
mod end;

use std::collections::BTreeMap;

use clearing_house::intake::{Books, Delivery};
use domain::{Amount, BusinessDate, Timestamp};
use reconciliation::approval::Person;
use tempfile::TempDir;
use tests::lane::Lane;
use tests::office::Office;

use super::bank::Bank;
use super::plan::{DAYS, FIRST, Plan, Wrong};
use super::theirs::{passage_name, their_name};
use super::truth::{DAY_S, Pair, Truth, date_of, day_number};
use super::world::{ISSUERS, LANES_OF_OPERATOR, OPERATORS, found, lane_path};

/// When finance comes in, in UTC: late enough for the day before of every operator to be over.
const MORNING_S: i64 = 4 * 3_600;
/// How long after a day its file comes, in days, and how long where it is late.
const FILE_AFTER_D: i64 = 5;
const LATE_FILE_AFTER_D: i64 = 12;
/// Mornings after the quarter until everything has come to rest.
const REST_D: i64 = 30;

/// How a planted error is put right.
#[derive(Debug, Clone)]
pub(super) enum Remedy {
    /// The other side corrects its own.
    Theirs,
    /// Nothing is wrong but the dispute.
    Stands,
    /// What we charged is undone, or made again with what it should have been.
    Correct { lane: String, seq: u64, pair: Pair, charged: i64, right: Option<i64> },
    /// What we never charged is.
    Charge { account: i64, fare: i64, pair: Pair },
    /// Two people close the day over it.
    Hole,
    /// The bank puts it right.
    Bank,
    /// The bank's line is given to the payment it was for.
    Assign { end_to_end: String },
}

/// A case that must be there: what was planted, and what becomes of it.
#[derive(Debug)]
pub(super) struct Expected {
    planted: String,
    remedy: Remedy,
    code: Option<String>,
    settled: bool,
}

/// Kind and subject.
pub(super) type Key = (String, String);

/// What a lane wrote: when it leaves, and what is charged for it: pair, own day and fare.
struct Written {
    sent_s: i64,
    delivery: Delivery,
    charged: Option<(Pair, i64, i64)>,
}

pub(crate) struct Run {
    office: Office,
    books: Books,
    plan: Plan,
    truth: Truth,
    lanes: Vec<Lane>,
    /// By crossing, what its lane wrote of it.
    written: Vec<Vec<u64>>,
    /// The next crossing that is to be written.
    next: usize,
    /// Written, and not sent yet.
    outbox: Vec<Written>,
    banks: Vec<Bank>,
    expected: BTreeMap<Key, Expected>,
    /// The numbers of journals, as transfers are made of them.
    journals: BTreeMap<String, i64>,
    folder: TempDir,
}

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn date(number: i64) -> BusinessDate {
    date_of(number).parse().unwrap()
}

fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn amount(units: i64) -> Amount {
    Amount::try_new(units).unwrap()
}

impl Run {
    pub(crate) async fn begin(plan: Plan) -> Self {
        let office = Office::open().await;
        found(&office.pool, &plan.drivers, plan.crossings.len()).await;
        let books = office.books().await;
        let every_lane = (0..OPERATORS.len())
            .flat_map(|operator| (0..LANES_OF_OPERATOR).map(move |lane| (operator, lane)));
        let lanes =
            every_lane.map(|(operator, lane)| Lane::new(&lane_path(operator, lane))).collect();
        let journals: Vec<(String, i64)> =
            sqlx::query_as("select lane, journal_no::int8 from lane_epoch where epoch = 1")
                .fetch_all(&office.pool)
                .await
                .unwrap();
        let closed_through = [day_number(FIRST) - 2; 3];
        let truth = Truth { closed_through, ..Truth::default() };
        Self {
            written: vec![Vec::new(); plan.crossings.len()],
            banks: (0..ISSUERS.len()).map(Bank::new).collect(),
            journals: journals.into_iter().collect(),
            folder: tempfile::tempdir().unwrap(),
            outbox: Vec::new(),
            expected: BTreeMap::new(),
            next: 0,
            office,
            books,
            plan,
            truth,
            lanes,
        }
    }

    /// The dates of the mornings.
    pub(crate) fn mornings(&self) -> std::ops::Range<i64> {
        let first = day_number(FIRST);
        first..first + DAYS + REST_D
    }

    pub(crate) async fn morning(&mut self, today: i64) {
        let now_s = today * DAY_S + MORNING_S;
        self.lanes_write(now_s);
        self.lanes_send(now_s).await;
        self.close(now_s).await;
        self.take_statements(today, now_s).await;
        self.pay(today, now_s).await;
        for operator in 0..OPERATORS.len() {
            for day in [today - FILE_AFTER_D, today - LATE_FILE_AFTER_D] {
                let is_late = (day + i64::try_from(operator).unwrap()).rem_euclid(17) == 0;
                let due = day + if is_late { LATE_FILE_AFTER_D } else { FILE_AFTER_D };
                let last = day_number(FIRST) + DAYS;
                if due == today && (day_number(FIRST) - 1..=last).contains(&day) {
                    self.match_file(operator, day, now_s).await;
                }
            }
        }
        self.schedule(today, now_s).await;
        self.settle_what_banks_put_right(now_s).await;
    }

    pub(super) fn expect(&mut self, kind: &str, subject: String, planted: String, remedy: Remedy) {
        let expected = Expected { planted, remedy, code: None, settled: false };
        let before = self.expected.insert((kind.to_owned(), subject), expected);
        assert!(before.is_none(), "the test plants one thing twice: {before:?}");
    }

    // Traffic ------------------------------------------------------------------------------------

    /// Lanes write down what has passed until now; with it, what must be found is known.
    fn lanes_write(&mut self, now_s: i64) {
        while self.next < self.plan.crossings.len() && self.plan.crossings[self.next].at_s <= now_s
        {
            let number = self.next;
            self.next += 1;
            self.write(number);
            self.expect_of(number);
        }
    }

    fn write(&mut self, number: usize) {
        let crossing = &self.plan.crossings[number];
        let lane = &mut self.lanes[crossing.operator * LANES_OF_OPERATOR + crossing.lane];
        let vehicle = &self.plan.drivers[crossing.driver].vehicle;
        let at = instant(crossing.at_s).to_string();
        let deliveries = match crossing.wrong {
            Some(Wrong::TheirsInvents) => Vec::new(),
            Some(Wrong::OursLost) => {
                lane.skip();
                Vec::new()
            }
            Some(Wrong::OursUnread) => vec![lane.write(&at, |_| ())],
            Some(Wrong::OursTwice) => {
                let again = instant(crossing.at_s + 20).to_string();
                vec![lane.pass(vehicle, &at), lane.pass(vehicle, &again)]
            }
            _ => vec![lane.pass(vehicle, &at)],
        };
        let own_day = Plan::own_day(crossing);
        let charged = (crossing.wrong != Some(Wrong::OursUnread))
            .then(|| (self.plan.pair(crossing), own_day, self.plan.charged_fare(crossing)));
        for delivery in deliveries {
            let name = delivery.message_id.clone().unwrap();
            self.written[number].push(name.rsplit(':').next().unwrap().parse().unwrap());
            self.outbox.push(Written { sent_s: self.plan.sent_s(crossing), delivery, charged });
        }
    }

    /// What must be found of a crossing.
    fn expect_of(&mut self, number: usize) {
        let crossing = &self.plan.crossings[number];
        let Some(wrong) = crossing.wrong else { return };
        let seqs = &self.written[number];
        let (pair, driver) = (self.plan.pair(crossing), &self.plan.drivers[crossing.driver]);
        let theirs = their_name(number, crossing, seqs);
        let ours = |at: usize| passage_name(crossing, seqs[at]);
        let (charged, right) = (self.plan.charged_fare(crossing), self.plan.true_fare(crossing));
        let correct = |at: usize, right| {
            let lane = lane_path(crossing.operator, crossing.lane);
            Remedy::Correct { lane, seq: seqs[at], pair, charged, right }
        };
        let charge =
            || Remedy::Charge { account: driver.vehicle.account, fare: right.unwrap(), pair };
        let (kind, subject, remedy) = match wrong {
            Wrong::TheirsSplits => return,
            Wrong::TheirsLacks => ("only-ours", ours(0), Remedy::Theirs),
            Wrong::TheirsInvents => ("only-theirs", theirs, Remedy::Theirs),
            Wrong::TheirsAmount => ("amount-differs", ours(0), Remedy::Theirs),
            Wrong::TheirsClass => ("class-differs", ours(0), Remedy::Theirs),
            Wrong::TheirsTwice => ("duplicate", theirs, Remedy::Theirs),
            Wrong::DisputedRightly => ("dispute", ours(0), correct(0, None)),
            Wrong::DisputedWrongly => ("dispute", ours(0), Remedy::Stands),
            Wrong::OursInvents => ("only-ours", ours(0), correct(0, None)),
            Wrong::OursTwice => ("only-ours", ours(1), correct(1, None)),
            Wrong::OursAmount => ("amount-differs", ours(0), correct(0, right)),
            Wrong::OursClass => ("class-differs", ours(0), correct(0, right)),
            Wrong::OursUnread | Wrong::OursLost => ("only-theirs", theirs, charge()),
        };
        let day = date_of(Plan::own_day(crossing));
        let planted = format!("{wrong:?}, crossing {number}, {} {day}", OPERATORS[pair.0].id);
        self.expect(kind, subject, planted, remedy);
    }

    /// What has reached the centre is posted, some of it twice.
    async fn lanes_send(&mut self, now_s: i64) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.outbox).into_iter().partition(|one| one.sent_s <= now_s);
        self.outbox = later;
        let mut deliveries = Vec::new();
        for Written { sent_s: _, delivery, charged } in due {
            if let Some((pair, own_day, fare)) = charged {
                self.truth.post(pair, own_day, fare);
            }
            deliveries.push(delivery);
        }
        for part in deliveries.chunks(2_000) {
            let outcome = self.books.post(part, instant(now_s)).await.unwrap();
            assert_eq!((outcome.fresh, outcome.refused), (part.len(), 0), "{outcome:?}");
        }
        let again: Vec<Delivery> = deliveries.iter().step_by(9).cloned().collect();
        if !again.is_empty() {
            let outcome = self.books.post(&again, instant(now_s)).await.unwrap();
            assert_eq!((outcome.fresh, outcome.duplicates), (0, again.len()));
        }
    }
}
