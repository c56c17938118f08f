//! Vehicles: plates and tariff groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlateError {
    /// Nothing is left, or too much, once blanks and punctuation are taken out.
    #[error("a plate has 3 to 12 letters and digits; this one has {len}")]
    Length {
        /// How many letters and digits were given.
        len: usize,
    },
    /// A character that no plate has.
    #[error("a plate has letters A to Z, Đ and digits; character {position} is neither")]
    Character {
        /// Which character, counted from 1.
        position: usize,
    },
}

/// A number plate in its normal form: upper case, without blanks, dots and hyphens.
///
/// Personal data in Viet Nam and elsewhere: `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Plate(String);

impl Plate {
    /// Normalises what a person typed or a camera read.
    ///
    /// # Errors
    /// When the text has other characters, or too few or too many.
    pub fn try_new(text: &str) -> Result<Self, PlateError> {
        let mut normal = String::with_capacity(text.len());
        for (index, character) in text.chars().enumerate() {
            match character {
                ' ' | '.' | '-' => {}
                'đ' | 'Đ' => normal.push('Đ'),
                c if c.is_ascii_alphanumeric() => normal.push(c.to_ascii_uppercase()),
                _ => return Err(PlateError::Character { position: index + 1 }),
            }
        }
        let len = normal.chars().count();
        if (3..=12).contains(&len) { Ok(Self(normal)) } else { Err(PlateError::Length { len }) }
    }

    /// The plate in clear. Personal data.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The plate with its middle hidden, for screens.
    #[must_use]
    pub fn masked(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let tail: String = characters[characters.len() - 2..].iter().collect();
        let head: String = characters.iter().take(2).collect();
        format!("{head}…{tail}")
    }
}

impl fmt::Debug for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plate(…)")
    }
}

impl FromStr for Plate {
    type Err = PlateError;
    fn from_str(text: &str) -> Result<Self, PlateError> {
        Self::try_new(text)
    }
}

impl TryFrom<String> for Plate {
    type Error = PlateError;
    fn try_from(text: String) -> Result<Self, PlateError> {
        Self::try_new(&text)
    }
}

impl From<Plate> for String {
    fn from(plate: Plate) -> Self {
        plate.0
    }
}

/// A number that is not a tariff group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a vehicle group is 1 to 20, not {0}")]
pub struct VehicleGroupError(pub u8);

/// The group a tariff puts a vehicle in, from 1.
///
/// How many groups there are and what they mean is the tariff's matter. Viet Nam has five
/// (Decree 130/2024): 1 under 12 seats or truck under 2 t; 2 up to 30 seats or truck under 4 t;
/// 3 from 31 seats or truck under 10 t; 4 truck under 18 t or container under 40 ft; 5 above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct VehicleGroup(u8);

impl VehicleGroup {
    /// Takes a group's number.
    ///
    /// # Errors
    /// When it is not 1 to 20.
    pub const fn try_new(number: u8) -> Result<Self, VehicleGroupError> {
        if number >= 1 && number <= 20 { Ok(Self(number)) } else { Err(VehicleGroupError(number)) }
    }

    /// The group's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for VehicleGroup {
    type Error = VehicleGroupError;
    fn try_from(number: u8) -> Result<Self, VehicleGroupError> {
        Self::try_new(number)
    }
}

impl From<VehicleGroup> for u8 {
    fn from(group: VehicleGroup) -> Self {
        group.0
    }
}

impl fmt::Display for VehicleGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plate_is_the_same_however_it_was_typed() {
        let plate = Plate::try_new("37a-123.45").unwrap();
        assert_eq!(plate, Plate::try_new(" 37A 12345").unwrap());
        assert_eq!(plate.as_str(), "37A12345");
        assert_eq!(plate.masked(), "37…45");
        assert!(!format!("{plate:?}").contains("37A"));
    }

    #[test]
    fn a_refused_plate_says_what_is_wrong_without_showing_it() {
        assert_eq!(Plate::try_new("37A/123"), Err(PlateError::Character { position: 4 }));
        assert_eq!(Plate::try_new("A1"), Err(PlateError::Length { len: 2 }));
    }
}
