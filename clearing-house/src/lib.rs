//! The clearing house: passages become charges, charges become transfers, exactly once.
//!
//! *Intake* takes passages from the broker in batches; *rating* says what each costs; the *ledger*
//! holds the money; *lists* tell the lanes what changed for them; *receipts* let the lanes forget.
//! One database transaction holds a batch: passages, charges, transfers, balances, watermarks and
//! the outbox. Deliberately absent: decisions of a lane, settlement between parties
//! (`reconciliation`), screens (`console`).
//!
//! Modules in the order a passage meets them.

pub mod broker;
pub mod gate;
pub mod intake;
pub mod rating;
pub mod ledger;
pub mod lists;
pub mod directives;
pub mod receipts;
pub mod epochs;
pub mod lane_desk;
pub mod question;
pub mod manifests;
pub mod pictures;
pub mod registry;
pub mod tariff;
pub mod credentials;
pub mod account;
pub mod search;
pub mod api;
pub mod report;
pub mod verify;
pub mod config;
pub mod rights;
pub mod sql;
