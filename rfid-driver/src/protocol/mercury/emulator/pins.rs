//! The general purpose pins.
//!
//! ```text
//! get 66       level*                      66 01    01 (pin direction level)*
//! set 96       level*                      96 pin   pin direction
//!     96 pin level                         96 01 pin direction level
//! ```
//!
//! Direction 1 is out, level 1 is high. Source: `serial_reader_l3.c`, `TMR_SR_cmdGetGPIO`,
//! `TMR_SR_cmdSetGPIO`, `TMR_SR_cmdGetGPIODirection`, `TMR_SR_cmdSetGPIODirection`.

use super::Answer;
use super::module::Module;
use crate::protocol::mercury::codec::Status;

#[derive(Debug, Clone)]
pub(super) struct Pins {
    // The first is pin 1.
    pins: Vec<Pin>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Pin {
    out: bool,
    high: bool,
}

impl Pins {
    pub(super) fn new(module: &Module) -> Self {
        Self { pins: vec![Pin::default(); usize::from(module.pins)] }
    }

    pub(super) fn answer(&self, data: &[u8]) -> Answer {
        match *data {
            [] => Ok(self.levels()),
            [0x01] => {
                let states = (1..)
                    .zip(&self.pins)
                    .flat_map(|(number, pin)| [number, u8::from(pin.out), u8::from(pin.high)]);
                Ok(std::iter::once(0x01).chain(states).collect())
            }
            [_] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    pub(super) fn set(&mut self, data: &[u8]) -> Answer {
        match *data {
            [] => Ok(self.levels()),
            [number] => Ok(vec![number, u8::from(self.pin(number)?.out)]),
            [number, level @ 0..=1] => {
                self.pin(number)?.high = level == 1;
                Ok(Vec::new())
            }
            [0x01, number, direction @ 0..=1, level @ 0..=1] => {
                *self.pin(number)? = Pin { out: direction == 1, high: level == 1 };
                Ok(Vec::new())
            }
            [_, _] | [_, _, _, _] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    /// As a record of a tag carries them: outputs in the low nibble, inputs in the high one.
    pub(super) fn metadata(&self) -> u8 {
        self.pins.iter().zip(0..4u8).fold(0, |byte, (pin, at)| match (pin.high, pin.out) {
            (true, true) => byte | 1 << at,
            (true, false) => byte | 0x10 << at,
            (false, _) => byte,
        })
    }

    fn levels(&self) -> Vec<u8> {
        self.pins.iter().map(|pin| u8::from(pin.high)).collect()
    }

    fn pin(&mut self, number: u8) -> Result<&mut Pin, Status> {
        let index = usize::from(number).checked_sub(1).ok_or(Status::INVALID_VALUE)?;
        self.pins.get_mut(index).ok_or(Status::INVALID_VALUE)
    }
}
