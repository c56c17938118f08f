//! The same history in a real database: what keeps the model of the books honest.
//!
//! Everything that was done to the modelled books in a seed is done again, in the order of its
//! commits, by the clearing house's own code in a real database; then both must come to the same
//! charges, trips, balances, watermarks and waiting exits.

use clearing_house::account::top_up;
use clearing_house::intake::BooksError;
use clearing_house::ledger::LedgerAccountKey;
use clearing_house::rating::Payer;
use clearing_house::registry::epoch_of_journal;
use domain::{Amount, Clock};
use tests::office::Office;

use super::books::{Books, Key};
use super::centre::Done;
use super::facts::{Facts, POLICY};

/// Does it all again, and tells what the real books come to, as [`Office::picture`] has it.
pub(crate) async fn picture(office: &Office, done: &[Done]) -> Result<Vec<String>, BooksError> {
    let facts = Facts::all();
    let open = || clearing_house::intake::Books::open(office.pool.clone(), POLICY, Clock::system());
    let books = open().await.map_err(BooksError::Registry)?;
    for one in done {
        match one {
            Done::Posted { batch, now } => drop(books.post(batch, *now).await?),
            Done::Awaited { now } => drop(books.post_awaited(*now).await?),
            Done::ToppedUp { account, amount, reference, now } => {
                let amount = Amount::try_new(*amount).unwrap();
                top_up(&office.pool, *account, amount, reference, POLICY, *now).await.unwrap();
            }
            Done::Closed { operator, day } => {
                sqlx::query(
                    "insert into settlement_day (operator, day, state, closed_at) \
                     values ($1, $2::date, 'closed', now()) on conflict (operator, day) \
                     do update set state = 'closed', closed_at = now()",
                )
                .bind(operator.as_str())
                .bind(day.to_string())
                .execute(&office.pool)
                .await
                .unwrap();
            }
            Done::GrantedEpoch { lane, journal } => {
                let (lane, from) = (&facts.lanes[*lane].id, facts.begins);
                epoch_of_journal(&office.pool, lane, journal.as_bytes(), from).await.unwrap();
            }
        }
    }
    Ok(office.picture().await)
}

/// What the model's books come to, as [`Office::picture`] has it.
pub(crate) fn modelled(books: &Books) -> Vec<String> {
    let facts = Facts::all();
    let lane = |no: usize| facts.lanes[no].id.to_string();
    let mut lines = Vec::new();
    for (key, stored) in &books.charges {
        let charge = &stored.charge;
        let operator = facts.lanes[key.lane].id.operator();
        let (payer, account) = match &charge.payer {
            Payer::Account { account, .. } => ("account", Some(account.to_string())),
            Payer::Cash => ("cash", None),
            Payer::Nobody => ("nobody", None),
        };
        let words = [
            Some("charge".to_owned()),
            Some(format!("{} {} {}", lane(key.lane), key.epoch, key.seq)),
            Some(format!("{} {}", charge.disposition.name(), charge.why.name())),
            Some(format!("{operator} {}", stored.day)),
            account,
            Some(format!("{payer} {}", charge.amount.minor_units())),
            charge.tariff.clone(),
            charge.entry.as_ref().map(|entry| entry.passage.to_string()),
            Some(if stored.late { "t" } else { "f" }.to_owned()),
        ];
        lines.push(words.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    for (entry, exit) in &books.trips {
        lines.push(format!(
            "trip {} {} {} {}",
            lane(exit.lane),
            exit.seq,
            lane(entry.lane),
            entry.seq
        ));
    }
    for (key, balance) in &books.balances {
        lines.push(format!("balance {} {balance}", account_words(facts, key)));
    }
    for ((no, epoch), row) in &books.epochs {
        lines.push(format!("watermark {} {epoch} {}", lane(*no), row.posted_upto));
    }
    for Key { lane: no, epoch, seq } in books.awaiting.keys() {
        lines.push(format!("waits {} {epoch} {seq}", lane(*no)));
    }
    lines.sort();
    lines
}

fn account_words(facts: &Facts, key: &LedgerAccountKey) -> String {
    match key {
        LedgerAccountKey::Customer(account) => {
            let mut known = facts.vehicles.iter();
            let known = known.find(|known| known.facts.account == *account).unwrap();
            format!("customer {} {account}", known.facts.issuer)
        }
        LedgerAccountKey::Payable { issuer, operator } => format!("payable {issuer} {operator}"),
        LedgerAccountKey::Bank(issuer) => format!("bank {issuer}"),
        LedgerAccountKey::Fee(issuer) => format!("fee {issuer}"),
        LedgerAccountKey::Vat(issuer) => format!("vat {issuer}"),
        LedgerAccountKey::Held(issuer) => format!("held {issuer}"),
        LedgerAccountKey::Suspense(issuer) => format!("suspense {issuer}"),
        LedgerAccountKey::WriteOff(issuer) => format!("write-off {issuer}"),
        LedgerAccountKey::Till(operator) => format!("till {operator}"),
        LedgerAccountKey::CashToll(operator) => format!("cash-toll {operator}"),
    }
}
