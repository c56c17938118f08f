//! The protocol as those see it who choose among protocols.

use proptest::prelude::*;

use super::Llrp;
use crate::clock;
use crate::codec::{Direction, Field, Undecodable, Value};
use crate::emulator::EmulatorSettings;
use crate::protocol::{Protocol as _, Transport, by_name};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn field(fields: &[Field], name: &str) -> Value {
    fields.iter().find(|field| field.name == name).unwrap().value.clone()
}

#[test]
fn a_report_is_described_with_its_tag() {
    let message = bytes(
        "043d0000002c4095892f00f000228d3005fb63ac1f3841ec88046781000186ce820004ec2ea8354c09880001",
    );
    let description = Llrp.describe(&message, Direction::FromReader, clock::now()).unwrap();
    assert_eq!(description.kind, "ro access report");
    assert_eq!(field(&description.fields, "peak_rssi_dbm"), Value::Number(-50));
    assert_eq!(field(&description.fields, "message_id"), Value::Number(0x4095_892F));
    assert_eq!(description.tags[0].epc.to_string(), "3005FB63AC1F3841EC880467");
    assert_eq!(description.tags[0].antenna, Some(1));
}

#[test]
fn a_refusal_is_described_by_the_name_of_its_code() {
    let message = bytes("041e0000001400000001011f000a006500026e6f");
    let description = Llrp.describe(&message, Direction::FromReader, clock::now()).unwrap();
    assert_eq!(field(&description.fields, "status"), Value::Text("101 M_FieldError".to_owned()));
    assert_eq!(field(&description.fields, "error_description"), Value::Text("no".to_owned()));
}

#[test]
fn a_message_of_the_other_direction_is_not_described() {
    let keep_alive = bytes("043e0000000a00000001");
    let described = Llrp.describe(&keep_alive, Direction::FromHost, clock::now());
    assert!(matches!(described, Err(Undecodable::Meaning(_))));
    assert!(Llrp.describe(&keep_alive, Direction::FromReader, clock::now()).is_ok());
}

#[test]
fn it_is_known_by_name_over_tcp_and_has_no_emulator() {
    let llrp = by_name("llrp").unwrap();
    assert_eq!((llrp.transport(), llrp.bauds()), (Transport::Tcp, &[][..]));
    let error = llrp.emulator(&EmulatorSettings::default()).unwrap_err();
    assert!(error.to_string().contains("llrpkit"), "{error}");
}

#[test]
fn a_capture_is_read_on_behind_noise() {
    let mut deframer = Llrp.deframer(Direction::FromReader);
    let keep_alive = bytes("043e0000000a00000001");
    let capture = [&[0x13, 0x37][..], &keep_alive].concat();
    assert_eq!(deframer.push(&capture), []);
    assert_eq!(deframer.next_frame(), Some(&keep_alive[..]));
    assert_eq!(deframer.dropped_bytes(), 2);
}

proptest! {
    #[test]
    fn any_message_is_described_to_its_last_byte_or_refused(
        kind in 1_u16..110,
        body in proptest::collection::vec(any::<u8>(), 0..80),
        parameter in 128_u16..370,
    ) {
        let wrapped_len = u16::try_from(4 + body.len()).unwrap().to_be_bytes();
        let wrapped = [&parameter.to_be_bytes()[..], &wrapped_len, &body].concat();
        for body in [&body, &wrapped] {
            let len = u32::try_from(10 + body.len()).unwrap().to_be_bytes();
            let message = [&(0x0800 | kind).to_be_bytes()[..], &len, &[0; 4], body].concat();
            for direction in [Direction::FromHost, Direction::FromReader] {
                let Ok(described) = Llrp.describe(&message, direction, clock::now()) else { continue };
                let mut at = 0;
                for field in &described.fields {
                    prop_assert_eq!(field.bytes.start, at);
                    at = field.bytes.end;
                }
                prop_assert_eq!(at, message.len());
            }
        }
    }
}
