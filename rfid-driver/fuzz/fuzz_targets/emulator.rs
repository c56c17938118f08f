//! Any bytes from a host at any time, to an emulator of any protocol and model: no panic, and no more
//! answers than memory holds.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rfid_driver::Epc;
use rfid_driver::emulator::{DeviceFault, EmulatorSettings, FieldTag};
use rfid_driver::protocol;

/// More than any reader answers to a few hundred bytes.
const ANSWERS_MAX: usize = 100_000;

fuzz_target!(|input: &[u8]| {
    let [choice, model, script @ ..] = input else { return };
    let kind = protocol::ALL[usize::from(*choice) % protocol::ALL.len()];
    let models = kind.models();
    let model = models.get(usize::from(*model) % models.len().max(1)).map(ToString::to_string);
    let settings = EmulatorSettings { model, ..EmulatorSettings::default() };
    let Ok(mut reader) = kind.emulator(&settings) else { return };
    let tag = |serial: u8| {
        let epc = Epc::try_from_slice(&[0x34, 0x16, 0, 0, 0, 0, 0, 0, 0, 0, 0, serial]);
        FieldTag::new(epc.expect("96 bits"), -60, 1 + serial % 4)
    };
    reader.set_field(&[tag(1), tag(2)], Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut rest = script;
    while let [step, behind @ ..] = rest {
        rest = behind;
        match step {
            0..=0x0F => now += Duration::from_millis(u64::from(*step) * 40),
            0x10 => reader.handle_fault(DeviceFault::Reboot, now),
            0x11 => reader.handle_fault(DeviceFault::AntennaLost { port: 1 }, now),
            0x12 => reader.handle_fault(DeviceFault::Temperature { celsius: 100 }, now),
            0x13 => reader.set_field(&[], now),
            0x14 => reader.set_field(&[tag(3)], now),
            len => {
                let (bytes, behind) = rest.split_at(usize::from(*len).min(rest.len()));
                reader.handle_bytes(bytes, now);
                rest = behind;
            }
        }
        reader.handle_deadline(now);
        let answers = std::iter::from_fn(|| reader.poll_transmit()).take(ANSWERS_MAX).count();
        assert!(answers < ANSWERS_MAX, "answers without end");
    }
});
