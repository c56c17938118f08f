//! Partner files: what other operators and issuers send us, and we them, both ways.
//!
//! A *layout* says as data what a kind of file is made of; reader, writer and documentation come
//! from it. A file is read as a stream, in memory that does not grow with it. A bad one is refused
//! with line, field, reason and what would be right ([`refusal::Refusal`]), and changes nothing.
//! What they mean for our own books is in [`books`]. Deliberately absent: transport (SFTP, hubs), and
//! the zip that some files travel in.
//!
//! Words: a *file* has a *header* and *records*; its *number* says where it stands among its like;
//! its *acknowledgement* is the partner's answer, a file of its own.

pub mod value;
pub mod refusal;
pub mod layout;
pub mod record;
mod lines;
pub mod niop;
pub mod iag;
pub mod vetc;
pub mod file;
pub mod name;
pub mod examine;
pub mod exchange;
pub mod books;
pub mod document;
pub mod command;

#[cfg(test)]
mod tests;
