//! The second factor: six digits that change every thirty seconds (RFC 6238).
//!
//! A code opens once: the *step* it belongs to is remembered by whoever asks, and neither it nor
//! an earlier one opens again. One step before and after is allowed for clocks that differ.

use std::fmt;

use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};

use super::AccessError;

/// Steps of difference that are allowed either way.
const SKEW: u16 = 1;

/// The secret that a person's device shares with us, in base32; never shown by Debug.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecondFactor(String);

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

impl SecondFactor {
    /// A new one: 160 random bits, as RFC 4226 §4 recommends.
    pub(crate) fn make() -> Result<Self, AccessError> {
        let mut bytes = [0_u8; 20];
        getrandom::fill(&mut bytes).map_err(AccessError::Random)?;
        Ok(Self(Secret::new_stack(bytes).to_base32()))
    }

    fn totp(&self) -> Option<Totp> {
        let secret = Secret::try_from_base32(&self.0).ok()?;
        Builder::new().with_secret(secret).with_skew(SKEW).build().ok()
    }

    /// Whether it is one.
    pub(crate) fn is_whole(&self) -> bool {
        self.totp().is_some()
    }

    /// The step of a code, if it is right at this second of the epoch.
    pub(crate) fn step(&self, code: &str, second: u64) -> Option<u64> {
        let digits: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.totp()?.check(&digits, second)
    }

    /// The code of a second.
    pub(crate) fn code(&self, second: u64) -> Option<String> {
        Some(self.totp()?.generate(second).to_string())
    }

    /// What an authenticator application scans or is given.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("otpauth://totp/etc:{name}?secret={}&issuer=etc", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SecondFactor;

    /// RFC 6238, appendix B: the ASCII secret `12345678901234567890`, SHA-1.
    fn of_the_rfc() -> SecondFactor {
        SecondFactor("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned())
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (second, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(of_the_rfc().code(second).as_deref(), Some(code));
            assert_eq!(of_the_rfc().step(code, second), Some(second / 30));
        }
    }

    #[test]
    fn a_code_is_good_for_its_step_and_one_either_way() {
        let factor = of_the_rfc();
        let code = factor.code(3_000).unwrap();
        for (second, good) in [(2_969, false), (2_970, true), (3_059, true), (3_060, false)] {
            assert_eq!(factor.step(&code, second), good.then_some(100), "{second}");
        }
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(factor.step(&spaced, 3_000), Some(100), "as devices show it");
        for wrong in ["", "12345", "1234567", "12345x", "000000"] {
            assert_eq!(factor.step(wrong, 3_000), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_new_one_is_whole_and_unlike_the_last() {
        let (one, two) = (SecondFactor::make().unwrap(), SecondFactor::make().unwrap());
        assert!(one.is_whole() && one != two);
        assert!(!SecondFactor("no base32!".to_owned()).is_whole());
    }
}
