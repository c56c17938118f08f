//! Reconciliation: proves the books, closes the day, says what each issuer owes each operator.
//!
//! *Matching* puts two sides' records into classes that add up; *sides* reads them from files.
//! *Settlement* closes an operator's day: complete, counted twice, fee taken, position fixed. The
//! *window* is that day's life until it is paid and matched with the bank. The *statement* is the paper of it,
//! signed; *minutes* are the paper of what two parties found. *Review* is people who look at a
//! passage's pictures again. *Partner* reads and writes the files of other operators and issuers.
//! *Verify* proves
//! afterwards, from the rows alone, that all of it still holds. Deliberately absent: posting of
//! passages and the ledger's door (`clearing-house`), screens (`console`).
//!
//! Money words: *gross* is the tolls charged to accounts; *cash* is the tolls the operator took
//! itself, shown but not payable; *fee* is the share the issuer keeps; *net* is gross less fee,
//! what the issuer owes the operator.

pub mod money;
pub mod contract;
pub mod calendar;
pub mod netting;
pub mod payment;
pub mod cases;
pub mod review;
pub mod schedule;
pub mod manifest;
pub mod window;
pub mod approval;
pub mod matching;
pub mod sides;
pub mod settlement;
pub mod statement;
pub mod partner;
pub mod papers;
pub mod minutes;
pub mod verify;
pub mod report;
pub mod reports;
pub mod schema;
pub mod config;
pub mod command;
