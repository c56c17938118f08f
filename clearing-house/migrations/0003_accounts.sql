-- Traffic accounts: who owned which vehicle and tag when, how accounts are paid into, locked and closed.
--
-- A link says that something belonged to something from an instant on, until another. Links are
-- only ever begun now and ended now: a row is inserted open, and ended once. So whoever asks later
-- who owned a tag at some past instant gets the answer that held then. Plates and tags are personal
-- data.

-- What became of an account, and who asked for it.
create table account_state (
    account_state bigint generated always as identity primary key,
    account       bigint not null references account,
    state         text not null check (state in ('open', 'blocked', 'closed', 'not-converted')),
    since         timestamptz not null,
    requested_by  text not null check (requested_by in ('owner', 'issuer', 'authority')),
    actor         text not null,
    reason        text not null
);
create index account_state_of_account on account_state (account);

-- A vehicle belongs to one account at a time.
create table vehicle_link (
    vehicle_link  bigint generated always as identity primary key,
    plate         text not null,
    account       bigint not null references account,
    vehicle_group smallint not null check (vehicle_group between 1 and 20),
    exempt        boolean not null default false,
    valid_from    timestamptz not null,
    valid_until   timestamptz check (valid_until >= valid_from)
);
create unique index one_account_per_vehicle on vehicle_link (plate) where valid_until is null;
create index vehicle_link_of_plate on vehicle_link (plate, valid_from);
create index vehicle_link_of_account on vehicle_link (account);

-- A tag is on one vehicle at a time, and a vehicle has one tag at a time.
create table tag_link (
    tag_link    bigint generated always as identity primary key,
    tag         bytea not null check (length(tag) between 2 and 62),
    plate       text not null,
    valid_from  timestamptz not null,
    valid_until timestamptz check (valid_until >= valid_from)
);
create unique index one_vehicle_per_tag on tag_link (tag) where valid_until is null;
create unique index one_tag_per_vehicle on tag_link (plate) where valid_until is null;
create index tag_link_of_tag on tag_link (tag, valid_from);
create index tag_link_of_plate on tag_link (plate, valid_from);

-- One means of payment at a time. What identifies it at the issuer, never a card's number.
create table instrument (
    instrument  bigint generated always as identity primary key,
    account     bigint not null references account,
    kind        text not null check (kind in ('bank-account', 'card', 'wallet')),
    token       text not null check (length(token) between 1 and 200),
    valid_from  timestamptz not null,
    valid_until timestamptz check (valid_until >= valid_from)
);
create unique index one_instrument_per_account on instrument (account) where valid_until is null;
create index instrument_of_account on instrument (account, valid_from);

create function refuse_rewriting() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.valid_until is null and new.valid_until is not null
       and to_jsonb(old) - 'valid_until' = to_jsonb(new) - 'valid_until' then
        return new;
    end if;
    raise exception 'a % is begun once and ended once, never rewritten', tg_table_name
        using errcode = 'restrict_violation';
end $$;

-- A link begins open, and never before the end of another of the same key: the arguments.
-- Planned anew each time: a plan made for an empty table must not be kept for a full one.
create function refuse_overlap() returns trigger language plpgsql as $$
declare
    refused boolean;
    key     text;
begin
    execute 'select exists (select from added where valid_until is not null)' into refused;
    foreach key in array tg_argv loop
        if not refused then
            execute format('select exists (select from added a join %1$I o on o.%2$I = a.%2$I and o.%1$I <> a.%1$I '
                           'and coalesce(o.valid_until, ''infinity'') > a.valid_from)', tg_table_name, key)
            into refused;
        end if;
    end loop;
    if refused then
        raise exception 'a % begins open, and not before the end of the one before it', tg_table_name
            using errcode = 'restrict_violation';
    end if;
    return null;
end $$;

create trigger vehicle_link_is_history before update or delete on vehicle_link
    for each row execute function refuse_rewriting();
create trigger tag_link_is_history before update or delete on tag_link
    for each row execute function refuse_rewriting();
create trigger instrument_is_history before update or delete on instrument
    for each row execute function refuse_rewriting();
create trigger vehicle_links_follow_each_other after insert on vehicle_link
    referencing new table as added for each statement execute function refuse_overlap('plate');
create trigger tag_links_follow_each_other after insert on tag_link
    referencing new table as added for each statement execute function refuse_overlap('tag', 'plate');
create trigger instruments_follow_each_other after insert on instrument
    referencing new table as added for each statement execute function refuse_overlap('account');
create trigger account_state_is_append_only before update or delete or truncate on account_state
    for each statement execute function refuse_change();

-- What belongs to what now.
create view vehicle with (security_invoker = true) as
select plate, account, vehicle_group, exempt, valid_from as linked_at from vehicle_link where valid_until is null;
create view tag with (security_invoker = true) as
select tag, plate, valid_from as linked_at from tag_link where valid_until is null;

create table pass (
    pass        bigint generated always as identity primary key,
    plate       text not null,
    operator    text not null,
    station     text not null,
    valid_from  timestamptz not null,
    valid_until timestamptz not null check (valid_until > valid_from),
    foreign key (operator, station) references station,
    constraint pass_once unique (plate, operator, station, valid_from)
);

-- Money set aside from an account's balance. The ledger holds it in its issuer's account `held`,
-- whose balance is the sum of the open holds.
create table hold (
    hold        bigint generated always as identity primary key,
    account     bigint not null references account,
    amount      bigint not null check (amount > 0),
    reference   text not null unique,
    reason      text not null,
    placed_at   timestamptz not null,
    released_at timestamptz check (released_at >= placed_at)
);
create index open_hold on hold (account) where released_at is null;

create function refuse_rewriting_hold() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.released_at is null and new.released_at is not null
       and to_jsonb(old) - 'released_at' = to_jsonb(new) - 'released_at' then
        return new;
    end if;
    raise exception 'a hold is placed once and released once, never rewritten' using errcode = 'restrict_violation';
end $$;
create trigger hold_is_history before update or delete on hold
    for each row execute function refuse_rewriting_hold();

-- Which of the broker's streams the centre has filled, by when they were made: a broker that lost its
-- disk has others.
create table broker_stream (
    stream  text primary key,
    made_at timestamptz not null
);

-- What the HTTP API answered to a request that moves money, by its caller and idempotency key. The
-- request itself is kept as a digest.
create table api_answer (
    caller      text not null,
    key         text not null,
    request     bytea not null check (length(request) = 32),
    answered_at timestamptz not null,
    status      smallint not null,
    body        text not null,
    primary key (caller, key)
);
