use super::*;
use proptest::prelude::*;

fn entry(serial: u8, status: ListStatus) -> ListEntry {
    ListEntry {
        tag: TagId::try_from_slice(&[0x34, 0x16, 0, serial]).unwrap(),
        status,
        group: VehicleGroup::try_new(1 + serial % 5).unwrap(),
        exempt: serial.is_multiple_of(7),
        pass: None,
    }
}

fn advance(centre: &mut AccountList, changes: Vec<ListChange>) -> ListDelta {
    let delta = centre.plan(changes, Timestamp::UNIX_EPOCH);
    centre.apply(&delta).unwrap();
    delta
}

fn change() -> impl Strategy<Value = ListChange> {
    let statuses = [ListStatus::Good, ListStatus::Low, ListStatus::NoMoney, ListStatus::Closed];
    (0u8..12, 0usize..statuses.len(), any::<bool>()).prop_map(move |(serial, status, remove)| {
        let entry = entry(serial, statuses[status]);
        if remove { ListChange::Remove(entry.tag) } else { ListChange::Upsert(entry) }
    })
}

proptest! {
    #[test]
    fn a_list_reached_by_deltas_is_the_list_of_the_snapshot(
        batches in prop::collection::vec(prop::collection::vec(change(), 0..6), 0..8)
    ) {
        let mut centre = AccountList::default();
        let mut lane = AccountList::default();
        for batch in batches {
            let delta = advance(&mut centre, batch);
            lane.apply(&delta).unwrap();
        }
        prop_assert_eq!(&lane, &centre);
        let snapshot = AccountList::from_snapshot(
            centre.version(),
            centre.hash(),
            centre.issued_at(),
            centre.entries().cloned().collect(),
        );
        prop_assert_eq!(snapshot.as_ref(), Ok(&centre));
    }
}

#[test]
fn a_delta_applies_to_the_version_before_it_and_to_no_other() {
    let mut centre = AccountList::default();
    let first = advance(&mut centre, vec![ListChange::Upsert(entry(1, ListStatus::Good))]);
    let second = advance(&mut centre, vec![ListChange::Upsert(entry(2, ListStatus::Good))]);
    let mut lane = AccountList::default();
    assert_eq!(lane.apply(&second), Err(ListError::Gap { have: 0, delta: 2 }));
    lane.apply(&first).unwrap();
    assert_eq!(lane.apply(&first), Err(ListError::Old { have: 1, offered: 1 }));
    lane.apply(&second).unwrap();
    assert_eq!(lane.len(), 2);
}

#[test]
fn an_altered_delta_changes_nothing() {
    let mut centre = AccountList::default();
    let mut delta = advance(&mut centre, vec![ListChange::Upsert(entry(1, ListStatus::NoMoney))]);
    delta.changes = vec![ListChange::Upsert(entry(1, ListStatus::Good))];
    let mut lane = AccountList::default();
    assert_eq!(lane.apply(&delta), Err(ListError::Hash { version: 1 }));
    assert_eq!(lane, AccountList::default());
}

#[test]
fn a_snapshot_that_lost_an_entry_is_refused() {
    let mut centre = AccountList::default();
    advance(
        &mut centre,
        vec![
            ListChange::Upsert(entry(1, ListStatus::Good)),
            ListChange::Upsert(entry(2, ListStatus::Good)),
        ],
    );
    let short: Vec<_> = centre.entries().take(1).cloned().collect();
    let refused = AccountList::from_snapshot(1, centre.hash(), Timestamp::UNIX_EPOCH, short);
    assert_eq!(refused, Err(ListError::Hash { version: 1 }));
    let twice = vec![entry(1, ListStatus::Good), entry(1, ListStatus::Good)];
    let refused = AccountList::from_snapshot(1, centre.hash(), Timestamp::UNIX_EPOCH, twice);
    assert_eq!(refused, Err(ListError::Twice { version: 1 }));
}
