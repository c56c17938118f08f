-- The books of the clearing house.
--
-- Facts and results are rows that are never changed: a passage is what a lane wrote, a charge is
-- what it was found to cost, a transfer moves money between two ledger accounts. Only balances,
-- watermarks and lists, which can all be recomputed from those rows, are updated in place. Why the
-- rows look as they do: docs/decisions/0017-posting.md.

-- Who and where ------------------------------------------------------------------------------

create table operator (
    operator  text primary key,
    name      text not null,
    currency  char(3) not null,
    zone      text not null,
    cut_off   text not null,
    fee_share numeric(9, 6) not null check (fee_share >= 0 and fee_share < 1),
    -- Its short name in the rows of which there are billions, and what they are kept apart by.
    operator_no int generated always as identity unique
);

create table issuer (
    issuer text primary key,
    name   text not null
);

create table station (
    operator text not null references operator,
    station  text not null,
    name     text not null,
    kind     text not null check (kind in ('open', 'entry-exit')),
    road     text check ((kind = 'entry-exit') = (road is not null)),
    primary key (operator, station)
);

create table lane (
    lane     text primary key,
    operator text not null,
    station  text not null,
    role     text not null check (role in ('open', 'entry', 'exit')),
    foreign key (operator, station) references station
);

-- Which key signs for a lane, and from when to when.
create table lane_key (
    lane        text not null references lane,
    public_key  bytea not null check (length(public_key) = 32),
    valid_from  timestamptz not null,
    valid_until timestamptz,
    -- Ended because it may be in wrong hands: nothing that comes after the end is believed, whenever
    -- it says that it was written.
    revoked     boolean not null default false check (not revoked or valid_until is not null),
    primary key (lane, valid_from)
);

-- One row for each journal a lane has ever had. `posted_upto` is the watermark of its receipts.
create table lane_epoch (
    lane        text not null references lane,
    epoch       int not null check (epoch > 0),
    journal     bytea not null check (length(journal) = 32),
    opened_at   timestamptz not null,
    posted_upto bigint not null default 0,
    duplicates  bigint not null default 0,
    -- Its short name where every byte counts.
    journal_no  int generated always as identity unique,
    -- The highest sequence that is stored: whatever lies beyond it is new without a look.
    last_seq    bigint not null default 0,
    -- What is stored at the watermark, as `posting.digest` has it: a lane that has another record
    -- under that number has put back an old journal.
    posted_digest uuid,
    primary key (lane, epoch),
    constraint lane_epoch_journal unique (lane, journal),
    check (posted_upto <= last_seq)
) with (fillfactor = 50); -- updated with every batch, on its own page

-- Customers ----------------------------------------------------------------------------------

create table account (
    account   bigint primary key check (account > 0),
    issuer    text not null references issuer,
    state     text not null check (state in ('open', 'blocked', 'closed', 'not-converted')),
    opened_at timestamptz not null,
    -- Below this balance its owner wants to be told; the centre's threshold where absent.
    low_below bigint
);
create index account_with_own_threshold on account (account) where low_below is not null;

-- Settlement days: a posting falls into a day that is open now. --------------------------------

create table settlement_day (
    operator     text not null references operator,
    day          date not null,
    state        text not null default 'open' check (state in ('open', 'closed')),
    closed_at    timestamptz,
    early_reason text,
    primary key (operator, day),
    check ((state = 'closed') = (closed_at is not null))
);

-- Passages, charges and tolls ------------------------------------------------------------------
--
-- Three facts about one passage, in one row: what the lane wrote, what it was found to cost, and
-- the transfer that pays for it. There are billions of these rows, so words are numbers that stand
-- for them, what few passages have is kept beside, and there are no references to check: `verify`
-- checks them all. The views `passage`, `charge` and `transfer` show the three facts in words.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: a correction is a new row', tg_table_name
        using errcode = 'restrict_violation';
end $$;

-- Everything about a passage that has few values, once for each combination there has ever been.
-- Without a disposition: an exit that waits for its entry.
create table manner (
    manner        int generated always as identity primary key,
    role          text,
    vehicle_group smallint,
    exception     text,
    decision      text,
    reason        text,
    payment       text,
    disposition   text check (disposition in ('posted', 'duplicate', 'invalid', 'not-posted', 'too-old',
                                              'format-error', 'not-on-file', 'system-error')),
    why           text,
    payer         text not null check (payer in ('account', 'cash', 'nobody')),
    late          boolean not null,
    tariff        text,
    -- Whether the lane showed the fare that was charged, another (`passage_more`), or none.
    fare_shown    text not null check (fare_shown in ('same', 'other', 'none')),
    constraint one_manner unique nulls not distinct (role, vehicle_group, exception, decision, reason,
        payment, disposition, why, payer, late, tariff, fare_shown)
);

-- Batches: what one transaction of the intake wrote. Batches are chained, so that a row that was
-- changed, added or taken out afterwards is found; as many chains as there were writers at a time.
create table posting_chain (
    chain int generated always as identity primary key,
    head  bytea not null default '\x' check (length(head) in (0, 32)),
    place bigint not null default 0
);

create table posting_batch (
    batch     int generated always as identity primary key,
    chain     int not null references posting_chain,
    place     bigint not null check (place > 0),
    posted_at timestamptz not null,
    passages  int not null check (passages >= 0),
    amount    bigint not null check (amount >= 0),
    -- Over the hash before it in the chain and every row of the batch.
    hash      bytea not null check (length(hash) = 32),
    constraint one_batch_at_a_place unique (chain, place)
);

-- Columns by falling size, so that none is padded. A toll of nothing has no transfer: debit and
-- credit are then 0. One partition for each settlement day, made ahead by the service.
create table posting (
    amount      bigint not null,
    at          timestamptz not null,
    -- The first half of the SHA-256 of what the lane signed.
    digest      uuid not null,
    journal_no  int not null,
    seq         int not null,
    batch       int not null,
    manner      int not null,
    debit       int not null,
    credit      int not null,
    operator_no int not null,
    day         date not null,
    -- Empty where there is none.
    tag         bytea not null,
    plate       text not null,
    constraint posting_seq check (seq > 0),
    constraint posting_has_two_legs check (amount >= 0 and (amount > 0) = (debit > 0)
        and (amount > 0) = (credit > 0) and (amount = 0 or debit <> credit))
) partition by list (day);

-- A net: what belongs to a day that nobody made a partition for.
create table posting_other_day partition of posting default;

-- What a day's partition has and the partitioned table cannot hand down.
create function dress_posting_day(partition text) returns void language plpgsql as $$
begin
    -- Exactly once.
    execute format('create unique index %I on %I (journal_no, seq)', partition || '_once', partition);
    -- The desk and finance ask by time; a block-range index costs the posting nearly nothing.
    execute format('create index %I on %I using brin (at) with (pages_per_range = 32, autosummarize = on)',
                   partition || '_by_time', partition);
    execute format('create trigger posting_is_append_only before update or delete or truncate on %I
                    for each statement execute function refuse_change()', partition);
end $$;
select dress_posting_day('posting_other_day');
create trigger posting_is_append_only before update or delete or truncate on posting
    for each statement execute function refuse_change();

-- Makes the partitions of these days that are not there yet; says how many. A day of which there
-- are rows in the net already stays there.
create function make_posting_days(first date, last date) returns int
language plpgsql as $$
declare
    made int := 0;
    one date;
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('make_posting_days'));
    for one in select d::date from generate_series(first, last, interval '1 day') d loop
        name := 'posting_' || to_char(one, 'YYYY_MM_DD');
        if to_regclass(name) is null and not exists (select from posting_other_day where day = one) then
            execute format('create table %I (like posting including defaults including constraints)', name);
            perform dress_posting_day(name);
            -- The check spares the attaching a look at every row.
            execute format('alter table posting attach partition %I for values in (%L)', name, one);
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

-- What few passages have.
create table passage_more (
    journal_no     int not null,
    seq            int not null,
    operator_no    int not null,
    -- The batch it came with, where it was charged in a later one.
    received_batch int,
    attendant      text,
    fare           bigint,
    primary key (journal_no, seq)
);

-- The exact bytes with their signatures, as proof: blocks of one operator's passages of one batch
-- in the order of (journal_no, seq), from the first one named. Each passage in a block is: journal
-- and sequence and length of the bytes, 4 bytes each, big-endian; the signature, 64 bytes; the bytes.
create table evidence (
    batch         int not null,
    operator_no   int not null,
    first_journal int not null,
    first_seq     int not null,
    block         bytea not null,
    primary key (batch, operator_no, first_journal, first_seq)
);

-- Entries onto entry/exit roads, by the vehicle they are of; a trip joins one to its exit.
create table road_entry (
    journal_no  int not null,
    seq         int not null,
    operator_no int not null,
    road        text not null,
    station     text not null,
    vehicle     text not null,
    at          timestamptz not null,
    primary key (journal_no, seq)
);
create index road_entry_of_vehicle on road_entry (road, vehicle, at);

create table trip (
    exit_journal  int not null,
    exit_seq      int not null,
    operator_no   int not null,
    entry_journal int not null,
    entry_seq     int not null,
    primary key (exit_journal, exit_seq),
    constraint one_trip_per_entry unique (entry_journal, entry_seq)
);

-- Exits that wait for their entry; a row goes when it becomes a posting.
create table waiting_exit (
    journal_no  int not null,
    seq         int not null,
    operator_no int not null,
    batch       int not null,
    manner      int not null references manner,
    until       timestamptz not null,
    at          timestamptz not null,
    digest      uuid not null,
    tag         bytea not null,
    plate       text not null,
    -- What it is rated by, again, when its entry comes.
    payload     bytea not null,
    signature   bytea not null,
    primary key (journal_no, seq)
);
create index waiting_exit_by_time on waiting_exit (until);

-- What could not be taken, with its bytes and why; nothing is ever dropped.
create table quarantine (
    quarantine  bigint generated always as identity primary key,
    received_at timestamptz not null,
    subject     text not null,
    message_id  text,
    payload     bytea not null,
    signature   text,
    reason      text not null,
    -- Which passage it is, where its lane signed it.
    journal_no  int,
    seq         bigint
);
-- A message that comes again and again is kept once.
create unique index quarantine_once on quarantine (subject, reason, sha256(payload));
create index quarantine_of_journal on quarantine (journal_no, seq) where journal_no is not null;

-- The ledger ---------------------------------------------------------------------------------

-- Balances are credits less debits: what is owed to the one the account stands for. A customer's is
-- exact. The others are hot: what batches add to them is in `balance_change` until it is folded in.
create table ledger_account (
    ledger_account bigint generated always as identity primary key check (ledger_account < 2147483648),
    kind           text not null check (kind in ('customer', 'payable', 'bank', 'fee', 'till', 'cash-toll',
                                                 'suspense', 'write-off', 'held')),
    issuer         text references issuer,
    operator       text references operator,
    account        bigint references account,
    balance        bigint not null default 0,
    -- How far it may be overdrawn; without a bound where a lane may let through what is not paid for.
    overdraft_max  bigint check (overdraft_max >= 0),
    check ((kind = 'customer') = (account is not null)),
    check ((kind in ('payable', 'till', 'cash-toll')) = (operator is not null)),
    check ((kind in ('customer', 'payable', 'bank', 'fee', 'suspense', 'write-off', 'held')) = (issuer is not null)),
    constraint not_overdrawn check (balance >= -overdraft_max)
) with (fillfactor = 75); -- room for the new balance on the same page
create unique index ledger_account_of_customer on ledger_account (account) where account is not null;
create unique index ledger_account_of_system
    on ledger_account (kind, coalesce(issuer, ''), coalesce(operator, '')) where account is null;

-- What is not folded into the balance of a hot account yet. Rows go when they are.
create table balance_change (
    ledger_account bigint not null,
    amount         bigint not null
);

-- What each batch moved on each hot account, by settlement day: what a day comes to without a look
-- at its passages.
create table batch_sum (
    batch          int not null,
    ledger_account bigint not null,
    day            date not null,
    operator_no    int not null,
    passages       int not null,
    amount         bigint not null,
    primary key (batch, ledger_account, day)
);
create index batch_sum_of_day on batch_sum (operator_no, day);

-- Transfers that no passage makes by itself. Their numbers stay below those of tolls, which are
-- made of journal and sequence.
create table direct_transfer (
    transfer   bigint generated always as identity primary key check (transfer < 4294967296),
    kind       text not null check (kind in ('top-up', 'refund', 'fee', 'reversal', 'repost',
                                                     'adjustment', 'hold', 'release')),
    debit      bigint not null references ledger_account,
    credit     bigint not null references ledger_account,
    amount     bigint not null check (amount > 0),
    operator   text references operator,
    day        date not null,
    posted_at  timestamptz not null,
    journal_no int,
    seq        int,
    reference  text,
    -- The transfer that this one undoes, or stands for.
    original   bigint,
    check (debit <> credit),
    check ((kind in ('reversal', 'repost')) = (original is not null))
);
-- Exactly once: an outside reference is taken once, a transfer is undone once and made again once.
create unique index one_transfer_per_reference on direct_transfer (kind, reference) where reference is not null;
create unique index one_reversal_per_transfer on direct_transfer (kind, original) where original is not null;
create index direct_transfer_by_debit on direct_transfer (debit);
create index direct_transfer_by_credit on direct_transfer (credit);
create index direct_transfer_of_day on direct_transfer (day);

-- Adds to balances in the order of the accounts, so that two writers never wait for each other,
-- and gives back those that crossed one of the marks, or have marks of their own. The settings keep
-- the order.
create function add_to_balances(ids bigint[], changes bigint[], marks bigint[])
returns table (account bigint, before bigint, after bigint)
language sql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
as $$
    with changed as (
        update ledger_account l set balance = l.balance + c.change
        from unnest(ids, changes) as c (id, change)
        where l.ledger_account = c.id
        returning l.account, l.balance - c.change as before, l.balance as after)
    select account, before, after from changed
    where account is not null
      and (marks is null or width_bucket(before, marks) <> width_bucket(after, marks)
           or exists (select from account a where a.account = changed.account and a.low_below is not null))
$$;

-- Folds what batches added to hot accounts into their balances; says how many rows it took.
create function fold_balances() returns bigint language sql as $$
    with taken as (delete from balance_change returning ledger_account, amount),
    sums as (select ledger_account, sum(amount)::bigint as amount, count(*) as n from taken group by 1 order by 1),
    folded as (update ledger_account l set balance = l.balance + s.amount from sums s
               where l.ledger_account = s.ledger_account returning s.n)
    select coalesce(sum(n), 0)::bigint from folded
$$;

create trigger manner_is_append_only before update or delete or truncate on manner
    for each statement execute function refuse_change();
create trigger posting_batch_is_append_only before update or delete or truncate on posting_batch
    for each statement execute function refuse_change();
create trigger batch_sum_is_append_only before update or delete or truncate on batch_sum
    for each statement execute function refuse_change();
create trigger passage_more_is_append_only before update or delete or truncate on passage_more
    for each statement execute function refuse_change();
create trigger evidence_is_append_only before update or delete or truncate on evidence
    for each statement execute function refuse_change();
create trigger trip_is_append_only before update or delete or truncate on trip
    for each statement execute function refuse_change();
create trigger direct_transfer_is_append_only before update or delete or truncate on direct_transfer
    for each statement execute function refuse_change();

-- The three facts in words. References are outer joins to unique keys: what is not asked for is not
-- looked up.
create view passage as
select e.lane, e.epoch, p.seq::bigint as seq, p.digest, r.posted_at as received_at,
       case when o.decision is not null then p.at end as at, o.role, nullif(p.tag, ''::bytea) as tag,
       nullif(p.plate, '') as plate, o.vehicle_group, o.exception, o.decision, m.attendant, o.reason,
       o.payment, case o.fare_shown when 'same' then p.amount when 'other' then m.fare end as fare, p.batch
from (select journal_no, seq, digest, at, tag, plate, manner, amount, batch from posting
      union all
      select journal_no, seq, digest, at, tag, plate, manner, 0, batch from waiting_exit) p
left join lane_epoch e on e.journal_no = p.journal_no
left join manner o on o.manner = p.manner
left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq
left join posting_batch r on r.batch = coalesce(m.received_batch, p.batch);

create view charge as
select e.lane, e.epoch, p.seq::bigint as seq, o.disposition, o.why, w.operator, p.day, d.account, o.payer,
       p.amount, o.tariff, i.lane || ':' || i.epoch || ':' || t.entry_seq as entry, o.late,
       b.posted_at as rated_at
from posting p
left join lane_epoch e on e.journal_no = p.journal_no
left join operator w on w.operator_no = p.operator_no
left join manner o on o.manner = p.manner
left join posting_batch b on b.batch = p.batch
left join ledger_account d on d.ledger_account = p.debit
left join trip t on t.exit_journal = p.journal_no and t.exit_seq = p.seq
left join lane_epoch i on i.journal_no = t.entry_journal;

create view awaiting_entry as
select e.lane, e.epoch, a.seq::bigint as seq, a.until
from waiting_exit a left join lane_epoch e on e.journal_no = a.journal_no;

create view transfer as
select (p.journal_no::bigint << 32) + p.seq as transfer,
       case o.payer when 'cash' then 'cash-toll' else 'toll' end as kind, p.debit::bigint as debit,
       p.credit::bigint as credit, p.amount, w.operator, p.day, b.posted_at, e.lane, e.epoch,
       p.seq::bigint as seq, null::text as reference, null::bigint as original
from posting p
left join lane_epoch e on e.journal_no = p.journal_no
left join operator w on w.operator_no = p.operator_no
left join manner o on o.manner = p.manner
left join posting_batch b on b.batch = p.batch
where p.amount > 0
union all
select t.transfer, t.kind, t.debit, t.credit, t.amount, t.operator, t.day, t.posted_at, e.lane, e.epoch,
       t.seq::bigint, t.reference, t.original
from direct_transfer t
left join lane_epoch e on e.journal_no = t.journal_no;

-- Every transfer as its two entries.
create view entry_v1 as
select t.transfer, l.ledger_account, l.amount, t.kind, t.operator, t.day, t.posted_at
from transfer t
cross join lateral (values (t.debit, -t.amount), (t.credit, t.amount)) as l (ledger_account, amount);

-- Every ledger account with its balance as it is now.
create view ledger_balance_v1 as
select l.ledger_account, l.kind, l.issuer, l.operator, l.account,
       (l.balance + coalesce(c.amount, 0))::bigint as balance
from ledger_account l
left join (select ledger_account, sum(amount) as amount from balance_change group by 1) c using (ledger_account);

-- The account list ---------------------------------------------------------------------------

-- What the lanes have been told of each tag.
create table list_entry (
    tag     bytea primary key,
    entry   text not null,
    version bigint not null
);

create table list_delta (
    version      bigint primary key,
    payload      bytea not null,
    signature    text not null,
    issued_at    timestamptz not null,
    published_at timestamptz
);

-- Tags of which something may have changed that lanes must know: written in the transaction that
-- changed it, taken by the publisher.
create table list_change (
    list_change bigint generated always as identity primary key,
    tag         bytea not null
);

-- For reports ----------------------------------------------------------------------------------

create view passage_v1 as
select p.lane, l.operator, l.station, split_part(p.lane, '/', 3) as lane_name, p.epoch, p.seq, p.at,
       p.received_at, p.role, encode(p.tag, 'hex') as tag, p.plate, p.vehicle_group, p.exception,
       p.decision, p.attendant, p.reason, p.payment, p.fare,
       coalesce(p.disposition, 'pending') as disposition, p.why, p.day, p.account, p.payer,
       p.charged as amount, p.tariff, p.entry, p.late, p.rated_at
from (
    select e.lane, e.epoch, p.seq::bigint as seq, r.posted_at as received_at,
           case when o.decision is not null then p.at end as at, o.role, nullif(p.tag, ''::bytea) as tag,
           nullif(p.plate, '') as plate, o.vehicle_group, o.exception, o.decision, m.attendant, o.reason,
           o.payment, case o.fare_shown when 'same' then p.amount when 'other' then m.fare end as fare,
           o.disposition, o.why, p.day, d.account,
           case when p.decided then o.payer end as payer, case when p.decided then p.amount end as charged,
           o.tariff, i.lane || ':' || i.epoch || ':' || t.entry_seq as entry,
           case when p.decided then o.late end as late,
           case when p.decided then b.posted_at end as rated_at
    from (select journal_no, seq, at, tag, plate, manner, amount, batch, day, debit, true as decided
          from posting
          union all
          select journal_no, seq, at, tag, plate, manner, 0, batch, null, 0, false from waiting_exit) p
    left join lane_epoch e on e.journal_no = p.journal_no
    left join manner o on o.manner = p.manner
    left join passage_more m on m.journal_no = p.journal_no and m.seq = p.seq
    left join posting_batch b on b.batch = p.batch
    left join posting_batch r on r.batch = coalesce(m.received_batch, p.batch)
    left join ledger_account d on d.ledger_account = p.debit
    left join trip t on t.exit_journal = p.journal_no and t.exit_seq = p.seq
    left join lane_epoch i on i.journal_no = t.entry_journal
) p
join lane l on l.lane = p.lane;

create view trip_v1 as
select x.lane as exit_lane, x.epoch as exit_epoch, t.exit_seq, i.lane as entry_lane,
       i.epoch as entry_epoch, t.entry_seq
from trip t
left join lane_epoch x on x.journal_no = t.exit_journal
left join lane_epoch i on i.journal_no = t.entry_journal;

create view transfer_v1 as
select transfer, kind, debit, credit, amount, operator, day, posted_at, lane, epoch, seq, reference
from transfer;

create view balance_v1 as
select a.account, a.issuer, a.state, l.ledger_account, l.balance
from account a join ledger_account l on l.account = a.account;
