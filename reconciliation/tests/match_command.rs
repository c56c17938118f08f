//! The command `match` on files, as a person calls it. It needs neither configuration nor database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reconciliation"))
        .arg("match")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const MAPPING: &str = "[columns]\nidentity = \"ref\"\namount = \"dong\"\n";

#[test]
fn payments_are_matched_with_the_banks_statement() {
    let ours = "ref,dong\nSETTLE-1,145500\nSETTLE-2,60000\nSETTLE-3,1000\n";
    let statement = ":20:X\n:60F:C261121VND0,\n:61:261122C145500,NTRFSETTLE-1\n\
                     :61:261122C50000,NTRFSETTLE-2\n:61:261122D7,NCHGNONREF//FEE-1\n\
                     :62F:C261122VND195493,\n";
    let folder = folder(&[("ours.csv", ours), ("map.toml", MAPPING), ("bank.txt", statement)]);
    let arguments = ["--ours", "ours.csv", "--ours-as", "map.toml", "--theirs", "bank.txt"];
    let more = ["--theirs-form", "mt940", "--out", "out.csv", "--json", "--memory", "64MiB"];
    let output = run(folder.path(), &[&arguments[..], &more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let totals: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(totals["ours"]["rows"], 3);
    assert_eq!(totals["theirs"]["reversed"], 7);
    let out = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let expected = "\
finding,class,rule,side,file,line,identity,station,time,group,amount
1,amount-differs,identity,ours,ours.csv,3,SETTLE-2,,,,60000
1,amount-differs,identity,theirs,bank.txt,4,SETTLE-2,,2026-11-22T00:00:00Z,,50000
2,only-ours,,ours,ours.csv,4,SETTLE-3,,,,1000
3,only-theirs,,theirs,bank.txt,5,FEE-1,,2026-11-22T00:00:00Z,,-7
";
    assert_eq!(out, expected);
}

#[test]
fn a_bad_file_is_refused_by_line_and_nothing_is_written() {
    let (good, bad) = ("ref,dong\na,1\n", "ref,dong\na,1\nb,1.5\n");
    let folder = folder(&[("good.csv", good), ("bad.csv", bad), ("map.toml", MAPPING)]);
    let files = ["--ours", "good.csv", "--theirs", "bad.csv", "--out", "out.csv"];
    let maps = ["--ours-as", "map.toml", "--theirs-as", "map.toml"];
    let output = run(folder.path(), &[&files[..], &maps].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("bad.csv line 3, column \"dong\""), "{said}");
    assert!(said.contains("such as 47000"), "{said}");
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn currencies_are_never_mixed() {
    let dollars = format!("currency = \"USD\"\n{MAPPING}");
    let files =
        [("a.csv", "ref,dong\na,1\n"), ("vnd.toml", MAPPING), ("usd.toml", dollars.as_str())];
    let folder = folder(&files);
    let files = ["--ours", "a.csv", "--theirs", "a.csv"];
    let maps = ["--ours-as", "vnd.toml", "--theirs-as", "usd.toml"];
    let output = run(folder.path(), &[&files[..], &maps].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("our files are in VND and theirs in USD"), "{said}");
}
