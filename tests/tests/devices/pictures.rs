//! A picture on its way: from the camera of a lane through a real broker to the desk's hands, and
//! into the centre's folder. What is forged is refused; a broker without pictures holds nobody up.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use clearing_house::broker::{ensure_streams, ensure_streams_kept_by, jetstream};
use clearing_house::config;
use clearing_house::pictures::{self, FilingError};
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{
    Command, CommandAnswer, CommandReply, DecisionRecord, PassageRecord, PictureKind, PictureNote,
    PictureRecord, Pictured, ReasonRecord, Verb, emit, parse,
};
use domain::{Clock, Plate, Timestamp, VehicleGroup};
use futures::StreamExt as _;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use simulator::picture;
use tests::programs::nats_server;
use tokio::task::{JoinHandle, block_in_place};

use super::site::{Site, lane, tag};

/// The files of a passage's folder, by name; those that are not whole yet are none.
fn files(folder: &Path, seq: u64) -> Vec<(String, Vec<u8>)> {
    let folder = folder.join(format!("cienco4/ben-thuy/l01/1/{seq}"));
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "jpg"))
        .map(|entry| {
            let bytes = fs::read(entry.path()).expect("a picture");
            (entry.file_name().into_string().expect("a name"), bytes)
        })
        .collect();
    files.sort();
    files
}

/// Publishes bytes under a digest, and a note that says whose they are, as a lane would.
async fn forge(centre: &Client, digest: Digest256, bytes: &[u8], seq: u64) {
    let id = lane("l01");
    let streams = jetstream(centre.clone());
    let to = subject::picture(&id, &digest);
    let sent = streams.publish(to, bytes.to_vec().into()).await.expect("the broker is there");
    sent.await.expect("the bytes are stored");
    let pictures = vec![PictureRecord { digest, kind: PictureKind::Plate, len: 1 }];
    let of = Pictured::Passage { epoch: 1, seq };
    let at = Timestamp::UNIX_EPOCH;
    let note = emit(&PictureNote { v: 1, lane: id.clone(), at, of, pictures });
    let sent = streams.publish(subject::picture_note(&id), note.into()).await;
    sent.expect("the broker is there").await.expect("the note is stored");
}

/// Files pictures into a folder, as the clearing house does.
fn file(streams: &Context, folder: &Path) -> JoinHandle<Result<Infallible, FilingError>> {
    let (streams, folder) = (streams.clone(), folder.to_owned());
    let (keep_days, mb_max) = (90.try_into().expect("days"), 100.try_into().expect("megabytes"));
    let config = config::Pictures { folder, keep_days, mb_max };
    tokio::spawn(async move { pictures::run(&streams, &config, Clock::system()).await })
}

/// Opens for a vehicle that a person was called for.
async fn open(centre: &Client, call: u64) -> CommandAnswer {
    let now = Clock::system().now();
    let group = VehicleGroup::try_new(1).expect("a group");
    let plate: Plate = "37A12345".parse().expect("a plate");
    let command = Command {
        v: 1,
        id: format!("command-{call}"),
        lane: lane("l01"),
        call,
        attendant: "lan".to_owned(),
        second: None,
        issued_at: now,
        expires_at: now + Duration::from_secs(5),
        verb: Verb::Open { reason: ReasonRecord::CashPaid, plate, group },
    };
    let reply = centre.request(subject::command(&command.lane), emit(&command).into()).await;
    let reply = reply.expect("the lane answers");
    parse::<CommandReply>("reply", &reply.payload).expect("a reply").answer
}

/// The lane's passage of that number, once it is at the broker as its last.
async fn passage(site: &mut Site, streams: &Context, seq: u64) -> PassageRecord {
    let passages = streams.get_stream(subject::PASSAGES.name).await.expect("the stream");
    let deadline = Clock::system();
    loop {
        let last = passages.direct_get_last_for_subject(subject::kept_passages(&lane("l01"))).await;
        let last = last.map(|last| parse::<PassageRecord>("passage", &last.payload));
        match last {
            Ok(Ok(last)) if last.id.seq.get() == seq => return last,
            _ => assert!(deadline.uptime() < Duration::from_secs(30), "the passage arrives"),
        }
        site.a_moment().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_reaches_the_desk_while_its_vehicle_waits_and_the_centre_with_its_passage() {
    let folder = RunFolder::temporary().expect("a folder");
    let user = BrokerUser::Lanes(vec![lane("l01"), lane("l02")]);
    let own = BrokerUser::StationConsole("cienco4".parse().unwrap(), "ben-thuy".parse().unwrap());
    let users = [BrokerUser::Centre, user.clone(), own.clone()];
    let broker = block_in_place(|| Broker::start(&folder, &nats_server(), &users));
    let broker = broker.expect("a broker");
    let centre = broker.connect(&BrokerUser::Centre).await.expect("the centre is connected");
    let streams = jetstream(centre.clone());
    ensure_streams(&streams).await.expect("streams");
    let filed = folder.join("pictures");
    let filing = file(&streams, &filed);
    let desk = broker.connect(&own).await.expect("the desk is connected");
    let mut notes = desk.subscribe("etc.v1.picture.cienco4.ben-thuy.*").await.unwrap();
    desk.flush().await.expect("the desk listens");

    // Nobody reads a tag: a person is called, and what the camera saw is there.
    let mut site = Site::with("tag_wait_ms = 1000", &broker.link(&user)).await;
    site.until_degraded("l01", &[]).await;
    site.l01.car_comes();
    site.until("the car is on its loop", |site| site.l01.presence()).await;
    site.a_moment().await;
    site.see("37A12345").await;
    let shows = |site: &Site| site.panels[0].has_shown("Khong doc duoc the");
    site.until("a person is called", shows).await;
    let note = notes.next().await.expect("a note");
    let note: PictureNote = parse("note", &note.payload).expect("a note");
    assert_eq!((&note.lane, note.of), (&lane("l01"), Pictured::Call { call: 1 }));
    let plate: Plate = "37A12345".parse().unwrap();
    let drawn = [picture::of_plate(&plate), picture::of_vehicle(&plate)];
    let kinds = [PictureKind::Plate, PictureKind::Overview];
    let expected = drawn.each_ref().map(|bytes| Digest256::of(bytes));
    assert_eq!(note.pictures.iter().map(|one| one.digest).collect::<Vec<_>>(), expected);
    assert_eq!(note.pictures.iter().map(|one| one.kind).collect::<Vec<_>>(), kinds);
    let kept = async_nats::jetstream::new(desk.clone());
    let kept = kept.get_stream_no_info(subject::PICTURES.name).await.expect("a stream");
    for (digest, bytes) in expected.iter().zip(&drawn) {
        let to = subject::picture(&lane("l01"), digest);
        let found = kept.direct_get_last_for_subject(to).await.expect("the desk fetches it");
        assert_eq!(found.payload.as_ref(), bytes);
    }

    // The passage that a person writes has them too, the whole before the plate.
    assert!(matches!(open(&centre, 1).await, CommandAnswer::Done { .. }));
    site.until("the pictures are filed", |_| files(&filed, 1).len() == 2).await;
    let names: Vec<_> = files(&filed, 1).into_iter().map(|(name, _)| name).collect();
    assert!(names[0].starts_with("1-overview-") && names[1].starts_with("2-plate-"), "{names:?}");
    assert_eq!(files(&filed, 1)[0].1, drawn[1]);
    site.until("the car has gone", |site| site.l01.is_empty()).await;

    // What is not what it is called is filed nowhere, and what comes behind it is.
    let honest = picture::of_plate(&"30F99999".parse().unwrap());
    forge(&centre, Digest256::of(b"another"), &honest, 98).await;
    forge(&centre, Digest256::of(b"no picture"), b"no picture", 98).await;
    forge(&centre, Digest256::of(&honest), &honest, 99).await;
    site.until("the honest one is filed", |_| files(&filed, 99).len() == 1).await;
    assert!(files(&filed, 98).is_empty());

    // Without a stream of pictures vehicles pass, and their passages arrive, as before.
    filing.abort();
    streams.delete_stream(subject::PICTURES.name).await.expect("the stream is wiped");
    ensure_streams_kept_by(&streams, 1).await.expect("what passages need is there");
    let pictures = streams.get_stream(subject::PICTURES.name).await;
    assert!(pictures.is_err(), "no passage waits for the stream of pictures");
    site.l01.car_comes();
    site.until("the next car is on its loop", |site| site.l01.presence()).await;
    site.a_moment().await;
    site.see("51F97022").await;
    site.read(0, &[tag(1)]);
    site.until("the arm is up", |site| site.l01.arm_is_up()).await;
    let last = passage(&mut site, &streams, 2).await;
    assert_eq!(last.decision, DecisionRecord::OpenedByTag);
    site.stop().await;
    block_in_place(|| drop((site, broker, folder)));
}
