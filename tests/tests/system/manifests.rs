//! Manifests: a lane's real journal, the broker and the books. What a lane wrote last and never sent
//! is missed; who is not the lane is not believed.

use std::time::Duration;

use async_nats::{HeaderMap, Request};
use clearing_house::intake::Delivery;
use clearing_house::manifests;
use domain::passage::{ClockQuality, Decision, LaneRole, Payment};
use domain::signature::{Context, SecretKey};
use domain::wire::v1::{DayManifest, LoopCounts, ManifestTurn, PassageSums, emit};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{Amount, Clock, LaneId, Timestamp};
use lane_controller::journal::Journal;
use lane_controller::lane::{PassageDraft, SavedLane};
use lane_controller::manifest::Teller;
use reconciliation::approval::{HoleDecision, HoleInLane, approve_hole, propose_hole};
use reconciliation::cases;
use reconciliation::settlement::{Outcome, Today, close_through};
use reconciliation::verify::verify;
use reconciliation::window::Window;
use simulator::demo::broker::BrokerUser;
use tests::intake::Intake;
use tests::lane::{key_of, vehicle};
use tests::office::{centre_key, noon};
use tokio::task::JoinHandle;

/// A few seconds after the end of 2 March in Viet Nam.
const AFTER: &str = "2026-03-02T17:00:05Z";
/// After the manifests of that day were due.
const OVERDUE: &str = "2026-03-03T00:00:00Z";
const TOLD: &str = "select count(*) from lane_manifest where day = '2026-03-02'";

fn lane() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

fn clock(at: &str) -> Clock {
    Clock::of_run(Some(Clock::anchor(at.parse().unwrap(), 1.0)))
}

/// Books, broker and the desk for manifests, and a lane with a journal of its own.
struct Station {
    intake: Intake,
    journal: Journal,
    _folder: tempfile::TempDir,
    desk: JoinHandle<()>,
}

impl Station {
    async fn open(now: &str) -> Self {
        let station = BrokerUser::Lanes(vec![lane()]);
        let intake = Intake::open(std::slice::from_ref(&station)).await;
        let (client, pool) = (intake.client.clone(), intake.office.pool.clone());
        let clock = clock(now);
        let desk = tokio::spawn(async move {
            let ended = manifests::serve(client, pool, centre_key(), clock).await;
            panic!("the desk closed: {ended:?}");
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l01.journal");
        let journal = Journal::open(&path, lane(), key_of(&lane()), 1, "first".into()).unwrap();
        let station = Self { intake, journal, _folder: folder, desk };
        // The desk is there when it answers; a refusal before that would prove nothing.
        while !station.ask(&key_of(&lane()), &lane(), &turn(None)).await {}
        station
    }

    /// Writes so many passages into the lane's journal, one each minute of the morning.
    fn drive(&mut self, passages: u8) {
        let morning: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        for number in 1..=passages {
            let car = vehicle(5 * (number % 9) + 5);
            let draft = PassageDraft {
                at: morning + Duration::from_secs(60 * u64::from(number)),
                clock: ClockQuality::Synchronised,
                uptime: Duration::from_secs(1),
                tag: Some(car.tag),
                plate: None,
                group: Some(car.group),
                list_version: 1,
                status_seen: None,
                tariff: None,
                entry: None,
                exception: None,
                decision: Decision::OpenedByTag,
                attendance: None,
                fare: Some(Amount::try_new(47_000).unwrap()),
                payment: Payment::Account,
            };
            let crossings = u64::from(number - 1);
            let counts = LoopCounts { crossings, between: 1, ..LoopCounts::default() };
            let saved = SavedLane { counts, ..SavedLane::default() };
            self.journal.append(LaneRole::Open, draft, &saved, 0).unwrap();
        }
    }

    /// Posts these records of the journal, as if they had come.
    async fn post(&self, first: u64, count: usize) {
        let records = self.journal.reader().unwrap().read(first, count).unwrap();
        let deliveries: Vec<Delivery> = records
            .into_iter()
            .map(|record| Delivery {
                subject: subject::passage(&lane()),
                message_id: Some(format!("{}:1:{}", lane(), record.seq)),
                signature: Some(record.signature.to_text()),
                payload: record.payload,
            })
            .collect();
        self.intake.office.books().await.post(&deliveries, noon()).await.unwrap();
    }

    /// Lets the lane tell its manifests, by its own right at the broker, until that of the day came.
    async fn tell(&self, now: &str) {
        self.tell_until(now, TOLD, 1).await;
    }

    /// The same, until the database counts so many.
    async fn tell_until(&self, now: &str, counted: &'static str, times: i64) {
        let client = self.intake.broker.connect(&BrokerUser::Lanes(vec![lane()])).await.unwrap();
        let teller = Teller {
            lane: lane(),
            epoch: 1,
            key: key_of(&lane()),
            centre: centre_key().public(),
            client,
            clock: clock(now),
            loops_count: true,
        };
        let telling = tokio::spawn(teller.run(self.journal.reader().unwrap()));
        self.intake.until(counted, times).await;
        telling.abort();
    }

    /// Closes 2 March of the lane's operator; why not, where it does not close.
    async fn close(&self, now: &str) -> Vec<String> {
        let clock = clock(now);
        let today = Today { clock: &clock, early_reason: None };
        let day = "2026-03-02".parse().unwrap();
        let pool = &self.intake.office.pool;
        let closes = close_through(pool, day, today, &centre_key()).await.unwrap();
        cases::open_of_closes(pool, &closes, clock.now()).await.unwrap();
        match &closes.iter().find(|close| close.day == day).unwrap().outcome {
            Outcome::Refused(why) => why.iter().map(ToString::to_string).collect(),
            Outcome::Closed { .. } | Outcome::ClosedBefore => Vec::new(),
        }
    }

    async fn cases(&self) -> Vec<String> {
        let sql = "select kind || ' ' || subject from settlement_case order by code";
        self.intake.office.texts(sql).await
    }

    async fn accept(&self, first_seq: u64, last_seq: u64, figures: &[&str]) {
        let window = Window::new("cienco4".parse().unwrap(), "2026-03-02".parse().unwrap());
        let hole = HoleInLane { lane: lane(), epoch: 1, first_seq, last_seq };
        let figures = figures.iter().map(ToString::to_string).collect();
        let decision = HoleDecision { hole, figures, reason: "the disk was lost".to_owned() };
        let (lan, minh) = ("lan".parse().unwrap(), "minh".parse().unwrap());
        let (pool, at) = (&self.intake.office.pool, AFTER.parse().unwrap());
        propose_hole(pool, &window, &decision, &lan, at).await.unwrap();
        approve_hole(pool, &window, &decision, &minh, at).await.unwrap();
    }

    async fn assert_proven(&self) {
        let verdict = verify(&self.intake.office.pool, &centre_key().public()).await.unwrap();
        assert!(verdict.ok, "{verdict}");
        let told = verdict.invariants.iter().find(|invariant| invariant.id == "I18").unwrap();
        assert!(told.checked > 0, "no manifest was looked at");
    }
}

const AWAITED: &str = "lane cienco4/ben-thuy/l01 epoch 1: its manifest is missing, and is due at \
                       2026-03-02T23:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lane_wrote_last_and_never_sent_keeps_the_day_open_until_it_is_here() {
    let mut station = Station::open(AFTER).await;
    station.drive(5);
    station.post(1, 3).await;
    // All that came is without a gap: without the lane's word the day would close.
    station.tell(AFTER).await;
    let tail = "lane cienco4/ben-thuy/l01 epoch 1: passages 4 to 5 never came";
    assert_eq!(station.close(AFTER).await, [tail]);
    assert_eq!(station.cases().await, ["hole cienco4/ben-thuy/l01:1:4"]);
    station.post(4, 2).await;
    assert_eq!(station.close(AFTER).await, [""; 0]);
    station.assert_proven().await;
    let agreed = "select verdict_of from manifest_verdict v join lane_manifest using (manifest)
                  where day = '2026-03-02' order by verdict";
    assert_eq!(station.intake.office.texts(agreed).await, ["short", "agrees"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_lost_is_given_up_by_two_people() {
    let mut station = Station::open(AFTER).await;
    station.drive(5);
    station.post(1, 3).await;
    station.tell(AFTER).await;
    station.accept(4, 5, &[]).await;
    assert_eq!(station.close(AFTER).await, [""; 0]);
    let verdict = verify(&station.intake.office.pool, &centre_key().public()).await.unwrap();
    assert!(verdict.ok, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_cannot_tell_holds_a_day_for_some_hours_and_is_a_case_then() {
    let mut station = Station::open("2026-02-01T12:00:00Z").await;
    station.drive(2);
    station.post(1, 2).await;
    // It takes turns: so its word is waited for.
    let turn = turn(None);
    assert!(station.ask(&key_of(&lane()), &lane(), &turn).await, "the desk answers");
    assert_eq!(station.close(AFTER).await, [AWAITED]);
    assert_eq!(station.close(OVERDUE).await, [""; 0]);
    let found = station.cases().await;
    assert_eq!(found, ["manifest-missing cienco4/ben-thuy/l01:1:2026-03-02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_has_forgotten_what_is_wanted_says_so_and_holds_no_day_up() {
    let mut station = Station::open(AFTER).await;
    station.drive(5);
    station.post(1, 5).await;
    station.journal.forget_some(3).unwrap();
    assert_eq!(station.close(AFTER).await, [AWAITED]);
    let kept = "select count(*) from manifest_forgotten";
    // More than the books have is not believed.
    let lie = ManifestTurn { forgotten_upto: Some(9), ..turn(None) };
    assert!(station.ask(&key_of(&lane()), &lane(), &lie).await);
    assert_eq!(station.intake.office.number(kept).await, 0);
    // The lane is asked for its first day of all, and for that matter for no other it could not tell.
    station.tell_until(AFTER, kept, 1).await;
    let what = "select upto_seq || ' ' || day from manifest_forgotten";
    assert_eq!(station.intake.office.texts(what).await, ["3 2026-03-02"]);
    assert_eq!(station.close(AFTER).await, [""; 0]);
    let named = "manifest-missing cienco4/ben-thuy/l01:1:forgotten 3";
    assert_eq!(station.cases().await, [named]);
    // What lies behind is told with the next day.
    let later = Station { desk: station.desk_at("2026-03-03T17:00:05Z"), ..station };
    let next = "select count(*) from lane_manifest where (day, first_seq, last_seq) = ('2026-03-03', 4, 5)";
    later.tell_until("2026-03-03T17:00:05Z", next, 1).await;
}

fn turn(manifest: Option<DayManifest>) -> ManifestTurn {
    let (v, epoch, at, forgotten_upto) = (1, 1, AFTER.parse().unwrap(), None);
    ManifestTurn { v, lane: lane(), epoch, at, manifest, forgotten_upto }
}

impl Station {
    /// Whether a turn that is signed by a key, and comes as a lane's, gets an answer.
    async fn ask(&self, key: &SecretKey, on: &LaneId, turn: &ManifestTurn) -> bool {
        let payload = emit(turn);
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, key.sign(Context::Manifest, &payload).to_text());
        let request = Request::new()
            .headers(headers)
            .payload(payload.into())
            .timeout(Some(Duration::from_millis(500)));
        self.intake.client.send_request(subject::manifest(on), request).await.is_ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_foreign_manifest_is_not_believed() {
    let mut station = Station::open("2026-02-01T17:00:05Z").await;
    station.drive(2);
    let manifest = |last_seq| DayManifest {
        day: "2026-02-01".parse().unwrap(),
        first_seq: 1,
        last_seq,
        head: domain::signature::Digest256::default(),
        sums: PassageSums { passages: last_seq, ..PassageSums::default() },
        loops: None,
    };
    let forged = turn(Some(manifest(0)));
    let other: LaneId = "cienco4/ben-thuy/l02".parse().unwrap();
    let stranger = SecretKey::from_seed(&[9; 32]);
    assert!(!station.ask(&stranger, &lane(), &forged).await, "signed by a stranger");
    assert!(!station.ask(&key_of(&lane()), &other, &forged).await, "on another lane's subject");
    assert!(!station.ask(&key_of(&other), &other, &forged).await, "of another lane");
    let unknown = ManifestTurn { epoch: 7, ..forged.clone() };
    assert!(!station.ask(&key_of(&lane()), &lane(), &unknown).await, "of no journal");
    // The lane's own, and not what was wanted: it is told what is.
    let mut odd = manifest(2);
    odd.sums.passages = 1;
    assert!(station.ask(&key_of(&lane()), &lane(), &turn(Some(odd))).await);
    assert_eq!(station.intake.office.number("select count(*) from lane_manifest").await, 0);
    assert!(station.ask(&key_of(&lane()), &lane(), &forged).await);
    assert_eq!(station.intake.office.number("select count(*) from lane_manifest").await, 1);
    // The broker lets no lane speak for another.
    let station_user = BrokerUser::Lanes(vec![lane()]);
    let client = station.intake.broker.connect(&station_user).await.unwrap();
    let payload = emit(&forged);
    let request = Request::new().payload(payload.into()).timeout(Some(Duration::from_millis(300)));
    assert!(client.send_request(subject::manifest(&other), request).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_that_differs_is_named_and_asked_for_again_and_loops_are_a_case() {
    let mut station = Station::open(AFTER).await;
    station.drive(3);
    station.post(1, 3).await;
    let (pool, number) = (&station.intake.office.pool, "select count(*) from lane_manifest");
    station.tell(AFTER).await;
    let told = station.intake.office.number(number).await;
    // What the lane told is replaced by one that counts a dong too much: as a faulty lane would.
    let payload: Vec<u8> = sqlx::query_scalar(
        "select payload from lane_manifest where day = '2026-03-02' order by manifest desc limit 1",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let mut faulty: ManifestTurn = serde_json::from_slice(&payload).unwrap();
    let manifest = faulty.manifest.as_mut().unwrap();
    manifest.sums.amount = manifest.sums.amount.plus(Amount::try_new(1).unwrap()).unwrap();
    let payload = emit(&faulty);
    let signature = key_of(&lane()).sign(Context::Manifest, &payload);
    sqlx::query(
        "insert into lane_manifest (lane, epoch, day, first_seq, last_seq, received_at, payload, signature)
         values ($1, 1, '2026-03-02', 1, 3, '2026-03-02T17:00:06Z', $2, $3)",
    )
    .bind(lane().to_string())
    .bind(&payload)
    .bind(signature.as_bytes().as_slice())
    .execute(pool)
    .await
    .unwrap();
    let differs = "lane cienco4/ben-thuy/l01 epoch 1: its manifest of passages 1 to 3 differs: \
                   the sum is 141.000 in the books, 141.001 at the lane";
    assert_eq!(station.close(AFTER).await, [differs]);
    assert_eq!(station.cases().await, ["manifest-differs cienco4/ben-thuy/l01:1:1"]);
    assert_eq!(station.intake.office.number(number).await, told + 1);
    // Numbers that two people gave up before are no word on a figure that differs under them.
    station.accept(1, 3, &[]).await;
    assert_eq!(station.close(AFTER).await, [differs]);
    // Asked again, the lane counts again, and this time rightly.
    let later = Station { desk: station.desk_at("2026-03-02T17:20:00Z"), ..station };
    later.tell_until("2026-03-02T17:20:00Z", TOLD, 3).await;
    assert_eq!(later.close("2026-03-02T17:21:00Z").await, [""; 0]);
    later.assert_proven().await;
}

impl Station {
    /// Another desk, whose clock shows a later time; the one before is closed.
    fn desk_at(&self, now: &str) -> JoinHandle<()> {
        self.desk.abort();
        let (client, pool) = (self.intake.client.clone(), self.intake.office.pool.clone());
        let clock = clock(now);
        tokio::spawn(async move {
            drop(manifests::serve(client, pool, centre_key(), clock).await);
        })
    }
}
