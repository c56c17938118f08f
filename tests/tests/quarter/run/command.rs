//! The same by the command: for some files a person calls `reconciliation`, and never the library.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domain::Clock;
use serde_json::Value;
use tests::office::centre_key;
use tests::programs::built;

use super::super::theirs::mapping;
use super::super::truth::{date_of, settlement_day};
use super::super::world::OPERATORS;
use super::{Key, Remedy, Run, instant};

impl Run {
    /// Matches files with the books, and settles every case that this opened.
    pub(super) fn match_by_command(
        &mut self,
        operator: usize,
        day: i64,
        files: &[PathBuf],
        now_s: i64,
    ) {
        let config = self.config(now_s);
        let map = self.folder.path().join("map.toml");
        fs::write(&map, mapping(operator)).unwrap();
        let from = date_of(day);
        let mut arguments = vec!["match", "--ours-ledger", OPERATORS[operator].id, "--from", &from];
        arguments.extend(["--by-time", "--cases", "--json", "--theirs-as", text(&map), "--theirs"]);
        arguments.extend(files.iter().map(|path| text(path)));
        let totals = said(&run(&config, &arguments));
        assert!(totals["ours"]["rows"].as_u64().unwrap() > 0, "{totals}");
        let cases = said(&run(&config, &["case", "list", "--json"]));
        let mut opened = Vec::new();
        for case in cases.as_array().unwrap() {
            let word = |name: &str| case[name].as_str().unwrap().to_owned();
            let key: Key = (word("kind"), word("subject"));
            let seed = self.plan.seed;
            let expected = self.expected.get_mut(&key);
            let expected = expected.unwrap_or_else(|| panic!("seed {seed}: never planted: {case}"));
            if expected.code.is_none() {
                expected.code = Some(word("code"));
                opened.push(key);
            }
        }
        assert!(!opened.is_empty(), "nothing was found in the file of {from}");
        for key in opened {
            self.settle_by_command(&config, &key, now_s);
        }
    }

    fn settle_by_command(&mut self, config: &Path, key: &Key, now_s: i64) {
        let expected = self.expected.get_mut(key).unwrap();
        let code = expected.code.clone().unwrap();
        let how: Vec<String> = match expected.remedy.clone() {
            Remedy::Theirs => vec!["--theirs".to_owned()],
            Remedy::Stands => Vec::new(),
            Remedy::Correct { lane, seq, pair, charged, right } => {
                let day = settlement_day(pair.0, now_s);
                let passages = if right.is_some() { 0 } else { -1 };
                self.truth.correct(pair, day, right.unwrap_or(0) - charged, passages);
                let transfer = (self.journals[&lane] << 32) | i64::try_from(seq).unwrap();
                let mut how =
                    vec![format!("--correct={transfer}"), format!("--into={}", date_of(day))];
                how.extend(right.map(|right| format!("--right={right}")));
                how
            }
            Remedy::Charge { account, fare, pair } => {
                let day = settlement_day(pair.0, now_s);
                self.truth.correct(pair, day, fare, 0);
                let into = format!("--into={}", date_of(day));
                vec![format!("--charge={account}"), format!("--right={fare}"), into]
            }
            Remedy::Hole | Remedy::Bank | Remedy::Assign { .. } => {
                panic!("no matching finds {key:?}")
            }
        };
        let mut arguments = vec!["case", "propose", &code, "--by", "lan", "--note", "seen"];
        arguments.extend(how.iter().map(String::as_str));
        run(config, &arguments);
        run(config, &["case", "settle", &code, "--by", "minh", "--note", "seen too"]);
        self.expected.get_mut(key).unwrap().settled = true;
    }

    /// A configuration of these books, this morning.
    fn config(&self, now_s: i64) -> PathBuf {
        let folder = self.folder.path();
        let key = folder.join("centre.key");
        fs::write(&key, centre_key().to_secret_text()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let part = |name: &str, value: &str| {
            toml::Value::Table([(name.to_owned(), value.into())].into_iter().collect())
        };
        let clock = toml::Value::try_from(Clock::anchor(instant(now_s), 1.0)).unwrap();
        let parts = [
            ("clock", clock),
            ("database", part("url", &self.office.url)),
            ("centre", part("secret_key_file", text(&key))),
            ("statements", part("folder", text(&folder.join("statements")))),
        ];
        let config: toml::Table =
            parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let path = folder.join("reconciliation.toml");
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(config: &Path, arguments: &[&str]) -> Output {
    let program = built("reconciliation");
    let output =
        Command::new(program).arg("--config").arg(config).args(arguments).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "reconciliation {}: {why}", arguments.join(" "));
    output
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
