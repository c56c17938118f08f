use super::Epc;

#[test]
fn an_epc_has_between_2_and_62_bytes() {
    for (len, accepted) in [(0, false), (1, false), (2, true), (12, true), (62, true), (63, false)]
    {
        assert_eq!(Epc::try_from_slice(&vec![7; len]).is_ok(), accepted, "{len} bytes");
    }
    assert!(Epc::try_from_slice(&[0; 300]).is_err());
}

#[test]
fn debug_never_shows_the_epc_and_display_does() {
    let epc = Epc::try_from_slice(&[0x34, 0x16, 0x21, 0x4B]).unwrap();
    assert_eq!(epc.to_string(), "3416214B");
    assert_eq!(format!("{epc:?}"), "Epc(4 bytes, withheld)");
}

#[test]
fn a_trailing_zero_makes_another_epc() {
    assert_ne!(Epc::try_from_slice(&[1, 2]).unwrap(), Epc::try_from_slice(&[1, 2, 0]).unwrap());
}
