//! A centre whose servers are its own and may be killed: broker, database, and clearing houses as
//! processes of their own.

use std::fs;

use domain::Clock;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::configs::Common;
use simulator::demo::database::{Database, Standby};
use simulator::demo::process::{Recipe, Supervised};
use simulator::demo::run_folder::RunFolder;

use crate::office::{centre_key, found_office, noon};
use crate::programs::{built, nats_server, postgres_bin};

/// The servers of a centre; all of them end with it.
#[derive(Debug)]
pub struct Centre {
    /// The clearing houses.
    pub clearing_houses: Vec<Supervised>,
    /// The broker.
    pub broker: Broker,
    /// The database.
    pub database: Database,
    /// Where its books are.
    pub url: String,
    run: RunFolder,
}

impl Centre {
    /// Starts database and a broker that lets in what a centre needs. Blocks.
    #[must_use]
    pub fn start() -> Self {
        let run = RunFolder::temporary().expect("a folder for the run");
        let users = [BrokerUser::Centre, BrokerUser::System];
        let broker = Broker::start(&run, &nats_server(), &users).expect("a broker");
        let database = Database::start(&run, &postgres_bin()).expect("a database server");
        let url = database.create("books").expect("a database");
        Self { clearing_houses: Vec::new(), broker, database, url, run }
    }

    /// Makes the books.
    pub async fn found(&self) {
        found_office(&self.url).await;
    }

    /// Starts so many clearing houses beside each other, at noon of the office's day.
    pub fn open(&mut self, clearing_houses: usize) {
        let key_file = self.run.secret("centre.key");
        fs::write(&key_file, centre_key().to_secret_text()).expect("a key file");
        // All as the owner: what each role may do is `security_books`' to try.
        let database_urls =
            self.database.urls().into_keys().map(|role| (role, self.url.clone())).collect();
        let common = Common {
            run: &self.run,
            clock: Clock::anchor(noon(), 1.0),
            broker: &self.broker,
            database_urls: &database_urls,
        };
        let config = common.clearing_house(&key_file).expect("a configuration");
        for number in 1..=clearing_houses {
            let recipe = Recipe::new(
                &format!("clearing-house-{number}"),
                &built("clearing-house"),
                &self.run,
            )
            .arg("--config")
            .arg(&config)
            .arg("run");
            self.clearing_houses.push(Supervised::start(recipe).expect("a clearing house"));
        }
    }

    /// Kills the broker, throws away all it has stored, and starts it again.
    pub fn wipe_broker(&self) {
        self.broker.kill9();
        fs::remove_dir_all(self.run.join("broker/store")).expect("the broker's store");
        self.broker.restart().expect("the broker comes back");
    }

    /// Starts a second database server that follows the first.
    #[must_use]
    pub fn stand_by(&self) -> Standby {
        self.database.stand_by(&self.run, &postgres_bin()).expect("a standby")
    }

    /// The last lines of what the clearing houses said, for a test that fails.
    #[must_use]
    pub fn logs(&self) -> String {
        (1..=self.clearing_houses.len())
            .map(|number| {
                let log = self.run.log(&format!("clearing-house-{number}"));
                simulator::demo::process::tail_of(&log)
            })
            .collect()
    }
}
