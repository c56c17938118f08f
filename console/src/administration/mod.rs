//! Administration: people and their rights, and the keys of those who use the HTTP API.
//!
//! What changing a person is, is `crate::command`'s, the same for pages and the command line; a
//! console does it only where its configuration names the key that signs people. What gives or
//! restores money or administration takes a second administrator ([`proposal`]). Keys are
//! `clearing_house::api::keys`'. A secret that was made is in one answer, and nowhere else.

mod form;
mod keys;
mod people;
pub(crate) mod proposal;

use askama::Template;

use crate::page::Page;

pub(crate) use keys::{keys_page, make_key, revoke_key};
pub(crate) use people::{approve_change, change_person, decline_change, people_page, told};

/// A page that shows what was made, once.
#[derive(Template)]
#[template(path = "secret.html")]
struct SecretPage {
    page: Page,
    /// For whom.
    name: String,
    told: String,
    back: &'static str,
}
