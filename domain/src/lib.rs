//! The words everyone agrees on: ids, money, time, classes, tariff, passage and the wire contract.
//!
//! Pure: no I/O, no async, no clock but the one file [`time::clock`] that the edges use. What is
//! deliberately absent: readers (see `rfid-driver`), decisions of a lane (see `lane-controller`),
//! postings (see `clearing-house`). Nothing here knows one country: currency, zone, cut-off,
//! classes and tariffs are data.
//!
//! Read the modules in the order below; each opens with the words it defines, and
//! `docs/glossary.md` has them all.

mod text;

pub mod id;
pub mod tag;
pub mod vehicle;
pub mod money;
pub mod time;
pub mod tariff;
pub mod account_list;
pub mod passage;
pub mod signature;
pub mod order;
pub mod wire;

pub use id::{AccountId, IdError, IssuerId, LaneId, OperatorId, PassageId, StationId};
pub use money::{Amount, Currency, MoneyError, Rounding};
pub use tag::{TagError, TagId};
pub use time::{BusinessDate, Clock, Timestamp};
pub use vehicle::{Plate, PlateError, VehicleGroup, VehicleGroupError};
