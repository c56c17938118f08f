-- How people want lanes to work, asked from pages. The clearing house, which alone has the centre's key,
-- makes a directive of what was asked; what stops a lane
-- from serving, or has it serve again, takes a second person first.

create table directive_request (
    request   bigint generated always as identity primary key,
    lane      text not null references lane,
    mode      text not null check (mode in ('automatic', 'attended', 'etc-only', 'closed', 'maintenance')),
    reason    text not null check (length(reason) between 1 and 500),
    asked_by  text not null check (asked_by <> ''),
    asked_at  timestamptz not null,
    -- What stops a lane from serving, and what has one serve again that was stopped.
    takes_two boolean not null check (takes_two or mode not in ('closed', 'maintenance')),
    constraint directive_request_of unique (request, asked_by)
);
-- The newest of a lane.
create index directive_request_by_lane on directive_request (lane, request);

-- Another one agrees; whoever asked may take it back.
create table directive_decision (
    request    bigint not null,
    asked_by   text not null,
    decided_by text not null check (decided_by <> ''),
    decided_at timestamptz not null,
    agrees     boolean not null,
    constraint directive_decided_once primary key (request),
    constraint decision_of_request foreign key (request, asked_by)
        references directive_request (request, asked_by),
    constraint two_people_direct check (not agrees or decided_by <> asked_by)
);

-- The directive that was made of a request; none where the clearing house came to it too late.
create table directive_answer (
    request     bigint primary key references directive_request,
    version     bigint check (version > 0),
    answered_at timestamptz not null
);

create trigger directive_request_is_append_only before update or delete or truncate on directive_request
    for each statement execute function refuse_change();
create trigger directive_decision_is_append_only before update or delete or truncate on directive_decision
    for each statement execute function refuse_change();
create trigger directive_answer_is_append_only before update or delete or truncate on directive_answer
    for each statement execute function refuse_change();

-- Who proposed a key of the API that another one made: what moves money is nobody's to make alone from a page.
alter table api_key add column proposed_by text
    check (proposed_by ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    add constraint two_people_make_a_key check (proposed_by <> made_by);

-- The second person of an order that takes two: neither of them looks again at what they did.
alter table passage_more add column second text;
