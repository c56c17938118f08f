//! What a crash or a failing disk leaves: the list of before or the list of after, and never a
//! wrong answer.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// The files of a folder, as a power failure would leave them.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            let name = file.file_name().into_string().unwrap();
            files.insert(name, std::fs::read(file.path()).unwrap());
        }
    }
    files.remove("lock");
    files
}

fn lane_of(files: &Files) -> Lane {
    let lane = Lane::new();
    for (name, bytes) in files {
        std::fs::write(lane.folder.path().join(name), bytes).unwrap();
    }
    lane
}

/// A lane with a base, a run and two deltas in the log, and all its lists from the base on.
fn layered() -> (Files, Vec<AccountList>) {
    let mut centre = Centre::with(0..40);
    let mut lane = Lane::with(&centre);
    let mut lists = vec![centre.list.clone()];
    for (round, serials) in [3..9, 38..44, 12..14].into_iter().enumerate() {
        let mut changes = good(serials);
        changes.push(ListChange::Remove(tag(20 + u16::try_from(round).unwrap())));
        let delta = centre.delta(changes);
        lane.list().apply(&delta).unwrap();
        lists.push(centre.list.clone());
        if round == 0 {
            lane.list().compact().unwrap();
        }
    }
    (files(lane.folder.path()), lists)
}

/// Opens what is on the disk; the list is one of those given, and answers so.
fn assert_is_one_of(lane: &mut Lane, lists: &[AccountList]) -> u64 {
    let version = lane.list().view().version();
    let list = lists.iter().find(|list| list.version() == version);
    let list = list.unwrap_or_else(|| panic!("version {version} was never a list"));
    assert_same(lane.list(), list, 0..60);
    version
}

#[test]
fn a_changed_byte_never_makes_a_wrong_answer_and_is_found() {
    let (files, lists) = layered();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["accounts.list", "changes.list", "deltas.log"]);
    let last = lists.last().unwrap();
    for (name, good) in &files {
        // Every byte but the header's, which one check sum covers: there every seventh.
        let in_header = |place: &usize| name.ends_with(".list") && *place < 4096;
        let places = (0..good.len()).filter(|place| !in_header(place) || place % 61 == 0);
        for place in places {
            let mut bad = files.clone();
            bad.get_mut(name).unwrap()[place] ^= 1 << (place % 8);
            let mut lane = lane_of(&bad);
            let view = lane.list().view();
            let list = lists.iter().find(|list| list.version() == view.version());
            let empty = AccountList::default();
            let list = list.unwrap_or(&empty);
            for serial in 0..60 {
                let tag = tag(serial);
                match view.lookup(&tag) {
                    Ok(found) => assert_eq!(found.as_ref(), list.find(&tag), "{name} {place}"),
                    Err(ListError::Broken(_)) => assert!(lane.list().is_damaged()),
                    Err(error) => panic!("{name} {place}: {error}"),
                }
            }
            let whole = view.version() == last.version();
            assert!(!whole || lane.list().prove().is_err(), "{name} {place} was not found");
        }
    }
}

#[test]
fn a_damaged_list_is_mended_by_the_same_snapshot() {
    let centre = Centre::with(0..40);
    let mut lane = Lane::with(&centre);
    lane.list = None;
    let path = lane.folder.path().join("accounts.list");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 20] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    assert!(take(lane.list(), &centre).is_err());
    assert!(lane.list().prove().is_err());
    take(lane.list(), &centre).unwrap();
    lane.list().prove().unwrap();
    assert_same(lane.list(), &centre.list, 0..60);
}

#[test]
fn a_table_cut_anywhere_is_not_used() {
    let (files, lists) = layered();
    for name in ["accounts.list", "changes.list"] {
        let good = &files[name];
        for len in (0..good.len()).step_by(97).chain([good.len() - 1]) {
            let mut bad = files.clone();
            bad.get_mut(name).unwrap().truncate(len);
            let mut lane = lane_of(&bad);
            let view = lane.list().view();
            if name == "accounts.list" {
                assert_eq!(view.version(), 0, "{len}");
            } else {
                assert_eq!(assert_is_one_of(&mut lane, &lists), 1, "{len}");
            }
        }
    }
}

#[test]
fn a_log_cut_anywhere_is_the_list_of_an_earlier_delta() {
    let (files, lists) = layered();
    let log = &files["deltas.log"];
    let mut seen = std::collections::BTreeSet::new();
    for len in 0..=log.len() {
        let mut cut = files.clone();
        cut.get_mut("deltas.log").unwrap().truncate(len);
        let mut lane = lane_of(&cut);
        let version = assert_is_one_of(&mut lane, &lists);
        seen.insert(version);
        // What comes from the centre again leads on, and lasts.
        if len % 50 == 0 {
            let mut centre = Centre { list: lists[lists.len() - 1].clone(), ..Centre::default() };
            if version == centre.list.version() {
                let delta = centre.delta(good(50..51));
                lane.list().apply(&delta).unwrap();
                lane.restart();
                assert_same(lane.list(), &centre.list, 0..60);
            }
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [2, 3, 4]);
}

/// All states between two sets of files that renames, removals and writes in this order can leave.
fn between(before: &Files, after: &Files, order: &[&str]) -> Vec<Files> {
    let mut states = vec![before.clone()];
    let mut now = before.clone();
    for name in order {
        // The new file under its other name: none of it, some of it, all of it.
        if let Some(new) = after.get(*name) {
            for ending in ["new", "merged", "odd"] {
                for len in [0, new.len() / 2, new.len()] {
                    let mut state = now.clone();
                    let stem = name.split('.').next().unwrap();
                    state.insert(format!("{stem}.{ending}"), new[..len].to_vec());
                    states.push(state);
                }
            }
            now.insert((*name).to_owned(), new.clone());
        } else {
            now.remove(*name);
        }
        states.push(now.clone());
    }
    assert_eq!(&now, after);
    states
}

#[test]
fn a_crash_in_a_snapshot_leaves_the_list_of_before_or_of_after() {
    let (before, lists) = layered();
    let mut centre = Centre { list: lists[lists.len() - 1].clone(), ..Centre::default() };
    centre.delta(good(44..55));
    let mut lane = lane_of(&before);
    take(lane.list(), &centre).unwrap();
    lane.list = None;
    let after = files(lane.folder.path());
    let both = [lists[lists.len() - 1].clone(), centre.list.clone()];
    for state in between(&before, &after, &["accounts.list", "changes.list", "deltas.log"]) {
        assert_is_one_of(&mut lane_of(&state), &both);
    }
}

#[test]
fn a_crash_in_a_compaction_leaves_the_same_list() {
    let (before, lists) = layered();
    for (changes_on_disk_max, order) in [
        (1_000, &["changes.list", "deltas.log"][..]),
        (0, &["accounts.list", "changes.list", "deltas.log"][..]),
    ] {
        let mut lane = lane_of(&before);
        lane.settings.changes_on_disk_max = changes_on_disk_max;
        lane.list().compact().unwrap();
        assert_same(lane.list(), &lists[lists.len() - 1], 0..60);
        lane.list = None;
        let after = files(lane.folder.path());
        for state in between(&before, &after, order) {
            assert_is_one_of(&mut lane_of(&state), &lists[lists.len() - 1..]);
        }
    }
}
