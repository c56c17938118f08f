//! Golden bytes of version 1. What is here has been signed and stored: never change a line.

use super::*;
use crate::passage::Passage;

const PASSAGE: &str = r#"{"v":1,"id":"cienco4/ben-thuy/l01:1:7","role":"open","at":"2026-11-21T05:00:00.25Z","clock":"synchronised","uptime_ns":12000000,"boot":"b1","tag":"3416214B88C0011762000493","plate":null,"group":1,"list_version":3,"status_seen":"good","tariff":"ben-thuy-2023-12-29","entry":null,"exception":null,"decision":"opened-by-tag","attendance":null,"fare":47000,"payment":"account","previous":"0000000000000000000000000000000000000000000000000000000000000000"}"#;

const ATTENDED: &str = r#"{"v":1,"id":"vec/nghi-son/x1:2:9","role":"exit","at":"2026-11-21T06:00:00Z","clock":"unsynchronised","uptime_ns":1,"boot":"b2","tag":null,"plate":"37A12345","group":2,"list_version":3,"status_seen":null,"tariff":"v","entry":{"passage":"vec/mai-son/e1:1:4","station":"mai-son","at":"2026-11-21T05:10:00Z"},"exception":"no-tag","decision":"opened-by-attendant","attendance":{"attendant":"nv-07","command":"c-1","reason":"cash-paid"},"fare":143139,"payment":"cash","previous":"00000000000000000000000000000000000000000000000000000000000000ff"}"#;

const RECEIPT: &str = r#"{"v":1,"lane":"cienco4/ben-thuy/l01","epoch":1,"posted_upto":7,"missing":[[9,10]],"issued_at":"2026-11-21T05:00:01Z"}"#;

const RECEIPT_WITH_DIGEST: &str = r#"{"v":1,"lane":"cienco4/ben-thuy/l01","epoch":1,"posted_upto":7,"posted_digest":"000000000000000000000000000000fe","missing":[],"issued_at":"2026-11-21T05:00:01Z"}"#;

const COMMAND: &str = r#"{"v":1,"id":"c-1","lane":"vec/nghi-son/x1","call":4,"attendant":"nv-07","issued_at":"2026-11-21T05:00:01Z","expires_at":"2026-11-21T05:00:06Z","verb":{"open":{"reason":{"other":{"note":"đèn hỏng"}},"plate":"37A12345","group":2}}}"#;

/// What was added to version 1 later, and is as fixed since.
const CONVOY: &str = r#"{"v":1,"id":"c-2","lane":"vec/nghi-son/x1","call":0,"attendant":"nv-07","second":"nv-08","issued_at":"2026-11-21T05:00:01Z","expires_at":"2026-11-21T05:00:06Z","verb":{"begin-convoy":{"name":"đoàn khách","vehicles-max":20,"lasts-s":600}}}"#;

const BADGE: &str = r#"{"v":1,"key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=","person":"nv-07","roles":["station-operator","supervisor"],"scope":"vec/nghi-son","issued_at":"2026-11-21T05:00:00Z","expires_at":"2026-11-21T19:00:00Z"}"#;

const CORRECTED: &str = r#""attendance":{"attendant":"nv-07","command":"c-1","reason":"group-corrected","second":"nv-08","corrected":{"from":1}}"#;

const DELTA: &str = r#"{"v":1,"version":4,"hash_before":"0000000000000000000000000000000000000000000000000000000000000001","hash":"0000000000000000000000000000000000000000000000000000000000000002","issued_at":"2026-11-21T05:00:01Z","changes":[{"upsert":{"tag":"3416214B88C0011762000493","status":"no-money","group":1,"pass":{"pass":5,"station":"ben-thuy","until":"2026-12-21T17:00:00Z"}}},{"remove":"3416"}]}"#;

const QUESTION: &str = r#"{"v":1,"id":"cienco4/ben-thuy/l01:1:7:q","lane":"cienco4/ben-thuy/l01","tag":"3416214B88C0011762000493","amount":47000,"asked_at":"2026-11-21T05:00:00.25Z","expires_at":"2026-11-21T05:00:00.45Z"}"#;

const ANSWER: &str = r#"{"v":1,"lane":"cienco4/ben-thuy/l01","question":"00000000000000000000000000000000000000000000000000000000000000fe","ruling":"may-pass","answered_at":"2026-11-21T05:00:00.3Z"}"#;
const TARIFF: &str = r#"{"v":1,"operator":"vec","version":2,"issued_at":"2026-11-21T05:00:01Z","tariffs":[{"currency":"VND","fare":[{"amounts":[35000,50000],"station":"ben-thuy"}],"operator":"vec","source":"QD 1","valid_from":"2025-12-31T17:00:00Z","version":"v1"}]}"#;

const DIRECTIVE: &str = r#"{"v":1,"lane":"vec/nghi-son/x1","version":3,"issued_at":"2026-11-21T05:00:01Z","effective_at":"2026-11-21T06:00:00Z","ordered_by":"nv-07","mode":"attended","policy":{"tag_wait_ms":2500,"unlisted":"call","equipment_fault":"nothing"}}"#;

const TIME: &str = r#"{"v":1,"lane":"vec/nghi-son/x1","sent_at":"2026-11-21T05:00:01Z","received_at":"2026-11-21T05:00:01.004Z","answered_at":"2026-11-21T05:00:01.005Z"}"#;

const CONFIRMED: &str = r#"{"v":1,"version":4,"hash":"0000000000000000000000000000000000000000000000000000000000000002","at":"2026-11-21T05:00:01Z"}"#;

const TURN: &str = r#"{"v":1,"lane":"vec/nghi-son/x1","epoch":2,"at":"2026-11-21T17:00:05Z","manifest":{"day":"2026-11-21","first_seq":7,"last_seq":8,"head":"00000000000000000000000000000000000000000000000000000000000000fe","sums":{"passages":2,"amount":94000,"groups":{"-":1,"1":1},"decisions":{"opened-by-tag":2}},"loops":{"before":{"crossings":5,"repeats":0,"strays":0,"unseen":0,"turned_back":0,"between":1,"lost":0},"hours":[{"from":"2026-11-21T05:00:00Z","last_seq":8,"counts":{"crossings":8,"repeats":1,"strays":0,"unseen":0,"turned_back":0,"between":1,"lost":0}}]}}}"#;

const CALL: &str = r#"{"v":1,"lane":"vec/nghi-son/x1","turn":"00000000000000000000000000000000000000000000000000000000000000fe","wanted":{"day":"2026-11-21","ends_at":"2026-11-21T17:00:00Z","after_seq":6,"last_seq":null},"next_at":"2026-11-22T17:00:00Z"}"#;

const PICTURES: &str = r#"{"v":1,"lane":"vec/nghi-son/x1","at":"2026-11-21T05:00:01Z","of":{"passage":{"epoch":2,"seq":9}},"pictures":[{"digest":"00000000000000000000000000000000000000000000000000000000000000fe","kind":"plate","len":4096},{"digest":"00000000000000000000000000000000000000000000000000000000000000ff","kind":"overview","len":90000}]}"#;

fn golden<T>(what: &'static str, text: &str) -> T
where
    T: Serialize + for<'a> Deserialize<'a>,
{
    let message: T = parse(what, text.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(emit(&message)).unwrap(), text);
    message
}

#[test]
fn version_1_reads_and_writes_the_bytes_it_always_did() {
    for text in [PASSAGE, ATTENDED] {
        let record: PassageRecord = golden("passage", text);
        assert_eq!(PassageRecord::from(Passage::from(record.clone())), record);
    }
    golden::<Receipt>("receipt", RECEIPT);
    golden::<Receipt>("receipt", RECEIPT_WITH_DIGEST);
    golden::<Command>("command", COMMAND);
    golden::<Command>("command", CONVOY);
    for verb in [
        r#""retry-read""#,
        r#""end-convoy""#,
        r#"{"change-group":{"group":2}}"#,
        r#"{"set-mode":{"mode":"etc-only"}}"#,
    ] {
        let (head, _) = CONVOY.split_once(r#""verb":"#).unwrap();
        golden::<Command>("command", &format!(r#"{head}"verb":{verb}}}"#));
    }
    golden::<Badge>("badge", BADGE);
    golden::<PassageRecord>("passage", &PASSAGE.replace(r#""attendance":null"#, CORRECTED));
    golden::<DeltaRecord>("delta", DELTA);
    golden::<AccountQuestion>("question", QUESTION);
    golden::<AccountAnswer>("answer", ANSWER);
    for ruling in ["no-money", "blocked", "closed", "not-converted", "unknown-tag", "cannot-tell"] {
        golden::<AccountAnswer>("answer", &ANSWER.replace("may-pass", ruling));
    }
    golden::<LaneDirective>("directive", DIRECTIVE);
    golden::<TimeAnswer>("answer about the time", TIME);
    golden::<ListConfirmation>("confirmation of the list", CONFIRMED);
    golden::<TariffDirective>("tariffs", TARIFF);
    golden::<ManifestTurn>("turn", TURN);
    golden::<ManifestCall>("call", CALL);
    golden::<PictureNote>("note of pictures", PICTURES);
    let (passage, call) = (r#"{"passage":{"epoch":2,"seq":9}}"#, r#"{"call":{"call":4}}"#);
    golden::<PictureNote>("note of pictures", &PICTURES.replace(passage, call));
}

#[test]
fn another_version_is_told_from_a_broken_message() {
    let later = PASSAGE.replacen(r#""v":1"#, r#""v":2"#, 1);
    assert!(matches!(
        parse::<PassageRecord>("passage", later.as_bytes()),
        Err(WireError::Version { version: 2, .. })
    ));
    for broken in ["", "{}", "[1]", "\u{0}", &PASSAGE[..200], &PASSAGE.replace("open", "opne")] {
        assert!(matches!(
            parse::<PassageRecord>("passage", broken.as_bytes()),
            Err(WireError::Shape { .. })
        ));
    }
}

#[test]
fn a_refusal_never_quotes_what_it_refused() {
    for (part, broken) in [
        ("3416214B88C0011762000493", r#""3416214B88C00117620004XX""#),
        ("\"group\":1", r#""group":"37A-12345""#),
    ] {
        let broken = PASSAGE.replace(part, broken);
        let error = parse::<PassageRecord>("passage", broken.as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(std::error::Error::source(&error).is_none());
        assert!(!text.contains("3416214B88") && !text.contains("37A"), "{text}");
    }
}
