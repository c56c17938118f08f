//! The arm: up, down, or on its way.

/// How long the arm takes from one end to the other.
const TRAVEL_S: f64 = 0.8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Motion {
    #[default]
    Down,
    Rising,
    Up,
    Lowering,
}

/// The arm; it begins down.
#[derive(Debug, Clone, Default)]
pub(super) struct Arm {
    fraction_up: f64,
    motion: Motion,
}

impl Arm {
    pub(super) fn raise(&mut self) {
        if self.motion != Motion::Up {
            self.motion = Motion::Rising;
        }
    }

    pub(super) fn lower(&mut self) {
        if self.motion != Motion::Down {
            self.motion = Motion::Lowering;
        }
    }

    /// The device's own reflex.
    pub(super) fn raise_if_lowering(&mut self) {
        if self.motion == Motion::Lowering {
            self.motion = Motion::Rising;
        }
    }

    pub(super) fn step(&mut self, dt_s: f64) {
        match self.motion {
            Motion::Down | Motion::Up => {}
            Motion::Rising => {
                self.fraction_up += dt_s / TRAVEL_S;
                if self.fraction_up >= 1.0 {
                    self.fraction_up = 1.0;
                    self.motion = Motion::Up;
                }
            }
            Motion::Lowering => {
                self.fraction_up -= dt_s / TRAVEL_S;
                if self.fraction_up <= 0.0 {
                    self.fraction_up = 0.0;
                    self.motion = Motion::Down;
                }
            }
        }
    }

    pub(super) fn fraction_up(&self) -> f64 {
        self.fraction_up
    }

    pub(super) fn is_up(&self) -> bool {
        self.motion == Motion::Up
    }

    pub(super) fn is_down(&self) -> bool {
        self.motion == Motion::Down
    }
}
