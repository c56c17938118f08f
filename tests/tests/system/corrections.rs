//! Corrections and cases that move money: proposed once, and told to the lanes.

use clearing_house::ledger::{ProposalError, TransferId, approve, propose};
use domain::Amount;
use reconciliation::cases::{self, Finding, Kind, Outcome};
use reconciliation::window::Actor;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, noon};

const CAR: u8 = 5;
const MORNING: &str = "2026-03-02T01:00:00Z";

async fn toll_of_a_car(office: &Office) -> TransferId {
    let passage = Lane::new("cienco4/ben-thuy/l01").pass(&vehicle(CAR), MORNING);
    office.books().await.post(&[passage], noon()).await.unwrap();
    TransferId::new(office.number("select transfer from transfer_v1 where kind = 'toll'").await)
}

fn dong(units: i64) -> Amount {
    Amount::try_new(units).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_propose_one_correction_at_once_one_does_and_the_others_are_told_of_it() {
    let office = Office::open().await;
    let toll = toll_of_a_car(&office).await;
    let names: Vec<String> = (1..=8).map(|number| format!("clerk{number}")).collect();
    let proposing = names.iter().map(|who| {
        propose(&office.pool, (toll, dong(40_000)), "the wrong group", who, None, noon())
    });
    let (mut made, mut told) = (Vec::new(), Vec::new());
    for (who, proposed) in names.iter().zip(futures::future::join_all(proposing).await) {
        match proposed {
            Ok(proposal) => made.push((proposal, who.clone())),
            Err(ProposalError::Proposed { transfer, proposal, proposed_by }) => {
                assert_eq!(transfer, toll);
                told.push((proposal, proposed_by));
            }
            Err(other) => panic!("{who}: {other:?}"),
        }
    }
    let [first] = &made[..] else { panic!("{made:?}") };
    assert_eq!(told, vec![first.clone(); 7]);
    assert_eq!(office.number("select count(*) from correction_proposal").await, 1);
    // The same again by the same person is the same; another amount is another proposal.
    let (proposal, who) = first;
    let wanted = (toll, dong(40_000));
    let again = propose(&office.pool, wanted, "the wrong group", who, None, noon()).await;
    assert_eq!(again.unwrap(), *proposal);
    let other = propose(&office.pool, (toll, dong(0)), "never was", who, None, noon()).await;
    assert_ne!(other.unwrap(), *proposal);
    let day = "2026-03-02".parse().unwrap();
    approve(&office.pool, *proposal, day, "minh", noon()).await.unwrap();
    assert_eq!(office.balance(vehicle(CAR).account).await, 5_000_000 - 40_000);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_toll_that_is_charged_by_a_case_is_told_to_the_lanes_list() {
    let office = Office::open().await;
    let finding = Finding {
        kind: Kind::OnlyTheirs,
        operator: "cienco4".parse().unwrap(),
        day: "2026-03-02".parse().unwrap(),
        subject: "their-1".to_owned(),
        ours: None,
        theirs: Some("a car at Bến Thủy".to_owned()),
        amount: dong(47_000),
    };
    let pool = &office.pool;
    let code = cases::open(pool, &finding, &Actor::Program, noon()).await.unwrap();
    let account = vehicle(CAR).account;
    let outcome =
        Outcome::Charged { account, amount: dong(4_980_000), day: "2026-03-02".parse().unwrap() };
    let (lan, minh) = ("lan".parse().unwrap(), "minh".parse().unwrap());
    cases::propose(pool, &code, &lan, &outcome, "it was read by hand", noon()).await.unwrap();
    let noted = "select encode(tag, 'hex') from list_change";
    sqlx::query("delete from list_change").execute(pool).await.unwrap();
    cases::settle(pool, &code, &minh, "so it was", noon()).await.unwrap();
    // What is left does not pay for a passage: a lane that is not told would let the car through.
    assert_eq!(office.balance(account).await, 20_000);
    assert_eq!(office.texts(noted).await, [vehicle(CAR).tag.to_hex()]);
}
