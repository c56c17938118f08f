//! Requests made from a description: right, at the edge, and broken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::schema::kinds;

/// A request without its caller and method.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) key: Option<String>,
    pub(super) body: Option<Vec<u8>>,
}

/// Makes requests, and learns from answers what a cursor or number may be.
pub(super) struct Asker<'a> {
    rng: ChaCha8Rng,
    all: &'a Value,
    cursors: Vec<String>,
    keys: u32,
}

/// What is in the test's books, by the name of the field that asks for it.
const KNOWN: [(&str, &[&str]); 16] = [
    ("account", &["1001", "1002", "1005"]),
    ("hold", &["1", "2"]),
    ("proposal", &["1", "2"]),
    ("operator", &["cienco4", "vec"]),
    ("station", &["ben-thuy", "mai-son"]),
    ("lane", &["l01"]),
    ("epoch", &["1"]),
    ("seq", &["1", "9"]),
    ("day", &["2026-03-02"]),
    ("version", &["ben-thuy-2023-12-29"]),
    ("issuer", &["vetc", "vdtc"]),
    ("plate", &["30A-123.45", "29B12345"]),
    ("tag", &["3416AABB01", "3416AABB02"]),
    ("passage", &["cienco4/ben-thuy/l01:1:1", "cienco4/ben-thuy/l01:1:5"]),
    ("disposition", &["posted", "pending", "invalid"]),
    ("in_force_at", &["2026-03-02T00:00:00Z"]),
];

const EDGES: [i64; 9] =
    [0, 1, -1, 4_294_967_297, i32::MAX as i64, i64::MAX, i64::MIN, i64::MAX - 1, 1_000_000_000_000];
const INSTANTS: [&str; 6] = [
    "2026-03-02T01:00:00Z",
    "-009999-01-02T01:59:59Z",
    "1969-12-31T23:59:59Z",
    "9999-12-30T22:00:00.999999999Z",
    "2026-02-30T00:00:00Z",
    "yesterday",
];
const DAYS: [&str; 6] =
    ["2026-03-02", "-009999-01-01", "9999-12-31", "2026-02-30", "0000-00-00", "today"];

impl<'a> Asker<'a> {
    pub(super) fn new(rng: ChaCha8Rng, all: &'a Value) -> Self {
        Self { rng, all, cursors: Vec::new(), keys: 0 }
    }

    /// Keeps the cursor of an answer.
    pub(super) fn learn(&mut self, text: &str) {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        self.cursors.extend(answer["next"].as_str().map(ToOwned::to_owned));
    }

    fn now_and_then(&mut self, of: u32) -> bool {
        self.rng.random_range(0..of) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).unwrap().clone()
    }

    pub(super) fn request(&mut self, path: &str, operation: &Value) -> Request {
        let mut request = Request { path: path.to_owned(), key: None, body: None };
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    let word = self.word(name, &parameter["schema"]);
                    // With nothing there it is another route.
                    let value = escaped(if word.is_empty() { "x" } else { &word });
                    request.path = request.path.replace(&format!("{{{name}}}"), &value);
                }
                "query" if !self.now_and_then(3) => {
                    let value = escaped(&self.word(name, &parameter["schema"]));
                    query.push(format!("{name}={value}"));
                }
                "header" if name == "Idempotency-Key" => request.key = self.key(),
                _ => {}
            }
        }
        if self.now_and_then(30) {
            query.push(self.pick(&["x=1", "cursor", "%00=%00", "limit=1&limit=2", "%"]).to_owned());
        }
        if !query.is_empty() {
            request.path = format!("{}?{}", request.path, query.join("&"));
        }
        if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
            request.body = Some(self.body(schema));
        }
        request
    }

    fn key(&mut self) -> Option<String> {
        self.keys += 1;
        match self.rng.random_range(0..20) {
            0 => None,
            1 => Some(String::new()),
            2 => Some("k".repeat(101)),
            3 => Some("the same".to_owned()),
            _ => Some(format!("k{}", self.keys)),
        }
    }

    /// A part of an address.
    fn word(&mut self, name: &str, schema: &Value) -> String {
        if name == "cursor" {
            return self.cursor();
        }
        let known = KNOWN.iter().find(|(one, _)| *one == name).map(|(_, known)| *known);
        if let Some(known) = known.filter(|_| !self.now_and_then(4)) {
            return self.pick(known).to_owned();
        }
        if schema["format"] == "date" && !self.now_and_then(4) {
            return self.pick(&DAYS).to_owned();
        }
        if schema["format"] == "date-time"
            || (["from", "until"].contains(&name) && !self.now_and_then(4))
        {
            return self.pick(&INSTANTS).to_owned();
        }
        match self.rng.random_range(0..3) {
            0 => self.pick(&EDGES).to_string(),
            1 => self.text(),
            _ => self.rng.random_range(-2..600).to_string(),
        }
    }

    fn cursor(&mut self) -> String {
        if !self.cursors.is_empty() && !self.now_and_then(3) {
            let cursors = self.cursors.clone();
            return self.pick(&cursors);
        }
        let place = match self.rng.random_range(0..6) {
            0 => json!(self.pick(&EDGES)),
            1 => json!(self.text()),
            2 => json!([self.pick(&DAYS), self.pick(&["vec", "\0", "cienco4"])]),
            3 => json!({
                "day": self.pick(&DAYS), "at": self.pick(&INSTANTS),
                "journal": self.pick(&EDGES), "seq": self.pick(&EDGES),
            }),
            4 => json!({"day": null, "at": self.pick(&INSTANTS), "journal": 1, "seq": -1}),
            _ => return self.text(),
        };
        URL_SAFE_NO_PAD.encode(place.to_string())
    }

    fn text(&mut self) -> String {
        let long = "ă".repeat(3_000);
        self.pick(&[
            "",
            " ",
            "x",
            "\0",
            "a\0b",
            "'; drop table passage",
            "30A-123.45",
            "🚗",
            "..",
            "a/b",
            "\u{202e}",
            "null",
            "-",
            "%s",
            "\n",
            long.as_str(),
        ])
        .to_owned()
    }

    fn body(&mut self, schema: &Value) -> Vec<u8> {
        match self.rng.random_range(0..40) {
            0 => Vec::new(),
            1 => b"{".to_vec(),
            2 => vec![0xff, 0xfe, 0x00],
            3 => format!("{{\"reason\": \"{}\"}}", "x".repeat(70_000)).into_bytes(),
            4 => "[".repeat(10_000).into_bytes(),
            _ => self.value("", schema).to_string().into_bytes(),
        }
    }

    /// A value of a schema, or now and then another.
    fn value(&mut self, name: &str, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self.all.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            return self.value(name, schema);
        }
        if self.now_and_then(14) {
            let text = self.text();
            let edge = self.pick(&EDGES);
            return self.pick(&[
                json!(null),
                json!(true),
                json!([]),
                json!({}),
                json!(1.5),
                json!(text),
                json!(edge),
                json!(18_446_744_073_709_551_615_u64),
            ]);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let choice = self.pick(choices);
            return self.value(name, &choice);
        }
        if let Some(allowed) = schema["enum"].as_array() {
            return self.pick(allowed);
        }
        let kind = (*kinds(schema).first().unwrap()).to_owned();
        match kind.as_str() {
            "object" => self.object(schema),
            "array" => json!([self.value(name, &schema["items"])]),
            "integer" if self.now_and_then(3) => json!(self.pick(&EDGES)),
            "integer" => json!(self.rng.random_range(1..200_000)),
            "boolean" => json!(self.now_and_then(2)),
            "null" => Value::Null,
            _ => json!(self.word(name, schema)),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut fields = Map::new();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().unwrap() {
            let is_required = required.contains(&json!(name));
            let left_out = if is_required { self.now_and_then(25) } else { self.now_and_then(2) };
            if !left_out {
                fields.insert(name.clone(), self.value(name, schema));
            }
        }
        if self.now_and_then(30) {
            fields.insert("unknown".to_owned(), json!(1));
        }
        Value::Object(fields)
    }
}

/// As it stands in an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
