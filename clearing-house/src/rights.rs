//! Who may do what in the database: least privilege, and row security per operator.
//!
//! One table of rights, below, is the whole truth. `clearing-house migrate` and `reconciliation
//! migrate` bring it about after their migrations, in one transaction: they take every right away
//! that is not in it, and switch on row security, *forced*, so that it binds the owner too, for
//! every table whose rows are of one operator. A test holds the database against it: a table that
//! is not listed, or a right that nobody meant to give, fails.
//!
//! *Own*: the condition under which a row is the operator's that `etc.operator` names. Only
//! `etc_operator` is bound by it; the other roles serve all operators, and are bound by their
//! grants. `etc_intake` bypasses row security because `PostgreSQL` refuses COPY under it.
//!
//! A new table gets a line in [`TABLES`]; names that are not there (yet) are passed over.
//! Deliberately absent: making the roles, which is `deploy/postgresql-roles.sql`.

use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

/// The roles, in the order of the columns of [`TABLES`]; besides them `etc_migrator` owns
/// everything, and `etc_auditor` reads everything.
pub const ROLES: [&str; 6] = [
    "etc_intake",
    "etc_accounts",
    "etc_registrar",
    "etc_reconciliation",
    "etc_operator",
    "etc_authority",
];

/// Everybody who serves all operators.
const ALL_OPERATORS: &str = "etc_migrator, etc_intake, etc_accounts, etc_registrar, etc_reconciliation, etc_authority, \
     etc_auditor";

/// A table or view and what each role may do with it: `r`ead, `a`dd, `u`pdate, `d`elete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Under which condition a row is the operator's own; none where rows are of no operator.
    pub own: Option<&'static str>,
    /// What each of [`ROLES`] may do.
    pub rights: [&'static str; 6],
}

const fn table(name: &'static str, own: Option<&'static str>, rights: [&'static str; 6]) -> Table {
    Table { name, own, rights }
}

/// The row names its operator.
const NAMED: Option<&str> = Some("operator = current_setting('etc.operator', true)");
/// The row names its operator by number.
const NUMBERED: Option<&str> = Some(
    "operator_no = (select o.operator_no from operator o \
     where o.operator = current_setting('etc.operator', true))",
);
/// The row names a lane.
const LANE: Option<&str> = Some("split_part(lane, '/', 1) = current_setting('etc.operator', true)");
/// The row is of no operator: of customers, of issuers, or of everybody.
const NOBODYS: Option<&str> = None;

/// The whole truth. Columns: intake, accounts, registrar, reconciliation, operator, authority.
#[rustfmt::skip]
pub const TABLES: &[Table] = &[
    // Who and where.
    table("operator",            NAMED,    ["r",    "r",    "rau",  "r",  "r", "r"]),
    table("issuer",              NOBODYS,  ["r",    "r",    "rau",  "r",  "r", "r"]),
    table("station",             NAMED,    ["r",    "r",    "rau",  "r",  "r", "r"]),
    table("lane",                NAMED,    ["r",    "r",    "rau",  "r",  "r", "r"]),
    table("lane_key",            LANE,     ["r",    "",     "rau",  "",   "r", ""]),
    table("lane_credential",     LANE,     ["",     "",     "rau",  "",   "",  ""]),
    table("broker_account",      NOBODYS,  ["r",    "",     "ra",   "",   "",  ""]),
    table("lane_epoch",          LANE,     ["rau",  "r",    "r",    "r",  "r", ""]),
    table("lane_manifest",       LANE,     ["ra",   "",     "",     "r",  "r", ""]),
    table("manifest_verdict",    NOBODYS,  ["r",    "",     "",     "ra", "",  ""]),
    table("manifest_forgotten",  LANE,     ["ra",   "",     "",     "r",  "r", ""]),
    table("manifest_turn",       LANE,     ["rau",  "",     "",     "r",  "",  ""]),
    table("lane_manifest_v1",    NOBODYS,  ["r",    "",     "",     "r",  "",  ""]),
    // Customers.
    table("account",             NOBODYS,  ["r",    "raud", "",     "r",  "",  ""]),
    table("vehicle",             NOBODYS,  ["r", "r", "", "", "", ""]),
    table("tag",                 NOBODYS,  ["r", "r", "", "", "", ""]),
    table("pass",                NAMED,    ["r",    "raud", "",     "",   "",  ""]),
    table("account_state",       NOBODYS,  ["r",    "ra",   "",     "",   "",  ""]),
    table("vehicle_link",        NOBODYS,  ["r",    "rau",  "",     "r",   "",  ""]),
    table("tag_link",            NOBODYS,  ["r",    "rau",  "",     "r",   "",  ""]),
    table("instrument",          NOBODYS,  ["",     "rau",  "",     "",   "",  ""]),
    table("hold",                NOBODYS,  ["r",    "rau",  "",     "",   "",  ""]),
    table("entitlement",         NAMED,    ["r",    "",     "ra",   "",   "",  ""]),
    // Tariffs.
    table("tariff",              NAMED,    ["r",    "r",    "ra",   "r",  "r", "r"]),
    table("fare_v1",             NOBODYS,  ["r",    "r",    "r",    "r",  "r", "r"]),
    // Days.
    table("settlement_day",      NAMED,    ["rau",  "rau",  "",     "rau","r", "r"]),
    // Passages and charges.
    table("passage",             NOBODYS,  ["r", "r", "", "r", "r", ""]),
    table("charge",              NOBODYS,  ["r", "r", "", "r", "r", ""]),
    table("road_entry",          NUMBERED, ["ra", "r", "", "r", "r", ""]),
    table("trip",                NUMBERED, ["ra", "r", "", "r", "r", ""]),
    table("awaiting_entry",      NOBODYS,  ["r", "r", "", "r", "", ""]),
    table("quarantine",          NOBODYS,  ["ra", "r", "", "r", "", ""]),
    // The ledger. A customer's balance is that of no operator.
    table("ledger_account",      NAMED,    ["rau",  "rau",  "",     "rau", "r", ""]),
    table("transfer",            NOBODYS,  ["r", "r", "", "r", "r", ""]),
    table("entry_v1",            NOBODYS,  ["r",    "r",    "",     "r",  "r", ""]),
    // The account list.
    table("list_entry",          NOBODYS,  ["r",    "raud", "",     "",   "",  ""]),
    table("list_delta",          NOBODYS,  ["r",    "rau",  "",     "",   "",  ""]),
    table("list_change",         NOBODYS,  ["ra",   "raud", "",     "",   "",  ""]),
    // Settlement.
    table("statement",           NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("settlement_position", NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("settlement_cash",     NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("minutes",             NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("partner_file",        NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_file_event",  NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_record",      NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_refusal",     NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_export",      NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_decision",    NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("partner_listed",      NOBODYS,  ["",     "",     "",     "raud", "", ""]),
    table("partner_list_v1",     NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    table("partner_gap_v1",      NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    table("partner_sent_v1",     NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    table("window_change",       NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("proposal",            NAMED,    ["",     "",     "",     "ra", "",  ""]),
    table("approval",            NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("contract",            NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("bank_calendar",       NOBODYS,  ["",     "",     "",     "rad", "", "r"]),
    table("bank_weekend",        NOBODYS,  ["",     "",     "",     "rad", "", "r"]),
    table("bank_account",        NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("payment_order",       NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("payment",             NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("payment_part",        NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("payment_carry",       NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("payment_booking",     NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("payment_came_back",   NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("bank_line_unknown",   NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("payment_v1",          NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    table("job_run",             NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("settlement_case",     NAMED,    ["",     "",     "",     "ra", "r", "r"]),
    table("settlement_case_event", NOBODYS, ["",    "",     "",     "ra", "",  ""]),
    table("settlement_case_v1",  NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    // Which items are drawn for a second look is nobody's to foresee.
    table("review_item",         NAMED,    ["",     "",     "",     "ra", "",  ""]),
    table("review_round",        NOBODYS,  ["",     "",     "",     "rau", "", ""]),
    table("review_waiting",      NAMED,    ["",     "",     "",     "raud", "", ""]),
    table("review_claim",        NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("review_look",         NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("review_end",          NOBODYS,  ["",     "",     "",     "ra", "",  ""]),
    table("window_v1",           NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    // For reports. Views see what the one who asks may see.
    table("passage_v1",          NOBODYS,  ["", "r", "", "r", "r", ""]),
    table("transfer_v1",         NOBODYS,  ["", "r", "", "r", "r", ""]),
    table("balance_v1",          NOBODYS,  ["r",     "r",    "",     "r",  "",  ""]),
    table("settlement_v1",       NOBODYS,  ["",     "",     "",     "r",  "",  ""]),
    table("traffic_v1",          NOBODYS,  ["",     "",     "",     "r",  "",  "r"]),
    // Postings in narrow rows, and what stands beside them.
    table("manner",              NOBODYS,  ["ra",   "r",    "",     "r",  "r", ""]),
    table("posting_chain",       NOBODYS,  ["rau",  "",     "",     "r",  "",  ""]),
    table("posting_batch",       NOBODYS,  ["ra",   "r",    "",     "r",  "r", ""]),
    table("posting",             NUMBERED, ["ra", "r", "", "r", "r", ""]),
    table("passage_more",        NUMBERED, ["ra", "r", "", "r", "r", ""]),
    table("evidence",            NUMBERED, ["ra",   "",     "",     "r",  "r", ""]),
    table("waiting_exit",        NUMBERED, ["raud", "r", "", "r", "r", ""]),
    table("batch_sum",           NUMBERED, ["ra",   "r",    "",     "r",  "r", ""]),
    table("trip_v1",             NOBODYS,  ["",     "",     "",     "r",  "r", ""]),
    table("ledger_balance_v1",   NOBODYS,  ["r",    "r",    "",     "r",  "",  ""]),
    table("charge_basis",        NAMED,    ["ra", "r", "", "r", "r", ""]),
    table("day_spent",           NAMED,    ["rau",  "",     "",     "r",  "",  ""]),
    table("intake_partition",    NOBODYS,  ["rau",  "",     "",     "",   "",  ""]),
    table("broker_stream",       NOBODYS,  ["rau",  "rau",  "",     "",   "",  ""]),
    table("balance_change",      NOBODYS,  ["rad",  "rad",  "",     "ra", "",  ""]),
    table("directive",           NOBODYS,  ["ra", "", "ra", "", "", ""]),
    table("directive_request",   LANE,     ["r",  "", "ra", "", "", ""]),
    table("directive_decision",  NOBODYS,  ["r",  "", "ra", "", "",  ""]),
    table("directive_answer",    NOBODYS,  ["ra", "", "r",  "", "",  ""]),
    table("correction_proposal", NOBODYS,  ["", "ra", "", "r", "", ""]),
    table("correction_approval", NOBODYS,  ["", "ra", "", "r", "", ""]),
    table("api_answer",          NOBODYS,  ["", "ra", "", "", "", ""]),
    table("day_traffic",         NUMBERED, ["", "", "", "r", "r", ""]),
    table("day_counted",         NOBODYS,  ["r", "r", "", "r", "r", ""]),
    table("api_key",             NAMED,    ["", "r", "ra", "", "", ""]),
    table("api_key_revocation",  NOBODYS,  ["", "r", "ra", "", "", ""]),
    table("api_change",          NOBODYS,  ["", "ra", "", "", "", ""]),
    table("api_change_answer",   NOBODYS,  ["", "ra", "", "", "", ""]),
    table("direct_transfer",     NAMED,    ["ra",   "ra",   "",     "ra", "r", ""]),
];

/// Functions that do what only their owner may, each with who may call it.
const WITH_OWNERS_HANDS: [(&str, &str); 7] = [
    // Counts and sums, personal to nobody.
    ("traffic", "etc_authority, etc_reconciliation, etc_auditor"),
    // Makes partitions ahead.
    ("make_posting_days", "etc_intake"),
    // Gives closed days what they are searched by.
    ("file_posting_days", "etc_intake"),
    // Counts what passed on a large day.
    ("count_day", "etc_intake"),
    // Takes plates out of what reviewers read, and nothing else.
    ("erase_reviewed_plates", "etc_reconciliation"),
    // Opens the case of a trip that an account's issuer disputes.
    ("open_dispute", "etc_accounts"),
    // Tells the lanes' list of accounts that a correction touched.
    ("note_accounts_on_list", "etc_accounts, etc_reconciliation"),
];

/// What everybody has before they are given anything.
const REVOKE_ALL: &str = "revoke all on all tables in schema public from public, etc_intake, \
    etc_accounts, etc_registrar, etc_reconciliation, etc_operator, etc_authority, etc_auditor; \
    revoke all on schema public from public; \
    grant usage on schema public to etc_migrator, etc_intake, etc_accounts, etc_registrar, \
    etc_reconciliation, etc_operator, etc_authority, etc_auditor";

/// Brings the rights about.
///
/// # Errors
/// When the database fails: most often because a role of `deploy/postgresql-roles.sql` is missing,
/// or this is not the owner's role.
pub async fn apply(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::raw_sql(REVOKE_ALL).execute(&mut *tx).await?;
    let there = relations(&mut tx).await?;
    for relation in &there {
        run(&mut tx, &format!("grant select on {} to etc_auditor", relation.name)).await?;
        let listed = relation.partition_of.as_deref().unwrap_or(&relation.name);
        let Some(table) = TABLES.iter().find(|table| table.name == listed) else {
            if relation.name != MIGRATIONS {
                tracing::warn!(table = relation.name, "no role has a right to it: see rights.rs");
            }
            continue;
        };
        match relation.kind {
            Kind::View => {
                let sql = format!("alter view {} set (security_invoker = true)", table.name);
                run(&mut tx, &sql).await?;
                grant(&mut tx, table, &relation.name).await?;
            }
            Kind::Table if relation.partition_of.is_some() => {
                // Asked through its table, a partition is bound by that table's rules. By itself
                // only the one who loads it comes to it.
                grant_to(&mut tx, &relation.name, ROLES[0], table.rights[0]).await?;
            }
            Kind::Table => {
                secure(&mut tx, table).await?;
                grant(&mut tx, table, &relation.name).await?;
            }
        }
    }
    for (function, callers) in WITH_OWNERS_HANDS {
        hand_over(&mut tx, function, callers).await?;
    }
    tx.commit().await
}

/// The table of the migrations themselves, which is the migrator's alone.
pub const MIGRATIONS: &str = "_sqlx_migrations";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    View,
}

struct Relation {
    name: String,
    kind: Kind,
    partition_of: Option<String>,
}

async fn relations(tx: &mut PgConnection) -> Result<Vec<Relation>, sqlx::Error> {
    let rows = sqlx::query(
        "select c.relname::text, c.relkind = 'v', \
                (select p.relname::text from pg_inherits i join pg_class p on p.oid = i.inhparent \
                 where i.inhrelid = c.oid) \
         from pg_class c \
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') \
         order by c.relkind <> 'v', c.relname",
    )
    .fetch_all(tx)
    .await?;
    let of = |row: &sqlx::postgres::PgRow| Relation {
        name: row.get(0),
        kind: if row.get(1) { Kind::View } else { Kind::Table },
        partition_of: row.get(2),
    };
    Ok(rows.iter().map(of).collect())
}

/// Row security, where rows are of operators.
async fn secure(tx: &mut PgConnection, table: &Table) -> Result<(), sqlx::Error> {
    let Table { name, own, .. } = table;
    for policy in ["all_operators", "own"] {
        run(tx, &format!("drop policy if exists {policy} on {name}")).await?;
    }
    let Some(own) = own else {
        return run(tx, &format!("alter table {name} disable row level security")).await;
    };
    for sql in [
        format!("alter table {name} enable row level security"),
        format!("alter table {name} force row level security"),
        format!(
            "create policy all_operators on {name} to {ALL_OPERATORS} using (true) with check (true)"
        ),
        format!("create policy own on {name} for select to etc_operator using ({own})"),
    ] {
        run(tx, &sql).await?;
    }
    Ok(())
}

async fn grant(tx: &mut PgConnection, table: &Table, name: &str) -> Result<(), sqlx::Error> {
    for (role, rights) in ROLES.into_iter().zip(table.rights) {
        grant_to(tx, name, role, rights).await?;
    }
    // Whoever adds rows may take their numbers.
    let sequences: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_depend d join pg_class c on c.oid = d.objid \
         where d.refobjid = $1::regclass and c.relkind = 'S'",
    )
    .bind(name)
    .fetch_all(&mut *tx)
    .await?;
    for (role, _) in ROLES.into_iter().zip(table.rights).filter(|(_, rights)| rights.contains('a'))
    {
        for sequence in &sequences {
            run(tx, &format!("grant usage on sequence {sequence} to {role}")).await?;
        }
    }
    Ok(())
}

async fn grant_to(
    tx: &mut PgConnection,
    name: &str,
    role: &str,
    rights: &str,
) -> Result<(), sqlx::Error> {
    let privileges: Vec<_> = rights.chars().filter_map(privilege).collect();
    if privileges.is_empty() {
        return Ok(());
    }
    run(tx, &format!("grant {} on {name} to {role}", privileges.join(", "))).await
}

/// What a letter of [`Table::rights`] stands for.
#[must_use]
pub fn privilege(letter: char) -> Option<&'static str> {
    match letter {
        'r' => Some("select"),
        'a' => Some("insert"),
        'u' => Some("update"),
        'd' => Some("delete"),
        _ => None,
    }
}

/// Lets roles call a function that then does what its owner may do.
async fn hand_over(
    tx: &mut PgConnection,
    function: &str,
    callers: &str,
) -> Result<(), sqlx::Error> {
    let signatures: Vec<String> = sqlx::query_scalar(
        "select p.oid::regprocedure::text from pg_proc p \
         where p.pronamespace = 'public'::regnamespace and p.proname = $1",
    )
    .bind(function)
    .fetch_all(&mut *tx)
    .await?;
    for signature in signatures {
        for sql in [
            // What it calls is found in this schema and nowhere else.
            format!(
                "alter function {signature} security definer set search_path = public, pg_temp"
            ),
            format!("revoke all on function {signature} from public"),
            format!("grant execute on function {signature} to {callers}"),
        ] {
            run(tx, &sql).await?;
        }
    }
    Ok(())
}

/// Statements are made of names in this file and in the catalogue, never of what somebody sent.
async fn run(tx: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_stands_in_the_list_once_and_every_letter_means_something() {
        let mut names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        for table in TABLES {
            for rights in table.rights {
                assert!(rights.chars().all(|letter| privilege(letter).is_some()), "{table:?}");
            }
        }
    }

    #[test]
    fn nobody_changes_what_is_append_only_and_those_who_look_on_change_nothing() {
        for name in ["passage", "charge", "transfer", "statement", "posting", "direct_transfer"] {
            let table = TABLES.iter().find(|table| table.name == name).unwrap();
            assert!(table.rights.iter().all(|rights| !rights.contains(['u', 'd'])), "{table:?}");
        }
        for table in TABLES {
            assert!(
                table.rights[4..].iter().all(|rights| matches!(*rights, "" | "r")),
                "{table:?}"
            );
        }
    }
}
