//! IAG Inter-CSC 01.60.02: lines of fixed width.
//!
//! *Home* agency: whose customer drives; *away* agency: whose road it is. Deliberately absent: the
//! zip that files travel in, and versions before 01.60.02.

pub mod layout;
pub mod reader;
pub mod writer;
