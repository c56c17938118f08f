use std::collections::HashSet;

use broker_authority::{Authority, Part};
use domain::wire::field_io::{Counter, Output, address};
use rfid_driver::supervisor::{Reader, ReaderConfig, ReaderEvent};
use tokio_modbus::client::{Reader as _, Writer as _, tcp};

use super::*;
use crate::population::{Means, Population};
use crate::truth::{How, TruthLine};

const SPEED: f64 = 100.0;

/// A controller that opens for a vehicle on the presence loop once it has read a tag, and lowers
/// the arm once as many have left as came.
async fn control(station: StationDevices, reads: Arc<Mutex<HashSet<Vec<u8>>>>) {
    let _readers: Vec<Reader> = station
        .lanes
        .iter()
        .map(|lane| {
            let reads = Arc::clone(&reads);
            let config = ReaderConfig { time_scale: SPEED, ..ReaderConfig::new(&lane.reader) };
            Reader::spawn(config, move |event| {
                if let ReaderEvent::Tag(read) = event {
                    lock(&reads).insert(read.epc.as_bytes().to_vec());
                }
            })
            .unwrap()
        })
        .collect();
    let mut io = tcp::connect(station.field_io).await.unwrap();
    let mut came = vec![0; station.lanes.len()];
    let mut left = vec![0; station.lanes.len()];
    loop {
        for lane in &station.lanes {
            let index = lane.field_io_index;
            let counters = io.read_input_registers(address(index, 0), 4).await.unwrap().unwrap();
            let (rises, falls) =
                (counters[Counter::PresenceRise as usize], counters[Counter::SafetyFall as usize]);
            let at = usize::from(index);
            if falls != left[at] && falls == came[at] {
                let close = address(index, Output::Close as u16);
                io.write_single_coil(close, true).await.unwrap().unwrap();
            }
            if rises != came[at] {
                let open = address(index, Output::Open as u16);
                io.write_single_coil(open, true).await.unwrap().unwrap();
            }
            (came[at], left[at]) = (rises, falls);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn tagged_only(count: usize, clock: &Clock) -> (Network, Plan) {
    let network = Network::viet_nam().unwrap();
    let mut plan = (0..)
        .map(|seed| (Population::of_seed(count, seed, clock.now()), seed))
        .find(|(population, _)| population.vehicles().iter().all(|v| v.means == Means::Tag))
        .map(|(population, seed)| Plan::of_population(&network, population, seed).unwrap())
        .unwrap();
    for leg in plan.journeys.iter_mut().flat_map(|journey| &mut journey.legs) {
        leg.drive = leg.drive.min(Duration::from_secs(60));
    }
    (network, plan)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vehicles_with_tags_drive_through_real_wires_without_a_broker() {
    let folder = tempfile::tempdir().unwrap();
    let run = "2026-11-21T01:00:00Z".parse().unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(run, SPEED)));
    let (network, plan) = tagged_only(6, &clock);
    let truth = folder.path().join("truth.ndjson");
    let readable: HashSet<Vec<u8>> = plan
        .journeys
        .iter()
        .filter(|journey| journey.legs.iter().any(|leg| leg.tag == crate::plan::TagReadable::Yes))
        .filter_map(|journey| plan.population.vehicle(journey.vehicle).tag.as_ref())
        .map(|tag| tag.as_bytes().to_vec())
        .collect();
    let identity = folder.path().join("identity");
    let authority = Authority::make(&folder.path().join("authority"), run).unwrap();
    authority.issue_to(&Part::Simulator, run).unwrap().identity.write(&identity).unwrap();
    let plaza = Plaza::start(PlazaSetup {
        network,
        plan,
        clock,
        seed: 7,
        devices_folder: folder.path().join("devices"),
        // The discard port: nobody listens, and a plaza does not mind.
        broker: Link::of_folder("tls://127.0.0.1:9", &identity),
        desk: SecretKey::from_seed(&[3; 32]),
        truth: truth.clone(),
        fittings: Fittings::Alike,
    })
    .await
    .unwrap();
    let reads = Arc::new(Mutex::new(HashSet::new()));
    let mut controllers = JoinSet::new();
    for station in plaza.devices() {
        controllers.spawn(control(station.clone(), Arc::clone(&reads)));
    }
    assert_eq!(plaza.progress().arrived, 0, "nobody comes before the beginning");
    plaza.begin();
    tokio::time::timeout(Duration::from_secs(120), plaza.finished()).await.unwrap().unwrap();

    let progress = plaza.progress();
    assert_eq!((progress.vehicles_done, progress.crossed, progress.struck), (6, 9, 0));
    let text = std::fs::read_to_string(&truth).unwrap();
    let lines: Vec<TruthLine> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 9);
    assert!(lines.iter().all(|line| line.how == How::Tag));
    assert_eq!(lines.iter().filter(|line| !line.fare_vnd.is_zero()).count(), 6);
    assert_eq!(*lock(&reads), readable, "every tag came over the wire");
    let reader = plaza.devices()[0].lanes[0].reader.clone();
    assert!(reader.exists());
    drop(plaza);
    assert!(!reader.exists(), "a plaza that is gone leaves no ports behind");
}
