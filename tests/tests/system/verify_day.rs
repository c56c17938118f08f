//! One settlement day proved by itself, as the roles that may look: it holds where the day is whole, whatever
//! is wrong elsewhere, and names what is broken in it.

use clearing_house::config::Database;
use clearing_house::rights;
use clearing_house::sql::connect;
use clearing_house::verify::verify_day;
use domain::{BusinessDate, Clock, OperatorId};
use reconciliation::settlement::{Today, close_through};
use reconciliation::verify::{Which, verify_of};
use simulator::demo::database::Role;
use sqlx::PgPool;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key};

const GAPS: &str = "a lane's numbers of the day are stored without a gap, up to its watermark";
const ONCE: &str = "a passage is charged, rejected with a reason, or waits for its entry";
const PAID: &str =
    "a charge that costs something is paid for by exactly one transfer of that amount";
const MOVED: &str = "what a batch moved on an operator's or issuer's account is what its rows say";

fn day(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

/// Two days of a lane, one passage of the first having come on the second, after its close.
async fn two_days() -> Office {
    let office = Office::open().await;
    rights::apply(&office.pool).await.unwrap();
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let mut pass = |number: u8, at: &str| gate.pass(&vehicle(number), at);
    let first = ["01", "02", "03", "04"].map(|hour| pass(1, &format!("2026-03-01T{hour}:00:00Z")));
    let second = ["01", "02", "03"].map(|hour| pass(3, &format!("2026-03-02T{hour}:00:00Z")));
    let books = office.books().await;
    books.post(&first, "2026-03-01T10:00:00Z".parse().unwrap()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-01T18:00:00Z".parse().unwrap(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(&office.pool, day("2026-03-01"), today, &centre_key()).await.unwrap();
    books.post(&second, "2026-03-02T10:00:00Z".parse().unwrap()).await.unwrap();
    office
}

async fn broken(pool: &PgPool, of: &str, operator: Option<&OperatorId>) -> Vec<&'static str> {
    let proof = verify_day(pool, day(of), operator).await.unwrap();
    let broken = proof.invariants.iter().filter(|one| one.broken > 0);
    let broken: Vec<_> = broken.map(|one| (one.what, one.first.is_some())).collect();
    assert!(broken.iter().all(|(_, is_named)| *is_named), "{proof:?}");
    assert_eq!(proof.ok, broken.is_empty());
    broken.into_iter().map(|(what, _)| what).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_proved_by_itself_and_what_is_broken_in_it_is_named() {
    let whole = two_days().await;
    let here: OperatorId = "cienco4".parse().unwrap();
    for role in [Role::Auditor, Role::Intake] {
        let pool = connect(&Database::at(whole.url_for(role))).await.unwrap();
        for (of, passages) in [("2026-03-01", 4), ("2026-03-02", 3)] {
            for operator in [None, Some(&here)] {
                let proof = verify_day(&pool, day(of), operator).await.unwrap();
                assert!(proof.ok, "{role:?} {proof:?}");
                let checked =
                    |what| proof.invariants.iter().find(|one| one.what == what).unwrap().checked;
                assert_eq!((checked(ONCE), checked(PAID)), (passages, passages));
            }
            let other: OperatorId = "vec".parse().unwrap();
            let proof = verify_day(&pool, day(of), Some(&other)).await.unwrap();
            assert!(proof.ok && proof.invariants.iter().all(|one| one.checked <= 1), "{proof:?}");
        }
        let nobody: OperatorId = "nobody".parse().unwrap();
        assert!(verify_day(&pool, day("2026-03-01"), Some(&nobody)).await.is_err());
        pool.close().await;
    }
    for (damage, breaks) in [
        ("delete from posting where day = '2026-03-01' and seq = 2", &[GAPS, MOVED][..]),
        (
            "insert into posting select amount, at, digest, journal_no, seq, batch, manner, debit, credit,
                 operator_no, '2026-03-02', tag, plate from posting where day = '2026-03-01' and seq = 2",
            &[ONCE],
        ),
        (
            "update posting set manner = (select min(manner) from manner where payer = 'nobody')
             where day = '2026-03-01' and seq = 3",
            &[PAID],
        ),
        ("update batch_sum set amount = amount + 1 where day = '2026-03-01' and amount > 0", &[MOVED]),
        ("update posting set amount = 1 where day = '2026-03-02' and seq = 6", &[]),
    ] {
        let office = whole.copy().await;
        let mut one = office.pool.acquire().await.unwrap();
        for sql in [
            "set session_replication_role = replica",
            // So that there is one that nobody pays for.
            "insert into manner (payer, disposition, why, late, fare_shown)
             values ('nobody', 'posted', 'exempt', false, 'none')",
            damage,
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *one).await.unwrap();
        }
        one.close().await.unwrap();
        assert_eq!(broken(&office.pool, "2026-03-01", Some(&here)).await, breaks, "{damage}");
        assert_eq!(broken(&office.pool, "2026-03-01", None).await, breaks, "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_day_is_proved_by_itself_and_another_days_damage_is_not_told() {
    let office = two_days().await;
    let pool = connect(&Database::at(office.url_for(Role::Reconciliation))).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor("2026-03-02T18:00:00Z".parse().unwrap(), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(&pool, day("2026-03-02"), today, &centre_key()).await.unwrap();
    let mut one = office.pool.acquire().await.unwrap();
    for sql in [
        "set session_replication_role = replica",
        "update settlement_cash set amount = amount + 1 where day = '2026-03-02'",
    ] {
        sqlx::query(sql).execute(&mut *one).await.unwrap();
    }
    one.close().await.unwrap();
    let key = centre_key().public();
    for (of, operator, days, ok) in [
        (Some("2026-03-01"), None, 1, true),
        (Some("2026-03-01"), Some("cienco4"), 1, true),
        (Some("2026-03-02"), None, 1, false),
        (Some("2026-03-02"), Some("vec"), 0, true),
        (None, Some("cienco4"), 2, false),
        (None, None, 2, false),
    ] {
        let which =
            Which { day: of.map(day), operator: operator.map(|name| name.parse().unwrap()) };
        let mut told = 0;
        let verdict = verify_of(&pool, &key, &which, &mut |_, of| told = of).await.unwrap();
        assert_eq!((told, verdict.ok), (days, ok), "{which:?} {verdict}");
    }
}
