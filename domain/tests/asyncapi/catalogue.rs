//! Every channel, and samples of every message in which every field is told.

use domain::order::{Identity, SignedOrder};
use domain::signature::SecretKey;
use domain::wire::v1::{
    AccountAnswer, AccountQuestion, Badge, ChoiceRecord, ClockRecord, Command, CommandReply,
    ConvoyRecord, DegradedMode, DeltaRecord, DeskRole, EntryRecord, EpochGrant, EpochRequest,
    Heartbeat, LaneDirective, LaneEvent, LaneMode, ListConfirmation, ListEntryRecord, Manifest,
    ManifestCall, ManifestTurn, PassageRecord, PaymentRecord, PictureNote, PolicyRecord,
    ReaderHealth, Receipt, TariffDirective, TimeAnswer, TimeQuestion, Verb, Vitals,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A subject, and what travels on it.
pub(crate) struct Channel {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    /// The stream that keeps it; none for what is never stored.
    pub(crate) stream: Option<&'static str>,
    pub(crate) message: &'static str,
    pub(crate) reply: Option<&'static str>,
    pub(crate) from: &'static str,
    pub(crate) signed: &'static str,
}

const fn stored(
    name: &'static str,
    address: &'static str,
    stream: &'static str,
    message: &'static str,
    from: &'static str,
    signed: &'static str,
) -> Channel {
    Channel { name, address, stream: Some(stream), message, reply: None, from, signed }
}

const fn asked(
    name: &'static str,
    address: &'static str,
    message: &'static str,
    reply: &'static str,
    from: &'static str,
    signed: &'static str,
) -> Channel {
    Channel { name, address, stream: None, message, reply: Some(reply), from, signed }
}

pub(crate) const CHANNELS: &[Channel] = &[
    stored(
        "passage",
        "etc.v1.passage.{operator}.{station}.{lane}",
        "PASSAGE",
        "PassageRecord",
        "lane",
        "lane",
    ),
    stored(
        "receipt",
        "etc.v1.receipt.{operator}.{station}.{lane}",
        "RECEIPT",
        "Receipt",
        "clearing house",
        "centre",
    ),
    stored(
        "listDelta",
        "etc.v1.list.delta.{version}",
        "LIST_DELTA",
        "DeltaRecord",
        "clearing house",
        "centre",
    ),
    stored(
        "listManifest",
        "etc.v1.list.snapshot.manifest",
        "LIST_SNAPSHOT",
        "Manifest",
        "clearing house",
        "centre",
    ),
    stored(
        "listPart",
        "etc.v1.list.snapshot.{version}.{part}",
        "LIST_SNAPSHOT",
        "ListEntryRecord",
        "clearing house",
        "centre",
    ),
    stored(
        "listConfirmed",
        "etc.v1.list.snapshot.confirmed",
        "LIST_SNAPSHOT",
        "ListConfirmation",
        "clearing house",
        "centre",
    ),
    stored("entry", "etc.v1.entry.{road}", "ENTRY", "EntryRecord", "clearing house", "centre"),
    stored(
        "event",
        "etc.v1.event.{operator}.{station}.{lane}",
        "EVENT",
        "LaneEvent",
        "lane",
        "nobody",
    ),
    stored(
        "pictures",
        "etc.v1.picture.{operator}.{station}.{lane}",
        "PICTURE",
        "PictureNote",
        "lane",
        "nobody",
    ),
    stored(
        "tariffDirective",
        "etc.v1.directive.tariff.{operator}",
        "DIRECTIVE",
        "TariffDirective",
        "clearing house",
        "centre",
    ),
    stored(
        "laneDirective",
        "etc.v1.directive.lane.{operator}.{station}.{lane}",
        "DIRECTIVE",
        "LaneDirective",
        "clearing house",
        "centre",
    ),
    Channel {
        name: "heartbeat",
        address: "etc.v1.heartbeat.{operator}.{station}.{lane}",
        stream: None,
        message: "Heartbeat",
        reply: None,
        from: "lane",
        signed: "nobody",
    },
    asked(
        "command",
        "etc.v1.command.{operator}.{station}.{lane}",
        "Command",
        "CommandReply",
        "desk",
        "the people who give it",
    ),
    asked(
        "ask",
        "etc.v1.ask.{operator}.{station}.{lane}",
        "AccountQuestion",
        "AccountAnswer",
        "lane",
        "lane; centre",
    ),
    asked(
        "manifest",
        "etc.v1.manifest.{operator}.{station}.{lane}",
        "ManifestTurn",
        "ManifestCall",
        "lane",
        "lane; centre",
    ),
    asked("epoch", "etc.v1.epoch", "EpochRequest", "EpochGrant", "lane", "lane; centre"),
    asked("time", "etc.v1.time", "TimeQuestion", "TimeAnswer", "lane", "nobody; centre"),
];

/// A message by samples.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<Value>,
    reads: fn(&Value) -> bool,
}

impl Sample {
    fn of<T: Serialize + DeserializeOwned>(name: &'static str, texts: &[&str]) -> Self {
        let whole = |text: &&str| {
            let message: T = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            serde_json::to_value(message).unwrap()
        };
        let reads = |value: &Value| serde_json::from_value::<T>(value.clone()).is_ok();
        Self { name, values: texts.iter().map(whole).collect(), reads }
    }

    fn changed(&self, change: impl Fn(&mut Value) -> bool) -> bool {
        let tried = self.values.iter().filter_map(|value| {
            let mut value = value.clone();
            change(&mut value).then_some(value)
        });
        let mut tried = tried.peekable();
        tried.peek().is_some() && tried.all(|value| (self.reads)(&value))
    }

    pub(crate) fn reads_with_null(&self, pointer: &str) -> bool {
        self.changed(|value| value.pointer_mut(pointer).map(|at| *at = Value::Null).is_some())
    }

    pub(crate) fn reads_without(&self, pointer: &str, key: &str) -> bool {
        let gone = |at: &mut Value| at.as_object_mut().and_then(|object| object.remove(key));
        self.changed(|value| value.pointer_mut(pointer).and_then(gone).is_some())
    }

    pub(crate) fn reads_with_more(&self) -> bool {
        self.changed(|value| {
            value["not-a-field"] = json!(1);
            true
        })
    }
}

const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Every message there is.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn samples() -> Vec<Sample> {
    let hashed = |text: &str| text.replace('#', NOTHING);
    let one = |text: &str| vec![hashed(text)];
    let kinds = [
        r#"{"vehicle-arrived":{"queue":1}}"#,
        r#"{"call-raised":{"call":1,"exception":"no-tag","tag":"3416","fare":1}}"#,
        r#"{"call-ended":{"call":1}}"#,
        r#"{"passage-recorded":{"epoch":1,"seq":7,"decision":"opened-by-tag","group":1,"fare":1,"read_to_decision_us":9}}"#,
        r#"{"opened":{"read_to_open_us":9}}"#,
        r#"{"vehicle-left":{"queue":0}}"#,
        r#""violation""#,
        r#"{"posted":{"upto":7,"read_to_posted_us":[9]}}"#,
        r#"{"reader":{"health":"reading"}}"#,
        r#"{"alarm":{"text":"t"}}"#,
        r#"{"directive-applied":{"version":3,"mode":"automatic"}}"#,
        r#"{"mode-ordered":{"mode":"closed","by":"nv-07"}}"#,
        r#"{"convoy-began":{"convoy":{"name":"n","by":"nv-07","second":"nv-08","vehicles":0,"vehicles_max":9}}}"#,
        r#"{"convoy-ended":{"name":"n","vehicles":9}}"#,
        r#"{"events-dropped":{"count":3}}"#,
        r##"{"case":{"epoch":1,"number":1,"case":{"group-differs":{"listed":1,"measured":2}},"passage":7,"pictures":["#"]}}"##,
        r##"{"case":{"epoch":1,"number":2,"case":"two-tags","passage":7,"pictures":[]}}"##,
    ];
    let events: Vec<String> = kinds
        .iter()
        .map(|kind| {
            hashed(&format!(
                r#"{{"v":1,"lane":"a/b/c","at":"2026-11-21T05:00:00Z","kind":{kind}}}"#
            ))
        })
        .collect();
    let pictures = [r#"{"call":{"call":1}}"#, r#"{"passage":{"epoch":1,"seq":7}}"#].map(|of| {
        hashed(&format!(
            r##"{{"v":1,"lane":"a/b/c","at":"2026-11-21T05:00:00Z","of":{of},"pictures":[{{"digest":"#","kind":"plate","len":9}}]}}"##
        ))
    });
    let verbs = [
        r#"{"open":{"reason":"cash-paid","plate":"37A12345","group":2}}"#,
        r#"{"charge-by-plate":{"plate":"37A12345","group":2}}"#,
        r#"{"turn-away":{"reason":{"other":{"note":"n"}}}}"#,
        r#"{"change-group":{"group":2}}"#,
        r#""retry-read""#,
        r#"{"begin-convoy":{"name":"n","vehicles-max":9,"lasts-s":600}}"#,
        r#""end-convoy""#,
        r#"{"set-mode":{"mode":"closed"}}"#,
    ];
    let commands: Vec<String> = verbs
        .iter()
        .map(|verb| format!(r#"{{"v":1,"id":"c-1","lane":"a/b/c","call":4,"attendant":"nv-07","second":"nv-08","issued_at":"2026-11-21T05:00:01Z","expires_at":"2026-11-21T05:00:06Z","verb":{verb}}}"#))
        .collect();
    let order = serde_json::to_string(&signed_order()).unwrap();
    let badge = serde_json::to_string(&signed_order().signers[0].badge).unwrap();
    let passage = hashed(
        r##"{"v":1,"id":"a/b/c:1:7","role":"exit","at":"2026-11-21T05:00:00Z","clock":"synchronised","uptime_ns":12,"boot":"b1","tag":"3416","plate":"37A12345","group":1,"list_version":3,"status_seen":"good","tariff":"t","entry":{"passage":"a/b/e:1:4","station":"b","at":"2026-11-21T05:00:00Z"},"exception":"no-tag","decision":"opened-by-tag","attendance":{"attendant":"nv-07","command":"c-1","reason":"cash-paid","second":"nv-08","corrected":{"from":1},"order":ORDER},"fare":47000,"payment":"account","previous":"#"}"##,
    );
    let passage = passage.replace("ORDER", &order);
    let texts = |texts: &[String], make: fn(&[&str]) -> Sample| {
        make(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    vec![
        texts(&[passage], |t| Sample::of::<PassageRecord>("PassageRecord", t)),
        texts(&[badge], |t| Sample::of::<Badge>("Badge", t)),
        texts(
            &one(
                r#"{"v":1,"lane":"a/b/c","epoch":1,"posted_upto":7,"posted_digest":"000000000000000000000000000000fe","missing":[[9,10]],"issued_at":"2026-11-21T05:00:01Z"}"#,
            ),
            |t| Sample::of::<Receipt>("Receipt", t),
        ),
        texts(
            &one(
                r##"{"v":1,"version":4,"hash_before":"#","hash":"#","issued_at":"2026-11-21T05:00:01Z","changes":[{"upsert":{"tag":"3416","status":"good","group":1,"exempt":true,"pass":{"pass":5,"station":"b","until":"2026-12-21T17:00:00Z"}}}]}"##,
            ),
            |t| Sample::of::<DeltaRecord>("DeltaRecord", t),
        ),
        texts(
            &one(
                r##"{"v":1,"version":4,"hash":"#","tags":9,"parts":["#"],"issued_at":"2026-11-21T05:00:01Z"}"##,
            ),
            |t| Sample::of::<Manifest>("Manifest", t),
        ),
        texts(
            &one(
                r#"{"tag":"3416","status":"good","group":1,"exempt":true,"pass":{"pass":5,"station":"b","until":"2026-12-21T17:00:00Z"}}"#,
            ),
            |t| Sample::of::<ListEntryRecord>("ListEntryRecord", t),
        ),
        texts(&one(r##"{"v":1,"version":4,"hash":"#","at":"2026-11-21T05:00:01Z"}"##), |t| {
            Sample::of::<ListConfirmation>("ListConfirmation", t)
        }),
        texts(
            &one(
                r#"{"v":1,"passage":"a/b/e:1:4","station":"b","at":"2026-11-21T05:00:00Z","tag":"3416","plate":"37A12345","group":1}"#,
            ),
            |t| Sample::of::<EntryRecord>("EntryRecord", t),
        ),
        texts(&events, |t| Sample::of::<LaneEvent>("LaneEvent", t)),
        texts(&pictures, |t| Sample::of::<PictureNote>("PictureNote", t)),
        texts(
            &one(
                r#"{"v":1,"operator":"vec","version":2,"issued_at":"2026-11-21T05:00:01Z","tariffs":[{}]}"#,
            ),
            |t| Sample::of::<TariffDirective>("TariffDirective", t),
        ),
        texts(&[lane_directive()], |t| Sample::of::<LaneDirective>("LaneDirective", t)),
        texts(&[heartbeat()], |t| Sample::of::<Heartbeat>("Heartbeat", t)),
        texts(&commands, |t| Sample::of::<Command>("Command", t)),
        texts(
            &[
                r#"{"v":1,"id":"c-1","answer":{"done":{"passage":"a/b/c:1:7"}}}"#.to_owned(),
                r#"{"v":1,"id":"c-1","answer":{"refused":{"why":"w"}}}"#.to_owned(),
            ],
            |t| Sample::of::<CommandReply>("CommandReply", t),
        ),
        texts(
            &one(
                r#"{"v":1,"id":"a/b/c:1:7:q","lane":"a/b/c","tag":"3416","amount":1,"asked_at":"2026-11-21T05:00:01Z","expires_at":"2026-11-21T05:00:02Z"}"#,
            ),
            |t| Sample::of::<AccountQuestion>("AccountQuestion", t),
        ),
        texts(
            &one(
                r##"{"v":1,"lane":"a/b/c","question":"#","ruling":"may-pass","answered_at":"2026-11-21T05:00:01Z"}"##,
            ),
            |t| Sample::of::<AccountAnswer>("AccountAnswer", t),
        ),
        texts(
            &one(
                r##"{"v":1,"lane":"a/b/c","epoch":1,"at":"2026-11-21T05:00:01Z","manifest":{"day":"2026-11-20","first_seq":1,"last_seq":2,"head":"#","sums":{"passages":2,"amount":1,"groups":{},"decisions":{}},"loops":{"before":{"crossings":0,"repeats":0,"strays":0,"unseen":0,"turned_back":0,"between":0,"lost":0},"hours":[{"from":"2026-11-20T05:00:00Z","last_seq":2,"counts":{"crossings":1,"repeats":0,"strays":0,"unseen":0,"turned_back":0,"between":1,"lost":0}}]}},"forgotten_upto":2}"##,
            ),
            |t| Sample::of::<ManifestTurn>("ManifestTurn", t),
        ),
        texts(
            &one(
                r##"{"v":1,"lane":"a/b/c","turn":"#","wanted":{"day":"2026-11-20","ends_at":"2026-11-20T17:00:00Z","after_seq":0,"last_seq":2},"next_at":"2026-11-21T17:00:00Z"}"##,
            ),
            |t| Sample::of::<ManifestCall>("ManifestCall", t),
        ),
        texts(&one(r##"{"v":1,"lane":"a/b/c","journal":"#"}"##), |t| {
            Sample::of::<EpochRequest>("EpochRequest", t)
        }),
        texts(&one(r##"{"v":1,"lane":"a/b/c","journal":"#","epoch":2}"##), |t| {
            Sample::of::<EpochGrant>("EpochGrant", t)
        }),
        texts(&one(r#"{"v":1,"lane":"a/b/c","sent_at":"2026-11-21T05:00:01Z"}"#), |t| {
            Sample::of::<TimeQuestion>("TimeQuestion", t)
        }),
        texts(
            &one(
                r#"{"v":1,"lane":"a/b/c","sent_at":"2026-11-21T05:00:01Z","received_at":"2026-11-21T05:00:01Z","answered_at":"2026-11-21T05:00:01Z"}"#,
            ),
            |t| Sample::of::<TimeAnswer>("TimeAnswer", t),
        ),
    ]
}

/// Of one person, who has every role.
fn signed_order() -> SignedOrder {
    let at = domain::Timestamp::UNIX_EPOCH;
    let roles = vec![DeskRole::StationOperator, DeskRole::Supervisor];
    let who = ("nv-07".to_owned(), roles, "*".to_owned());
    let identity = Identity::try_issue(&SecretKey::from_seed(&[7; 32]), who, (at, at)).unwrap();
    let command = Command {
        v: 1,
        id: "c-1".to_owned(),
        lane: "a/b/c".parse().unwrap(),
        call: 4,
        attendant: "nv-07".to_owned(),
        second: Some("nv-08".to_owned()),
        issued_at: at,
        expires_at: at,
        verb: Verb::RetryRead,
    };
    SignedOrder { signers: vec![identity.sign(&command)], command }
}

/// With every field, and a compiler that says when there is one more.
fn lane_directive() -> String {
    let at = domain::Timestamp::UNIX_EPOCH;
    let policy = PolicyRecord {
        tag_wait_ms: Some(1),
        duplicate_window_s: Some(1),
        reads_needed: Some(1),
        drive_timeout_s: Some(1),
        unlisted: Some(ChoiceRecord::Call),
        low: Some(ChoiceRecord::Call),
        old_list: Some(ChoiceRecord::Call),
        list_age_max_s: Some(1),
        bad_clock: Some(ChoiceRecord::Call),
        missing_entry: Some(ChoiceRecord::Call),
        equipment_fault: Some(PaymentRecord::Nothing),
    };
    let directive = LaneDirective {
        v: 1,
        lane: "a/b/c".parse().unwrap(),
        version: 1,
        issued_at: at,
        effective_at: at,
        ordered_by: "nv-07".to_owned(),
        mode: LaneMode::Attended,
        policy,
    };
    serde_json::to_string(&directive).unwrap()
}

fn heartbeat() -> String {
    let at = domain::Timestamp::UNIX_EPOCH;
    let vitals = Vitals {
        clock: Some(ClockRecord::Synchronised),
        clock_offset_us: Some(-1),
        clock_error_us: Some(1),
        backlog: Some(1),
        oldest_unposted_at: Some(at),
        list_confirmed_at: Some(at),
        tariff_version: Some(1),
        directive_version: Some(1),
        mode: Some(LaneMode::Automatic),
        convoy: Some(ConvoyRecord {
            name: "n".to_owned(),
            by: "nv-07".to_owned(),
            second: "nv-08".to_owned(),
            vehicles: 1,
            vehicles_max: 9,
        }),
        events_waiting: Some(1),
        disk_free_bytes: Some(1),
        software: Some("0.1.0".to_owned()),
    };
    let heartbeat = Heartbeat {
        v: 1,
        lane: "a/b/c".parse().unwrap(),
        at,
        epoch: 1,
        last_seq: 1,
        posted_upto: 1,
        list_version: 1,
        list_hash: domain::signature::Digest256::default(),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        calls: 0,
        arm_up: Some(true),
        unwritten: Some(1),
        degraded: vec![DegradedMode::NoCamera],
        vitals: Some(vitals),
    };
    serde_json::to_string(&heartbeat).unwrap()
}
