//! Notes and files, without a broker.

use domain::{LaneId, Timestamp};

use super::*;

fn lane() -> LaneId {
    "cienco4/ben-thuy/l01".parse().unwrap()
}

fn record(kind: PictureKind, bytes: &[u8]) -> PictureRecord {
    PictureRecord { digest: Digest256::of(bytes), kind, len: u64::try_from(bytes.len()).unwrap() }
}

fn note(of: Pictured, pictures: Vec<PictureRecord>) -> PictureNote {
    PictureNote { v: 1, lane: lane(), at: Timestamp::UNIX_EPOCH, of, pictures }
}

const PASSAGE: Pictured = Pictured::Passage { epoch: 1, seq: 7 };
const JPEG: &[u8] = b"\xff\xd8\xff a vehicle";

#[test]
fn a_lane_is_believed_of_itself_alone_and_not_of_more_than_a_vehicle_has() {
    let own = subject::picture_note(&lane());
    let other = own.replace("l01", "l02");
    let good = note(PASSAGE, vec![record(PictureKind::Plate, JPEG)]);
    assert_eq!(examine(&own, &v1::emit(&good)), Ok(good.clone()));
    assert_eq!(examine(&other, &v1::emit(&good)), Err(Refusal::Speaker));
    assert_eq!(examine(&own, b"{}"), Err(Refusal::Shape));
    let many = note(PASSAGE, vec![record(PictureKind::Plate, JPEG); PICTURES_MAX + 1]);
    assert_eq!(examine(&own, &v1::emit(&many)), Err(Refusal::TooMany));
}

#[test]
fn pictures_of_a_passage_are_files_of_its_folder_the_whole_first() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::new(root.path().to_owned(), 1_000);
    assert_eq!(files.folder_of(&note(Pictured::Call { call: 1 }, Vec::new())), None);
    let folder = files.folder_of(&note(PASSAGE, Vec::new())).unwrap();
    assert_eq!(folder, root.path().join("cienco4/ben-thuy/l01/1/7"));
    let png = b"\x89PNG\r\n\x1a\n the whole";
    for _twice in 0..2 {
        let plate = record(PictureKind::Plate, JPEG);
        assert_eq!(files.file(&folder, &plate, JPEG).unwrap(), Ok(()));
        let whole = record(PictureKind::Overview, png);
        assert_eq!(files.file(&folder, &whole, png).unwrap(), Ok(()));
    }
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        format!("1-overview-{}.png", Digest256::of(png)),
        format!("2-plate-{}.jpg", Digest256::of(JPEG)),
    ];
    assert_eq!(names, expected);
    assert_eq!(fs::read(folder.join(&expected[1])).unwrap(), JPEG);
}

#[test]
fn bytes_that_are_not_what_they_are_called_or_no_picture_are_not_filed() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::new(root.path().to_owned(), 20);
    let folder = root.path().join("passage");
    let large = b"\xff\xd8\xff more than there is room for";
    let of = |bytes| record(PictureKind::Plate, bytes);
    let filed = files.file(&folder, &of(JPEG), b"\xff\xd8\xff another").unwrap();
    assert_eq!(filed, Err(Refusal::Digest));
    let script = b"<script>";
    assert_eq!(files.file(&folder, &of(script), script).unwrap(), Err(Refusal::NoPicture));
    assert_eq!(files.file(&folder, &of(large), large).unwrap(), Err(Refusal::TooLarge));
    assert!(!folder.exists());
}

#[test]
fn the_oldest_of_all_go_where_room_is_needed_with_their_folders() {
    let root = tempfile::tempdir().unwrap();
    let len = u64::try_from(JPEG.len()).unwrap();
    let start = SystemTime::from(Clock::system().now()) - DAY;
    // What was there when it began counts.
    for (seq, again) in (1_u64..=5).zip([false, false, true, false, false]) {
        let files = Files::new(root.path().to_owned(), len * 3);
        let of = Pictured::Passage { epoch: 1, seq };
        let folder = files.folder_of(&note(of, Vec::new())).unwrap();
        let kind = record(PictureKind::Plate, JPEG);
        for _twice in 0..=u8::from(again) {
            files.file(&folder, &kind, JPEG).unwrap().unwrap();
        }
        let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let seconds = Duration::from_secs(seq);
        fs::File::open(file).unwrap().set_modified(start + seconds).unwrap();
    }
    let files = Files::new(root.path().to_owned(), len * 3);
    let left = |seq| {
        let of = Pictured::Passage { epoch: 1, seq };
        files.folder_of(&note(of, Vec::new())).unwrap().exists()
    };
    assert!(!left(1) && !left(2), "the oldest went");
    assert!(left(5), "the newest is there");
    let mut found = Vec::new();
    files_in(root.path(), &mut found).unwrap();
    assert!(found.iter().map(|(_, _, len)| len).sum::<u64>() <= len * 3);
}

#[test]
fn a_passage_has_no_more_files_than_a_vehicle_has_pictures_and_keeps_what_was_named_last() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::new(root.path().to_owned(), 10_000);
    let folder = files.folder_of(&note(PASSAGE, Vec::new())).unwrap();
    let mut named = Vec::new();
    for number in 0..40_u8 {
        let bytes = [JPEG, &[number]].concat();
        named.push(record(PictureKind::Plate, &bytes));
        files.file(&folder, named.last().unwrap(), &bytes).unwrap().unwrap();
    }
    // The first are the oldest, and are named.
    files.bound(&folder, &named[..4]).unwrap();
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!(left.len(), PICTURES_MAX);
    let is_left = |one: &PictureRecord| left.contains(&folder.join(name_of(one) + ".jpg"));
    assert!(named[..4].iter().all(is_left));
}

#[test]
fn what_is_older_than_it_is_kept_is_forgotten_with_its_folders() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::new(root.path().join("pictures"), 1_000);
    let now = SystemTime::from(Clock::system().now());
    assert_eq!(files.forget(now, DAY).unwrap(), 0, "there is no folder yet");
    let folder = files.folder_of(&note(PASSAGE, Vec::new())).unwrap();
    files.file(&folder, &record(PictureKind::Plate, JPEG), JPEG).unwrap().unwrap();
    assert_eq!(files.forget(now, DAY).unwrap(), 0);
    assert!(folder.exists());
    assert_eq!(files.forget(now + DAY * 2, DAY).unwrap(), 1);
    assert!(!folder.exists() && fs::read_dir(root.path().join("pictures")).unwrap().count() == 0);
}
