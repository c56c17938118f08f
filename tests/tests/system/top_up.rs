//! Money into an account: once per reference, and the lanes hear of it.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use clearing_house::account::{AccountError, Effect, top_up};
use domain::account_list::{AccountList, ListDelta, ListStatus};
use domain::signature::{Context, Signature};
use domain::wire::v1::{DeltaRecord, parse};
use domain::wire::{SIGNATURE_HEADER, subject};
use domain::{AccountId, Amount, Clock};
use futures::StreamExt as _;
use futures::future::join_all;
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::configs::Common;
use simulator::demo::database::Role;
use simulator::demo::run_folder::RunFolder;
use tests::lane::vehicle;
use tests::office::{Office, POLICY, POOR, centre_key, noon};
use tests::programs::{built, nats_server};

fn vnd(amount: i64) -> Amount {
    Amount::try_new(amount).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_has_one_effect() {
    let office = Office::open().await;
    let pay = async |account, amount, reference| {
        top_up(&office.pool, AccountId::new(account), vnd(amount), reference, POLICY, noon()).await
    };
    assert_eq!(pay(1001, 200_000, "bank 1").await.unwrap(), Effect::Now);
    assert_eq!(pay(1001, 200_000, "bank 1").await.unwrap(), Effect::Before);
    assert!(matches!(pay(1001, 200_001, "bank 1").await, Err(AccountError::ReferenceTaken { .. })));
    assert!(matches!(pay(1003, 200_000, "bank 1").await, Err(AccountError::ReferenceTaken { .. })));
    assert!(matches!(pay(1001, 0, "bank 2").await, Err(AccountError::NoAmount)));
    assert!(matches!(pay(77, 200_000, "bank 2").await, Err(AccountError::NoAccount(_))));
    assert_eq!(office.balance(1001).await, 5_200_000);
    assert_eq!(office.balance(1003).await, 5_000_000);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_tries_at_once_pay_once() {
    let office = Office::open().await;
    let account = AccountId::new(1001);
    let tries = (0..8).map(|_| top_up(&office.pool, account, vnd(9_000), "one", POLICY, noon()));
    let done: Vec<Effect> = join_all(tries).await.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(done.iter().filter(|done| **done == Effect::Now).count(), 1, "{done:?}");
    assert_eq!(office.balance(1001).await, 5_009_000);
    office.assert_proven().await;
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_is_on_the_list_of_the_lanes() {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker =
        Broker::start(&run, &nats_server(), &[BrokerUser::Centre, BrokerUser::System]).unwrap();
    let key_file = run.secret("centre.key");
    std::fs::write(&key_file, centre_key().to_secret_text()).unwrap();
    let clock = Clock::anchor(noon(), 1.0);
    let database_urls = Role::ALL.map(|role| (role, office.url.clone())).into();
    let config = Common { run: &run, clock, broker: &broker, database_urls: &database_urls }
        .clearing_house(&key_file)
        .unwrap();
    let command = || {
        let mut command = Command::new(built("clearing-house"));
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command
    };
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    let mut deltas = client.subscribe(subject::LIST_DELTAS.subjects).await.unwrap();
    client.flush().await.unwrap();
    let log = std::fs::File::create(run.log("clearing-house")).unwrap();
    let _running = Running(command().arg("run").stderr(log).spawn().unwrap());

    let poor = vehicle(POOR);
    let mut list = AccountList::default();
    let mut hear = async |wanted: ListStatus| {
        while list.find(&poor.tag).is_none_or(|entry| entry.status != wanted) {
            let message = tokio::time::timeout(Duration::from_secs(20), deltas.next());
            let message = message.await.expect("a delta in time").unwrap();
            let headers = message.headers.as_ref().unwrap();
            let signature = headers.get(SIGNATURE_HEADER).unwrap().as_str().to_owned();
            let signature = Signature::try_from(signature).unwrap();
            centre_key().public().verify(Context::List, &message.payload, &signature).unwrap();
            let delta: DeltaRecord = parse("delta", &message.payload).unwrap();
            // Until the streams are made nothing is acknowledged, and it is published again.
            if delta.version > list.version() {
                list.apply(&ListDelta::from(delta)).unwrap();
            }
        }
        list.len()
    };
    let pay = |amount: &str, reference: &str| -> Output {
        let mut command = command();
        command.args(["account", "top-up", "--amount", amount, "--reference", reference]);
        command.arg("--account").arg(poor.account.to_string()).output().unwrap()
    };
    assert_eq!(hear(ListStatus::NoMoney).await, 52, "all tags are on the list");
    assert!(pay("30000", "first").status.success());
    hear(ListStatus::Low).await;
    assert!(pay("30000", "first").status.success(), "the same again is no error");
    assert!(!pay("30001", "first").status.success(), "another amount is");
    assert!(pay("900000", "second").status.success());
    hear(ListStatus::Good).await;
    assert_eq!(office.balance(poor.account).await, 970_000);
    office.assert_proven().await;
}
