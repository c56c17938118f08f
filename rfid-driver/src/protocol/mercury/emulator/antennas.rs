//! The antenna ports: which are used, with how much power, and what hangs on them.
//!
//! ```text
//! get 61  [00]  tx rx                        the pair for operations on one tag
//!         01    tx rx detected
//!         02    02 (tx rx)*                  the search list      82   82 port*
//!         03    03 (port read write)*        powers, u16 each
//!         04    04 (port read write settle)* 04 k  04 k (port value)*   1 read, 2 write, 3 settle
//!         05    05 (port detected)*          06   06 (port return-loss)*
//!         07    07 (port on-time)*
//! set 91  tx rx | 00 tx rx, and 02, 82, 03, 04, 07, 87 with what get answers
//! ```
//!
//! Source: `serial_reader_l3.c`, `TMR_SR_cmdAntennaDetect`, `TMR_SR_cmdSetAntennaSearchList`,
//! `TMR_SR_cmdGetAntennaPortPowersAndSettlingTime`, `TMR_SR_cmdGetAntennaReturnLoss`, and the
//! captures of the 1.37 client.

use super::Answer;
use super::faults::Faults;
use super::module::Module;
use crate::protocol::mercury::codec::Status;

/// The search flags' low bits: which antennas a read uses.
const SEARCH_ANTENNAS: u16 = 0x0003;
const SEARCH_ACCESS_ANTENNA: u16 = 0x0000;
const SEARCH_LIST: u16 = 0x0003;

/// The most that a multiplexer behind the module's own ports makes of them.
const PORTS_MAX: u8 = 16;

/// What is set for one port; 0 leaves the common value.
#[derive(Debug, Clone, Copy, Default)]
struct Port {
    read_cdbm: u16,
    write_cdbm: u16,
    settling_us: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Antennas {
    access: [u8; 2],
    search: Vec<u8>,
    on_times_ms: Vec<(u8, u16)>,
    // Of the module's own; the rest are a multiplexer's.
    count: u8,
    // The first is port 1.
    ports: [Port; PORTS_MAX as usize],
}

impl Antennas {
    pub(super) fn new(module: &Module) -> Self {
        Self {
            access: [1, 1],
            search: vec![1],
            on_times_ms: Vec::new(),
            count: module.ports,
            ports: [Port::default(); PORTS_MAX as usize],
        }
    }

    /// The ports that a read with these search flags uses.
    pub(super) fn used(&self, search_flags: u16) -> Vec<u8> {
        match search_flags & SEARCH_ANTENNAS {
            SEARCH_LIST => self.search.clone(),
            SEARCH_ACCESS_ANTENNA => vec![self.access[0]],
            // Antenna 1 then 2, or 2 then 1.
            _ => (1..=self.count.min(2)).collect(),
        }
    }

    pub(super) fn access_port(&self) -> u8 {
        self.access[0]
    }

    pub(super) fn answer(&self, data: &[u8], faults: &Faults) -> Answer {
        let [transmit, receive] = self.access;
        let numbers = 1..=self.count;
        match *data {
            [] | [0x00] => Ok(vec![transmit, receive]),
            [0x01] => Ok(vec![transmit, receive, u8::from(faults.is_connected(transmit))]),
            [0x02] => Ok(listed(0x02, self.search.iter().map(|&port| [port, port]))),
            [0x82] => Ok(listed(0x82, self.search.iter().map(|&port| [port]))),
            [0x03] => Ok(listed(
                0x03,
                numbers.zip(&self.ports).map(|(number, port)| {
                    let ([a, b], [c, d]) =
                        (port.read_cdbm.to_be_bytes(), port.write_cdbm.to_be_bytes());
                    [number, a, b, c, d]
                }),
            )),
            [0x04] => Ok(listed(
                0x04,
                numbers.zip(&self.ports).map(|(number, port)| {
                    let ([a, b], [c, d]) =
                        (port.read_cdbm.to_be_bytes(), port.write_cdbm.to_be_bytes());
                    let [e, f] = port.settling_us.to_be_bytes();
                    [number, a, b, c, d, e, f]
                }),
            )),
            [0x04, kind @ 1..=3] => {
                let values = numbers.zip(&self.ports).map(|(number, port)| {
                    let [high, low] = port.value(kind).to_be_bytes();
                    [number, high, low]
                });
                Ok([0x04, kind].into_iter().chain(values.flatten()).collect())
            }
            [0x05] => {
                Ok(listed(0x05, numbers.map(|port| [port, u8::from(faults.is_connected(port))])))
            }
            [0x06] => Ok(listed(0x06, numbers.map(|port| [port, faults.return_loss_db(port)]))),
            [option @ (0x07 | 0x87)] => Ok(listed(
                option,
                self.on_times_ms.iter().map(|&(port, time)| {
                    let [high, low] = time.to_be_bytes();
                    [port, high, low]
                }),
            )),
            [_] => Err(Status::INVALID_VALUE),
            _ => Err(Status::WRONG_DATA_LENGTH),
        }
    }

    pub(super) fn set(&mut self, data: &[u8]) -> Answer {
        match data {
            [0x82, ports @ ..] if !ports.is_empty() => {
                self.check(ports)?;
                self.search = ports.to_vec();
            }
            &[transmit, receive] | &[0x00, transmit, receive] => {
                self.check(&[transmit, receive])?;
                self.access = [transmit, receive];
            }
            [0x02, pairs @ ..] if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
                self.check(pairs)?;
                self.search = pairs.iter().copied().step_by(2).collect();
            }
            [0x03, entries @ ..] if entries.len().is_multiple_of(5) => {
                for &[port, a, b, c, d] in entries.as_chunks().0 {
                    let port = self.port_mut(port)?;
                    port.read_cdbm = u16::from_be_bytes([a, b]);
                    port.write_cdbm = u16::from_be_bytes([c, d]);
                }
            }
            // The longer form is tried second: a first port of 1 to 3 looks like its kind.
            [0x04, entries @ ..] if entries.len().is_multiple_of(7) => {
                for &[port, a, b, c, d, e, f] in entries.as_chunks().0 {
                    let port = self.port_mut(port)?;
                    port.read_cdbm = u16::from_be_bytes([a, b]);
                    port.write_cdbm = u16::from_be_bytes([c, d]);
                    port.settling_us = u16::from_be_bytes([e, f]);
                }
            }
            [0x04, kind @ 1..=3, entries @ ..] if entries.len().is_multiple_of(3) => {
                for &[port, high, low] in entries.as_chunks().0 {
                    *self.port_mut(port)?.value_mut(*kind) = u16::from_be_bytes([high, low]);
                }
            }
            [0x07 | 0x87, entries @ ..] if entries.len().is_multiple_of(3) => {
                self.set_on_times(entries.as_chunks().0)?;
            }
            _ => return Err(Status::WRONG_DATA_LENGTH),
        }
        Ok(Vec::new())
    }

    /// Port 0 stands for a pause.
    fn set_on_times(&mut self, entries: &[[u8; 3]]) -> Result<(), Status> {
        let ports: Vec<u8> =
            entries.iter().map(|&[port, ..]| port).filter(|&port| port != 0).collect();
        self.check(&ports)?;
        let times =
            entries.iter().map(|&[port, high, low]| (port, u16::from_be_bytes([high, low])));
        self.on_times_ms = times.collect();
        if !ports.is_empty() {
            self.search = ports;
        }
        Ok(())
    }

    fn check(&self, ports: &[u8]) -> Result<(), Status> {
        match ports.iter().all(|port| (1..=PORTS_MAX).contains(port)) {
            true => Ok(()),
            false => Err(Status::INVALID_VALUE),
        }
    }

    fn port_mut(&mut self, number: u8) -> Result<&mut Port, Status> {
        let index = usize::from(number).checked_sub(1).ok_or(Status::INVALID_VALUE)?;
        self.ports.get_mut(index).ok_or(Status::INVALID_VALUE)
    }
}

impl Port {
    fn value(self, kind: u8) -> u16 {
        match kind {
            1 => self.read_cdbm,
            2 => self.write_cdbm,
            _ => self.settling_us,
        }
    }

    fn value_mut(&mut self, kind: u8) -> &mut u16 {
        match kind {
            1 => &mut self.read_cdbm,
            2 => &mut self.write_cdbm,
            _ => &mut self.settling_us,
        }
    }
}

fn listed<const N: usize>(option: u8, entries: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    std::iter::once(option).chain(entries.flatten()).collect()
}
