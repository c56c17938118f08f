//! What the bars of long commands count by: a number that is wrong, or a statement that fails, shows nobody
//! anything, so it is tried here.

use clearing_house::config::Database;
use clearing_house::rights;
use clearing_house::sql::connect;
use domain::{BusinessDate, Clock};
use reconciliation::settlement::{Outcome, Today, close_through};
use reconciliation::statement::repo::unstated_through;
use reconciliation::verify::{Which, verify_of};
use simulator::demo::database::Role;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key};

#[tokio::test(flavor = "multi_thread")]
async fn the_days_of_a_bar_are_those_that_a_close_states_and_a_proof_proves() {
    let office = Office::open().await;
    rights::apply(&office.pool).await.unwrap();
    let pool = connect(&Database::at(office.url_for(Role::Reconciliation))).await.unwrap();
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"];
    let all = days.map(|day| gate.pass(&vehicle(1), &format!("{day}T03:00:00Z")));
    office.books().await.post(&all, "2026-03-05T00:00:00Z".parse().unwrap()).await.unwrap();
    let day = |text: &str| -> BusinessDate { text.parse().unwrap() };
    for (through, left) in
        [("2026-02-28", 0), ("2026-03-01", 1), ("2026-03-03", 3), ("2026-03-09", 4)]
    {
        assert_eq!(unstated_through(&pool, day(through)).await.unwrap(), left, "{through}");
    }
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-05T05:00:00Z".parse().unwrap(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let closes = close_through(&pool, day("2026-03-03"), today, &centre_key()).await.unwrap();
    let closed = closes.iter().filter(|one| matches!(one.outcome, Outcome::Closed { .. })).count();
    assert_eq!(closed, 3, "{closes:?}");
    assert_eq!(unstated_through(&pool, day("2026-03-03")).await.unwrap(), 0);
    assert_eq!(unstated_through(&pool, day("2026-03-09")).await.unwrap(), 1);

    let mut told = Vec::new();
    let key = centre_key().public();
    verify_of(&pool, &key, &Which::default(), &mut |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
}
