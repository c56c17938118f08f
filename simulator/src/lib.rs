//! A toll plaza made of software: vehicles, readers on ptys, field I/O, a scripted attendant, and
//! the ground truth of what really happened.
//!
//! Everything a vehicle meets is real where a wire begins: the readers speak their protocol byte
//! for byte, the loops and the arm are behind Modbus TCP, the attendant sends the commands that a
//! person would send. What is simulated is the road. The truth is written by the road alone: it
//! knows tariffs and who drove where, and never asks lanes or the centre.
//!
//! Deliberately absent: decisions of a lane, journals, money that moves. The demo's plaza has no cameras
//! and no relay cards yet: they stand alone ([`camera`], [`one_lane`]).
//!
//! Words: a *crossing* is one vehicle's try to pass one lane, from the approach until it has left
//! over the safety loop or has backed out; a *journey* is all of a vehicle's crossings; *run time*
//! is what the road sees (see [`domain::time::clock`]). All chance comes from one seed.
//!
//! The pure part comes first, the shell ([`plaza`] and what it starts) last.

// Who there is, and who comes when.
pub mod network;
pub mod population;

pub mod traffic;

pub mod plan;

// What happens, and the record of it.
pub mod road;

pub mod truth;

mod antenna;
mod world;

// The wires.
mod attendant;
mod field_io;
mod pty_line;
mod relay_card;

pub mod classifier;

pub mod panel;

pub mod picture;

pub mod camera;

pub mod one_lane;

pub mod plaza;

pub mod demo;
