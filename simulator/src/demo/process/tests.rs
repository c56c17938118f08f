use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn shell(run: &RunFolder, script: &str) -> Recipe {
    Recipe::new("shell", Path::new("/bin/sh"), run).arg("-c").arg(script)
}

/// Waits for a condition, or fails with its name.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    while !condition() {
        assert!(clock.uptime() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_that_is_killed_is_started_again() {
    let run = RunFolder::temporary().unwrap();
    let server = Supervised::start(shell(&run, "exec sleep 1000")).unwrap();
    server.wait_until(PATIENCE, |_| true).unwrap();
    let first = server.pid().unwrap();
    killpg(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
    eventually("another process", || server.pid().is_some_and(|pid| pid != first));
    assert_eq!(server.restarts(), 1);
    let written = fs::read_to_string(run.pid_file("shell")).unwrap();
    assert_eq!(written.trim(), server.pid().unwrap().to_string());
}

#[test]
fn a_server_that_was_killed_on_purpose_stays_down_until_it_may_start() {
    let run = RunFolder::temporary().unwrap();
    let server = Supervised::start(shell(&run, "exec sleep 1000")).unwrap();
    server.wait_until(PATIENCE, |_| true).unwrap();
    server.kill9();
    assert_eq!(server.pid(), None);
    assert_eq!(server.restarts(), 0);
    server.resume();
    eventually("a second start", || server.pid().is_some());
}

#[test]
fn a_server_that_does_not_listen_to_a_stop_is_killed() {
    let run = RunFolder::temporary().unwrap();
    let script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done";
    let mut server = Supervised::start(shell(&run, script)).unwrap();
    server.wait_until(PATIENCE, |_| tail_of(&run.log("shell")).contains("deaf")).unwrap();
    let clock = Clock::system();
    server.stop(Duration::from_millis(100));
    assert!(clock.uptime() < PATIENCE);
    assert_eq!(server.pid(), None);
    assert!(!run.pid_file("shell").exists());
}

#[test]
fn a_server_that_ends_before_it_is_ready_is_reported_with_what_it_said() {
    let run = RunFolder::temporary().unwrap();
    let server = Supervised::start(shell(&run, "echo the port is taken; exit 3")).unwrap();
    let error = server.wait_until(PATIENCE, |_| false).unwrap_err();
    assert!(matches!(&error, ProcessError::Died { tail, .. } if tail.contains("port is taken")));
}

#[test]
fn a_program_that_fails_says_why() {
    let run = RunFolder::temporary().unwrap();
    assert_eq!(shell(&run, "echo good").run_to_end().unwrap(), "good\n");
    let error = shell(&run, "echo bad >&2; exit 1").run_to_end().unwrap_err();
    assert!(error.to_string().contains("bad"), "{error}");
}

#[test]
fn a_run_never_writes_over_another() {
    let run = RunFolder::temporary().unwrap();
    fs::write(run.join("something"), "").unwrap();
    assert!(RunFolder::kept(run.path()).is_err());
    let root = run.path().to_owned();
    drop(run);
    assert!(!root.exists());
}
