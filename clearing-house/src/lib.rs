//! clearing-house
