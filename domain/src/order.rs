//! Orders: who gave a command, and how anybody can tell later. Pure.
//!
//! *Desk key*: a console's own key, which the lanes of its station know. *Badge*: the desk's signed
//! word that a person has logged in there and alone holds a key, with their roles, where they have
//! them and until when. *Identity*: that key with its badge; it lives as long as a session and
//! never leaves the process. *Signer*: one signature under a command, with the badge of who gave
//! it. *Signed order*: a command with its signers; all that is needed to prove it, but for the desk
//! key.
//!
//! What is signed is the command as [`v1::emit`] writes it, so that the proof in a passage's record
//! is a command that can be read, and not bytes in bytes.
//!
//! Deliberately absent: whether a command is fresh (the lane's clock says), who is logged in (the
//! console's), and passwords.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signature::{Context, PublicKey, SecretKey, Signature, SignatureError};
use crate::wire::v1::{self, Badge, Command, DeskRole, Verb, WireError};
use crate::{LaneId, Timestamp};

/// Why an order is not believed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Nobody signed it.
    #[error("the order is not signed by the person who gives it")]
    Unsigned,
    /// Fewer or more people than the verb asks for.
    #[error("the order is signed by {found} people, and needs {needed}")]
    People {
        /// How many signed.
        found: usize,
        /// How many have to.
        needed: usize,
    },
    /// The signers are no JSON of this contract.
    #[error("the signers of the order cannot be read")]
    Unreadable,
    /// A badge is not as version 1 has it.
    #[error("the badge of a signer cannot be read")]
    Badge(#[source] WireError),
    /// No desk that is known here vouches for the signer.
    #[error("no desk of this station vouches for a signer of the order")]
    Stranger,
    /// The signature is not the badge's over this command.
    #[error("a signature of the order is forged")]
    Forged,
    /// The signer is not who the command names.
    #[error("the order names {named}, and somebody else signed it")]
    NotTheSame {
        /// Whom it names.
        named: String,
    },
    /// One person twice.
    #[error("a second person has to agree, and {person} signed twice")]
    SamePerson {
        /// Who.
        person: String,
    },
    /// The badge is not good at the time of the command.
    #[error("the badge of {person} was not good at the time of the order")]
    Expired {
        /// Whose.
        person: String,
    },
    /// The badge is of another place.
    #[error("{person} has no business at this lane")]
    Elsewhere {
        /// Who.
        person: String,
    },
    /// None of the signers has a role that the verb asks for.
    #[error("the order needs {needed}")]
    NoRight {
        /// Who would have the right.
        needed: &'static str,
    },
}

/// One signature under a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The badge, as the desk signed it.
    pub badge: Badge,
    /// The desk's signature over the badge.
    pub desk: Signature,
    /// The person's signature over the command.
    pub signature: Signature,
}

/// A command with its signatures.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedOrder {
    /// The command.
    pub command: Command,
    /// Who gave it, and then who agreed.
    pub signers: Vec<Signer>,
}

impl fmt::Debug for SignedOrder {
    // A command has a plate in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedOrder({}, {} signers)", self.command.id, self.signers.len())
    }
}

/// Who has to sign what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Right {
    people: usize,
    /// Whether one of them has to be a supervisor.
    supervisor: bool,
}

/// The table of verbs and rights.
const fn right(verb: &Verb) -> Right {
    match verb {
        Verb::Open { .. }
        | Verb::ChargeByPlate { .. }
        | Verb::TurnAway { .. }
        | Verb::ChangeGroup { .. }
        | Verb::RetryRead
        | Verb::EndConvoy => Right { people: 1, supervisor: false },
        Verb::SetMode { .. } => Right { people: 1, supervisor: true },
        Verb::BeginConvoy { .. } => Right { people: 2, supervisor: true },
    }
}

/// Whether a verb is carried out only where it is signed, also by a lane that knows no desk.
#[must_use]
pub const fn needs_signature(verb: &Verb) -> bool {
    match verb {
        Verb::Open { .. } | Verb::ChargeByPlate { .. } | Verb::TurnAway { .. } => false,
        Verb::ChangeGroup { .. }
        | Verb::RetryRead
        | Verb::BeginConvoy { .. }
        | Verb::EndConvoy
        | Verb::SetMode { .. } => true,
    }
}

/// Whether a verb takes two people.
#[must_use]
pub const fn needs_second(verb: &Verb) -> bool {
    right(verb).people == 2
}

/// Reads the signers of a command from their header; none where there is no header.
///
/// # Errors
/// When they cannot be read.
pub fn signers(header: Option<&str>) -> Result<Vec<Signer>, OrderError> {
    header.map_or(Ok(Vec::new()), |text| {
        serde_json::from_str(text).map_err(|_quotes| OrderError::Unreadable)
    })
}

/// The signers as their header.
///
/// # Panics
/// Never: they have a JSON form.
#[must_use]
pub fn header(signers: &[Signer]) -> String {
    serde_json::to_string(signers).expect("signers have a JSON form")
}

impl SignedOrder {
    /// Proves that those whom the command names gave it, with the right to, by one of these desks.
    /// Whether the command is fresh is not asked: a proof holds for ever.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn prove(&self, desks: &[PublicKey]) -> Result<(), OrderError> {
        let Self { command, signers } = self;
        let right = right(&command.verb);
        if signers.is_empty() {
            return Err(OrderError::Unsigned);
        }
        if signers.len() != right.people {
            return Err(OrderError::People { found: signers.len(), needed: right.people });
        }
        // Nobody is named who did not sign.
        if command.second.is_some() != (right.people == 2) {
            let found = 1 + usize::from(command.second.is_some());
            return Err(OrderError::People { found, needed: right.people });
        }
        let named = [Some(&command.attendant), command.second.as_ref()];
        let payload = v1::emit(command);
        for (signer, named) in signers.iter().zip(named) {
            let named = named.ok_or(OrderError::People { found: 1, needed: right.people })?;
            if signer.badge.person != *named {
                return Err(OrderError::NotTheSame { named: named.clone() });
            }
            signer.check(command, &payload, desks)?;
        }
        if let [first, second] = signers.as_slice() {
            let is_same = first.badge.person == second.badge.person
                || first.badge.key.as_bytes() == second.badge.key.as_bytes();
            if is_same {
                return Err(OrderError::SamePerson { person: second.badge.person.clone() });
            }
        }
        let has = |role| signers.iter().any(|signer| signer.badge.roles.contains(&role));
        if right.supervisor && !has(DeskRole::Supervisor) {
            return Err(OrderError::NoRight { needed: "a supervisor" });
        }
        Ok(())
    }
}

impl Signer {
    fn check(
        &self,
        command: &Command,
        payload: &[u8],
        desks: &[PublicKey],
    ) -> Result<(), OrderError> {
        let Badge { person, roles, scope, issued_at, expires_at, .. } = &self.badge;
        let badge = v1::emit(&self.badge);
        v1::parse::<Badge>("badge", &badge).map_err(OrderError::Badge)?;
        let vouches = |desk: &PublicKey| desk.verify(Context::Badge, &badge, &self.desk).is_ok();
        if !desks.iter().any(vouches) {
            return Err(OrderError::Stranger);
        }
        let forged = |_: SignatureError| OrderError::Forged;
        self.badge.key.verify(Context::Command, payload, &self.signature).map_err(forged)?;
        let person = || person.clone();
        if command.issued_at < *issued_at || command.expires_at > *expires_at {
            return Err(OrderError::Expired { person: person() });
        }
        if !covers(scope, &command.lane) {
            return Err(OrderError::Elsewhere { person: person() });
        }
        if roles.is_empty() {
            return Err(OrderError::NoRight { needed: "a station operator or a supervisor" });
        }
        Ok(())
    }
}

/// Whether a lane lies in a scope: everywhere, an operator, or one station.
fn covers(scope: &str, lane: &LaneId) -> bool {
    let (operator, station) = (lane.operator().as_str(), lane.station().as_str());
    match scope.split_once('/') {
        None => scope == "*" || scope == operator,
        Some((of, at)) => of == operator && at == station,
    }
}

/// Somebody's key with the badge for it. The key never leaves the process.
#[derive(Debug, Clone)]
pub struct Identity {
    key: SecretKey,
    badge: Badge,
    desk: Signature,
}

impl Identity {
    /// Makes a key for a person, and has the desk vouch for it.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn try_issue(
        desk: &SecretKey,
        (person, roles, scope): (String, Vec<DeskRole>, String),
        (issued_at, expires_at): (Timestamp, Timestamp),
    ) -> Result<Self, SignatureError> {
        let key = SecretKey::try_generate()?;
        let public = key.public();
        let badge = Badge { v: 1, key: public, person, roles, scope, issued_at, expires_at };
        let signature = desk.sign(Context::Badge, &v1::emit(&badge));
        Ok(Self { key, badge, desk: signature })
    }

    /// What the desk says of whose it is.
    #[must_use]
    pub const fn badge(&self) -> &Badge {
        &self.badge
    }

    /// Signs a command.
    #[must_use]
    pub fn sign(&self, command: &Command) -> Signer {
        let signature = self.key.sign(Context::Command, &v1::emit(command));
        Signer { badge: self.badge.clone(), desk: self.desk, signature }
    }
}

#[cfg(test)]
mod tests;
