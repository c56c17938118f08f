//! Who may say and hear what at the broker.
//!
//! The effect is the table in `docs/subjects.md`. A lane has no right to create a consumer: with it
//! a user made the broker itself publish into another lane's subject. What a lane missed it fetches
//! by direct get, subject by subject, and only what is its own or everybody's.

use domain::wire::subject;
use domain::{OperatorId, StationId};
use serde_json::{Value, json};

/// A user that is no lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The clearing house: everything in the account.
    Centre,
    /// The desk of all operators: hears what lanes tell, and sends commands.
    Console,
    /// The desk of one operator: the same for its lanes alone.
    OperatorConsole(OperatorId),
    /// The desk of one station: the same for its lanes alone.
    StationConsole(OperatorId, StationId),
    /// The simulator's attendants: as the console.
    Simulator,
    /// A person or program that only looks on: at everything but pictures of people.
    Observer,
    /// The broker's own account: pushes revocations, reads how the streams are kept.
    System,
}

impl Part {
    /// Its name, in files, tokens and certificates.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Centre => "centre".to_owned(),
            Self::Console => "console".to_owned(),
            Self::OperatorConsole(operator) => format!("console-{operator}"),
            Self::StationConsole(operator, station) => format!("console-{operator}-{station}"),
            Self::Simulator => "simulator".to_owned(),
            Self::Observer => "observer".to_owned(),
            Self::System => "system".to_owned(),
        }
    }

    /// The subjects it may publish to, and those it may subscribe to.
    pub(crate) fn rights(&self, user: &str) -> Rights {
        let inbox = format!("_INBOX.{user}.>");
        let own = |subjects: &[&str]| subjects.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        match self {
            Self::Centre | Self::System => Rights::new(own(&[">"]), own(&[">"])),
            Self::Console => desk(">", ">", inbox),
            Self::OperatorConsole(operator) => {
                let below = format!("{operator}.>");
                desk(&below, &below, inbox)
            }
            Self::StationConsole(operator, station) => {
                let station = format!("{operator}.{station}");
                desk(&format!("{station}.*"), &format!("{station}.>"), inbox)
            }
            Self::Simulator => {
                let hears = [subject::ALL_EVENTS, subject::ALL_HEARTBEATS, inbox.as_str()];
                Rights::new(own(&["etc.v1.command.>"]), own(&hears))
            }
            Self::Observer => {
                let rights = Rights::new(Vec::new(), own(&["etc.v1.>", &inbox]));
                Rights { deaf_to: own(&[subject::PICTURES.subjects]), ..rights }
            }
        }
    }
}

/// What the desk of some lanes may do: it hears what they tell, pictures (which are `below` a lane)
/// included, fetches a picture by its digest, and sends commands.
fn desk(lanes: &str, below: &str, inbox: String) -> Rights {
    let of = |kind: &str| format!("etc.v1.{kind}.{lanes}");
    let pictures = format!("etc.v1.picture.{below}");
    let fetch = format!("$JS.API.DIRECT.GET.{}.{pictures}", subject::PICTURES.name);
    Rights::new(vec![of("command"), fetch], vec![of("event"), of("heartbeat"), pictures, inbox])
}

/// What a user may do; empty means nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    publish: Vec<String>,
    subscribe: Vec<String>,
    /// What it does not hear of all that it may subscribe to.
    deaf_to: Vec<String>,
}

impl Rights {
    fn new(publish: Vec<String>, subscribe: Vec<String>) -> Self {
        Self { publish, subscribe, deaf_to: Vec::new() }
    }

    /// As a token says it; whoever is asked may answer once, within ten seconds.
    pub(crate) fn claims(&self) -> Value {
        let one = |allowed: &[String], denied: &[String]| match (allowed, denied) {
            // To the broker an empty list of allowed subjects means all of them.
            ([], _) => json!({ "deny": [">"] }),
            (some, []) => json!({ "allow": some }),
            (some, none_of) => json!({ "allow": some, "deny": none_of }),
        };
        json!({
            "pub": one(&self.publish, &[]),
            "sub": one(&self.subscribe, &self.deaf_to),
            "resp": { "max": 1, "ttl": 10_000_000_000_u64 },
            "subs": -1,
            "data": -1,
            "payload": -1,
            "allowed_connection_types": ["STANDARD"],
        })
    }
}

/// What lanes may do. The broker puts each lane's own tags into the places in double braces, and
/// one subject per lane where a credential is for several.
pub(crate) fn of_lanes() -> Rights {
    let own = |kind: &str| format!("etc.v1.{kind}.{LANE}");
    let mut publish: Vec<String> = LANE_SAYS.iter().map(|kind| own(kind)).collect();
    // The bytes of each picture, under their digest.
    publish.push(format!("{}.*", own("picture")));
    publish.extend([subject::EPOCH_REQUEST, subject::TIME].map(str::to_owned));
    publish.push(format!("$JS.API.DIRECT.GET.{}.{}", subject::RECEIPTS.name, own("receipt")));
    for stream in [subject::LIST_DELTAS, subject::LIST_SNAPSHOTS] {
        publish.push(format!("$JS.API.DIRECT.GET.{}.{}", stream.name, stream.subjects));
    }
    // What the broker holds last of a lane: after an outage only what it lost is sent again.
    publish.push(format!("$JS.API.DIRECT.GET.{}.{}", subject::PASSAGES.name, own("partition.*")));
    for directive in
        ["directive.tariff.{{tag(operator)}}".to_owned(), format!("directive.lane.{LANE}")]
    {
        publish.push(format!("$JS.API.DIRECT.GET.{}.etc.v1.{directive}", subject::DIRECTIVES.name));
    }
    // Entries are read one after the other, which the form with a subject cannot do. They carry
    // no plate and no tag, and are for every exit of a road.
    publish.push(format!("$JS.API.DIRECT.GET.{}", subject::ENTRIES.name));
    let mut subscribe: Vec<String> = LANE_HEARS.iter().map(|kind| own(kind)).collect();
    for stream in [subject::LIST_DELTAS, subject::ENTRIES] {
        subscribe.push(stream.subjects.to_owned());
    }
    subscribe.push("_INBOX.{{subject()}}.>".to_owned());
    Rights::new(publish, subscribe)
}

const LANE: &str = "{{tag(operator)}}.{{tag(station)}}.{{tag(lane)}}";
/// The kinds of subject that end in a lane and are that lane's to publish to.
const LANE_SAYS: [&str; 6] = ["passage", "event", "heartbeat", "ask", "manifest", "picture"];
/// The kinds of subject that end in a lane and are that lane's to hear.
const LANE_HEARS: [&str; 2] = ["receipt", "command"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_may_say_and_hear_what_is_its_own_and_create_nothing() {
        let rights = of_lanes();
        let api: Vec<_> = rights.publish.iter().filter(|s| s.starts_with("$JS")).collect();
        assert!(
            !api.is_empty() && api.iter().all(|s| s.starts_with("$JS.API.DIRECT.GET.")),
            "{api:?}"
        );
        assert!(!rights.publish.iter().any(|s| s.contains("_INBOX") || s == ">"));
        assert!(rights.subscribe.iter().all(|s| s != ">" && s != "_INBOX.>"));
    }

    #[test]
    fn who_may_publish_nothing_is_denied_everything() {
        let claims = Part::Observer.rights("U").claims();
        assert_eq!(claims["pub"], json!({ "deny": [">"] }));
    }

    #[test]
    fn who_only_looks_on_sees_no_pictures() {
        let claims = Part::Observer.rights("U").claims();
        assert_eq!(claims["sub"]["deny"], json!(["etc.v1.picture.>"]));
        let desk = Part::Console.rights("U").claims();
        assert_eq!(desk["sub"]["deny"], Value::Null, "whose work it is does");
    }

    #[test]
    fn an_operators_desk_reaches_that_operators_lanes_alone() {
        let operator = "cienco4".parse().unwrap();
        let rights = Part::OperatorConsole(operator).rights("U");
        let all = rights.publish.iter().chain(&rights.subscribe);
        let foreign: Vec<_> =
            all.filter(|s| !s.starts_with("_INBOX.") && !s.contains(".cienco4.")).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }

    #[test]
    fn a_stations_desk_reaches_that_stations_lanes_alone() {
        let part = Part::StationConsole("cienco4".parse().unwrap(), "ben-thuy".parse().unwrap());
        let rights = part.rights("U");
        let all = rights.publish.iter().chain(&rights.subscribe);
        let subjects: Vec<_> = all.filter(|s| !s.starts_with("_INBOX.")).collect();
        assert_eq!(subjects.len(), 5);
        assert!(subjects.iter().all(|s| s.contains(".cienco4.ben-thuy.")), "{subjects:?}");
        assert_eq!(part.name(), "console-cienco4-ben-thuy");
    }
}
