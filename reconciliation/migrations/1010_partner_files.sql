-- Files exchanged with partners. Everything here is only added to: a file's state is its last event.

-- A file that was taken from a partner, or written for one.
create table partner_file (
    file_no      bigint generated always as identity primary key,
    direction    text not null check (direction in ('received', 'sent')),
    -- The agency, or station, that it came from or goes to.
    partner      text not null,
    -- Files of one channel follow each other: those of one kind, and a list with its changes.
    channel      text not null,
    kind         text not null,
    -- Without the plate, where the format puts one into the name.
    name         text not null,
    digest       bytea not null check (length(digest) = 32),
    bytes        bigint not null check (bytes >= 0),
    records      bigint not null check (records >= 0),
    to_pay       bigint not null check (to_pay >= 0),
    to_give_back bigint not null check (to_give_back >= 0),
    -- Who said how many records there are: the format's header, the caller, or nobody.
    counted_by   text not null check (counted_by in ('header', 'caller', 'nobody')),
    number       bigint check (number > 0),
    -- What the list is called when this file is taken, and how many entries the whole list has.
    list_name    text,
    list_entries bigint check (list_entries >= 0),
    -- The file's own time, as it writes it.
    stamp        text not null,
    header       jsonb not null,
    -- What we answered to a received file.
    answer       text check (answer ~ '^[0-9]{2}$'),
    noted_at     timestamptz not null,
    check ((direction = 'received') = (answer is not null)),
    constraint one_file_per_name unique (direction, partner, name)
);
-- A number is used once; also finds the last one, and the gaps.
create unique index one_file_per_number on partner_file (direction, partner, channel, number)
    where number is not null;
-- Finds a file that comes again, whatever its name.
create index partner_file_by_digest on partner_file (digest);
-- Finds the list that is in force.
create index partner_file_by_channel on partner_file (direction, partner, channel, stamp);

-- What happened to a file that was sent, and its state afterwards.
create table partner_file_event (
    file_no  bigint not null references partner_file,
    event_no int not null check (event_no > 0),
    at       timestamptz not null,
    event    text not null check (event in ('delivered', 'answered', 'due', 'asked')),
    -- The partner's code, in an answer.
    code     text check (code ~ '^[0-9]{2}$'),
    state    text not null
        check (state in ('written', 'sent', 'acknowledged', 'refused', 'unanswered')),
    times    int not null check (times >= 0),
    due      timestamptz,
    primary key (file_no, event_no),
    check ((event = 'answered') = (code is not null)),
    check ((state = 'sent') = (due is not null))
);

-- The records of files that were taken.
create table partner_record (
    file_no      bigint not null references partner_file,
    record_no    bigint not null check (record_no > 0),
    -- What it is known by in its file.
    identity     text not null,
    to_pay       bigint not null check (to_pay >= 0),
    to_give_back bigint not null check (to_give_back >= 0),
    body         jsonb not null,
    primary key (file_no, record_no),
    -- Also finds what was answered to a transaction, and its corrections.
    constraint one_record_per_identity unique (identity, file_no)
);

-- Files that were refused. Nothing of them is kept but where they are wrong.
create table partner_refusal (
    refusal_no bigint generated always as identity primary key,
    partner    text not null,
    kind       text not null,
    name       text not null,
    answer     text not null check (answer ~ '^[0-9]{2}$'),
    line       bigint not null check (line >= 0),
    record     bigint not null check (record >= 0),
    field      text not null,
    reason     text not null,
    wanted     text not null,
    at         timestamptz not null
);

create trigger partner_file_is_append_only before update or delete or truncate on partner_file
    for each statement execute function refuse_change();
create trigger partner_file_event_is_append_only
    before update or delete or truncate on partner_file_event
    for each statement execute function refuse_change();
create trigger partner_record_is_append_only before update or delete or truncate on partner_record
    for each statement execute function refuse_change();
create trigger partner_refusal_is_append_only
    before update or delete or truncate on partner_refusal
    for each statement execute function refuse_change();

-- Numbers that a partner jumped over and has not sent since: what settlement must know before it
-- closes a day with that partner.
create view partner_gap_v1 as
select f.partner, f.channel, missing.number
from (
    select partner, channel, number,
           lag(number) over (partition by partner, channel order by number) as before
    from partner_file where direction = 'received' and number is not null
) f
cross join lateral generate_series(f.before + 1, f.number - 1) as missing (number)
where f.number > f.before + 1;

-- Every file that was sent, with its state.
create view partner_sent_v1 as
select f.file_no, f.partner, f.kind, f.name, f.digest, f.number, f.records, f.to_pay, f.to_give_back,
       coalesce(e.state, 'written') as state, coalesce(e.times, 0) as times, e.due, e.code,
       coalesce(e.event_no, 0) as event_no
from partner_file f
left join lateral (
    select state, times, due, event_no,
           (select code from partner_file_event a
            where a.file_no = f.file_no and a.code is not null
            order by a.event_no desc limit 1) as code
    from partner_file_event x where x.file_no = f.file_no order by event_no desc limit 1
) e on true
where f.direction = 'sent';
