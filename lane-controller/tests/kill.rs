//! Real kills: a child process appends and acknowledges, and is killed with SIGKILL at a moment
//! that nobody chose; then the journal must have every acknowledged record and at most one more.
//!
//! 40 kills by default; `ETC_KILLS=500` for a longer run. The child is this same program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::Timestamp;
use domain::passage::{ClockQuality, Decision, LaneRole, Payment};
use domain::signature::{Digest256, SecretKey};
use lane_controller::journal::{Finding, Journal, Survey};
use lane_controller::lane::{PassageDraft, SavedLane};

const CHILD: &str = "ETC_KILL_CHILD";
/// So many kills does one journal live through.
const JOURNAL_OF: u64 = 25;

fn open(path: &Path) -> Journal {
    let lane = "cienco4/ben-thuy/l01".parse().expect("a lane");
    Journal::open(path, lane, SecretKey::from_seed(&[1; 32]), 1, "boot".into())
        .expect("what a kill leaves behind opens")
}

fn draft(number: u64) -> PassageDraft {
    PassageDraft {
        at: Timestamp::UNIX_EPOCH,
        clock: ClockQuality::Synchronised,
        uptime: Duration::from_millis(number),
        tag: None,
        plate: None,
        group: None,
        list_version: number,
        status_seen: None,
        tariff: None,
        entry: None,
        exception: None,
        decision: Decision::OpenedByTag,
        attendance: None,
        fare: None,
        payment: Payment::Account,
    }
}

/// Not a test by itself: what the child does, until it is killed.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let path = Path::new(&path);
    let mut journal = open(path);
    let reader = journal.reader().expect("a reader");
    let mut acknowledge = std::io::stdout();
    for number in 0.. {
        let id = journal
            .append(LaneRole::Open, draft(number), &SavedLane::default(), 0)
            .expect("a passage is written");
        let seq = id.seq.get();
        let record = reader.read(seq, 1).expect("what was written is read").remove(0);
        writeln!(acknowledge, "ack {seq} {}", Digest256::of(&record.payload)).expect("a parent");
        if number % 16 == 7 {
            journal.checkpoint().expect("a checkpoint");
        }
    }
}

#[test]
fn killed_at_any_moment_a_process_leaves_every_acknowledged_record_and_at_most_one_more() {
    let kills: u64 = std::env::var("ETC_KILLS").map_or(40, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut path = folder.path().join("l01.journal");
    let mut acknowledged: Vec<Digest256> = Vec::new();
    let mut chance: u64 = 0x5EED;
    let mut records = 0;
    for kill in 0..kills {
        // Every record is proved after every kill: a journal does not live through all of them.
        if kill % JOURNAL_OF == 0 {
            path = folder.path().join(format!("l{kill:06}.journal"));
            records += acknowledged.len();
            acknowledged.clear();
        }
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("its words")).lines();
        let mut taken = Vec::new();
        let mut take = |line: String| {
            // The harness writes before the first word, on the same line.
            if let Some((_, ack)) = line.split_once("ack ") {
                let (seq, digest) = ack.split_once(' ').expect("number and digest");
                let digest: Digest256 = digest.to_owned().try_into().expect("a digest");
                taken.push((seq.parse::<u64>().expect("a number"), digest));
            }
        };
        for _ in 0..(chance >> 33) % 24 {
            take(lines.next().expect("the child goes on").expect("its words"));
        }
        // Somewhere within a write, not just behind one.
        std::thread::park_timeout(Duration::from_micros((chance >> 40) % 1_500));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        // What it said before it died counts; the last line may be cut off.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.into_iter().filter(|line| line.len() >= 64 + 4).for_each(&mut take);
        let before = acknowledged.len();
        for (seq, digest) in taken {
            assert_eq!(seq, u64::try_from(acknowledged.len()).expect("few") + 1, "kill {kill}");
            acknowledged.push(digest);
        }
        let found = survivors(&path);
        assert_eq!(found[..acknowledged.len()], acknowledged[..], "kill {kill}: a loss");
        let extra = found.len() - acknowledged.len();
        assert!(extra <= 1, "kill {kill}: {extra} phantoms after {before}");
        acknowledged = found;
        // Whoever comes next opens it for writing, too.
        drop(open(&path));
    }
    records += acknowledged.len();
    assert!(records as u64 > kills, "{records} records only");
}

/// What is in the journal, proved with the lane's key.
fn survivors(path: &Path) -> Vec<Digest256> {
    let Ok(survey) = Survey::open(path) else { return Vec::new() };
    let key = SecretKey::from_seed(&[1; 32]).public();
    survey
        .walk(1, Some(key))
        .map(|found| match found.finding {
            Finding::Whole { digest, .. } => digest,
            other => panic!("sequence {}: {other:?}", found.seq),
        })
        .collect()
}
