//! The register map of a station's I/O module (Modbus TCP), shared by lane and simulator.
//!
//! Each lane has a block of eight in every table. Edge counters are 16 bits and wrap; they live in
//! the module, so a controller that was away learns from them what passed meanwhile. Open, close
//! and siren are pulses that the module times itself: a dead host cannot leave an arm driven.

/// How many addresses a lane has in every table.
pub const LANE_BLOCK: u16 = 8;

/// Discrete inputs, by offset in the lane's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Input {
    /// The presence loop, in the antenna's zone, is occupied.
    Presence = 0,
    /// The safety loop, under and behind the arm, is occupied.
    Safety = 1,
    /// The arm is fully up.
    ArmUp = 2,
    /// The arm is fully down.
    ArmDown = 3,
}

/// Input registers, by offset in the lane's block: edges counted by the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Counter {
    /// Times the presence loop became occupied.
    PresenceRise = 0,
    /// Times the presence loop became free.
    PresenceFall = 1,
    /// Times the safety loop became occupied.
    SafetyRise = 2,
    /// Times the safety loop became free.
    SafetyFall = 3,
}

/// Coils, by offset in the lane's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Output {
    /// Pulse: raise the arm.
    Open = 0,
    /// Pulse: lower the arm.
    Close = 1,
    /// Level: the light shows green; red otherwise.
    Green = 2,
    /// Pulse: sound the siren.
    Siren = 3,
}

/// The address of a lane's point, lanes counted from 0.
#[must_use]
pub const fn address(lane_index: u16, offset: u16) -> u16 {
    lane_index * LANE_BLOCK + offset
}
