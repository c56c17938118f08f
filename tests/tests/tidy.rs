//! What the repository promises of itself: which crate may know which, that links lead somewhere,
//! that no file is too long to be read, and that no file names a machine or a workplace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::programs::repository;

/// The arrows: each crate, and those it may know. They point one way.
const ARROWS: [(&str, &[&str]); 13] = [
    ("rfid-driver", &[]),
    ("domain", &[]),
    ("mapped-file", &[]),
    ("kernel-clock", &[]),
    ("broker-link", &[]),
    ("broker-authority", &["domain"]),
    ("lane-controller", &["rfid-driver", "domain", "mapped-file", "kernel-clock", "broker-link"]),
    ("clearing-house", &["domain", "broker-link", "broker-authority"]),
    ("reconciliation", &["clearing-house", "domain"]),
    ("console", &["reconciliation", "clearing-house", "domain", "broker-link"]),
    ("simulator", &["rfid-driver", "domain", "broker-link", "broker-authority"]),
    ("tests", EVERYTHING),
    ("benches", EVERYTHING),
];
const EVERYTHING: &[&str] = &[
    "rfid-driver",
    "domain",
    "mapped-file",
    "broker-link",
    "broker-authority",
    "kernel-clock",
    "lane-controller",
    "clearing-house",
    "reconciliation",
    "console",
    "simulator",
    "tests",
];
/// A file is short enough to be read in one sitting; past this it is not.
const LINES_MAX: usize = 700;

/// Every arrow that may not be, of dependencies of any kind.
fn wrong_arrows(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name_of).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = name_of(package);
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{name} has no place among the arrows"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten().map(name_of) {
            if ours.contains(&dependency) && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} may not know {dependency}"));
            }
        }
    }
    wrong
}

#[test]
fn crates_know_each_other_one_way_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .arg("--manifest-path")
        .arg(repository("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    assert_eq!(metadata["packages"].as_array().map(Vec::len), Some(ARROWS.len()));
    assert_eq!(wrong_arrows(&metadata), Vec::<String>::new());
}

#[test]
fn an_arrow_that_points_the_other_way_is_found_whatever_its_kind() {
    let metadata = serde_json::json!({"packages": [
        {"name": "domain", "dependencies": [
            {"name": "serde", "kind": null}, {"name": "clearing-house", "kind": "dev"},
        ]},
        {"name": "clearing-house", "dependencies": [{"name": "domain", "kind": null}]},
        {"name": "newcomer", "dependencies": []},
    ]});
    assert_eq!(
        wrong_arrows(&metadata),
        ["domain may not know clearing-house", "newcomer has no place among the arrows"]
    );
}

/// The files of the repository: those that are tracked, and those that could be.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .arg("-C")
        .arg(repository(""))
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("git runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names are text");
    let files: BTreeSet<PathBuf> =
        names.split_terminator('\0').map(repository).filter(|path| path.is_file()).collect();
    assert!(files.len() > 100, "{} files only", files.len());
    files.into_iter().collect()
}

fn files_of(extension: &str) -> impl Iterator<Item = PathBuf> {
    files().into_iter().filter(move |path| path.extension().is_some_and(|own| own == extension))
}

/// Targets of a Markdown text that are files: `[text](target)`, without what follows a `#`.
fn links(markdown: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in markdown.lines() {
        is_code ^= line.trim_start().starts_with("```");
        // What stands between backticks is text.
        let told: Vec<&str> = line.split('`').collect();
        let told = told.iter().step_by(2).copied().filter(|_| !is_code);
        let ends = told.flat_map(|part| part.split("](").skip(1).collect::<Vec<_>>());
        for target in ends.filter_map(|rest| rest.split([')', ' ']).next()) {
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

fn dead_links(file: &Path, markdown: &str) -> Vec<String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let dead = |target: &&str| !folder.join(target).exists();
    links(markdown)
        .into_iter()
        .filter(dead)
        .map(|target| format!("{}: {target}", file.display()))
        .collect()
}

#[test]
fn links_in_documents_lead_to_files() {
    let dead: Vec<String> = files_of("md")
        .flat_map(|file| dead_links(&file, &fs::read_to_string(&file).expect("documents are text")))
        .collect();
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "[here](Cargo.toml#x) [out](https://a.example/b) `[not](a-link)`\n```\n[nor](this)\n```\n[x](gone.md)";
    let file = repository("README.md");
    assert_eq!(dead_links(&file, text), [format!("{}: gone.md", file.display())]);
}

#[test]
fn rust_files_can_be_read_in_one_sitting() {
    let long: Vec<String> = files_of("rs")
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).expect("sources are text").lines().count();
            (lines > LINES_MAX).then(|| format!("{}: {lines} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines, divide them:\n{}", long.join("\n"));
}

/// What no file may name, in two halves so that this one does not: folders of a machine, and of a
/// place where the repository is worked on.
const NAMES_NOTHING: [(&str, &str); 6] = [
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/tm", "p/"),
    ("cla", "ude"),
    ("anthr", "opic"),
];

fn told_by(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let names = NAMES_NOTHING.map(|(start, end)| format!("{start}{end}"));
    names.into_iter().find(|name| {
        text.match_indices(name.as_str()).any(|(place, _)| {
            // `target/tmp/` and `a.example/home/` are no folders of a machine.
            let before = text[..place].chars().next_back();
            !name.starts_with('/')
                || before.is_none_or(|c| !c.is_alphanumeric() && !".-_}*".contains(c))
        })
    })
}

#[test]
fn no_file_names_a_machine_or_a_workplace() {
    let told: Vec<String> = files()
        .into_iter()
        .filter(|file| !file.ends_with("Cargo.lock"))
        .filter_map(|file| {
            let text = fs::read(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
            told_by(&text).map(|name| format!("{}: {name}", file.display()))
        })
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn a_machines_folder_is_told_from_a_part_of_a_path() {
    let folder = format!("in \"{}{}x\"", "/ho", "me/");
    assert!(told_by(&folder).is_some());
    assert_eq!(told_by("target/home/x and https://a.example/home/"), None);
}
