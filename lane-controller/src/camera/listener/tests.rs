//! The listener, posted to over a socket as cameras do.

use std::fs;
use std::sync::mpsc::{Receiver, channel};

use domain::{OperatorId, StationId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const SECRET: &str = "0123456789abcdef";
const EVENT: &str = "<EventNotificationAlert><eventType>ANPR</eventType><ANPR>\
    <licensePlate>37A12345</licensePlate><confidenceLevel>98</confidenceLevel></ANPR>\
    </EventNotificationAlert>";

struct World {
    listener: CameraListener,
    words: Receiver<CameraWord>,
    folder: tempfile::TempDir,
}

fn lane() -> LaneId {
    let operator: OperatorId = "op".parse().unwrap();
    let station: StationId = "st".parse().unwrap();
    LaneId::try_new(operator, station, "l01").unwrap()
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let settings = ListenerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        folder: folder.path().to_owned(),
        pictures_bytes_max: 1_000,
        quarantine_bytes_max: 4_000,
        post_bytes_max: 3_000,
    };
    let camera = |name: &str, format, confidence_max| Camera {
        name: name.to_owned(),
        lane: lane(),
        format,
        secret: CameraSecret::try_new(SECRET).unwrap(),
        confidence_max,
    };
    let cameras = vec![camera("front", Format::Hikvision, 100), camera("rear", Format::Dahua, 255)];
    let (say, words) = channel();
    let tell = move |word| say.send(word).unwrap();
    let listener = CameraListener::start(settings, cameras, Clock::system(), tell).await.unwrap();
    World { listener, words, folder }
}

impl World {
    /// Posts, and returns the answer's status.
    async fn post(&self, path: &str, content_type: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.listener.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: lane\r\nConnection: close\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is refused early may find the line closed.
        let _taken = stream.write_all(body).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn kept(&self, name: &str) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.folder.path().join(name)).unwrap();
        files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

/// A multipart body of parts: content type and bytes.
fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, (kind, bytes)) in parts.iter().enumerate() {
        let head = format!(
            "--MIME_boundary\r\nContent-Disposition: form-data; name=\"part{index}\"\r\n\
             Content-Type: {kind}\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--MIME_boundary--\r\n");
    body
}

const MULTIPART: &str = "multipart/form-data; boundary=MIME_boundary";
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture";

fn path(camera: &str) -> String {
    format!("/camera/{camera}/{SECRET}")
}

#[tokio::test]
async fn an_event_with_a_picture_is_a_plate_seen_and_the_picture_is_kept() {
    let world = world().await;
    let body = multipart(&[("application/xml", EVENT.as_bytes()), ("image/jpeg", PICTURE)]);
    assert_eq!(world.post(&path("front"), MULTIPART, &body).await, 200);
    let CameraWord::Seen(seen) = world.words.try_recv().unwrap() else { panic!("a plate") };
    assert_eq!(seen.lane, lane());
    assert_eq!(seen.plate.as_str(), "37A12345");
    assert_eq!(seen.confidence.percent(), 98);
    assert_eq!(seen.pictures.len(), 1);
    assert_eq!(seen.pictures[0].digest, Digest256::of(PICTURE));
    assert_eq!(world.kept("pictures"), [PICTURE]);
    assert!(!format!("{seen:?}").contains("37A"), "a plate is not shown by accident");
}

#[tokio::test]
async fn both_formats_come_alone_or_in_parts() {
    let world = world().await;
    let lines = "Events[0].Code=TrafficJunction\r\nEvents[0].TrafficCar.PlateNumber=30A56789\r\n\
                 Events[0].Object.Confidence=204\r\n";
    let json =
        r#"{"Events":[{"TrafficCar":{"PlateNumber":"30A56789"},"Object":{"Confidence":204}}]}"#;
    let in_parts = multipart(&[("text/plain", lines.as_bytes()), ("image/jpeg", PICTURE)]);
    for (camera, kind, body, plate, percent) in [
        ("front", "application/xml", EVENT.as_bytes(), "37A12345", 98),
        ("rear", "text/plain", lines.as_bytes(), "30A56789", 80),
        ("rear", "application/json", json.as_bytes(), "30A56789", 80),
        ("rear", MULTIPART, in_parts.as_slice(), "30A56789", 80),
    ] {
        assert_eq!(world.post(&path(camera), kind, body).await, 200);
        let CameraWord::Seen(seen) = world.words.try_recv().unwrap() else { panic!("a plate") };
        assert_eq!((seen.plate.as_str(), seen.confidence.percent()), (plate, percent));
    }
}

#[tokio::test]
async fn a_sign_of_life_is_no_sighting() {
    let world = world().await;
    let alive = EVENT.replace(">ANPR</eventType>", ">videoloss</eventType>");
    assert_eq!(world.post(&path("front"), "application/xml", alive.as_bytes()).await, 200);
    let expected = CameraWord::Alive { camera: "front".to_owned() };
    assert_eq!(world.words.try_recv(), Ok(expected));
}

#[tokio::test]
async fn what_is_not_understood_is_quarantined_with_the_reason() {
    let world = world().await;
    let two = multipart(&[("text/plain", b"a=1"), ("text/plain", b"a=1")]);
    let many = multipart(&[("image/jpeg", PICTURE); 13]);
    let none = multipart(&[("image/jpeg", PICTURE)]);
    for (kind, body, why) in [
        ("application/xml", b"<html></html>".as_slice(), EventError::Root),
        ("application/xml", b"\xff\xfe", EventError::Text),
        (MULTIPART, b"no parts", EventError::Parts),
        ("multipart/mixed", b"", EventError::Parts),
        (MULTIPART, &two, EventError::Several(2)),
        (MULTIPART, &many, EventError::Limit),
        (MULTIPART, &none, EventError::NoEvent),
    ] {
        assert_eq!(world.post(&path("front"), kind, body).await, 200);
        let expected = CameraWord::Quarantined { camera: "front".to_owned(), why: why.clone() };
        assert_eq!(world.words.try_recv(), Ok(expected), "{kind}");
        let head = format!("camera: front\nwhy: {why}\ncontent-type: {kind}\n\n");
        let kept = [head.as_bytes(), body].concat();
        assert!(world.kept("quarantine").contains(&kept), "{why}");
    }
    assert_eq!(world.kept("pictures"), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn strangers_and_wrong_secrets_get_the_same_answer() {
    let world = world().await;
    for path in
        ["/camera/front/0123456789abcdeX", "/camera/nobody/0123456789abcdef", "/", "/camera"]
    {
        assert_eq!(world.post(path, "application/xml", EVENT.as_bytes()).await, 404, "{path}");
    }
    assert!(world.words.try_recv().is_err());
    assert_eq!(world.kept("quarantine"), Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn a_post_that_is_too_large_is_not_taken_in() {
    let world = world().await;
    let status = world.post(&path("front"), "application/xml", &[b'a'; 3_001]).await;
    assert_eq!(status, 413);
    assert!(world.words.try_recv().is_err());
}

#[test]
fn a_secret_that_could_be_guessed_is_refused() {
    assert!(CameraSecret::try_new("short").is_none());
    assert!(CameraSecret::try_new("0123456789abcde/").is_none());
    assert!(CameraSecret::try_new(SECRET).unwrap().is(SECRET));
    assert!(!CameraSecret::try_new(SECRET).unwrap().is(""));
}
