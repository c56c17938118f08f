//! The passwords that people gave themselves at this console, beside the people file, which only the
//! administrators' key can change.
//!
//! Each replaces one hash of the people file and names it by its digest: where an administrator has
//! given somebody another password since, theirs is void. A station's computer that is stolen can
//! change no right by this, and no password anywhere else; it holds at this console alone.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use domain::signature::Digest256;
use serde::{Deserialize, Serialize};

use super::{AccessError, Person, password};

/// A password in the place of another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The digest of the people file's hash that it replaces.
    of: Digest256,
    password: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    own: BTreeMap<String, Own>,
}

/// The passwords that people gave themselves.
pub(super) struct OwnPasswords {
    file: PathBuf,
    kept: Mutex<Kept>,
}

impl OwnPasswords {
    /// Reads them; there may be none yet.
    pub(super) fn try_load(file: &Path) -> Result<Self, AccessError> {
        let failed = |source| AccessError::OwnPasswords { path: file.to_owned(), source };
        let kept = match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(failed(error)),
        };
        let kept: Kept = kept;
        if let Some((name, _)) = kept.own.iter().find(|(_, own)| !password::is_hash(&own.password))
        {
            let odd = format!("the password of {name} is not kept as an argon2id hash");
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, odd)));
        }
        Ok(Self { file: file.to_owned(), kept: Mutex::new(kept) })
    }

    /// The hash that opens for a person.
    pub(super) fn hash_of(&self, person: &Person) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.own.get(&person.name);
        let own = own.filter(|own| own.of == Digest256::of(person.password.as_bytes()));
        own.map_or_else(|| person.password.clone(), |own| own.password.clone())
    }

    /// Keeps a person's own password; it is on the disk before it opens. Blocks.
    pub(super) fn keep(&self, person: &Person, phc: String) -> Result<(), AccessError> {
        let failed = |source| AccessError::OwnPasswords { path: self.file.clone(), source };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Kept { own: kept.own.clone() };
        let of = Digest256::of(person.password.as_bytes());
        next.own.insert(person.name.clone(), Own { of, password: phc });
        let bytes = serde_json::to_vec(&next).map_err(io::Error::from).map_err(failed)?;
        write_whole(&self.file, &bytes).map_err(failed)?;
        *kept = next;
        Ok(())
    }
}

/// Writes a file that appears whole or not at all, for this process alone to read.
fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut written: File = options.open(&draft)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::access::people::tests::person;

    #[test]
    fn ones_own_password_holds_until_an_administrator_gives_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own");
        let lan = person("lan", &[Role::StationOperator]);
        let own = OwnPasswords::try_load(&file).unwrap();
        assert_eq!(own.hash_of(&lan), lan.password);
        let new = password::cheap_hash("another long secret");
        own.keep(&lan, new.clone()).unwrap();
        let again = OwnPasswords::try_load(&file).unwrap();
        assert_eq!(again.hash_of(&lan), new);
        let reset = Person { password: password::cheap_hash("given anew"), ..lan };
        assert_eq!(again.hash_of(&reset), reset.password);
        let kim = person("kim", &[Role::StationOperator]);
        assert_eq!(again.hash_of(&kim), kim.password);
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_not_one_is_refused_and_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own");
        let digest = Digest256::of(b"x");
        for text in [
            "",
            "{",
            "{\"own\":{},\"more\":1}",
            &format!("{{\"own\":{{\"lan\":{{\"of\":\"{digest}\",\"password\":\"clear\"}}}}}}"),
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(OwnPasswords::try_load(&file).is_err(), "{text}");
        }
    }
}
