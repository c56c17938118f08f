//! The text files of VETC and ITD out of our own books: what passed at a station on a closed day, by tag and
//! with priority. The format has no answer, so what comes back is the file itself, to the byte.

use std::fs;

use reconciliation::partner::books::Of;
use reconciliation::partner::books::write::{Order, WriteError, Written, write};
use reconciliation::partner::exchange::import::{Arrival, Imported, import};
use reconciliation::partner::exchange::received::SizeGuard;
use tests::lane::{Lane, vehicle};

use crate::partner_house::{DAYS, House, at, away, close, layout};

fn of_station(day: &str) -> Of {
    Of::Station {
        operator: "cienco4".parse().unwrap(),
        station: "ben-thuy".parse().unwrap(),
        day: day.parse().unwrap(),
    }
}

async fn taken(house: &House, path: &std::path::Path, records: Option<u64>, now: &str) -> Imported {
    let arrival = Arrival {
        path: path.to_owned(),
        partner: Some("vetc".to_owned()),
        records,
        uncounted: false,
        guard: SizeGuard::default(),
        own: None,
    };
    import(&house.pool, &arrival, at(now), &mut |_, _| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stations_day_comes_to_the_other_side_to_the_dong_and_back_to_the_byte() {
    let (ours, theirs) = (away().await, House::open("4082").await);
    let early = Order {
        layout: layout("ETAG"),
        of: of_station(DAYS[1]),
        partner: None,
        folder: ours.folder.path(),
    };
    let early = write(&ours.pool, &ours.agencies, &early, at("2026-03-03T17:00:00Z")).await;
    assert!(matches!(early, Err(WriteError::Open { .. })), "{early:?}");
    close(&ours).await;
    for (day, hour) in DAYS.iter().zip(19..) {
        let now = format!("2026-03-03T{hour}:00:00Z");
        let written = ours.write("ETAG", of_station(day), "ben-thuy", &now).await;
        let Written::Now { file, without_tag: (0, 0) } = written else { panic!("{written:?}") };
        let figures = file.examined.figures;
        let charged = format!(
            "select count(*) || '/' || sum(amount) from passage_v1 where day = '{day}'
               and station = 'ben-thuy' and payer = 'account' and disposition = 'posted' and amount > 0"
        );
        let charged: String = sqlx::query_scalar(sqlx::AssertSqlSafe(charged))
            .fetch_one(&ours.office.pool)
            .await
            .unwrap();
        assert_eq!(charged, format!("{}/{}", figures.records, figures.to_pay.minor_units()));

        // Nobody says how many: a file that was cut would not be noticed. As many as there are: taken, once.
        let uncounted = taken(&theirs, &file.path, None, &now).await;
        assert!(matches!(uncounted, Imported::Refused { .. }), "{uncounted:?}");
        let whole = fs::read_to_string(&file.path).unwrap();
        let cut: String = whole.lines().skip(1).map(|line| format!("{line}\n")).collect();
        let short = theirs.folder.path().join(file.path.file_name().unwrap());
        fs::write(&short, cut).unwrap();
        let cut = taken(&theirs, &short, Some(figures.records), &now).await;
        assert!(matches!(cut, Imported::Refused { .. }), "{cut:?}");
        let came = taken(&theirs, &file.path, Some(figures.records), &now).await;
        assert!(
            matches!(&came, Imported::Taken { figures: same, .. } if *same == figures),
            "{came:?}"
        );
        let again = taken(&theirs, &file.path, Some(figures.records), &now).await;
        assert_eq!(again, Imported::Again);

        // What they have of it, written again, is the same file.
        let back = "select '(' || concat_ws(',', body ->> 'transaction', body ->> 'time', body ->> 'etag',
                        body ->> 'price', body ->> 'plate-recognised', body ->> 'staff', body ->> 'shift',
                        body ->> 'lane', body ->> 'ticket-code') || ')'
                    from partner_record where file_no = (select max(file_no) from partner_record)
                    order by record_no";
        assert_eq!(theirs.office.texts(back).await.join("\n") + "\n", whole);
        let before = ours.write("ETAG", of_station(day), "ben-thuy", "2026-03-04T00:00:00Z").await;
        assert!(matches!(before, Written::Before(_)), "{before:?}");
    }
    let none =
        ours.write("TRANSFERSPECIAL", of_station(DAYS[0]), "ben-thuy", "2026-03-04T00:00:00Z");
    let none = none.await;
    assert!(matches!(none, Written::Nothing), "{none:?}");
    // The first day's 1 of group 1 at 01:10 UTC, as a station reads it.
    let first = theirs
        .office
        .texts("select body ->> 'transaction' from partner_record where file_no = 1 order by record_no")
        .await;
    assert_eq!(first[0], "20260301081000");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_of_one_second_are_two_files() {
    let ours = away().await;
    close(&ours).await;
    let now = "2026-03-03T19:00:00Z";
    let one = ours.written("ETAG", of_station(DAYS[0]), "ben-thuy", now).await;
    let other = ours.written("ETAG", of_station(DAYS[1]), "another", now).await;
    assert_ne!(one, other);
    assert_ne!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn vehicles_with_priority_go_in_a_file_of_their_own() {
    let ours = House::open("4081").await;
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    let pass = |gate: &mut Lane, number: u8, at: &str| gate.pass(&vehicle(number), at);
    let deliveries = [
        pass(&mut gate, 1, "2026-03-01T01:10:00Z"),
        pass(&mut gate, tests::office::EXEMPT, "2026-03-01T02:10:00Z"),
    ];
    ours.office.books().await.post(&deliveries, at("2026-03-01T05:00:00Z")).await.unwrap();
    close(&ours).await;
    let written = ours
        .write("TRANSFERSPECIAL", of_station(DAYS[0]), "ben-thuy", "2026-03-03T19:00:00Z")
        .await;
    let Written::Now { file, .. } = written else { panic!("{written:?}") };
    let text = fs::read_to_string(&file.path).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.starts_with("(20260301091000,09:10:00,") && text.ends_with(",101,20,0,0)\n"),
        "{text}"
    );
    let mut unnamed = ours.agencies.clone();
    unnamed.lanes.clear();
    let folder = ours.folder.path();
    let order = Order { layout: layout("ETAG"), of: of_station(DAYS[0]), partner: None, folder };
    let refused = write(&ours.pool, &unnamed, &order, at("2026-03-03T20:00:00Z")).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("lanes.\"cienco4/ben-thuy/l01\", a number of three digits"), "{said}");
}
