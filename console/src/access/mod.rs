//! Who may come in, how far, and where a form came from.
//!
//! [`people`] are who they are, [`role`] what they may do and where; [`door`] lets them in by
//! password and second factor, no faster than [`throttle`] allows; [`session`] remembers them;
//! [`guard`] stands before every route and asks [`crate::routes`]. A password is the one thing that
//! people change themselves ([`own_passwords`]). Deliberately absent: changing people, which takes the
//! key (`crate::command`, and `crate::administration` where the centre's console has it).

mod door;
mod guard;
mod identity;
mod own_passwords;
mod pages;
mod password_page;
pub(crate) mod password;
pub(crate) mod people;
mod role;
mod second_factor;
mod session;
mod throttle;

use std::path::PathBuf;

use axum::http::{HeaderMap, header};
use domain::signature::Digest256;

pub(crate) use door::Door;
pub(crate) use guard::guard;
pub(crate) use identity::{DeskKey, person_of_a_moment};
pub(crate) use pages::{code_page, enter_code, log_in, log_in_page, log_out};
pub(crate) use password_page::{change as change_password, page as password_page};
pub use people::{People, PeopleError, Person};
pub use role::{Role, Scope, ScopeError};
pub use second_factor::SecondFactor;
pub(crate) use session::{Session, Sessions, Standing};

/// Why the door could not be opened for business.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The people file could not be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The people file was not taken.
    #[error("take the people of {path}")]
    People {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: PeopleError,
    },
    /// The desk's key could not be read.
    #[error("take the desk's key from {path}")]
    DeskKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: domain::signature::SignatureError,
    },
    /// The passwords that people gave themselves could not be read or kept.
    #[error(
        "the people's own passwords in {path}: put the file aside, and those given to them hold"
    )]
    OwnPasswords {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The system has no random numbers.
    #[error("take random numbers from the system")]
    Random(#[source] getrandom::Error),
    /// Argon2 refused its own parameters, or had no memory.
    #[error("hash a password")]
    Hash,
}

/// Whether two digests are the same, in a time that does not depend on how they differ.
pub(crate) fn same(left: &Digest256, right: &Digest256) -> bool {
    let pairs = left.as_bytes().iter().zip(right.as_bytes());
    let difference = pairs.fold(0, |difference, (l, r)| std::hint::black_box(difference | (l ^ r)));
    difference == 0
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_hex() -> Result<String, AccessError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(AccessError::Random)?;
    Ok(hex::encode(bytes))
}

/// A cookie of the request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Whether a request that changes something came from one of our own pages.
///
/// Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; a program that sends neither has
/// no cookies of a person to misuse.
pub(crate) fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (headers.get(header::ORIGIN), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| authority == host),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{cookie, is_same_site};

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; etc_session=abc;xetc=2"));
        assert_eq!(cookie(&headers, "etc_session"), Some("abc"));
        assert_eq!(cookie(&headers, "etc"), None);
    }

    #[test]
    fn a_form_from_a_foreign_page_is_told_from_our_own() {
        let check = |pairs: &[(&'static str, &'static str)], same: bool| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_same_site(&headers), same, "{pairs:?}");
        };
        check(&[("sec-fetch-site", "same-origin")], true);
        let foreign = ("sec-fetch-site", "cross-site");
        check(&[foreign, ("origin", "http://desk"), ("host", "desk")], false);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("origin", "http://desk:80"), ("host", "desk:80")], true);
        check(&[("origin", "http://evil"), ("host", "desk")], false);
        check(&[("origin", "null"), ("host", "desk")], false);
        check(&[("host", "desk")], true);
    }
}
