//! What a reader keeps when its power goes: its settings, and which commands it has.

use std::collections::BTreeMap;

use crate::protocol::uhfreader::codec::{Band, Command, Dialect, Status, opcode};

/// How many antenna ports the newer reader has.
pub(super) const PORTS: u8 = 4;
/// All of them, bit 0 for port 1.
pub(super) const ANTENNAS_ALL: u8 = 0x0F;

const POWER_DBM_MAX_288: u8 = 33;
const POWER_DBM_MAX_18: u8 = 30;
const POWER_DBM_AT_FIRST: u8 = 30;
const SCAN_TIME_AT_FIRST: u8 = 20;
const SCAN_TIME_MIN_18: u8 = 3;
/// In the commands that both set and ask, this bit sets.
const SET: u8 = 0x80;
const HEARTBEAT_TIME_AT_FIRST: u8 = 1;
const REAL_TIME_LEN: usize = 5;
/// The older reader reads unasked over its serial line, all tags, without a pause.
const SCAN_MODE_READING: [u8; 6] = [1, 0x02, 0x04, 0x02, 0x06, 0];

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) address: u8,
    pub(super) baud: u32,
    /// As in operation 22.
    pub(super) frequency: [u8; 2],
    /// By antenna.
    pub(super) power_dbm: [u8; PORTS as usize],
    /// In tenths of a second.
    pub(super) scan_time: u8,
    /// Bit 0 for port 1.
    pub(super) antennas: u8,
    pub(super) antenna_check: u8,
    pub(super) beep: u8,
    /// The newer dialect's.
    pub(super) work_mode: u8,
    /// Tag protocol, pause, seconds between reports of a tag, Q, session.
    pub(super) real_time: [u8; REAL_TIME_LEN],
    /// In units of 30 seconds.
    pub(super) heartbeat_time: u8,
    /// The older dialect's.
    pub(super) scan_mode: [u8; 6],
    pub(super) wiegand: [u8; 4],
    pub(super) offsets: [u8; 2],
    /// Single bytes by the operation that asks for them.
    bytes: BTreeMap<u8, u8>,
}

impl Kept {
    pub(super) fn new(baud: u32) -> Self {
        Self {
            address: 0,
            baud,
            frequency: Band::by_number(2).map_or([0, 0], Band::whole),
            power_dbm: [POWER_DBM_AT_FIRST; PORTS as usize],
            scan_time: SCAN_TIME_AT_FIRST,
            antennas: 1,
            antenna_check: 0,
            beep: 0,
            work_mode: 0,
            real_time: [0, 0, 0, 4, 0],
            heartbeat_time: HEARTBEAT_TIME_AT_FIRST,
            scan_mode: [0, 0x02, 0x04, 0x02, 0x06, 0],
            wiegand: [0, 0x1E, 0x0A, 0x0F],
            offsets: [0; 2],
            bytes: BTreeMap::new(),
        }
    }

    /// As an earlier host left it that let it read unasked.
    pub(super) fn leave_reading(&mut self) {
        self.work_mode = 1;
        self.scan_mode = SCAN_MODE_READING;
    }

    /// Takes a setting over; says what the acknowledgement carries.
    pub(super) fn set(
        &mut self,
        command: Command<'_>,
        dialect: Dialect,
    ) -> Result<Option<u8>, Status> {
        let valid = |valid: bool| if valid { Ok(()) } else { Err(Status::PARAMETER) };
        match command {
            Command::SetFrequency { max, min } => {
                let band = Band::by_number((max >> 6) << 2 | min >> 6).ok_or(Status::PARAMETER)?;
                let (last, first) = (max & 0x3F, min & 0x3F);
                valid(first <= last && last <= band.channel_max)?;
                self.frequency = [max, min];
            }
            Command::SetScanTime { scan_time } => {
                valid(dialect == Dialect::New288 || scan_time >= SCAN_TIME_MIN_18)?;
                self.scan_time = scan_time;
            }
            Command::SetPower { dbm } => self.set_power(dbm, dialect)?,
            Command::SetScanMode { parameters } => {
                valid(parameters[0] <= 3)?;
                self.scan_mode = parameters;
            }
            Command::SetAntennas { antennas } => {
                let ([ports] | [_, 0, ports]) = *antennas else {
                    return Err(Status::PARAMETER);
                };
                valid(ports != 0 && ports & !ANTENNAS_ALL == 0)?;
                self.antennas = ports;
            }
            Command::SetAntennaCheck { on } => {
                valid(on <= 1)?;
                self.antenna_check = on;
            }
            Command::SetRealTime { parameters } => {
                let first = parameters.0.first_chunk::<REAL_TIME_LEN>();
                self.real_time = *first.ok_or(Status::WRONG_LENGTH)?;
            }
            Command::SetWorkMode { mode } => {
                valid(mode <= 2)?;
                self.work_mode = mode;
            }
            Command::HeartbeatTime { time } => {
                if time & SET != 0 {
                    self.heartbeat_time = time & !SET;
                }
                return Ok(Some(self.heartbeat_time));
            }
            _ => return Err(Status::EXECUTION),
        }
        Ok(None)
    }

    fn set_power(&mut self, dbm: &[u8], dialect: Dialect) -> Result<(), Status> {
        let max = match dialect {
            Dialect::New288 => POWER_DBM_MAX_288,
            Dialect::Old18 => POWER_DBM_MAX_18,
        };
        if dbm.iter().any(|dbm| *dbm > max) {
            return Err(Status::PARAMETER);
        }
        match (dbm, dialect) {
            (&[all], _) => self.power_dbm.fill(all),
            (each, Dialect::New288) if each.len() == self.power_dbm.len() => {
                self.power_dbm.copy_from_slice(each);
            }
            _ => return Err(Status::WRONG_LENGTH),
        }
        Ok(())
    }

    /// Does a command that has no meaning of its own; says what the answer carries.
    pub(super) fn other(
        &mut self,
        opcode: u8,
        data: &[u8],
        dialect: Dialect,
    ) -> Result<Vec<u8>, Status> {
        let byte = |kept: &Self, of: u8| kept.bytes.get(&of).copied().unwrap_or(0);
        match (opcode, data) {
            (opcode::SET_BEEP, &[beep]) => self.beep = beep & 1,
            (opcode::SET_WIEGAND, &[a, b, c, d]) => self.wiegand = [a, b, c, d],
            (opcode::SET_EAS_ACCURACY, &[accuracy @ 0..=8]) => self.offsets[0] = accuracy,
            (opcode::SET_SYRIS_OFFSET, &[offset @ 0..=100]) => self.offsets[1] = offset,
            (opcode::SET_WRITE_POWER, &[power]) => {
                self.bytes.insert(opcode::WRITE_POWER, power);
            }
            (opcode::WRITE_POWER, []) => return Ok(vec![byte(self, opcode)]),
            (opcode::POWER_BY_ANTENNA, []) => return Ok(self.power_dbm.to_vec()),
            (
                opcode::WRITE_RETRIES
                | opcode::PROFILE
                | opcode::ANTENNA_CHECK_THRESHOLD
                | opcode::DENSE_READER,
                &[value],
            ) => {
                if value & SET != 0 {
                    self.bytes.insert(opcode, value & !SET);
                }
                return Ok(vec![byte(self, opcode)]);
            }
            (opcode::TRIGGER_TIME, &[time]) => {
                if time != u8::MAX {
                    self.bytes.insert(opcode, time);
                }
                return Ok(vec![byte(self, opcode)]);
            }
            (opcode::BUZZER, &[_, _, _])
            | (opcode::SET_RF_OUTPUT | opcode::PULSE_RELAY | opcode::POWER_MODE, &[_]) => {}
            (opcode::SET_EAS_ACCURACY | opcode::SET_SYRIS_OFFSET, &[_]) => {
                return Err(Status::PARAMETER);
            }
            (opcode::INVENTORY_SIGNAL_6B..=opcode::LOCK_6B, _) if dialect == Dialect::Old18 => {
                return Err(Status::NO_TAG);
            }
            _ => return Err(Status::WRONG_LENGTH),
        }
        Ok(Vec::new())
    }
}

/// Whether a reader of this dialect has the command at all.
pub(super) fn knows(dialect: Dialect, opcode: u8) -> bool {
    let common = matches!(
        opcode,
        opcode::INVENTORY
            | opcode::READ_DATA
            | opcode::WRITE_DATA
            | opcode::WRITE_EPC
            | opcode::KILL
            | opcode::LOCK
            | opcode::INVENTORY_SINGLE
            | opcode::BLOCK_WRITE
            | opcode::READER_INFO
            | opcode::SET_FREQUENCY
            | opcode::SET_ADDRESS
            | opcode::SET_SCAN_TIME
            | opcode::SET_BAUD
            | opcode::SET_POWER
            | opcode::BUZZER
    );
    let own = match dialect {
        Dialect::Old18 => matches!(
            opcode,
            opcode::SET_WIEGAND..=opcode::SET_SYRIS_OFFSET
                | opcode::TRIGGER_TIME
                | opcode::INVENTORY_SIGNAL_6B..=opcode::LOCK_6B
        ),
        Dialect::New288 => matches!(
            opcode,
            opcode::SET_ANTENNAS
                | opcode::SET_RF_OUTPUT
                | opcode::SET_BEEP
                | opcode::SET_OUTPUTS..=opcode::PULSE_RELAY
                | opcode::SERIAL_NUMBER
                | opcode::SET_ANTENNA_CHECK
                | opcode::POWER_MODE
                | opcode::ANTENNA_CHECK_THRESHOLD
                | opcode::SET_REAL_TIME..=opcode::WRITE_RETRIES
                | opcode::PROFILE
                | opcode::DENSE_READER..=opcode::POWER_BY_ANTENNA
        ),
    };
    common || own
}
