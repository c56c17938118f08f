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
    let files = Files::new(root.path().to_owned());
    assert_eq!(files.folder_of(&note(Pictured::Call { call: 1 }, Vec::new())), None);
    let folder = files.folder_of(&note(PASSAGE, Vec::new())).unwrap();
    assert_eq!(folder, root.path().join("cienco4/ben-thuy/l01/1/7"));
    let png = b"\x89PNG\r\n\x1a\n the whole";
    for _twice in 0..2 {
        let plate = record(PictureKind::Plate, JPEG);
        assert_eq!(Files::file(&folder, &plate, JPEG).unwrap(), Ok(()));
        let whole = record(PictureKind::Overview, png);
        assert_eq!(Files::file(&folder, &whole, png).unwrap(), Ok(()));
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
    let folder = root.path().join("passage");
    let of = |bytes| record(PictureKind::Plate, bytes);
    let filed = Files::file(&folder, &of(JPEG), b"\xff\xd8\xff another").unwrap();
    assert_eq!(filed, Err(Refusal::Digest));
    let script = b"<script>";
    assert_eq!(Files::file(&folder, &of(script), script).unwrap(), Err(Refusal::NoPicture));
    assert!(!folder.exists());
}

#[test]
fn what_is_older_than_it_is_kept_is_forgotten_with_its_folders() {
    let root = tempfile::tempdir().unwrap();
    let files = Files::new(root.path().join("pictures"));
    let now = SystemTime::from(Clock::system().now());
    assert_eq!(files.forget(now, DAY).unwrap(), 0, "there is no folder yet");
    let folder = files.folder_of(&note(PASSAGE, Vec::new())).unwrap();
    Files::file(&folder, &record(PictureKind::Plate, JPEG), JPEG).unwrap().unwrap();
    assert_eq!(files.forget(now, DAY).unwrap(), 0);
    assert!(folder.exists());
    assert_eq!(files.forget(now + DAY * 2, DAY).unwrap(), 1);
    assert!(!folder.exists() && fs::read_dir(root.path().join("pictures")).unwrap().count() == 0);
}
