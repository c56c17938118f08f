//! What a lane's reader has in its field: the tags of windscreens in its zone.
//!
//! Strength falls off from the middle of the zone; jitter is the emulator's own.

use domain::TagId;
use rfid_driver::Epc;
use rfid_driver::emulator::FieldTag;

const MIDDLE_DBM: i8 = -48;
/// How much weaker a tag is in each quarter of the way from the middle to the edge.
const QUARTER_LOSS_DB: [i8; 4] = [0, 3, 9, 18];

/// A tag at a place in the zone, from -1 to 1; nothing for one that no reader can report.
pub(crate) fn field_tag(tag: &TagId, place: f64) -> Option<FieldTag> {
    let epc = Epc::try_from_slice(tag.as_bytes()).ok()?;
    let far = place.abs();
    let quarter = [0.25, 0.5, 0.75].iter().filter(|edge| far >= **edge).count();
    Some(FieldTag::new(epc, MIDDLE_DBM - QUARTER_LOSS_DB[quarter], 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_strongest_in_the_middle_of_the_zone() {
        let tag = "3416214B88C0011762000493".parse().unwrap();
        let rssi_dbm = |place| field_tag(&tag, place).unwrap().rssi_dbm;
        assert_eq!([-1.0, -0.5, 0.0, 0.3, 0.9].map(rssi_dbm), [-66, -57, -48, -51, -66]);
    }
}
