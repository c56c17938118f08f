use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const HEADER: &str = "time,tollgate_id,direction,vehicle_model,has_etc,vehicle_type\n";

fn read(bytes: &[u8]) -> Result<Recording, TrafficError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passes");
    fs::write(&path, bytes).unwrap();
    Recording::read(&path)
}

#[test]
fn a_row_is_one_vehicle_at_its_local_second() {
    let recording = read(format!("{HEADER}2016-10-18 23:55:58,3,0,1,1,\n").as_bytes()).unwrap();
    let pass = RecordedPass {
        line: 2,
        at: "2016-10-18T16:55:58Z".parse().unwrap(),
        gate: 3,
        direction: Direction::In,
        model: 1,
        has_tag: true,
    };
    assert_eq!(recording, Recording { passes: vec![pass], bad_rows: Vec::new() });
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let text = "\u{feff}has_etc,direction,extra,vehicle_model,time,tollgate_id\n\
                0,1,x,4,2016-10-18 00:00:00,2\n";
    let recording = read(text.as_bytes()).unwrap();
    let pass = recording.passes[0];
    assert_eq!(
        (pass.gate, pass.direction, pass.model, pass.has_tag),
        (2, Direction::Out, 4, false)
    );
    assert_eq!(pass.group().number(), 3);
}

#[test]
fn a_gzipped_file_reads_as_the_plain_one() {
    let text = format!("{HEADER}2016-10-18 23:55:58,3,0,1,1,\n2016-10-18 23:55:59,1,1,7,0,0\n");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    assert_eq!(read(&packed.finish().unwrap()).unwrap(), read(text.as_bytes()).unwrap());
}

#[test]
fn a_bad_row_is_told_with_its_line_and_the_rest_flows() {
    let text = format!(
        "{HEADER}2016-10-18 00:00:00,1,0,1,1,\n\
         yesterday,1,0,1,1,\n\
         2016-10-18 00:00:00,1,2,1,1,\n\
         2016-10-18 00:00:00,1,0,8,1,\n\
         2016-10-18 00:00:00,1,0,1,yes,\n\
         2016-10-18 00:00:00,x,0,1,1,\n\
         2016-10-18 00:00:00,1,0\n\
         2016-02-30 00:00:00,1,0,1,1,\n\
         2016-10-18 00:00:09,1,0,1,0,\n"
    );
    let recording = read(text.as_bytes()).unwrap();
    let told: Vec<String> =
        recording.bad_rows.iter().map(|row| format!("{}: {}", row.line, row.why)).collect();
    assert_eq!(
        told,
        [
            "3: time \"yesterday\" is not a time such as 2016-10-18 23:55:58",
            "4: direction \"2\" is not 0 or 1",
            "5: vehicle_model \"8\" is not 0 to 7",
            "6: has_etc \"yes\" is not 0 or 1",
            "7: tollgate_id \"x\" is not a whole number",
            "8: 3 fields where the header has 6",
            "9: time \"2016-02-30 00:00:00\" is not a time such as 2016-10-18 23:55:58",
        ]
    );
    let lines: Vec<u64> = recording.passes.iter().map(|pass| pass.line).collect();
    assert_eq!(lines, [2, 10]);
}

#[test]
fn a_row_that_is_not_text_is_a_bad_row() {
    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.extend_from_slice(b"2016-10-18 00:00:00,1,0,\xff,1,\n2016-10-18 00:00:00,1,0,1,1,\n");
    let recording = read(&bytes).unwrap();
    assert_eq!(recording.bad_rows, [BadRow { line: 2, why: RowError::NotText }]);
    assert_eq!(recording.passes.len(), 1);
}

#[test]
fn a_file_without_the_columns_is_one_error() {
    let error = read(b"2016-10-18 23:55:58,3,0,1,1,\n").unwrap_err();
    assert!(error.to_string().ends_with("has no column time in its first line"), "{error}");
    assert!(read(b"").is_err());
    assert!(Recording::read(Path::new("no-such-file")).is_err());
    assert!(read(b"\x1f\x8bnot really").is_err());
}

#[test]
fn the_busiest_minute_says_what_a_gate_must_carry() {
    let row = |at: &str, gate: u32| format!("2016-10-18 {at},{gate},0,1,1,\n");
    let text = format!(
        "{HEADER}{}{}{}{}",
        row("00:00:00", 1),
        row("00:01:59", 1),
        row("00:01:00", 1),
        row("00:05:00", 2)
    );
    let peaks: Vec<(u32, u32)> = read(text.as_bytes())
        .unwrap()
        .demands()
        .iter()
        .map(|demand| (demand.gate, demand.peak_per_minute))
        .collect();
    assert_eq!(peaks, [(1, 2), (2, 1)]);
}

/// Reads `../shared/data`, which stands beside the checkout in our workplace only.
#[test]
fn the_recorded_week_reads_without_a_bad_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/tollgate-passes-2016-10-18_24.csv.gz");
    if !path.exists() {
        tracing::warn!("the recorded week is absent: not tested");
        return;
    }
    let recording = Recording::read(&path).unwrap();
    assert_eq!((recording.passes.len(), recording.bad_rows.len()), (128_823, 0));
    assert_eq!(recording.passes.iter().filter(|pass| pass.has_tag).count(), 32_385);
    let peaks: Vec<u32> = recording.demands().iter().map(|demand| demand.peak_per_minute).collect();
    assert_eq!(peaks, [10, 14, 16, 18, 15]);
}
