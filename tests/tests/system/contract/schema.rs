//! Whether a value fits a schema, as far as the description uses the language of schemas.

use serde_json::Value;

/// What of a value does not fit, with its place.
pub(super) fn fault(all: &Value, schema: &Value, value: &Value, place: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return fault(all, all.pointer(pointer).unwrap(), value, place);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let fits = choices.iter().any(|one| fault(all, one, value, place).is_none());
            return (!fits).then(|| format!("{place}: {value} is none of the choices"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{place}: {value} is not allowed"));
    }
    if !kinds(schema).contains(&kind(value)) {
        return Some(format!("{place}: {value} is no {}", schema["type"]));
    }
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            let required = schema["required"].as_array().into_iter().flatten();
            let missing =
                required.filter_map(Value::as_str).find(|name| !fields.contains_key(*name));
            if let Some(missing) = missing {
                return Some(format!("{place}: {missing} is missing"));
            }
            fields.iter().find_map(|(name, value)| {
                let Some(schema) = known.and_then(|known| known.get(name)) else {
                    return Some(format!("{place}: {name} is not described"));
                };
                fault(all, schema, value, &format!("{place}.{name}"))
            })
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            fault(all, &schema["items"], item, &format!("{place}[{index}]"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The kinds of value a schema takes.
pub(super) fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => panic!("a schema without a type: {other} in {schema}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn a_value_that_does_not_fit_is_found_with_its_place() {
    let all = serde_json::json!({"schemas": {"Line": {
        "type": "object", "required": ["n"],
        "properties": {"n": {"type": "integer"}, "of": {"type": ["string", "null"]}},
    }}});
    let schema = serde_json::json!({"type": "array", "items": {"$ref": "#/schemas/Line"}});
    let found = |value| fault(&all, &schema, &value, "$").unwrap_or_default();
    assert_eq!(found(serde_json::json!([{"n": 1, "of": null}, {"n": 2}])), "");
    assert_eq!(found(serde_json::json!([{"n": 1}, {}])), "$[1]: n is missing");
    assert_eq!(found(serde_json::json!([{"n": 1, "x": 2}])), "$[0]: x is not described");
    assert_eq!(found(serde_json::json!([{"n": 1.5}])), "$[0].n: 1.5 is no \"integer\"");
    assert_eq!(found(serde_json::json!({})), "$: {} is no \"array\"");
}
