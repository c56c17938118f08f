//! The demo as a newcomer starts it: made-up vehicles, recorded ones, and with servers killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use simulator::truth::{How, TruthLine};
use tests::comparison::assert_books_follow_from;
use tests::demo::Demo;
use tests::programs::repository;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn sum_of(report: &Value, list: &str, field: &str) -> u64 {
    report[list].as_array().unwrap().iter().map(|line| number(&line[field])).sum()
}

/// The report says what the books and the truth say, and has everything that is promised.
fn assert_report(report: &Value, truth: &[TruthLine]) {
    assert_eq!(report["problems"], serde_json::json!([]));
    for (part, fields) in [
        ("ledger", &["entries", "sum", "accounts_checked", "mismatches"][..]),
        ("latency_us", &["read_to_decision", "read_to_open", "read_to_posted"]),
        ("connect", &["postgres_url", "nats_url", "console_url"]),
    ] {
        for field in fields {
            assert!(!report[part][field].is_null(), "{part}.{field} is missing");
        }
    }
    for of in ["read_to_decision", "read_to_open", "read_to_posted"] {
        for field in ["p50", "p99", "p999", "max", "n"] {
            assert!(report["latency_us"][of][field].is_u64(), "latency_us.{of}.{field}");
        }
        assert!(number(&report["latency_us"][of]["n"]) > 0, "{of} was never measured");
    }
    assert_eq!((&report["ledger"]["sum"], &report["ledger"]["mismatches"]), (&0.into(), &0.into()));
    let through = truth.iter().filter(|line| line.how != How::TurnedAway).count() as u64;
    let away = truth.len() as u64 - through;
    assert_eq!(sum_of(report, "lanes", "posted"), through);
    assert_eq!(sum_of(report, "lanes", "rejected"), away);
    assert_eq!(sum_of(report, "lanes", "pending"), 0);
    for lane in report["lanes"].as_array().unwrap() {
        let accounted = number(&lane["posted"]) + number(&lane["rejected"]);
        assert_eq!(accounted, number(&lane["last_seq"]), "{lane}");
    }
    let mut fares: BTreeMap<&str, i64> = BTreeMap::new();
    for line in truth {
        *fares.entry(line.operator.as_str()).or_default() += line.fare_vnd.minor_units();
    }
    let tolls: BTreeMap<&str, i64> = report["tolls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|toll| (toll["operator"].as_str().unwrap(), toll["amount_vnd"].as_i64().unwrap()))
        .collect();
    assert_eq!(tolls, fares);
    let days = report["settlement"].as_array().unwrap();
    assert!(!days.is_empty() && days.iter().all(|day| day["state"] == "closed"), "{days:?}");
}

/// Compares the books of a held run with its truth, and ends it.
fn assert_well(mut demo: Demo) -> (Value, Vec<TruthLine>) {
    let report = demo.report();
    let truth = demo.truth();
    // Line by line first: it tells more than sums do.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = report["connect"]["postgres_url"].as_str().unwrap();
        let books = sqlx::PgPool::connect(url).await.unwrap();
        assert_books_follow_from(&truth, &books).await;
        books.close().await;
    });
    assert_report(&report, &truth);
    demo.end();
    (report, truth)
}

#[test]
fn every_crossing_is_in_the_books_once_also_with_the_usual_ports_taken() {
    let demo = Demo::start(&["--vehicles", "150", "--seed", "7"]);
    let (report, truth) = assert_well(demo);
    assert_eq!(report["vehicles"], 150);
    assert_eq!(report["restarts"], serde_json::json!({}));
    let vehicles: std::collections::BTreeSet<u64> = truth.iter().map(|line| line.vehicle).collect();
    assert_eq!(vehicles.len(), 150, "every vehicle is in the truth");
    assert!(report["exceptions"].as_object().is_some_and(|kinds| kinds.len() > 1), "{report}");
}

#[test]
fn kill_9_of_lanes_centre_and_broker_loses_nothing_and_doubles_nothing() {
    let mut demo = Demo::start(&["--vehicles", "150", "--seed", "8"]);
    let victims = ["lane-controller-cienco4-ben-thuy", "clearing-house", "nats-server"];
    for (lines, victim) in [40, 80, 120].into_iter().zip(victims) {
        demo.wait_for_truth(lines);
        demo.kill9(victim);
        let then = demo.truth().len();
        assert!(then < 200, "{victim} was killed in the middle of the run, not at line {then}");
    }
    let (report, _) = assert_well(demo);
    assert_eq!(report["vehicles"], 150);
    for victim in victims {
        assert_eq!(report["restarts"][victim], 1, "{victim}");
    }
}

const HEADER: &str = "time,tollgate_id,direction,vehicle_model,has_etc,vehicle_type";

/// Writes a recording, gzipped, and replays it.
fn replay(rows: &[String]) -> (Value, Vec<TruthLine>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passes.csv.gz");
    let mut file = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    writeln!(file, "{HEADER}\n{}", rows.join("\n")).unwrap();
    file.finish().unwrap();
    let mut demo = Demo::start(&["--traffic", path.to_str().unwrap()]);
    let report = demo.report();
    let screen = demo.screen();
    let (_, truth) = assert_well(demo);
    (report, truth, screen)
}

/// Each row with a tag is posted once by it, each other is an exception with an outcome.
fn assert_replayed(report: &Value, truth: &[TruthLine], with_tag: usize, without: usize) {
    assert_eq!(report["vehicles"], with_tag + without);
    let of = |how| truth.iter().filter(|line| line.how == how).count();
    assert_eq!(of(How::Tag), with_tag);
    assert_eq!(truth.len(), with_tag + without);
    let exceptions: u64 = report["exceptions"].as_object().unwrap().values().map(number).sum();
    assert_eq!(exceptions, without as u64);
}

#[test]
fn a_recording_is_replayed_row_by_row_and_bad_rows_are_told_and_skipped() {
    let mut rows: Vec<String> = (0..60_u32)
        .map(|n| {
            let (minute, second) = (n / 10, n % 10 * 6);
            let (gate, direction, model) = (n % 3 + 1, n / 3 % 2, n % 8);
            let has_tag = u32::from(n % 4 != 0);
            format!("2016-10-18 08:{minute:02}:{second:02},{gate},{direction},{model},{has_tag},")
        })
        .collect();
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    rows.insert(20, "2016-10-18 25:00:00,1,0,1,1,".to_owned());
    rows.insert(30, "2016-10-18 08:00:00,1,7,1,1,".to_owned());
    rows.insert(40, "2016-10-18 08:00:00,1,0".to_owned());
    let (report, truth, screen) = replay(&rows);
    assert_replayed(&report, &truth, 45, 15);
    assert_eq!(report["traffic"], serde_json::json!({"rows": 60, "bad_rows": 3}));
    for told in ["line 22: time", "line 32: direction", "line 42: 3 fields"] {
        assert!(screen.contains(told), "{told:?} is not in:\n{screen}");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that did not look at anything says so")]
fn the_real_week_goes_through_the_lanes() {
    let path = repository("../shared/data/tollgate-passes-2016-10-18_24.csv.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: the recorded week is not beside this checkout");
        return;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines().map(Result::unwrap);
    // From eight in the morning of the first day, when it is busy.
    let mut rows: Vec<String> = lines.filter(|line| line.starts_with("2016-10-18 08:")).collect();
    rows.sort();
    rows.truncate(300);
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    let with_tag = rows.iter().filter(|row| row.split(',').nth(4) == Some("1")).count();
    assert_eq!(rows.len(), 300);
    let (report, truth, _) = replay(&rows);
    assert_replayed(&report, &truth, with_tag, rows.len() - with_tag);
}
