//! What a list refuses, and what it holds.

use super::*;
use domain::account_list::ListError as Refusal;

#[test]
fn a_list_of_another_signer_is_refused() {
    let mut centre = Centre::with(0..10);
    let mut lane = Lane::with(&centre);
    let stranger = SecretKey::from_seed(&[8; 32]);
    let forge = |message: SignedMessage| {
        let signature = stranger.sign(Context::List, message.payload.as_bytes());
        SignedMessage { signature, ..message }
    };
    let delta = centre.delta(good(10..11));
    assert!(matches!(lane.list().apply(&forge(delta.clone())), Err(ListError::Forged)));
    let manifest = forge(centre.snapshot().0);
    assert!(matches!(lane.list().begin_snapshot(&manifest), Err(ListError::Forged)));
    assert_eq!(lane.list().view().version(), 1);
    // What is kept does not serve a lane that trusts another centre.
    lane.list().apply(&delta).unwrap();
    lane.list = None;
    let other =
        ListStore::open(lane.folder.path(), stranger.public(), ListSettings::default()).unwrap();
    assert_eq!(other.view().version(), 0);
}

#[test]
fn a_delta_is_taken_after_the_one_before_it_and_only_then() {
    let mut centre = Centre::with(0..10);
    let mut lane = Lane::with(&centre);
    let second = centre.delta(good(10..11));
    let third = centre.delta(good(11..12));
    let list = lane.list();
    let gap = list.apply(&third);
    assert!(matches!(gap, Err(ListError::Refused(Refusal::Gap { have: 1, delta: 3 }))));
    list.apply(&second).unwrap();
    let again = list.apply(&second);
    assert!(matches!(again, Err(ListError::Refused(Refusal::Old { have: 2, offered: 2 }))));
    list.apply(&third).unwrap();
    assert_same(list, &centre.list, 0..20);
}

#[test]
fn a_delta_of_another_history_changes_nothing() {
    let ours = Centre::with(0..10);
    let mut lane = Lane::with(&ours);
    let mut other = Centre::with(0..11);
    let delta = other.delta(good(20..21));
    let refused = lane.list().apply(&delta);
    assert!(matches!(refused, Err(ListError::Refused(Refusal::Hash { version: 2 }))));
    assert_same(lane.list(), &ours.list, 0..20);
}

#[test]
fn a_snapshot_never_leads_back() {
    let mut centre = Centre::with(0..10);
    let old = Centre::with(0..10);
    let mut lane = Lane::new();
    centre.delta(good(10..11));
    take(lane.list(), &centre).unwrap();
    let refused = take(lane.list(), &old);
    assert!(matches!(refused, Err(ListError::Refused(Refusal::Old { have: 2, offered: 1 }))));
    // The same version with another content is no better, nor is the very same once more.
    let mut other = Centre::with(0..10);
    other.delta(good(11..12));
    let refused = take(lane.list(), &other);
    assert!(matches!(refused, Err(ListError::Refused(Refusal::Hash { version: 2 }))));
    assert!(matches!(
        take(lane.list(), &centre),
        Err(ListError::Refused(Refusal::Old { have: 2, offered: 2 }))
    ));
    assert_same(lane.restart(), &centre.list, 0..20);
}

#[test]
fn a_snapshot_whose_parts_are_not_the_manifests_is_refused() {
    let centre = Centre::with(0..30);
    let mut lane = Lane::new();
    let (manifest, parts) = centre.snapshot();
    let mut snapshot = lane.list().begin_snapshot(&manifest).unwrap();
    assert!(matches!(snapshot.add_part(&parts[1]), Err(ListError::Damaged(_))));
    snapshot.add_part(&parts[0]).unwrap();
    assert!(matches!(lane.list().install(snapshot), Err(ListError::Damaged(_))));
    // A manifest that names a tag twice, or another hash than its entries have.
    let record = ListEntryRecord::from(entry(1, ListStatus::Good));
    let part = signed(&serde_json::to_vec(&[record.clone(), record]).unwrap());
    let manifest = |hash: [u8; 32]| {
        signed(&emit(&Manifest {
            v: 1,
            version: 7,
            hash: Digest256::new(hash),
            tags: 2,
            parts: vec![Digest256::of(part.payload.as_bytes())],
            issued_at: Timestamp::UNIX_EPOCH,
        }))
    };
    let twice = entry(1, ListStatus::Good).hash().plus(entry(1, ListStatus::Good).hash());
    let mut snapshot = lane.list().begin_snapshot(&manifest(*twice.as_bytes())).unwrap();
    snapshot.add_part(&part).unwrap();
    assert!(matches!(
        lane.list().install(snapshot),
        Err(ListError::Refused(Refusal::Twice { version: 7 }))
    ));
    assert!(lane.restart().view().is_empty());
}

#[test]
fn a_snapshot_that_shrinks_the_list_waits_for_a_person() {
    let mut centre = Centre::with(0..2_000);
    let mut lane = Lane::with(&centre);
    let before = centre.list.clone();
    centre.delta((0..1_200).map(|serial| ListChange::Remove(tag(serial))).collect());
    assert!(matches!(
        take(lane.list(), &centre),
        Err(ListError::Held { version: 2, tags_before: 2_000, tags_after: 800 })
    ));
    // It still waits after a restart, the list in use is the one before, and nobody fetches anew.
    assert_same(lane.restart(), &before, 0..2_100);
    let held = lane.list().held().unwrap();
    assert_eq!((held.version, held.tags_before, held.tags_after), (2, 2_000, 800));
    assert!(lane.list().would_take(2, centre.list.hash()).is_err());
    assert!(!lane.list().take_confirmed().unwrap());
    assert_eq!(
        ListStore::look(lane.folder.path(), &key().public()).unwrap().held,
        Some(held.clone())
    );

    ListStore::confirm(lane.folder.path(), &held).unwrap();
    assert!(lane.list().take_confirmed().unwrap());
    assert_same(lane.list(), &centre.list, 0..2_100);
    assert_eq!(lane.list().held(), None);
    // What was confirmed is what the share is counted from.
    let delta = centre.delta(good(0..500));
    lane.restart().apply(&delta).unwrap();
    assert_same(lane.list(), &centre.list, 0..2_100);
}

#[test]
fn a_list_that_shrinks_little_by_little_waits_for_a_person_too() {
    let mut centre = Centre::with(0..3_000);
    let mut lane = Lane::with(&centre);
    let mut remove = |first: u16| {
        let changes = (first..first + 250).map(|serial| ListChange::Remove(tag(serial))).collect();
        (centre.delta(changes), centre.list.clone())
    };
    for first in (0..1_000).step_by(250) {
        let (delta, _) = remove(first);
        lane.list().apply(&delta).unwrap();
        lane.list().compact().unwrap();
    }
    let (delta, after) = remove(1_000);
    assert!(matches!(
        lane.restart().apply(&delta),
        Err(ListError::Held { version: 6, tags_before: 3_000, tags_after: 1_750 })
    ));
    let held = lane.restart().held().unwrap();
    ListStore::confirm(lane.folder.path(), &held).unwrap();
    assert!(lane.list().take_confirmed().unwrap());
    assert_same(lane.restart(), &after, 0..3_100);
}

#[test]
fn a_list_may_change_by_its_share_every_day() {
    let mut centre = Centre::with(0..3_000);
    let mut lane = Lane::with(&centre);
    for day in 1_u16..3 {
        centre.issued_at = Timestamp::from_second(i64::from(day) * 86_400).unwrap();
        let first = (day - 1) * 1_000;
        let removed = (first..first + 1_000).map(|serial| ListChange::Remove(tag(serial)));
        let delta = centre.delta(removed.collect());
        lane.list().apply(&delta).unwrap();
    }
    assert_same(lane.restart(), &centre.list, 0..3_100);
}

#[test]
fn a_confirmation_of_one_list_is_none_of_another() {
    let mut centre = Centre::with(0..2_000);
    let mut lane = Lane::with(&centre);
    let removed: Vec<ListChange> =
        (0..1_200).map(|serial| ListChange::Remove(tag(serial))).collect();
    let delta = centre.delta(removed);
    assert!(lane.list().apply(&delta).is_err());
    let held = lane.list().held().unwrap();
    let other = guard::Held { hash: Digest256::new([1; 32]), ..held };
    ListStore::confirm(lane.folder.path(), &other).unwrap();
    assert!(!lane.list().take_confirmed().unwrap());
    assert!(lane.list().apply(&delta).is_err());
}

#[test]
fn a_held_snapshot_is_not_pushed_out_by_an_older_delta() {
    let mut centre = Centre::with(0..2_000);
    let mut lane = Lane::with(&centre);
    let removed = (0..1_200).map(|serial| ListChange::Remove(tag(serial)));
    let delta = centre.delta(removed.collect());
    centre.delta(good(0..1));
    assert!(matches!(take(lane.list(), &centre), Err(ListError::Held { version: 3, .. })));
    assert!(matches!(lane.list().apply(&delta), Err(ListError::Held { version: 2, .. })));
    assert_eq!(lane.restart().held().map(|held| held.version), Some(3));
}

#[test]
fn a_second_process_is_refused() {
    let mut lane = Lane::new();
    lane.list();
    let second = ListStore::open(lane.folder.path(), key().public(), ListSettings::default());
    assert!(matches!(second, Err(ListError::Keep { .. })));
}
