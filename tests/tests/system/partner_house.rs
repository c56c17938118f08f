//! A clearing house that exchanges files with another, and what both begin with.

use std::fs;
use std::path::{Path, PathBuf};

use clearing_house::config::Database;
use clearing_house::ledger::{Remainder, TransferId, correct_in_tx};
use clearing_house::rights;
use clearing_house::sql::connect;
use domain::{Amount, BusinessDate, Clock, Timestamp};
use reconciliation::partner::books::compare::{Compared, compare};
use reconciliation::partner::books::write::{Order, Written, write};
use reconciliation::partner::books::{Agencies, Of};
use reconciliation::partner::command::answer_name;
use reconciliation::partner::exchange::code::Code;
use reconciliation::partner::exchange::import::{
    Arrival, Imported, acknowledgement, header_of, import,
};
use reconciliation::partner::exchange::received::SizeGuard;
use reconciliation::partner::file::Writer;
use reconciliation::partner::layout::Layout;
use reconciliation::partner::name::{all, name_of};
use reconciliation::settlement::{Today, close_through};
use simulator::demo::database::Role;
use sqlx::PgPool;
use tempfile::TempDir;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, centre_key};

pub(crate) const DAYS: [&str; 3] = ["2026-03-01", "2026-03-02", "2026-03-03"];

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn layout(code: &str) -> &'static Layout {
    all().find(|layout| layout.code == code).unwrap()
}

/// A clearing house: its books, what it calls others, and a folder for what it writes.
pub(crate) struct House {
    pub(crate) office: Office,
    /// The books, as the program that exchanges files has them.
    pub(crate) pool: PgPool,
    pub(crate) agencies: Agencies,
    own: &'static str,
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) async fn open(own: &'static str) -> Self {
        let names = "hub = \"9002\"\nissuers.vetc = \"4082\"\noperators.cienco4 = \"4081\"\n\
                     lanes.\"cienco4/ben-thuy/l01\" = \"101\"";
        let agencies = toml::from_str(&format!("own = \"{own}\"\n{names}")).unwrap();
        let office = Office::open().await;
        rights::apply(&office.pool).await.unwrap();
        let pool = connect(&Database::at(office.url_for(Role::Reconciliation))).await.unwrap();
        Self { office, pool, agencies, own, folder: TempDir::new().unwrap() }
    }

    pub(crate) async fn write(&self, kind: &str, of: Of, partner: &str, now: &str) -> Written {
        let (layout, folder) = (layout(kind), self.folder.path());
        let order = Order { layout, of, partner: Some(partner.to_owned()), folder };
        write(&self.pool, &self.agencies, &order, at(now)).await.unwrap()
    }

    pub(crate) async fn written(&self, kind: &str, of: Of, partner: &str, now: &str) -> PathBuf {
        match self.write(kind, of, partner, now).await {
            Written::Now { file, without_tag: (0, 0) } => file.path,
            other => panic!("{kind}: {other:?}"),
        }
    }

    /// Takes a file and answers it; the acknowledgement is put beside.
    pub(crate) async fn take(&self, path: &Path, now: &str) -> (Imported, Option<PathBuf>) {
        let arrival = Arrival {
            path: path.to_owned(),
            partner: None,
            records: None,
            uncounted: false,
            guard: SizeGuard::default(),
            own: Some(self.own.to_owned()),
        };
        let imported = import(&self.pool, &arrival, at(now), &mut |_, _| ()).await.unwrap();
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
    pub(crate) async fn send(&self, path: &Path, to: &Self, now: &str) {
        let (imported, acknowledged) = to.take(path, now).await;
        assert!(matches!(imported, Imported::Taken { answer: Code::Taken, .. }), "{imported:?}");
        let (noted, _) = self.take(&acknowledged.unwrap(), now).await;
        assert!(matches!(noted, Imported::Taken { .. }), "{noted:?}");
    }

    pub(crate) async fn compared(&self) -> Compared {
        compare(&self.pool, "4082", Timestamp::UNIX_EPOCH).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.office.number(sql).await
    }
}

pub(crate) fn of_day(day: &str) -> Of {
    Of::Day {
        operator: "cienco4".parse().unwrap(),
        issuer: "vetc".parse().unwrap(),
        day: day.parse().unwrap(),
    }
}

/// Three days of passages, the toll of one of the first day corrected on the last.
pub(crate) async fn away() -> House {
    away_corrected(&[(DAYS[2], 30_000)]).await
}

/// The same, the toll corrected on each of these days to what is said.
pub(crate) async fn away_corrected(corrections: &[(&str, i64)]) -> House {
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

pub(crate) async fn close(house: &House) {
    let clock = Clock::of_run(Some(Clock::anchor(at("2026-03-03T18:00:00Z"), 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let through: BusinessDate = "2026-03-03".parse().unwrap();
    close_through(&house.pool, through, today, &centre_key()).await.unwrap();
}
