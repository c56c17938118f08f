use super::*;
use crate::VehicleGroup;
use crate::wire::v1::LaneMode;

const LANE: &str = "cienco4/ben-thuy/l01";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn desk() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn person(name: &str, roles: &[DeskRole], scope: &str) -> Identity {
    let who = (name.to_owned(), roles.to_vec(), scope.to_owned());
    Identity::try_issue(&desk(), who, (at(0), at(3_600))).unwrap()
}

fn lan() -> Identity {
    person("lan", &[DeskRole::StationOperator], "cienco4/ben-thuy")
}

fn binh() -> Identity {
    person("binh", &[DeskRole::Supervisor], "*")
}

fn command(verb: Verb, attendant: &str, second: Option<&str>) -> Command {
    Command {
        v: 1,
        id: "c-1".to_owned(),
        lane: LANE.parse().unwrap(),
        call: 7,
        attendant: attendant.to_owned(),
        second: second.map(str::to_owned),
        issued_at: at(100),
        expires_at: at(110),
        verb,
    }
}

fn group() -> Verb {
    Verb::ChangeGroup { group: VehicleGroup::try_new(2).unwrap() }
}

fn convoy() -> Verb {
    Verb::BeginConvoy { name: "visit".to_owned(), vehicles_max: 9, lasts_s: 60 }
}

fn order(command: Command, by: &[&Identity]) -> SignedOrder {
    let signers = by.iter().map(|identity| identity.sign(&command)).collect();
    SignedOrder { command, signers }
}

/// What a lane says of an order; nothing where it believes it.
fn said(order: &SignedOrder) -> Option<String> {
    order.prove(&[desk().public()]).err().map(|error| error.to_string())
}

#[test]
fn an_order_is_believed_of_those_who_signed_it_and_survives_its_header() {
    let one = order(command(group(), "lan", None), &[&lan()]);
    assert_eq!(said(&one), None);
    let read = signers(Some(&header(&one.signers))).unwrap();
    assert_eq!(read, one.signers);
    assert_eq!(said(&SignedOrder { signers: read, ..one }), None);
    let two = order(command(convoy(), "lan", Some("binh")), &[&lan(), &binh()]);
    assert_eq!(said(&two), None);
    assert!(signers(None).unwrap().is_empty());
    assert!(matches!(signers(Some("[{}]")), Err(OrderError::Unreadable)));
}

#[test]
fn what_was_changed_after_it_was_signed_is_forged() {
    let whole = order(command(group(), "lan", None), &[&lan()]);
    for change in [
        |order: &mut SignedOrder| order.command.call = 8,
        |order: &mut SignedOrder| order.command.lane = "cienco4/ben-thuy/l02".parse().unwrap(),
        |order: &mut SignedOrder| order.command.id.push('x'),
        |order: &mut SignedOrder| order.command.verb = Verb::RetryRead,
    ] {
        let mut changed = whole.clone();
        change(&mut changed);
        assert_eq!(said(&changed).unwrap(), "a signature of the order is forged");
    }
    let mut promoted = whole;
    promoted.signers[0].badge.roles.push(DeskRole::Supervisor);
    assert!(said(&promoted).unwrap().starts_with("no desk of this station vouches"));
}

#[test]
fn a_desk_that_the_lane_does_not_know_vouches_for_nobody() {
    let whole = order(command(group(), "lan", None), &[&lan()]);
    let other = SecretKey::from_seed(&[4; 32]).public();
    assert!(matches!(whole.prove(&[other]), Err(OrderError::Stranger)));
    assert!(matches!(whole.prove(&[]), Err(OrderError::Stranger)));
    assert!(whole.prove(&[other, desk().public()]).is_ok());
}

#[test]
fn a_person_gives_no_order_in_anothers_name_at_another_station_or_after_the_session() {
    let name = order(command(group(), "kim", None), &[&lan()]);
    assert_eq!(said(&name).unwrap(), "the order names kim, and somebody else signed it");
    let elsewhere = person("lan", &[DeskRole::StationOperator], "cienco4/hoang-mai");
    let place = order(command(group(), "lan", None), &[&elsewhere]);
    assert_eq!(said(&place).unwrap(), "lan has no business at this lane");
    for (issued, expires) in [(-1, 9), (3_595, 3_605)] {
        let mut late = command(group(), "lan", None);
        (late.issued_at, late.expires_at) = (at(issued), at(expires));
        assert!(said(&order(late, &[&lan()])).unwrap().contains("was not good at the time"));
    }
}

#[test]
fn each_verb_is_for_those_who_may_and_for_as_many_as_it_takes() {
    let mode = || Verb::SetMode { mode: LaneMode::Closed };
    let unsigned = order(command(group(), "lan", None), &[]);
    assert!(said(&unsigned).unwrap().contains("not signed"));
    let no_role = person("lan", &[], "*");
    assert!(said(&order(command(group(), "lan", None), &[&no_role])).unwrap().contains("needs a"));
    let operator = order(command(mode(), "lan", None), &[&lan()]);
    assert_eq!(said(&operator).unwrap(), "the order needs a supervisor");
    assert_eq!(said(&order(command(mode(), "binh", None), &[&binh()])), None);

    let alone = order(command(convoy(), "binh", None), &[&binh()]);
    assert_eq!(said(&alone).unwrap(), "the order is signed by 1 people, and needs 2");
    let twice = order(command(convoy(), "binh", Some("binh")), &[&binh(), &binh()]);
    assert_eq!(said(&twice).unwrap(), "a second person has to agree, and binh signed twice");
    let kim = person("kim", &[DeskRole::StationOperator], "cienco4/ben-thuy");
    let operators = order(command(convoy(), "lan", Some("kim")), &[&lan(), &kim]);
    assert_eq!(said(&operators).unwrap(), "the order needs a supervisor");
    let too_many = order(command(group(), "lan", Some("binh")), &[&lan(), &binh()]);
    assert!(said(&too_many).unwrap().contains("2 people, and needs 1"));
    let unasked = order(command(group(), "lan", Some("binh")), &[&lan()]);
    assert!(said(&unasked).unwrap().contains("2 people, and needs 1"), "binh agreed to nothing");
}

#[test]
fn an_order_shows_neither_its_plate_nor_its_key() {
    let plate = "37A12345".parse().unwrap();
    let verb = Verb::ChargeByPlate { plate, group: VehicleGroup::try_new(1).unwrap() };
    let identity = lan();
    let shown = format!("{:?} {identity:?}", order(command(verb, "lan", None), &[&identity]));
    assert!(!shown.contains("37A12345"), "{shown}");
    assert!(!shown.contains(&identity.key.to_secret_text()), "{shown}");
}
