//! Properties: the file is the map.

use proptest::prelude::*;

use super::*;

/// What may happen to a list.
#[derive(Debug, Clone)]
enum Step {
    Delta(Vec<(u16, u8)>),
    Snapshot,
    Compact,
    Restart,
    Prove,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((0_u16..200, 0_u8..4), 0..12).prop_map(Step::Delta),
        1 => Just(Step::Snapshot),
        3 => Just(Step::Compact),
        2 => Just(Step::Restart),
        1 => Just(Step::Prove),
    ]
}

fn changes(drawn: &[(u16, u8)]) -> Vec<ListChange> {
    let change = |(serial, what): &(u16, u8)| match what {
        0 => ListChange::Remove(tag(*serial)),
        1 => ListChange::Upsert(entry(*serial, ListStatus::Good)),
        2 => ListChange::Upsert(entry(*serial, ListStatus::NoMoney)),
        // A pass comes or goes: the row moves between bucket and block.
        _ => {
            let entry = entry(*serial, ListStatus::Low);
            let pass = entry.pass.clone().xor(super::entry(5, ListStatus::Good).pass);
            ListChange::Upsert(ListEntry { pass, ..entry })
        }
    };
    drawn.iter().map(change).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_kept_list_is_the_list_in_memory_whatever_happens(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut centre = Centre::default();
        let mut lane = Lane::new();
        for step in steps {
            match step {
                Step::Delta(drawn) => {
                    let delta = centre.delta(changes(&drawn));
                    lane.list().apply(&delta).unwrap();
                }
                Step::Snapshot => {
                    // Somebody else's lane missed a delta; ours takes the snapshot, too.
                    centre.delta(good(0..3));
                    take(lane.list(), &centre).unwrap();
                }
                Step::Compact => lane.list().compact().unwrap(),
                Step::Restart => drop(lane.restart()),
                Step::Prove => drop(lane.list().prove().unwrap()),
            }
            assert_same(lane.list(), &centre.list, 0..200);
        }
        lane.restart().prove().unwrap();
        assert_same(lane.list(), &centre.list, 0..200);
    }
}

#[test]
fn many_tags_fill_buckets_over_and_are_all_found() {
    let centre = Centre::with(0..20_000);
    let mut lane = Lane::with(&centre);
    assert_same(lane.list(), &centre.list, 0..20_500);
    lane.restart().prove().unwrap();
    assert_same(lane.list(), &centre.list, 0..20_500);
}

#[test]
fn a_view_stays_as_it_was_while_the_list_goes_on() {
    let mut centre = Centre::with(0..50);
    let mut lane = Lane::with(&centre);
    let before = lane.list().view();
    let removed: Vec<ListChange> = (0..50).map(|serial| ListChange::Remove(tag(serial))).collect();
    let delta = centre.delta(removed);
    lane.list().apply(&delta).unwrap();
    lane.list().compact().unwrap();
    assert_eq!(before.lookup(&tag(3)).unwrap(), Some(entry(3, ListStatus::Good)));
    assert_eq!(lane.list().view().lookup(&tag(3)).unwrap(), None);
    assert!(lane.list().view().is_empty());
}

#[test]
fn lookups_and_deltas_go_on_while_a_table_is_made() {
    let mut centre = Centre::with(0..2_000);
    let mut lane = Lane::with(&centre);
    let list = lane.list().clone();
    let tables = std::thread::spawn(move || {
        for _ in 0..30 {
            list.compact().unwrap();
        }
    });
    for serial in 2_000..2_400 {
        let delta = centre.delta(good(serial..serial + 1));
        lane.list().apply(&delta).unwrap();
        let view = lane.list().view();
        assert_eq!(view.lookup(&tag(serial)).unwrap(), Some(entry(serial, ListStatus::Good)));
        assert_eq!(
            view.lookup(&tag(serial - 2_000)).unwrap().map(|entry| entry.tag),
            Some(tag(serial - 2_000))
        );
    }
    tables.join().unwrap();
    assert_same(lane.list(), &centre.list, 0..2_500);
    lane.restart();
    assert_same(lane.list(), &centre.list, 0..2_500);
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let mut centre = Centre::with(0..50);
    let mut lane = Lane::new();
    lane.settings.changes_in_memory_max = 20;
    take(lane.list(), &centre).unwrap();
    let log = lane.folder.path().join("deltas.log");
    let mut longest = 0;
    for round in 0_u16..200 {
        let delta = centre.delta(good(round % 60..round % 60 + 1));
        lane.list().apply(&delta).unwrap();
        lane.list().compact_if_due().unwrap();
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    let frame = centre.delta(good(0..1)).payload.len() as u64 + 200;
    assert!(longest < 25 * frame, "{longest} bytes");
    // The delta that was only measured is missing here.
    assert_eq!(lane.restart().view().version() + 1, centre.list.version());
}
