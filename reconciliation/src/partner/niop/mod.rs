//! NIOP ICD 1.02: XML submissions between agencies by way of hubs.
//!
//! *Home* agency: whose customer drives; *away* agency: whose road it is; *hub*: who carries files
//! between them. Deliberately absent: the zip that files travel in.

pub mod layout;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;
