//! The mornings of the quarter: lanes send, days close, banks' statements come, money is ordered, files
//! of the other side are matched, and every case is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use clearing_house::intake::{Books, Delivery};
use domain::{Amount, BusinessDate, Clock, Timestamp};
use reconciliation::approval::{
    HoleDecision, HoleInLane, Person, approve, approve_hole, propose_hole,
};
use reconciliation::cases::of_matching::{About, differences};
use reconciliation::cases::{self, CaseError, Finding, Outcome, finding};
use reconciliation::matching::{Plan as Means, Rules};
use reconciliation::payment::{BookingKind, Confirmed, PaymentError, confirm, keep_unknown, pay};
use reconciliation::schedule::Scheduler;
use reconciliation::settlement::{self, DayClose, Refusal, Today, close_through_by};
use reconciliation::sides::again::once_each;
use reconciliation::sides::bank::statement;
use reconciliation::sides::ledger::{By, Charges, charges};
use reconciliation::sides::{Mapping, Table};
use reconciliation::verify::verify;
use reconciliation::window::repo::windows_in;
use reconciliation::window::{Actor, State};
use tempfile::TempDir;
use tests::lane::Lane;
use tests::office::{Office, centre_key};

use super::bank::Bank;
use super::plan::{Crossing, DAYS, FIRST, Plan, Wrong};
use super::theirs::{file, mapping, passage_name, their_name};
use super::truth::{DAY_S, Pair, Truth, date_of, day_number, settlement_day};
use super::world::{BEGINS_WITH, ISSUERS, LANES_OF_OPERATOR, OPERATORS, found, lane_path};

/// When finance comes in, in UTC: late enough for the day before of every operator to be over.
const MORNING_S: i64 = 4 * 3_600;
/// How long after a day its file comes, in days, and how long where it is late.
const FILE_AFTER_D: i64 = 5;
const LATE_FILE_AFTER_D: i64 = 12;
/// Mornings after the quarter until everything has come to rest.
const REST_D: i64 = 30;

/// How a planted error is put right.
#[derive(Debug, Clone)]
enum Remedy {
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
struct Expected {
    planted: String,
    remedy: Remedy,
    code: Option<String>,
    settled: bool,
}

/// Kind and subject.
type Key = (String, String);

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
    /// Written, and not sent yet: when it leaves, with what the truth has to say of it.
    outbox: Vec<(i64, Delivery, Option<(Pair, i64, i64)>)>,
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
        found(&office.pool, &plan.drivers).await;
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
        let mut truth = Truth::default();
        truth.closed_through = [day_number(FIRST) - 2; 3];
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

    fn expect(&mut self, kind: &str, subject: String, planted: String, remedy: Remedy) {
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
            self.outbox.push((self.plan.sent_s(crossing), delivery, charged));
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
            std::mem::take(&mut self.outbox).into_iter().partition(|(sent_s, ..)| *sent_s <= now_s);
        self.outbox = later;
        let mut deliveries = Vec::new();
        for (_, delivery, charged) in due {
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

    // Settlement ---------------------------------------------------------------------------------

    /// Closes what is over; where a hole is in the way, two people decide, and it is closed then.
    async fn close(&mut self, now_s: i64) {
        let closes = self.close_once(now_s).await;
        let mut missing = Vec::new();
        for close in &closes {
            for found in finding::of_close(close) {
                self.open(&found, now_s).await;
            }
            missing.extend(self.accept_holes(close, now_s).await);
        }
        if !missing.is_empty() {
            self.close_once(now_s).await;
        }
        for key in missing {
            self.settle(&key, now_s).await;
        }
        for window in windows_in(&self.office.pool, State::Closed).await.unwrap() {
            approve(&self.office.pool, &window, &person("minh"), instant(now_s)).await.unwrap();
        }
        for operator in 0..OPERATORS.len() {
            self.truth.close_through(operator, settlement_day(operator, now_s) - 1);
        }
    }

    async fn close_once(&self, now_s: i64) -> Vec<DayClose> {
        let clock = Clock::of_run(Some(Clock::anchor(instant(now_s), 1.0)));
        let today = Today { clock: &clock, early_reason: None };
        let through = date(now_s.div_euclid(DAY_S) + 1);
        let lan = person("lan");
        close_through_by(&self.office.pool, through, today, &centre_key(), Some(&lan))
            .await
            .unwrap()
    }

    /// Accepts the holes of a day, each of which must be of passages that a lane lost.
    async fn accept_holes(&mut self, close: &DayClose, now_s: i64) -> Vec<Key> {
        let settlement::Outcome::Refused(refusals) = &close.outcome else { return Vec::new() };
        let mut keys = Vec::new();
        for refusal in refusals {
            let Refusal::Missing { lane, epoch, first_seq, last_seq } = refusal else {
                let stands =
                    matches!(refusal, Refusal::NotOver { .. } | Refusal::EarlierDay { .. });
                assert!(stands, "{} {}: {refusal}", close.operator, close.day);
                continue;
            };
            let (lane, epoch) = (lane.clone(), *epoch);
            let (first_seq, last_seq) = (*first_seq, *last_seq);
            keys.push(("hole".to_owned(), format!("{lane}:{epoch}:{first_seq}")));
            let hole = HoleInLane { lane, epoch, first_seq, last_seq };
            let decision = HoleDecision { hole, reason: "the lane lost them".to_owned() };
            let window = reconciliation::window::Window::new(close.operator.clone(), close.day);
            let (pool, now) = (&self.office.pool, instant(now_s));
            propose_hole(pool, &window, &decision, &person("lan"), now).await.unwrap();
            approve_hole(pool, &window, &decision, &person("minh"), now).await.unwrap();
        }
        keys
    }

    // Cases --------------------------------------------------------------------------------------

    /// Opens the case of what was found, which must have been planted.
    async fn open(&mut self, found: &Finding, now_s: i64) -> Key {
        let pool = &self.office.pool;
        let code = cases::open(pool, found, &Actor::Program, instant(now_s)).await.unwrap();
        let key = (found.kind.name().to_owned(), found.subject.clone());
        if found.kind == cases::Kind::Hole {
            self.expect_hole(&key);
        }
        let seed = self.plan.seed;
        let expected = self.expected.get_mut(&key);
        let expected = expected.unwrap_or_else(|| panic!("seed {seed}: never planted: {found:?}"));
        expected.code = Some(code);
        key
    }

    /// A hole is expected where a lane lost what it wrote there.
    fn expect_hole(&mut self, key: &Key) {
        if self.expected.contains_key(key) {
            return;
        }
        let lost = |one: &Crossing| {
            let lane = lane_path(one.operator, one.lane);
            one.wrong == Some(Wrong::OursLost) && key.1.starts_with(&format!("{lane}:1:"))
        };
        let passed = &self.plan.crossings[..self.next];
        assert!(passed.iter().any(lost), "never planted: {key:?}");
        self.expect("hole", key.1.clone(), "a lane lost what it wrote".to_owned(), Remedy::Hole);
    }

    /// One person proposes what the truth says, and another settles it.
    async fn settle(&mut self, key: &Key, now_s: i64) {
        let (pool, now) = (&self.office.pool, instant(now_s));
        let expected = self.expected.get_mut(key).unwrap();
        if expected.settled {
            return;
        }
        let code = expected.code.clone().unwrap();
        let open_day = |pair: Pair| settlement_day(pair.0, now_s);
        let outcome = match &expected.remedy {
            Remedy::Theirs => Outcome::TheirsCorrected,
            Remedy::Stands | Remedy::Hole => Outcome::Stands,
            Remedy::Bank => Outcome::Booked,
            Remedy::Assign { end_to_end } => Outcome::Assigned { end_to_end: end_to_end.clone() },
            Remedy::Correct { lane, seq, pair, charged, right } => {
                let transfer = (self.journals[lane] << 32) | i64::try_from(*seq).unwrap();
                let by = right.unwrap_or(0) - charged;
                let passages = if right.is_some() { 0 } else { -1 };
                self.truth.correct(*pair, open_day(*pair), by, passages);
                let day = date(open_day(*pair));
                Outcome::Corrected { transfer, right: right.map(amount), day }
            }
            Remedy::Charge { account, fare, pair } => {
                self.truth.correct(*pair, open_day(*pair), *fare, 0);
                let (account, amount) = (*account, amount(*fare));
                Outcome::Charged { account, amount, day: date(open_day(*pair)) }
            }
        };
        cases::propose(pool, &code, &person("lan"), &outcome, "seen", now).await.unwrap();
        match cases::settle(pool, &code, &person("minh"), "seen too", now).await {
            Ok(_) => expected.settled = true,
            // The bank has not put it right yet: it is tried again.
            Err(CaseError::NotBooked { .. }) => {}
            Err(error) => panic!("{key:?}: {error:?}"),
        }
    }

    async fn settle_what_banks_put_right(&mut self, now_s: i64) {
        let is_open = |one: &Expected| {
            !one.settled && one.code.is_some() && matches!(one.remedy, Remedy::Bank)
        };
        let open: Vec<Key> = self
            .expected
            .iter()
            .filter(|(_, expected)| is_open(expected))
            .map(|(key, _)| key.clone())
            .collect();
        for key in open {
            self.settle(&key, now_s).await;
        }
    }

    // Money --------------------------------------------------------------------------------------

    /// Takes the banks' statements of yesterday.
    async fn take_statements(&mut self, today: i64, now_s: i64) {
        for issuer in 0..ISSUERS.len() {
            let Some((form, text)) = self.banks[issuer].statement(today - 1) else { continue };
            let path = self.folder.path().join(format!("statement-{issuer}-{today}"));
            fs::write(&path, text).unwrap();
            let lines = statement(form, &path, domain::Currency::VND).unwrap().bookings;
            for (_, booking) in lines {
                let (pool, now) = (&self.office.pool, instant(now_s));
                match confirm(pool, &booking, now).await {
                    Ok(confirmed) => {
                        if let Confirmed::Returned { windows } = &confirmed {
                            assert_eq!(booking.kind, BookingKind::Returned);
                            let operator = windows[0].operator.as_str();
                            let operator =
                                OPERATORS.iter().position(|one| one.id == operator).unwrap();
                            *self.truth.unpaid.entry((operator, issuer)).or_default() +=
                                booking.amount.minor_units();
                        }
                        if let Some(found) = finding::of_payment(&booking, &confirmed) {
                            self.open(&found, now_s).await;
                        }
                        assert_eq!(
                            confirm(&self.office.pool, &booking, now).await.unwrap(),
                            Confirmed::Before
                        );
                    }
                    Err(PaymentError::Unknown(_)) => {
                        let of = ISSUERS[issuer].parse().unwrap();
                        let kept = keep_unknown(pool, &of, &booking, now).await.unwrap().unwrap();
                        assert_eq!(keep_unknown(pool, &of, &booking, now).await.unwrap(), None);
                        let key = self.open(&finding::of_unknown(&kept), now_s).await;
                        self.settle(&key, now_s).await;
                    }
                    Err(error) => panic!("{booking:?}: {error:?}"),
                }
            }
        }
    }

    /// Orders what is approved, which must be what the truth says is owed.
    async fn pay(&mut self, today: i64, now_s: i64) {
        let (lan, pool) = (Actor::Person(person("lan")), &self.office.pool);
        let orders = pay(pool, date(today + 1), date(today), &lan, instant(now_s)).await.unwrap();
        let mut paid = BTreeMap::new();
        for order in orders {
            let issuer = ISSUERS.iter().position(|one| *one == order.issuer.as_str()).unwrap();
            let payments: Vec<(String, String, i64)> = sqlx::query_as(
                "select end_to_end, operator, amount from payment where payment_order = $1 order by 1",
            )
            .bind(order.number)
            .fetch_all(&self.office.pool)
            .await
            .unwrap();
            for (end_to_end, operator, amount) in payments {
                let operator = OPERATORS.iter().position(|one| one.id == operator).unwrap();
                paid.insert((operator, issuer), amount);
                // In the last days everything goes right, so that all comes to rest.
                let may_err = today < day_number(FIRST) + DAYS + 8;
                let planted = self.banks[issuer].order(&end_to_end, amount, today, may_err);
                let Some(planted) = planted else { continue };
                let what = format!("{} of payment {end_to_end}", planted.kind);
                let remedy = match planted.kind {
                    "bank-unknown" => Remedy::Assign { end_to_end },
                    _ => Remedy::Bank,
                };
                self.expect(planted.kind, planted.subject, what, remedy);
            }
        }
        assert_eq!(paid, self.truth.pay(), "what is ordered on {}", date_of(today));
    }

    // The other side -----------------------------------------------------------------------------

    /// Takes an operator's file of a day, matches it with the books, and settles what is found.
    async fn match_file(&mut self, operator: usize, day: i64, now_s: i64) {
        let id = OPERATORS[operator].id;
        let text = file(&self.plan, operator, day, &self.written);
        let mut paths: Vec<PathBuf> =
            vec![self.folder.path().join(format!("{id}-{}.csv", date_of(day)))];
        fs::write(&paths[0], &text).unwrap();
        if day.rem_euclid(13) == 0 {
            let again = format!("{id}-{}-again.csv", date_of(day));
            let planted = format!("the file of {id} {} sent again", date_of(day));
            self.expect("duplicate", format!("file {again}"), planted, Remedy::Theirs);
            paths.push(self.folder.path().join(again));
            fs::write(&paths[1], &text).unwrap();
        }
        let about = About::of(&self.office.pool, &id.parse().unwrap(), date(day)).await.unwrap();
        let (once, again) = once_each(&paths).unwrap();
        let theirs_as = Mapping::try_from_toml(&mapping(operator)).unwrap();
        let opened = once.into_iter().map(|path| (path.clone(), fs::File::open(path).unwrap()));
        let theirs = Table::of(opened.collect(), &theirs_as).unwrap();
        let by = By::Passed(about.calendar.clone());
        let wanted =
            Charges { operator: about.operator.clone(), from: about.day, through: about.day, by };
        let ours = charges(&self.office.pool, &wanted, self.folder.path()).await.unwrap();
        let ours = Table::of(vec![("books".into(), ours)], &Mapping::normal()).unwrap();
        let folder = self.folder.path().to_owned();
        let means = Means { workers: 1, memory_bytes: None, folder };
        let (_, mut found) =
            differences((&ours, &theirs), &Rules::default(), &means, &about).unwrap();
        found.extend(again.iter().map(|again| about.sent_again(again)));
        let mut keys = Vec::new();
        for found in &found {
            keys.push(self.open(found, now_s).await);
        }
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "one thing is told twice: {keys:?}");
        for key in keys {
            self.settle(&key, now_s).await;
        }
        // Matched again, it is the same cases.
        let (_, again) = differences((&ours, &theirs), &Rules::default(), &means, &about).unwrap();
        let all = cases::open_all(&self.office.pool, &again, &Actor::Program, instant(now_s)).await;
        assert!(
            all.unwrap()
                .iter()
                .all(|code| self.expected.values().any(|one| one.code.as_ref() == Some(code)))
        );
    }

    /// The scheduler's part: payments that no bank shows, and at a month's beginning everything.
    async fn schedule(&mut self, today: i64, now_s: i64) {
        let clock = Clock::of_run(Some(Clock::anchor(instant(now_s), 1.0)));
        let (pool, folder) = (&self.office.pool, self.folder.path());
        let scheduler = Scheduler { pool, clock: &clock, key: &centre_key(), folder };
        if date_of(today).ends_with("-01") {
            scheduler.tick().await.unwrap();
        } else {
            scheduler.late_banks().await.unwrap();
        }
        for case in cases::repo::cases(&self.office.pool, false).await.unwrap() {
            if case.kind == "bank-late" {
                let seed = self.plan.seed;
                let expected = self.expected.get_mut(&(case.kind.clone(), case.subject.clone()));
                let expected =
                    expected.unwrap_or_else(|| panic!("seed {seed}: never planted: {case:?}"));
                expected.code = Some(case.code);
            }
        }
    }

    // The end ------------------------------------------------------------------------------------

    /// Everything was found and settled; books and settlements are what the truth says.
    pub(crate) async fn end(self) {
        let seed = self.plan.seed;
        let missed: Vec<&str> = self
            .expected
            .values()
            .filter(|one| one.code.is_none() || !one.settled)
            .map(|one| one.planted.as_str())
            .collect();
        assert!(
            missed.is_empty(),
            "seed {seed}: planted and not found or not settled: {missed:#?}"
        );
        let codes = self.office.number("select count(*) from settlement_case").await;
        assert_eq!(codes, i64::try_from(self.expected.len()).unwrap(), "seed {seed}: cases");
        self.assert_positions().await;
        self.assert_payables().await;
        self.assert_customers().await;
        let unmatched = "select operator || ' ' || day || ' ' || state from window_v1 \
                         where state <> 'matched' and day < '2026-10-20' order by 1";
        assert_eq!(self.office.texts(unmatched).await, [""; 0], "seed {seed}");
        let verdict = verify(&self.office.pool, &centre_key().public()).await.unwrap();
        assert!(verdict.ok, "{verdict}");
        self.office.assert_proven().await;
        println!("{} cases, {} positions", self.expected.len(), self.truth.positions.len());
    }

    async fn assert_positions(&self) {
        type Row = (String, String, String, i64, i64, i64, i64, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "select operator, day::text, issuer, passages, gross, adjustment, fee, vat, net
             from settlement_position order by 1, 2, 3",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        let mut expected = Vec::new();
        for ((pair, day), position) in &self.truth.positions {
            let settled = position.settled(*pair, *day);
            expected.push((
                OPERATORS[pair.0].id.to_owned(),
                date_of(*day),
                ISSUERS[pair.1].to_owned(),
                position.passages,
                position.gross,
                position.adjustment,
                settled.fee,
                settled.vat,
                settled.net,
            ));
        }
        expected.sort();
        let (rows, expected): (BTreeSet<Row>, BTreeSet<Row>) =
            (rows.into_iter().collect(), expected.into_iter().collect());
        let only_stated: Vec<&Row> = rows.difference(&expected).collect();
        let only_true: Vec<&Row> = expected.difference(&rows).collect();
        let seed = self.plan.seed;
        assert!(
            only_stated.is_empty() && only_true.is_empty(),
            "seed {seed}: stated {only_stated:#?}, true {only_true:#?}"
        );
    }

    /// What is still owed is what could not be paid, because it is not above zero.
    async fn assert_payables(&self) {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "select operator, issuer, balance from ledger_balance_v1 where kind = 'payable' and balance <> 0
             order by 1, 2",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        let mut owed: Vec<(String, String, i64)> = Vec::new();
        for ((operator, issuer), sum) in &self.truth.unpaid {
            if *sum != 0 {
                owed.push((OPERATORS[*operator].id.to_owned(), ISSUERS[*issuer].to_owned(), *sum));
            }
        }
        owed.sort();
        assert_eq!(rows, owed, "seed {}: what is owed at the end", self.plan.seed);
    }

    /// Each customer has paid for what he truly drove.
    async fn assert_customers(&self) {
        let mut drove: BTreeMap<i64, i64> = BTreeMap::new();
        for crossing in &self.plan.crossings {
            let account = self.plan.drivers[crossing.driver].vehicle.account;
            *drove.entry(account).or_default() += self.plan.true_fare(crossing).unwrap_or(0);
        }
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select account, balance from balance_v1 where account >= 20000 order by 1",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        for (account, balance) in rows {
            let paid = BEGINS_WITH - balance;
            let owed = drove.get(&account).copied().unwrap_or(0);
            assert_eq!(paid, owed, "seed {}: account {account}", self.plan.seed);
        }
    }
}
