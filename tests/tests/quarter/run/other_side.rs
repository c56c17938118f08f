//! The other side: its files are matched with the books; and what the scheduler does by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use domain::Clock;
use reconciliation::cases;
use reconciliation::cases::of_matching::{About, differences};
use reconciliation::matching::{Plan as Means, Rules};
use reconciliation::schedule::Scheduler;
use reconciliation::sides::again::once_each;
use reconciliation::sides::ledger::{By, Charges, charges};
use reconciliation::sides::{Mapping, Table};
use reconciliation::window::Actor;
use tests::office::centre_key;

use super::super::plan::FIRST;
use super::super::theirs::{file, mapping};
use super::super::truth::{date_of, day_number};
use super::super::world::OPERATORS;
use super::{Key, Remedy, Run, date, instant};

/// Days of the quarter whose files are matched by the command.
const BY_COMMAND: [i64; 2] = [20, 45];

impl Run {
    /// Takes an operator's file of a day, matches it with the books, and settles what is found.
    pub(super) async fn match_file(&mut self, operator: usize, day: i64, now_s: i64) {
        let id = OPERATORS[operator].id;
        let text = file(&self.plan, operator, day, &self.written);
        let mut paths: Vec<PathBuf> =
            vec![self.folder.path().join(format!("{id}-{}.csv", date_of(day)))];
        fs::write(&paths[0], &text).unwrap();
        if day.rem_euclid(13) == 0 {
            let again = format!("{id}-{}-again.csv", date_of(day));
            let planted = format!("the file of {id} {} sent again", date_of(day));
            self.expect("duplicate", format!("file {again}"), planted, Remedy::Theirs);
            paths.push(self.folder.path().join(again));
            fs::write(&paths[1], &text).unwrap();
        }
        if BY_COMMAND.contains(&(day - day_number(FIRST))) {
            self.match_by_command(operator, day, &paths, now_s);
            return;
        }
        self.match_by_library(operator, day, &paths, now_s).await;
    }

    async fn match_by_library(&mut self, operator: usize, day: i64, paths: &[PathBuf], now_s: i64) {
        let id = OPERATORS[operator].id;
        let about = About::of(&self.office.pool, &id.parse().unwrap(), date(day)).await.unwrap();
        let (once, again) = once_each(paths).unwrap();
        let theirs_as = Mapping::try_from_toml(&mapping(operator)).unwrap();
        let opened = once.into_iter().map(|path| (path.clone(), fs::File::open(path).unwrap()));
        let theirs = Table::of(opened.collect(), &theirs_as).unwrap();
        let by = By::Passed(about.calendar.clone());
        let wanted = Charges {
            operator: about.operator.clone(),
            issuer: None,
            from: about.day,
            through: about.day,
            by,
        };
        let ours = charges(&self.office.pool, &wanted, self.folder.path()).await.unwrap();
        let ours = Table::of(vec![("books".into(), ours)], &Mapping::normal()).unwrap();
        let folder = self.folder.path().to_owned();
        let means = Means { workers: 1, memory_bytes: None, folder };
        let (_, mut found) =
            differences((&ours, &theirs), &Rules::default(), &means, &about).unwrap();
        found.extend(again.iter().map(|again| about.sent_again(again)));
        let mut keys = Vec::new();
        for found in &found {
            keys.push(self.open(found, now_s).await);
        }
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "one thing is told twice: {keys:?}");
        for key in keys {
            self.settle(&key, now_s).await;
        }
        if day.rem_euclid(7) != 0 {
            return;
        }
        // Matched again, it is the same cases.
        let (_, again) = differences((&ours, &theirs), &Rules::default(), &means, &about).unwrap();
        let all = cases::open_all(&self.office.pool, &again, &Actor::Program, instant(now_s)).await;
        assert!(
            all.unwrap()
                .iter()
                .all(|code| self.expected.values().any(|one| one.code.as_ref() == Some(code)))
        );
    }

    /// The scheduler's part: payments that no bank shows, and at a month's beginning everything.
    pub(super) async fn schedule(&mut self, today: i64, now_s: i64) {
        let clock = Clock::of_run(Some(Clock::anchor(instant(now_s), 1.0)));
        let (pool, folder) = (&self.office.pool, self.folder.path());
        let scheduler = Scheduler { pool, clock: &clock, key: &centre_key(), folder };
        if date_of(today).ends_with("-01") {
            scheduler.tick().await.unwrap();
        } else {
            scheduler.late_banks().await.unwrap();
        }
        for case in cases::repo::cases(&self.office.pool, false).await.unwrap() {
            if case.kind == "bank-late" {
                let seed = self.plan.seed;
                let expected = self.expected.get_mut(&(case.kind.clone(), case.subject.clone()));
                let expected =
                    expected.unwrap_or_else(|| panic!("seed {seed}: never planted: {case:?}"));
                expected.code = Some(case.code);
            }
        }
    }
}
