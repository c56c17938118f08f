//! Lists of tags and plates of our own books, and what changed in them: the other side's list is the books'
//! after each file, whatever became of the accounts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reconciliation::partner::books::Of;
use reconciliation::partner::books::write::{Order, WriteError, Written, write};
use reconciliation::partner::exchange::code::Code;
use reconciliation::partner::exchange::import::Imported;

use crate::partner_house::{House, at, layout};

fn tags() -> Of {
    Of::Tags { issuer: "vetc".parse().unwrap() }
}

fn changes() -> Of {
    Of::Changes { issuer: "vetc".parse().unwrap() }
}

async fn run(house: &House, statements: &[&'static str]) {
    for statement in statements {
        sqlx::query(*statement).execute(&house.office.pool).await.unwrap();
    }
}

/// The list that a house has of its partner: serial and status.
async fn listed(house: &House, (serial, status): (&str, &str)) -> BTreeMap<u64, String> {
    let sql = "select (body ->> $1)::int8, body ->> $2 from partner_list_v1 where partner = '4082'";
    let rows: Vec<(i64, String)> =
        sqlx::query_as(sql).bind(serial).bind(status).fetch_all(&house.pool).await.unwrap();
    rows.into_iter().map(|(serial, status)| (u64::try_from(serial).unwrap(), status)).collect()
}

/// What the books say of each tag of the issuer: good or low, empty, or another.
async fn of_books(house: &House, [good, low, empty, other]: [&str; 4]) -> BTreeMap<u64, String> {
    let sql = "select ('x' || right(encode(t.tag, 'hex'), 8))::bit(32)::int8,
                      case when a.state <> 'open' then $4 when b.balance <= 0 then $3
                           when b.balance < a.low_below then $2 else $1 end
               from tag t join vehicle v using (plate) join account a using (account)
               join balance_v1 b using (account) where a.issuer = 'vetc'";
    let rows: Vec<(i64, String)> = sqlx::query_as(sql)
        .bind(good)
        .bind(low)
        .bind(empty)
        .bind(other)
        .fetch_all(&house.office.pool)
        .await
        .unwrap();
    rows.into_iter().map(|(serial, status)| (u64::try_from(serial).unwrap(), status)).collect()
}

/// Writes a list and has the other side take it; says of how many records.
async fn told(home: &House, away: &House, (kind, of): (&str, Of), hour: u8) -> (PathBuf, u64) {
    let now = format!("2026-03-03T{hour:02}:00:00Z");
    match home.write(kind, of, "4081", &now).await {
        Written::Now { file, .. } => {
            home.send(&file.path, away, &format!("2026-03-03T{hour:02}:30:00Z")).await;
            (file.path, file.examined.figures.records)
        }
        other => panic!("{kind}: {other:?}"),
    }
}

async fn refused(home: &House, kind: &str, of: Of, now: &str) -> WriteError {
    let (layout, folder) = (layout(kind), home.folder.path());
    let order = Order { layout, of, partner: Some("4081".to_owned()), folder };
    write(&home.pool, &home.agencies, &order, at(now)).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_has_the_books_list_after_each_file_of_changes() {
    for (whole, change, fields, words) in [
        ("ITAG", "ITGU", ("TAG_SERIAL", "STATUS"), ["1", "2", "3", "3"]),
        ("STVL", "STVL", ("TagSerialNumber", "TagStatus"), ["V", "V", "Z", "I"]),
    ] {
        let (away, home) = (House::open("4081").await, House::open("4082").await);
        let none = refused(&home, change, changes(), "2026-03-03T00:00:00Z").await;
        assert!(matches!(none, WriteError::NoList { .. }), "{none}");

        let (_, all) = told(&home, &away, (whole, tags()), 1).await;
        assert_eq!(all, 26);
        let begins = of_books(&home, words).await;
        assert_eq!(listed(&away, fields).await, begins);
        let same = home.write(change, changes(), "4081", "2026-03-03T02:00:00Z").await;
        assert!(matches!(same, Written::Nothing), "{same:?}");

        // One is blocked, one is low, one's tag is taken off, and one gets another.
        run(
            &home,
            &[
                "update account set state = 'blocked' where account = 1001",
                "update account set low_below = 9000000 where account = 1003",
                "update tag_link set valid_until = '2026-03-03' where plate in ('37A10005', '37A10007')",
                "insert into tag_link (tag, plate, valid_from)
                 select '\\x341600000000000000009999', '37A10007', '2026-03-03'",
            ],
        )
        .await;
        let (file, changed) = told(&home, &away, (change, changes()), 3).await;
        // NIOP has no word for a balance that is low.
        let expected = if whole == "ITAG" { 5 } else { 4 };
        assert_eq!(changed, expected);
        let mut now = of_books(&home, words).await;
        if whole == "STVL" {
            // Nor for a tag that is gone: it stays, invalid.
            let gone = begins.keys().filter(|serial| !now.contains_key(serial)).copied();
            let gone: Vec<u64> = gone.collect();
            assert_eq!(gone.len(), 2);
            now.extend(gone.into_iter().map(|serial| (serial, "I".to_owned())));
        }
        assert_eq!(listed(&away, fields).await, now);
        assert_eq!(away.take(&file, "2026-03-03T04:00:00Z").await.0, Imported::Again);

        // Back as it was: told once, and then nothing is left to tell.
        run(&home, &["update account set state = 'open' where account = 1001"]).await;
        assert_eq!(told(&home, &away, (change, changes()), 5).await.1, 1);
        let same = home.write(change, changes(), "4081", "2026-03-03T06:00:00Z").await;
        assert!(matches!(same, Written::Nothing), "{same:?}");

        // A change that is on its way, or was lost, is not built on.
        run(&home, &["update account set state = 'blocked' where account = 1009"]).await;
        let lost = home.written(change, changes(), "4081", "2026-03-03T07:00:00Z").await;
        let waits = refused(&home, change, changes(), "2026-03-03T08:00:00Z").await;
        assert!(matches!(waits, WriteError::ListNotTaken { .. }), "{waits}");
        assert!(waits.to_string().contains("write a whole"), "{waits}");
        let (_, all) = told(&home, &away, (whole, tags()), 9).await;
        assert_eq!(all, 25);
        assert_eq!(listed(&away, fields).await, of_books(&home, words).await);
        // What was lost comes after all: it is of a list that is no more.
        let (late, _) = away.take(&lost, "2026-03-03T10:00:00Z").await;
        assert!(matches!(late, Imported::Refused { answer: Code::Date, .. }), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_write_the_changes_at_once_one_is_told_that_the_other_did() {
    let (away, home) = (House::open("4081").await, House::open("4082").await);
    told(&home, &away, ("ITAG", tags()), 1).await;
    run(&home, &["update account set state = 'blocked' where account = 1001"]).await;
    let folder = home.folder.path();
    let order =
        Order { layout: layout("ITGU"), of: changes(), partner: Some("4081".to_owned()), folder };
    let write_at = |now: &'static str| write(&home.pool, &home.agencies, &order, at(now));
    let (one, other) =
        tokio::join!(write_at("2026-03-03T03:00:00Z"), write_at("2026-03-03T03:00:01Z"));
    let written = [&one, &other].map(|one| matches!(one, Ok(Written::Now { .. })));
    assert_eq!(written.iter().filter(|is| **is).count(), 1, "{one:?} {other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_tags_are_not_known_or_anothers_is_not_changed() {
    let (away, home) = (House::open("4081").await, House::open("4082").await);
    told(&home, &away, ("ITAG", tags()), 1).await;
    for lost in ["update partner_listed set issuer = 'another'", "delete from partner_listed"] {
        run(&home, &[lost]).await;
        let none = refused(&home, "ITGU", changes(), "2026-03-03T02:00:00Z").await;
        assert!(matches!(none, WriteError::NoList { .. }), "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plates_go_as_a_whole_list_and_no_format_has_their_changes() {
    let (away, home) = (House::open("4081").await, House::open("4082").await);
    let (_, all) = told(&home, &away, ("ICLP", tags()), 1).await;
    let plates = "select string_agg(plate, ',' order by plate) from tag join vehicle using (plate)
                  join account using (account) where issuer = 'vetc'";
    let told_plates = "select string_agg(body ->> 'LIC_NUMBER', ',' order by body ->> 'LIC_NUMBER')
                       from partner_list_v1 where channel = 'ICLP'";
    assert_eq!(home.office.texts(plates).await, away.office.texts(told_plates).await);
    assert_eq!(all, 26);
    let none = refused(&home, "ICLP", changes(), "2026-03-03T02:00:00Z").await;
    assert!(none.to_string().contains("no format has one of plates"), "{none}");
}
