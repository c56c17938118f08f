//! The description (`OpenAPI`): what the routes say of themselves, and what the layers around them add.
//!
//! A route tells its own answer and its own refusals. That a key may be missing, refused or used too
//! often, that the books may be away, that a page may be unchanged: what is true of all is added here
//! once, so that no route can forget it.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApiBuilder};

use super::caller::who_may;

/// What any request may be answered with, besides its own answer.
const ALWAYS: [StatusCode; 4] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// The API's description.
///
/// # Panics
/// Never: a description has a JSON form.
#[must_use]
pub fn openapi() -> Value {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token of a key: `clearing-house api key make`."))
        .build();
    let about = InfoBuilder::new()
        .title("clearing-house")
        .version("1")
        .description(Some(
            "Amounts are whole minor units. Instants are RFC 3339, days ISO 8601. Errors are problem \
             documents (RFC 9457), whose `type` never changes its meaning. Lists come in pages: `next` \
             of one is the `cursor` of the following. `x-roles` says which keys an operation is for; \
             each sees the rows of its own issuer or operator.",
        ))
        .build();
    let components =
        ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer)).build();
    let mut described = OpenApiBuilder::new().info(about).components(Some(components)).build();
    let (_, routes) = super::documented().split_for_parts();
    described.merge(routes);
    let mut described = serde_json::to_value(described).expect("a description has a JSON form");
    let paths = described["paths"].as_object_mut().into_iter().flatten();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            complete(&method.to_uppercase(), path, operation);
        }
    }
    described
}

/// The description as it is kept in `docs/openapi.json`.
///
/// # Panics
/// Never: a description has a JSON form.
#[must_use]
pub fn openapi_text() -> String {
    let mut text = serde_json::to_string_pretty(&openapi()).expect("a description has a JSON form");
    text.push('\n');
    text
}

/// Adds what is true of every operation.
fn complete(method: &str, path: &str, operation: &mut Value) {
    operation["x-roles"] = json!(who_may(method, path));
    operation["security"] = json!([{ "bearer": [] }]);
    let has_body = operation.get("requestBody").is_some();
    let is_told = has_body || operation.get("parameters").is_some();
    let own = operation["responses"].as_object().into_iter().flat_map(Map::keys);
    let mut refusals: Vec<StatusCode> = own
        .filter_map(|status| status.parse().ok())
        .filter(|s: &StatusCode| !s.is_success())
        .collect();
    refusals.extend(ALWAYS);
    refusals.extend(is_told.then_some(StatusCode::BAD_REQUEST));
    refusals.extend(has_body.then_some(StatusCode::PAYLOAD_TOO_LARGE));
    for status in refusals {
        operation["responses"][status.as_str()] = json!({
            "description": status.canonical_reason().unwrap_or_default(),
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
            } },
        });
    }
    let answer = &mut operation["responses"]["200"];
    if answer["description"].as_str().is_none_or(str::is_empty) {
        answer["description"] = json!("OK");
    }
    if method == "GET" {
        let text = json!({ "type": "string" });
        answer["headers"] = json!({ "ETag": { "schema": text } });
        operation["responses"]["304"] = json!({ "description": "as the ETag of If-None-Match" });
        let asks =
            json!({ "name": "If-None-Match", "in": "header", "required": false, "schema": text });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(asks),
            None => operation["parameters"] = json!([asks]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::caller::WHO;
    use super::*;

    /// Method, path and description of every operation.
    fn operations() -> Vec<(String, String, Value)> {
        let described = openapi();
        let mut all = Vec::new();
        for (path, operations) in described["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                all.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        all
    }

    #[test]
    fn the_description_that_is_kept_is_the_one_the_routes_make() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        assert!(
            std::fs::read_to_string(file).unwrap() == openapi_text(),
            "docs/openapi.json is not what the routes make: clearing-house api describe"
        );
    }

    #[test]
    fn every_operation_has_roles_and_every_row_of_the_table_an_operation() {
        let described: BTreeSet<(String, String)> =
            operations().into_iter().map(|(method, path, _)| (method, path)).collect();
        let table: BTreeSet<(String, String)> = WHO
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(described, table);
        assert!(WHO.iter().all(|(_, _, who)| !who.is_empty()));
        assert_eq!(table.len(), WHO.len(), "each row once");
    }

    #[test]
    fn every_operation_has_a_name_and_a_place_of_its_own() {
        let names: BTreeSet<_> =
            operations().iter().map(|(_, _, one)| one["operationId"].to_string()).collect();
        assert_eq!(names.len(), operations().len());
        for (method, path, operation) in operations() {
            assert!(path.starts_with("/api/v1/"), "{path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            for status in ["200", "401", "403", "429", "503"] {
                assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
            }
        }
    }

    #[test]
    fn whatever_moves_money_asks_for_an_idempotency_key() {
        let moves = ["top-ups", "refunds", "holds", "corrections", "approval", "disputes"];
        let asks = |operation: &Value| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let is_key = |one: &&Value| one["name"] == "Idempotency-Key" && one["required"] == true;
            parameters.filter(is_key).count() == 1
        };
        let found: Vec<_> = operations()
            .into_iter()
            .filter(|(method, path, _)| {
                method == "POST" && moves.iter().any(|end| path.ends_with(end))
            })
            .collect();
        assert_eq!(found.len(), moves.len());
        for (_, path, operation) in found {
            assert!(asks(&operation), "{path}");
        }
    }
}
