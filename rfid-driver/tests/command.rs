//! The command `rfid` as people and scripts run it: the real program, its output and exit codes.
//!
//! Where the next test goes: here, if it needs the whole program; beside the module otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rfid_driver::emulator::wire::{Fate, Wire, WireFaults};
use serde_json::Value;

/// A streamed tag of a real M6e Nano (`SparkFun_UHF_RFID_Reader.cpp`).
const TAG_FRAME: &str = "ff2822000010001b01ff0101c4110e16400000012700000500000f008030000000\
                         00000000000000001545e94a561d";
/// The vendor's client asks for the version.
const VERSION_COMMAND: &str = "ff00031d0c";
const EPC: &str = "3416214B8817620004936445";

fn rfid(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rfid"));
    command.args(arguments);
    command
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Runs with `input` on standard input until the end.
fn run_on(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = rfid(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // It may have seen enough before the end.
    writer.join().unwrap().ok();
    output
}

fn objects(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A reader played by the command, under a name in a folder of its own.
struct PlayedReader {
    child: Child,
    folder: tempfile::TempDir,
}

impl PlayedReader {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("reader");
        let truth = folder.path().join("truth");
        let mut child = rfid(&["emulate", "mercury", "--link"])
            .arg(&link)
            .arg("--truth")
            .arg(&truth)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut path = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut path).unwrap();
        assert_eq!(Path::new(path.trim_end()), link, "the first line is the path");
        Self { child, folder }
    }

    fn port(&self) -> PathBuf {
        self.folder.path().join("reader")
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        rfid(&[command]).arg(self.port()).args(arguments).output().unwrap()
    }

    /// Ends it as a service manager does, and gives what it says that it sent.
    fn end(mut self) -> Vec<Value> {
        interrupt(&self.child, "TERM");
        assert!(self.child.wait().unwrap().success());
        assert!(std::fs::symlink_metadata(self.port()).is_err(), "its name is gone");
        let truth = std::fs::read_to_string(self.folder.path().join("truth")).unwrap();
        truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for PlayedReader {
    fn drop(&mut self) {
        // Harmless where it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn interrupt(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
fn a_frame_is_decoded_with_its_tag() {
    let output = run_on(&["decode", "--protocol", "mercury", "--json", "-"], TAG_FRAME.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [frame] = &objects(&output)[..] else { panic!("one object a frame") };
    assert_eq!(frame["protocol"], "mercury");
    assert_eq!((&frame["ok"], &frame["error"]), (&true.into(), &Value::Null));
    assert_eq!(frame["direction"], "R>H");
    assert!(frame["kind"].is_string() && !frame["fields"].as_object().unwrap().is_empty());
    let expected = serde_json::json!([{
        "epc": "000000000000000000001545", "tid": null, "pc": "3000", "antenna": 1,
        "rssi_dbm": -60, "rssi_raw": 196, "frequency_khz": 923_200, "phase": 0, "read_count": 1,
        "timestamp_ms": 295,
    }]);
    assert_eq!(frame["tags"], expected);
}

#[test]
fn a_bad_line_says_why_and_the_rest_is_decoded() {
    // One bit of the check is wrong.
    let bad = TAG_FRAME.replace("561d", "561c");
    let input = format!("# a comment\nhello\n{bad}\nH>R ff 00 03 1d 0c\n\n{TAG_FRAME}");
    let output = run_on(&["decode", "--json", "-"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let frames = objects(&output);
    let seen: Vec<_> =
        frames.iter().map(|frame| (frame["line"].as_u64(), frame["ok"].as_bool())).collect();
    let expected = [(2, false), (3, false), (4, true), (6, true)];
    assert_eq!(seen, expected.map(|(line, ok)| (Some(line), Some(ok))));
    assert_eq!(frames[0]["error"], "'h' is not a hex digit");
    assert!(frames[1]["error"].as_str().unwrap().contains("561c"), "{}", frames[1]["error"]);
    assert_eq!(
        (&frames[2]["protocol"], &frames[2]["direction"]),
        (&"mercury".into(), &"H>R".into())
    );
    assert_eq!(frames[2]["tags"], serde_json::json!([]));
}

#[test]
fn a_frame_is_annotated_byte_by_byte_for_a_person() {
    let output = run_on(&["decode", "-"], VERSION_COMMAND.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["mercury H>R", "  0000  FF ", "start", "opcode", "03", "check", "0x1D0C"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn rows_of_a_table_know_their_protocol_and_direction() {
    let rows = format!(
        "protocol\tdirection\thex\tmeaning\nmercury\tH>R\t{VERSION_COMMAND}\tversion #1\tx\tok\n\
         morse\tR>H\tff\tnothing\n"
    );
    let output = run_on(&["decode", "--json", "-"], rows.as_bytes());
    let frames = objects(&output);
    assert_eq!(frames.len(), 2);
    assert_eq!((&frames[0]["ok"], &frames[0]["direction"]), (&true.into(), &"H>R".into()));
    assert!(frames[1]["error"].as_str().unwrap().starts_with("morse: no such protocol"));
}

/// A capture on a bad line, and where the frames lie in it that arrived intact.
fn noisy_capture() -> (Vec<u8>, Vec<u64>) {
    let faults = WireFaults {
        junk_share: 0.3,
        false_header_share: 0.3,
        lost_byte_share: 1e-3,
        flipped_bit_share: 1e-4,
        ..WireFaults::NONE
    };
    let mut wire = Wire::new(faults, 3);
    let frames = [bytes(TAG_FRAME), bytes(VERSION_COMMAND)];
    let mut capture = Vec::new();
    let mut intact = Vec::new();
    for frame in frames.iter().cycle().take(5000) {
        if wire.carry(frame, &mut capture) == Fate::Intact {
            intact.push((capture.len() - frame.len()) as u64);
        }
    }
    (capture, intact)
}

#[test]
fn a_noisy_capture_of_both_directions_gives_every_intact_frame_where_it_lies() {
    let (capture, intact) = noisy_capture();
    for arguments in
        [&["decode", "--json", "-"][..], &["decode", "--protocol", "mercury", "--json", "-"]]
    {
        let output = run_on(arguments, &capture);
        let found = objects(&output);
        let offsets: Vec<u64> =
            found.iter().map(|frame| frame["offset"].as_u64().unwrap()).collect();
        assert_eq!(offsets, intact);
        assert!(found.iter().all(|frame| frame["ok"] == true));
        let framed: usize =
            found.iter().map(|frame| frame["hex"].as_str().unwrap().len() / 2).sum();
        let dropped = capture.len() - framed;
        assert!(stderr(&output).contains(&format!("; {dropped} of {} bytes", capture.len())));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_capture_without_a_frame_is_bad() {
    let output = run_on(&["decode", "--json", "-"], &[0x00; 100]);
    assert_eq!(output.status.code(), Some(1));
    let found = objects(&output);
    assert_eq!((found.len(), &found[0]["ok"]), (1, &Value::Bool(false)));
    assert!(stderr(&output).contains("0 frames; 100 of 100 bytes"));
}

#[test]
fn a_lone_bad_frame_in_binary_is_refused_for_the_reason_that_its_hex_is() {
    let mut damaged = bytes(TAG_FRAME);
    damaged[20] ^= 4;
    let arguments = ["decode", "--protocol", "mercury", "--from", "reader", "--json", "-"];
    let output = run_on(&arguments, &damaged);
    assert_eq!(output.status.code(), Some(1));
    let found = objects(&output);
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["ok"], &found[0]["protocol"]), (&Value::Bool(false), &"mercury".into()));
    assert!(found[0]["error"].as_str().unwrap().starts_with("not an intact frame: check is"));
}

#[test]
fn a_pipe_is_answered_before_it_ends() {
    let mut child = rfid(&["decode", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        writeln!(stdin, "{VERSION_COMMAND}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.contains("\"ok\":true"), "{answer}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_broken_pipe_is_quiet() {
    let mut child = rfid(&["decode", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("{TAG_FRAME}\n");
    // Until it has noticed and left.
    while stdin.write_all(line.as_bytes()).is_ok() {}
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, "");
}

#[test]
fn a_played_reader_is_found_and_read_as_it_says() {
    let second = "34161FA8203289723A7DF720";
    let reader = PlayedReader::start(&["--tag", EPC, "--tag", second, "--rate", "50"]);
    let found = objects(&reader.run("probe", &["--json"]));
    assert_eq!(found[0]["protocol"], "mercury");
    assert_eq!(found[0]["baud"], 115_200);
    assert!(found[0]["identity"].is_string());

    let output = reader.run("read", &["--json", "--layout", "--count", "20"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = objects(&output);
    let tags: Vec<&Value> = lines.iter().filter(|line| line["event"].is_null()).collect();
    assert_eq!(tags.len(), 20);
    for tag in &tags {
        assert!([EPC, second].contains(&tag["epc"].as_str().unwrap()));
        assert!(tag["at"].as_str().unwrap().ends_with('Z') && tag["antenna"] == 1);
    }
    assert!(tags.iter().any(|tag| tag["layout"]["fields"]["operator"] == "VETC"));
    let reading = |line: &Value| line["event"] == "state" && line["state"] == "reading";
    assert!(lines.iter().any(reading));

    let sent = reader.end();
    assert!(sent.len() >= 20 && sent.iter().all(|frame| frame["intact"] == true));
    assert!(sent.iter().any(|frame| frame["epcs"] == serde_json::json!([second])));
}

#[test]
fn sightings_tell_each_tag_once_at_first() {
    let reader = PlayedReader::start(&["--tag", EPC, "--rate", "50"]);
    let arguments = ["--protocol", "mercury", "--json", "--sightings", "--for", "1"];
    let output = reader.run("read", &arguments);
    let lines = objects(&output);
    let count = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!((count("first_seen"), count("left")), (1, 0), "{lines:?}");
    assert!(count("refined") >= 2);
}

#[test]
fn an_interrupted_read_ends_well() {
    let reader = PlayedReader::start(&["--tag", EPC]);
    let mut child = rfid(&["read"])
        .arg(reader.port())
        .args(["--protocol", "mercury", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(EPC)));
    interrupt(&child, "INT");
    assert!(lines.all(|line| serde_json::from_str::<Value>(&line.unwrap()).is_ok()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_warning_that_goes_into_a_file_is_not_coloured() {
    let reader = PlayedReader::start(&["--tag", EPC]);
    let mut child = rfid(&["read"])
        .arg(reader.port())
        .args(["--protocol", "mercury", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(EPC)));
    reader.end();
    let mut warnings = BufReader::new(child.stderr.take().unwrap()).lines();
    let warning = warnings.next().unwrap().unwrap();
    assert!(warning.contains("WARN") && !warning.contains('\x1b'), "{warning:?}");
    interrupt(&child, "INT");
    child.wait().unwrap();
}

#[test]
fn a_good_installation_passes_the_test() {
    let reader = PlayedReader::start(&["--tag", EPC, "--rate", "50"]);
    let output = reader.run("test", &["--json", "--for", "1"]);
    let lines = objects(&output);
    assert_eq!(output.status.code(), Some(0), "{lines:?}");
    let figures = lines.iter().find(|line| line["event"] == "tag").unwrap();
    assert_eq!(figures["epc"], EPC);
    assert!(figures["reads"].as_u64().unwrap() > 10 && figures["rssi_dbm_median"].is_i64());
    let tags = lines.iter().find(|line| line["about"] == "tags").unwrap();
    assert_eq!(tags["verdict"], "PASS");
}

#[test]
fn a_line_on_which_nothing_answers_says_what_was_tried() {
    // No host looks at this rate.
    let reader = PlayedReader::start(&["--baud", "1200"]);
    let arguments = ["--protocol", "mercury", "--baud", "9600"];
    let output = reader.run("probe", &arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("no reader answers") && said.contains("mercury at 9600 baud"), "{said}");
    assert!(said.contains(reader.port().to_str().unwrap()), "{said}");
}

#[test]
fn ports_and_protocols_are_listed() {
    let output = rfid(&["list", "--json"]).output().unwrap();
    let lines = objects(&output);
    let named = |name: &str| lines.iter().any(|line| line["protocol"] == name);
    assert!(named("mercury") && output.status.success());
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let missing = tempfile::tempdir().unwrap().path().join("nothing");
    let missing = missing.to_str().unwrap();
    for (arguments, code, said) in [
        (&["read"][..], 2, "<PORT>"),
        (&["read", "x", "--antennas", "17"], 2, "1..=16"),
        (&["read", "x", "--power-dbm", "99"], 2, "40 dBm"),
        (&["decode", "--protocol", "morse", "-"], 2, "mercury"),
        (&["emulate", "mercury", "--tag", "xyz"], 2, "not a hex digit"),
        (&["emulate", "mercury", "--faults", "rain=1"], 2, "false-header"),
        (&["fly"], 2, "Usage"),
        (&["probe", missing], 1, "does not exist"),
        (&["read", missing, "--protocol", "mercury"], 1, "does not exist"),
        (&["decode", missing], 1, "nothing"),
    ] {
        let output = rfid(arguments).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
