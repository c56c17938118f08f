//! The kept list against the list in memory: same messages, same answers, whatever happens to the
//! process or to its files. Who publishes is `Centre`; a new story goes here.

mod age;
mod crash;
mod guards;
mod model;

use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus, PassOnList};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::v1::{DeltaRecord, ListEntryRecord, Manifest, emit};
use domain::{TagId, Timestamp, VehicleGroup};

use super::guard::ListSettings;
use super::*;

fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn signed(payload: &[u8]) -> SignedMessage {
    let signature = key().sign(Context::List, payload).to_text();
    SignedMessage::try_new(payload, Some(&signature)).unwrap()
}

/// Tags of three lengths, most of them common.
fn tag(serial: u16) -> TagId {
    let mut bytes = vec![0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(serial.to_be_bytes());
    match serial % 8 {
        6 => bytes.drain(2..10).for_each(drop),
        7 => bytes.extend([0xAB; 50]),
        _ => {}
    }
    TagId::try_from_slice(&bytes).unwrap()
}

/// An entry of some variety: every fifth tag is on a vehicle with a pass.
fn entry(serial: u16, status: ListStatus) -> ListEntry {
    ListEntry {
        tag: tag(serial),
        status,
        group: VehicleGroup::try_new(1 + u8::try_from(serial % 20).unwrap()).unwrap(),
        exempt: serial.is_multiple_of(7),
        pass: serial.is_multiple_of(5).then(|| PassOnList {
            pass: i64::from(serial) - 3,
            station: "ben-thuy".parse().unwrap(),
            until: Timestamp::from_nanosecond(i128::from(serial) * 1_000_000_007).unwrap(),
        }),
    }
}

fn good(serials: std::ops::Range<u16>) -> Vec<ListChange> {
    serials.map(|serial| ListChange::Upsert(entry(serial, ListStatus::Good))).collect()
}

/// The clearing house: its list, and what it says of it.
#[derive(Default)]
struct Centre {
    list: AccountList,
    issued_at: Timestamp,
}

impl Centre {
    fn with(serials: std::ops::Range<u16>) -> Self {
        let mut centre = Self::default();
        centre.delta(good(serials));
        centre
    }

    fn delta(&mut self, changes: Vec<ListChange>) -> SignedMessage {
        let delta = self.list.plan(changes, self.issued_at);
        self.list.apply(&delta).unwrap();
        signed(&emit(&DeltaRecord::from(delta)))
    }

    fn snapshot(&self) -> (SignedMessage, Vec<SignedMessage>) {
        let records: Vec<ListEntryRecord> =
            self.list.entries().cloned().map(ListEntryRecord::from).collect();
        let parts: Vec<SignedMessage> =
            records.chunks(7).map(|part| signed(&serde_json::to_vec(part).unwrap())).collect();
        let manifest = Manifest {
            v: 1,
            version: self.list.version(),
            hash: Digest256::new(*self.list.hash().as_bytes()),
            tags: u64::try_from(self.list.len()).unwrap(),
            parts: parts.iter().map(|part| Digest256::of(part.payload.as_bytes())).collect(),
            issued_at: self.issued_at,
        };
        (signed(&emit(&manifest)), parts)
    }
}

/// A lane PC: its folder, and the list open in it.
struct Lane {
    folder: tempfile::TempDir,
    list: Option<ListStore>,
    settings: ListSettings,
}

impl Lane {
    fn new() -> Self {
        let settings = ListSettings { changes_on_disk_max: 12, ..ListSettings::default() };
        Self { folder: tempfile::tempdir().unwrap(), list: None, settings }
    }

    fn with(centre: &Centre) -> Self {
        let mut lane = Self::new();
        take(lane.list(), centre).unwrap();
        lane
    }

    fn list(&mut self) -> &ListStore {
        let Self { folder, list, settings } = self;
        list.get_or_insert_with(|| {
            ListStore::open(folder.path(), key().public(), *settings).unwrap()
        })
    }

    fn restart(&mut self) -> &ListStore {
        self.list = None;
        self.list()
    }
}

fn take(list: &ListStore, centre: &Centre) -> Result<(), ListError> {
    let (manifest, parts) = centre.snapshot();
    let mut snapshot = list.begin_snapshot(&manifest)?;
    for part in &parts {
        snapshot.add_part(part)?;
    }
    list.install(snapshot)
}

/// The kept list answers every tag as the list in memory does, and says the same of itself.
fn assert_same(list: &ListStore, model: &AccountList, serials: std::ops::Range<u16>) {
    let view = list.view();
    assert_eq!(
        (view.version(), view.hash(), view.len()),
        (model.version(), model.hash(), u64::try_from(model.len()).unwrap())
    );
    for serial in serials {
        let tag = tag(serial);
        assert_eq!(view.lookup(&tag).unwrap().as_ref(), model.find(&tag), "serial {serial}");
    }
}
