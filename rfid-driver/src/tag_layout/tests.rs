use std::path::Path;

use proptest::prelude::*;

use super::{FasTag, SixCToc, TagLayout, VietNamOperator};
use crate::Epc;

fn epc(hex: &str) -> Epc {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    Epc::try_from_slice(&bytes).unwrap()
}

#[track_caller]
fn check(hex: &str, shown: &str) {
    assert_eq!(TagLayout::of(&epc(hex)).to_string(), shown, "{hex}");
}

// Tags in the field, from public repositories.
#[test]
fn tags_in_the_field_say_who_issued_them() {
    check("34161FA8203289723A7DF720", "FASTag 607417-029-0257977");
    check("34161FA820328EE80F2272A0", "FASTag 608116-007-0594837");
    check("34161FA8203289720A9BA480", "FASTag 607417-005-0318756");
    check("34161FA820328AA2D24366C0", "FASTag 607569-105-0138038");
    check("3416214B8817620004936445", "VETC eTag 17620004936445");
    check("3416214B880E700001941070", "VETC eTag E700001941070");
    check("3416214B9417620004936445", "VDTC eTag 17620004936445");
    check("8930110002060900FFBCEC45", "Viet Nam, older, 060900FFBCEC45");
}

// The SGTIN is the standard's own example; the GIAIs were worked out by hand.
#[test]
fn gs1_numbers_are_shown_as_the_standard_writes_them() {
    check("3074257BF7194E4000001A85", "urn:epc:id:sgtin:0614141.812345.6789");
    check("3474257BF40000000000162E", "urn:epc:id:giai:0614141.5678");
    check("34161FA820328EE80F2272A1", "urn:epc:id:giai:8907272.14230876173005473");
}

#[test]
fn what_matches_no_layout_stays_opaque() {
    for hex in [
        "0000",
        "E200322FE20DF9311328B7E3",
        // GIAI-96 with a partition that does not exist.
        "341E214B8817620004936445",
        // A company prefix of eight digits where seven are said.
        "3417FFFFFC17620004936445",
        // The right beginning, but not 96 bits.
        "3416214B88176200049364450000",
        "3E00",
        "893011000206",
    ] {
        check(hex, "unknown layout");
    }
}

#[test]
fn a_fastag_whose_reserved_bits_are_not_zero_is_only_a_numbered_asset() {
    let layout = TagLayout::of(&epc("34161FA820328EE80F2272A1"));
    assert_eq!(layout.name(), "giai-96");
}

#[test]
fn every_field_of_a_6c_tag_is_read() {
    // DSFID 3E | use 0AB5 | assigned, type 8, 5 axles, heavy, dual | HOV 3 | version 3
    // | agency 194 | serial 12345678 | hash BEEF
    let row = [
        (0x3E, 8),
        (0x0AB5, 13),
        (1, 1),
        (8, 5),
        (5, 4),
        (1, 1),
        (1, 1),
        (3, 3),
        (3, 4),
        (194, 12),
        (12_345_678, 28),
        (0xBEEF, 16),
    ];
    let value = row.iter().fold(0_u128, |value, &(field, len)| value << len | field);
    let layout = TagLayout::of(&epc(&format!("{value:024X}")));
    let expected = SixCToc {
        agency_use: 0x0AB5,
        class_assigned: true,
        vehicle_type: 8,
        axles: 5,
        over_7000_lb: true,
        dual_rear_tires: true,
        hov_declaration: 3,
        version: 3,
        agency: 194,
        serial: 12_345_678,
        hash: 0xBEEF,
    };
    assert!(layout == TagLayout::SixCToc(expected));
    assert_eq!(expected.agency_name(), Some("E-470"));
    // 9 4 | 0 0 1 2 3 4 5 6 7 8, of which 4 0 2 4 6 8 are doubled: 9+8+0+0+1+4+3+8+5+3+7+7 = 55.
    assert_eq!(layout.to_string(), "6C TOC 194 0012345678 5");
}

#[test]
fn debug_output_withholds_the_identity() {
    for hex in
        ["34161FA8203289723A7DF720", "3416214B8817620004936445", "3E0000000030C2000003039BEEF0"]
    {
        let layout = TagLayout::of(&epc(hex));
        let text = format!("{layout:?}");
        assert!(text.bytes().filter(u8::is_ascii_digit).count() <= 2, "{text}");
    }
    let tag = TagLayout::of(&epc("34161FA8203289723A7DF720"));
    let TagLayout::FasTag(tag) = tag else { panic!("{tag:?}") };
    assert_eq!(format!("{tag:?}"), "FasTag(withheld)");
}

#[test]
fn operators_are_told_apart() {
    let operator = |hex| match TagLayout::of(&epc(hex)) {
        TagLayout::VietNamEtag(tag) => Some(tag.operator),
        _ => None,
    };
    assert_eq!(operator("3416214B8817620004936445"), Some(VietNamOperator::Vetc));
    assert_eq!(operator("3416214B9417620004936445"), Some(VietNamOperator::Vdtc));
    assert_eq!(operator("3416214B9017620004936445"), None);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn the_toll_tags_of_the_collection_are_recognised() {
    const FRAMES: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rfid/reader-frames.tsv");
    if !Path::new(FRAMES).exists() {
        eprintln!("skipped: the collection of frames is not here");
        return;
    }
    let table = std::fs::read_to_string(FRAMES).unwrap();
    let mut seen = 0;
    for row in table.lines().filter(|row| row.starts_with("epc-toll")) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (layout, meaning) = (TagLayout::of(&epc(columns[2])), columns[3]);
        let expected = match meaning {
            _ if meaning.contains("FASTag") => "fastag",
            _ if meaning.contains("VETC") => "viet-nam-etag",
            _ => "viet-nam-older",
        };
        assert_eq!(layout.name(), expected, "{meaning}");
        if let TagLayout::FasTag(FasTag { issuer, key_index, serial, .. }) = layout {
            for part in
                [format!("issuer {issuer}"), format!("key {key_index}"), format!("serial {serial}")]
            {
                assert!(meaning.contains(&part), "{meaning}: {part}");
            }
        }
        seen += 1;
    }
    assert!(seen >= 8, "the collection has {seen} toll tags");
}

proptest! {
    #[test]
    fn any_epc_has_a_layout(bytes in proptest::collection::vec(any::<u8>(), 2..=62)) {
        let layout = TagLayout::of(&Epc::try_from_slice(&bytes).unwrap());
        prop_assert!(!layout.to_string().is_empty());
        prop_assert_eq!(layout.fields().is_empty(), layout == TagLayout::Opaque);
    }

    #[test]
    fn any_number_of_a_known_kind_has_a_layout(
        header in prop_oneof![Just(0x30_u8), Just(0x34), Just(0x3E)], rest in any::<[u8; 11]>()
    ) {
        let bytes: Vec<u8> = std::iter::once(header).chain(rest).collect();
        let layout = TagLayout::of(&Epc::try_from_slice(&bytes).unwrap());
        prop_assert!(header != 0x3E || layout.name() == "6c-toc");
    }

    /// Luhn's promise: no single wrong digit of the serial number keeps the check digit.
    #[test]
    fn one_wrong_digit_changes_the_check_digit(
        serial in 0_u32..200_000_000, place in 0_u32..8, step in 1_u32..10
    ) {
        let tag = |serial| SixCToc {
            agency_use: 0, class_assigned: false, vehicle_type: 0, axles: 0, over_7000_lb: false,
            dual_rear_tires: false, hov_declaration: 0, version: 3, agency: 194, serial, hash: 0,
        };
        let unit = 10_u32.pow(place);
        let digit = serial / unit % 10;
        let other = serial - digit * unit + (digit + step) % 10 * unit;
        prop_assert_ne!(tag(serial).check_digit(), tag(other).check_digit());
    }
}
