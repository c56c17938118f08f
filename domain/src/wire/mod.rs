//! The wire contract: subjects, headers and messages between lane, centre and desk.
//!
//! Messages are JSON; what is signed is the exact payload, its signature travels in the header
//! [`SIGNATURE_HEADER`]. Versions are part of the subject and of every message; version 1 is pinned by
//! golden bytes in `v1/tests.rs`, which never change.

pub mod field_io;
pub mod subject;
pub mod v1;

use crate::PassageId;

/// The header that carries the base64 Ed25519 signature of the payload.
pub const SIGNATURE_HEADER: &str = "Etc-Signature";

/// The header that carries who signed an order: a JSON array of [`crate::order::Signer`].
pub const SIGNERS_HEADER: &str = "Etc-Signers";

/// The largest message a lane or the centre sends, in bytes.
pub const MESSAGE_LEN_MAX: usize = 64 * 1024;

/// Between a passage's id and the round it is sent in.
const ROUND_MARK: &str = ";round=";

/// The broker's message id of a passage. A repeat of what may not have arrived carries the same
/// id; what the broker had taken and is sent once more all the same has a round of its own, as the
/// broker would otherwise keep it to itself.
#[must_use]
pub fn message_id(passage: &PassageId, round: u32) -> String {
    if round == 0 { passage.to_string() } else { format!("{passage}{ROUND_MARK}{round}") }
}

/// The passage that a message id is of, in whatever round.
#[must_use]
pub fn passage_of(message_id: &str) -> Option<PassageId> {
    message_id.split_once(ROUND_MARK).map_or(message_id, |(passage, _)| passage).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_tells_its_passage_in_every_round() {
        let passage: PassageId = "cienco4/ben-thuy/l01:1:7".parse().unwrap();
        assert_eq!(message_id(&passage, 0), "cienco4/ben-thuy/l01:1:7");
        for round in [0, 1, 7] {
            assert_eq!(passage_of(&message_id(&passage, round)).as_ref(), Some(&passage));
        }
        assert_eq!(passage_of("entry/7"), None);
    }
}
