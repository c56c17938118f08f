//! An event at a lane until it is on the desk: published at the broker, taken by `console run` at a
//! station, and received as a server-sent event by somebody who has the station's page open.
//!
//! Everything between is real: `nats-server` as it is deployed, the console's program with the
//! credential of one station, a session behind a password, one page held open as a browser holds it.
//! Forty lanes are busy meanwhile: a heartbeat each second and a vehicle every four, with its events.
//!
//! Deliberately absent: the lane's own time (see `lane`), and what a browser takes to draw.

mod page;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::Client;
use domain::signature::Digest256;
use domain::wire::subject;
use domain::wire::v1::{
    DecisionRecord, EventKind, ExceptionRecord, Heartbeat, LaneEvent, ReaderHealth, emit,
};
use domain::{Amount, Clock, LaneId, OperatorId, StationId};
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::process::{Recipe, Supervised};
use simulator::demo::run_folder::RunFolder;

use self::page::OpenPage;
use crate::Failed;
use crate::arguments::Extent;
use crate::latency::Latency;
use crate::report::Report;

const OURS: &str = "**ours** (console at a station)";
const LANES: u64 = 40;
/// How often a lane's vehicle comes.
const VEHICLE_EVERY: Duration = Duration::from_secs(4);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// How far apart the events are that are measured; no multiple of any other pace here.
const MEASURED_EVERY: Duration = Duration::from_millis(137);
/// How long an event may take before it counts as lost.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// What this is to take at most.
const BUDGET_P99: Duration = Duration::from_millis(300);
/// How long the console may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(15);
const PERSON: &str = "lan";
const PASSWORD: &str = "correct horse battery";

/// Measures how long calls and passages take to the desk.
///
/// # Errors
/// When a program does not start, or an event never comes.
pub fn measure(extent: Extent) -> Result<Report, Failed> {
    let mut report = Report::new("desk");
    let run = RunFolder::temporary()?;
    let own = BrokerUser::StationConsole("cienco4".parse()?, "ben-thuy".parse()?);
    let users = [BrokerUser::Centre, own.clone()];
    let broker = Broker::start(&run, &crate::programs::nats_server()?, &users)?;
    let (console, address) = start_console(&run, &broker, &own)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure_all(&mut report, extent, &broker, &address))?;
    drop(console);
    report.note(format!(
        "{LANES} lanes busy (a heartbeat a second and a vehicle every {} s each); one page open; \
         broker, console, lanes and page share the machine. A page is told at most ten times a \
         second, which alone is up to 100 ms.",
        VEHICLE_EVERY.as_secs()
    ));
    Ok(report)
}

/// The console's program, built beside this one.
fn console_program() -> Result<PathBuf, Failed> {
    let here = std::env::current_exe()?;
    let program = here.ancestors().nth(2).ok_or("this program lies in no folder")?.join("console");
    if program.is_file() {
        return Ok(program);
    }
    Err(format!("{} is not there: cargo build --release -p console", program.display()).into())
}

fn start_console(
    run: &RunFolder,
    broker: &Broker,
    own: &BrokerUser,
) -> Result<(Supervised, String), Failed> {
    let program = console_program()?;
    let (people, key) = (run.join("people"), run.join("people.key"));
    let password = run.join("password");
    std::fs::write(&password, PASSWORD)?;
    let tool = || {
        let recipe = Recipe::new("console-people", &program, run).arg("people");
        recipe.arg("--file").arg(&people).arg("--key").arg(&key)
    };
    let people_key = tool().arg("init").run_to_end()?;
    let add = tool().arg("add").arg(PERSON).arg("--full-name").arg("Lan");
    let add = add.arg("--role").arg("station-operator").arg("--scope").arg("cienco4/ben-thuy");
    add.arg("--password-file").arg(&password).run_to_end()?;
    let desk = run.join("desk.key");
    Recipe::new("console-key", &program, run).arg("desk-key").arg(&desk).run_to_end()?;
    let address = format!("127.0.0.1:{}", simulator::demo::ports::free_port()?);
    let mut link = toml::Table::new();
    link.insert("broker".to_owned(), toml::Value::try_from(broker.link(own))?);
    let text = format!(
        "{}\n[http]\nlisten = \"{address}\"\nbehind_tls = false\n\
         [access]\npeople_file = \"{}\"\n{people_key}\
         [audit]\nfile = \"{}\"\n[desk]\nkey_file = \"{}\"\n\
         [station]\noperator = \"cienco4\"\nstation = \"ben-thuy\"\noperator_name = \"Cienco4\"\n\
         station_name = \"Ben Thuy\"\nzone = \"Asia/Ho_Chi_Minh\"\ncurrency = \"VND\"\n",
        toml::to_string(&link)?,
        people.display(),
        run.join("audit.log").display(),
        desk.display(),
    );
    let config = run.join("console.toml");
    std::fs::write(&config, text)?;
    let recipe = Recipe::new("console", &program, run).arg("--config").arg(&config).arg("run");
    let console = Supervised::start(recipe)?;
    console.wait_until(UP_WITHIN, |_| std::net::TcpStream::connect(&address).is_ok())?;
    Ok((console, address))
}

async fn measure_all(
    report: &mut Report,
    extent: Extent,
    broker: &Broker,
    address: &str,
) -> Result<(), Failed> {
    let clock = Clock::system();
    let client = broker.connect(&BrokerUser::Centre).await?;
    let mut busy = tokio::task::JoinSet::new();
    let began = clock.real();
    for number in 1..=LANES {
        busy.spawn(live(client.clone(), lane(number)?, offset(number), began, clock));
    }
    let mut page = OpenPage::open(address, PERSON, PASSWORD).await?;
    // The last lane's card is there when all lanes have been heard of.
    page.shows(&format!("lane-cienco4.ben-thuy.l{LANES}"), SEEN_WITHIN).await?;
    let samples = extent.pick(200, 2_000);
    let (mut calls, mut passages) = (Latency::try_new()?, Latency::try_new()?);
    let mut pace = tokio::time::interval(MEASURED_EVERY);
    for nth in 1..=samples {
        pace.tick().await;
        let lane = lane_between_vehicles(clock.real().duration_since(began))?;
        let number = 1_000 + nth;
        let needle = format!("call-cienco4.ben-thuy.{}-{number}-", lane.lane());
        let raised = EventKind::CallRaised {
            call: number,
            exception: ExceptionRecord::NoTag,
            tag: None,
            fare: None,
        };
        calls.record(seen(&client, &mut page, (&lane, raised), &needle, clock).await?);
        tell(&client, &lane, EventKind::CallEnded { call: number }, clock).await?;
        // A fare that nobody else owes, as the page writes it.
        pace.tick().await;
        let lane = lane_between_vehicles(clock.real().duration_since(began))?;
        let fare = i64::try_from(1_000_000 + nth * 1_001)?;
        let written = fare.to_string();
        let needle = format!("{},{},{}", &written[..1], &written[1..4], &written[4..]);
        let passage = passed(nth, fare)?;
        passages.record(seen(&client, &mut page, (&lane, passage), &needle, clock).await?);
    }
    busy.shutdown().await;
    report.latency(OURS, "call raised until the desk has it", &calls);
    report.latency(OURS, "passage until its lane's card has it", &passages);
    let budget_us = BUDGET_P99.as_secs_f64() * 1e6;
    report.ratio("call, p99 / budget of 300 ms", calls.micros_at(0.99) / budget_us);
    report.ratio("passage, p99 / budget of 300 ms", passages.micros_at(0.99) / budget_us);
    Ok(())
}

fn lane(number: u64) -> Result<LaneId, Failed> {
    let (operator, station): (OperatorId, StationId) = ("cienco4".parse()?, "ben-thuy".parse()?);
    Ok(LaneId::try_new(operator, station, &format!("l{number:02}"))?)
}

/// When a lane's first vehicle comes: lanes do not work in step.
fn offset(number: u64) -> Duration {
    VEHICLE_EVERY.mul_f64(crate::report::count(number) / crate::report::count(LANES))
}

/// The lane whose last vehicle is as long ago as its next is away. A card shows its lane's last
/// passage only: one that another follows within the page's tenth of a second is never drawn.
fn lane_between_vehicles(since_began: Duration) -> Result<LaneId, Failed> {
    let halfway = since_began + VEHICLE_EVERY / 2;
    let into = halfway.as_millis() % VEHICLE_EVERY.as_millis();
    let number = into * u128::from(LANES) / VEHICLE_EVERY.as_millis();
    lane(u64::try_from(number)?.max(1))
}

fn passed(seq: u64, fare: i64) -> Result<EventKind, Failed> {
    Ok(EventKind::PassageRecorded {
        epoch: 1,
        seq,
        decision: DecisionRecord::OpenedByTag,
        group: None,
        fare: Some(Amount::try_new(fare)?),
        read_to_decision_us: None,
    })
}

async fn tell(client: &Client, lane: &LaneId, kind: EventKind, clock: Clock) -> Result<(), Failed> {
    let event = LaneEvent { v: 1, lane: lane.clone(), at: clock.now(), kind };
    client.publish(subject::event(lane), emit(&event).into()).await?;
    Ok(client.flush().await?)
}

/// How long an event takes from its publishing until the page has been sent what shows it.
async fn seen(
    client: &Client,
    page: &mut OpenPage,
    (lane, kind): (&LaneId, EventKind),
    needle: &str,
    clock: Clock,
) -> Result<Duration, Failed> {
    let began: Instant = clock.real();
    tell(client, lane, kind, clock).await?;
    page.shows(needle, SEEN_WITHIN).await?;
    Ok(clock.real().duration_since(began))
}

/// A lane at work, until it is stopped.
async fn live(
    client: Client,
    lane: LaneId,
    offset: Duration,
    began: Instant,
    clock: Clock,
) -> Result<(), Failed> {
    let start = tokio::time::Instant::from_std(began);
    let mut beat = tokio::time::interval_at(start + offset / 4, HEARTBEAT_EVERY);
    let mut vehicle = tokio::time::interval_at(start + offset, VEHICLE_EVERY);
    let mut seq = 0;
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let heartbeat = heartbeat(&lane, seq, clock);
                client.publish(subject::heartbeat(&lane), emit(&heartbeat).into()).await?;
            }
            _ = vehicle.tick() => {
                seq += 1;
                let kinds = [
                    EventKind::VehicleArrived { queue: 1 },
                    passed(seq, 47_000)?,
                    EventKind::Opened { read_to_open_us: None },
                    EventKind::VehicleLeft { queue: 0 },
                ];
                for kind in kinds {
                    tell(&client, &lane, kind, clock).await?;
                }
            }
        }
    }
}

fn heartbeat(lane: &LaneId, last_seq: u64, clock: Clock) -> Heartbeat {
    Heartbeat {
        v: 1,
        lane: lane.clone(),
        at: clock.now(),
        epoch: 1,
        last_seq,
        posted_upto: last_seq,
        list_version: 3,
        list_hash: Digest256::of(b"list"),
        reader: ReaderHealth::Reading,
        field_io: true,
        queue: 0,
        // A lane that has none takes back the calls it told of before.
        calls: 1,
        arm_up: Some(false),
        unwritten: None,
        degraded: Vec::new(),
        vitals: None,
    }
}
