//! Two clearing houses that exchange files of their own books: what one exports the other imports,
//! decides, posts and answers, and the first takes the answers in. To the dong, nothing twice, a gap named.

use std::fs;
use std::path::{Path, PathBuf};

use clearing_house::ledger::{Remainder, TransferId, correct_in_tx};
use domain::{Amount, BusinessDate, Clock, Timestamp};
use reconciliation::partner::books::answer::{AnswerError, answer, answered_by};
use reconciliation::partner::books::compare::{Compared, compare};
use reconciliation::partner::books::write::{Order, WriteError, Written, write};
use reconciliation::partner::books::{Agencies, Of};
use reconciliation::partner::command::answer_name;
use reconciliation::partner::exchange::code::Code;
use reconciliation::partner::exchange::export::gaps;
use reconciliation::partner::exchange::import::{
    Arrival, Imported, acknowledgement, header_of, import,
};
use reconciliation::partner::exchange::received::SizeGuard;
use reconciliation::partner::file::Writer;
use reconciliation::partner::layout::Layout;
use reconciliation::partner::name::{all, name_of};
use reconciliation::settlement::{Today, close_through};
use reconciliation::verify::verify;
use tempfile::TempDir;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key};
use tests::programs::repository;

const DAYS: [&str; 3] = ["2026-03-01", "2026-03-02", "2026-03-03"];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn layout(code: &str) -> &'static Layout {
    all().find(|layout| layout.code == code).unwrap()
}

/// A clearing house: its books, what it calls others, and a folder for what it writes.
struct House {
    office: Office,
    agencies: Agencies,
    own: &'static str,
    folder: TempDir,
}

impl House {
    async fn open(own: &'static str) -> Self {
        let names = "hub = \"9002\"\nissuers.vetc = \"4082\"\noperators.cienco4 = \"4081\"";
        let agencies = toml::from_str(&format!("own = \"{own}\"\n{names}")).unwrap();
        Self { office: Office::open().await, agencies, own, folder: TempDir::new().unwrap() }
    }

    async fn write(&self, kind: &str, of: Of, partner: &str, now: &str) -> Written {
        let (layout, folder) = (layout(kind), self.folder.path());
        let order = Order { layout, of, partner: Some(partner.to_owned()), folder };
        write(&self.office.pool, &self.agencies, &order, at(now)).await.unwrap()
    }

    async fn written(&self, kind: &str, of: Of, partner: &str, now: &str) -> PathBuf {
        match self.write(kind, of, partner, now).await {
            Written::Now { file, without_tag: (0, 0) } => file.path,
            other => panic!("{kind}: {other:?}"),
        }
    }

    /// Takes a file and answers it; the acknowledgement is put beside.
    async fn take(&self, path: &Path, now: &str) -> (Imported, Option<PathBuf>) {
        let arrival = Arrival {
            path: path.to_owned(),
            partner: None,
            records: None,
            uncounted: false,
            guard: SizeGuard::default(),
            own: Some(self.own.to_owned()),
        };
        let imported = import(&self.office.pool, &arrival, at(now), &mut |_, _| ()).await.unwrap();
        let code = match &imported {
            Imported::Taken { answer, .. } | Imported::Refused { answer, .. } => *answer,
            Imported::Again => Code::Again,
        };
        let (name, header) = header_of(path).unwrap();
        let whose = (self.own, code, at(now));
        let answer = acknowledgement(name.layout, &header, &name.shown, whose).unwrap();
        let acknowledged = answer.map(|(layout, answer)| {
            let file = name_of(layout, &answer)
                .unwrap_or_else(|| answer_name(name.layout, &name.shown, self.own, &answer, code));
            let path = self.folder.path().join(file);
            let bytes = Writer::open(layout, &answer, Vec::new()).unwrap().finish().unwrap();
            fs::write(&path, bytes).unwrap();
            path
        });
        (imported, acknowledged)
    }

    /// Sends a file to another house, which takes it; and takes its acknowledgement.
    async fn send(&self, path: &Path, to: &Self, now: &str) {
        let (imported, acknowledged) = to.take(path, now).await;
        assert!(matches!(imported, Imported::Taken { answer: Code::Taken, .. }), "{imported:?}");
        let (noted, _) = self.take(&acknowledged.unwrap(), now).await;
        assert!(matches!(noted, Imported::Taken { .. }), "{noted:?}");
    }

    async fn compared(&self) -> Compared {
        compare(&self.office.pool, "4082", Timestamp::UNIX_EPOCH).await.unwrap()
    }

    async fn number(&self, sql: &'static str) -> i64 {
        self.office.number(sql).await
    }
}

fn of_day(day: &str) -> Of {
    Of::Day {
        operator: "cienco4".parse().unwrap(),
        issuer: "vetc".parse().unwrap(),
        day: day.parse().unwrap(),
    }
}

/// Three days of passages, the toll of one of the first day corrected on the last.
async fn away() -> House {
    away_corrected(&[(DAYS[2], 30_000)]).await
}

/// The same, the toll corrected on each of these days to what is said.
async fn away_corrected(corrections: &[(&str, i64)]) -> House {
    let house = House::open("4081").await;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    for (day, numbers) in DAYS.iter().zip([[1_u8, 3, 2, 5], [3, 4, 7, 9], [1, 6, 11, 13]]) {
        let deliveries: Vec<_> = (1..)
            .zip(numbers)
            .map(|(hour, number)| gate.pass(&vehicle(number), &format!("{day}T0{hour}:10:00Z")))
            .collect();
        let noon = at(&format!("{day}T05:00:00Z"));
        house.office.books().await.post(&deliveries, noon).await.unwrap();
    }
    for (day, right) in corrections {
        let toll = "select coalesce((select max(transfer) from transfer_v1 where kind = 'repost'),
                                    min(transfer)) from transfer_v1
                    where kind = 'toll' and day = '2026-03-01'";
        let toll = TransferId::new(house.number(toll).await);
        let mut tx = house.office.pool.begin().await.unwrap();
        let right = Remainder::Amount(Amount::try_new(*right).unwrap());
        let (day, now) = (day.parse().unwrap(), at("2026-03-03T06:00:00Z"));
        correct_in_tx(&mut tx, toll, right, day, now).await.unwrap();
        tx.commit().await.unwrap();
    }
    house
}

async fn close(house: &House) {
    let clock = Clock::of_run(Some(Clock::anchor(at("2026-03-03T18:00:00Z"), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let through: BusinessDate = "2026-03-03".parse().unwrap();
    close_through(&house.office.pool, through, today, &centre_key()).await.unwrap();
}

/// Home decides about a file, answers it, and the answer is taken; asked again, nothing changes.
async fn answered_once(home: &House, away: &House, file: &Path, now: &str) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let kind = answered_by(header_of(file).unwrap().0.layout.code).unwrap();
    let decide = async || {
        let asked = ("4081", name.as_str(), kind);
        answer(&home.office.pool, &home.agencies, asked, at(now)).await.unwrap()
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
        let open = write(&away.office.pool, &away.agencies, &refused, at("2026-03-03T17:00:00Z"));
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
        let missing = gaps(&home.office.pool).await.unwrap();
        assert_eq!(missing, [("4081".to_owned(), kinds[0].to_owned(), 2)]);
        away.send(&files[1], &home, "2026-03-03T22:10:00Z").await;
        assert!(gaps(&home.office.pool).await.unwrap().is_empty());
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
        let verdict = verify(&home.office.pool, &centre_key().public()).await.unwrap();
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
    let wrong = answer(&home.office.pool, &home.agencies, wrong, at(now)).await;
    assert!(matches!(wrong, Err(AnswerError::Other { right: "ICRX", .. })), "{wrong:?}");
    assert_eq!(home.number("select count(*) from partner_decision").await, 0);
    let asked = ("4081", name.as_str(), "ICRX");
    let file_no = answer(&home.office.pool, &home.agencies, asked, at(now)).await.unwrap();
    let answered = home.written("ICRX", Of::Decisions { file_no }, "4081", now).await;
    home.send(&answered, &away, "2026-03-03T22:00:00Z").await;
    let compared = away.compared().await;
    assert_eq!((compared.matched.records, compared.rejected.records), (1, 2));
    for difference in compared.differences {
        assert_eq!(difference.answer, Some(("RJTA".to_owned(), 0)));
    }
    let strange = ("4081", "no.ICTX", "ICRX");
    let strange = answer(&home.office.pool, &home.agencies, strange, at(now)).await;
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
    answer(&home.office.pool, &home.agencies, asked, at(now)).await.unwrap();
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
