//! What waits, and one line against a broker that does as the test says.

use domain::wire::v1::PictureKind;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::*;

const fn call(call: u64) -> Pictured {
    Pictured::Call { call }
}

const fn passage(seq: u64) -> Pictured {
    Pictured::Passage { epoch: 1, seq }
}

fn picture(number: u8) -> PictureRecord {
    let digest = Digest256::of(&[number]);
    PictureRecord { digest, kind: PictureKind::Unknown, len: 1 }
}

fn order(outbox: &Outbox) -> Vec<Pictured> {
    std::iter::from_fn(|| outbox.take()).map(|entry| entry.of).collect()
}

#[test]
fn who_waits_for_a_person_now_comes_first_and_then_the_oldest() {
    let outbox = Outbox::default();
    for of in [passage(1), passage(2), call(7), passage(3), call(8)] {
        outbox.put(of, vec![picture(1)]);
    }
    assert_eq!(order(&outbox), [call(8), call(7), passage(1), passage(2), passage(3)]);
}

#[test]
fn what_was_said_last_of_a_vehicle_is_what_is_sent() {
    let outbox = Outbox::default();
    outbox.put(passage(1), vec![picture(1)]);
    outbox.put(passage(1), vec![picture(1), picture(2)]);
    let mut old = outbox.take().unwrap();
    assert_eq!(old.pictures.len(), 2);
    old.tries = 2;
    outbox.put(passage(1), vec![picture(3)]);
    outbox.put_back(old);
    outbox.put(passage(1), vec![picture(4)]);
    let newer = outbox.take().unwrap();
    assert_eq!(newer.pictures, [picture(4)], "what is newer stays");
    assert_eq!(newer.tries, 2, "and begins no count anew");
    assert!(outbox.take().is_none());
}

#[test]
fn the_oldest_goes_where_too_many_wait_and_is_counted() {
    let outbox = Outbox::default();
    let count = u64::try_from(WAITING_MAX).unwrap() + 3;
    for seq in 1..=count {
        outbox.put(passage(seq), vec![picture(1)]);
    }
    outbox.put_back(Entry { of: passage(1), pictures: vec![picture(1)], tries: 1 });
    assert_eq!((outbox.take_dropped(), outbox.take_dropped()), (4, 0));
    let left = order(&outbox);
    assert_eq!((left.len(), left[0]), (WAITING_MAX, passage(4)));
}

/// What a line published: to where, and where the answer goes.
#[derive(Debug)]
struct Heard {
    to: String,
    reply: String,
}

impl Heard {
    fn is_picture(&self, bytes: &[u8]) -> bool {
        self.to.ends_with(&Digest256::of(bytes).to_string())
    }

    fn is_question(&self) -> bool {
        self.to.starts_with("$JS.API.DIRECT.GET.")
    }
}

/// A broker of one client that answers when the test says so.
struct Stand {
    heard: mpsc::UnboundedReceiver<Heard>,
    line: OwnedWriteHalf,
}

impl Stand {
    async fn start() -> (Self, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connecting =
            tokio::spawn(
                async move { async_nats::connect(format!("nats://{address}")).await.unwrap() },
            );
        let (read, mut line) = listener.accept().await.unwrap().0.into_split();
        let info = r#"INFO {"server_id":"S","server_name":"S","version":"2.12.0","go":"","host":"","port":1,"headers":true,"max_payload":1000000,"proto":1,"client_id":1}"#;
        line.write_all(format!("{info}\r\n").as_bytes()).await.unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        let mut read = BufReader::new(read);
        let mut text = String::new();
        // The client's greeting, which one answer ends.
        while !text.starts_with("PING") {
            text.clear();
            read.read_line(&mut text).await.unwrap();
        }
        line.write_all(b"PONG\r\n").await.unwrap();
        tokio::spawn(async move {
            loop {
                let mut text = String::new();
                if read.read_line(&mut text).await.unwrap_or(0) == 0 {
                    return;
                }
                let words: Vec<&str> = text.split_whitespace().collect();
                let ["PUB" | "HPUB", to, reply, .., len] = words[..] else { continue };
                let mut rest = vec![0; len.parse::<usize>().unwrap() + 2];
                read.read_exact(&mut rest).await.unwrap();
                tell.send(Heard { to: to.to_owned(), reply: reply.to_owned() }).ok();
            }
        });
        (Self { heard, line }, connecting.await.unwrap())
    }

    async fn next(&mut self) -> Heard {
        let heard = tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await;
        heard.expect("the line goes on").unwrap()
    }

    /// The next that is no question.
    async fn next_said(&mut self) -> Heard {
        loop {
            let heard = self.next().await;
            if !heard.is_question() {
                return heard;
            }
        }
    }

    /// The same, where all questions are answered.
    async fn next_said_answering(&mut self) -> Heard {
        loop {
            let heard = self.next().await;
            if !heard.is_question() {
                return heard;
            }
            self.answer(&heard, "").await;
        }
    }

    /// Answers, where the client listens for the answers to its requests: its subscription 0.
    async fn answer(&mut self, heard: &Heard, text: &str) {
        let head = format!("MSG {} 0 {}\r\n{text}\r\n", heard.reply, text.len());
        self.line.write_all(head.as_bytes()).await.unwrap();
    }

    async fn acknowledge(&mut self, heard: &Heard) {
        self.answer(heard, r#"{"stream":"PICTURE","seq":1}"#).await;
    }
}

const FIRST: &[u8] = b"the first";
const SECOND: &[u8] = b"the second";

/// A line with two pictures on its disk, and the broker it is connected to.
async fn stand() -> (Stand, Outbox, tempfile::TempDir, [PictureRecord; 2]) {
    let (stand, client) = Stand::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pictures = [FIRST, SECOND].map(|bytes| {
        let digest = Digest256::of(bytes);
        std::fs::write(file_of(folder.path(), &digest), bytes).unwrap();
        let len = u64::try_from(bytes.len()).unwrap();
        PictureRecord { digest, kind: PictureKind::Unknown, len }
    });
    let outbox = Outbox::new(SendPictures::All);
    let lane = "cienco4/ben-thuy/l01".parse().unwrap();
    let (clock, path) = (Clock::system(), folder.path().to_owned());
    let line = PictureLine { lane, client, outbox: outbox.clone(), folder: path, clock };
    let patience = Duration::from_millis(30);
    tokio::spawn(async move { line.run_with(patience, patience).await });
    (stand, outbox, folder, pictures)
}

#[tokio::test]
async fn no_picture_follows_one_that_is_under_way_and_a_late_word_counts() {
    let (mut stand, outbox, _folder, pictures) = stand().await;
    outbox.put(call(1), pictures.to_vec());
    let first = stand.next().await;
    assert!(first.is_picture(FIRST), "{first:?}");
    for _slow in 0..3 {
        // However long it takes: only whether the first is through is asked.
        let next = stand.next().await;
        assert!(next.is_question(), "{next:?}");
    }
    stand.acknowledge(&first).await;
    let second = stand.next_said().await;
    assert!(second.is_picture(SECOND), "{second:?}");
    stand.acknowledge(&second).await;
    let note = stand.next_said().await;
    assert!(note.to.ends_with(".l01"), "{note:?}");
    stand.acknowledge(&note).await;
    outbox.put(call(1), pictures.to_vec());
    let note = stand.next_said().await;
    assert!(note.to.ends_with(".l01"), "a repeat is the note alone: {note:?}");
}

#[tokio::test]
async fn what_was_heard_and_not_kept_goes_out_once() {
    let (mut stand, outbox, _folder, pictures) = stand().await;
    outbox.put(call(1), pictures.to_vec());
    for bytes in [FIRST, SECOND] {
        let said = stand.next_said_answering().await;
        assert!(said.is_picture(bytes), "{said:?}");
    }
    for _repeat in 0..3 {
        let note = stand.next_said_answering().await;
        assert!(note.to.ends_with(".l01"), "{note:?}");
        outbox.put(call(1), pictures.to_vec());
    }
}
