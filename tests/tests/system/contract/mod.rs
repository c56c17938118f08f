//! The API against its own description, with requests that nobody would think of.
//!
//! For every operation of `docs/openapi.json`, requests are made from its schemas: right ones, ones at
//! the edge, and broken ones, with every kind of key and none. No answer may be the server's own failure,
//! none of a status or shape that the description does not have, and no key may get where `x-roles`
//! does not let it. Afterwards the books must still add up. A failure prints the request; the whole
//! run hangs on one number, `CONTRACT_SEED`, and its length on `CONTRACT_CASES` (requests of an
//! operation and a key).

mod request;
mod schema;

use axum::http::StatusCode;
use clearing_house::config::RequestRate;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, noon};

use crate::api::{Answer, Api, CALLERS};
use request::{Asker, Request};

/// Requests of each operation with each key.
const CASES: u64 = 8;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// An operation of the description.
struct Operation<'a> {
    method: String,
    path: &'a str,
    described: &'a Value,
}

impl Operation<'_> {
    fn is_for(&self, role: &str) -> bool {
        self.described["x-roles"].as_array().unwrap().iter().any(|one| one == role)
    }

    /// What is wrong with an answer, if anything is.
    fn fault(&self, all: &Value, caller: &str, answer: &Answer) -> Option<String> {
        let status = answer.status.as_u16();
        if status >= 500 {
            return Some("the server's own failure".to_owned());
        }
        let Some((_, role, _)) = CALLERS.iter().find(|(name, _, _)| *name == caller) else {
            let is_refused = answer.status == StatusCode::UNAUTHORIZED;
            return (!is_refused).then(|| "nobody's key opens".to_owned());
        };
        // A body that is too long is refused before anything else is looked at.
        let is_refused = answer.status == StatusCode::FORBIDDEN;
        if self.is_for(role) == is_refused {
            return Some(format!("x-roles says otherwise of {role}"));
        }
        let Some(response) = self.described["responses"].get(status.to_string()) else {
            return Some("an undocumented status".to_owned());
        };
        let Some(content) = response["content"].get(answer.kind.as_str()) else {
            return Some(format!("an undocumented kind of content, {:?}", answer.kind));
        };
        let Ok(body) = serde_json::from_str(&answer.text) else {
            return Some("no JSON".to_owned());
        };
        schema::fault(all, &content["schema"], &body, "$")
    }
}

fn operations(all: &Value) -> Vec<Operation<'_>> {
    let paths = all["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, described) in methods.as_object().unwrap() {
            operations.push(Operation { method: method.to_uppercase(), path, described });
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_makes_the_api_fail_or_answer_what_it_does_not_describe() {
    let all: Value = serde_json::from_str(&clearing_house::api::openapi_text()).unwrap();
    let office = Office::open().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let batch: Vec<_> =
        (1..=9).map(|number| lane.pass(&vehicle(number), "2026-03-02T01:00:00Z")).collect();
    office.books().await.post(&batch, noon()).await.unwrap();
    let often = std::num::NonZeroU16::MAX;
    let api = Api::open_at_rate(&office, RequestRate { per_s: often, burst: often }).await;

    let seed = from_environment("CONTRACT_SEED", 20_260_302);
    let mut asker = Asker::new(ChaCha8Rng::seed_from_u64(seed), &all);
    let cases = from_environment("CONTRACT_CASES", CASES);
    let mut faults = Vec::new();
    let mut answered = std::collections::BTreeMap::new();
    for operation in operations(&all) {
        let names = CALLERS.map(|(name, _, _)| name).into_iter().chain(["", "etc_nobody"]);
        for caller in names {
            for _ in 0..cases {
                let Request { path, key, body } =
                    asker.request(operation.path, operation.described);
                let method = operation.method.parse().unwrap();
                let answer =
                    api.send_bytes(caller, method, &path, key.as_deref(), body.clone()).await;
                asker.learn(&answer.text);
                *answered.entry(answer.status.as_u16()).or_insert(0) += 1;
                if let Some(fault) = operation.fault(&all, caller, &answer) {
                    let said = body.map(|body| {
                        String::from_utf8_lossy(&body).chars().take(300).collect::<String>()
                    });
                    faults.push(format!(
                        "{fault}: {caller} {} {path} {key:?} {said:?} -> {} {:.300}",
                        operation.method, answer.status, answer.text
                    ));
                }
            }
        }
    }
    faults.truncate(20);
    assert!(faults.is_empty(), "CONTRACT_SEED={seed}: {faults:#?}");
    for status in [200, 400, 401, 403, 404, 409, 413, 422] {
        assert!(answered.contains_key(&status), "no answer was {status}: {answered:?}");
    }
    office.assert_proven().await;
}
