//! The whole system: real database, real broker, real programs.
//!
//! One target for all of it, because each target is linked by itself. Where the next test goes is
//! said in the crate's documentation.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]

mod accounts;
mod api;
mod contract;
mod books;
mod ledger;
mod corrections;
mod partner;
mod partner_house;
mod partner_books;
mod partner_lists;
mod partner_station;
mod partner_at_once;
mod lists;
mod manifests;
mod minutes;
mod reports;
mod large_day;
mod rating;
mod receipts;
mod intake;
mod disturbed;
mod faults;
mod top_up;
mod verify_can_fail;
mod demo;
mod settlement;
mod holes;
mod progress;
mod verify_day;
mod security;
mod security_books;
mod security_logs;
