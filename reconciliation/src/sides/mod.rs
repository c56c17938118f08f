//! Sides: the files that two parties' records come in, read for the matching.
//!
//! A *table* is the one form that the engine reads: a text of rows and columns, in parallel and in
//! constant memory, with a *mapping* that says which column is what. What comes in another form (a
//! bank's camt.053 and MT940, the VETC/ITD text files, our own ledger) is first written as a table,
//! the *normal form*, each row with the line of the file it was read from.
//!
//! A file is read or refused: the refusal names file, line, column and what would be right.
//! Deliberately absent: changing anything, and the exchange of files with partners.

pub mod mapping;
pub mod table;
mod row_text;
mod cells;
mod value;
mod line;
pub mod outcome;
pub mod normal;
pub mod form;
mod balance;
mod camt053;
mod mt940;
mod vetc;
pub mod ledger;
pub mod again;
pub mod bank;

pub use form::{Form, FormError, normalised};
pub use mapping::{Mapping, MappingError};
pub use row_text::Values;
pub use table::{Shown, SideError, Table};
