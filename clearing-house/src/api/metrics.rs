//! Numbers for a monitoring system, in Prometheus' text format. None costs a look at all passages.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::App;
use super::problem::Problem;

/// Answers by the first digit of their status.
#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 6]);

impl Counters {
    pub(super) fn count(&self, status: StatusCode) {
        if let Some(counter) = self.0.get(usize::from(status.as_u16() / 100)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Name, help, kind and statement of what is read from the books.
const GAUGES: [(&str, &str, &str, &str); 5] = [
    (
        "etc_passages_posted_total",
        "Passages up to the watermark of their lane",
        "counter",
        "select coalesce(sum(posted_upto), 0)::int8 from lane_epoch",
    ),
    (
        "etc_quarantined_messages",
        "Messages in quarantine",
        "gauge",
        "select count(*) from quarantine",
    ),
    (
        "etc_list_version",
        "Version of the account list",
        "counter",
        "select coalesce(max(version), 0) from list_delta",
    ),
    (
        "etc_list_changes_waiting",
        "Changes that are not in a delta yet",
        "gauge",
        "select count(*) from list_change",
    ),
    (
        "etc_list_deltas_unpublished",
        "Deltas the broker has not taken yet",
        "gauge",
        "select count(*) from list_delta where published_at is null",
    ),
];

/// All numbers.
pub(super) async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let mut text = String::new();
    for (name, help, kind, sql) in GAUGES {
        let value: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.0.pool)
            .await
            .map_err(|error| Problem::books(&error))?;
        write!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}\n").ok();
    }
    let name = "etc_api_answers_total";
    write!(text, "# HELP {name} Answers of this API.\n# TYPE {name} counter\n").ok();
    for (class, counter) in app.0.counters.0.iter().enumerate().skip(2) {
        let count = counter.load(Ordering::Relaxed);
        writeln!(text, "{name}{{status=\"{class}xx\"}} {count}").ok();
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
