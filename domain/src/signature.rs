//! Signatures: Ed25519 over the exact bytes that travel and are stored.
//!
//! What is signed is a *context* and a payload, so that a signed receipt can never be taken for a
//! signed list. Keys never have `Debug` output that shows them.

mod prepared;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

pub use prepared::{Claim, PreparedKey, verify_each};

/// Why a key or signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not base64 of the right length.
    #[error("{what} is not {len} bytes in base64")]
    Malformed {
        /// Key or signature.
        what: &'static str,
        /// How many bytes it should have.
        len: usize,
    },
    /// The bytes are no public key.
    #[error("the public key is not a point of the curve")]
    NoKey,
    /// The signature is not the key's over these bytes.
    #[error("the signature does not belong to these bytes and this key")]
    Forged,
    /// The machine gave no random bytes for a new key.
    #[error("no random bytes for a new key")]
    NoRandom,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A lane's passage.
    Passage,
    /// The centre's receipt for a lane.
    Receipt,
    /// The centre's account list: manifest or delta.
    List,
    /// The centre's entry record for the exits of a road.
    Entry,
    /// A lane's question for an epoch, and the centre's answer.
    Epoch,
    /// A lane's question about an account.
    Question,
    /// The centre's answer to such a question.
    Answer,
    /// A settlement statement.
    Statement,
    /// The centre's directive for lanes.
    Directive,
    /// The centre's answer to what time it is.
    Time,
    /// The centre's word that a list is still the newest.
    ListConfirmation,
    /// A command, signed by a person at a desk.
    Command,
    /// Who may use the consoles.
    People,
    /// A desk's word for who holds a key of its own.
    Badge,
    /// A lane's turn with its manifest, and the centre's call.
    Manifest,
}

impl Context {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Passage => b"etc/v1/passage\0",
            Self::Receipt => b"etc/v1/receipt\0",
            Self::List => b"etc/v1/list\0",
            Self::Entry => b"etc/v1/entry\0",
            Self::Epoch => b"etc/v1/epoch\0",
            Self::Question => b"etc/v1/question\0",
            Self::Answer => b"etc/v1/answer\0",
            Self::Statement => b"etc/v1/statement\0",
            Self::Directive => b"etc/v1/directive\0",
            Self::Time => b"etc/v1/time\0",
            Self::ListConfirmation => b"etc/v1/list-confirmation\0",
            Self::Command => b"etc/v1/command\0",
            Self::People => b"etc/v1/people\0",
            Self::Badge => b"etc/v1/badge\0",
            Self::Manifest => b"etc/v1/manifest\0",
        }
    }

    fn message(self, payload: &[u8]) -> Vec<u8> {
        [self.tag(), payload].concat()
    }
}

fn decode<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], SignatureError> {
    // A decoder wants room for whole groups, which may be two bytes more than there are.
    let mut bytes = [0; 66];
    let decoded = match STANDARD.decode_slice(text, &mut bytes) {
        Ok(len) => bytes[..len].try_into().ok(),
        Err(_malformed) => None,
    };
    decoded.ok_or(SignatureError::Malformed { what, len: N })
}

/// A detached signature; base64 in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes of a stored signature.
    ///
    /// # Errors
    /// When there are not 64 of them.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Self, SignatureError> {
        let malformed = |_| SignatureError::Malformed { what: "signature", len: 64 };
        bytes.try_into().map(Self).map_err(malformed)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The signature in base64.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_text())
    }
}

impl FromStr for Signature {
    type Err = SignatureError;
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        decode("signature", text).map(Self)
    }
}

impl TryFrom<String> for Signature {
    type Error = SignatureError;
    fn try_from(text: String) -> Result<Self, SignatureError> {
        text.parse()
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_text()
    }
}

/// A private key: signs. Its text form is a secret.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn try_generate() -> Result<Self, SignatureError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_unavailable| SignatureError::NoRandom)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Takes a key from 32 secret bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a key as [`Self::to_secret_text`] wrote it.
    ///
    /// # Errors
    /// When the text is not 32 bytes in base64.
    pub fn try_from_secret_text(text: &str) -> Result<Self, SignatureError> {
        decode("secret key", text.trim()).map(|seed| Self(SigningKey::from_bytes(&seed)))
    }

    /// The key in base64. Secret: it belongs in a file that only its process may read.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        STANDARD.encode(self.0.to_bytes())
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a payload for one purpose.
    #[must_use]
    pub fn sign(&self, context: Context, payload: &[u8]) -> Signature {
        Signature(self.0.sign(&context.message(payload)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A public key: verifies. Base64 in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes 32 bytes.
    ///
    /// # Errors
    /// When they are no public key.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Self, SignatureError> {
        let malformed = |_| SignatureError::Malformed { what: "public key", len: 32 };
        let bytes: [u8; 32] = bytes.try_into().map_err(malformed)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_no_point| SignatureError::NoKey)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Checks a signature of one purpose.
    ///
    /// # Errors
    /// When the signature is not this key's over these bytes for that purpose.
    pub fn verify(
        &self,
        context: Context,
        payload: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(&context.message(payload), &signature)
            .map_err(|_mismatch| SignatureError::Forged)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", STANDARD.encode(self.0.as_bytes()))
    }
}

impl TryFrom<String> for PublicKey {
    type Error = SignatureError;
    fn try_from(text: String) -> Result<Self, SignatureError> {
        let bytes: [u8; 32] = decode("public key", text.trim())?;
        Self::try_from_slice(&bytes)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        STANDARD.encode(key.0.as_bytes())
    }
}

/// A SHA-256 digest; hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(into = "String")]
pub struct Digest256([u8; 32]);

impl Digest256 {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of some bytes that lie in several places.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut whole = Sha256::new();
        for part in parts {
            whole.update(part);
        }
        Self(whole.finalize().into())
    }

    /// Takes 32 bytes of a stored digest.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest256 {
    type Err = SignatureError;
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let mut bytes = [0; 32];
        let malformed = |_| SignatureError::Malformed { what: "digest", len: 32 };
        hex::decode_to_slice(text, &mut bytes).map_err(malformed)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest256 {
    type Error = SignatureError;
    fn try_from(text: String) -> Result<Self, SignatureError> {
        text.parse()
    }
}

impl<'de> Deserialize<'de> for Digest256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer)
    }
}

impl From<Digest256> for String {
    fn from(digest: Digest256) -> Self {
        digest.to_string()
    }
}

/// The first half of a [`Digest256`]: what the books keep of a record's digest, and enough to tell
/// two records of one number apart; 32 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HalfDigest([u8; 16]);

impl HalfDigest {
    /// Takes 16 bytes of a stored digest.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<Digest256> for HalfDigest {
    fn from(digest: Digest256) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&digest.0[..16]);
        Self(half)
    }
}

impl fmt::Display for HalfDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for HalfDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for HalfDigest {
    type Error = SignatureError;
    fn try_from(text: String) -> Result<Self, SignatureError> {
        let malformed = SignatureError::Malformed { what: "half of a digest", len: 16 };
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(malformed)
    }
}

impl From<HalfDigest> for String {
    fn from(digest: HalfDigest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_bytes_its_key_and_its_purpose_only() {
        let key = SecretKey::from_seed(&[7; 32]);
        let other = SecretKey::from_seed(&[8; 32]);
        let signature = key.sign(Context::Receipt, b"upto 5");
        assert_eq!(key.public().verify(Context::Receipt, b"upto 5", &signature), Ok(()));
        for (key, context, payload) in [
            (&key, Context::Receipt, b"upto 6".as_slice()),
            (&key, Context::List, b"upto 5"),
            (&other, Context::Receipt, b"upto 5"),
        ] {
            assert_eq!(
                key.public().verify(context, payload, &signature),
                Err(SignatureError::Forged)
            );
        }
    }

    #[test]
    fn a_secret_key_reads_back_from_its_text_and_never_shows_itself() {
        let key = SecretKey::try_generate().unwrap();
        let text = key.to_secret_text();
        let again = SecretKey::try_from_secret_text(&text).unwrap();
        assert_eq!(again.public(), key.public());
        assert!(!format!("{key:?}").contains(&text));
        assert!(SecretKey::try_from_secret_text("c2hvcnQ=").is_err());
    }
}
