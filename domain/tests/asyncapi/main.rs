//! `docs/asyncapi.yaml` is what this test makes of `domain::wire`, and fails where it is not.
//!
//! A schema is found by trying: a field that a message is still read without is optional, one that
//! may be null is nullable. Write the file anew with `WRITE_ASYNCAPI=1 cargo test -p domain --test
//! asyncapi`. A new message or stream goes to `catalogue`.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]

mod catalogue;
mod yaml;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::catalogue::{CHANNELS, Channel, Sample, samples};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// What stands at a place in the samples that have it.
fn describe(sample: &Sample, pointer: &str) -> Value {
    let here: Vec<&Value> =
        sample.values.iter().filter_map(|value| value.pointer(pointer)).collect();
    let told: Vec<&Value> = here.iter().filter(|value| !value.is_null()).copied().collect();
    let mut schema = match told.first() {
        None => json!({}),
        Some(Value::Null) => unreachable!("it is not null"),
        Some(Value::Bool(_)) => json!({"type": "boolean"}),
        Some(Value::Number(_)) => json!({"type": "integer"}),
        Some(Value::String(_)) => json!({"type": "string"}),
        Some(Value::Array(_)) => {
            json!({"type": "array", "items": describe(sample, &format!("{pointer}/0"))})
        }
        Some(Value::Object(_)) => object(sample, pointer),
    };
    // An enum of which some variants carry nothing and others something is text or an object.
    let kinds: BTreeSet<_> = told.iter().map(|value| value.is_object()).collect();
    if kinds.len() == 2 {
        schema = json!({"anyOf": [{"type": "string"}, object(sample, pointer)]});
    } else if !pointer.is_empty() && sample.reads_with_null(pointer) {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema
}

fn object(sample: &Sample, pointer: &str) -> Value {
    let objects: Vec<_> = sample
        .values
        .iter()
        .filter_map(|value| value.pointer(pointer).and_then(Value::as_object))
        .collect();
    let keys: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for key in keys {
        let field = format!("{pointer}/{key}");
        properties.insert(key.clone(), describe(sample, &field));
        let always = objects.iter().all(|object| object.contains_key(key));
        if always && !sample.reads_without(pointer, key) {
            required.push(key.clone());
        }
    }
    let closed = pointer.is_empty() && !sample.reads_with_more();
    let mut schema = json!({"type": "object", "properties": properties, "required": required});
    if closed {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

fn document() -> Value {
    let mut channels = serde_json::Map::new();
    let mut operations = serde_json::Map::new();
    for Channel { name, address, stream, message, reply, from, signed } in CHANNELS {
        let named = |name: &str| json!({"$ref": format!("#/components/messages/{name}")});
        let mut messages = json!({ *message: named(message) });
        if let Some(reply) = reply {
            messages[*reply] = named(reply);
        }
        let parameters: serde_json::Map<String, Value> = address
            .split('.')
            .filter_map(|token| token.strip_prefix('{')?.strip_suffix('}'))
            .map(|token| (token.to_owned(), json!({})))
            .collect();
        channels.insert(
            (*name).to_owned(),
            json!({
                "address": address,
                "parameters": parameters,
                "messages": messages,
                "x-stream": stream,
                "x-signed-by": signed,
            }),
        );
        let mut operation = json!({
            "action": "send",
            "channel": {"$ref": format!("#/channels/{name}")},
            "x-from": from,
        });
        if reply.is_some() {
            operation["reply"] = json!({"channel": {"$ref": format!("#/channels/{name}")}});
        }
        operations.insert((*name).to_owned(), operation);
    }
    let mut messages = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    for sample in samples() {
        let payload = json!({"$ref": format!("#/components/schemas/{}", sample.name)});
        let content = "application/json";
        messages
            .insert(sample.name.to_owned(), json!({"contentType": content, "payload": payload}));
        schemas.insert(sample.name.to_owned(), describe(&sample, ""));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Lanes, centre and desk",
            "version": "1",
            "description": "Made from domain::wire by domain/tests/asyncapi; see docs/subjects.md.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    })
}

#[test]
fn the_document_is_what_the_contract_is() {
    let path = repository("docs/asyncapi.yaml");
    let made = yaml::text(&document());
    if std::env::var_os("WRITE_ASYNCAPI").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(kept.lines()).position(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "docs/asyncapi.yaml is behind from line {} on: WRITE_ASYNCAPI=1 cargo test -p domain \
         --test asyncapi",
        differs.unwrap_or(kept.lines().count()) + 1
    );
}

#[test]
fn every_message_of_the_contract_has_a_schema() {
    let known: BTreeSet<&str> = samples().iter().map(|sample| sample.name).collect();
    let folder = repository("domain/src/wire/v1");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = 0;
    for path in files.chain([repository("domain/src/wire/v1.rs")]) {
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("pub struct ").skip(1) {
            let name = part.split([' ', '<', '(']).next().unwrap();
            let body = part.split("\n}").next().unwrap();
            if body.contains("pub v: u32") {
                found += 1;
                assert!(known.contains(name), "{name} is not in the catalogue of {}", file!());
            }
        }
    }
    assert!(found >= 15, "{found} messages only");
}

#[test]
fn every_stream_and_channel_is_in_both_documents() {
    use domain::wire::subject;
    let page = fs::read_to_string(repository("docs/subjects.md")).unwrap();
    for stream in subject::STREAMS {
        let prefix = stream.subjects.trim_end_matches(['>', '*']);
        let channel = CHANNELS.iter().find(|channel| channel.stream == Some(stream.name));
        let channel = channel.unwrap_or_else(|| panic!("{} has no channel", stream.name));
        assert!(channel.address.starts_with(prefix), "{} keeps {prefix}", stream.name);
        assert!(page.contains(&format!("`{}`", stream.name)), "{} in subjects.md", stream.name);
    }
    for Channel { address, message, reply, .. } in CHANNELS {
        let prefix = address.split(".{").next().unwrap();
        assert!(page.contains(prefix), "{prefix} is not in docs/subjects.md");
        for message in [Some(message), reply.as_ref()].into_iter().flatten() {
            assert!(page.contains(&format!("`{message}`")), "{message} is not in docs/subjects.md");
        }
    }
}
