//! What a run writes down must not hold what nobody may read: the demo's logs are searched for its
//! own secrets, and for every plate and tag.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tests::demo::Demo;

/// Secrets are at least this long: shorter words are found everywhere.
const SECRET_LEN_MIN: usize = 20;

/// Every line of every file below a folder that could be a secret, and every password in it.
fn secrets_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            secrets_below(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let is_public = path.extension().is_some_and(|kind| kind == "crt" || kind == "toml");
            let is_a_list = path.extension().is_some_and(|kind| kind == "ndjson");
            if !is_public && !is_a_list {
                found.extend(text.lines().map(str::trim).map(str::to_owned));
            }
        }
    }
}

/// Passwords in addresses of the database.
fn passwords_of(config: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(config).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for address in text.split("postgres://").skip(1) {
            let password = address.split('@').next().and_then(|user| user.split(':').nth(1));
            found.extend(password.map(str::to_owned));
        }
    }
}

/// Every string under these keys, anywhere in a document.
fn values_of(value: &serde_json::Value, keys: &[&str], found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                if let (true, Some(text)) = (keys.contains(&key.as_str()), value.as_str()) {
                    found.insert(text.to_owned());
                }
                values_of(value, keys, found);
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| values_of(value, keys, found));
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn places(logs: &Path, words: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(logs).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default().to_lowercase();
        for word in words {
            if text.contains(&word.to_lowercase()) {
                // Not the word itself: a test's output is a log too.
                let start: String = word.chars().take(4).collect();
                found.push(format!("{}: {start}…", path.display()));
            }
        }
    }
    found
}

#[test]
fn logs_hold_no_secret_no_plate_and_no_tag() {
    let mut demo = Demo::start(&["--vehicles", "60", "--seed", "9"]);
    demo.report();
    let run = demo.run();
    let mut secrets = BTreeSet::new();
    secrets_below(&run.join("secrets"), &mut secrets);
    secrets_below(&run.join("authority"), &mut secrets);
    secrets.retain(|word| word.len() >= SECRET_LEN_MIN && !word.starts_with("-----"));
    passwords_of(&run.join("config"), &mut secrets);
    assert!(secrets.len() > 30, "only {} secrets were found to look for", secrets.len());

    let mut personal = BTreeSet::new();
    let accounts = fs::read_to_string(run.join("secrets/accounts.ndjson")).unwrap();
    for line in accounts.lines() {
        values_of(&serde_json::from_str(line).unwrap(), &["plate", "tag"], &mut personal);
    }
    assert!(personal.len() > 60, "only {} plates and tags to look for", personal.len());

    let logs = run.join("logs");
    assert!(fs::read_dir(&logs).unwrap().count() > 5, "a run has logs");
    assert_eq!(places(&logs, &secrets), Vec::<String>::new());
    assert_eq!(places(&logs, &personal), Vec::<String>::new());
    demo.end();
}

#[test]
fn a_secret_in_a_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), "connect postgres://etc:Geheim@x\n").unwrap();
    let words = BTreeSet::from(["geheim".to_owned(), "other".to_owned()]);
    assert_eq!(places(folder.path(), &words).len(), 1);
}
