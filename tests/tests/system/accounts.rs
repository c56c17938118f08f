//! Traffic accounts with a real database: money, links and states, and what lanes are told of them.

use clearing_house::account::link::{
    InstrumentKind, NewVehicle, link_tag, link_vehicle, open, set_instrument, set_low_below,
    unlink_tag, unlink_vehicle,
};
use clearing_house::account::money::{Reservation, refund, release, reserve, top_up};
use clearing_house::account::owners::Owners;
use clearing_house::account::show::{show, statement};
use clearing_house::account::state::{Change, Request, Requester, change};
use clearing_house::account::{AccountError, Effect};
use domain::{AccountId, Amount, IssuerId, Plate, TagId, Timestamp, VehicleGroup};
use tests::lane::{Lane, vehicle};
use tests::office::{BEGINS_WITH, Office, POLICY, POOR, noon};

fn vnd(amount: i64) -> Amount {
    Amount::try_new(amount).unwrap()
}

fn account(number: i64) -> AccountId {
    AccountId::new(number)
}

fn after(minutes: i64) -> Timestamp {
    Timestamp::from_second(noon().as_second() + minutes * 60).unwrap()
}

fn wish(requested_by: Requester) -> Request {
    Request { requested_by, actor: "nv-1".to_owned(), reason: "a test".to_owned() }
}

fn car(plate: &str, tag: Option<&TagId>) -> NewVehicle {
    NewVehicle {
        plate: Plate::try_new(plate).unwrap(),
        group: VehicleGroup::try_new(1).unwrap(),
        exempt: false,
        tag: tag.cloned(),
    }
}

async fn noted(office: &Office) -> i64 {
    office
        .number("with gone as (delete from list_change returning 1) select count(*) from gone")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_out_only_as_far_as_the_balance_reaches() {
    let office = Office::open().await;
    let pool = &office.pool;
    let one = account(1001);
    assert_eq!(refund(pool, one, vnd(1_000_000), "r1", POLICY, noon()).await.unwrap(), Effect::Now);
    assert_eq!(
        refund(pool, one, vnd(1_000_000), "r1", POLICY, noon()).await.unwrap(),
        Effect::Before
    );
    let wanted = Reservation { amount: vnd(3_900_000), reference: "h1", reason: "a dispute" };
    let held = reserve(pool, one, wanted, POLICY, noon()).await.unwrap();
    assert_eq!(reserve(pool, one, wanted, POLICY, noon()).await.unwrap().hold, held.hold);
    assert_eq!(office.balance(1001).await, 100_000);
    assert!(matches!(
        refund(pool, one, vnd(100_001), "r2", POLICY, noon()).await,
        Err(AccountError::NotEnough { available: 100_000, wanted: 100_001, .. })
    ));
    let more = Reservation { amount: vnd(100_001), reference: "h2", reason: "too much" };
    assert!(matches!(
        reserve(pool, one, more, POLICY, noon()).await,
        Err(AccountError::NotEnough { .. })
    ));
    assert!(matches!(
        release(pool, account(1003), held.hold, POLICY, noon()).await,
        Err(AccountError::NoHold { .. })
    ));
    assert_eq!(release(pool, one, held.hold, POLICY, noon()).await.unwrap(), Effect::Now);
    assert_eq!(release(pool, one, held.hold, POLICY, noon()).await.unwrap(), Effect::Before);
    assert_eq!(office.balance(1001).await, 4_000_000);
    let told = statement(pool, one, Timestamp::UNIX_EPOCH, after(1)).await.unwrap();
    let lines: Vec<(&str, i64)> =
        told.lines.iter().map(|line| (line.kind.as_str(), line.amount)).collect();
    assert_eq!(
        lines,
        [
            ("top-up", 5_000_000),
            ("refund", -1_000_000),
            ("hold", -3_900_000),
            ("release", 3_900_000)
        ]
    );
    assert_eq!((told.opening, told.closing), (0, 4_000_000));
    let later = statement(pool, one, noon(), after(1)).await.unwrap();
    assert_eq!((later.opening, later.closing), (5_000_000, 4_000_000));
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_issuers_banks_may_number_alike() {
    let office = Office::open().await;
    for number in [1001, 1002] {
        let done = top_up(&office.pool, account(number), vnd(7), "FT1", POLICY, noon()).await;
        assert_eq!(done.unwrap(), Effect::Now, "{number}");
    }
    let again = top_up(&office.pool, account(1003), vnd(7), "FT1", POLICY, noon()).await;
    assert!(matches!(again, Err(AccountError::ReferenceTaken { .. })), "1003 is of 1001's issuer");
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_once_never_take_more_than_there_is() {
    let office = Office::open().await;
    let tries = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|reference| {
        refund(&office.pool, account(1001), vnd(2_000_000), reference, POLICY, noon())
    });
    let done = futures::future::join_all(tries).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 2, "{done:?}");
    assert_eq!(office.balance(1001).await, 1_000_000);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moved_is_charged_to_who_owned_it_then() {
    let office = Office::open().await;
    let pool = &office.pool;
    let (seller, buyer) = (vehicle(1), vehicle(3));
    let (from, to) = (account(seller.account), account(buyer.account));
    let waiting = "select count(*) from list_change";
    let before = office.number(waiting).await;
    unlink_vehicle(pool, from, &seller.plate, noon()).await.unwrap();
    let told = office.number(waiting).await - before;
    assert_eq!(told, 1, "the lanes hear that the tag is off");
    let taken = car(seller.plate.as_str(), Some(&seller.tag));
    assert_eq!(link_vehicle(pool, to, &taken, after(10)).await.unwrap(), Effect::Now);
    assert_eq!(link_vehicle(pool, to, &taken, after(11)).await.unwrap(), Effect::Before);
    let mut tx = pool.begin().await.unwrap();
    let tags = [seller.tag.as_bytes().to_vec()];
    let owners = Owners::load(&mut tx, &tags, &[]).await.unwrap();
    let whose = |at| owners.by_tag(&seller.tag, at, after(60)).map(|owned| owned.account);
    assert_eq!(whose(after(-1)), Some(from));
    assert_eq!(whose(after(5)), None);
    assert_eq!(whose(after(10)), Some(to));
    assert_eq!(owners.by_plate(&seller.plate, after(-1), after(60)).unwrap().account, from);
    drop(tx);
    // The seller's last passage comes an hour late, after the buyer's first.
    let books = office.books().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let late = lane.pass(&seller, "2026-03-02T04:59:00Z");
    let first = lane.pass(&seller, "2026-03-02T05:30:00Z");
    books.post(&[first], after(60)).await.unwrap();
    assert_eq!(office.balance(seller.account).await, BEGINS_WITH);
    let paid = BEGINS_WITH - office.balance(buyer.account).await;
    assert!(paid > 0);
    books.post(&[late], after(61)).await.unwrap();
    assert!(office.balance(seller.account).await < BEGINS_WITH);
    assert_eq!(office.balance(buyer.account).await, BEGINS_WITH - paid);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vehicle_has_one_account_and_one_tag() {
    let office = Office::open().await;
    let pool = &office.pool;
    let (one, three) = (vehicle(1), vehicle(3));
    let stranger = car(one.plate.as_str(), None);
    assert!(matches!(
        link_vehicle(pool, account(1003), &stranger, noon()).await,
        Err(AccountError::VehicleElsewhere { account: its }) if its == account(1001)
    ));
    assert!(matches!(
        link_tag(pool, account(1001), &one.plate, &three.tag, noon()).await,
        Err(AccountError::VehicleHasTag | AccountError::TagElsewhere)
    ));
    unlink_tag(pool, account(1001), &one.tag, noon()).await.unwrap();
    assert!(matches!(
        link_tag(pool, account(1001), &one.plate, &three.tag, noon()).await,
        Err(AccountError::TagElsewhere)
    ));
    assert!(matches!(
        link_tag(pool, account(1003), &one.plate, &one.tag, noon()).await,
        Err(AccountError::NoVehicle { .. })
    ));
    let linked = link_tag(pool, account(1001), &one.plate, &one.tag, after(1)).await;
    assert_eq!(linked.unwrap(), Effect::Now);
    assert_eq!(show(pool, account(1001)).await.unwrap().vehicles.len(), 1);
    for sql in [
        "update vehicle_link set account = 1003 where account = 1001",
        "update tag_link set valid_until = null where valid_until is not null",
        "delete from vehicle_link",
        "insert into vehicle_link (plate, account, vehicle_group, valid_from) \
         select plate, account, vehicle_group, '2020-01-01' from vehicle_link limit 1",
    ] {
        assert!(sqlx::query(sql).execute(pool).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_locked_and_closed_by_the_rules() {
    let office = Office::open().await;
    let pool = &office.pool;
    let ours = account(77);
    let vetc = IssuerId::try_new("vetc").unwrap();
    assert_eq!(open(pool, ours, &vetc, noon()).await.unwrap(), Effect::Now);
    assert_eq!(open(pool, ours, &vetc, noon()).await.unwrap(), Effect::Before);
    let other = IssuerId::try_new("vdtc").unwrap();
    assert!(matches!(
        open(pool, ours, &other, noon()).await,
        Err(AccountError::AccountTaken { .. })
    ));
    let nobody = IssuerId::try_new("nobody").unwrap();
    assert!(matches!(open(pool, ours, &nobody, noon()).await, Err(AccountError::NoIssuer(_))));
    for (kind, token) in [(InstrumentKind::Card, "t-1"), (InstrumentKind::Wallet, "t-2")] {
        set_instrument(pool, ours, kind, token, noon()).await.unwrap();
    }
    assert_eq!(show(pool, ours).await.unwrap().instrument.unwrap().kind, "wallet");
    top_up(pool, ours, vnd(500_000), "b1", POLICY, noon()).await.unwrap();
    let authority = wish(Requester::Authority);
    assert_eq!(change(pool, ours, Change::Lock, &authority, noon()).await.unwrap(), Effect::Now);
    assert!(matches!(
        refund(pool, ours, vnd(1), "b2", POLICY, noon()).await,
        Err(AccountError::State { state: "blocked", .. })
    ));
    let owner = wish(Requester::Owner);
    assert!(change(pool, ours, Change::Unlock, &owner, noon()).await.is_err());
    change(pool, ours, Change::Unlock, &authority, noon()).await.unwrap();
    assert!(matches!(
        change(pool, ours, Change::Close, &owner, noon()).await,
        Err(AccountError::MoneyLeft { left: 500_000, .. })
    ));
    refund(pool, ours, vnd(500_000), "b3", POLICY, noon()).await.unwrap();
    assert_eq!(change(pool, ours, Change::Close, &owner, noon()).await.unwrap(), Effect::Now);
    assert!(show(pool, ours).await.unwrap().instrument.is_none());
    assert!(matches!(
        top_up(pool, ours, vnd(1), "b4", POLICY, noon()).await,
        Err(AccountError::State { state: "closed", .. })
    ));
    assert_eq!(
        top_up(pool, ours, vnd(500_000), "b1", POLICY, noon()).await.unwrap(),
        Effect::Before
    );
    let states = office
        .texts("select state from account_state where account = 77 order by account_state")
        .await;
    assert_eq!(states, ["open", "blocked", "open", "closed"]);
    office.assert_proven().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_told_by_an_accounts_own_threshold() {
    let office = Office::open().await;
    let pool = &office.pool;
    let one = account(1001);
    noted(&office).await;
    refund(pool, one, vnd(10_000), "r1", POLICY, noon()).await.unwrap();
    assert_eq!(noted(&office).await, 0, "nothing a lane would decide by has changed");
    set_low_below(pool, one, Some(4_990_000)).await.unwrap();
    noted(&office).await;
    refund(pool, one, vnd(1), "r2", POLICY, noon()).await.unwrap();
    assert_eq!(noted(&office).await, 1);
    let poor = vehicle(POOR);
    top_up(pool, account(poor.account), vnd(10_000), "t", POLICY, noon()).await.unwrap();
    assert_eq!(noted(&office).await, 1, "40,000 and 10,000 are enough to pass");
}
