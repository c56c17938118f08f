//! How old the list is, for a verdict.

use domain::wire::v1::ListConfirmation;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

impl Centre {
    fn confirms(&self, second: i64) -> SignedMessage {
        let hash = Digest256::new(*self.list.hash().as_bytes());
        let said = ListConfirmation { v: 1, version: self.list.version(), hash, at: at(second) };
        let payload = emit(&said);
        let signature = key().sign(Context::ListConfirmation, &payload).to_text();
        SignedMessage::try_new(&payload, Some(&signature)).unwrap()
    }
}

fn open(folder: &std::path::Path) -> ListStore {
    ListStore::open(folder, key().public(), ListSettings::default()).unwrap()
}

#[test]
fn a_list_that_nobody_changed_is_as_young_as_the_centres_last_word_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut centre = Centre { issued_at: at(100), ..Centre::default() };
    let store = open(folder.path());
    store.apply(&centre.delta(good(0..20))).unwrap();
    assert_eq!(store.view().confirmed_at(), at(100));
    let held = store.view();
    assert!(store.vouch(&centre.confirms(900)).unwrap());
    // Whoever looks already hears it too, and an older word makes nothing older.
    assert_eq!(held.confirmed_at(), at(900));
    assert!(store.vouch(&centre.confirms(500)).unwrap());
    assert_eq!(store.view().confirmed_at(), at(900));
    // A delta that comes later is a younger word still.
    centre.issued_at = at(1_000);
    store.apply(&centre.delta(good(20..30))).unwrap();
    assert_eq!(store.view().confirmed_at(), at(1_000));
    assert_eq!(store.view().issued_at(), at(1_000));
}

#[test]
fn the_age_of_the_list_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut centre = Centre { issued_at: at(100), ..Centre::default() };
    let store = open(folder.path());
    store.apply(&centre.delta(good(0..20))).unwrap();
    store.vouch(&centre.confirms(900)).unwrap();
    drop(store);
    assert_eq!(open(folder.path()).view().confirmed_at(), at(900));
    // What somebody else wrote there counts for nothing.
    let path = folder.path().join(vouch::VOUCHED);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("00:15:00", "23:15:00")).unwrap();
    assert_eq!(open(folder.path()).view().confirmed_at(), at(100));
}

#[test]
fn a_word_about_another_list_makes_this_one_no_younger() {
    let folder = tempfile::tempdir().unwrap();
    let mut centre = Centre { issued_at: at(100), ..Centre::default() };
    let store = open(folder.path());
    store.apply(&centre.delta(good(0..20))).unwrap();
    let other = Centre { issued_at: at(100), ..Centre::with(0..10) };
    assert!(matches!(store.vouch(&other.confirms(900)), Err(ListError::Unproven { version: 1 })));
    let forged = SignedMessage {
        payload: centre.confirms(900).payload.replace("00:15:00", "00:16:00"),
        ..centre.confirms(900)
    };
    assert!(matches!(store.vouch(&forged), Err(ListError::Forged)));
    let (missed, later) = (centre.delta(good(20..30)), centre.confirms(900));
    assert!(!store.vouch(&later).unwrap(), "a newer version is not the one that is here");
    assert_eq!(store.view().confirmed_at(), at(100));
    store.apply(&missed).unwrap();
    assert!(store.vouch(&later).unwrap());
    assert_eq!(store.view().confirmed_at(), at(900));
}
