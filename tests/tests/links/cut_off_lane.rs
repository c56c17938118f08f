//! A lane that hears nobody: the real core, list and journal, in time that the test tells.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::account_list::{AccountList, ListChange, ListEntry, ListStatus};
use domain::passage::{ClockQuality, LaneRole};
use domain::signature::{Context, SecretKey};
use domain::tariff::{Tariff, TariffBook, TariffFile};
use domain::wire::v1::{DeltaRecord, EventKind, ReasonRecord, Verb, emit};
use domain::{Clock, LaneId, TagId, Timestamp, VehicleGroup};
use lane_controller::entries::EntryBook;
use lane_controller::journal::{Journal, Kept, Page, Retention, Scribe};
use lane_controller::lane::{Action, Answer, Event, Inputs, Knowledge, Lane, LanePolicy};
use lane_controller::list::guard::ListSettings;
use lane_controller::list::{ListStore, SignedMessage};

/// Tags on the list; one in fifty has no money.
const TAGS: u64 = 20_000;
const POOR_EVERY: u64 = 50;
/// Longer than any stall of a disk that a test should survive.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn centre() -> SecretKey {
    SecretKey::from_seed(&[8; 32])
}

pub(crate) fn lane_key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

pub(crate) fn lane_id() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

pub(crate) fn midnight() -> Timestamp {
    "2026-11-01T17:00:00Z".parse().unwrap()
}

fn tag(number: u64) -> TagId {
    let mut bytes = [0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    TagId::try_from_slice(&bytes).unwrap()
}

/// The list of the day on which the links were cut.
fn list(folder: &Path) -> ListStore {
    let entry = |number| ListEntry {
        tag: tag(number),
        status: if number.is_multiple_of(POOR_EVERY) {
            ListStatus::NoMoney
        } else {
            ListStatus::Good
        },
        group: VehicleGroup::try_new(1).unwrap(),
        exempt: false,
        pass: None,
    };
    let entries = (0..TAGS).map(|number| ListChange::Upsert(entry(number))).collect();
    let payload = emit(&DeltaRecord::from(AccountList::default().plan(entries, midnight())));
    let signature = centre().sign(Context::List, &payload).to_text();
    let store = ListStore::open(folder, centre().public(), ListSettings::default()).unwrap();
    store.apply(&SignedMessage::try_new(&payload, Some(&signature)).unwrap()).unwrap();
    store.compact().unwrap();
    store
}

fn tariffs() -> TariffBook {
    let file: TariffFile = serde_json::from_value(serde_json::json!({
        "version": "ben-thuy-2023-12-29",
        "operator": "cienco4",
        "currency": "VND",
        "valid_from": "2023-12-28T17:00:00Z",
        "source": "baonghean.vn 10265898",
        "fare": [{ "station": "ben-thuy", "amounts": [47_000, 64_000] }],
    }))
    .unwrap();
    let mut book = TariffBook::default();
    book.insert(Tariff::try_from(file).unwrap());
    book
}

/// The lane.
pub(crate) struct CutOffLane {
    lane: Lane,
    scribe: Scribe,
    pub(crate) list: ListStore,
    tariffs: TariffBook,
    entries: EntryBook,
    vehicles: u64,
    opened: u64,
    call: Option<u64>,
    pub(crate) posted_upto: u64,
    /// How long each decision took, from the tag to the durable record.
    pub(crate) took: Vec<Duration>,
    /// How often a barrier opened on a passage that was not durable.
    pub(crate) early: u64,
}

impl CutOffLane {
    /// A lane of which nothing was written yet, with the list of the day before.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::with(folder, list(&folder.join("list")), 0)
    }

    /// The same lane started anew, after so many vehicles.
    pub(crate) fn again(folder: &Path, vehicles: u64) -> Self {
        let folder_of_list = folder.join("list");
        let settings = ListSettings::default();
        let list = ListStore::open(&folder_of_list, centre().public(), settings).unwrap();
        assert_eq!((list.view().version(), list.view().len()), (1, TAGS));
        Self::with(folder, list, vehicles)
    }

    fn with(folder: &Path, list: ListStore, vehicles: u64) -> Self {
        let mut lane = Lane::new(lane_id(), LaneRole::Open, LanePolicy::default());
        let tariffs = tariffs();
        let entries = EntryBook::default();
        let known = Knowledge {
            list: &*list.view(),
            tariffs: &tariffs,
            entries: &entries,
            at: midnight(),
            clock: ClockQuality::Synchronised,
        };
        let restored = Event::Restored { inputs: Inputs::default(), saved: None };
        drop(lane.handle(restored, Duration::ZERO, &known));
        let scribe = Scribe::start(journal(folder), Clock::system(), PATIENCE, 100).unwrap();
        Self {
            lane,
            scribe,
            list,
            tariffs,
            entries,
            vehicles,
            opened: 0,
            call: None,
            posted_upto: 0,
            took: Vec::new(),
            early: 0,
        }
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.scribe.last_seq()
    }

    /// One vehicle comes at this time and goes. Whether it has money or not, it is through in the
    /// end: an attendant at the station answers where the tag does not.
    pub(crate) fn vehicle(&mut self, at: Duration) {
        let number = self.vehicles % TAGS;
        self.vehicles += 1;
        let before = (self.opened, self.last_seq());
        let ms = Duration::from_millis;
        self.event(at, Event::PresenceRose);
        let read_at = at + ms(400);
        let clock = Clock::system();
        let began: Instant = clock.real();
        self.event(read_at, Event::TagSeen { tag: tag(number), at: read_at });
        if number.is_multiple_of(POOR_EVERY) {
            let call = self.call.take().expect("a person is called for a tag without money");
            let verb = Verb::Open {
                reason: ReasonRecord::CashPaid,
                plate: format!("37A{number:05}").parse().unwrap(),
                group: VehicleGroup::try_new(1).unwrap(),
            };
            let (command, attendant) = (format!("c-{}", self.vehicles), "nv-07".to_owned());
            self.event(at + ms(600), Event::Answered(Answer::of(command, call, attendant, verb)));
        } else {
            self.took.push(clock.real().duration_since(began));
            assert_eq!(self.call, None, "vehicle {} has a good tag", self.vehicles);
        }
        let after = (self.opened, self.last_seq());
        assert_eq!(after, (before.0 + 1, before.1 + 1), "vehicle {} passes", self.vehicles);
        self.event(at + ms(1_500), Event::SafetyRose);
        self.event(at + ms(2_000), Event::PresenceFell);
        self.event(at + ms(2_800), Event::SafetyFell);
    }

    fn event(&mut self, at: Duration, event: Event) {
        while let Some(due) = self.lane.next_deadline().filter(|due| *due <= at) {
            self.ask(due, |lane, known| lane.handle_deadline(due, known));
        }
        self.ask(at, |lane, known| lane.handle(event, at, known));
    }

    fn ask(
        &mut self,
        now: Duration,
        question: impl FnOnce(&mut Lane, &Knowledge<'_>) -> Vec<Action>,
    ) {
        let view = self.list.view();
        let known = Knowledge {
            list: &*view,
            tariffs: &self.tariffs,
            entries: &self.entries,
            at: midnight().saturating_add(now).unwrap(),
            clock: ClockQuality::Synchronised,
        };
        for action in question(&mut self.lane, &known) {
            match action {
                Action::Record { vehicle, draft } => {
                    self.lane.recorded(vehicle, self.scribe.next_seq());
                    let (saved, posted_upto) = (self.lane.saved(), self.posted_upto);
                    let page = Page { role: LaneRole::Open, draft: *draft, saved, posted_upto };
                    self.early += u64::from(self.scribe.keep(page).unwrap() != Kept::Durable);
                }
                Action::Open => self.opened += 1,
                Action::Tell(EventKind::CallRaised { call, .. }) => self.call = Some(call),
                // What else a lane does is not watched here.
                _ => {}
            }
        }
    }

    /// Takes a receipt, as the lane's thread does.
    pub(crate) fn receipt(&mut self, upto: u64, retention: Retention, now: Option<Timestamp>) {
        self.posted_upto = upto;
        self.scribe.receipt(upto, retention, now).unwrap();
    }

    /// Ends the lane; everything is written.
    pub(crate) fn stop(self) {
        assert_eq!(self.scribe.finish(PATIENCE), 0);
    }
}

pub(crate) fn journal(folder: &Path) -> Journal {
    let path = folder.join("l01.journal");
    Journal::identify(&path, &lane_id()).unwrap();
    Journal::open(&path, lane_id(), lane_key(), 1, "month".to_owned()).unwrap()
}
