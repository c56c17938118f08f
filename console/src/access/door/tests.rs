use domain::Clock;
use domain::signature::SecretKey;

use super::{Denied, Door};
use crate::access::people::{People, Person, tests::person};
use crate::access::{Role, Scope, password};
use crate::audit::Refusal;

/// A door with a people file of its own.
struct House {
    door: Door,
    people: People,
    clock: Clock,
    _folder: tempfile::TempDir,
}

const PASSWORD: &str = "a long secret";

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn with_password(name: &str, roles: &[Role]) -> Person {
    Person { password: password::cheap_hash(PASSWORD), ..person(name, roles) }
}

impl House {
    fn at(place: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people");
        let mut people = People::default();
        people.add(with_password("an", &[Role::FinanceMaker])).unwrap();
        let scope: Scope = "cienco4/ben-thuy".parse().unwrap();
        let lan = Person { scope, ..with_password("lan", &[Role::StationOperator]) };
        people.add(lan).unwrap();
        let gone = Person { active: false, ..with_password("kim", &[Role::StationOperator]) };
        people.add(gone).unwrap();
        std::fs::write(&file, people.emit(&key()).unwrap()).unwrap();
        let place = place.map(|place| place.parse().unwrap());
        let door =
            Door::try_load((&file, &file.with_extension("own")), key().public(), place, 0).unwrap();
        Self { door, people, clock: Clock::system(), _folder: folder }
    }

    async fn admit(&self, name: &str, password: &str) -> Result<String, Denied> {
        let admitted = self.door.admit(name, password, None, self.clock.real()).await;
        admitted.map(|person| person.name)
    }

    fn code_is_good(&self, code: &str) -> bool {
        let an = self.people.person("an").unwrap();
        self.door.admit_code(an, code, (self.clock.real(), &self.clock)).is_ok()
    }
}

#[tokio::test]
async fn the_right_password_opens_and_everything_else_is_one_and_the_same_refusal() {
    let house = House::at(None);
    assert_eq!(house.admit("lan", PASSWORD).await, Ok("lan".to_owned()));
    let wrong = Err(Denied::Wrong(Refusal::Credentials));
    for (name, password) in [
        ("lan", "a long secre"),
        ("lan", ""),
        ("kim", PASSWORD),
        ("nobody", PASSWORD),
        ("Lan", PASSWORD),
        ("", ""),
    ] {
        assert_eq!(house.admit(name, password).await, wrong, "{name}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_even_where_the_next_guess_would_be_right() {
    let house = House::at(None);
    for _ in 0..5 {
        assert!(house.admit("lan", "guess").await.is_err());
    }
    assert!(matches!(house.admit("lan", PASSWORD).await, Err(Denied::TooFast(_))));
    assert_eq!(house.admit("an", PASSWORD).await, Ok("an".to_owned()), "others are not slowed");
}

#[tokio::test]
async fn a_station_lets_in_those_who_have_business_there() {
    let house = House::at(Some("cienco4/hoang-mai"));
    assert_eq!(house.admit("lan", PASSWORD).await, Err(Denied::Wrong(Refusal::Place)));
    assert_eq!(house.admit("an", PASSWORD).await, Ok("an".to_owned()));
    assert!(house.door.person("lan").is_none());
    let house = House::at(Some("cienco4/ben-thuy"));
    assert_eq!(house.admit("lan", PASSWORD).await, Ok("lan".to_owned()));
}

#[test]
fn a_code_opens_once() {
    let house = House::at(None);
    let second = u64::try_from(house.clock.now().as_second()).unwrap();
    let factor = house.people.person("an").unwrap().second_factor.clone().unwrap();
    let code = factor.code(second).unwrap();
    assert!(house.code_is_good(&code));
    assert!(!house.code_is_good(&code), "seen over a shoulder, it is worth nothing");
    let before = factor.code(second - 30).unwrap();
    assert!(!house.code_is_good(&before), "nor is an earlier one");
}

#[test]
fn codes_cannot_be_guessed_fast() {
    let house = House::at(None);
    let an = house.people.person("an").unwrap();
    let guess = |code: &str| house.door.admit_code(an, code, (house.clock.real(), &house.clock));
    for _ in 0..5 {
        assert_eq!(guess("abc"), Err(Denied::Wrong(Refusal::Code)));
    }
    assert!(matches!(guess("abc"), Err(Denied::TooFast(_))));
}
