//! Two clearing houses that exchange files of their own books: what one exports the other imports,
//! decides, posts and answers, and the first takes the answers in. To the dong, nothing twice, a gap named.

use std::fs;
use std::path::Path;

use clearing_house::config::Database;
use clearing_house::ledger::{TransferId, approve, propose};
use clearing_house::sql::connect;
use domain::Amount;
use reconciliation::partner::books::Of;
use reconciliation::partner::books::answer::{AnswerError, answer, answered_by, left_standing};
use reconciliation::partner::books::write::{Order, WriteError, Written, write};
use reconciliation::partner::exchange::code::Code;
use reconciliation::partner::exchange::export::gaps;
use reconciliation::partner::exchange::import::{Imported, header_of};
use reconciliation::verify::verify;
use simulator::demo::database::Role;
use tests::office::centre_key;
use tests::programs::repository;

use crate::partner_house::{DAYS, House, at, away, away_corrected, close, layout, of_day};

/// Home decides about a file, answers it, and the answer is taken; asked again, nothing changes.
async fn answered_once(home: &House, away: &House, file: &Path, now: &str) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let kind = answered_by(header_of(file).unwrap().0.layout.code).unwrap();
    let decide = async || {
        let asked = ("4081", name.as_str(), kind);
        answer(&home.pool, &home.agencies, asked, at(now)).await.unwrap()
    };
    let file_no = decide().await;
    assert_eq!(decide().await, file_no, "decided once");
    let of = Of::Decisions { file_no };
    let answered = home.written(kind, of.clone(), "4081", now).await;
    home.send(&answered, away, "2026-03-04T00:00:00Z").await;
    let again = home.write(kind, of, "4081", "2026-03-04T01:00:00Z").await;
    assert!(matches!(again, Written::Before(_)), "{again:?}");
    let (again, _) = away.take(&answered, "2026-03-04T01:00:00Z").await;
    assert_eq!(again, Imported::Again);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clearing_houses_agree_to_the_dong_in_either_format_and_nothing_is_posted_twice() {
    for (kinds, list) in [(["ICTX", "ITXC"], "ITAG"), (["STRAN", "SCORR"], "STVL")] {
        let (away, home) = (away().await, House::open("4082").await);
        let refused = Order {
            layout: layout(kinds[0]),
            of: of_day(DAYS[0]),
            partner: None,
            folder: away.folder.path(),
        };
        let open = write(&away.pool, &away.agencies, &refused, at("2026-03-03T17:00:00Z"));
        let open = open.await;
        assert!(matches!(open, Err(WriteError::Open { .. })), "{open:?}");
        close(&away).await;
        // Home's tags first.
        let tags = Of::Tags { issuer: "vetc".parse().unwrap() };
        let list = home.written(list, tags, "4081", "2026-03-03T18:00:00Z").await;
        home.send(&list, &away, "2026-03-03T18:30:00Z").await;
        let ours =
            "select count(*) from tag join vehicle using (plate) join account using (account)
                    where issuer = 'vetc'";
        let listed = away.number("select count(*) from partner_record").await;
        assert_eq!(listed, home.number(ours).await);

        // The transactions of three days, the third before the second: a gap, until it comes.
        let mut files = Vec::new();
        for (day, hour) in DAYS.iter().zip(["19", "20", "21"]) {
            let now = format!("2026-03-03T{hour}:00:00Z");
            files.push(away.written(kinds[0], of_day(day), "4082", &now).await);
        }
        // As after a run that was stopped before the file had its name.
        let mut part = files[0].clone().into_os_string();
        part.push(".part");
        fs::rename(&files[0], &part).unwrap();
        let again = away.write(kinds[0], of_day(DAYS[0]), "4082", "2026-03-03T21:30:00Z").await;
        assert!(matches!(again, Written::Before(_)) && files[0].exists(), "{again:?}");
        away.send(&files[0], &home, "2026-03-03T22:00:00Z").await;
        let (jumped, _) = home.take(&files[2], "2026-03-03T22:00:00Z").await;
        assert!(matches!(jumped, Imported::Taken { answer: Code::Gap, .. }), "{jumped:?}");
        let missing = gaps(&home.pool).await.unwrap();
        assert_eq!(missing, [("4081".to_owned(), kinds[0].to_owned(), 2)]);
        away.send(&files[1], &home, "2026-03-03T22:10:00Z").await;
        assert!(gaps(&home.pool).await.unwrap().is_empty());
        let unanswered = away.compared().await;
        assert_eq!((unanswered.matched.records, unanswered.unanswered.records), (0, 9));

        // The correction, the answers to all, and nothing left over.
        let corrected =
            away.written(kinds[1], of_day(DAYS[2]), "4082", "2026-03-03T23:00:00Z").await;
        away.send(&corrected, &home, "2026-03-03T23:10:00Z").await;
        for (file, minute) in files.iter().chain([&corrected]).zip(["20", "21", "22", "23"]) {
            answered_once(&home, &away, file, &format!("2026-03-03T23:{minute}:00Z")).await;
        }
        let compared = away.compared().await;
        assert!(compared.is_whole(), "{compared:?}");
        let asked = "select sum(p.amount)::int8 from passage_v1 p
                     where p.account in (select account from account where issuer = 'vetc')";
        let asked = away.number(asked).await;
        assert_eq!(i64::try_from(compared.matched.asked), Ok(asked + 30_000));
        assert_eq!(compared.matched.granted, asked + 30_000, "the nine, and the correction");

        // Home's books have what away's have of VETC, the correction taken off.
        let adjusted =
            "select sum(case when k.kind = 'payable' then t.amount else -t.amount end)::int8
                        from direct_transfer t join ledger_account k on k.ledger_account = t.credit
                        where t.kind = 'adjustment'";
        let of_vetc = "select sum(e.amount)::int8 from entry_v1 e join ledger_account k using (ledger_account)
                       where k.kind = 'payable' and k.issuer = 'vetc'
                         and e.kind in ('toll', 'reversal', 'repost')";
        assert_eq!(home.number(adjusted).await, away.number(of_vetc).await);
        home.office.assert_proven().await;
        let verdict = verify(&home.pool, &centre_key().public()).await.unwrap();
        assert!(verdict.ok, "{verdict}");

        // The same again: the file is there; brought again it changes nothing.
        let again = away.write(kinds[0], of_day(DAYS[0]), "4082", "2026-03-04T02:00:00Z").await;
        assert!(matches!(again, Written::Before(_)), "{again:?}");
        assert_eq!(home.take(&files[0], "2026-03-04T02:00:00Z").await.0, Imported::Again);
        assert_eq!(home.number("select count(*) from partner_decision").await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_home_does_not_have_is_answered_so_and_away_sees_it() {
    let (away, home) = (away().await, House::open("4082").await);
    close(&away).await;
    // One was taken off before the passage and one after it; one has another's serial.
    for statement in [
        "update tag_link set valid_until = '2026-02-15' where plate in ('37A10003', '37A10017')",
        "update tag_link set valid_until = '2026-03-02T12:00:00Z' where plate = '37A10009'",
        "insert into tag_link (tag, plate, valid_from)
         select decode('ff', 'hex') || tag, '37A10017', '2026-02-15' from tag_link
         where plate = '37A10007'",
    ] {
        sqlx::query(statement).execute(&home.office.pool).await.unwrap();
    }
    let file = away.written("ICTX", of_day(DAYS[1]), "4082", "2026-03-03T19:00:00Z").await;
    away.send(&file, &home, "2026-03-03T20:00:00Z").await;
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let now = "2026-03-03T21:00:00Z";
    let wrong = ("4081", name.as_str(), "SRECON");
    let wrong = answer(&home.pool, &home.agencies, wrong, at(now)).await;
    assert!(matches!(wrong, Err(AnswerError::Other { right: "ICRX", .. })), "{wrong:?}");
    assert_eq!(home.number("select count(*) from partner_decision").await, 0);
    let asked = ("4081", name.as_str(), "ICRX");
    let file_no = answer(&home.pool, &home.agencies, asked, at(now)).await.unwrap();
    let answered = home.written("ICRX", Of::Decisions { file_no }, "4081", now).await;
    home.send(&answered, &away, "2026-03-03T22:00:00Z").await;
    let compared = away.compared().await;
    assert_eq!((compared.matched.records, compared.rejected.records), (1, 2));
    for difference in compared.differences {
        assert_eq!(difference.answer, Some(("RJTA".to_owned(), 0)));
    }
    let strange = ("4081", "no.ICTX", "ICRX");
    let strange = answer(&home.pool, &home.agencies, strange, at(now)).await;
    assert!(strange.is_err(), "{strange:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_given_back_of_nothing_is_not_charged() {
    let home = House::open("4082").await;
    let name = "4081_4082_20240301180000.ICTX";
    let file = repository(&format!("reconciliation/src/partner/examples/{name}"));
    let now = "2024-03-01T19:00:00Z";
    let (taken, _) = home.take(&file, now).await;
    assert!(matches!(taken, Imported::Taken { .. }), "{taken:?}");
    let asked = ("4081", name, "ICRX");
    answer(&home.pool, &home.agencies, asked, at(now)).await.unwrap();
    let decided = "select disposition from partner_decision order by record_no";
    let unknown = "not-on-file";
    assert_eq!(home.office.texts(decided).await, [unknown, unknown, unknown, "gives-back"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_to_another_account_gives_back_to_the_one_that_was_charged() {
    let away = away_corrected(&[(DAYS[1], 40_000), (DAYS[2], 30_000)]).await;
    let home = House::open("4082").await;
    close(&away).await;
    let adjusted = async |account: i64| {
        let sql = "select coalesce(sum(case when k.ledger_account = t.credit then t.amount
                                            else -t.amount end), 0)::int8
                   from direct_transfer t join ledger_account k on k.ledger_account in (t.credit, t.debit)
                   where t.kind = 'adjustment' and k.account = $1";
        let sum: i64 =
            sqlx::query_scalar(sql).bind(account).fetch_one(&home.office.pool).await.unwrap();
        sum
    };
    for (hour, (kind, day)) in (19..).zip([("ICTX", DAYS[0]), ("ITXC", DAYS[1]), ("ITXC", DAYS[2])])
    {
        if day == DAYS[2] {
            assert_eq!((adjusted(1001).await, adjusted(1015).await), (-40_000, 0));
            // The tag was on another vehicle, as it turns out.
            for statement in [
                "update tag_link set valid_until = '2026-02-15'
                 where plate in ('37A10001', '37A10015')",
                "insert into tag_link (tag, plate, valid_from)
                 select tag, '37A10015', '2026-02-15' from tag_link where plate = '37A10001'",
            ] {
                sqlx::query(statement).execute(&home.office.pool).await.unwrap();
            }
        }
        let file =
            away.written(kind, of_day(day), "4082", &format!("2026-03-03T{hour}:00:00Z")).await;
        away.send(&file, &home, &format!("2026-03-03T{hour}:10:00Z")).await;
        answered_once(&home, &away, &file, &format!("2026-03-03T{hour}:20:00Z")).await;
    }
    assert_eq!((adjusted(1001).await, adjusted(1015).await), (0, -30_000));
    home.office.assert_proven().await;
    // Of the two corrections the last alone is what it should be.
    let compared = away.compared().await;
    assert!(compared.is_whole(), "{compared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_to_less_that_comes_too_late_is_named_and_two_people_lower_it() {
    let (away, home) = (away().await, House::open("4082").await);
    close(&away).await;
    let balance = home.office.balance(1001).await;
    for (kind, day, hour, decided) in [
        ("ICTX", DAYS[0], "19", "2026-03-03T19:20:00Z"),
        ("ITXC", DAYS[2], "20", "2026-06-15T00:00:00Z"),
    ] {
        let file =
            away.written(kind, of_day(day), "4082", &format!("2026-03-03T{hour}:00:00Z")).await;
        away.send(&file, &home, &format!("2026-03-03T{hour}:10:00Z")).await;
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let asked = ("4081", name.as_str(), answered_by(kind).unwrap());
        let file_no = answer(&home.pool, &home.agencies, asked, at(decided)).await.unwrap();
        let left = left_standing(&home.pool, file_no).await.unwrap();
        if kind == "ICTX" {
            assert!(left.is_empty(), "{left:?}");
            continue;
        }
        let [left] = left.as_slice() else { panic!("{left:?}") };
        let toll = balance - home.office.balance(1001).await;
        assert_eq!((left.stands_at, left.asked), (toll, 30_000));
        let transfer = TransferId::new(left.transfer.unwrap());
        assert!(left.to_string().contains("90 days old"), "{left}");
        let accounts = Database::at(home.office.url_for(Role::Accounts));
        let accounts = connect(&accounts).await.unwrap();
        let right = Amount::try_new(left.asked).unwrap();
        let (reason, now) = ("the partner's correction came late", at(decided));
        let proposal =
            propose(&accounts, (transfer, right), reason, "lan", None, now).await.unwrap();
        let day = "2026-06-15".parse().unwrap();
        assert!(approve(&accounts, proposal, day, "lan", now).await.is_err());
        approve(&accounts, proposal, day, "minh", now).await.unwrap();
        assert_eq!(home.office.balance(1001).await, balance - left.asked);
    }
    home.office.assert_proven().await;
}
