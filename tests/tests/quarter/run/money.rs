//! What is owed is ordered, and what the banks say of it is taken.

use std::collections::BTreeMap;
use std::fs;

use reconciliation::cases::finding;
use reconciliation::payment::{
    Booking, BookingKind, Confirmed, PaymentError, confirm, keep_unknown, pay,
};
use reconciliation::sides::bank::statement;
use reconciliation::window::Actor;

use super::super::plan::{DAYS, FIRST};
use super::super::truth::{date_of, day_number};
use super::super::world::{ISSUERS, OPERATORS};
use super::{Remedy, Run, date, instant, person};

impl Run {
    /// Takes the banks' statements of yesterday.
    pub(super) async fn take_statements(&mut self, today: i64, now_s: i64) {
        for issuer in 0..ISSUERS.len() {
            let Some((form, text)) = self.banks[issuer].statement(today - 1) else { continue };
            let path = self.folder.path().join(format!("statement-{issuer}-{today}"));
            fs::write(&path, text).unwrap();
            let lines = statement(form, &path, domain::Currency::VND).unwrap().bookings;
            for (_, booking) in lines {
                self.take(issuer, &booking, now_s).await;
            }
        }
    }

    async fn take(&mut self, issuer: usize, booking: &Booking, now_s: i64) {
        let now = instant(now_s);
        match confirm(&self.office.pool, booking, now).await {
            Ok(confirmed) => {
                if let Confirmed::Returned { windows } = &confirmed {
                    assert_eq!(booking.kind, BookingKind::Returned);
                    let operator = windows[0].operator.as_str();
                    let operator = OPERATORS.iter().position(|one| one.id == operator).unwrap();
                    let units = booking.amount.minor_units();
                    *self.truth.unpaid.entry((operator, issuer)).or_default() += units;
                }
                if let Some(found) = finding::of_payment(booking, &confirmed) {
                    self.open(&found, now_s).await;
                }
                let again = confirm(&self.office.pool, booking, now).await;
                assert_eq!(again.unwrap(), Confirmed::Before);
            }
            Err(PaymentError::Unknown(_)) => {
                let (pool, of) = (&self.office.pool, ISSUERS[issuer].parse().unwrap());
                let kept = keep_unknown(pool, &of, booking, now).await.unwrap().unwrap();
                assert_eq!(keep_unknown(pool, &of, booking, now).await.unwrap(), None);
                let key = self.open(&finding::of_unknown(&kept), now_s).await;
                self.settle(&key, now_s).await;
            }
            Err(error) => panic!("{booking:?}: {error:?}"),
        }
    }

    /// Orders what is approved, which must be what the truth says is owed.
    pub(super) async fn pay(&mut self, today: i64, now_s: i64) {
        let (lan, pool) = (Actor::Person(person("lan")), &self.office.pool);
        let orders = pay(pool, date(today + 1), date(today), &lan, instant(now_s)).await.unwrap();
        let mut paid = BTreeMap::new();
        for order in orders {
            let issuer = ISSUERS.iter().position(|one| *one == order.issuer.as_str()).unwrap();
            let payments: Vec<(String, String, i64)> = sqlx::query_as(
                "select end_to_end, operator, amount from payment where payment_order = $1 order by 1",
            )
            .bind(order.number)
            .fetch_all(&self.office.pool)
            .await
            .unwrap();
            for (end_to_end, operator, amount) in payments {
                let operator = OPERATORS.iter().position(|one| one.id == operator).unwrap();
                paid.insert((operator, issuer), amount);
                // In the last days everything goes right, so that all comes to rest.
                let may_err = today < day_number(FIRST) + DAYS + 8;
                let planted = self.banks[issuer].order(&end_to_end, amount, today, may_err);
                let Some(planted) = planted else { continue };
                let what = format!("{} of payment {end_to_end}", planted.kind);
                let remedy = match planted.kind {
                    "bank-unknown" => Remedy::Assign { end_to_end },
                    _ => Remedy::Bank,
                };
                self.expect(planted.kind, planted.subject, what, remedy);
            }
        }
        assert_eq!(paid, self.truth.pay(), "what is ordered on {}", date_of(today));
    }
}
