//! What a reader is set to: what a restart keeps, and what it forgets.

use crate::Epc;
use crate::protocol::r2000::codec::{ErrorCode, Region};

const POWER_DBM_MAX: u8 = 33;
/// Temporary power has a narrower range (V3.7, `cmd_set_temporary_output_power`).
const TEMPORARY_POWER_DBM_MIN: u8 = 20;
const FAST_TID_ON: u8 = 0x8D;

/// In flash.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) address: u8,
    /// One for all antennas, or one for each.
    power_dbm: Vec<u8>,
    pub(super) region: Region,
    beeper: u8,
    pub(super) detector_db: u8,
    pub(super) identifier: [u8; 12],
    pub(super) profile: u8,
    pub(super) fast_tid: u8,
}

impl Saved {
    /// As it comes out of the box.
    pub(super) fn new() -> Self {
        Self {
            address: 1,
            power_dbm: vec![30],
            region: Region::Fixed { region: 1, first: 7, last: 59 },
            beeper: 0,
            detector_db: 0,
            identifier: *b"EMULATED0001",
            profile: 0xD1,
            fast_tid: 0,
        }
    }

    /// As readers say it: once where all antennas have the same.
    pub(super) fn power_dbm(&self, temporary_dbm: Option<u8>) -> Vec<u8> {
        match (temporary_dbm, &self.power_dbm[..]) {
            (Some(power), _) => vec![power],
            (None, [first, rest @ ..]) if rest.iter().all(|power| power == first) => vec![*first],
            (None, powers) => powers.to_vec(),
        }
    }

    /// A channel of the region, taken by chance from `any`.
    pub(super) fn channel(&self, any: u8) -> u8 {
        match self.region {
            Region::Fixed { first, last, .. } => first + any % (last.saturating_sub(first) + 1),
            Region::User { count, .. } => any % count.max(1),
        }
    }

    pub(super) fn set_power(&mut self, power_dbm: &[u8], ports: u8) -> Result<(), ErrorCode> {
        if power_dbm.iter().any(|power| *power > POWER_DBM_MAX) {
            return Err(ErrorCode::POWER_RANGE);
        }
        if power_dbm.len() != 1 && power_dbm.len() != usize::from(ports) {
            return Err(ErrorCode::PARAMETER);
        }
        self.power_dbm = power_dbm.to_vec();
        Ok(())
    }

    pub(super) fn set_address(&mut self, address: u8) -> Result<(), ErrorCode> {
        if address == u8::MAX {
            return Err(ErrorCode::ADDRESS);
        }
        self.address = address;
        Ok(())
    }

    pub(super) fn set_region(&mut self, region: Region) -> Result<(), ErrorCode> {
        match region {
            Region::Fixed { region: number, first, last } => {
                let Some(Region::Fixed { first: lowest, last: highest, .. }) =
                    Region::whole(number)
                else {
                    return Err(ErrorCode::REGION);
                };
                if first > last || first < lowest || last > highest {
                    return Err(ErrorCode::FREQUENCY_RANGE);
                }
            }
            Region::User { region: Region::USER, count: 1.., .. } => {}
            Region::User { .. } => return Err(ErrorCode::REGION),
        }
        self.region = region;
        Ok(())
    }

    pub(super) fn set_beeper(&mut self, mode: u8) -> Result<(), ErrorCode> {
        if mode > 2 {
            return Err(ErrorCode::BEEPER_MODE);
        }
        self.beeper = mode;
        Ok(())
    }

    pub(super) fn set_identifier(&mut self, identifier: &[u8]) -> Result<(), ErrorCode> {
        self.identifier = identifier.try_into().map_err(|_wrong_len| ErrorCode::PARAMETER)?;
        Ok(())
    }

    pub(super) fn set_profile(&mut self, profile: u8) -> Result<(), ErrorCode> {
        if !matches!(profile, 0xD0..=0xD3) {
            return Err(ErrorCode::PARAMETER);
        }
        self.profile = profile;
        Ok(())
    }
}

/// In memory.
#[derive(Debug)]
pub(super) struct Unsaved {
    /// Counted from 0.
    pub(super) antenna: u8,
    pub(super) temporary_power_dbm: Option<u8>,
    pub(super) fast_tid: u8,
    pub(super) epc_match: Option<Epc>,
    outputs: [u8; 2],
}

impl Unsaved {
    /// After a restart.
    pub(super) fn new(saved: &Saved) -> Self {
        Self {
            antenna: 0,
            temporary_power_dbm: None,
            fast_tid: saved.fast_tid,
            epc_match: None,
            outputs: [0; 2],
        }
    }

    pub(super) fn packs_tid(&self) -> bool {
        self.fast_tid == FAST_TID_ON
    }

    pub(super) fn set_temporary_power(&mut self, power_dbm: u8) -> Result<(), ErrorCode> {
        if !(TEMPORARY_POWER_DBM_MIN..=POWER_DBM_MAX).contains(&power_dbm) {
            return Err(ErrorCode::POWER_RANGE);
        }
        self.temporary_power_dbm = Some(power_dbm);
        Ok(())
    }

    pub(super) fn set_fast_tid(&mut self, status: u8) -> Result<(), ErrorCode> {
        if !matches!(status, 0 | FAST_TID_ON) {
            return Err(ErrorCode::PARAMETER);
        }
        self.fast_tid = status;
        Ok(())
    }

    /// Pins 3 and 4 are outputs.
    pub(super) fn set_output(&mut self, pin: u8, level: u8) -> Result<(), ErrorCode> {
        let output = pin.checked_sub(3).and_then(|at| self.outputs.get_mut(usize::from(at)));
        match (output, level) {
            (Some(output), 0 | 1) => {
                *output = level;
                Ok(())
            }
            _ => Err(ErrorCode::PARAMETER),
        }
    }
}
