//! The gate: in production no passage is taken from a broker that would lose it.
//!
//! A broker that does not write through loses what it acknowledged when its power goes, and one
//! that keeps a stream alone loses it with its disk. The lanes' journals make that safe for money;
//! it still costs a day of sending again. What is demanded: every broker writes each message
//! through (`sync_interval: always`), is new enough, and every stream is kept by as many as the
//! configuration says. A site with one broker says so, and is told each time what that means.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use futures::StreamExt;
use serde::Deserialize;

use crate::broker::STREAMS;
use crate::config::Production;

/// The oldest broker for production: from here on writing through is not ten times as slow.
const VERSION_MIN: (u64, u64) = (2, 15);
/// How long brokers may take to answer, and how long after the first the others may.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
const OTHERS_WITHIN: Duration = Duration::from_millis(500);

/// Why passages are not taken.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Nobody may ask the broker how it keeps things.
    #[error(
        "[production] is set, and [broker_system] is not: without it nobody can see how the broker keeps passages"
    )]
    NoSystemUser,
    /// The broker could not be asked.
    #[error("ask the brokers how they keep passages")]
    Ask(#[source] async_nats::Error),
    /// No broker answered.
    #[error("no broker with streams answered within {} s", FIRST_WITHIN.as_secs())]
    Silence,
    /// What was found will not do.
    #[error("the brokers are not fit for production: {}", .0.join("; "))]
    Unfit(Vec<String>),
}

/// What a broker says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    version: String,
    writes_through: bool,
}

/// Sees that the brokers are fit; hands back how many are to keep each stream.
///
/// Where `[production]` is absent everything is taken, and each stream kept by one.
///
/// # Errors
/// When a broker is not fit, or does not say.
pub async fn pass(
    production: Option<Production>,
    system: Option<&Client>,
    jetstream: &Context,
) -> Result<usize, GateError> {
    let Some(production) = production else {
        tracing::warn!("not in production: the broker is taken as it is");
        return Ok(1);
    };
    let brokers = ask(system.ok_or(GateError::NoSystemUser)?).await?;
    let mut streams = BTreeMap::new();
    for stream in STREAMS {
        if let Ok(found) = jetstream.get_stream(stream.name).await {
            streams.insert(stream.name.to_owned(), found.cached_info().config.num_replicas);
        }
    }
    let wrong = unfit(production, &brokers, &streams);
    if !wrong.is_empty() {
        return Err(GateError::Unfit(wrong));
    }
    if production.replicas < 3 {
        tracing::warn!(
            replicas = production.replicas,
            "one broker keeps what lanes send: when its disk dies, lanes send everything again from their journals"
        );
    }
    tracing::info!(brokers = brokers.len(), "the brokers are fit for production");
    Ok(usize::from(production.replicas))
}

/// Everything that is not as production demands, for a person.
fn unfit(
    production: Production,
    brokers: &BTreeMap<String, Kept>,
    streams: &BTreeMap<String, usize>,
) -> Vec<String> {
    let replicas = usize::from(production.replicas);
    let mut wrong = Vec::new();
    if replicas == 0 {
        wrong.push("[production] replicas is 0: at least one broker keeps each stream".to_owned());
    }
    if brokers.len() < replicas {
        wrong.push(format!("{} of {replicas} brokers answered", brokers.len()));
    }
    for (name, broker) in brokers {
        if !broker.writes_through {
            wrong.push(format!("{name} does not write through: set sync_interval: always"));
        }
        if !is_new_enough(&broker.version) {
            let (version, (major, minor)) = (&broker.version, VERSION_MIN);
            wrong.push(format!("{name} is version {version}: {major}.{minor} or newer is needed"));
        }
    }
    for (name, kept_by) in streams {
        if *kept_by < replicas {
            wrong.push(format!("the stream {name} is kept by {kept_by}, not by {replicas}"));
        }
    }
    wrong
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u64>().ok());
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= VERSION_MIN
}

#[derive(Deserialize)]
struct Answer {
    server: Server,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Server {
    name: String,
    ver: String,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    disabled: bool,
    config: Option<StoreConfig>,
}

#[derive(Deserialize)]
struct StoreConfig {
    #[serde(default)]
    sync_always: bool,
}

/// Asks all brokers of the cluster how they keep streams; those that keep none do not count.
async fn ask(system: &Client) -> Result<BTreeMap<String, Kept>, GateError> {
    let ask = |error: async_nats::Error| GateError::Ask(error);
    let inbox = system.new_inbox();
    let mut answers = system.subscribe(inbox.clone()).await.map_err(|error| ask(error.into()))?;
    system
        .publish_with_reply("$SYS.REQ.SERVER.PING.JSZ", inbox, r#"{"config":true}"#.into())
        .await
        .map_err(|error| ask(error.into()))?;
    let mut brokers = BTreeMap::new();
    let mut patience = FIRST_WITHIN;
    while let Ok(Some(message)) = tokio::time::timeout(patience, answers.next()).await {
        patience = OTHERS_WITHIN;
        let Answer { server, data } =
            serde_json::from_slice(&message.payload).map_err(|error| ask(error.into()))?;
        let Some(data) = data.filter(|data| !data.disabled) else { continue };
        let writes_through = data.config.is_some_and(|config| config.sync_always);
        brokers.insert(server.name, Kept { version: server.ver, writes_through });
    }
    if brokers.is_empty() { Err(GateError::Silence) } else { Ok(brokers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(version: &str, writes_through: bool) -> Kept {
        Kept { version: version.to_owned(), writes_through }
    }

    fn told(replicas: u8, brokers: &[(&str, Kept)], streams: &[(&str, usize)]) -> String {
        let brokers = brokers.iter().map(|(name, kept)| ((*name).to_owned(), kept.clone()));
        let streams = streams.iter().map(|(name, kept)| ((*name).to_owned(), *kept));
        unfit(Production { replicas }, &brokers.collect(), &streams.collect()).join("; ")
    }

    #[test]
    fn three_new_brokers_that_write_through_are_fit() {
        let good = broker("2.15.1", true);
        let three = [("a", good.clone()), ("b", good.clone()), ("c", good)];
        assert_eq!(told(3, &three, &[("PASSAGE", 3)]), "");
        assert_eq!(told(1, &three[..1], &[]), "");
    }

    #[test]
    fn each_fault_is_named_with_its_broker_or_stream() {
        let good = broker("2.15.1", true);
        let lazy = broker("2.15.1", false);
        assert!(told(1, &[("a", lazy)], &[]).contains("a does not write through"));
        for old in ["2.14.6", "2.9.10", "", "x"] {
            assert!(told(1, &[("a", broker(old, true))], &[]).contains("2.15"), "{old:?}");
        }
        assert!(told(3, &[("a", good.clone())], &[]).contains("1 of 3"));
        assert!(
            told(2, &[("a", good.clone()), ("b", good.clone())], &[("PASSAGE", 1)])
                .contains("PASSAGE")
        );
        assert!(told(0, &[("a", good)], &[]).contains("replicas is 0"));
    }
}
