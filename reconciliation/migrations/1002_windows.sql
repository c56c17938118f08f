-- Windows: the life of an operator's settlement day after its cut-off, and the two people behind it.
--
-- `settlement_day` says whether a day takes postings, which is all that posting needs to know. What
-- becomes of it afterwards is here, in rows that are only added. The rules are told in
-- `reconciliation/src/window/mod.rs`; the triggers below hold everybody else to them too.

create table window_change (
    operator   text not null,
    day        date not null,
    place      int not null check (place > 0),
    state      text not null check (state in ('closing', 'closed', 'approved', 'paid', 'matched')),
    changed_at timestamptz not null,
    -- A person, or the program itself.
    actor      text not null check (actor = 'program' or actor ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    reason     text,
    constraint one_change_at_a_place primary key (operator, day, place),
    foreign key (operator, day) references settlement_day
);

create function follow_window() returns trigger language plpgsql as $$
declare
    before window_change;
begin
    select * into before from window_change w
    where w.operator = new.operator and w.day = new.day order by w.place desc limit 1;
    if new.place <> coalesce(before.place, 0) + 1
       or (coalesce(before.state, 'open'), new.state) not in (
           ('open', 'closing'), ('closing', 'closed'), ('closed', 'approved'), ('approved', 'paid'),
           ('paid', 'approved'), ('paid', 'matched'), ('matched', 'approved')) then
        raise exception 'window % of % cannot become % after %', new.day, new.operator, new.state,
            coalesce(before.state, 'open') using errcode = 'restrict_violation';
    end if;
    if new.state = 'closing' and not exists (
           select from settlement_day d where d.operator = new.operator and d.day = new.day and d.state = 'closed')
       or new.state = 'closed' and not exists (
           select from statement s where s.operator = new.operator and s.day = new.day)
       or new.state = 'approved' and not exists (
           select from proposal p join approval a using (proposal)
           where p.kind = 'settlement' and p.operator = new.operator and p.day = new.day) then
        raise exception 'window % of % lacks what makes it %', new.day, new.operator, new.state
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger window_change_follows before insert on window_change
    for each row execute function follow_window();
create trigger window_change_is_append_only before update or delete or truncate on window_change
    for each statement execute function refuse_change();

-- What one person proposes, as it was shown.
create table proposal (
    proposal    bigint generated always as identity primary key,
    kind        text not null check (kind in ('settlement', 'incomplete-day', 'month', 'year')),
    operator    text not null,
    day         date not null,
    content     text not null,
    digest      bytea not null check (digest = sha256(convert_to(content, 'UTF8'))),
    proposed_by text not null check (proposed_by ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    proposed_at timestamptz not null,
    constraint proposed_once unique (kind, operator, day, digest),
    constraint proposal_by unique (proposal, proposed_by),
    foreign key (operator, day) references settlement_day
);

-- And another one approves: never the same, whoever writes the row.
create table approval (
    proposal    bigint not null,
    proposed_by text not null,
    approved_by text not null check (approved_by ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    approved_at timestamptz not null,
    constraint approved_once primary key (proposal),
    constraint approval_of_proposal foreign key (proposal, proposed_by)
        references proposal (proposal, proposed_by),
    constraint two_people check (approved_by <> proposed_by)
);
create trigger proposal_is_append_only before update or delete or truncate on proposal
    for each statement execute function refuse_change();
create trigger approval_is_append_only before update or delete or truncate on approval
    for each statement execute function refuse_change();

-- Adjustments: corrections of tolls that were posted before. Figures have a sign from here on,
-- because more may be taken back on a quiet day than was driven.
alter table statement
    add column adjustment bigint not null default 0,
    add column vat bigint not null default 0,
    drop constraint statement_fee_check,
    drop constraint statement_net_check,
    drop constraint statement_check,
    add constraint statement_adds_up check (net = gross + adjustment - fee - vat);
alter table settlement_position
    add column adjustment bigint not null default 0,
    add column vat bigint not null default 0,
    drop constraint settlement_position_passages_check,
    drop constraint settlement_position_fee_check,
    drop constraint settlement_position_net_check,
    drop constraint settlement_position_check,
    add constraint settlement_position_passages_check check (passages >= 0),
    add constraint settlement_position_adds_up check (net = gross + adjustment - fee - vat);
alter table settlement_cash add column adjustment bigint not null default 0;

-- Closed is closed for corrections too, whoever posts them. The row of the day is held, as posting
-- holds it, so that a close waits for them.
create function refuse_into_closed_day() returns trigger language plpgsql as $$
begin
    if 'closed' = (select d.state from settlement_day d
                   where d.operator = new.operator and d.day = new.day for share) then
        raise exception 'settlement day % of % is closed', new.day, new.operator
            using errcode = 'restrict_violation', constraint = 'day_takes_postings';
    end if;
    return new;
end $$;
create trigger direct_transfer_into_open_day before insert on direct_transfer
    for each row when (new.kind in ('reversal', 'repost', 'adjustment') and new.operator is not null)
    execute function refuse_into_closed_day();

-- Every window with its state now.
create view window_v1 as
select d.operator, d.day, coalesce(w.state, d.state) as state, coalesce(w.changed_at, d.closed_at) as changed_at,
       w.actor, w.reason, p.proposed_by, p.proposed_at, a.approved_by, a.approved_at
from settlement_day d
left join lateral (select * from window_change c where c.operator = d.operator and c.day = d.day
                   order by c.place desc limit 1) w on true
left join proposal p on p.kind = 'settlement' and p.operator = d.operator and p.day = d.day
left join approval a on a.proposal = p.proposal;

-- For reports: every day with charges. A stated day shows its statement's figures; another what it
-- would come to if nothing more were posted, on the operator's general terms.
drop view settlement_v1;
create view settlement_v1 as
select d.operator, d.day, coalesce(w.state, d.state) as state, s.gross, s.cash, s.fee, s.net, s.passages,
       d.closed_at, d.early_reason, s.adjustment, s.vat
from settlement_day d
join statement s on s.operator = d.operator and s.day = d.day and s.revision = 1
left join lateral (select state from window_change c where c.operator = d.operator and c.day = d.day
                   order by c.place desc limit 1) w on true
union all
select d.operator, d.day, case d.state when 'closed' then 'closing' else d.state end,
       sum(i.gross)::bigint, sum(i.cash)::bigint, sum(i.fee)::bigint,
       (sum(i.gross) - sum(i.fee))::bigint, sum(i.passages)::bigint, d.closed_at, d.early_reason, 0, 0
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
where not exists (select from statement s where s.operator = d.operator and s.day = d.day)
group by d.operator, d.day, d.state, d.closed_at, d.early_reason;
