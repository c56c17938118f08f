//! lane-controller
