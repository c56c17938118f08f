//! A loop in the ground, and the module's counters of its edges.

/// The edges a loop has seen; they wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EdgeCounts {
    /// Times it became occupied.
    pub rises: u16,
    /// Times it became free.
    pub falls: u16,
}

/// A loop; it begins free.
#[derive(Debug, Clone, Default)]
pub(super) struct Detector {
    occupied: bool,
    edges: EdgeCounts,
}

impl Detector {
    pub(super) fn sense(&mut self, occupied: bool) {
        match (self.occupied, occupied) {
            (false, true) => self.edges.rises = self.edges.rises.wrapping_add(1),
            (true, false) => self.edges.falls = self.edges.falls.wrapping_add(1),
            (false, false) | (true, true) => {}
        }
        self.occupied = occupied;
    }

    pub(super) fn is_occupied(&self) -> bool {
        self.occupied
    }

    pub(super) fn edges(&self) -> EdgeCounts {
        self.edges
    }
}
