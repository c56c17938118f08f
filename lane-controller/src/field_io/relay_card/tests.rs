//! The driver against the other end of a pseudo-terminal. The whole way, with a road behind it, is
//! in the package `tests`.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, channel};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use super::*;
use crate::lane::Inputs;

const WITHIN: Duration = Duration::from_secs(10);

fn pty() -> (PtyMaster, PathBuf) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let port = PathBuf::from(ptsname_r(&master).unwrap());
    (master, port)
}

fn input(number: u8) -> InputNumber {
    InputNumber::try_new(number).unwrap()
}

fn settings(port: PathBuf, silent_after: Duration) -> CardSettings {
    let wiring = Wiring {
        presence: input(1),
        safety: input(2),
        arm_up: None,
        occupied: Level::High,
        state_order: StateOrder::FirstIsInput1,
    };
    CardSettings { port, baud: 9600, wiring, silent_after }
}

fn start(settings: CardSettings) -> (CardThread, Outputs, Receiver<FieldWord>) {
    let (say, words) = channel();
    let tell = move |word| {
        // A test that has heard enough hears no more.
        let _heard = say.send(word);
    };
    let (thread, outputs) = CardThread::start(settings, None, Clock::system(), tell).unwrap();
    (thread, outputs, words)
}

fn reading(words: &Receiver<FieldWord>) -> Reading {
    match words.recv_timeout(WITHIN).unwrap() {
        FieldWord::Reads { reading, .. } => reading,
        FieldWord::Silent => panic!("the card is not silent"),
    }
}

/// Writes an open command as soon as the port is open.
fn open_when_there(outputs: &Outputs) {
    let deadline = Clock::system().real() + WITHIN;
    while outputs.open().is_err() {
        assert!(Clock::system().real() < deadline, "the port does not open");
        std::thread::yield_now();
    }
}

fn told(card: &mut PtyMaster, len: usize) -> Vec<u8> {
    let mut line = Vec::new();
    while line.len() < len {
        let mut sources = [PollFd::new(card.as_fd(), PollFlags::POLLIN)];
        assert_ne!(poll(&mut sources, PollTimeout::from(10_000_u16)).unwrap(), 0, "in time");
        let mut buffer = [0; 256];
        let read = card.read(&mut buffer).unwrap();
        line.extend(&buffer[..read]);
    }
    line
}

#[test]
fn an_open_command_raises_the_arm_first_and_shows_green() {
    let (mut card, port) = pty();
    let (_thread, outputs, _words) = start(settings(port, WITHIN));
    open_when_there(&outputs);
    let expected = b"R3,N,01\r\nR4,F,60\r\nR1,N,60\r\n";
    assert_eq!(told(&mut card, expected.len()), expected);
    outputs.set(Output::Close, true).unwrap();
    outputs.set(Output::Green, false).unwrap();
    outputs.set(Output::Siren, true).unwrap();
    let expected = b"R3,F,60\r\nR4,N,01\r\nR1,F,60\r\nR5,N,10\r\n";
    assert_eq!(told(&mut card, expected.len()), expected);
}

#[test]
fn edges_become_readings_and_the_state_mends_what_noise_took() {
    let (mut card, port) = pty();
    let (_thread, outputs, words) = start(settings(port, WITHIN));
    open_when_there(&outputs);
    card.write_all(b"\x00\xffMSSL07M00000000\rVARAINPUT1HIGH\r").unwrap();
    assert_eq!(reading(&words), Reading::default());
    let expected = Inputs { presence: true, presence_rises: 1, ..Inputs::default() };
    assert_eq!(reading(&words).inputs, expected);
    card.write_all(b"VARAINPUT1L\x00W\rMSSL07M00000000\r").unwrap();
    let expected = Inputs { presence_rises: 1, presence_falls: 1, ..Inputs::default() };
    assert_eq!(reading(&words).inputs, expected);
}

#[test]
fn a_card_that_says_nothing_any_more_is_silent_and_comes_back_with_its_state() {
    let (mut card, port) = pty();
    let (_thread, outputs, words) = start(settings(port, Duration::from_millis(200)));
    open_when_there(&outputs);
    card.write_all(b"MSSL07M10000000\r").unwrap();
    let first = loop {
        match words.recv_timeout(WITHIN).unwrap() {
            FieldWord::Reads { reading, .. } => break reading,
            // The machine was slow to say its first state.
            FieldWord::Silent => {}
        }
    };
    assert_eq!(words.recv_timeout(WITHIN), Ok(FieldWord::Silent));
    // One edge tells one input; the others may have changed meanwhile.
    card.write_all(b"VARAINPUT1HIGH\rMSSL07M10000000\r").unwrap();
    assert_eq!(reading(&words), first);
}

#[test]
fn a_card_that_is_unplugged_is_silent_and_takes_no_commands() {
    let (card, port) = pty();
    let (_thread, outputs, words) = start(settings(port, WITHIN));
    open_when_there(&outputs);
    drop(card);
    assert_eq!(words.recv_timeout(WITHIN), Ok(FieldWord::Silent));
    assert!(matches!(outputs.open(), Err(FieldError::CardAbsent { .. } | FieldError::Card(_))));
}

#[test]
fn a_card_that_was_never_there_is_silent_once() {
    let folder = tempfile::tempdir().unwrap();
    let (thread, outputs, words) = start(settings(folder.path().join("none"), WITHIN));
    assert_eq!(words.recv_timeout(WITHIN), Ok(FieldWord::Silent));
    assert!(matches!(outputs.open(), Err(FieldError::CardAbsent { .. })));
    drop(thread);
    assert!(words.try_recv().is_err(), "told once");
}
