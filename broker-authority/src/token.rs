//! Tokens: signed claims in the broker's own form (JWT version 2 with Ed25519 keys).
//!
//! The form is that of the broker's `jwt` library: a header, claims, and a signature over both,
//! in base64url without padding. Claims name their issuer by public key.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const HEADER: &[u8] = br#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// Why a token could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key cannot sign: it is a public one.
    #[error("sign a token")]
    Sign(#[source] nkeys::error::Error),
    /// The text is not a token.
    #[error("the text is no token: it has three parts in base64url, divided by dots")]
    Shape,
    /// It is not by the key it should be by.
    #[error("the token is not signed by the key it names")]
    Forged,
}

/// Signs claims: `of` is the public key they are about, `nats` what the broker is told of it.
pub(crate) fn sign(
    by: &KeyPair,
    of: &str,
    name: &str,
    issued_at: i64,
    nats: &Value,
) -> Result<String, TokenError> {
    let mut claims = json!({
        "iat": issued_at,
        "iss": by.public_key(),
        "name": name,
        "nats": nats,
        "sub": of,
    });
    let id = BASE32_NOPAD.encode(&Sha256::digest(claims.to_string().as_bytes()));
    claims["jti"] = Value::String(id);
    let claims = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    let signed = format!("{}.{claims}", BASE64URL_NOPAD.encode(HEADER));
    let signature = by.sign(signed.as_bytes()).map_err(TokenError::Sign)?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// The claims of a token, if it is signed by the key it names.
pub(crate) fn claims(token: &str) -> Result<Value, TokenError> {
    let (signed, signature) = token.trim().rsplit_once('.').ok_or(TokenError::Shape)?;
    let (_, claims) = signed.split_once('.').ok_or(TokenError::Shape)?;
    let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).or(Err(TokenError::Shape));
    let claims: Value = serde_json::from_slice(&decode(claims)?).or(Err(TokenError::Shape))?;
    let issuer = claims["iss"].as_str().ok_or(TokenError::Shape)?;
    let issuer = KeyPair::from_public_key(issuer).or(Err(TokenError::Shape))?;
    issuer.verify(signed.as_bytes(), &decode(signature)?).or(Err(TokenError::Forged))?;
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_was_signed_and_a_changed_one_is_refused() {
        let (by, of) = (KeyPair::new_account(), KeyPair::new_user());
        let token = sign(&by, &of.public_key(), "l01", 1_700_000_000, &json!({"type": "user"}));
        let token = token.unwrap();
        let said = claims(&token).unwrap();
        assert_eq!(said["sub"], of.public_key());
        assert_eq!(said["iss"], by.public_key());

        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut other = said.clone();
        other["name"] = "l02".into();
        parts[1] = BASE64URL_NOPAD.encode(other.to_string().as_bytes());
        assert!(matches!(claims(&parts.join(".")), Err(TokenError::Forged)));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "a", "a.b", "a.b.c", "..", "é.é.é"] {
            assert!(claims(text).is_err(), "{text:?}");
        }
    }
}
