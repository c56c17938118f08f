-- Settlement: what a closed day came to, and what was said about it.
--
-- Versions from 1001 on belong to reconciliation; the books (0001…) belong to the clearing house
-- and must be there first. Everything here is written once, in the transaction that closes the
-- day, and never changed: a correction is a new row of a later day.

-- One statement per operator and day: the exact text that was signed.
create table statement (
    operator  text not null,
    day       date not null,
    revision  int not null check (revision > 0),
    canonical text not null,
    digest    bytea not null check (length(digest) = 32),
    signature bytea not null check (length(signature) = 64),
    issued_at timestamptz not null,
    passages  bigint not null check (passages >= 0),
    gross     bigint not null check (gross >= 0),
    fee       bigint not null check (fee >= 0),
    net       bigint not null check (net >= 0),
    cash      bigint not null check (cash >= 0),
    primary key (operator, day, revision),
    foreign key (operator, day) references settlement_day,
    check (net = gross - fee)
);

-- What each issuer owes the operator for the day.
create table settlement_position (
    operator text not null,
    day      date not null,
    issuer   text not null references issuer,
    passages bigint not null check (passages > 0),
    gross    bigint not null check (gross >= 0),
    fee      bigint not null check (fee >= 0),
    net      bigint not null check (net >= 0),
    primary key (operator, day, issuer),
    foreign key (operator, day) references settlement_day,
    check (net = gross - fee)
);

-- What the operator took in cash: shown, and with the operator already.
create table settlement_cash (
    operator text not null,
    day      date not null,
    passages bigint not null check (passages >= 0),
    amount   bigint not null check (amount >= 0),
    primary key (operator, day),
    foreign key (operator, day) references settlement_day
);

create trigger statement_is_append_only before update or delete or truncate on statement
    for each statement execute function refuse_change();
create trigger settlement_position_is_append_only
    before update or delete or truncate on settlement_position
    for each statement execute function refuse_change();
create trigger settlement_cash_is_append_only before update or delete or truncate on settlement_cash
    for each statement execute function refuse_change();

-- Closed is closed.
create function refuse_reopening() returns trigger language plpgsql as $$
begin
    raise exception 'settlement day % of % is closed', old.day, old.operator
        using errcode = 'restrict_violation';
end $$;
create trigger closed_is_closed before update on settlement_day
    for each row when (old.state = 'closed' and old is distinct from new)
    execute function refuse_reopening();
create trigger closed_is_kept before delete on settlement_day
    for each row when (old.state = 'closed') execute function refuse_reopening();

-- For reports: every day with charges. A closed day shows its statement's figures; an open one
-- what it would come to if nothing more were posted.
create view settlement_v1 as
select d.operator, d.day, d.state, s.gross, s.cash, s.fee, s.net, s.passages, d.closed_at,
       d.early_reason
from settlement_day d
join statement s on s.operator = d.operator and s.day = d.day and s.revision = 1
union all
select d.operator, d.day, d.state, sum(i.gross)::bigint, sum(i.cash)::bigint, sum(i.fee)::bigint,
       (sum(i.gross) - sum(i.fee))::bigint, sum(i.passages)::bigint, d.closed_at, d.early_reason
from settlement_day d
join operator o using (operator)
join lateral (
    select coalesce(sum(c.amount) filter (where c.payer = 'account'), 0) as gross,
           coalesce(sum(c.amount) filter (where c.payer = 'cash'), 0) as cash,
           coalesce(round(sum(c.amount) filter (where c.payer = 'account') * o.fee_share), 0) as fee,
           count(*) filter (where c.payer <> 'nobody') as passages
    from charge c
    left join account a on a.account = c.account
    where c.operator = d.operator and c.day = d.day and c.disposition = 'posted'
    group by a.issuer
) i on true
where d.state = 'open'
group by d.operator, d.day, d.state, d.closed_at, d.early_reason;
