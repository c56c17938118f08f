use clap::Parser;
use domain::passage::LaneRole;
use domain::signature::{Context, SecretKey};

use super::*;
use crate::journal::tests::{draft, open};
use crate::lane::SavedLane;

const TAG: &str = "3416214B88C0011762000493";

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: JournalCommand,
}

/// Runs a command on a journal of three records after some damage; its output, and how it ended.
fn look(damage: &str, arguments: &str) -> (String, Result<(), LookError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = open(&path).unwrap();
    for minute in 0..3 {
        journal.append(LaneRole::Open, draft(minute), &SavedLane::default(), 0).unwrap();
    }
    rusqlite::Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    // The lane goes on running meanwhile.
    let file = format!("--file={}", path.display());
    let words = ["journal"].into_iter().chain(arguments.split_whitespace()).chain([file.as_str()]);
    let command = Cli::try_parse_from(words).unwrap().command;
    let mut out = Vec::new();
    let done = run(&command, &mut out);
    drop(journal);
    (String::from_utf8(out).unwrap(), done)
}

fn key() -> String {
    String::from(SecretKey::from_seed(&[1; 32]).public())
}

#[test]
fn a_whole_journal_verifies_beside_the_lane_that_writes_it() {
    let (text, done) = look("", &format!("verify --public-key={}", key()));
    done.unwrap();
    assert_eq!(
        text,
        "cienco4/ben-thuy/l01, epoch 1: 3 sequences, 0 broken, signatures checked, \
         0 episodes without the disk\n"
    );
}

#[test]
fn the_first_break_is_named_and_is_a_failure() {
    let other = String::from(SecretKey::from_seed(&[2; 32]).public());
    for (damage, arguments, seq, expected) in [
        ("delete from record where seq = 2", "verify".to_owned(), 2, "it is missing"),
        ("delete from record where seq = 3", "verify".to_owned(), 3, "it is missing"),
        (
            "update record set signature = zeroblob(64) where seq = 3",
            "verify".to_owned(),
            3,
            "its check sum is another",
        ),
        ("", format!("verify --public-key={other}"), 1, "its signature is not this lane's"),
    ] {
        let (_, done) = look(damage, &arguments);
        match done {
            Err(LookError::Broken { first, why, .. }) => assert_eq!((first, why), (seq, expected)),
            other => panic!("{damage}: {other:?}"),
        }
    }
    let (text, done) = look("delete from record where seq = 2", "verify --json");
    done.unwrap_err();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["first_break"], json!({"seq": 2, "why": "it is missing"}));
}

#[test]
fn tags_are_masked_unless_they_are_asked_for() {
    for arguments in ["ls", "ls --json", "show 2", "show 2 --json", "export"] {
        let (text, done) = look("", arguments);
        done.unwrap();
        assert!(!text.contains(TAG), "{arguments}: {text}");
        assert!(text.contains("…0493"), "{arguments}: {text}");
        let (text, _) = look("", &format!("{arguments} --clear"));
        assert!(text.contains(TAG), "{arguments}: {text}");
    }
}

#[test]
fn what_is_around_damage_is_exported_as_it_was_signed() {
    let (text, done) =
        look("update record set digest = zeroblob(32) where seq = 2", "export --clear");
    done.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whole: Vec<bool> = lines.iter().map(|line| line["whole"].as_bool().unwrap()).collect();
    assert_eq!(whole, [true, false, true]);
    for line in lines {
        let payload = line["payload"].as_str().unwrap();
        let signature =
            Signature::try_from(line["signature"].as_str().unwrap().to_owned()).unwrap();
        let public = SecretKey::from_seed(&[1; 32]).public();
        public.verify(Context::Passage, payload.as_bytes(), &signature).unwrap();
    }
}

#[test]
fn a_record_that_is_not_there_is_a_failure() {
    assert!(matches!(look("", "show 9").1, Err(LookError::NoSuch { seq: 9 })));
}
