-- The books of the clearing house.
--
-- Facts and results are rows that are never changed: a passage is what a lane wrote, a charge is
-- what it was found to cost, a transfer moves money between two ledger accounts. Only balances,
-- watermarks and lists, which can all be recomputed from those rows, are updated in place.

-- Who and where ------------------------------------------------------------------------------

create table operator (
    operator  text primary key,
    name      text not null,
    currency  char(3) not null,
    zone      text not null,
    cut_off   text not null,
    fee_share numeric(9, 6) not null check (fee_share >= 0 and fee_share < 1)
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
    primary key (lane, epoch),
    constraint lane_epoch_journal unique (lane, journal)
);

-- Customers ----------------------------------------------------------------------------------

create table account (
    account   bigint primary key check (account > 0),
    issuer    text not null references issuer,
    state     text not null check (state in ('open', 'blocked', 'closed', 'not-converted')),
    opened_at timestamptz not null
);

-- Tariffs ------------------------------------------------------------------------------------

create table tariff (
    operator   text not null references operator,
    version    text not null,
    currency   char(3) not null,
    valid_from timestamptz not null,
    source     text not null,
    primary key (operator, version),
    constraint one_tariff_at_a_time unique (operator, valid_from)
);

create table fare (
    operator      text not null,
    version       text not null,
    entry         text,
    station       text not null,
    vehicle_group smallint not null,
    amount        bigint not null check (amount >= 0),
    foreign key (operator, version) references tariff
);
create unique index one_fare on fare (operator, version, coalesce(entry, ''), station, vehicle_group);

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

-- Passages and charges -----------------------------------------------------------------------

create table passage (
    lane          text not null references lane,
    epoch         int not null,
    seq           bigint not null check (seq > 0),
    content_hash  bytea not null check (length(content_hash) = 32),
    payload       bytea not null,
    signature     bytea not null check (length(signature) = 64),
    received_at   timestamptz not null,
    -- Taken from the payload so that people can ask for them; absent where it cannot be read.
    at            timestamptz,
    role          text,
    tag           bytea,
    plate         text,
    vehicle_group smallint,
    exception     text,
    decision      text,
    attendant     text,
    reason        text,
    payment       text,
    list_version  bigint,
    status_seen   text,
    fare          bigint,
    primary key (lane, epoch, seq),
    foreign key (lane, epoch) references lane_epoch
);
-- The desk and finance ask by time; a block-range index costs the posting nearly nothing.
create index passage_by_time on passage using brin (at);

-- One row for each passage that is decided; a passage without one is pending.
create table charge (
    lane        text not null,
    epoch       int not null,
    seq         bigint not null,
    disposition text not null check (disposition in ('posted', 'invalid', 'not-posted', 'too-old',
                                                     'format-error', 'not-on-file', 'system-error')),
    why         text,
    operator    text not null,
    day         date not null,
    account     bigint references account,
    payer       text not null check (payer in ('account', 'cash', 'nobody')),
    amount      bigint not null check (amount >= 0),
    tariff      text,
    entry       text,
    late        boolean not null,
    rated_at    timestamptz not null,
    primary key (lane, epoch, seq),
    foreign key (lane, epoch, seq) references passage,
    foreign key (operator, day) references settlement_day,
    check ((payer = 'account') = (account is not null)),
    check (payer <> 'nobody' or amount = 0)
);

-- Entries onto entry/exit roads, by the vehicle they are of; a trip joins one to its exit.
create table road_entry (
    lane    text not null,
    epoch   int not null,
    seq     bigint not null,
    road    text not null,
    station text not null,
    vehicle text not null,
    at      timestamptz not null,
    primary key (lane, epoch, seq),
    foreign key (lane, epoch, seq) references passage
);
create index road_entry_of_vehicle on road_entry (road, vehicle, at);

create table trip (
    exit_lane   text not null,
    exit_epoch  int not null,
    exit_seq    bigint not null,
    entry_lane  text not null,
    entry_epoch int not null,
    entry_seq   bigint not null,
    primary key (exit_lane, exit_epoch, exit_seq),
    foreign key (exit_lane, exit_epoch, exit_seq) references passage,
    foreign key (entry_lane, entry_epoch, entry_seq) references road_entry,
    constraint one_trip_per_entry unique (entry_lane, entry_epoch, entry_seq)
);

-- Exits that wait for their entry; a row goes when its charge comes.
create table awaiting_entry (
    lane  text not null,
    epoch int not null,
    seq   bigint not null,
    until timestamptz not null,
    primary key (lane, epoch, seq),
    foreign key (lane, epoch, seq) references passage
);

-- What could not be taken, with its bytes and why; nothing is ever dropped.
create table quarantine (
    quarantine  bigint generated always as identity primary key,
    received_at timestamptz not null,
    subject     text not null,
    message_id  text,
    payload     bytea not null,
    signature   text,
    reason      text not null
);
-- A message that comes again and again is kept once.
create unique index quarantine_once on quarantine (subject, reason, sha256(payload));

-- The ledger ---------------------------------------------------------------------------------

-- Balances are credits less debits: what is owed to the one the account stands for.
create table ledger_account (
    ledger_account bigint generated always as identity primary key,
    kind           text not null check (kind in ('customer', 'payable', 'bank', 'fee', 'till', 'cash-toll', 'held')),
    issuer         text references issuer,
    operator       text references operator,
    account        bigint references account,
    balance        bigint not null default 0,
    check ((kind = 'customer') = (account is not null)),
    check ((kind in ('payable', 'till', 'cash-toll')) = (operator is not null)),
    check ((kind in ('customer', 'payable', 'bank', 'fee', 'held')) = (issuer is not null))
) with (fillfactor = 75); -- room for the new balance on the same page
create unique index ledger_account_of_customer on ledger_account (account) where account is not null;
create unique index ledger_account_of_system
    on ledger_account (kind, coalesce(issuer, ''), coalesce(operator, '')) where account is null;

create table transfer (
    transfer  bigint generated always as identity primary key,
    kind      text not null check (kind in ('toll', 'cash-toll', 'top-up', 'fee', 'reversal', 'hold', 'release', 'refund')),
    debit     bigint not null references ledger_account,
    credit    bigint not null references ledger_account,
    amount    bigint not null check (amount > 0),
    operator  text,
    day       date not null,
    posted_at timestamptz not null,
    lane      text,
    epoch     int,
    seq       bigint,
    reference text,
    check (debit <> credit),
    check ((kind in ('toll', 'cash-toll')) = (seq is not null)),
    foreign key (lane, epoch, seq) references charge
);
-- Exactly once: a passage is paid for once, an outside reference is taken once.
create unique index one_transfer_per_passage on transfer (lane, epoch, seq) where seq is not null and kind <> 'reversal';
create unique index one_transfer_per_reference on transfer (kind, reference) where reference is not null;

-- Every transfer as its two entries.
create view entry_v1 as
select transfer, debit as ledger_account, -amount as amount, kind, operator, day, posted_at from transfer
union all
select transfer, credit, amount, kind, operator, day, posted_at from transfer;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: a correction is a new row', tg_table_name
        using errcode = 'restrict_violation';
end $$;

create trigger passage_is_append_only before update or delete or truncate on passage
    for each statement execute function refuse_change();
create trigger charge_is_append_only before update or delete or truncate on charge
    for each statement execute function refuse_change();
create trigger transfer_is_append_only before update or delete or truncate on transfer
    for each statement execute function refuse_change();

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
       coalesce(c.disposition, 'pending') as disposition, c.why, c.day, c.account, c.payer,
       c.amount, c.tariff, c.entry, c.late, c.rated_at
from passage p
join lane l using (lane)
left join charge c using (lane, epoch, seq);

create view transfer_v1 as
select transfer, kind, debit, credit, amount, operator, day, posted_at, lane, epoch, seq, reference
from transfer;

create view balance_v1 as
select a.account, a.issuer, a.state, l.ledger_account, l.balance
from account a join ledger_account l on l.account = a.account;
