//! Reports: what they show adds up to what the ledger has.

use domain::{BusinessDate, Clock};
use reconciliation::reports::{Span, Which, read};
use reconciliation::settlement::{Today, close_through};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};

#[tokio::test(flavor = "multi_thread")]
async fn revenue_is_what_the_ledger_has_and_what_the_statement_says() {
    let office = Office::open().await;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let mut deliveries: Vec<_> = (1..=20)
        .map(|number: u8| {
            gate.pass(&vehicle(number), &format!("2026-03-02T0{}:10:00Z", number % 4))
        })
        .collect();
    deliveries.push(gate.write("2026-03-02T04:00:00Z", |passage| {
        passage.exception = Some(domain::passage::ExceptionKind::NoTag);
        passage.decision = domain::passage::Decision::OpenedByAttendant;
        passage.plate = Some(vehicle(1).plate);
        passage.group = Some(vehicle(1).group);
        passage.payment = domain::passage::Payment::Cash;
        passage.attendance = Some(domain::passage::Attendance::of(
            "nv-07".to_owned(),
            "c-1".to_owned(),
            domain::passage::Reason::CashPaid,
        ));
    }));
    office.books().await.post(&deliveries, noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-02T18:00:00Z".parse().unwrap(), 1.0)));
    let day: BusinessDate = "2026-03-02".parse().unwrap();
    let span = Span { from: day, through: day, operator: None };
    let report = async |which| read(&office.pool, which, &span, clock.now()).await.unwrap();
    let revenue = report(Which::Revenue).await;
    let (count, amount) = revenue.total();
    let sum = |sql: &'static str| office.number(sql);
    let tolls = "select sum(amount)::int8 from transfer_v1 where kind in ('toll', 'cash-toll')";
    assert_eq!(amount, sum(tolls).await);
    let tolls = "select count(*) from transfer_v1 where kind in ('toll', 'cash-toll')";
    assert_eq!(count, sum(tolls).await);
    let hours: std::collections::BTreeSet<_> =
        revenue.rows.iter().map(|row| row.labels[4].as_str()).collect();
    assert!(hours.contains("07") && hours.contains("11"), "hours of Viet Nam: {hours:?}");
    let today = Today { clock: &clock, early_reason: None };
    close_through(&office.pool, day, today, &centre_key()).await.unwrap();
    assert_eq!(amount, sum("select (gross + cash)::int8 from statement").await);
    let [exception] = <[_; 1]>::try_from(report(Which::Exceptions).await.rows).unwrap();
    assert_eq!(exception.labels[2..], ["no-tag", "opened-by-attendant", "nv-07"]);
    let [opening] = <[_; 1]>::try_from(report(Which::ManualOpenings).await.rows).unwrap();
    assert_eq!((opening.labels[2].as_str(), opening.count), ("nv-07", 1));
    assert!(report(Which::Ageing).await.rows.is_empty());
}
