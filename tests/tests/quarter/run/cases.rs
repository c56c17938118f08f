//! Days are closed, and what is found becomes a case that two people settle.

use domain::Clock;
use reconciliation::approval::{HoleDecision, HoleInLane, approve, approve_hole, propose_hole};
use reconciliation::cases::{self, CaseError, Finding, Outcome, finding};
use reconciliation::settlement::{self, DayClose, Refusal, Today, close_through_by};
use reconciliation::window::repo::windows_in;
use reconciliation::window::{Actor, State, Window};
use tests::office::centre_key;

use super::super::plan::{Crossing, Wrong};
use super::super::truth::{DAY_S, Pair, settlement_day};
use super::super::world::{OPERATORS, lane_path};
use super::{Expected, Key, Remedy, Run, amount, date, instant, person};

impl Run {
    /// Closes what is over; where a hole is in the way, two people decide, and it is closed then.
    pub(super) async fn close(&mut self, now_s: i64) {
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
            let decision =
                HoleDecision { hole, figures: Vec::new(), reason: "the lane lost them".to_owned() };
            let window = Window::new(close.operator.clone(), close.day);
            let (pool, now) = (&self.office.pool, instant(now_s));
            propose_hole(pool, &window, &decision, &person("lan"), now).await.unwrap();
            approve_hole(pool, &window, &decision, &person("minh"), now).await.unwrap();
        }
        keys
    }

    /// Opens the case of what was found, which must have been planted.
    pub(super) async fn open(&mut self, found: &Finding, now_s: i64) -> Key {
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
    pub(super) async fn settle(&mut self, key: &Key, now_s: i64) {
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

    pub(super) async fn settle_what_banks_put_right(&mut self, now_s: i64) {
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
}
