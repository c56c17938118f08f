//! A check that cannot fail proves nothing: each invariant of both `verify` commands is broken once,
//! by somebody who may do anything to the database, and is then the one that is told.

use std::sync::Arc;
use std::time::Duration;

use clearing_house::broker::{ensure_streams, jetstream};
use clearing_house::intake::{Delivery, evidence};
use clearing_house::lists::Publisher;
use domain::passage::{Decision, Payment};
use domain::signature::{Context, Digest256};
use domain::wire::v1::{DeltaRecord, emit};
use domain::{Clock, Timestamp};
use reconciliation::settlement::{Outcome, Today, close_through};
use simulator::demo::broker::{Broker, BrokerUser};
use simulator::demo::run_folder::RunFolder;
use tests::lane::{Lane, vehicle};
use tests::office::{Office, POLICY, centre_key, noon};
use tests::programs::nats_server;
use tokio::sync::Notify;

/// What is done to the database, and what of it breaks.
struct Damage {
    what: &'static str,
    sql: &'static str,
    /// What the invariants say that are broken by it, or their ids where those tell them apart.
    breaks: &'static [&'static str],
}

const BATCHES: &str = "a batch holds the rows it was written with, and follows the one before it";

const CLEARING_HOUSE: [Damage; 22] = [
    Damage {
        what: "a receipt would promise less than is stored",
        sql: "update lane_epoch set posted_upto = posted_upto - 1 where lane = 'cienco4/ben-thuy/l01'",
        breaks: &[
            "a lane's watermark covers exactly what is stored without a gap",
            "what a receipt says is stored at a watermark is stored there",
        ],
    },
    Damage {
        what: "a receipt would say of a passage that it is another one",
        sql: "update lane_epoch set posted_digest = gen_random_uuid() where lane = 'cienco4/ben-thuy/l01'",
        breaks: &["what a receipt says is stored at a watermark is stored there"],
    },
    Damage {
        what: "a charged passage still waits for its entry",
        sql: "insert into waiting_exit select journal_no, seq, operator_no, batch, manner, now(), at, digest, tag, plate, '', '' \
              from posting limit 1",
        breaks: &["a passage is charged, rejected with a reason, or waits for its entry"],
    },
    Damage {
        what: "a charge says that it was paid in cash, the ledger that an account paid",
        sql: "update posting set manner = (select c.manner from manner a join manner c on c.payer = 'cash' \
                    where a.manner = posting.manner limit 1) \
              where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 1)",
        breaks: &[
            "a charge that costs something is paid for by exactly one transfer of that amount",
            BATCHES,
            "rating again gives the same charge",
        ],
    },
    Damage {
        what: "an entry is one dong more than its counterpart, and the balance goes with it",
        sql: "create or replace view entry_v1 as \
                select transfer, debit as ledger_account, -amount + (transfer = 1)::int as amount, \
                       kind, operator, day, posted_at from transfer \
                union all select transfer, credit, amount, kind, operator, day, posted_at from transfer; \
              update ledger_account set balance = balance + 1 \
              where ledger_account = (select debit from direct_transfer where transfer = 1)",
        breaks: &["entries sum to zero"],
    },
    Damage {
        what: "somebody gave an issuer a dong",
        sql: "update ledger_account set balance = balance + 1 where kind = 'bank' and issuer = 'vetc'",
        breaks: &["a balance is the sum of its account's entries"],
    },
    Damage {
        what: "charges can be changed",
        sql: "alter table posting_2026_03_02 disable trigger posting_is_append_only",
        breaks: &["passages, charges and transfers can only be added"],
    },
    Damage {
        what: "a batch is said to have moved a dong more",
        sql: "update batch_sum set amount = amount + 1 where (batch, ledger_account) = \
                (select batch, ledger_account from batch_sum limit 1)",
        breaks: &["what a batch moved on an operator's or issuer's account is what its rows say"],
    },
    Damage {
        what: "a toll was undone with less than it took",
        sql: "insert into direct_transfer (kind, debit, credit, amount, operator, day, posted_at, original) \
              select 'reversal', credit, debit, amount - 1, operator, day, now(), transfer from transfer \
              where kind = 'toll' order by transfer limit 1; \
              insert into balance_change select l.ledger_account, l.amount from direct_transfer t \
              cross join lateral (values (t.credit, t.amount), (t.debit, -t.amount)) l (ledger_account, amount) \
              where t.kind = 'reversal'",
        breaks: &["a transfer is undone or made again at most once, by one that carries it"],
    },
    Damage {
        what: "a passage was taken out of the books",
        sql: "delete from posting where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 3); \
              update lane_epoch e set posted_upto = 2, last_seq = 2, posted_digest = p.digest from posting p \
                where p.journal_no = e.journal_no and p.seq = 2 and lane = 'cienco4/ben-thuy/l01'; \
              update batch_sum b set passages = s.n, amount = s.amount from \
                (select batch, credit, count(*) as n, sum(amount) as amount from posting where amount > 0 group by 1, 2) s \
              where s.batch = b.batch and s.credit = b.ledger_account and b.amount > 0; \
              delete from balance_change; \
              update ledger_account l set balance = coalesce( \
                (select sum(amount) from entry_v1 e where e.ledger_account = l.ledger_account), 0)",
        breaks: &[BATCHES, "a passage's digest is that of its bytes"],
    },
    Damage {
        what: "a vehicle was seen at another time",
        sql: "update posting set at = at + interval '1 hour' where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 2)",
        breaks: &[BATCHES],
    },
    Damage {
        what: "the bytes of passages were thrown away",
        sql: "delete from evidence where operator_no = (select operator_no from operator where operator = 'vec')",
        breaks: &["the exact bytes of a passage are kept"],
    },
    Damage {
        what: "a digest is another one",
        sql: "update posting set digest = md5('another')::uuid where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 3)",
        breaks: &[
            "what a receipt says is stored at a watermark is stored there",
            BATCHES,
            "a passage's digest is that of its bytes",
        ],
    },
    Damage {
        // The first signature begins after 12 bytes; no passage of the same journal comes after it.
        what: "a signature has a wrong bit, and nothing that is signed names its passage",
        sql: "update evidence set block = set_bit(block, 161, 1 - get_bit(block, 161)) \
              where operator_no = (select operator_no from operator where operator = 'vec')",
        breaks: &[
            "a passage is signed by a key that was its lane's when it came, or named by one that is",
        ],
    },
    Damage {
        what: "a passage was left out, and the next signed anew by a thief of the lane's key",
        sql: "update evidence set block = $2 where first_journal = \
                (select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01'); \
              update lane_epoch set posted_digest = encode(substr($1, 1, 16), 'hex')::uuid where lane = 'cienco4/ben-thuy/l01'; \
              update posting set digest = encode(substr($1, 1, 16), 'hex')::uuid where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 3)",
        breaks: &[BATCHES, "a passage names the digest of the one before it"],
    },
    Damage {
        what: "a fare was changed after the fact",
        sql: "update tariff set document = replace(document::text, '47000', '48000')::jsonb where operator = 'cienco4'",
        breaks: &["rating again gives the same charge"],
    },
    Damage {
        what: "what a charge consists of was made up",
        sql: "insert into charge_basis (lane, epoch, seq, operator, gross, discount, over_trip_cap, over_day_cap, cases, missed) \
              select lane, epoch, seq, operator, amount + 1000, 0, 0, 0, '{}', '{}' from passage_v1 \
              where lane = 'cienco4/ben-thuy/l01' and epoch = 1 and seq = 1",
        breaks: &[
            "a charge is its fare less discount and caps",
            "rating again gives the same charge",
        ],
    },
    Damage {
        what: "a vehicle's day costs what nobody charged",
        sql: "insert into day_spent (operator, day, plate, charged) values ('cienco4', '2026-03-02', '37A99999', 5)",
        breaks: &[
            "a vehicle's day costs what its charges come to, each knows those before it, and none is over the cap",
        ],
    },
    Damage {
        what: "a delta has the signature of another",
        sql: "update list_delta set signature = replace(encode(sha512('another'), 'base64'), E'\\n', '') where version = 1",
        breaks: &["a delta of the list is signed by the centre"],
    },
    Damage {
        what: "a delta was lost, and the one after it is there",
        sql: "insert into list_delta select max(version) + 2, $2, convert_from($1, 'UTF8'), now(), now() from list_delta",
        breaks: &["a delta of the list follows the one before it"],
    },
    Damage {
        what: "the stored list says something else than the deltas",
        sql: "update list_entry set entry = replace(entry, 'good', 'low') where tag = (select tag from list_entry order by tag limit 1)",
        breaks: &["the stored list is what all deltas lead to"],
    },
    Damage {
        what: "an account was blocked and no lane is told",
        sql: "update account set state = 'blocked' where account = 1001",
        breaks: &["lanes have been told what holds now, or will be at once"],
    },
];

const RECONCILIATION: [Damage; 11] = [
    Damage {
        what: "a manifest was agreed on, and the books have something else",
        sql: "insert into lane_manifest (lane, epoch, day, first_seq, last_seq, received_at, payload, signature) \
              select lane, epoch, '2026-03-02', 1, 1, now(), convert_to('{\"v\":1,\"lane\":\"cienco4/ben-thuy/l01\",\
                \"epoch\":1,\"at\":\"2026-03-02T17:00:05Z\",\"manifest\":{\"day\":\"2026-03-02\",\"first_seq\":1,\
                \"last_seq\":1,\"head\":\"00000000000000000000000000000000000000000000000000000000000000fe\",\
                \"sums\":{\"passages\":1,\"amount\":1,\"groups\":{},\"decisions\":{}}}}', 'utf8'), \
                decode(repeat('00', 64), 'hex') from lane_epoch where lane = 'cienco4/ben-thuy/l01'; \
              insert into manifest_verdict (manifest, checked_at, verdict_of, figures, loops) \
              select manifest, now(), 'agrees', '{}', '{}' from lane_manifest",
        breaks: &["I18"],
    },
    Damage {
        what: "a charge was made after the close",
        sql: "update posting_batch set posted_at = posted_at + interval '1 day'",
        breaks: &["I11"],
    },
    Damage {
        what: "a day is stated twice",
        sql: "insert into statement select operator, day, 2, canonical, digest, signature, issued_at, passages, \
                gross, fee, net, cash from statement where operator = 'cienco4'",
        breaks: &["I12-once"],
    },
    Damage {
        what: "an operator's cash is another sum than it signed for",
        sql: "update settlement_cash set amount = amount + 1 where operator = 'cienco4'",
        breaks: &["I12-positions"],
    },
    Damage {
        what: "a fee was taken back out of the ledger",
        sql: "delete from direct_transfer where kind = 'fee' and operator = 'cienco4'",
        breaks: &["I12-fees"],
    },
    Damage {
        what: "a toll was credited to another operator than it was charged for",
        sql: "update posting set credit = (select ledger_account from ledger_account \
                    where kind = 'payable' and operator = 'vec' limit 1) \
              where (journal_no, seq) = ((select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01' and epoch = 1), 1)",
        breaks: &["I12-proof"],
    },
    Damage {
        what: "a day was closed that was never sealed",
        sql: "delete from window_change where operator = 'cienco4' and state = 'closing'",
        breaks: &["I12-window"],
    },
    Damage {
        what: "a day is called approved and nobody approved it",
        sql: "insert into window_change values ('cienco4', '2026-03-02', 3, 'approved', now(), 'lan', null)",
        breaks: &["I25"],
    },
    Damage {
        what: "a statement has a wrong bit in its signature",
        sql: "update statement set signature = set_bit(signature, 9, 1 - get_bit(signature, 9)) \
              where operator = 'cienco4'",
        breaks: &["I12-signature"],
    },
    Damage {
        what: "a vehicle was of another group than was stated",
        sql: "insert into manner (role, vehicle_group, decision, payment, disposition, why, payer, late, tariff, \
                    fare_shown) \
              select role, 5, decision, payment, disposition, why, payer, late, tariff, fare_shown from manner \
              where manner = (select manner from posting where day = '2026-03-02' order by journal_no, seq limit 1); \
              update posting set manner = (select max(manner) from manner) where (journal_no, seq) = \
                (select journal_no, seq from posting where day = '2026-03-02' order by journal_no, seq limit 1)",
        breaks: &["I12-recount"],
    },
    Damage {
        // What the lanes wrote is on the statement too, so its recount cannot hold either.
        what: "a lane showed another fare than was matched",
        sql: "insert into manner (role, vehicle_group, decision, payment, disposition, why, payer, late, tariff, \
                    fare_shown) \
              select role, vehicle_group, decision, payment, disposition, why, payer, late, tariff, 'other' from manner \
              where manner = (select manner from posting where day = '2026-03-02' order by journal_no, seq limit 1); \
              insert into passage_more (journal_no, seq, operator_no, fare) \
              select journal_no, seq, operator_no, 1 from posting where day = '2026-03-02' \
              order by journal_no, seq limit 1; \
              update posting set manner = (select max(manner) from manner) where (journal_no, seq) = \
                (select journal_no, seq from passage_more where fare = 1)",
        breaks: &["I12-recount", "I13"],
    },
];

/// A small day: three passages of an open station, one of them in cash, and one trip.
fn traffic() -> Vec<Delivery> {
    let at = |minute: u8| format!("2026-03-02T01:{minute:02}:00Z");
    let mut gate = Lane::new("cienco4/ben-thuy/l01");
    vec![
        gate.pass(&vehicle(5), &at(0)),
        gate.write(&at(1), |passage| {
            passage.group = Some(vehicle(6).group);
            passage.plate = Some("99X12345".parse().unwrap());
            passage.decision = Decision::OpenedByAttendant;
            passage.payment = Payment::Cash;
        }),
        gate.pass(&vehicle(7), &at(2)),
        Lane::new("vec/mai-son/e01").pass(&vehicle(8), &at(3)),
        Lane::new("vec/nghi-son/x01").pass(&vehicle(8), &at(40)),
    ]
}

/// An office after such a day: posted, listed, closed.
async fn office_after_a_day() -> Office {
    let office = Office::open().await;
    let run = RunFolder::temporary().unwrap();
    let broker = Broker::start(&run, &nats_server(), &[BrokerUser::Centre]).unwrap();
    let client = broker.connect(&BrokerUser::Centre).await.unwrap();
    let streams = jetstream(client);
    ensure_streams(&streams).await.unwrap();
    office.books().await.post(&traffic(), noon()).await.unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(noon(), 1.0)));
    let publisher = Publisher::new(office.pool.clone(), streams, centre_key(), POLICY, clock);
    let publishing = tokio::spawn(publisher.run(Arc::new(Notify::new())));
    let waiting = "select count(*) from list_change";
    while office.number(waiting).await > 0 {
        assert!(clock.uptime() < Duration::from_secs(20), "the list was not published");
        tokio::task::yield_now().await;
    }
    publishing.abort();
    assert!(publishing.await.unwrap_err().is_cancelled());
    let evening: Timestamp = "2026-03-02T18:00:00Z".parse().unwrap();
    let clock = Clock::of_run(Some(Clock::anchor(evening, 1.0)));
    let today = Today { clock: &clock, early_reason: None };
    let closes = close_through(&office.pool, "2026-03-02".parse().unwrap(), today, &centre_key())
        .await
        .unwrap();
    let closed = closes.iter().filter(|one| matches!(one.outcome, Outcome::Closed { .. })).count();
    assert_eq!((closed, closes.len()), (2, 2), "{closes:?}");
    office
}

/// Values that SQL cannot make, for the damages that need them.
async fn forged(office: &Office, damage: &Damage) -> Vec<Vec<u8>> {
    if damage.sql.contains("set block = $2") {
        let mut gate = Lane::new("cienco4/ben-thuy/l01");
        gate.skip();
        gate.skip();
        // The third, written as if nothing had been before it.
        let alone = gate.pass(&vehicle(7), "2026-03-02T01:02:00Z").payload;
        let signature = gate.key.sign(Context::Passage, &alone);
        let blocks = "select block from evidence where first_journal = \
                        (select journal_no from lane_epoch where lane = 'cienco4/ben-thuy/l01')";
        let block: Vec<u8> = sqlx::query_scalar(blocks).fetch_one(&office.pool).await.unwrap();
        let mut rewritten = Vec::new();
        for kept in evidence::read_block(&block).unwrap() {
            let (signature, payload) =
                if kept.seq == 3 { (signature, &alone) } else { (kept.signature, &kept.payload) };
            for number in [kept.journal_no, kept.seq, i32::try_from(payload.len()).unwrap()] {
                rewritten.extend(number.to_be_bytes());
            }
            rewritten.extend(signature.as_bytes());
            rewritten.extend(payload);
        }
        vec![Digest256::of(&alone).as_bytes().to_vec(), rewritten]
    } else if damage.sql.contains("into list_delta") {
        let last = office.number("select max(version) from list_delta").await;
        let version = u64::try_from(last).unwrap() + 2;
        let (hash, issued_at) = (Digest256::default(), noon());
        let (hash_before, changes) = (hash, Vec::new());
        let lost = emit(&DeltaRecord { v: 1, version, hash_before, hash, issued_at, changes });
        let signature = centre_key().sign(Context::List, &lost).to_text().into_bytes();
        vec![signature, lost]
    } else {
        Vec::new()
    }
}

/// Does the damage. Nothing stands in the way of a superuser: not the triggers that refuse changes,
/// and not the references between tables.
async fn do_damage(office: &Office, damage: &Damage) {
    let values = forged(office, damage).await;
    let mut one = office.pool.acquire().await.unwrap();
    sqlx::query("set session_replication_role = replica").execute(&mut *one).await.unwrap();
    for statement in damage.sql.split(';') {
        let query = values.iter().fold(sqlx::query(statement), sqlx::query::Query::bind);
        let done = query.execute(&mut *one).await;
        let changed = done.unwrap_or_else(|error| panic!("{}: {error}", damage.what));
        let changes_rows =
            ["update", "insert", "delete"].iter().any(|verb| statement.trim().starts_with(verb));
        assert!(!changes_rows || changed.rows_affected() > 0, "{}: nothing was done", damage.what);
    }
    // The connection goes, and with it its powers.
    one.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invariant_of_the_clearing_house_can_be_broken_alone() {
    let whole = office_after_a_day().await;
    let named: Vec<&str> = whole.proof().await.invariants.iter().map(|one| one.what).collect();
    whole.assert_proven().await;
    let mut wrong = Vec::new();
    for damage in &CLEARING_HOUSE {
        let office = whole.copy().await;
        do_damage(&office, damage).await;
        let proof = office.proof().await;
        let broken: Vec<_> = proof.invariants.iter().filter(|one| one.broken > 0).collect();
        let found: Vec<&str> = broken.iter().map(|one| one.what).collect();
        if found != damage.breaks {
            wrong.push(format!("{}: {found:#?}", damage.what));
        }
        assert!(!proof.ok, "{}", damage.what);
        for one in broken {
            assert!(one.first.is_some() && one.broken <= one.checked.max(1), "{one:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let tried = CLEARING_HOUSE.iter().flat_map(|damage| damage.breaks);
    let untried: Vec<_> =
        named.iter().filter(|what| !tried.clone().any(|tried| tried == *what)).collect();
    assert!(untried.is_empty(), "no damage breaks {untried:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invariant_of_the_settlement_can_be_broken() {
    let key = centre_key().public();
    let whole = office_after_a_day().await;
    let verdict = reconciliation::verify::verify(&whole.pool, &key).await.unwrap();
    assert!(verdict.ok, "{verdict}");
    let named: Vec<&str> = verdict.invariants.iter().map(|one| one.id).collect();
    for damage in &RECONCILIATION {
        let office = whole.copy().await;
        do_damage(&office, damage).await;
        let verdict = reconciliation::verify::verify(&office.pool, &key).await.unwrap();
        let broken: Vec<&str> = verdict
            .invariants
            .iter()
            .filter(|one| one.broken > 0 && one.first.is_some())
            .map(|one| one.id)
            .collect();
        assert_eq!(broken, damage.breaks, "{}: {verdict}", damage.what);
        assert!(!verdict.ok, "{}", damage.what);
    }
    let tried = RECONCILIATION.iter().flat_map(|damage| damage.breaks);
    let untried: Vec<_> =
        named.iter().filter(|id| !tried.clone().any(|tried| tried == *id)).collect();
    assert!(untried.is_empty(), "no damage breaks {untried:?}");
}
