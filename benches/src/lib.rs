//! What the comparisons share, and what each measures.
//!
//! One bench target is one comparison: ours beside what a team would pick otherwise, measured in
//! the same run on the same machine, so that ratios mean something where absolute figures do not.
//! Each prints tables in Markdown and writes the same figures as JSON.
//!
//! Deliberately absent: thresholds. A bench says what is; whether that is good enough is decided
//! by whoever reads it beside the budgets.

pub mod arguments;
pub mod latency;
pub mod report;
pub mod silion;

mod antenna;
mod machine;
mod programs;
mod redis;

pub mod close;
pub mod desk;
pub mod journal;
pub mod lane;
pub mod list;
pub mod matching;
pub mod pages;
pub mod posting;
pub mod reader;
pub mod whole_way;

/// Why a bench could not be run to its end: nobody but the person at the terminal reads it.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;
