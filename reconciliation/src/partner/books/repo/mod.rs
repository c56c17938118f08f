//! The SQL of partner files out of the books. What may be large is streamed.

mod answers;
mod lists;
mod passages;

use futures::stream::BoxStream;
use serde_json::Value;

use crate::partner::exchange::ExchangeError;

pub(super) use answers::{
    Answered, Claim, add_decision, answered, claims, decisions, hold_decisions, left_standing,
    received, stands_at,
};
pub(super) use lists::{LastList, is_name_of_sent, last_list, listed, tags, written};
pub(super) use passages::{Wanted, calendar, corrections, is_closed, transactions, without_tag};

type Result<T> = std::result::Result<T, ExchangeError>;
type Rows<'a, T> = BoxStream<'a, Result<T>>;

/// A record as the database keeps it; it has seen to it that this is JSON.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Amounts and numbers of the books are never below zero.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The same for each row of a stream.
fn failed_each(what: &'static str) -> impl Fn(sqlx::Error) -> ExchangeError {
    move |source| ExchangeError::Database { what, source }
}
