use domain::signature::Digest256;

use super::*;

fn lane(name: &str) -> LaneId {
    format!("cienco4/ben-thuy/{name}").parse().unwrap()
}

fn heartbeat(unwritten: Option<u64>) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane("l01"),
        at: Timestamp::UNIX_EPOCH,
        epoch: 1,
        last_seq: 12,
        posted_upto: 9,
        list_version: 4,
        list_hash: Digest256::default(),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        calls: 0,
        arm_up: None,
        unwritten,
        degraded: Vec::new(),
        vitals: None,
    }
}

fn station(lanes: Vec<LaneHealth>) -> StationHealth {
    StationHealth {
        station: "ben-thuy".to_owned().try_into().unwrap(),
        clock: Timestamp::UNIX_EPOCH,
        broker: false,
        list_confirmed_at: None,
        list_version: 4,
        list_unchanged_s: 60,
        lanes,
    }
}

fn failed() -> Condition {
    Condition::Failed { why: "its journal is damaged".to_owned(), times: 3 }
}

#[test]
fn a_station_is_well_only_when_every_lane_is() {
    let well = LaneHealth::of(lane("l01"), Condition::Running, Some(&heartbeat(None)));
    assert!(station(vec![well.clone()]).is_well());
    let degraded = LaneHealth::of(lane("l02"), Condition::Running, Some(&heartbeat(Some(2))));
    let broken = LaneHealth::of(lane("l03"), failed(), None);
    assert_eq!(broken.why.as_deref(), Some("its journal is damaged"));
    let unseen = Heartbeat { degraded: vec![DegradedMode::NoCamera], ..heartbeat(None) };
    let unseen = LaneHealth::of(lane("l04"), Condition::Running, Some(&unseen));
    assert_eq!(unseen.degraded, [DegradedMode::NoCamera]);
    for other in [degraded, broken, unseen] {
        let station = station(vec![well.clone(), other]);
        assert!(!station.is_well());
        assert!(station.lives());
    }
}

#[test]
fn a_process_whose_running_lanes_are_all_silent_does_not_live() {
    let silent = || LaneHealth::of(lane("l01"), Condition::Running, None);
    let failed = || LaneHealth::of(lane("l02"), failed(), None);
    assert!(!station(vec![silent(), failed()]).lives());
    // A station whose lanes have all failed is tried again from within.
    assert!(station(vec![failed()]).lives());
}

#[test]
fn metrics_have_one_line_for_each_lane_that_can_say() {
    let text = station(vec![
        LaneHealth::of(lane("l01"), Condition::Running, Some(&heartbeat(Some(2)))),
        LaneHealth::of(lane("l02"), failed(), None),
    ])
    .metrics();
    for line in [
        "etc_broker_connected 0",
        "etc_list_unchanged_seconds 60",
        "etc_lane_running{lane=\"cienco4/ben-thuy/l01\"} 1",
        "etc_lane_running{lane=\"cienco4/ben-thuy/l02\"} 0",
        "etc_lane_failures{lane=\"cienco4/ben-thuy/l02\"} 3",
        "etc_lane_journal{lane=\"cienco4/ben-thuy/l01\"} 0",
        "etc_lane_unwritten{lane=\"cienco4/ben-thuy/l01\"} 2",
        "etc_lane_backlog{lane=\"cienco4/ben-thuy/l01\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("etc_lane_backlog{lane=\"cienco4/ben-thuy/l02\"}"));
}

/// Asks a page as a browser would, and hands back status and body.
async fn asked(address: std::net::SocketAddr, page: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    let question = format!("GET {page} HTTP/1.1\r\nHost: lane\r\nConnection: close\r\n\r\n");
    line.write_all(question.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_tell_how_the_station_is_and_nothing_personal() {
    let folder = tempfile::tempdir().unwrap();
    let key = domain::signature::SecretKey::from_seed(&[1; 32]);
    let list = ListStore::open(&folder.path().join("list"), key.public(), Default::default());
    let list = list.unwrap();
    let client = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .connect("nats://127.0.0.1:9")
        .await
        .unwrap();
    let clock = Clock::system();
    let signs = VitalSigns {
        lane: lane("l01"),
        uplink: watch::channel(crate::uplink::UplinkState::default()).1,
        events_waiting: watch::channel(3).1,
        list: list.clone(),
        directives: crate::directives::DirectiveBoard::default(),
        clock_watch: crate::clock_quality::ClockWatch::trusted(),
        clock,
        folder: Arc::new(folder.path().to_owned()),
    };
    let (wakes, wake_up) = std::sync::mpsc::channel();
    let answering = std::thread::spawn(move || {
        while let Ok(Wake::Health(reply)) = wake_up.recv() {
            drop(reply.send(heartbeat(None)));
        }
    });
    let (tell, condition) = watch::channel(Condition::Running);
    let asked_lane = AskedLane { id: lane("l01"), signs, wakes, condition };
    let station = "ben-thuy".to_owned().try_into().unwrap();
    let health = Health::new(station, vec![asked_lane], client, list, clock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, health));

    let (status, body) = asked(address, "/health").await;
    assert!(status.contains("200"), "{status}");
    let seen: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(seen["lanes"][0]["vitals"]["events_waiting"], 3);
    assert_eq!(seen["lanes"][0]["vitals"]["clock"], "synchronised");
    assert!(seen["lanes"][0]["vitals"]["disk_free_bytes"].as_u64().unwrap() > 0);
    let (status, body) = asked(address, "/metrics").await;
    assert!(status.contains("200"), "{status}");
    assert!(body.contains("etc_lane_clock_trusted{lane=\"cienco4/ben-thuy/l01\"} 1"), "{body}");
    tell.send_replace(failed());
    let (status, body) = asked(address, "/health").await;
    assert!(status.contains("503"), "{status}");
    assert!(body.contains("its journal is damaged"), "{body}");
    assert!(asked(address, "/").await.0.contains("404"));
    serving.abort();
    drop(serving.await);
    answering.join().unwrap();
}
