//! A tariff as a file: what the centre imports and the lanes read.

use serde::Deserialize;

use super::{Segment, Tariff, TariffError};
use crate::{Amount, Currency, OperatorId, StationId, Timestamp, VehicleGroup};

/// Why a tariff file is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffFileError {
    /// A fare names neither a station nor a trip, or both.
    #[error("fare {index} needs either `station`, or `entry` and `exit`")]
    Segment {
        /// Which fare, counted from 1.
        index: usize,
    },
    /// A fare has no amounts, or more than there can be groups.
    #[error("fare {index} needs 1 to 20 amounts, group 1 first")]
    Amounts {
        /// Which fare, counted from 1.
        index: usize,
    },
    /// Two fares for one thing.
    #[error(transparent)]
    Tariff(#[from] TariffError),
}

/// A tariff file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of the same names in `Tariff`")]
pub struct TariffFile {
    pub version: String,
    pub operator: OperatorId,
    pub currency: Currency,
    pub valid_from: Timestamp,
    pub source: String,
    #[serde(rename = "fare")]
    pub fares: Vec<FareRow>,
}

/// Fares of one segment by group: of a pass where `station` is given, of a trip where `entry` and
/// `exit` are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FareRow {
    /// The open station.
    pub station: Option<StationId>,
    /// Where the trip begins.
    pub entry: Option<StationId>,
    /// Where the trip ends.
    pub exit: Option<StationId>,
    /// In whole minor units, group 1 first.
    pub amounts: Vec<Amount>,
}

impl TryFrom<TariffFile> for Tariff {
    type Error = TariffFileError;

    fn try_from(file: TariffFile) -> Result<Self, TariffFileError> {
        let mut tariff =
            Self::new(file.version, file.operator, file.currency, file.valid_from, file.source);
        for (index, fare) in (1..).zip(file.fares) {
            let segment = match (fare.station, fare.entry, fare.exit) {
                (Some(station), None, None) => Segment::Pass { station },
                (None, Some(entry), Some(exit)) => Segment::Trip { entry, exit },
                _ => return Err(TariffFileError::Segment { index }),
            };
            if fare.amounts.is_empty() {
                return Err(TariffFileError::Amounts { index });
            }
            for (number, amount) in (1..).zip(fare.amounts) {
                let group = VehicleGroup::try_new(number)
                    .map_err(|_past_the_last| TariffFileError::Amounts { index })?;
                tariff.add(segment.clone(), group, amount)?;
            }
        }
        Ok(tariff)
    }
}
