//! What the whole-system tests stand on: servers, books, lanes that write, demos that run.
//!
//! *Office*: the centre's books in a database of a test's own, with the network of
//! `deploy/viet-nam`, enrolled lanes and a few accounts. *Lane*: writes passages as a lane does,
//! numbered, chained and signed. *Journal*: very many of these,
//! sent again until the receipt. *Intake*: books, broker and the workers between them, in the
//! test's process; *Centre*: the same as servers that may be killed. *Demo*: the built `simulator demo` as a child process. Each test
//! has its own folder, database and broker, and nothing is left when it ends, also by a panic.
//!
//! Deliberately absent: the tests, which are in `tests/`. The next one about books goes to
//! `tests/system/books.rs`, about what `verify` must notice to `tests/system/verify_can_fail.rs`, about
//! what comes over a broker to `tests/system/intake.rs`.
#![expect(clippy::missing_panics_doc, reason = "support of tests fails as tests do: by a panic")]

pub mod programs;
pub mod wait;
pub mod office;
pub mod lane;
pub mod journal;
pub mod intake;
pub mod centre;
pub mod demo;
pub mod comparison;
