//! The whole system: real database, real broker, real programs.
//!
//! One target for all of it, because each target is linked by itself. Where the next test goes is
//! said in the crate's documentation.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]

mod books;
mod rating;
mod receipts;
mod top_up;
mod verify_can_fail;
mod demo;
