//! Files of partners in the books: taken once and whole, or refused with nothing changed; numbered,
//! answered and sent again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::{env, fs};

use domain::{Clock, Timestamp};
use reconciliation::partner::examine::Figures;
use reconciliation::partner::exchange::code::Code;
use reconciliation::partner::exchange::export::{Parcel, due, export, gaps, note};
use reconciliation::partner::exchange::import::{Arrival, Imported, acknowledgement, import};
use reconciliation::partner::exchange::received::SizeGuard;
use reconciliation::partner::exchange::sent::{Action, Event};
use reconciliation::partner::file::Writer;
use reconciliation::partner::iag::layout::ICRX;
use reconciliation::partner::name::name_of;
use serde_json::json;
use tempfile::TempDir;
use tests::office::{Office, centre_key, noon};
use tests::programs::{built, repository};

fn example(name: &str) -> PathBuf {
    repository("reconciliation/src/partner/examples").join(name)
}

fn arrival(path: &Path) -> Arrival {
    Arrival {
        path: path.to_owned(),
        partner: None,
        records: None,
        uncounted: false,
        guard: SizeGuard::default(),
        own: None,
    }
}

async fn take(office: &Office, path: &Path) -> Imported {
    import(&office.pool, &arrival(path), noon(), &mut |_, _| ()).await.unwrap()
}

/// Everything that an import may change, but the note of refusals.
async fn state(office: &Office) -> (i64, i64, i64) {
    (
        office.number("select count(*) from partner_file").await,
        office.number("select count(*) from partner_record").await,
        office
            .number("select coalesce(sum(to_pay - to_give_back), 0)::int8 from partner_record")
            .await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_once_and_whole_however_often_it_comes() {
    let office = Office::open().await;
    let path = example("4081_4082_20240301180000.ICTX");
    let taken = take(&office, &path).await;
    let Imported::Taken { answer: Code::Taken, figures, .. } = taken else { panic!("{taken:?}") };
    assert_eq!(state(&office).await, (1, 4, 15_525 - 1_250));
    assert_eq!(figures.records, 4);
    assert_eq!(take(&office, &path).await, Imported::Again);
    assert_eq!(state(&office).await, (1, 4, 14_275));
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_who_bring_the_same_file_at_once_have_it_taken_once() {
    let office = Office::open().await;
    let path = example("4090_4081_4082_20240301180000.STRAN");
    let bringers = (0..32).map(|_| take(&office, &path));
    let all = futures::future::join_all(bringers).await;
    let taken = all.iter().filter(|one| matches!(one, Imported::Taken { .. })).count();
    let again = all.iter().filter(|one| **one == Imported::Again).count();
    assert_eq!((taken, again), (1, 31));
    assert_eq!(state(&office).await, (1, 3, 6_615));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_is_noted_with_its_place() {
    let office = Office::open().await;
    let folder = TempDir::new().unwrap();
    let name = "4081_4082_20240301180000.ICTX";
    let good = fs::read_to_string(example(name)).unwrap();
    let path = folder.path().join(name);
    for (from, to, code, field) in [
        ("000004375", "0000043.5", Code::Detail, "ETC_TOLL_AMOUNT"),
        ("00000004000", "00000005000", Code::Count, "RECORD_COUNT"),
        ("ICTX01.60.02", "ICTX01.50.02", Code::Header, "VERSION"),
        ("18:00:00Z", "18:00:01Z", Code::Date, ""),
    ] {
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let refused = take(&office, &path).await;
        let Imported::Refused { answer, refusal } = refused else { panic!("{refused:?}") };
        assert_eq!((answer, refusal.field.as_str()), (code, field), "{refusal}");
    }
    fs::write(&path, good).unwrap();
    let for_another = Arrival { own: Some("4099".to_owned()), ..arrival(&path) };
    let refused = import(&office.pool, &for_another, noon(), &mut |_, _| ()).await.unwrap();
    assert!(matches!(refused, Imported::Refused { answer: Code::Header, .. }), "{refused:?}");
    assert_eq!(state(&office).await, (0, 0, 0));
    assert_eq!(office.number("select count(*) from partner_refusal").await, 5);
    assert!(matches!(take(&office, &path).await, Imported::Taken { .. }));
    // Another content under the same name.
    let other = fs::read_to_string(&path).unwrap().replacen("000001250", "000001251", 1);
    fs::write(&path, other).unwrap();
    let refused = take(&office, &path).await;
    assert!(matches!(refused, Imported::Refused { answer: Code::Again, .. }), "{refused:?}");
    assert_eq!(state(&office).await, (1, 4, 14_275));
}

/// An ICTX of one record, with that number.
fn numbered(folder: &Path, number: u64) -> PathBuf {
    let line = fs::read_to_string(example("4081_4082_20240301180000.ICTX")).unwrap();
    let record = line.lines().nth(1).unwrap();
    let at = format!("2024-03-02T00:00:{number:02}Z");
    let header = format!("ICTX01.60.0240814082{at}00000001{number:012}");
    let path = folder.join(format!("4081_4082_202403020000{number:02}.ICTX"));
    let record = record.replacen("00000000000000001001", &format!("{number:020}"), 1);
    fs::write(&path, format!("{header}\n{record}\n")).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_known_until_the_missing_file_comes() {
    let office = Office::open().await;
    let folder = TempDir::new().unwrap();
    take(&office, &numbered(folder.path(), 1)).await;
    let jumped = take(&office, &numbered(folder.path(), 4)).await;
    let Imported::Taken { answer: Code::Gap, missing, .. } = jumped else { panic!("{jumped:?}") };
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), [2, 3]);
    let missed: Vec<i64> = gaps(&office.pool).await.unwrap().into_iter().map(|gap| gap.2).collect();
    assert_eq!(missed, [2, 3]);
    for number in [3, 2] {
        let filled = take(&office, &numbered(folder.path(), number)).await;
        assert!(matches!(filled, Imported::Taken { answer: Code::Taken, .. }), "{filled:?}");
    }
    assert!(gaps(&office.pool).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_list_needs_the_list_that_it_changes() {
    let office = Office::open().await;
    for (full, change) in [
        ("4082_20240301000000.ITAG", "4082_20240302000000.ITGU"),
        ("4090_4082_20240301000000.BTVL", "4090_4082_20240301060000.DTVL"),
    ] {
        let early = take(&office, &example(change)).await;
        assert!(matches!(early, Imported::Refused { answer: Code::Gap, .. }), "{early:?}");
        assert!(matches!(take(&office, &example(full)).await, Imported::Taken { .. }));
        let now = take(&office, &example(change)).await;
        assert!(matches!(now, Imported::Taken { answer: Code::Taken, .. }), "{now:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_without_a_count_needs_somebody_who_counted() {
    let office = Office::open().await;
    let path = example("TransferOneWayTickets_20260901070908_101.txt");
    let from = Some("ben-thuy".to_owned());
    for (records, uncounted, is_taken) in
        [(None, false, false), (Some(3), false, false), (Some(2), false, true)]
    {
        let arrival = Arrival { partner: from.clone(), records, uncounted, ..arrival(&path) };
        let imported = import(&office.pool, &arrival, noon(), &mut |_, _| ()).await.unwrap();
        assert_eq!(matches!(imported, Imported::Taken { .. }), is_taken, "{imported:?}");
    }
    assert_eq!(state(&office).await, (1, 2, 85_000));
}

fn later(hours: i64) -> Timestamp {
    Timestamp::from_second(noon().as_second() + hours * 3600).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_ours_is_numbered_sent_again_and_acknowledged() {
    let office = Office::open().await;
    let folder = TempDir::new().unwrap();
    let records = folder.path().join("records.jsonl");
    let answer = |serial: u64, owed: u64| {
        json!({
            "ETC_TRX_SERIAL_NUM": format!("{serial:020}"), "ETC_POST_STATUS": "POST",
            "ETC_DEBIT_CREDIT": " ", "ETC_OWED_AMOUNT": owed, "ETC_DUP_SERIAL_NUM": format!("{:020}", 0),
        })
    };
    fs::write(&records, format!("{}\n{}\n", answer(1, 1250), answer(2, 300))).unwrap();
    let parcel = Parcel {
        layout: &ICRX,
        records: records.clone(),
        header: serde_json::from_value(json!({"FROM_AGENCY": "4082", "TO_AGENCY": "4081"}))
            .unwrap(),
        partner: None,
        name: None,
        folder: folder.path().to_owned(),
        of: None,
        on_top_of: None,
    };
    let first = export(&office.pool, &parcel, noon()).await.unwrap().unwrap();
    let second = export(&office.pool, &parcel, later(1)).await.unwrap().unwrap();
    assert_eq!(first.examined.header.number("FILE_NUM"), Some(1));
    assert_eq!(second.examined.header.number("FILE_NUM"), Some(2));
    let Figures { records: count, to_pay, .. } = first.examined.figures;
    assert_eq!((count, to_pay.minor_units()), (2, 1_550));

    // A run that was stopped before the file had its name: the next one names it.
    let unnamed =
        folder.path().join(format!("{}.part", second.path.file_name().unwrap().display()));
    fs::rename(&second.path, &unnamed).unwrap();

    // A record that is not as it should be: no file, no number used.
    fs::write(&records, format!("{}\n{{\"ETC_POST_STATUS\": \"LOST\"}}\n", answer(3, 1))).unwrap();
    let refusal = export(&office.pool, &parcel, later(2)).await.unwrap().unwrap_err();
    assert_eq!((refusal.line, refusal.field.as_str()), (2, "ETC_POST_STATUS"), "{refusal}");
    assert!(second.path.exists() && !unnamed.exists());
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!((left, state(&office).await.0), (3, 2), "the records and two files");

    let name = first.path.file_name().unwrap().to_string_lossy().into_owned();
    note(&office.pool, ("4081", &name), Event::Delivered, noon()).await.unwrap().unwrap();
    let todo = |at: Timestamp| {
        let (pool, name) = (office.pool.clone(), name.clone());
        async move {
            let todo = due(&pool, at).await.unwrap();
            todo.into_iter()
                .filter(|(file, _)| file.name == name)
                .map(|(_, a)| a)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(todo(later(3)).await, Vec::<Vec<Action>>::new());
    assert_eq!(todo(later(5)).await, [[Action::Send]]);

    // The partner answers, and its answer is taken once as well.
    let acked =
        acknowledgement(&ICRX, &first.examined.header, &name, ("4081", Code::Taken, later(5)));
    let (layout, header) = acked.unwrap().unwrap();
    let path = folder.path().join(name_of(layout, &header).unwrap());
    fs::write(&path, Writer::open(layout, &header, Vec::new()).unwrap().finish().unwrap()).unwrap();
    assert!(matches!(take(&office, &path).await, Imported::Taken { .. }));
    assert_eq!(take(&office, &path).await, Imported::Again);
    assert_eq!(todo(later(500)).await, Vec::<Vec<Action>>::new());
    let acknowledged = "select count(*) from partner_sent_v1 where state = 'acknowledged'";
    assert_eq!(office.number(acknowledged).await, 1);
    // An answer to a file that was never sent.
    let strange = take(&office, &example("4082_4081_4082_20240301180000_ICTX.ACK")).await;
    assert!(matches!(strange, Imported::Refused { answer: Code::File, .. }), "{strange:?}");
}

/// A file of so many records, under a name of its own.
fn long_file(folder: &Path, records: usize) -> PathBuf {
    let line = fs::read_to_string(example("4081_4082_20240301180000.ICTX")).unwrap();
    let record = line.lines().nth(1).unwrap();
    let at = "2024-03-03T00:00:00Z";
    let mut text = format!("ICTX01.60.0240814082{at}{records:08}{:012}\n", 1);
    for number in 1..=records {
        text.push_str(&record.replacen("00000000000000001001", &format!("{number:020}"), 1));
        text.push('\n');
    }
    let path = folder.join("4081_4082_20240303000000.ICTX");
    fs::write(&path, text).unwrap();
    path
}

/// The program that takes a file, as a process of its own.
fn importing(office: &Office, folder: &Path, file: &Path) -> tokio::process::Child {
    let key = folder.join("centre.key");
    if !key.exists() {
        fs::write(&key, centre_key().to_secret_text()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = folder.join("reconciliation.toml");
    let statements = folder.join("statements");
    let text = format!(
        "[database]\nurl = {:?}\n[centre]\nsecret_key_file = {key:?}\n[statements]\nfolder = {statements:?}\n",
        office.url
    );
    fs::write(&config, text).unwrap();
    tokio::process::Command::new(built("reconciliation"))
        .arg("--config")
        .arg(config)
        .args(["partner", "import"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// SIGKILL at many points of an import, with a second one of the same file beside it every other time:
/// there is nothing of it or all of it, and bringing it again changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_leaves_all_of_a_file_or_nothing() {
    const RECORDS: usize = 4_000;
    let office = Office::open().await;
    let folder = TempDir::new().unwrap();
    let file = long_file(folder.path(), RECORDS);
    let clock = Clock::system();
    let began = clock.uptime();
    let whole = importing(&office, folder.path(), &file).wait().await.unwrap();
    assert!(whole.success());
    let lasts = clock.uptime() - began;
    let taken = state(&office).await;
    assert_eq!((taken.0, taken.1), (1, i64::try_from(RECORDS).unwrap()));
    let points: u32 = env::var("ETC_IMPORT_KILLS").map_or(16, |text| text.parse().unwrap());
    let mut unfinished = 0;
    for point in 0..points {
        // Each point has books of its own, without the file.
        let office = Office::open().await;
        let mut first = importing(&office, folder.path(), &file);
        let second = (point % 2 == 1).then(|| importing(&office, folder.path(), &file));
        tokio::time::sleep(lasts * point / points).await;
        first.kill().await.unwrap();
        let found = state(&office).await;
        if let Some(mut second) = second {
            assert!(second.wait().await.unwrap().success(), "the other one takes it");
            assert_eq!(state(&office).await, taken, "killed at point {point}, beside another");
        } else {
            unfinished += u32::from(found.0 == 0);
            assert!(found == (0, 0, 0) || found == taken, "half of it at point {point}: {found:?}");
        }
        assert!(importing(&office, folder.path(), &file).wait().await.unwrap().success());
        assert_eq!(state(&office).await, taken, "brought again after point {point}");
        assert_eq!(take(&office, &file).await, Imported::Again);
    }
    assert!(unfinished > points / 8, "{unfinished} imports were killed before their end");
}
