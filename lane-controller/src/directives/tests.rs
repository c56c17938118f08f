use domain::signature::SecretKey;
use domain::wire::v1::{LaneMode, PaymentRecord, PolicyRecord, emit};

use super::*;

struct World {
    folder: tempfile::TempDir,
    key: SecretKey,
    store: DirectiveStore,
}

fn lane() -> LaneId {
    "vec/nghi-son/x1".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}:00Z").parse().unwrap()
}

fn open(folder: &Path, key: &SecretKey) -> DirectiveStore {
    let operator = OperatorId::try_new("vec").unwrap();
    let mut base = TariffBook::default();
    base.insert(tariff("configured", "00:00", 1_000));
    DirectiveStore::open(folder, key.public(), operator, vec![lane()], Arc::new(base)).unwrap()
}

fn world() -> World {
    let (folder, key) = (tempfile::tempdir().unwrap(), SecretKey::from_seed(&[7; 32]));
    let store = open(folder.path(), &key);
    World { folder, key, store }
}

fn tariff_file(version: &str, from: &str, dong: i64) -> serde_json::Value {
    serde_json::json!({
        "version": version,
        "operator": "vec",
        "currency": "VND",
        "valid_from": at(from).to_string(),
        "source": "QD 1",
        "fare": [{ "station": "nghi-son", "amounts": [dong] }],
    })
}

fn tariff(version: &str, from: &str, dong: i64) -> Tariff {
    let file: TariffFile = serde_json::from_value(tariff_file(version, from, dong)).unwrap();
    Tariff::try_from(file).unwrap()
}

impl World {
    fn signed(&self, payload: Vec<u8>) -> SignedMessage {
        let signature = self.key.sign(Context::Directive, &payload);
        SignedMessage { payload: String::from_utf8(payload).unwrap(), signature }
    }

    fn tariffs(&self, version: u64, tariffs: &[serde_json::Value]) -> SignedMessage {
        self.signed(emit(&TariffDirective {
            v: 1,
            operator: OperatorId::try_new("vec").unwrap(),
            version,
            issued_at: at("00:00"),
            tariffs: tariffs.to_vec(),
        }))
    }

    fn lane(
        &self,
        version: u64,
        from: &str,
        change: impl FnOnce(&mut LaneDirective),
    ) -> SignedMessage {
        let mut directive = LaneDirective {
            v: 1,
            lane: lane(),
            version,
            issued_at: at("00:00"),
            effective_at: at(from),
            ordered_by: "nv-07".to_owned(),
            mode: LaneMode::Automatic,
            policy: PolicyRecord::default(),
        };
        change(&mut directive);
        self.signed(emit(&directive))
    }

    fn in_force(&self, now: &str) -> Option<u64> {
        self.store.board().view().in_force(&lane(), at(now)).map(|directive| directive.version)
    }

    fn tariff_at(&self, now: &str) -> String {
        let view = self.store.board().view();
        let operator = OperatorId::try_new("vec").unwrap();
        view.tariffs().unwrap().in_force(&operator, at(now)).unwrap().version.clone()
    }

    fn restart(&mut self) {
        self.store = open(self.folder.path(), &self.key);
    }
}

#[test]
fn tariffs_are_taken_whole_and_count_each_from_its_own_beginning() {
    let mut world = world();
    assert!(world.store.board().view().tariffs().is_none());
    let message =
        world.tariffs(2, &[tariff_file("a", "06:00", 2_000), tariff_file("b", "12:00", 3_000)]);
    assert_eq!(world.store.take_tariffs(&message).unwrap(), Taken::New);
    assert_eq!(world.store.take_tariffs(&message).unwrap(), Taken::Known);
    for _start in 0..2 {
        assert_eq!(world.tariff_at("05:59"), "configured");
        assert_eq!(world.tariff_at("06:00"), "a");
        assert_eq!(world.tariff_at("12:00"), "b");
        assert_eq!(world.store.board().view().tariff_version(), 2);
        world.restart();
    }
}

#[test]
fn an_older_version_and_another_content_of_the_same_are_refused() {
    let world = world();
    let fares = |dong| [tariff_file("a", "06:00", dong)];
    world.store.take_tariffs(&world.tariffs(2, &fares(2_000))).unwrap();
    let older = world.store.take_tariffs(&world.tariffs(1, &fares(9_000))).unwrap_err();
    assert!(matches!(older, DirectiveError::Older { have: 2, offered: 1 }), "{older}");
    let other = world.store.take_tariffs(&world.tariffs(2, &fares(9_000))).unwrap_err();
    assert!(matches!(other, DirectiveError::Conflict { version: 2 }), "{other}");
    assert_eq!(world.tariff_at("07:00"), "a");
}

#[test]
fn what_cannot_be_read_is_forged_or_is_somebody_elses_changes_nothing() {
    let world = world();
    world.store.take_lane(&world.lane(1, "00:00", |_| ()), at("01:00")).unwrap();
    let good = world.lane(2, "00:00", |directive| directive.mode = LaneMode::Attended);
    let forged = SignedMessage { payload: good.payload.replace("attended", "automatic"), ..good };
    let unreadable = world.signed(b"{\"v\":1}".to_vec());
    let later = world.signed(b"{\"v\":2}".to_vec());
    let foreign = world.lane(2, "00:00", |one| one.lane = "vec/nghi-son/x2".parse().unwrap());
    let senseless = world.lane(2, "00:00", |one| one.policy.reads_needed = Some(0));
    for message in [forged, unreadable, later, foreign, senseless] {
        let refused = world.store.take_lane(&message, at("01:00")).unwrap_err();
        assert!(!refused.to_string().is_empty());
        assert_eq!(world.in_force("02:00"), Some(1), "{refused}");
    }
}

#[test]
fn tariffs_with_one_that_is_none_are_refused_whole() {
    let world = world();
    let mut other = tariff_file("a", "06:00", 2_000);
    other["operator"] = "cienco4".into();
    for bad in [serde_json::json!({"version": "b"}), other] {
        let message = world.tariffs(2, &[tariff_file("a", "06:00", 2_000), bad]);
        let refused = world.store.take_tariffs(&message).unwrap_err();
        assert!(matches!(refused, DirectiveError::Senseless { version: 2, .. }), "{refused}");
        assert!(world.store.board().view().tariffs().is_none());
    }
}

#[test]
fn a_lane_follows_the_newest_directive_that_has_begun() {
    let mut world = world();
    for (version, from) in [(1, "00:00"), (2, "08:00"), (3, "12:00")] {
        world.store.take_lane(&world.lane(version, from, |_| ()), at("01:00")).unwrap();
    }
    for _start in 0..2 {
        assert_eq!(world.in_force("07:59"), Some(1));
        assert_eq!(world.in_force("08:00"), Some(2));
        assert_eq!(world.in_force("12:00"), Some(3));
        world.restart();
    }
    // A newer word about an earlier time is the last word about all that was to come.
    world.store.take_lane(&world.lane(4, "08:00", |_| ()), at("01:00")).unwrap();
    assert_eq!((world.in_force("07:59"), world.in_force("13:00")), (Some(1), Some(4)));
}

#[test]
fn what_is_kept_of_directives_does_not_grow() {
    let world = world();
    for version in 1..200 {
        let hour = format!("{:02}:{:02}", version / 60, version % 60);
        world.store.take_lane(&world.lane(version, &hour, |_| ()), at("00:00")).unwrap();
    }
    assert!(world.store.board().view().lanes[&lane()].len() <= KEPT_MAX);
    assert_eq!(world.in_force("23:00"), Some(199));
    let file = std::fs::metadata(world.store.lane_file(&lane())).unwrap().len();
    assert!(file < 8_192, "{file}");
}

#[test]
fn a_kept_directive_that_was_changed_on_the_disk_is_not_used() {
    let mut world = world();
    world.store.take_lane(&world.lane(1, "00:00", |_| ()), at("01:00")).unwrap();
    let path = world.store.lane_file(&lane());
    let text = std::fs::read_to_string(&path).unwrap().replace("automatic", "attended");
    std::fs::write(&path, text).unwrap();
    world.restart();
    assert_eq!(world.in_force("02:00"), None);
}

#[test]
fn a_directive_changes_what_it_names_and_nothing_else() {
    let world = world();
    let message = world.lane(1, "00:00", |one| {
        one.mode = LaneMode::Attended;
        one.policy.tag_wait_ms = Some(2_500);
        one.policy.unlisted = Some(ChoiceRecord::Serve);
        one.policy.equipment_fault = Some(PaymentRecord::Nothing);
    });
    world.store.take_lane(&message, at("01:00")).unwrap();
    let view = world.store.board().view();
    let base = LanePolicy { reads_needed: 3, ..LanePolicy::default() };
    let policy = amended(base, view.in_force(&lane(), at("01:00")).unwrap());
    let mut expected = base;
    expected.tag_wait = Duration::from_millis(2_500);
    expected.verdict.mode = LaneMode::Attended;
    expected.verdict.unlisted = Choice::Serve;
    expected.verdict.equipment_fault = domain::passage::Payment::Nothing;
    assert_eq!(policy, expected);
}
