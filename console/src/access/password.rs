//! Passwords: argon2id, and those that are made for people.
//!
//! What is kept is the PHC string, which carries its own parameters, so that they can grow while
//! old ones still open. Hashing takes tens of milliseconds and 19 MiB on purpose; whoever calls
//! does so away from the threads that serve pages, a few at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::AccessError;

/// Memory in KiB, passes and lanes: the least that OWASP's Password Storage Cheat Sheet names.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The shortest password that a person may bring.
pub(crate) const LEN_MIN: usize = 12;

/// The longest, so that nobody makes us hash a book.
pub(crate) const LEN_MAX: usize = 256;

/// Letters and digits, without those that are mistaken for each other: no I, L, O, U.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn argon2() -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).or(Err(AccessError::Hash))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password, with a salt of its own.
pub(crate) fn hash(password: &str) -> Result<String, AccessError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(AccessError::Random)?;
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).or(Err(AccessError::Hash))
}

/// Whether a password is the one of a PHC string, which no other algorithm may have made.
pub(crate) fn verify(password: &str, phc: &str) -> bool {
    let Ok(hash) = PasswordHash::new(phc) else { return false };
    let Ok(argon2) = argon2() else { return false };
    password.len() <= LEN_MAX
        && phc.starts_with("$argon2id$")
        && argon2.verify_password(password.as_bytes(), &hash).is_ok()
}

/// Whether a text can be what [`hash`] made.
pub(crate) fn is_hash(phc: &str) -> bool {
    phc.starts_with("$argon2id$") && PasswordHash::new(phc).is_ok()
}

/// A password for a new user: 80 random bits, in four groups that can be read aloud.
pub(crate) fn make() -> Result<String, AccessError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(AccessError::Random)?;
    let letters = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let letters: Vec<char> = letters.collect();
    Ok(letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-"))
}

/// The hash of a password that is checked in no time: for tests, which check many.
#[cfg(test)]
pub(crate) fn cheap_hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), b"sixteen bytes of").unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_opens_and_its_hash_does_not_show_it() {
        let phc = hash("a long secret").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !phc.contains("secret"));
        assert!(verify("a long secret", &phc));
        for wrong in ["", "a long secre", "A long secret", "a long secret "] {
            assert!(!verify(wrong, &phc), "{wrong:?}");
        }
        assert_ne!(hash("a long secret").unwrap(), phc, "each has its own salt");
    }

    #[test]
    fn what_another_algorithm_made_opens_nothing() {
        let phc = hash("a long secret").unwrap();
        assert!(!verify("a long secret", &phc.replace("argon2id", "argon2i")));
        assert!(!verify("", "") && !is_hash("") && is_hash(&phc));
    }

    #[test]
    fn a_made_password_is_long_and_new_each_time() {
        let (one, two) = (make().unwrap(), make().unwrap());
        assert_eq!(one.len(), 19);
        assert_ne!(one, two);
    }
}
