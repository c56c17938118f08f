//! `cala-ledger`: templates, event-sourced entities, balances; `post_transactions` takes batches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cala_ledger::account::NewAccount;
use cala_ledger::job::{JobSvcConfig, Jobs};
use cala_ledger::journal::NewJournal;
use cala_ledger::posting::PostingInput;
use cala_ledger::tx_template::{
    NewParamDefinition, NewTxTemplate, NewTxTemplateEntry, NewTxTemplateTransaction, ParamDataType,
    Params,
};
use cala_ledger::{
    AccountId, CalaLedger, CalaLedgerConfig, JournalId, TransactionId, TxTemplateId,
};
use rust_decimal::Decimal;

use crate::{CUSTOMERS, FARE, Failed, OPERATORS, tell};

/// As its README has it.
const CONNECTIONS: u32 = 20;
const TEMPLATE: &str = "TOLL";

struct Books {
    ledger: CalaLedger,
    journal: JournalId,
    customers: Vec<AccountId>,
    operators: Vec<AccountId>,
    // Its jobs are made and never polled: folding the balances of the operators is left out, in its
    // favour.
    _jobs: Jobs,
}

/// Tasks and batches that are tried: those that were the fastest of many, and one by one.
const WAYS: [(usize, usize); 3] = [(8, 1), (2, 1_000), (4, 1_000)];

pub async fn measure(url: &str, lasting: Duration) -> Result<(), Failed> {
    let books = Arc::new(open(url).await?);
    for (tasks, batch_len) in WAYS {
        let started = Instant::now();
        let posting: Vec<_> = (0..tasks)
            .map(|task| tokio::spawn(post(Arc::clone(&books), (task, tasks), batch_len, lasting)))
            .collect();
        let mut postings = 0;
        for posting in posting {
            postings += posting.await??;
        }
        tell(&format!("{tasks} tasks, batches of {batch_len}"), postings, started.elapsed());
    }
    Ok(())
}

async fn open(url: &str) -> Result<Books, Failed> {
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
    // Its tables before its jobs, which look for theirs.
    let mut migrator = sqlx::migrate::Migrator::DEFAULT;
    cala_ledger::migrate::IncludeMigrations::include_cala_migrations(&mut migrator);
    migrator.run(&pool).await?;
    let mut jobs = Jobs::init(JobSvcConfig::builder().pool(pool.clone()).build()?)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let config = CalaLedgerConfig::builder().pool(pool).exec_migrations(false).build()?;
    let ledger = CalaLedger::init(config, &mut jobs).await.map_err(|error| format!("{error:?}"))?;
    let journal = JournalId::new();
    let new_journal = NewJournal::builder().id(journal).name("tolls").build();
    ledger.journals().create(new_journal).await.map_err(|error| format!("{error:?}"))?;
    let customers = accounts(&ledger, "customer", CUSTOMERS, false).await?;
    let operators = accounts(&ledger, "operator", OPERATORS, true).await?;
    ledger.tx_templates().create(template()?).await.map_err(|error| format!("{error:?}"))?;
    Ok(Books { ledger, journal, customers, operators, _jobs: jobs })
}

async fn accounts(
    ledger: &CalaLedger,
    kind: &str,
    len: usize,
    eventually_consistent: bool,
) -> Result<Vec<AccountId>, Failed> {
    let ids: Vec<AccountId> = (0..len).map(|_| AccountId::new()).collect();
    let new = |(number, id): (usize, &AccountId)| {
        let name = format!("{kind}-{number}");
        NewAccount::builder()
            .id(*id)
            .name(name.clone())
            .code(name)
            .eventually_consistent(eventually_consistent)
            .build()
    };
    let accounts = ids.iter().enumerate().map(new).collect();
    ledger.accounts().create_all(accounts).await.map_err(|error| format!("{error:?}"))?;
    Ok(ids)
}

fn template() -> Result<NewTxTemplate, Failed> {
    let parameter = |name: &str, kind| NewParamDefinition::builder().name(name).r#type(kind).build();
    let entry = |kind: &str, account: &str, direction: &str| {
        NewTxTemplateEntry::builder()
            .entry_type(kind)
            .account_id(account)
            .layer("SETTLED")
            .direction(direction)
            .units("params.amount")
            .currency("'VND'")
            .build()
    };
    let transaction = NewTxTemplateTransaction::builder()
        .effective("date()")
        .journal_id("params.journal_id")
        .build()?;
    Ok(NewTxTemplate::builder()
        .id(TxTemplateId::new())
        .code(TEMPLATE)
        .params(vec![
            parameter("journal_id", ParamDataType::Uuid)?,
            parameter("customer", ParamDataType::Uuid)?,
            parameter("operator", ParamDataType::Uuid)?,
            parameter("amount", ParamDataType::Decimal)?,
        ])
        .transaction(transaction)
        .entries(vec![
            entry("'TOLL_DR'", "params.customer", "DEBIT")?,
            entry("'TOLL_CR'", "params.operator", "CREDIT")?,
        ])
        .build())
}

/// Posts until the time is over; each task has customers of its own.
async fn post(
    books: Arc<Books>,
    (task, tasks): (usize, usize),
    batch_len: usize,
    lasting: Duration,
) -> Result<usize, Failed> {
    let until = Instant::now() + lasting;
    let own: Vec<AccountId> = books.customers.iter().skip(task).step_by(tasks).copied().collect();
    let mut postings = 0;
    while Instant::now() < until {
        let batch: Vec<PostingInput> = (postings..postings + batch_len)
            .map(|number| {
                let mut params = Params::new();
                params.insert("journal_id", books.journal);
                params.insert("customer", own[number * 7 % own.len()]);
                params.insert("operator", books.operators[number % OPERATORS]);
                params.insert("amount", Decimal::from(FARE));
                PostingInput::new(TransactionId::new(), TEMPLATE, params)
            })
            .collect();
        books.ledger.post_transactions(batch).await.map_err(|error| format!("{error:?}"))?;
        postings += batch_len;
    }
    Ok(postings)
}
