use std::collections::HashSet;

use domain::passage::{ClockQuality, Decision, LaneRole, Payment};
use domain::signature::SecretKey;
use domain::wire::v1::emit;
use domain::{Amount, TagId};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

/// When the lanes were enrolled, when they were enrolled anew, and when everything comes.
const ENROLLED: i64 = 1_780_000_000;
const ANEW: i64 = ENROLLED + 3_600;
const NOW: i64 = ENROLLED + 7_200;

fn second(number: i64) -> Timestamp {
    Timestamp::from_second(number).unwrap()
}

/// Keys of a lane: the first, the one it was enrolled anew with, and a stranger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    First,
    Anew,
    Stranger,
}

fn key(lane: &LaneId, by: By) -> SecretKey {
    let text = format!("{by:?} of {lane}");
    SecretKey::from_seed(Digest256::of(text.as_bytes()).as_bytes())
}

fn lane(number: usize) -> LaneId {
    format!("cienco4/ben-thuy/l{number}").parse().unwrap()
}

fn registry(lanes: usize, first_is_revoked: bool) -> Registry {
    let mut registry = Registry::default();
    for lane in (0..lanes).map(lane) {
        for (by, from) in [(By::First, ENROLLED), (By::Anew, ANEW)] {
            registry.add_key(lane.clone(), key(&lane, by).public(), second(from));
        }
        if first_is_revoked {
            registry.revoke_ended_keys(&lane);
        }
    }
    registry
}

/// A lane's journal.
#[derive(Debug, Clone)]
struct Journal {
    lane: LaneId,
    seq: u64,
    previous: Digest256,
}

impl Journal {
    fn new(number: usize) -> Self {
        Self { lane: lane(number), seq: 0, previous: Digest256::default() }
    }

    fn write(&mut self, at: i64, by: By) -> Delivery {
        self.seq += 1;
        let passage = Passage {
            id: PassageId { lane: self.lane.clone(), epoch: 1, seq: self.seq.try_into().unwrap() },
            role: LaneRole::Open,
            at: second(at),
            clock: ClockQuality::Synchronised,
            uptime_ns: self.seq,
            boot: "first".to_owned(),
            tag: Some(TagId::try_from_slice(&self.seq.to_be_bytes()).unwrap()),
            plate: None,
            group: None,
            list_version: 1,
            status_seen: None,
            tariff: None,
            entry: None,
            exception: None,
            decision: Decision::OpenedByTag,
            attendance: None,
            fare: Some(Amount::try_new(47_000).unwrap()),
            payment: Payment::Account,
            previous: self.previous,
        };
        let message_id = Some(passage.id.to_string());
        let payload = emit(&PassageRecord::from(passage));
        self.previous = Digest256::of(&payload);
        let signature = Some(key(&self.lane, by).sign(Context::Passage, &payload).to_text());
        Delivery { subject: subject::passage(&self.lane), message_id, signature, payload }
    }

    /// The first lane's, so many before it was enrolled anew and so many after.
    fn rotated(before: i64, after: i64) -> Vec<Delivery> {
        let mut journal = Self::new(0);
        let mut deliveries: Vec<Delivery> =
            (1..=before).map(|at| journal.write(ENROLLED + at, By::First)).collect();
        deliveries.extend((1..=after).map(|at| journal.write(ANEW + at, By::Anew)));
        deliveries
    }
}

fn altered(delivery: &Delivery, from: &str, to: &str) -> Delivery {
    let payload = String::from_utf8(delivery.payload.clone()).unwrap();
    assert!(payload.contains(from));
    Delivery { payload: payload.replace(from, to).into_bytes(), ..delivery.clone() }
}

fn with_signature_of(delivery: &Delivery, other: &Delivery) -> Delivery {
    Delivery { signature: other.signature.clone(), ..delivery.clone() }
}

/// The verdicts of a batch in order: nothing where a delivery was taken.
fn verdicts(deliveries: &[Delivery], registry: &Registry) -> Vec<Option<Refusal>> {
    let examined = Examiner::default().examine(deliveries, registry, second(NOW));
    let taken = |at| examined.genuine.iter().any(|genuine| genuine.index == at);
    let refused = |at| examined.refused.iter().find(|(index, _)| *index == at);
    (0..deliveries.len())
        .map(|at| {
            let refused = refused(at).map(|(_, refusal)| *refusal);
            assert_ne!(taken(at), refused.is_some(), "each is in one of the two");
            refused
        })
        .collect()
}

const FORGED: Option<Refusal> = Some(Refusal::Forged);
const KEY_ENDED: Option<Refusal> = Some(Refusal::KeyEnded);

#[test]
fn an_altered_amount_is_refused_wherever_it_stands_and_the_rest_is_taken() {
    for at in 0..5 {
        let mut batch = Journal::rotated(0, 5);
        batch[at] = altered(&batch[at], "47000", "10000");
        let mut expected = [None; 5];
        expected[at] = FORGED;
        assert_eq!(verdicts(&batch, &registry(1, false)), expected);
    }
}

#[test]
fn a_signature_altered_under_way_is_made_good_by_the_next_passage_and_only_by_that() {
    let batch = Journal::rotated(0, 4);
    let mut damaged = batch.clone();
    damaged[1] = with_signature_of(&batch[1], &batch[0]);
    assert_eq!(verdicts(&damaged, &registry(1, false)), [None; 4]);
    let stored = Examiner::default().examine(&damaged, &registry(1, false), second(NOW));
    let as_it_came: Signature = damaged[1].signature.as_ref().unwrap().parse().unwrap();
    assert_eq!(stored.genuine[1].signature, as_it_came, "it is kept as it came");
    // Nothing stands for the last one, and nothing for one whose next is not there.
    let mut last = batch.clone();
    last[3] = with_signature_of(&batch[3], &batch[0]);
    assert_eq!(verdicts(&last, &registry(1, false)), [None, None, None, FORGED]);
    let without_next = [damaged[0].clone(), damaged[1].clone(), damaged[3].clone()];
    assert_eq!(verdicts(&without_next, &registry(1, false)), [None, FORGED, None]);
}

#[test]
fn a_passage_that_was_cut_out_leaves_both_sides_as_they_are() {
    let mut batch = Journal::rotated(0, 5);
    batch.remove(2);
    assert_eq!(verdicts(&batch, &registry(1, false)), [None; 4]);
}

#[test]
fn what_a_stranger_slips_in_is_refused_and_the_lanes_own_is_taken() {
    let mut journal = Journal::new(0);
    let first = journal.write(ANEW + 1, By::Anew);
    let mut fork = journal.clone();
    let forged = [fork.write(ANEW + 2, By::Stranger), fork.write(ANEW + 3, By::Stranger)];
    let own = [journal.write(ANEW + 4, By::Anew), journal.write(ANEW + 5, By::Anew)];
    let [second, third] = own;
    let [forged_second, forged_third] = forged;
    let batch = [first, forged_second, second, forged_third, third];
    assert_eq!(verdicts(&batch, &registry(1, false)), [None, FORGED, None, FORGED, None]);
}

#[test]
fn a_run_goes_on_through_a_new_key() {
    assert_eq!(verdicts(&Journal::rotated(3, 3), &registry(1, false)), [None; 6]);
}

#[test]
fn a_new_key_does_not_vouch_for_what_a_revoked_one_signed() {
    let expected = [KEY_ENDED, KEY_ENDED, KEY_ENDED, None, None];
    assert_eq!(verdicts(&Journal::rotated(3, 2), &registry(1, true)), expected);
}

#[test]
fn a_thief_of_an_old_key_is_refused_whatever_he_names_and_whenever_he_says_it_was() {
    for revoked in [false, true] {
        let mut journal = Journal::new(0);
        let batch: Vec<Delivery> = (1..=3).map(|at| journal.write(ANEW + at, By::Anew)).collect();
        let mut thief = journal.clone();
        let stolen = [1, 2].map(|at| thief.write(ANEW + 10 + at, By::First));
        let batch = [batch, stolen.to_vec()].concat();
        let expected = [None, None, None, KEY_ENDED, KEY_ENDED];
        assert_eq!(verdicts(&batch, &registry(1, revoked)), expected);
    }
    // Dated back, an ended key is believed and a revoked one is not; neither speaks for more.
    let mut thief = Journal::new(0);
    let stolen = [1, 2].map(|at| thief.write(ENROLLED + at, By::First));
    assert_eq!(verdicts(&stolen, &registry(1, true)), [KEY_ENDED; 2]);
    assert_eq!(verdicts(&stolen, &registry(1, false)), [None; 2]);
}

#[test]
fn the_new_key_vouches_for_what_a_fast_clock_dated_after_it() {
    let mut journal = Journal::new(0);
    let fast = journal.write(ANEW + 60, By::First);
    let next = journal.write(ANEW + 90, By::Anew);
    let registry = registry(1, true);
    assert_eq!(verdicts(std::slice::from_ref(&fast), &registry), [KEY_ENDED]);
    assert_eq!(verdicts(&[fast, next], &registry), [None; 2]);
}

/// What may happen to a passage between its lane and here.
#[derive(Debug, Clone)]
enum Damage {
    None,
    Content(usize),
    Signature(usize),
    Unsigned,
    OtherSignature,
    CutOut,
    Twice,
    /// Another under the same number, and perhaps one more on top of it.
    SlippedIn(By, bool),
    OtherId,
    OtherSubject,
    Garbled,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        12 => Just(Damage::None),
        1 => any::<usize>().prop_map(Damage::Content),
        2 => (0_usize..512).prop_map(Damage::Signature),
        1 => Just(Damage::Unsigned),
        1 => Just(Damage::OtherSignature),
        1 => Just(Damage::CutOut),
        1 => Just(Damage::Twice),
        1 => (prop_oneof![Just(By::First), Just(By::Anew), Just(By::Stranger)], any::<bool>())
            .prop_map(|(by, more)| Damage::SlippedIn(by, more)),
        1 => Just(Damage::OtherId),
        1 => Just(Damage::OtherSubject),
        1 => Just(Damage::Garbled),
    ]
}

/// One passage of the history: whose lane's, how far its clock was off, what happened to it, and
/// where it comes among the others.
type Step = (usize, i64, Damage, u32);

fn step() -> impl Strategy<Value = Step> {
    let clock_off = prop_oneof![4 => Just(0_i64), 1 => -4_000_i64..4_000];
    let place = prop_oneof![3 => Just(0_u32), 1 => any::<u32>()];
    (0_usize..2, clock_off, damage(), place)
}

/// The history as it was written and as it came, and the digests of what the lanes wrote.
fn history(steps: &[Step], rotated_at: usize) -> (Vec<Delivery>, HashSet<(LaneId, [u8; 32])>) {
    let mut journals = [Journal::new(0), Journal::new(1)];
    let mut written = HashSet::new();
    let mut came: Vec<(u32, Delivery)> = Vec::new();
    let mut before: Option<Delivery> = None;
    for (index, (lane, clock_off, damage, place)) in steps.iter().enumerate() {
        let (by, since) = if index < rotated_at { (By::First, ENROLLED) } else { (By::Anew, ANEW) };
        let at = since + i64::try_from(index).unwrap() + clock_off;
        let fork = journals[*lane].clone();
        let good = journals[*lane].write(at, by);
        written.insert((fork.lane.clone(), *Digest256::of(&good.payload).as_bytes()));
        let mut push = |delivery| came.push((*place, delivery));
        match damage {
            Damage::None => push(good.clone()),
            Damage::Content(at) => {
                let mut payload = good.payload.clone();
                let at = at % payload.len();
                payload[at] ^= 1;
                push(Delivery { payload, ..good.clone() });
            }
            Damage::Signature(bit) => {
                let text = good.signature.as_ref().unwrap();
                let mut bytes = *text.parse::<Signature>().unwrap().as_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let signature = Some(Signature::try_from_slice(&bytes).unwrap().to_text());
                push(Delivery { signature, ..good.clone() });
            }
            Damage::Unsigned => push(Delivery { signature: None, ..good.clone() }),
            Damage::OtherSignature => {
                push(with_signature_of(&good, before.as_ref().unwrap_or(&good)));
            }
            Damage::CutOut => {}
            Damage::Twice => {
                push(good.clone());
                push(good.clone());
            }
            Damage::SlippedIn(by, more) => {
                let mut fork = fork;
                let forged = fork.write(at + 1, *by);
                push(altered_number(&forged));
                push(good.clone());
                if *more {
                    push(fork.write(at + 2, *by));
                }
            }
            Damage::OtherId => {
                let other = format!("{}:1:{}", fork.lane, fork.seq + 7);
                push(Delivery { message_id: Some(other), ..good.clone() });
            }
            Damage::OtherSubject => {
                let other = subject::passage(&self::lane(1 - lane));
                push(Delivery { subject: other, ..good.clone() });
            }
            Damage::Garbled => {
                let payload = b"{\"v\":1,\"id\":7}".to_vec();
                let signature = key(&fork.lane, by).sign(Context::Passage, &payload);
                let signature = Some(signature.to_text());
                push(Delivery { payload, signature, ..good.clone() });
            }
        }
        before = Some(good);
    }
    came.sort_by_key(|(place, _)| *place);
    (came.into_iter().map(|(_, delivery)| delivery).collect(), written)
}

/// Without its message id, as the broker would else know it again.
fn altered_number(delivery: &Delivery) -> Delivery {
    Delivery { message_id: None, ..delivery.clone() }
}

/// Whether one that is taken by itself names this one, directly or through others of the batch.
fn is_named(at: usize, deliveries: &[Delivery], alone: &[Result<Genuine, Refusal>]) -> bool {
    let digest = Digest256::of(&deliveries[at].payload);
    deliveries.iter().enumerate().any(|(next, delivery)| {
        let names = delivery.subject == deliveries[at].subject
            && serde_json::from_slice::<PassageRecord>(&delivery.payload)
                .is_ok_and(|record| record.previous == digest);
        names && (alone[next].is_ok() || is_named(next, deliveries, alone))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn together_nothing_is_taken_that_no_lane_wrote_and_nothing_is_lost(
        steps in proptest::collection::vec(step(), 1..24),
        rotated_at in 0_usize..24,
        revoked: bool,
    ) {
        let (deliveries, written) = history(&steps, rotated_at);
        let registry = registry(2, revoked);
        let now = second(NOW) + SignedDuration::from_secs(1);
        let alone: Vec<Result<Genuine, Refusal>> = deliveries
            .iter()
            .enumerate()
            .map(|(index, delivery)| examine(index, delivery, &registry, now))
            .collect();
        let examiner = Examiner::default();
        // The first time no key is prepared, the last time those of long runs are.
        for _ in 0..7 {
            let together = examiner.examine(&deliveries, &registry, now);
            prop_assert_eq!(together.genuine.len() + together.refused.len(), deliveries.len());
            for genuine in &together.genuine {
                let at = genuine.index;
                match &alone[at] {
                    Ok(same) => {
                        prop_assert_eq!(&genuine.id, &same.id);
                        prop_assert_eq!(genuine.content_hash, same.content_hash);
                        prop_assert_eq!(genuine.signature, same.signature);
                        prop_assert_eq!(&genuine.passage, &same.passage);
                    }
                    Err(refusal) => {
                        prop_assert!(matches!(refusal, Refusal::Forged | Refusal::KeyEnded));
                        prop_assert!(is_named(at, &deliveries, &alone), "nobody names {}", at);
                        let content = (genuine.id.lane.clone(), *genuine.content_hash.as_bytes());
                        prop_assert!(
                            written.contains(&content) || is_forked_by_a_good_key(&steps, revoked),
                            "no lane wrote {}", at
                        );
                    }
                }
            }
            for (at, refusal) in &together.refused {
                prop_assert_eq!(alone[*at].as_ref().err(), Some(refusal));
            }
        }
    }
}

/// Whether somebody who has a key of the lane that is good wrote another history: what he names is
/// then as good as what he signs.
fn is_forked_by_a_good_key(steps: &[Step], first_is_revoked: bool) -> bool {
    steps.iter().any(|(_, _, damage, _)| match damage {
        Damage::SlippedIn(By::First, more) => *more && !first_is_revoked,
        Damage::SlippedIn(By::Anew, more) => *more,
        _ => false,
    })
}
