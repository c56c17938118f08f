//! The links of a lane, cut and whole again: the real lane core, list, journal, uplink and downlink
//! against a real broker, with a stand-in for the clearing house.
#![expect(clippy::unwrap_used, reason = "what the tests share fails as they do")]
#![expect(clippy::print_stdout, reason = "figures are for whoever runs them")]

mod clearing;
mod cut_off_lane;
mod month;
