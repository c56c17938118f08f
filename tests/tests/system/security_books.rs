//! Who may do what in the books: the rights that are written down are the rights there are, and no
//! operator sees another's rows.

use std::collections::{BTreeMap, BTreeSet};

use clearing_house::config::Database;
use clearing_house::intake::Books;
use clearing_house::ledger::{Remainder, TransferId, approve, correct_in_tx, propose};
use clearing_house::rights::{self, MIGRATIONS, ROLES, TABLES};
use clearing_house::sql::connect;
use domain::Clock;
use simulator::demo::database::Role;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use tests::lane::{Lane, vehicle};
use tests::office::{Office, POLICY, noon};

async fn as_role(office: &Office, role: Role) -> PgPool {
    connect(&Database::at(office.url_for(role))).await.unwrap()
}

async fn as_operator(office: &Office, operator: &str) -> PgPool {
    let mut database = Database::at(office.url_for(Role::Operator));
    database.operator = Some(operator.parse().unwrap());
    connect(&database).await.unwrap()
}

async fn secured() -> Office {
    let office = Office::open().await;
    rights::apply(&office.pool).await.unwrap();
    office
}

/// What the catalogue says of each role and relation: partitions are their table's.
async fn granted(office: &Office) -> BTreeMap<(String, String), BTreeSet<String>> {
    let rows = sqlx::query(
        "select c.relname::text, a.grantee::regrole::text, lower(a.privilege_type)
         from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
           and not c.relispartition and a.grantee <> c.relowner and a.grantee <> 0",
    )
    .fetch_all(&office.pool)
    .await
    .unwrap();
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in rows {
        found.entry((row.get(0), row.get(1))).or_default().insert(row.get(2));
    }
    found
}

async fn relations(office: &Office) -> Vec<String> {
    office
        .texts(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace
             and relkind in ('r', 'p', 'v') and not relispartition order by 1",
        )
        .await
}

#[tokio::test]
async fn the_rights_there_are_are_the_rights_that_are_written_down() {
    let office = secured().await;
    let there = relations(&office).await;
    let known: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    let unknown: Vec<_> =
        there.iter().filter(|name| *name != MIGRATIONS && !known.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "tables without a line in rights.rs: {unknown:?}");

    let mut meant: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for name in &there {
        let read = BTreeSet::from(["select".to_owned()]);
        meant.insert((name.clone(), "etc_auditor".to_owned()), read);
        let Some(table) = TABLES.iter().find(|table| table.name == name) else { continue };
        for (role, letters) in ROLES.into_iter().zip(table.rights) {
            let privileges = letters.chars().filter_map(rights::privilege).map(str::to_owned);
            let privileges: BTreeSet<_> = privileges.collect();
            if !privileges.is_empty() {
                meant.insert((name.clone(), role.to_owned()), privileges);
            }
        }
    }
    assert_eq!(granted(&office).await, meant);
    let everybody = office
        .number(
            "select count(*) from pg_class c, aclexplode(c.relacl) a where a.grantee = 0
             and c.relnamespace = 'public'::regnamespace",
        )
        .await;
    assert_eq!(everybody, 0, "something is granted to everybody");
    let powerful = office
        .texts(
            "select rolname::text from pg_roles where rolname like 'etc\\_%'
                and (rolsuper or rolcreaterole or rolcreatedb or rolreplication)",
        )
        .await;
    assert!(powerful.is_empty(), "{powerful:?}");
}

#[tokio::test]
async fn a_right_too_many_and_a_table_that_nobody_wrote_down_are_found() {
    let office = secured().await;
    let before = granted(&office).await;
    sqlx::raw_sql("grant update on lane_key to etc_intake; create table forgotten (operator text)")
        .execute(&office.pool)
        .await
        .unwrap();
    assert_ne!(granted(&office).await, before);
    assert!(relations(&office).await.contains(&"forgotten".to_owned()));
    rights::apply(&office.pool).await.unwrap();
    let intake = ("lane_key".to_owned(), "etc_intake".to_owned());
    assert_eq!(granted(&office).await[&intake], before[&intake], "what is too much is taken away");
}

/// Columns by which a row is an operator's.
const OF_AN_OPERATOR: &str = "('operator', 'operator_no', 'lane', 'exit_lane')";

#[tokio::test]
async fn row_security_is_forced_on_every_table_whose_rows_are_of_an_operator() {
    let office = secured().await;
    let sql = format!(
        "select distinct c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname in {OF_AN_OPERATOR}
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and not c.relispartition and not (c.relrowsecurity and c.relforcerowsecurity)"
    );
    let open: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&office.pool).await.unwrap();
    assert!(open.is_empty(), "rows of operators without row security: {open:?}");
    let seen_by_owner = office
        .texts(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace
             and relkind = 'v' and not coalesce(reloptions @> '{security_invoker=true}', false)",
        )
        .await;
    assert_eq!(
        seen_by_owner,
        Vec::<String>::new(),
        "views that show what the one who asks may not see"
    );
}

/// Writes one row of each operator into a table, whatever its columns are.
async fn fill(office: &Office, table: &str) {
    let columns = sqlx::query(
        "select a.attname::text, format_type(a.atttypid, null), a.attidentity = 'a'
         from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0
           and not a.attisdropped and a.attgenerated = ''",
    )
    .bind(table)
    .fetch_all(&office.pool)
    .await
    .unwrap();
    for (n, operator) in ["aaa", "bbb"].into_iter().enumerate() {
        let n = n + 900;
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in &columns {
            let (name, kind): (String, String) = (column.get(0), column.get(1));
            values.push(match (name.as_str(), kind.as_str()) {
                ("operator", _) => format!("'{operator}'"),
                ("lane" | "exit_lane", _) => format!("'{operator}/s/l1'"),
                (_, "date") => "'2026-03-02'".to_owned(),
                (_, "timestamp with time zone") => {
                    format!("'2026-03-02'::timestamptz + interval '{n} h'")
                }
                (_, "bytea") => format!("'\\x{n:08x}'"),
                (_, "boolean") => "false".to_owned(),
                (_, "uuid") => format!("'00000000-0000-0000-0000-{n:012}'"),
                (_, "jsonb") => "'{}'".to_owned(),
                (_, kind) if kind.ends_with("[]") => "'{}'".to_owned(),
                (_, "text" | "character" | "character varying") => format!("'{n}'"),
                (_, _) => n.to_string(),
            });
            names.push(name);
        }
        let sql = format!(
            "insert into {table} ({}) overriding system value values ({})",
            names.join(", "),
            values.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(&office.pool).await.expect(&sql);
    }
}

/// Takes away what keeps made-up rows out: references, checks and triggers.
const WITHOUT_RULES: &str = "do $$ declare c record; begin
    for c in select conrelid::regclass as t, conname from pg_constraint
             where connamespace = 'public'::regnamespace and contype in ('c', 'f')
               and conparentid = 0 and coninhcount = 0 order by contype desc
    loop execute format('alter table %s drop constraint if exists %I', c.t, c.conname); end loop;
    for c in select tgrelid::regclass as t, tgname from pg_trigger where not tgisinternal
               and tgparentid = 0
    loop execute format('drop trigger if exists %I on %s', c.tgname, c.t); end loop;
end $$";

#[tokio::test]
async fn an_operator_sees_its_own_rows_and_nothing_of_another() {
    let office = secured().await;
    sqlx::raw_sql(WITHOUT_RULES).execute(&office.pool).await.unwrap();
    let there = relations(&office).await;
    let tables: Vec<_> = TABLES
        .iter()
        .filter(|table| table.own.is_some() && there.iter().any(|name| name == table.name))
        .collect();
    for table in &tables {
        let is_table: bool =
            sqlx::query_scalar("select relkind <> 'v' from pg_class where oid = $1::regclass")
                .bind(table.name)
                .fetch_one(&office.pool)
                .await
                .unwrap();
        if is_table {
            fill(&office, table.name).await;
        }
    }
    let [a, b, nobody] = [
        as_operator(&office, "aaa").await,
        as_operator(&office, "bbb").await,
        as_role(&office, Role::Operator).await,
    ];
    let mut looked = 0;
    for table in tables.iter().filter(|table| table.rights[4] == "r") {
        let own = table.own.unwrap();
        let strangers = format!(
            "select count(*) filter (where {own}), count(*) filter (where ({own}) is not true) from {}",
            table.name
        );
        for pool in [&a, &b] {
            let row = sqlx::query(AssertSqlSafe(strangers.as_str())).fetch_one(pool).await.unwrap();
            let (mine, others): (i64, i64) = (row.get(0), row.get(1));
            assert_eq!((mine > 0, others), (true, 0), "{}", table.name);
        }
        let all = AssertSqlSafe(format!("select count(*) from {}", table.name));
        let unnamed: i64 = sqlx::query_scalar(all).fetch_one(&nobody).await.unwrap();
        assert_eq!(unnamed, 0, "{}: rows for nobody in particular", table.name);
        looked += 1;
    }
    assert!(looked > 10, "only {looked} tables were looked at");
}

#[tokio::test]
async fn no_role_rewrites_history_and_those_who_look_on_write_nothing() {
    let office = secured().await;
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let passage = lane.pass(&vehicle(1), "2026-03-02T05:00:00Z");
    office.books().await.post(&[passage], noon()).await.unwrap();
    for role in Role::ALL {
        if role == Role::Migrator {
            continue;
        }
        let pool = as_role(&office, role).await;
        for statement in [
            "delete from passage",
            "update charge set amount = 0",
            "update transfer set amount = 1",
            "truncate transfer",
            "delete from statement",
            "create table mine (x int)",
            "drop table transfer",
            "alter table transfer disable trigger all",
            "alter table passage disable row level security",
        ] {
            let refused = sqlx::raw_sql(statement).execute(&pool).await;
            assert!(refused.is_err(), "{role:?} may {statement}");
        }
    }
    for role in [Role::Operator, Role::Authority, Role::Auditor] {
        let pool = as_role(&office, role).await;
        let tx = sqlx::raw_sql(
            "begin; set transaction read write; insert into issuer values ('x', 'x')",
        )
        .execute(&pool)
        .await;
        assert!(tx.is_err(), "{role:?} writes");
    }
}

#[tokio::test]
async fn each_role_does_its_work_with_the_rights_it_has() {
    let office = secured().await;
    let intake = as_role(&office, Role::Intake).await;
    let books = Books::open(intake, POLICY, Clock::system()).await.unwrap();
    let mut lane = Lane::new("cienco4/ben-thuy/l01");
    let passages: Vec<_> = (1..4).map(|n| lane.pass(&vehicle(n), "2026-03-02T05:00:00Z")).collect();
    let outcome = books.post(&passages, noon()).await.unwrap();
    assert_eq!((outcome.fresh, outcome.refused), (3, 0));

    let accounts = as_role(&office, Role::Accounts).await;
    let amount = domain::Amount::try_new(50_000).unwrap();
    clearing_house::account::top_up(
        &accounts,
        domain::AccountId::new(1001),
        amount,
        "a reference",
        POLICY,
        noon(),
    )
    .await
    .unwrap();
    let tolls = office
        .texts("select transfer::text from transfer_v1 where kind = 'toll' order by transfer")
        .await;
    let toll = |place: usize| TransferId::new(tolls[place].parse().unwrap());
    let (day, at) = ("2026-03-02".parse().unwrap(), noon());
    let nothing = domain::Amount::ZERO;
    let proposal =
        propose(&accounts, (toll(0), nothing), "not his", "centre", None, at).await.unwrap();
    approve(&accounts, proposal, day, "checker", at).await.unwrap();
    let reconciliation = as_role(&office, Role::Reconciliation).await;
    let mut tx = reconciliation.begin().await.unwrap();
    correct_in_tx(&mut tx, toll(1), Remainder::Nothing, day, at).await.unwrap();
    tx.commit().await.unwrap();
    let authority = as_role(&office, Role::Authority).await;
    let counted: i64 = sqlx::query_scalar("select sum(passages)::int8 from traffic_v1")
        .fetch_one(&authority)
        .await
        .unwrap();
    assert_eq!(counted, 3);
    assert!(sqlx::query("select plate from passage_v1").fetch_all(&authority).await.is_err());

    let own = as_operator(&office, "cienco4").await;
    let seen: i64 =
        sqlx::query_scalar("select count(*) from passage_v1").fetch_one(&own).await.unwrap();
    assert_eq!(seen, 3);
    let other = as_operator(&office, "vec").await;
    let seen: i64 =
        sqlx::query_scalar("select count(*) from passage_v1").fetch_one(&other).await.unwrap();
    assert_eq!(seen, 0);

    let auditor = as_role(&office, Role::Auditor).await;
    let centre = tests::office::centre_key().public();
    let proof =
        clearing_house::verify::verify(&auditor, centre, POLICY, &mut |_, _| ()).await.unwrap();
    assert!(proof.ok, "{proof:?}");
}
