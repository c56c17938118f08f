//! The end: everything was found and settled, and is what the truth says.

use std::collections::{BTreeMap, BTreeSet};

use reconciliation::verify::verify;
use tests::office::centre_key;

use super::super::truth::date_of;
use super::super::world::{BEGINS_WITH, ISSUERS, OPERATORS};
use super::Run;

impl Run {
    /// Everything was found and settled; books and settlements are what the truth says.
    pub(crate) async fn end(self) {
        let seed = self.plan.seed;
        let missed: Vec<&str> = self
            .expected
            .values()
            .filter(|one| one.code.is_none() || !one.settled)
            .map(|one| one.planted.as_str())
            .collect();
        assert!(
            missed.is_empty(),
            "seed {seed}: planted and not found or not settled: {missed:#?}"
        );
        let codes = self.office.number("select count(*) from settlement_case").await;
        assert_eq!(codes, i64::try_from(self.expected.len()).unwrap(), "seed {seed}: cases");
        self.assert_positions().await;
        self.assert_payables().await;
        self.assert_customers().await;
        let unmatched = "select operator || ' ' || day || ' ' || state from window_v1 \
                         where state <> 'matched' and day < '2026-10-20' order by 1";
        assert_eq!(self.office.texts(unmatched).await, [""; 0], "seed {seed}");
        let verdict = verify(&self.office.pool, &centre_key().public()).await.unwrap();
        assert!(verdict.ok, "{verdict}");
        self.office.assert_proven().await;
        println!("{} cases, {} positions", self.expected.len(), self.truth.positions.len());
    }

    async fn assert_positions(&self) {
        type Row = (String, String, String, i64, i64, i64, i64, i64, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "select operator, day::text, issuer, passages, gross, adjustment, fee, vat, net
             from settlement_position order by 1, 2, 3",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        let mut expected = Vec::new();
        for ((pair, day), position) in &self.truth.positions {
            let settled = position.settled(*pair, *day);
            expected.push((
                OPERATORS[pair.0].id.to_owned(),
                date_of(*day),
                ISSUERS[pair.1].to_owned(),
                position.passages,
                position.gross,
                position.adjustment,
                settled.fee,
                settled.vat,
                settled.net,
            ));
        }
        expected.sort();
        let (rows, expected): (BTreeSet<Row>, BTreeSet<Row>) =
            (rows.into_iter().collect(), expected.into_iter().collect());
        let only_stated: Vec<&Row> = rows.difference(&expected).collect();
        let only_true: Vec<&Row> = expected.difference(&rows).collect();
        let seed = self.plan.seed;
        assert!(
            only_stated.is_empty() && only_true.is_empty(),
            "seed {seed}: stated {only_stated:#?}, true {only_true:#?}"
        );
    }

    /// What is still owed is what could not be paid, because it is not above zero.
    async fn assert_payables(&self) {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "select operator, issuer, balance from ledger_balance_v1 where kind = 'payable' and balance <> 0
             order by 1, 2",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        let mut owed: Vec<(String, String, i64)> = Vec::new();
        for ((operator, issuer), sum) in &self.truth.unpaid {
            if *sum != 0 {
                owed.push((OPERATORS[*operator].id.to_owned(), ISSUERS[*issuer].to_owned(), *sum));
            }
        }
        owed.sort();
        assert_eq!(rows, owed, "seed {}: what is owed at the end", self.plan.seed);
    }

    /// Each customer has paid for what he truly drove.
    async fn assert_customers(&self) {
        let mut drove: BTreeMap<i64, i64> = BTreeMap::new();
        for crossing in &self.plan.crossings {
            let account = self.plan.drivers[crossing.driver].vehicle.account;
            *drove.entry(account).or_default() += self.plan.true_fare(crossing).unwrap_or(0);
        }
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select account, balance from balance_v1 where account >= 20000 order by 1",
        )
        .fetch_all(&self.office.pool)
        .await
        .unwrap();
        for (account, balance) in rows {
            let paid = BEGINS_WITH - balance;
            let owed = drove.get(&account).copied().unwrap_or(0);
            assert_eq!(paid, owed, "seed {}: account {account}", self.plan.seed);
        }
    }
}
