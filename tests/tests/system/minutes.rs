//! Minutes of reconciliation: both sides' figures are those of ledger, statement, matching and bank;
//! what differs has its case; made again they say the same, and something else once a case is settled.

use std::fs;

use domain::{BusinessDate, Clock, Timestamp};
use reconciliation::approval::{Person, approve, propose};
use reconciliation::cases::{self, Kind, Outcome};
use reconciliation::contract::file::{ContractFile, import};
use reconciliation::matching::{Class, Plan, Rules};
use reconciliation::minutes::make::{
    Asked, MinutesError, Theirs, of_bank, of_issuer_day, of_issuer_period, source_of,
};
use reconciliation::minutes::{Minutes, MinutesPaper, PaidBy, Party, Signers, Span};
use reconciliation::papers::{Opened, open_pages};
use reconciliation::payment::{Booking, BookingKind, confirm, pay};
use reconciliation::settlement::{Today, close_through};
use reconciliation::sides::{Mapping, Table};
use reconciliation::window::{Actor, Window};
use tempfile::TempDir;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key, noon};

const DAY: &str = "2026-03-02";
const NEXT: &str = "2026-03-03T05:00:00Z";

fn asked(with: Party, span: &str) -> Asked {
    let signers = Signers { operator: "Lan".to_owned(), other: "Minh".to_owned() };
    Asked { operator: "cienco4".parse().unwrap(), with, span: span.parse().unwrap(), signers }
}

fn vetc() -> Party {
    Party::Issuer("vetc".parse().unwrap())
}

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Five cars of VETC's and three of VDTC's, one of them once more; the day is closed.
async fn closed_day(office: &Office) {
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let mut deliveries = Vec::new();
    for (number, hour) in [(1, 1), (3, 1), (5, 2), (7, 2), (9, 3), (2, 3), (4, 4), (8, 4), (5, 4)] {
        deliveries.push(gate.pass(&vehicle(number), &format!("2026-03-02T0{hour}:10:00Z")));
    }
    office.books().await.post(&deliveries, noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(at("2026-03-02T18:00:00Z"), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(&office.pool, DAY.parse().unwrap(), today, &centre_key()).await.unwrap();
}

/// VETC's file of the day as the books have it: identity and amount, a line each.
async fn issuers_rows(office: &Office) -> Vec<(String, i64)> {
    let rows = "select lane || ':' || epoch || ':' || seq || ' ' || amount from passage_v1
                where account in (select account from account where issuer = 'vetc')
                  and disposition = 'posted' order by seq";
    let rows = office.texts(rows).await;
    let row = |row: &String| {
        let (identity, amount) = row.split_once(' ').unwrap();
        (identity.to_owned(), amount.parse().unwrap())
    };
    rows.iter().map(row).collect()
}

fn theirs(folder: &TempDir, rows: &[(String, i64)]) -> Theirs {
    let path = folder.path().join("vetc.csv");
    let rows: String =
        rows.iter().map(|(id, amount)| format!("{id},cienco4/ben-thuy,,{amount}\n")).collect();
    fs::write(&path, format!("id,st,at,amount\n{rows}")).unwrap();
    let mapping =
        "[columns]\nidentity = \"id\"\nstation = \"st\"\ntime = \"at\"\namount = \"amount\"\n";
    let mapping = Mapping::try_from_toml(mapping).unwrap();
    let file = fs::File::open(&path).unwrap();
    Theirs {
        table: Table::of(vec![(path.clone(), file)], &mapping).unwrap(),
        sources: vec![source_of(&path).unwrap()],
        rules: Rules::default(),
        plan: Plan { workers: 1, memory_bytes: None, folder: folder.path().to_owned() },
        by_time: false,
    }
}

/// Minutes that are to be believed, wherever they are looked at.
fn believed(paper: &MinutesPaper) -> Minutes {
    let minutes = paper.open(&centre_key().public()).unwrap();
    assert_eq!(minutes.check(), Ok(()));
    let pages = open_pages(&paper.pdf().unwrap(), &centre_key().public()).unwrap();
    assert_eq!(pages, Opened::Minutes(minutes.clone()));
    minutes
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_have_the_figures_of_ledger_statement_and_matching_and_a_case_for_each_difference()
{
    let (office, folder) = (Office::open().await, TempDir::new().unwrap());
    closed_day(&office).await;
    let (pool, key) = (&office.pool, centre_key());
    let (asked_day, day) = (asked(vetc(), DAY), DAY.parse::<BusinessDate>().unwrap());
    let mut rows = issuers_rows(&office).await;
    // They have another amount for one, lack one, and have one that never was.
    rows[0].1 -= 7_000;
    rows.remove(1);
    rows.push(("cienco4/ben-thuy/l01:1:99".to_owned(), 64_000));
    let make = async |now: &str| {
        let theirs = theirs(&folder, &rows);
        of_issuer_day(pool, &key, (&asked_day, day), &theirs, at(now)).await.unwrap()
    };
    let paper = make(NEXT).await;
    let minutes = believed(&paper);
    let sum = async |sql: &'static str| office.number(sql).await;
    let ledger = "select sum(t.amount)::int8 from transfer_v1 t
                  join passage_v1 p using (lane, epoch, seq)
                  where t.kind = 'toll'
                    and p.account in (select account from account where issuer = 'vetc')";
    assert_eq!(minutes.ours.amount.minor_units(), sum(ledger).await);
    let stated = "select net from settlement_position where issuer = 'vetc'";
    assert_eq!(minutes.owed.net.minor_units(), sum(stated).await);
    assert_eq!(minutes.carried.not_booked, minutes.owed.net, "no bank has paid");
    let theirs: i64 = rows.iter().map(|(_, amount)| amount).sum();
    assert_eq!(minutes.theirs.amount.minor_units(), theirs);
    let found: Vec<Kind> = minutes.differences.iter().map(|one| one.kind).collect();
    for kind in [Kind::AmountDiffers, Kind::OnlyOurs, Kind::OnlyTheirs] {
        assert!(found.contains(&kind), "{found:?}");
    }
    assert_eq!((found.len(), minutes.carried.cases.records), (3, 3));
    // Made again, nothing is added; with a case that is settled, they say so under the next revision.
    assert_eq!(make("2026-03-04T05:00:00Z").await, paper);
    assert_eq!(sum("select count(*) from minutes").await, 1);
    let code = &minutes.differences[0].case;
    let now = at("2026-03-04T06:00:00Z");
    cases::propose(pool, code, &person("lan"), &Outcome::TheirsCorrected, "seen", now)
        .await
        .unwrap();
    cases::settle(pool, code, &person("minh"), "so it is", now).await.unwrap();
    let settled = believed(&make("2026-03-04T07:00:00Z").await);
    assert_eq!((settled.revision, settled.carried.cases.records), (2, 2));
    assert_eq!(settled.differences[0].outcome, Some(Outcome::TheirsCorrected));
    let refused = sqlx::query("update minutes set revision = 9").execute(pool).await;
    assert!(refused.is_err(), "what was signed stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_put_together_from_its_days_and_not_before_each_has_minutes() {
    let (office, folder) = (Office::open().await, TempDir::new().unwrap());
    closed_day(&office).await;
    let (pool, key) = (&office.pool, centre_key());
    for span in ["2026-03", "2026"] {
        let early = of_issuer_period(pool, &key, &asked(vetc(), span), at(NEXT)).await;
        let Err(MinutesError::DaysWithout(days)) = early else { panic!("{early:?}") };
        assert_eq!(days, [DAY.parse().unwrap()]);
    }
    let rows = issuers_rows(&office).await;
    let asked_day = asked(vetc(), DAY);
    let their_side = theirs(&folder, &rows);
    let day = DAY.parse().unwrap();
    let of_day = of_issuer_day(pool, &key, (&asked_day, day), &their_side, at(NEXT)).await.unwrap();
    let of_day = believed(&of_day);
    assert_eq!(of_day.classes[0].ours, of_day.ours, "everything matches");
    for span in ["2026-03", "2026"] {
        let paper = of_issuer_period(pool, &key, &asked(vetc(), span), at(NEXT)).await.unwrap();
        let month = believed(&paper);
        assert_eq!((month.ours, month.theirs), (of_day.ours, of_day.theirs));
        assert_eq!((month.owed, month.classes), (of_day.owed, of_day.classes.clone()));
        assert_eq!(month.span, span.parse::<Span>().unwrap());
        assert_eq!(month.minutes.len(), 1);
    }
    let unclosed = of_issuer_period(pool, &key, &asked(vetc(), "2026-02"), at(NEXT)).await;
    assert!(matches!(unclosed, Err(MinutesError::NotClosed { .. })), "{unclosed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_by_time_names_the_days_into_which_a_passage_came_late() {
    let (office, folder) = (Office::open().await, TempDir::new().unwrap());
    closed_day(&office).await;
    let (pool, key) = (&office.pool, centre_key());
    let make = async |day: &str, rows: &[(String, i64)]| {
        let theirs = Theirs { by_time: true, ..theirs(&folder, rows) };
        let asked_day = (&asked(vetc(), day), day.parse().unwrap());
        of_issuer_day(pool, &key, asked_day, &theirs, at("2026-03-04T05:00:00Z")).await.unwrap()
    };
    let month = async || {
        let march = asked(vetc(), "2026-03");
        of_issuer_period(pool, &key, &march, at("2026-03-04T06:00:00Z")).await
    };
    make(DAY, &issuers_rows(&office).await).await;
    believed(&month().await.unwrap());
    let mut other = Lane::new("cienco4/ben-thuy/l02");
    let late = [other.pass(&vehicle(11), "2026-03-02T05:10:00Z")];
    office.books().await.post(&late, at(NEXT)).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(at("2026-03-03T18:00:00Z"), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    close_through(pool, "2026-03-03".parse().unwrap(), today, &key).await.unwrap();
    make("2026-03-03", &[]).await;
    let early = month().await;
    let Err(MinutesError::DaysChanged(days)) = early else { panic!("{early:?}") };
    assert_eq!(days, [DAY.parse().unwrap()]);
    make(DAY, &issuers_rows(&office).await).await;
    assert_eq!(believed(&month().await.unwrap()).ours.rows, 7);
}

const CONTRACT: &str = r#"
[[bank_account]]
of = "operator/cienco4"
valid_from = "2026-01-01"
holder = "CIENCO4"
number = "900800700"
bic = "ICBVVNVX"

[[bank_account]]
of = "issuer/vetc"
valid_from = "2026-01-01"
holder = "VETC"
number = "100200300"
bic = "BIDVVNVX"

[[bank_account]]
of = "issuer/vdtc"
valid_from = "2026-01-01"
holder = "VDTC"
number = "400500600"
bic = "MCOBVNVX"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn minutes_with_a_bank_have_what_was_ordered_and_what_it_shows() {
    let office = Office::open().await;
    closed_day(&office).await;
    let (pool, key) = (&office.pool, centre_key());
    import(pool, &toml::from_str::<ContractFile>(CONTRACT).unwrap()).await.unwrap();
    let window = Window::new("cienco4".parse().unwrap(), DAY.parse().unwrap());
    propose(pool, &window, &person("lan"), at(NEXT)).await.unwrap();
    approve(pool, &window, &person("minh"), at(NEXT)).await.unwrap();
    let on: BusinessDate = "2026-03-03".parse().unwrap();
    pay(pool, window.day, on, &Actor::Person(person("lan")), at(NEXT)).await.unwrap();
    let bank = asked(Party::BankOf("vetc".parse().unwrap()), "2026-03-03");
    let nothing = believed(&of_bank(pool, &key, &bank, at(NEXT)).await.unwrap());
    assert_eq!(nothing.classes[Class::OnlyOurs as usize].ours.rows, 1);
    assert_eq!(nothing.carried.not_booked, nothing.owed.net);
    let end_to_end = "select end_to_end from payment where issuer = 'vetc'";
    let [end_to_end] = <[String; 1]>::try_from(office.texts(end_to_end).await).unwrap();
    let short = nothing.ours.amount.minor_units() - 10_000;
    let booking = Booking {
        end_to_end,
        kind: BookingKind::Paid,
        amount: domain::Amount::try_new(short).unwrap(),
        booked_on: on,
        bank_reference: "BANK-1".to_owned(),
    };
    confirm(pool, &booking, at(NEXT)).await.unwrap();
    let shown = believed(&of_bank(pool, &key, &bank, at(NEXT)).await.unwrap());
    assert_eq!((shown.revision, shown.carried.not_booked.minor_units()), (2, 10_000));
    let differs = shown.classes[Class::AmountDiffers as usize];
    assert_eq!((differs.ours.rows, differs.theirs.amount.minor_units()), (1, short));
    let [case] = <[_; 1]>::try_from(shown.differences).unwrap();
    assert_eq!((case.kind, case.amount.minor_units()), (Kind::BankShort, 10_000));
    assert_eq!(shown.kinds[0].kind, PaidBy::Transfer);
    let paid = "select sum(amount)::int8 from direct_transfer where kind = 'payment'";
    let theirs = shown.kinds[0].theirs.unwrap().amount.minor_units();
    assert_eq!(theirs, office.number(paid).await, "the ledger has what the bank shows");
}
