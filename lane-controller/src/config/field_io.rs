//! The part of the configuration that says what drives loops, arm, light and siren.
//!
//! One key, `family`, decides which other keys there are; without it the family is `modbus-tcp`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::field_io::modbus::Place;
use crate::field_io::relay_card::{CardSettings, InputNumber, Level, StateOrder, Wiring};

/// Loops, arm and light.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub enum FieldIo {
    /// One Modbus module for the station.
    Modbus {
        /// Where it is.
        module: Place,
        /// How often the inputs are read, in milliseconds of run time.
        poll_ms: u64,
    },
    /// A relay card for each lane, on the port that the lane names.
    RelayCard {
        /// The ports' speed.
        baud: u32,
        /// Which input is what.
        wiring: Wiring,
        /// Silence after so many seconds of run time.
        silent_after_s: u64,
    },
}

impl FieldIo {
    /// The settings of the card on a port; nothing where there is a module instead.
    #[must_use]
    pub fn card(
        &self,
        port: PathBuf,
        to_real: impl Fn(Duration) -> Duration,
    ) -> Option<CardSettings> {
        match *self {
            Self::Modbus { .. } => None,
            Self::RelayCard { baud, wiring, silent_after_s } => {
                let silent_after = to_real(Duration::from_secs(silent_after_s));
                Some(CardSettings { port, baud, wiring, silent_after })
            }
        }
    }

    /// What a lane must say of its place: the block of a module, or the port of a card.
    pub(super) fn wrong_of_lane(
        &self,
        index: Option<u16>,
        relay_card: Option<&PathBuf>,
    ) -> Option<&'static str> {
        match (self, index, relay_card) {
            (Self::Modbus { .. }, Some(_), None) | (Self::RelayCard { .. }, None, Some(_)) => None,
            (Self::Modbus { .. }, None, _) => {
                Some("field_io_index is missing: the lane's block in the I/O module, from 0")
            }
            (Self::Modbus { .. }, Some(_), Some(_)) => {
                Some("relay_card belongs to field_io.family \"relay-card\"")
            }
            (Self::RelayCard { .. }, _, None) => {
                Some("relay_card is missing: the serial port of the lane's card")
            }
            (Self::RelayCard { .. }, Some(_), Some(_)) => {
                Some("field_io_index belongs to a Modbus module, not to a relay card")
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Family {
    #[default]
    ModbusTcp,
    ModbusRtu,
    RelayCard,
}

impl Family {
    const fn name(self) -> &'static str {
        match self {
            Self::ModbusTcp => "modbus-tcp",
            Self::ModbusRtu => "modbus-rtu",
            Self::RelayCard => "relay-card",
        }
    }
}

/// Every key of every family.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    family: Family,
    /// The I/O module on the network.
    address: Option<SocketAddr>,
    /// The serial bus of the I/O module.
    port: Option<PathBuf>,
    /// The module's address on the bus, 1 to 247.
    unit: Option<u8>,
    /// The speed of bus or card.
    baud: Option<u32>,
    /// How often a module's inputs are read.
    poll_ms: Option<u64>,
    presence_input: Option<InputNumber>,
    safety_input: Option<InputNumber>,
    arm_up_input: Option<InputNumber>,
    /// What an occupied loop's input carries.
    occupied: Option<Level>,
    state_order: Option<StateOrder>,
    silent_after_s: Option<u64>,
}

/// Two and a half times the 15 s that a card's state takes at most.
const CARD_SILENT_AFTER_S: u64 = 38;
const CARD_BAUD: u32 = 9_600;

impl TryFrom<Keys> for FieldIo {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        keys.refuse_foreign()?;
        let missing = |key: &str| format!("field_io.{key} is missing");
        match keys.family {
            Family::ModbusTcp => Ok(Self::Modbus {
                module: Place::Tcp(keys.address.ok_or_else(|| missing("address"))?),
                poll_ms: keys.poll_ms.ok_or_else(|| missing("poll_ms"))?,
            }),
            Family::ModbusRtu => {
                let unit = keys.unit.ok_or_else(|| missing("unit"))?;
                if !(1..=247).contains(&unit) {
                    return Err(format!("field_io.unit is 1 to 247, not {unit}"));
                }
                let port = keys.port.ok_or_else(|| missing("port"))?;
                let baud = keys.baud.ok_or_else(|| missing("baud"))?;
                let poll_ms = keys.poll_ms.ok_or_else(|| missing("poll_ms"))?;
                Ok(Self::Modbus { module: Place::Rtu { port, baud, unit }, poll_ms })
            }
            Family::RelayCard => {
                let wiring = Wiring {
                    presence: keys.presence_input.ok_or_else(|| missing("presence_input"))?,
                    safety: keys.safety_input.ok_or_else(|| missing("safety_input"))?,
                    arm_up: keys.arm_up_input,
                    occupied: keys.occupied.unwrap_or(Level::High),
                    state_order: keys.state_order.unwrap_or_default(),
                };
                if wiring.presence == wiring.safety
                    || [Some(wiring.presence), Some(wiring.safety)].contains(&wiring.arm_up)
                {
                    return Err("field_io: two things are wired to one input".to_owned());
                }
                let baud = keys.baud.unwrap_or(CARD_BAUD);
                let silent_after_s = keys.silent_after_s.unwrap_or(CARD_SILENT_AFTER_S);
                Ok(Self::RelayCard { baud, wiring, silent_after_s })
            }
        }
    }
}

impl Keys {
    /// Refuses keys that the family does not have.
    fn refuse_foreign(&self) -> Result<(), String> {
        use Family::{ModbusRtu, ModbusTcp, RelayCard};
        let keys: [(&str, bool, &[Family]); 11] = [
            ("address", self.address.is_some(), &[ModbusTcp]),
            ("port", self.port.is_some(), &[ModbusRtu]),
            ("unit", self.unit.is_some(), &[ModbusRtu]),
            ("baud", self.baud.is_some(), &[ModbusRtu, RelayCard]),
            ("poll_ms", self.poll_ms.is_some(), &[ModbusTcp, ModbusRtu]),
            ("presence_input", self.presence_input.is_some(), &[RelayCard]),
            ("safety_input", self.safety_input.is_some(), &[RelayCard]),
            ("arm_up_input", self.arm_up_input.is_some(), &[RelayCard]),
            ("occupied", self.occupied.is_some(), &[RelayCard]),
            ("state_order", self.state_order.is_some(), &[RelayCard]),
            ("silent_after_s", self.silent_after_s.is_some(), &[RelayCard]),
        ];
        let own = self.family;
        let foreign =
            keys.iter().find(|(_, is_there, families)| *is_there && !families.contains(&own));
        match foreign {
            None => Ok(()),
            Some((key, _, _)) => {
                Err(format!("field_io.{key} does not belong to the family \"{}\"", own.name()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        toml::from_str::<FieldIo>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn without_a_family_it_is_a_modbus_module_on_the_network() {
        let read: FieldIo = toml::from_str("address = \"192.0.2.1:502\"\npoll_ms = 20").unwrap();
        let module = Place::Tcp("192.0.2.1:502".parse().unwrap());
        assert_eq!(read, FieldIo::Modbus { module, poll_ms: 20 });
    }

    #[test]
    fn the_other_families_are_read() {
        let text = "family = \"modbus-rtu\"\nport = \"bus\"\nbaud = 19200\nunit = 3\npoll_ms = 20";
        let read: FieldIo = toml::from_str(text).unwrap();
        let module = Place::Rtu { port: "bus".into(), baud: 19_200, unit: 3 };
        assert_eq!(read, FieldIo::Modbus { module, poll_ms: 20 });
        let text = "family = \"relay-card\"\npresence_input = 1\nsafety_input = 2\n\
                    arm_up_input = 3\noccupied = \"low\"\nstate_order = \"last-is-input1\"";
        let read: FieldIo = toml::from_str(text).unwrap();
        let FieldIo::RelayCard { baud: 9_600, wiring, silent_after_s: 38 } = read else {
            panic!("{read:?}");
        };
        assert_eq!(wiring.occupied, Level::Low);
        assert_eq!(wiring.state_order, StateOrder::LastIsInput1);
    }

    #[test]
    fn a_refusal_names_the_key() {
        for (text, key) in [
            ("poll_ms = 20", "field_io.address is missing"),
            ("family = \"relay-card\"\nsafety_input = 2", "field_io.presence_input is missing"),
            (
                "family = \"relay-card\"\npoll_ms = 20",
                "field_io.poll_ms does not belong to the family \"relay-card\"",
            ),
            (
                "address = \"192.0.2.1:502\"\npoll_ms = 20\nunit = 1",
                "field_io.unit does not belong",
            ),
            (
                "family = \"relay-card\"\npresence_input = 2\nsafety_input = 2",
                "two things are wired to one input",
            ),
            ("family = \"relay-card\"\npresence_input = 6", "inputs 1 to 5, not 6"),
            ("family = \"gpio\"", "unknown variant `gpio`"),
            ("speed = 1", "unknown field `speed`"),
            (
                "family = \"modbus-rtu\"\nport = \"b\"\nbaud = 1\nunit = 0\npoll_ms = 1",
                "field_io.unit is 1 to 247, not 0",
            ),
        ] {
            let message = refused(text);
            assert!(message.contains(key), "{text}: {message}");
        }
    }
}
