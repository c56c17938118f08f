-- Image review: passages that a person has to look at again, and what people saw on their pictures.
--
-- An item is a passage with the causes for which it is looked at; a look is one reviewer's answer,
-- the end what all looks came to. These are never changed. `review_waiting` is the queue: a row goes
-- when its item has ended. Why: docs/decisions/0036-image-review.md.

create table review_item (
    item       bigint generated always as identity primary key,
    lane       text not null references lane,
    epoch      int not null,
    seq        bigint not null,
    operator   text not null references operator,
    station    text not null,
    day        date not null,
    causes     text[] not null check (cardinality(causes) > 0),
    -- Who answered at the lane, and so may not look at it here.
    attendant  text,
    -- Drawn: a second reviewer looks whatever the first one says.
    is_sampled boolean not null,
    found_at   timestamptz not null,
    constraint one_item_for_each_passage unique (lane, epoch, seq)
);
-- How many were found of late.
create index review_item_by_time on review_item using brin (found_at);

-- Up to when passages were looked through; of a closed day once more, and then never again.
create table review_round (
    day         date primary key,
    searched_at timestamptz not null,
    is_final    boolean not null
);

create table review_waiting (
    item          bigint primary key references review_item,
    operator      text not null references operator,
    station       text not null,
    -- Since when it waits for its next look: whoever waits longest comes first.
    since         timestamptz not null,
    claimed_by    text,
    claimed_until timestamptz,
    check ((claimed_by is null) = (claimed_until is null))
) with (fillfactor = 70);
-- The longest waiting first.
create index review_waiting_by_time on review_waiting (since, item);

-- Who had an item before them, and until when.
create table review_claim (
    item       bigint not null references review_item,
    place      int not null check (place > 0),
    reviewer   text not null check (reviewer ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    claimed_at timestamptz not null,
    until      timestamptz not null check (until > claimed_at),
    constraint one_claim_at_a_place primary key (item, place)
);

create table review_look (
    item          bigint not null references review_item,
    place         int not null check (place between 1 and 3),
    reviewer      text not null check (reviewer ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    claimed_at    timestamptz not null,
    looked_at     timestamptz not null,
    answer        text not null check (answer in ('read', 'unreadable', 'rejected')),
    -- What was read. Personal data.
    plate         text,
    vehicle_group smallint check (vehicle_group between 1 and 20),
    -- Of the closed catalogue, by its number.
    reason        smallint,
    note          text check (length(note) between 1 and 200),
    constraint one_look_at_a_place primary key (item, place),
    constraint nobody_looks_twice unique (item, reviewer),
    check ((answer = 'read') = (plate is not null)),
    check ((answer = 'read') = (vehicle_group is not null)),
    check ((answer = 'read') = (reason is null)),
    check ((note is not null) = (reason is not null and reason = 99))
);
-- What each reviewer did of late.
create index review_look_by_time on review_look (looked_at);

create table review_end (
    item      bigint primary key references review_item,
    ended_at  timestamptz not null,
    outcome   text not null check (outcome in ('confirmed', 'differs', 'unreadable', 'rejected', 'split')),
    -- The case that finance settles, where the books may have to change.
    case_code text references settlement_case,
    check ((case_code is not null) = (outcome in ('differs', 'rejected', 'split')))
);

create trigger review_item_is_append_only before update or delete or truncate on review_item
    for each statement execute function refuse_change();
create trigger review_claim_is_append_only before update or delete or truncate on review_claim
    for each statement execute function refuse_change();
create trigger review_look_is_append_only before update or delete or truncate on review_look
    for each statement execute function refuse_change();
create trigger review_end_is_append_only before update or delete or truncate on review_end
    for each statement execute function refuse_change();

-- A case of a passage whose pictures say something else than the books.
alter table settlement_case drop constraint settlement_case_kind_check;
alter table settlement_case add constraint settlement_case_kind_check
    check (kind in ('hole', 'unproven', 'only-ours', 'only-theirs', 'amount-differs', 'class-differs', 'duplicate',
                    'bank-short', 'bank-returned', 'bank-over', 'bank-unknown', 'bank-late', 'dispute',
                    'manifest-missing', 'manifest-differs', 'loops-differ', 'review-differs'));
