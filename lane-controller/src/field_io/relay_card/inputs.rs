//! What a lane knows from a card that tells each change once: levels and counted edges. Pure.
//!
//! An input that nothing has been heard of since the line was opened is unknown, and as long as
//! one that matters is, there is no reading. A card remembers nothing: where its state shows that
//! a loop changed unheard, that is counted as one edge, though it may have been three. Who had been
//! let through before a restart is taken to have left while nobody listened, unless the arm is up
//! for it: were the next vehicle at the arm taken for it, it would pass on what the other paid.

use super::codec::{InputNumber, Level, Message, StateOrder};
use crate::field_io::Reading;
use crate::lane::{Inputs, SavedLane, SavedVehicle};

/// Which input is what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiring {
    /// The presence loop's.
    pub presence: InputNumber,
    /// The safety loop's.
    pub safety: InputNumber,
    /// That of the switch that says the arm is up, where there is one.
    pub arm_up: Option<InputNumber>,
    /// What an occupied loop's input carries.
    pub occupied: Level,
    /// Which digit of the state is input 1.
    pub state_order: StateOrder,
}

/// A loop as it was heard.
#[derive(Debug, Clone, Copy, Default)]
struct Loop {
    /// Nothing while unknown.
    occupied: Option<bool>,
    /// The level that the counts lead to.
    counted: bool,
    rises: u16,
    falls: u16,
}

impl Loop {
    fn sense(&mut self, occupied: bool) {
        self.occupied = Some(occupied);
        if self.counted != occupied {
            self.counted = occupied;
            let count = if occupied { &mut self.rises } else { &mut self.falls };
            *count = count.wrapping_add(1);
        }
    }
}

/// Those at the head of the queue who had been let through when the journal was last written.
#[derive(Debug, Clone, Copy)]
struct LetThrough {
    count: u16,
    /// The presence loop was occupied, and by the last of them: nobody stood behind.
    on_loop: bool,
}

impl LetThrough {
    fn of(saved: &SavedLane) -> Option<Self> {
        let released = |vehicle: &&SavedVehicle| matches!(vehicle, SavedVehicle::Released { .. });
        let count = saved.vehicles.iter().take_while(released).count();
        let on_loop = saved.presence && count == saved.vehicles.len();
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        (count > 0).then_some(Self { count, on_loop })
    }
}

/// The inputs of one card.
#[derive(Debug, Clone)]
pub struct CardInputs {
    wiring: Wiring,
    presence: Loop,
    safety: Loop,
    arm_up: Option<bool>,
    /// Until the card has said enough to tell whether they have left.
    let_through: Option<LetThrough>,
}

impl CardInputs {
    /// Inputs that nothing has been heard of. Counting goes on where the journal's memory of the
    /// lane ended, as it would in a module that counts itself.
    #[must_use]
    pub fn new(wiring: Wiring, saved: Option<&SavedLane>) -> Self {
        let presence = saved.map_or_else(Loop::default, |saved| Loop {
            occupied: None,
            counted: saved.presence,
            rises: saved.presence_rises,
            falls: saved.presence_falls,
        });
        // Whether the safety loop was occupied is not remembered: its first level is no edge.
        let falls = saved.map_or(0, |saved| saved.safety_falls);
        let safety = Loop { falls, ..Loop::default() };
        let let_through = saved.and_then(LetThrough::of);
        Self { wiring, presence, safety, arm_up: None, let_through }
    }

    /// Takes what the card says.
    pub fn handle(&mut self, message: Message) {
        let order = self.wiring.state_order;
        let inputs = [Some(self.wiring.presence), Some(self.wiring.safety), self.wiring.arm_up];
        for wired in inputs.into_iter().flatten() {
            match message {
                Message::Changed { input, level } if input == wired => self.sense(wired, level),
                Message::Changed { .. } => {}
                Message::State(state) => self.sense(wired, state.level(wired, order)),
            }
        }
        if let Some(reading) = self.reading()
            && let Some(let_through) = self.let_through.take()
        {
            self.count_those_who_left(let_through, reading);
        }
    }

    /// Counts what the card did not: with the arm down and nobody under it, who had been let
    /// through is gone, and who is in front of it is somebody else.
    fn count_those_who_left(&mut self, let_through: LetThrough, reading: Reading) {
        if reading.arm_up || reading.inputs.safety {
            return;
        }
        self.safety.falls = self.safety.falls.wrapping_add(let_through.count);
        self.safety.rises = self.safety.rises.wrapping_add(let_through.count);
        if let_through.on_loop && reading.inputs.presence {
            self.presence.falls = self.presence.falls.wrapping_add(1);
            self.presence.rises = self.presence.rises.wrapping_add(1);
        }
    }

    fn sense(&mut self, input: InputNumber, level: Level) {
        let occupied = level == self.wiring.occupied;
        if input == self.wiring.presence {
            self.presence.sense(occupied);
        } else if input == self.wiring.safety {
            self.safety.sense(occupied);
        } else {
            self.arm_up = Some(level == Level::High);
        }
    }

    /// Forgets every level, because the line was lost; the counts stay.
    pub fn forget(&mut self) {
        self.presence.occupied = None;
        self.safety.occupied = None;
        self.arm_up = None;
    }

    /// What the card says; nothing while an input is unknown.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let arm_up = match self.wiring.arm_up {
            Some(_) => self.arm_up?,
            None => false,
        };
        Some(Reading {
            inputs: Inputs {
                presence: self.presence.occupied?,
                safety: self.safety.occupied?,
                presence_rises: self.presence.rises,
                presence_falls: self.presence.falls,
                safety_falls: self.safety.falls,
            },
            safety_rises: self.safety.rises,
            arm_up,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring() -> Wiring {
        let input = |number| InputNumber::try_new(number).unwrap();
        Wiring {
            presence: input(1),
            safety: input(2),
            arm_up: Some(input(3)),
            occupied: Level::High,
            state_order: StateOrder::FirstIsInput1,
        }
    }

    fn hear(inputs: &mut CardInputs, frames: &[&str]) -> Option<Reading> {
        for frame in frames {
            inputs.handle(Message::parse(frame.as_bytes()).unwrap());
        }
        inputs.reading()
    }

    /// Presence and safety as level, rises, falls; and the arm.
    fn told(reading: Reading) -> ((bool, u16, u16), (bool, u16, u16), bool) {
        let Reading { inputs, safety_rises, arm_up } = reading;
        (
            (inputs.presence, inputs.presence_rises, inputs.presence_falls),
            (inputs.safety, safety_rises, inputs.safety_falls),
            arm_up,
        )
    }

    #[test]
    fn nothing_is_known_before_every_wired_input_was_heard_of() {
        let mut inputs = CardInputs::new(wiring(), None);
        assert_eq!(inputs.reading(), None);
        assert_eq!(hear(&mut inputs, &["VARAINPUT1HIGH\r", "VARAINPUT2LOW\r"]), None);
        let reading = hear(&mut inputs, &["VARAINPUT3LOW\r"]).unwrap();
        assert_eq!(told(reading), ((true, 1, 0), (false, 0, 0), false));
    }

    #[test]
    fn one_state_tells_everything() {
        let mut inputs = CardInputs::new(wiring(), None);
        let reading = hear(&mut inputs, &["MSSL07M01100000"]).unwrap();
        assert_eq!(told(reading), ((false, 0, 0), (true, 1, 0), true));
    }

    #[test]
    fn edges_are_counted_and_a_state_that_agrees_counts_nothing() {
        let mut inputs = CardInputs::new(wiring(), None);
        let reading = hear(
            &mut inputs,
            &[
                "MSSL07M00000000",
                "VARAINPUT1HIGH\r",
                "MSSL07M10000000",
                "VARAINPUT1LOW\r",
                "VARAINPUT1HIGH\r",
                // Said again by a card that had just sent its state.
                "VARAINPUT1HIGH\r",
                "VARAINPUT4HIGH\r",
            ],
        );
        assert_eq!(told(reading.unwrap()), ((true, 2, 1), (false, 0, 0), false));
    }

    #[test]
    fn a_state_mends_an_edge_that_was_lost_on_the_line() {
        let mut inputs = CardInputs::new(wiring(), None);
        let reading = hear(&mut inputs, &["MSSL07M01000000", "MSSL07M00000000"]).unwrap();
        assert_eq!(told(reading), ((false, 0, 0), (false, 1, 1), false));
    }

    #[test]
    fn after_the_line_was_lost_everything_is_unknown_and_counting_goes_on() {
        let mut inputs = CardInputs::new(wiring(), None);
        assert!(hear(&mut inputs, &["MSSL07M11000000"]).is_some());
        inputs.forget();
        assert_eq!(hear(&mut inputs, &["VARAINPUT1HIGH\r"]), None);
        let reading = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(told(reading), ((true, 1, 0), (false, 1, 1), false));
    }

    #[test]
    fn counting_goes_on_where_the_journal_ended() {
        let saved = SavedLane {
            presence: true,
            presence_rises: 7,
            presence_falls: 6,
            safety_falls: 5,
            ..SavedLane::default()
        };
        let mut inputs = CardInputs::new(wiring(), Some(&saved));
        let reading = hear(&mut inputs, &["MSSL07M00000000"]).unwrap();
        assert_eq!(told(reading), ((false, 7, 7), (false, 0, 5), false), "it left meanwhile");
    }

    /// A lane whose journal remembers these, the last of them on the presence loop.
    fn with_saved(vehicles: Vec<SavedVehicle>) -> CardInputs {
        let came = u16::try_from(vehicles.len()).unwrap();
        let saved = SavedLane {
            vehicles,
            presence: true,
            presence_rises: came,
            presence_falls: came - 1,
            ..SavedLane::default()
        };
        CardInputs::new(wiring(), Some(&saved))
    }

    const LET_THROUGH: SavedVehicle = SavedVehicle::Released { seq: 4, tag: None };

    #[test]
    fn who_stands_at_the_lowered_arm_after_a_restart_is_not_who_was_let_through_before() {
        let mut inputs = with_saved(vec![LET_THROUGH]);
        let reading = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(told(reading), ((true, 2, 1), (false, 1, 1), false));
        let again = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(again, reading, "that is counted once");
    }

    #[test]
    fn who_was_let_through_before_a_restart_has_left_an_empty_lane() {
        let mut inputs = with_saved(vec![LET_THROUGH, LET_THROUGH]);
        let reading = hear(&mut inputs, &["MSSL07M00000000"]).unwrap();
        assert_eq!(told(reading), ((false, 2, 2), (false, 2, 2), false));
    }

    #[test]
    fn the_arm_that_is_up_is_up_for_who_was_let_through_before_a_restart() {
        for state in ["MSSL07M10100000", "MSSL07M01100000", "MSSL07M11000000"] {
            let mut inputs = with_saved(vec![LET_THROUGH]);
            let reading = hear(&mut inputs, &[state]).unwrap();
            assert_eq!((reading.inputs.safety_falls, reading.inputs.presence_rises), (0, 1));
        }
    }

    #[test]
    fn who_was_not_let_through_before_a_restart_still_stands_there() {
        let mut inputs = with_saved(vec![LET_THROUGH, SavedVehicle::Undecided]);
        let reading = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(told(reading), ((true, 2, 1), (false, 1, 1), false), "the first has left");
        let mut inputs = with_saved(vec![SavedVehicle::Undecided]);
        let reading = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(told(reading), ((true, 1, 0), (false, 0, 0), false));
    }

    #[test]
    fn a_loop_that_is_wired_to_fail_safe_is_occupied_while_low() {
        let wiring = Wiring { occupied: Level::Low, ..wiring() };
        let mut inputs = CardInputs::new(wiring, None);
        let reading = hear(&mut inputs, &["MSSL07M10000000"]).unwrap();
        assert_eq!(told(reading), ((false, 0, 0), (true, 1, 0), false));
    }
}
