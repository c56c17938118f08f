//! Administration: people and their rights, and the keys of those who use the HTTP API.
//!
//! What changing a person is, is `crate::command`'s, the same for pages and the command line; a
//! console does it only where its configuration names the key that signs people. What gives or
//! restores money or administration takes a second administrator ([`proposal`]), and so does a key
//! that does more than look ([`key_proposal`]). Keys are `clearing_house::api::keys`'. A secret that
//! was made is in one answer, and nowhere else.

mod form;
pub(crate) mod key_proposal;
mod keys;
mod people;
pub(crate) mod proposal;

use std::sync::Arc;

use askama::Template;
use tokio::sync::Mutex;

use crate::command::PeopleFiles;
use crate::config::Access;
use crate::page::Page;

pub(crate) use keys::{approve_key, decline_key, keys_page, make_key, revoke_key};
pub(crate) use people::{approve_change, change_person, decline_change, people_page, told};

/// How people are changed at this console.
#[derive(Debug, Default)]
pub(crate) struct Administration {
    /// With what; nothing where only the command line has the key.
    files: Option<Arc<PeopleFiles>>,
    /// Changes take turns: each reads the file that the one before has written.
    turn: Mutex<()>,
}

impl Administration {
    pub(crate) fn new(access: &Access) -> Self {
        Self { files: access.people_files().map(Arc::new), turn: Mutex::default() }
    }
}

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
