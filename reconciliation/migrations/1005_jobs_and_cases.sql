-- What the scheduler has done, and the cases that finance works on.

-- Each job once: its key says for what. A row is written when the job has ended well, in no other case.
create table job_run (
    job      text not null,
    key      text not null,
    ended_at timestamptz not null,
    outcome  text not null,
    constraint each_job_once primary key (job, key)
);
create trigger job_run_is_append_only before update or delete or truncate on job_run
    for each statement execute function refuse_change();

-- A case: something that does not add up, with both sides' records, and who sees to it until when.
create table settlement_case (
    code      text primary key,
    kind      text not null check (kind in ('hole', 'unproven', 'only-ours', 'only-theirs', 'amount-differs',
                                            'class-differs', 'duplicate', 'bank-short', 'bank-returned', 'dispute')),
    operator  text not null references operator,
    day       date not null,
    -- What it is about: one case for each.
    subject   text not null,
    ours      text,
    theirs    text,
    -- How much money hangs on it.
    amount    bigint not null check (amount >= 0),
    opened_at timestamptz not null,
    opened_by text not null,
    due_at    timestamptz not null,
    constraint one_case_for_each unique (kind, operator, subject)
);
create sequence settlement_case_number owned by settlement_case.code;

-- What happened to a case, in order.
create table settlement_case_event (
    code     text not null references settlement_case,
    place    int not null check (place > 0),
    state    text not null check (state in ('open', 'proposed', 'settled')),
    at       timestamptz not null,
    actor    text not null check (actor = 'program' or actor ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    -- Who sees to it from here on.
    owner    text,
    note     text not null check (length(note) between 1 and 2000),
    -- The outcome that is proposed or settled, as JSON; its maker, who may not settle it.
    outcome  text,
    maker    text,
    constraint one_event_at_a_place primary key (code, place),
    constraint settled_by_another check (state <> 'settled' or (maker is not null and actor <> maker)),
    check ((state = 'open') = (outcome is null))
);
create unique index case_settled_once on settlement_case_event (code) where state = 'settled';

create trigger settlement_case_is_append_only before update or delete or truncate on settlement_case
    for each statement execute function refuse_change();
create trigger settlement_case_event_is_append_only
    before update or delete or truncate on settlement_case_event
    for each statement execute function refuse_change();

create view settlement_case_v1 as
select c.code, c.kind, c.operator, c.day, c.subject, c.ours, c.theirs, c.amount, c.opened_at, c.due_at,
       coalesce(e.state, 'open') as state, o.owner, e.outcome, e.at as changed_at
from settlement_case c
left join lateral (select * from settlement_case_event x where x.code = c.code
                   order by x.place desc limit 1) e on true
left join lateral (select owner from settlement_case_event x where x.code = c.code and x.owner is not null
                   order by x.place desc limit 1) o on true;
