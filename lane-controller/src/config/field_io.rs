//! The part of the configuration that says what drives loops, arm, light and siren.
//!
//! One key, `family`, decides which other keys there are; without it the family is `modbus-tcp`.
//! The station's own section is a module that its lanes share; a lane with a section of its own
//! has another device.

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
    /// A Modbus module.
    Modbus(Module),
    /// A relay card.
    RelayCard(Card),
}

/// A Modbus module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it is.
    pub place: Place,
    /// How often the inputs are read, in milliseconds of run time.
    pub poll_ms: u64,
}

/// A relay card: one lane's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its port.
    pub port: PathBuf,
    /// The port's speed.
    pub baud: u32,
    /// Which input is what.
    pub wiring: Wiring,
    /// Silence after so many seconds of run time.
    pub silent_after_s: u64,
}

impl Card {
    /// What its driver needs to know.
    #[must_use]
    pub fn settings(&self, to_real: impl Fn(Duration) -> Duration) -> CardSettings {
        let Self { port, baud, wiring, silent_after_s } = self;
        let silent_after = to_real(Duration::from_secs(*silent_after_s)).max(SILENT_REAL_MIN);
        CardSettings { port: port.clone(), baud: *baud, wiring: *wiring, silent_after }
    }
}

/// What a lane's loops and arm are behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneFieldIo {
    /// A block of a Modbus module.
    Modbus {
        /// The module.
        module: Module,
        /// The block, from 0.
        index: u16,
    },
    /// A card of its own.
    RelayCard(Card),
}

impl LaneFieldIo {
    /// What a lane says of its place, together with the station's module.
    ///
    /// # Errors
    /// Tells which key is missing or does not belong there.
    pub(super) fn of(
        station: Option<&FieldIo>,
        own: Option<&FieldIo>,
        index: Option<u16>,
    ) -> Result<Self, &'static str> {
        match (own, station, index) {
            (Some(FieldIo::RelayCard(card)), _, None) => Ok(Self::RelayCard(card.clone())),
            (Some(FieldIo::RelayCard(_)), _, Some(_)) => {
                Err("field_io_index belongs to a Modbus module; a relay card has no blocks")
            }
            (Some(FieldIo::Modbus(module)), _, index) => {
                Ok(Self::Modbus { module: module.clone(), index: index.unwrap_or(0) })
            }
            (None, Some(FieldIo::Modbus(module)), Some(index)) => {
                Ok(Self::Modbus { module: module.clone(), index })
            }
            (None, Some(FieldIo::Modbus(_)), None) => Err(
                "field_io_index is missing: the lane's block in the station's module, from 0; or \
                 a section [lane.field_io] with a device of its own",
            ),
            (None, Some(FieldIo::RelayCard(_)), _) => Err(
                "a relay card is one lane's: its keys belong into [lane.field_io], not into the \
                 station's [field_io]",
            ),
            (None, None, _) => {
                Err("field I/O is missing: [field_io] for a module that lanes share, or \
                 [lane.field_io]")
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
    /// The serial bus of the I/O module, or the card's port.
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
/// However fast a run is, a busy host is no silent card.
const SILENT_REAL_MIN: Duration = Duration::from_secs(3);

impl TryFrom<Keys> for FieldIo {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        keys.refuse_foreign()?;
        let missing = |key: &str| format!("field_io.{key} is missing");
        match keys.family {
            Family::ModbusTcp => Ok(Self::Modbus(Module {
                place: Place::Tcp(keys.address.ok_or_else(|| missing("address"))?),
                poll_ms: keys.poll_ms.ok_or_else(|| missing("poll_ms"))?,
            })),
            Family::ModbusRtu => {
                let unit = keys.unit.ok_or_else(|| missing("unit"))?;
                if !(1..=247).contains(&unit) {
                    return Err(format!("field_io.unit is 1 to 247, not {unit}"));
                }
                let port = keys.port.ok_or_else(|| missing("port"))?;
                let baud = keys.baud.ok_or_else(|| missing("baud"))?;
                let poll_ms = keys.poll_ms.ok_or_else(|| missing("poll_ms"))?;
                Ok(Self::Modbus(Module { place: Place::Rtu { port, baud, unit }, poll_ms }))
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
                Ok(Self::RelayCard(Card {
                    port: keys.port.ok_or_else(|| missing("port"))?,
                    baud: keys.baud.unwrap_or(CARD_BAUD),
                    wiring,
                    silent_after_s: keys.silent_after_s.unwrap_or(CARD_SILENT_AFTER_S),
                }))
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
            ("port", self.port.is_some(), &[ModbusRtu, RelayCard]),
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
        let place = Place::Tcp("192.0.2.1:502".parse().unwrap());
        assert_eq!(read, FieldIo::Modbus(Module { place, poll_ms: 20 }));
    }

    #[test]
    fn the_other_families_are_read() {
        let text = "family = \"modbus-rtu\"\nport = \"bus\"\nbaud = 19200\nunit = 3\npoll_ms = 20";
        let read: FieldIo = toml::from_str(text).unwrap();
        let place = Place::Rtu { port: "bus".into(), baud: 19_200, unit: 3 };
        assert_eq!(read, FieldIo::Modbus(Module { place, poll_ms: 20 }));
        let text = "family = \"relay-card\"\nport = \"card\"\npresence_input = 1\n\
                    safety_input = 2\narm_up_input = 3\noccupied = \"low\"\n\
                    state_order = \"last-is-input1\"";
        let read: FieldIo = toml::from_str(text).unwrap();
        let FieldIo::RelayCard(card) = read else { panic!("{read:?}") };
        assert_eq!((card.baud, card.silent_after_s), (9_600, 38));
        assert_eq!(card.wiring.occupied, Level::Low);
        assert_eq!(card.wiring.state_order, StateOrder::LastIsInput1);
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

    #[test]
    fn a_lane_is_behind_its_own_device_or_the_stations_module() {
        let module: FieldIo = toml::from_str("address = \"192.0.2.1:502\"\npoll_ms = 20").unwrap();
        let card: FieldIo = toml::from_str(
            "family = \"relay-card\"\nport = \"c\"\npresence_input = 1\nsafety_input = 2",
        )
        .unwrap();
        let of = LaneFieldIo::of;
        assert!(matches!(
            of(Some(&module), None, Some(3)),
            Ok(LaneFieldIo::Modbus { index: 3, .. })
        ));
        assert!(matches!(of(Some(&module), Some(&card), None), Ok(LaneFieldIo::RelayCard(_))));
        assert!(matches!(of(None, Some(&module), None), Ok(LaneFieldIo::Modbus { index: 0, .. })));
        for (station, own, index, key) in [
            (Some(&module), None, None, "field_io_index is missing"),
            (None, None, Some(1), "field I/O is missing"),
            (Some(&card), None, None, "[lane.field_io]"),
            (None, Some(&card), Some(1), "field_io_index belongs to a Modbus module"),
        ] {
            assert!(of(station, own, index).unwrap_err().contains(key), "{key}");
        }
    }
}
