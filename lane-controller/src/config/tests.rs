use super::*;
use crate::pictures::SendPictures;

const EXAMPLE: &str = include_str!("../../../deploy/lane-controller.example.toml");

fn wrongs(change: impl Fn(&str) -> String) -> Vec<String> {
    toml::from_str::<Config>(&change(EXAMPLE)).expect("it is still TOML of the right keys").wrongs()
}

#[test]
fn the_example_is_a_usable_configuration_of_every_device() {
    let config: Config = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(config.wrongs(), Vec::<String>::new());
    let lanes = &config.lanes;
    let families = lanes.iter().map(|lane| config.field_io_of(lane).unwrap());
    assert!(families.clone().any(|family| matches!(family, LaneFieldIo::Modbus { .. })));
    assert!(families.clone().any(|family| matches!(family, LaneFieldIo::RelayCard(_))));
    assert!(lanes.iter().any(|lane| lane.classifier.is_some()));
    assert!(lanes.iter().any(|lane| !lane.displays.is_empty()));
    assert!(lanes.iter().any(|lane| !lane.cameras.is_empty()));
    assert!(lanes.iter().any(|lane| lane.reader.protocol == "llrp"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let told = wrongs(|text| {
        text.replace("protocol = \"llrp\"", "protocol = \"llpr\"")
            .replace("field_io_index = 1", "field_io_index = 0")
            .replace("question_ms = 200", "question_ms = 900")
            .replace("id = \"l03\"", "id = \"l 3\"")
    });
    let has = |part: &str| assert!(told.iter().any(|wrong| wrong.contains(part)), "{told:#?}");
    has("reader.protocol is one of mercury");
    has("lane l02: field_io: another lane has that device or block already");
    has("policy.question_ms is 200 at most, not 900");
    has("lane l 3: id");
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn a_camera_needs_a_listener_and_a_name_of_its_own() {
    let told = wrongs(|text| {
        let (before, rest) = text.split_once("[cameras]").unwrap();
        let (_, after) = rest.split_once("\n[").unwrap();
        format!("{before}[{after}")
    });
    assert!(told.iter().all(|wrong| wrong.ends_with("[cameras] with listen is missing")));
    assert!(!told.is_empty());
}

#[test]
fn whose_pictures_are_sent_is_one_of_three_and_else_refused_with_what_is_right() {
    let read = |with: &str| {
        let line = "send_pictures = \"exceptions\"";
        assert!(EXAMPLE.contains(line));
        toml::from_str::<Config>(&EXAMPLE.replace(line, with))
    };
    let wanted = |with: &str| read(with).unwrap().cameras.unwrap().send_pictures;
    assert_eq!(wanted(""), SendPictures::Exceptions);
    assert_eq!(wanted("send_pictures = \"all\""), SendPictures::All);
    assert_eq!(wanted("send_pictures = \"none\""), SendPictures::None);
    let error = read("send_pictures = \"some\"").unwrap_err().to_string();
    for part in ["send_pictures", "`some`", "`exceptions`, `all`, `none`"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn files_that_are_not_there_are_all_named() {
    let config: Config = toml::from_str(EXAMPLE).unwrap();
    let error = config.check_files(Path::new("station.toml")).unwrap_err().to_string();
    for part in ["station.toml", "data: ", "broker.ca_file: ", "lane l01: key_file: "] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(error.contains("camera.secret_file"), "{error}");
}
