//! Reconciliation: proves the books, closes the day, says what each issuer owes each operator.
//!
//! *Matching* puts two sides' records into classes that add up; *sides* reads them from files. *Settlement* closes an operator's
//! day: complete, counted twice, fee taken, position fixed. The *statement* is the paper of it,
//! signed. *Verify* proves afterwards, from the rows alone, that all of it still holds. Deliberately
//! absent: posting of passages and the ledger's door (`clearing-house`), screens (`console`), and
//! so far the exchange of files with partners.
//!
//! Money words: *gross* is the tolls charged to accounts; *cash* is the tolls the operator took
//! itself, shown but not payable; *fee* is the share the issuer keeps; *net* is gross less fee,
//! what the issuer owes the operator.

pub mod matching;
pub mod sides;
pub mod settlement;
pub mod statement;
pub mod verify;
pub mod report;
pub mod schema;
pub mod config;
