//! JSON values as YAML: blocks for what is nested, every text in quotes.

use std::fmt::Write as _;

use serde_json::Value;

/// The text of a document.
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::from("# Made by domain/tests/asyncapi; do not edit.\n");
    block(value, 0, &mut text);
    text
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(array) => array.iter().any(is_nested),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
                let key = if plain { key.clone() } else { Value::from(key.as_str()).to_string() };
                entry(&format!("{indent}{key}:"), value, depth, text);
            }
        }
        Value::Array(array) => {
            array.iter().for_each(|value| entry(&format!("{indent}-"), value, depth, text));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            unreachable!("only what is nested makes a block")
        }
    }
}

fn entry(head: &str, value: &Value, depth: usize, text: &mut String) {
    if is_nested(value) {
        text.push_str(head);
        text.push('\n');
        block(value, depth + 1, text);
    } else {
        // What is not nested is YAML as it is JSON.
        writeln!(text, "{head} {value}").unwrap();
    }
}
