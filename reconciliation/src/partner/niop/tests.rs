//! The layouts beside the public schema, where it is at hand: names, order, cardinality and codes.

use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::layout::{ALL, STRAN as STRAN_LAYOUT};
use crate::partner::file::Reader as File;
use crate::partner::layout::{Element, Form, Occurs};
use crate::partner::record::Record;
use crate::partner::refusal::FileError;
use crate::partner::value::Kind;

/// An element of a schema: its name, how often it occurs, its codes, what is in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Node {
    name: String,
    occurs: String,
    codes: Vec<String>,
    of: Vec<Self>,
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.try_get_attribute(name).unwrap()?;
    Some(found.value.to_string())
}

/// Reads a schema of elements, sequences and enumerations, which these are.
fn schema(text: &str) -> Node {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) if start.name().0 == "xs:element" => {
                let min = attribute(&start, "minOccurs").unwrap_or_else(|| "1".to_owned());
                let max = attribute(&start, "maxOccurs").unwrap_or_else(|| "1".to_owned());
                let name = attribute(&start, "name").unwrap();
                open.push(Node { name, occurs: format!("{min}..{max}"), ..Node::default() });
            }
            Event::Start(start) if start.name().0 == "xs:enumeration" => {
                let value = attribute(&start, "value").unwrap();
                open.last_mut().unwrap().codes.push(value);
            }
            Event::End(end) if end.name().0 == "xs:element" => {
                let node = open.pop().unwrap();
                open.last_mut().unwrap().of.push(node);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    open.pop().unwrap().of.pop().unwrap()
}

fn node(element: &Element) -> Node {
    let occurs = match element.occurs() {
        Occurs::Once => "1..1",
        Occurs::Maybe => "0..1",
        Occurs::Many => "0..unbounded",
    };
    let (codes, of) = match element {
        Element::Field(field) => match field.kind {
            Kind::Code(choices) => (choices.iter().map(|c| c.written.to_owned()).collect(), vec![]),
            _ => (vec![], vec![]),
        },
        Element::Group { of, .. } => (vec![], of.iter().map(node).collect()),
    };
    Node { name: element.name().to_owned(), occurs: occurs.to_owned(), codes, of }
}

fn once(name: &str, of: Vec<Node>) -> Node {
    Node { name: name.to_owned(), occurs: "1..1".to_owned(), codes: vec![], of }
}

#[test]
fn the_layouts_are_those_of_the_public_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/niop");
    let files = [
        "3.4-TagValidationList.xsd",
        "4.3-TransactionData.xsd",
        "5.3-CorrectionData.xsd",
        "6.3-ReconciliationData.xsd",
        "7.5-Acknowledgement.xsd",
    ];
    for (layout, file) in ALL.iter().zip(files) {
        let Ok(text) = fs::read_to_string(folder.join(file)) else {
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("skipped: {file} is not at hand");
            }
            return;
        };
        let Form::Xml(frame) = layout.form else { panic!("{} is XML", layout.code) };
        let header: Vec<Node> = layout.header.iter().map(node).collect();
        let ours = if frame.header.is_empty() {
            once(frame.root, header)
        } else {
            let mut record = once(frame.record, layout.record.iter().map(node).collect());
            record.occurs = "1..unbounded".to_owned();
            let parts = vec![once(frame.header, header), once(frame.records, vec![record])];
            once(frame.root, parts)
        };
        assert_eq!(ours, schema(&text), "{}", layout.code);
    }
}

const STRAN: &str = include_str!("../examples/4090_4081_4082_20240301180000.STRAN");

/// Reads the example after something was done to it, and says how it is refused.
fn check(from: &str, to: &str, expected: Result<(), &str>) {
    assert!(STRAN.contains(from), "the example has no {from:?}");
    let text = STRAN.replacen(from, to, 1);
    let read = (|| {
        let mut reader = File::open(&STRAN_LAYOUT, text.as_bytes())?;
        let mut record = Record::default();
        while reader.next(&mut record)? {}
        Ok::<_, FileError>(())
    })();
    match (read, expected) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(expected)) => {
            assert!(error.to_string().contains(expected), "{to:?}: {error}");
        }
        (read, expected) => panic!("{to:?}: {read:?}, and not {expected:?}"),
    }
}

#[test]
fn what_xml_may_say_otherwise_is_read_and_what_it_could_smuggle_in_is_refused() {
    const ROOT: &str = "<TransactionData>";
    check("<?xml", "\u{feff}<?xml", Ok(()));
    check(
        ROOT,
        "<TransactionData xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">",
        Ok(()),
    );
    check("<TollAmount>1250<", "<TollAmount> 01250\r\n<", Ok(()));
    check("<TransactionDetail>", "<!-- said --><TransactionDetail>", Ok(()));
    check("<VehicleClass>2<", "<VehicleClass>2<!-- said --><", Ok(()));
    check(">VC02 <", ">VC02<", Ok(()));
    check(ROOT, "<!DOCTYPE TransactionData []><TransactionData>", Err("has a document type"));
    check("<VehicleClass>2<", "<VehicleClass>&two;<", Err("has markup in it"));
    check("<VehicleClass>2<", "<VehicleClass><![CDATA[2]]><", Err("has markup in it"));
    check("<VehicleClass>2<", "<VehicleClass a=\"b\">2<", Err("has attributes"));
    check("<VehicleClass>2<", "<VehicleClass> 2 \n<", Err("VehicleClass"));
    check("<VehicleClass>2<", "<Vehicle>2<", Err("Vehicle: has no place there"));
    check("</TagInfo>", "</TagInfe>", Err("is no XML from here on"));
    check("</TransactionData>", "</TransactionData><more/>", Err("goes on behind its end"));
    check("</TransactionData>", "</TransactionData>more", Err("goes on behind its end"));
    check("<FacilityID>", "words <FacilityID>", Err("is text between fields"));
    check("<TagInfo>\n", "<TagInfo/>", Err("TagInfo/TagAgencyID: is missing"));
    let endless = format!("<FacilityDesc>{}<", "A".repeat(10_000));
    check("<FacilityDesc>RING ROAD<", &endless, Err("without an angle bracket"));
}

#[test]
fn a_tag_a_plate_and_an_entry_stand_where_the_kind_of_record_needs_them() {
    check(">TB01<", ">VB01<", Err("field PlateInfo: is missing in a VB01"));
    check(">TB01<", ">TC01<", Err("field EntryData: is missing in a TC01"));
    check(">VC02 <", ">TC02<", Err("field TagInfo: is missing in a TC02"));
    check(">TB01<", ">TB02<", Err("\"TB02\" is not one of its values"));
}
