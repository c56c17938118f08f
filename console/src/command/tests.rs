use std::path::Path;

use super::{CommandError, NewPerson, PeopleFiles, check_audit, make_key};
use crate::audit::{AuditLog, Author, Deed};
use crate::{Role, Scope};

fn files(folder: &Path) -> PeopleFiles {
    let files = PeopleFiles { file: folder.join("people"), key: folder.join("people.key") };
    make_key(&files).unwrap();
    files
}

fn new(name: &str, role: Role) -> NewPerson {
    NewPerson {
        name: name.to_owned(),
        full_name: "Nguyễn Thị Lan".to_owned(),
        roles: [role].into(),
        scope: Scope::Everywhere,
        account: None,
    }
}

#[test]
fn a_person_is_added_and_told_what_to_log_in_with() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let told = files.add(new("lan", Role::StationOperator), None).unwrap();
    assert!(told.starts_with("password ") && !told.contains("otpauth"));
    let told = files.add(new("an", Role::FinanceMaker), Some("a long secret")).unwrap();
    assert!(!told.contains("password") && told.contains("otpauth://totp/etc:an?secret="));
    assert_eq!(files.code("an").unwrap().len(), 6);
    assert!(files.code("lan").is_err());
    let list = files.list().unwrap();
    assert!(list.starts_with("version 2\n") && list.contains("finance-maker"), "{list}");
    assert!(!list.contains("argon2"));
}

#[test]
fn a_short_password_a_second_key_and_a_station_that_is_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let short = files.add(new("lan", Role::Auditor), Some("short"));
    assert!(matches!(short, Err(CommandError::PasswordLen { found: 5 })));
    assert!(matches!(make_key(&files), Err(CommandError::KeyIsThere { .. })));
    let nowhere = files.export(&Scope::Everywhere, &folder.path().join("x"));
    assert!(matches!(nowhere, Err(CommandError::NoStation { .. })));
}

#[cfg(unix)]
#[test]
fn what_is_secret_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    for file in [&files.file, &files.key] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_log_whose_tail_was_cut_off_does_not_contain_the_head_on_paper() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let log = AuditLog::open(&path, domain::Clock::system()).unwrap();
    for _ in 0..3 {
        log.append(&Author::default(), Deed::Started).unwrap().unwrap();
    }
    let chain = log.recent().1;
    let paper = format!("{}:{}", chain.entries, chain.head);
    log.append(&Author::default(), Deed::Started).unwrap().unwrap();
    assert_eq!(check_audit(&path, Some(&paper)).unwrap().entries, 4);
    let text = std::fs::read_to_string(&path).unwrap();
    let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, cut).unwrap();
    assert_eq!(check_audit(&path, None).unwrap().entries, 2, "the chain itself cannot tell");
    assert!(matches!(check_audit(&path, Some(&paper)), Err(CommandError::Head { .. })));
}

#[test]
fn who_changes_the_people_file_holds_it_from_reading_to_writing() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let mut held = files.hold().unwrap();
    held.add(new("lan", Role::Auditor), Some("a long secret")).unwrap();
    let another = std::fs::File::open(files.lock_path()).unwrap();
    assert!(matches!(another.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
    // Nothing is written until it is.
    assert_eq!(files.read().unwrap().version(), 0);
    held.write().unwrap();
    another.try_lock().unwrap();
    assert_eq!(files.read().unwrap().version(), 1);
}
