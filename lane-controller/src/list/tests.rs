use domain::account_list::{ListChange, ListStatus};
use domain::signature::SecretKey;
use domain::wire::v1::emit;
use domain::{TagId, Timestamp, VehicleGroup};

use super::*;

fn centre() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn signed(payload: &[u8]) -> SignedMessage {
    let signature = centre().sign(Context::List, payload).to_text();
    SignedMessage::try_new(payload, Some(&signature)).unwrap()
}

fn upsert(serial: u8) -> ListChange {
    ListChange::Upsert(ListEntry {
        tag: TagId::try_from_slice(&[0x34, 0x16, 0, serial]).unwrap(),
        status: ListStatus::Good,
        group: VehicleGroup::try_new(1).unwrap(),
        exempt: false,
        pass: None,
    })
}

/// A list of `tags` tags with its snapshot, and the delta that adds one more.
fn published(tags: u8) -> (AccountList, SignedMessage, Vec<SignedMessage>, SignedMessage) {
    let mut list = AccountList::default();
    let first = list.plan((0..tags).map(upsert).collect(), Timestamp::UNIX_EPOCH);
    list.apply(&first).unwrap();
    let records: Vec<ListEntryRecord> =
        list.entries().cloned().map(ListEntryRecord::from).collect();
    let parts: Vec<SignedMessage> =
        records.chunks(4).map(|part| signed(&serde_json::to_vec(part).unwrap())).collect();
    let manifest = Manifest {
        v: 1,
        version: list.version(),
        hash: Digest256::new(*list.hash().as_bytes()),
        tags: u64::from(tags),
        parts: parts.iter().map(|part| Digest256::of(part.payload.as_bytes())).collect(),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    let delta = list.plan(vec![upsert(200)], Timestamp::UNIX_EPOCH);
    list.apply(&delta).unwrap();
    (list, signed(&emit(&manifest)), parts, signed(&emit(&DeltaRecord::from(delta))))
}

#[test]
fn a_lane_that_starts_alone_has_the_list_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let store = ListStore::open(folder.path(), centre().public()).unwrap();
    assert_eq!(store.load(), AccountList::default());
    let (list, manifest, parts, delta) = published(10);
    store.keep_snapshot(&manifest, &parts).unwrap();
    store.keep_delta(&delta).unwrap();
    assert_eq!(store.load(), list);
    // A torn last line costs that delta and nothing else.
    let path = folder.path().join("deltas.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 9]).unwrap();
    assert_eq!(store.load().version(), 1);
}

#[test]
fn a_changed_byte_of_a_kept_list_is_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let store = ListStore::open(folder.path(), centre().public()).unwrap();
    let (list, manifest, parts, _) = published(3);
    store.keep_snapshot(&manifest, &parts).unwrap();
    let path = folder.path().join("snapshot.ndjson");
    let good = std::fs::read(&path).unwrap();
    let snapshot = store.load();
    assert_eq!(snapshot.len(), list.len() - 1);
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let loaded = store.load();
        assert!(loaded.is_empty() || loaded == snapshot, "byte {index}");
    }
}

#[test]
fn a_list_of_another_signer_is_refused() {
    let (_, manifest, parts, delta) = published(3);
    let stranger = SecretKey::from_seed(&[8; 32]).public();
    assert!(matches!(build(&manifest, &parts, &stranger), Err(ListError::Forged)));
    assert!(matches!(read_delta(&delta, &stranger), Err(ListError::Forged)));
    let short = build(&manifest, &parts[1..], &centre().public());
    assert!(short.is_err());
}
