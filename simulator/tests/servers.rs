//! The two servers of a run, for real: they come up, survive `kill -9`, and are gone at the end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::database::Database;
use simulator::demo::run_folder::RunFolder;

/// The programs as `./test` names them, else as the install script finds them.
fn found(name: &str) -> PathBuf {
    static SAID: OnceLock<String> = OnceLock::new();
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let said = SAID.get_or_init(|| {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/install-prerequisites.sh");
        let output = Command::new(script).arg("/dev/stderr").output().expect("the script runs");
        assert!(output.status.success(), "the prerequisites could not be found or installed");
        String::from_utf8(output.stderr).expect("paths are text")
    });
    let line = said.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.expect("the install script names every program").into()
}

fn alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn the_broker_takes_its_users_and_nobody_else_and_survives_a_kill() {
    let run = RunFolder::temporary().unwrap();
    let lane = BrokerUser::Lanes(vec!["cienco4/ben-thuy/l01".parse().unwrap()]);
    let users = [
        BrokerUser::Centre,
        BrokerUser::System,
        BrokerUser::Console,
        BrokerUser::Simulator,
        lane.clone(),
    ];
    let broker = Broker::start(&run, &found("NATS_SERVER"), &users).unwrap();
    for user in &users {
        broker.connect(user).await.unwrap();
    }
    assert!(broker.connect(&BrokerUser::Observer).await.is_err(), "a stranger was let in");

    let centre = broker.connect(&BrokerUser::Centre).await.unwrap();
    let jetstream = async_nats::jetstream::new(centre);
    let stream = async_nats::jetstream::stream::Config {
        name: "PASSAGE".to_owned(),
        subjects: vec!["etc.v1.passage.>".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(stream).await.unwrap();

    let lane = broker.connect(&lane).await.unwrap();
    let lane = async_nats::jetstream::new(lane);
    let own = "etc.v1.passage.cienco4.ben-thuy.l01";
    lane.publish(own, "one".into()).await.unwrap().await.unwrap();

    let pid = broker.process().pid().unwrap();
    broker.kill9();
    assert!(!alive(pid));
    broker.restart().unwrap();
    let centre = broker.connect(&BrokerUser::Centre).await.unwrap();
    let stream = async_nats::jetstream::new(centre).get_stream("PASSAGE").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1, "what was acknowledged is still there");

    let pid = broker.process().pid().unwrap();
    drop(broker);
    assert!(!alive(pid));
}

#[test]
fn the_database_comes_back_after_a_kill_and_is_gone_at_the_end() {
    let run = RunFolder::temporary().unwrap();
    let database = Database::start(&run, &found("POSTGRES_BIN")).unwrap();
    database.create("another").unwrap();
    assert!(database.create("another").is_err());
    let pid = database.process().pid().unwrap();
    database.kill9();
    assert!(!alive(pid));
    database.restart().unwrap();
    assert!(database.create("another").is_err(), "what was created is still there");
    let pid = database.process().pid().unwrap();
    drop(database);
    assert!(!alive(pid));
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let (nats, postgres) = (found("NATS_SERVER"), found("POSTGRES_BIN"));
    let (one, two) = (RunFolder::temporary().unwrap(), RunFolder::temporary().unwrap());
    let brokers = [
        Broker::start(&one, &nats, &[BrokerUser::Centre]).unwrap(),
        Broker::start(&two, &nats, &[BrokerUser::Centre]).unwrap(),
    ];
    assert_ne!(brokers[0].url(), brokers[1].url());
    let databases =
        [Database::start(&one, &postgres).unwrap(), Database::start(&two, &postgres).unwrap()];
    assert_ne!(databases[0].url(), databases[1].url());
}
