//! Python programs that use packages of other people.

use std::ffi::OsString;
use std::process::Command;

/// An interpreter that has `module`. Where there is none it says that the test is skipped: see
/// `clients/install`.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn python_with(module: &str) -> Option<OsString> {
    let Some(python) = std::env::var_os("RFID_CLIENT_PYTHON") else {
        eprintln!("skipped: RFID_CLIENT_PYTHON names no interpreter with {module}");
        return None;
    };
    let import = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    let import = import.unwrap_or_else(|error| panic!("RFID_CLIENT_PYTHON does not run: {error}"));
    if !import.status.success() {
        eprintln!("skipped: the interpreter that RFID_CLIENT_PYTHON names has no {module}");
        return None;
    }
    Some(python)
}
