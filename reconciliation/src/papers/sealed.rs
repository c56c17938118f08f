//! A signed text: canonical JSON with its digest and the centre's signature, of whatever kind of paper.
//!
//! The kind is in the text itself, in its `format`, so a paper of one kind is never taken for one of
//! another though all are signed alike.

use std::marker::PhantomData;

use domain::signature::{Context, Digest256, PublicKey, SecretKey, Signature};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::statement::PaperError;

/// A paper with the bytes that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    canonical: String,
    digest: Digest256,
    signature: Signature,
    of: PhantomData<T>,
}

/// A paper as it is filed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    statement: T,
    digest: Digest256,
    signature: Signature,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Signs a paper.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn try_sign(paper: &T, key: &SecretKey) -> Result<Self, serde_json::Error> {
        let canonical = serde_json::to_string(paper)?;
        let digest = Digest256::of(canonical.as_bytes());
        let signature = key.sign(Context::Statement, canonical.as_bytes());
        Ok(Self { canonical, digest, signature, of: PhantomData })
    }

    /// What was stored; [`Self::open`] says whether to believe it.
    #[must_use]
    pub const fn stored(canonical: String, digest: Digest256, signature: Signature) -> Self {
        Self { canonical, digest, signature, of: PhantomData }
    }

    /// Reads a paper as [`Self::to_json`] wrote it; [`Self::open`] says whether to believe it.
    ///
    /// # Errors
    /// When it is not such a paper.
    pub fn try_from_json(text: &str) -> Result<Self, serde_json::Error> {
        let Envelope { statement, digest, signature } = serde_json::from_str::<Envelope<T>>(text)?;
        Ok(Self::stored(serde_json::to_string(&statement)?, digest, signature))
    }

    /// The canonical text with its digest and signature.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Put together by hand: the text must keep the very bytes that were signed.
        let Self { canonical, digest, signature, .. } = self;
        let signature = signature.to_text();
        format!(
            "{{\"statement\":{canonical},\"digest\":\"{digest}\",\"signature\":\"{signature}\"}}\n"
        )
    }

    /// The paper, once digest, signature and text have been checked.
    ///
    /// # Errors
    /// When any of them is not as it was signed.
    pub fn open(&self, key: &PublicKey) -> Result<T, PaperError> {
        let bytes = self.canonical.as_bytes();
        if Digest256::of(bytes) != self.digest {
            return Err(PaperError::Digest);
        }
        key.verify(Context::Statement, bytes, &self.signature).map_err(PaperError::Signature)?;
        let paper = self.read().map_err(PaperError::Text)?;
        let again = serde_json::to_string(&paper).map_err(PaperError::Text)?;
        if again == self.canonical { Ok(paper) } else { Err(PaperError::NotCanonical) }
    }

    /// The paper as the text has it, unchecked.
    ///
    /// # Errors
    /// When the text is no such paper.
    pub fn read(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.canonical)
    }

    /// The canonical text.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The SHA-256 of the canonical text.
    #[must_use]
    pub const fn digest(&self) -> Digest256 {
        self.digest
    }

    /// The centre's signature over it.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}
