-- The keys of those who use the HTTP API, and what they changed by it.

-- A key as it was given: its token was shown once and is here as a digest only. A partner changes
-- keys by getting a second one under the same name before the first is revoked.
create table api_key (
    api_key     bigint generated always as identity primary key,
    name        text not null check (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    sha256      bytea not null check (length(sha256) = 32),
    role        text not null check (role in ('issuer', 'operator', 'auditor', 'centre')),
    issuer      text references issuer,
    operator    text references operator,
    made_by     text not null check (made_by ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    made_at     timestamptz not null,
    -- Until before when it opens; until it is revoked where absent.
    valid_until timestamptz,
    check ((role = 'issuer') = (issuer is not null)),
    check ((role = 'operator') = (operator is not null)),
    constraint valid_for_a_while check (valid_until > made_at)
);
-- By what a request shows.
create unique index api_key_by_digest on api_key (sha256);

-- A revoked key opens nothing from then on.
create table api_key_revocation (
    api_key    bigint primary key references api_key,
    revoked_by text not null check (revoked_by ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    revoked_at timestamptz not null,
    reason     text not null check (length(reason) between 1 and 500)
);

-- What a caller asked to be changed: written before anything is done, so that nothing is done
-- unwritten. Of the request a digest; what it changed is in the books under the caller's name.
create table api_change (
    api_change bigint generated always as identity primary key,
    at         timestamptz not null,
    api_key    bigint not null references api_key,
    caller     text not null,
    method     text not null,
    path       text not null,
    request    bytea not null check (length(request) = 32)
);
-- And how it was answered; without a row the process ended before the answer.
create table api_change_answer (
    api_change bigint primary key references api_change,
    status     smallint not null
);

create trigger api_key_is_append_only before update or delete or truncate on api_key
    for each statement execute function refuse_change();
create trigger api_key_revocation_is_append_only before update or delete or truncate on api_key_revocation
    for each statement execute function refuse_change();
create trigger api_change_is_append_only before update or delete or truncate on api_change
    for each statement execute function refuse_change();
create trigger api_change_answer_is_append_only before update or delete or truncate on api_change_answer
    for each statement execute function refuse_change();

-- Finding passages by vehicle ------------------------------------------------------------------
--
-- A day that takes postings has only what costs the posting nearly nothing: for each stretch of
-- pages a filter that says which tags and plates are not in it. Once a day is closed, a B-tree is
-- made in one go and sorted, which costs a fraction of adding row by row. Accounts have none:
-- whoever pays is found by the tags and plates that were ever theirs.

create function dress_for_search(partition text) returns void language plpgsql as $$
begin
    execute format('create index if not exists %I on %I using brin
                        (tag bytea_bloom_ops (n_distinct_per_range = 1200, false_positive_rate = 0.005),
                         plate text_bloom_ops (n_distinct_per_range = 200, false_positive_rate = 0.005))
                    with (pages_per_range = 16, autosummarize = on)', partition || '_vehicles', partition);
end $$;

-- As before, and with the filter.
create or replace function dress_posting_day(partition text) returns void language plpgsql as $$
begin
    -- Exactly once.
    execute format('create unique index %I on %I (journal_no, seq)', partition || '_once', partition);
    -- The desk and finance ask by time; a block-range index costs the posting nearly nothing.
    execute format('create index %I on %I using brin (at) with (pages_per_range = 32, autosummarize = on)',
                   partition || '_by_time', partition);
    perform dress_for_search(partition);
    execute format('create trigger posting_is_append_only before update or delete or truncate on %I
                    for each statement execute function refuse_change()', partition);
end $$;
do $$
declare
    partition text;
begin
    for partition in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
                     where i.inhparent = 'posting'::regclass loop
        perform dress_for_search(partition);
    end loop;
end $$;

-- Gives days that take no more postings their B-trees; says how many it gave. At most so many at a
-- time, so that nobody waits long.
create function file_posting_days(most int) returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    filed int := 0;
    one date;
    name text;
begin
    for one in select d.day from settlement_day d group by d.day
               having bool_and(d.state = 'closed') order by d.day loop
        name := 'posting_' || to_char(one, 'YYYY_MM_DD');
        continue when to_regclass(name) is null or to_regclass(name || '_by_tag') is not null;
        exit when filed >= most;
        execute format('create index %I on %I (tag) where tag <> ''''', name || '_by_tag', name);
        execute format('create index %I on %I (plate) where plate <> ''''', name || '_by_plate', name);
        filed := filed + 1;
    end loop;
    return filed;
end $$;

-- The postings of some tags and plates that somebody paid for, or all where nobody is asked for: day by
-- day as the days are given, until there are enough. A day at a time is planned for its own partition;
-- all at once would be planned for every one. Of the first day all are given, because those before a
-- page's place do not count.
create function postings_of(days date[], tags bytea[], plates text[], most int, pays bigint)
returns setof posting language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare
    one date;
    found int := 0;
    n int;
begin
    foreach one in array days loop
        return query select * from posting p
            where p.day = one and ((p.tag <> '' and p.tag = any(tags))
                                   or (p.plate <> '' and p.plate = any(plates)))
              and (pays is null or p.debit = pays);
        get diagnostics n = row_count;
        found := found + case when one = days[1] then 0 else n end;
        exit when found >= most;
    end loop;
end $$;

-- What passed, in quarters of an hour ------------------------------------------------------------
--
-- Counted again and again while a day takes postings, in the background, and once more when it is
-- closed: whoever looks at a day reads some thousand rows and not a million. Derived from the
-- postings, which are only added to; so a count only grows, and can be made again.

create table day_traffic (
    day         date not null,
    operator_no int not null,
    journal_no  int not null,
    manner      int not null,
    quarter     timestamptz not null,
    passages    bigint not null,
    amount      bigint not null,
    primary key (day, journal_no, manner, quarter)
) with (fillfactor = 80);

-- Which days are counted, as of when; a final count is that of a closed day.
create table day_counted (
    day        date primary key,
    counted_at timestamptz not null,
    is_final   boolean not null
);

-- Counts a day, if it is large: of a small one everybody may ask the postings themselves. Says
-- whether it did.
create function count_day(of_day date, large_from_bytes bigint, at timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp
set plan_cache_mode = force_custom_plan as $$
declare
    partition regclass := to_regclass('posting_' || to_char(of_day, 'YYYY_MM_DD'));
    closed boolean;
begin
    if partition is null or pg_relation_size(partition) < large_from_bytes then
        return false;
    end if;
    -- Before the count: what is posted after it is seen by the next.
    select bool_and(d.state = 'closed') into closed from settlement_day d where d.day = of_day;
    insert into day_traffic (day, operator_no, journal_no, manner, quarter, passages, amount)
    select p.day, p.operator_no, p.journal_no, p.manner,
           date_bin('15 minutes', p.at, 'epoch'::timestamptz) as quarter, count(*), sum(p.amount)
    from posting p where p.day = of_day
    group by p.day, p.operator_no, p.journal_no, p.manner, quarter
    on conflict (day, journal_no, manner, quarter)
        do update set passages = excluded.passages, amount = excluded.amount
        where day_traffic.passages <> excluded.passages;
    insert into day_counted (day, counted_at, is_final) values (of_day, at, coalesce(closed, false))
    on conflict (day) do update set counted_at = excluded.counted_at, is_final = excluded.is_final;
    return true;
end $$;

-- Traffic of a day by quarter of an hour: as it was counted, or from its postings where nobody has.
create function traffic_of_day(of_day date) returns table (
    operator_no int, journal_no int, manner int, quarter timestamptz, passages bigint, amount bigint)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
begin
    if exists (select from day_counted c where c.day = of_day) then
        return query select t.operator_no, t.journal_no, t.manner, t.quarter, t.passages, t.amount
                     from day_traffic t where t.day = of_day;
    else
        return query select p.operator_no, p.journal_no, p.manner,
                            date_bin('15 minutes', p.at, 'epoch'::timestamptz) as q, count(*),
                            sum(p.amount)::bigint
                     from posting p where p.day = of_day
                     group by p.operator_no, p.journal_no, p.manner, q;
    end if;
end $$;

-- Corrections are few among top-ups: all of them in their order, and those of a passage's toll.
create index direct_transfer_that_corrects on direct_transfer (transfer)
    where kind in ('reversal', 'repost', 'adjustment');
create index direct_transfer_of_passage on direct_transfer (journal_no, seq) where journal_no is not null;
