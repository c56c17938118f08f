//! Who is let in by the broker and what they may do there: with the real broker, each refusal seen
//! as the broker says it.

use std::path::Path;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use broker_authority::Authority;
use broker_authority::certificate::Span;
use broker_link::Link;
use clearing_house::broker::{ensure_streams, jetstream};
use clearing_house::config::Production;
use clearing_house::credentials::{self, Again, Enrolment, Moment};
use clearing_house::gate::{self, GateError};
use clearing_house::registry::{Registry, SignedWhen};
use domain::signature::{Context, Digest256, SecretKey};
use domain::wire::subject;
use domain::{Clock, LaneId, Timestamp};
use futures::StreamExt as _;
use simulator::demo::broker::{Broker, BrokerUser, Stored};
use simulator::demo::run_folder::RunFolder;
use tests::office::Office;
use tests::programs::nats_server;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);
/// How long a revocation may take to count.
const REVOKED_WITHIN: Duration = Duration::from_secs(60);

fn lane(path: &str) -> LaneId {
    path.parse().unwrap()
}

fn lane_user(path: &str) -> BrokerUser {
    BrokerUser::Lanes(vec![lane(path)])
}

/// A connection whose events are heard.
struct Heard {
    client: Client,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Heard {
    async fn connect(link: &Link, user: &str) -> Self {
        let (tell, mut events) = mpsc::unbounded_channel();
        let client = ConnectOptions::with_credentials_file(&link.credentials_file)
            .await
            .unwrap()
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .add_root_certificates(link.ca_file.clone())
            .add_client_certificate(
                link.certificate_file.clone(),
                link.certificate_key_file.clone(),
            )
            .event_callback(move |event| {
                let tell = tell.clone();
                async move { drop(tell.send(event)) }
            })
            .connect(&link.url)
            .await
            .unwrap();
        assert!(matches!(events.recv().await, Some(Event::Connected)));
        Self { client, events }
    }

    /// What the broker refuses next.
    async fn refused(&mut self) -> String {
        loop {
            match timeout(SOON, self.events.recv()).await {
                Ok(Some(Event::ServerError(error))) => return error.to_string().to_lowercase(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => panic!("the broker refused nothing"),
            }
        }
    }

    async fn assert_may_not_publish(&mut self, to: &str) {
        self.client.publish(to.to_owned(), "x".into()).await.unwrap();
        let told = self.refused().await;
        assert!(told.contains("publish") && told.contains(&to.to_lowercase()), "{to}: {told}");
    }

    async fn assert_may_not_hear(&mut self, from: &str) {
        let _subscription = self.client.subscribe(from.to_owned()).await.unwrap();
        let told = self.refused().await;
        assert!(
            told.contains("subscription") && told.contains(&from.to_lowercase()),
            "{from}: {told}"
        );
    }
}

/// Everything that one lane could say or hear in the name of another.
fn subjects_of(lane: &LaneId) -> ([String; 6], [String; 4]) {
    let says = [
        subject::passage(lane),
        subject::event(lane),
        subject::heartbeat(lane),
        subject::picture_note(lane),
        subject::picture(lane, &Digest256::of(b"a picture")),
        format!("$JS.API.DIRECT.GET.RECEIPT.{}", subject::receipt(lane)),
    ];
    let hears = [subject::receipt(lane), subject::command(lane), subject::passage(lane)];
    let [receipt, command, passage] = hears;
    (says, [receipt, command, passage, subject::picture_note(lane)])
}

#[tokio::test]
async fn no_lane_speaks_or_hears_in_the_name_of_another() {
    let lanes =
        ["cienco4/ben-thuy/l01", "cienco4/ben-thuy/l02", "cienco4/north/l01", "other/ben-thuy/l01"];
    let run = RunFolder::temporary().unwrap();
    let users: Vec<_> = lanes.into_iter().map(lane_user).collect();
    let mut all = users.clone();
    all.push(BrokerUser::Centre);
    let broker = Broker::start(&run, &nats_server(), &all).unwrap();
    let centre = broker.connect(&BrokerUser::Centre).await.unwrap();
    let mut heard = centre.subscribe("etc.v1.>").await.unwrap();
    centre.flush().await.unwrap();
    for (own, user) in lanes.iter().zip(&users) {
        let key = broker.admit(user).unwrap();
        let mut connection = Heard::connect(&broker.link(user), &key).await;
        for other in lanes.iter().filter(|other| *other != own) {
            let (says, hears) = subjects_of(&lane(other));
            for to in &says {
                connection.assert_may_not_publish(to).await;
            }
            for from in &hears {
                connection.assert_may_not_hear(from).await;
            }
        }
        // What is its own passes; it is the first that anybody hears of this lane.
        connection.client.publish(subject::heartbeat(&lane(own)), "own".into()).await.unwrap();
        let message = timeout(SOON, heard.next()).await.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), subject::heartbeat(&lane(own)));
    }
}

#[tokio::test]
async fn a_lane_has_nothing_of_the_brokers_api_but_direct_gets() {
    let run = RunFolder::temporary().unwrap();
    let own = lane_user("cienco4/ben-thuy/l01");
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre, own.clone()]).unwrap();
    let centre = broker.connect(&BrokerUser::Centre).await.unwrap();
    let streams = jetstream(centre);
    ensure_streams(&streams).await.unwrap();
    let key = broker.admit(&own).unwrap();
    let mut connection = Heard::connect(&broker.link(&own), &key).await;
    for api in [
        "INFO",
        "STREAM.NAMES",
        "STREAM.INFO.PASSAGE",
        "STREAM.PURGE.LIST_SNAPSHOT",
        "STREAM.DELETE.PASSAGE",
        "STREAM.CREATE.MINE",
        "STREAM.MSG.GET.PASSAGE",
        "STREAM.MSG.DELETE.LIST_SNAPSHOT",
        "CONSUMER.CREATE.PASSAGE",
        "CONSUMER.CREATE.LIST_DELTA.mine.etc.v1.list.delta.*",
        "CONSUMER.DURABLE.CREATE.PASSAGE.mine",
        "CONSUMER.MSG.NEXT.PASSAGE.clearing-house",
        "DIRECT.GET.PASSAGE",
        "DIRECT.GET.RECEIPT",
        "DIRECT.GET.EVENT",
    ] {
        connection.assert_may_not_publish(&format!("$JS.API.{api}")).await;
    }
    for elsewhere in [
        "$SYS.REQ.SERVER.PING",
        "$SYS.REQ.CLAIMS.UPDATE",
        "etc.v1.list.delta.1",
        "etc.v1.list.snapshot.manifest",
        "etc.v1.entry.road",
        "_INBOX.somebody.else",
    ] {
        connection.assert_may_not_publish(elsewhere).await;
    }
    for from in [">", "etc.>", "$SYS.>", "$JS.>", "_INBOX.>", "etc.v1.passage.>", "etc.v1.event.>"]
    {
        connection.assert_may_not_hear(from).await;
    }
    // The streams are as they were, and what it may fetch it fetches.
    for stream in subject::STREAMS {
        streams.get_stream(stream.name).await.unwrap();
    }
    let record = async_nats::jetstream::message::PublishMessage::build().payload("delta".into());
    streams.send_publish("etc.v1.list.delta.1", record).await.unwrap().await.unwrap();
    let fetching = async_nats::jetstream::new(connection.client.clone());
    let deltas = fetching.get_stream_no_info("LIST_DELTA").await.unwrap();
    let delta = deltas.direct_get_last_for_subject("etc.v1.list.delta.1").await.unwrap();
    assert_eq!(delta.payload.as_ref(), b"delta");
}

/// A link made of the files of several.
fn mixed(of: &Link, change: impl FnOnce(&mut Link)) -> Link {
    let mut link = of.clone();
    change(&mut link);
    link
}

#[tokio::test]
async fn forged_strange_expired_and_missing_proofs_are_refused() {
    let own = lane_user("cienco4/ben-thuy/l01");
    let (run, elsewhere) = (RunFolder::temporary().unwrap(), RunFolder::temporary().unwrap());
    let broker = Broker::start(&run, &nats_server(), std::slice::from_ref(&own)).unwrap();
    let good = broker.link(&own);
    good.connect_now("good").await.unwrap();

    // Another authority's word for the same lane, as a forger would make it.
    let now = Clock::system().now();
    let forger = Authority::make(&elsewhere.join("authority"), now).unwrap();
    let folder = elsewhere.join("identity");
    let lanes = [lane("cienco4/ben-thuy/l01")];
    forger.issue_to_lanes(&lanes, now).unwrap().identity.write(&folder).unwrap();
    let forged = Link::of_folder(broker.url(), &folder);
    let forged_token =
        mixed(&good, |link| link.credentials_file.clone_from(&forged.credentials_file));
    assert!(forged_token.connect_now("forged token").await.is_err());
    let strange_certificate = mixed(&good, |link| {
        link.certificate_file.clone_from(&forged.certificate_file);
        link.certificate_key_file.clone_from(&forged.certificate_key_file);
    });
    assert!(strange_certificate.connect_now("strange certificate").await.is_err());
    // A broker that is not ours is not believed.
    let strange_broker = mixed(&good, |link| link.ca_file.clone_from(&forged.ca_file));
    assert!(strange_broker.connect_now("strange broker").await.is_err());

    // A certificate of ours whose time is over.
    let authority = Authority::open(broker.authority()).unwrap();
    let past = OffsetDateTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50);
    let over = Span { from: past, until: past + Duration::from_hours(24) };
    let expired = authority.certificates().client("cienco4/ben-thuy/l01", over).unwrap();
    std::fs::write(run.secret("expired.crt"), expired.certificate).unwrap();
    std::fs::write(run.secret("expired.key"), expired.key).unwrap();
    let expired = mixed(&good, |link| {
        link.certificate_file = run.secret("expired.crt");
        link.certificate_key_file = run.secret("expired.key");
    });
    assert!(expired.connect_now("expired").await.is_err());

    // A good credential and no certificate; and no secret line at all.
    let bare = ConnectOptions::with_credentials_file(&good.credentials_file).await.unwrap();
    let bare = bare.add_root_certificates(good.ca_file.clone());
    assert!(bare.connect(&good.url).await.is_err());
    let plain = ConnectOptions::with_credentials_file(&good.credentials_file).await.unwrap();
    assert!(plain.connect(good.url.replace("tls://", "nats://")).await.is_err());
    assert!(async_nats::connect(good.url.replace("tls://", "nats://")).await.is_err());
    // It was not the broker that was away.
    good.connect_now("good").await.unwrap();
}

fn moment() -> Moment {
    let now = Clock::system().now();
    Moment { run: now, real: now }
}

async fn enrol(
    office: &Office,
    broker: &Broker,
    lane: &LaneId,
    folder: &Path,
    again: Again,
) -> Result<Option<String>, credentials::CredentialError> {
    let authority = Authority::open(broker.authority()).unwrap();
    let lanes = std::slice::from_ref(lane);
    let what = Enrolment { lanes, folder, again, at: moment() };
    credentials::enrol(&office.pool, &authority, &broker.url(), &what).await
}

/// Waits until the connection has been closed and the broker has said why.
async fn thrown_out(connection: &mut Heard) {
    let out = async {
        loop {
            match connection.events.recv().await {
                Some(Event::Disconnected | Event::Closed) | None => return,
                Some(_) => {}
            }
        }
    };
    timeout(REVOKED_WITHIN, out).await.expect("an open connection outlives its credential");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_credential_is_worth_nothing_within_a_minute_also_where_it_is_in_use() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let users = [BrokerUser::Centre, BrokerUser::System];
    let broker = Broker::start(&run, &nats_server(), &users).unwrap();
    let (mine, neighbour) = (lane("cienco4/ben-thuy/l01"), lane("cienco4/ben-thuy/l02"));
    let folder = run.secret("l01");
    let refused = enrol(&office, &broker, &mine, &folder, Again::Refuse).await.unwrap_err();
    assert!(refused.to_string().contains("is enrolled since"), "{refused}");
    enrol(&office, &broker, &mine, &folder, Again::Replace).await.unwrap();
    enrol(&office, &broker, &neighbour, &run.secret("l02"), Again::Replace).await.unwrap();
    let unknown = lane("cienco4/ben-thuy/none");
    assert!(enrol(&office, &broker, &unknown, &run.secret("x"), Again::Refuse).await.is_err());

    let link = Link::of_folder(broker.url(), &folder);
    let mut open = Heard::connect(&link, "any").await;
    let stays = Link::of_folder(broker.url(), &run.secret("l02")).connect_now("l02").await.unwrap();
    let key = std::fs::read_to_string(credentials::key_file(&folder, &mine)).unwrap();
    let key = SecretKey::try_from_secret_text(&key).unwrap();
    let signature = key.sign(Context::Passage, b"a passage");
    // Whoever has the key can write any time he likes.
    let written_at = Some(Timestamp::UNIX_EPOCH);
    let signed = async |came_at| {
        let registry = Registry::load(&office.pool).await.unwrap();
        let when = SignedWhen { written_at, came_at };
        registry.signed_by_lane(&mine, when, Context::Passage, b"a passage", &signature)
    };
    assert!(signed(Clock::system().now()).await);

    let authority = Authority::open(broker.authority()).unwrap();
    let lanes = std::slice::from_ref(&mine);
    let token = credentials::revoke(&office.pool, &authority, lanes, moment()).await.unwrap();
    let system = broker.connect(&BrokerUser::System).await.unwrap();
    credentials::push(&system, &token.unwrap()).await.unwrap();
    thrown_out(&mut open).await;
    assert!(link.connect_now("stolen").await.is_err(), "a stolen credential was let in");
    assert!(!signed(Clock::system().now()).await, "its key still signs");
    stays.flush().await.unwrap();
    assert_eq!(stays.connection_state(), async_nats::connection::State::Connected);

    // A broker that was killed has not forgotten.
    broker.kill9();
    broker.restart().unwrap();
    assert!(link.connect_now("stolen").await.is_err(), "a restart let it in");
    enrol(&office, &broker, &mine, &folder, Again::Refuse).await.unwrap();
    link.connect_now("enrolled anew").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_away_at_the_revocation_is_told_when_it_is_back() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::System]).unwrap();
    let (mine, folder) = (lane("cienco4/ben-thuy/l01"), run.secret("l01"));
    enrol(&office, &broker, &mine, &folder, Again::Replace).await.unwrap();
    let link = Link::of_folder(broker.url(), &folder);
    link.connect_now("before").await.unwrap();
    broker.kill9();
    let authority = Authority::open(broker.authority()).unwrap();
    credentials::revoke(&office.pool, &authority, &[mine], moment()).await.unwrap();
    broker.restart().unwrap();
    let mut open = Heard::connect(&link, "any").await;

    let system = broker.connect(&BrokerUser::System).await.unwrap();
    let telling = tokio::spawn(credentials::keep_told(system, office.pool.clone()));
    thrown_out(&mut open).await;
    telling.abort();
    assert!(link.connect_now("stolen").await.is_err());
}

#[tokio::test]
async fn production_takes_no_passages_from_a_broker_that_could_lose_them() {
    let users = [BrokerUser::Centre, BrokerUser::System];
    let pass = async |stored: Stored, replicas: u8| {
        let run = RunFolder::temporary().unwrap();
        let broker = Broker::start_storing(&run, &nats_server(), &users, stored).unwrap();
        let streams = jetstream(broker.connect(&BrokerUser::Centre).await.unwrap());
        let system = broker.connect(&BrokerUser::System).await.unwrap();
        let unguarded = gate::pass(Some(Production { replicas }), None, &streams).await;
        assert!(matches!(unguarded, Err(GateError::NoSystemUser)));
        assert_eq!(
            gate::pass(None, None, &streams).await.unwrap(),
            1,
            "only production is guarded"
        );
        gate::pass(Some(Production { replicas }), Some(&system), &streams).await
    };
    assert_eq!(pass(Stored::BeforeItIsAcknowledged, 1).await.unwrap(), 1);
    let lazy = pass(Stored::WithinASecond, 1).await.unwrap_err().to_string();
    assert!(lazy.contains("sync_interval: always"), "{lazy}");
    let alone = pass(Stored::BeforeItIsAcknowledged, 3).await.unwrap_err().to_string();
    assert!(alone.contains("1 of 3 brokers"), "{alone}");
}
