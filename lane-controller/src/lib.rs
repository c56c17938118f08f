//! The lane controller: decides what a lane does, and never forgets it.
//!
//! The core in [`lane`] is pure: events and time in, actions out. Around it, one thread a lane
//! reads the reader's and the loops' events, decides, writes the passage to the [`journal`] and
//! only then opens; the [`uplink`] carries the journal to the clearing house, the [`downlink`]
//! brings the account list and entries. No server stands between a tag and the barrier.
//!
//! Deliberately absent: what a passage finally costs (the clearing house rates again), any
//! balance, any screen.
//!
//! Words: *released* is a vehicle that a passage was written for and that may go; a *call* is a
//! vehicle that waits for a person.

pub mod lane;
pub mod journal;
pub mod list;
pub mod ask;
pub mod cases;
pub mod entries;
pub mod read_age;
pub mod field_io;
pub mod camera;
pub mod display;
pub mod runner;
pub mod uplink;
pub mod pictures;
pub mod events;
pub mod clock_quality;
pub mod directives;
pub mod vitals;
pub mod downlink;
pub mod desk;
pub mod epoch;
pub mod manifest;
pub mod supervise;
pub mod health;
pub mod notify;
pub mod station;
pub mod journal_command;
pub mod config;
