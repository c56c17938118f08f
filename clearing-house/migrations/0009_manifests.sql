-- Manifests: what each lane says it wrote on a settlement day, and what the books have against it.
--
-- Every manifest that was taken in stays, with its exact bytes; of a day that was asked for again the
-- last one counts. A verdict is what a comparison with the books came to; it is made again until it is
-- that both agree. Why: docs/decisions/0034-manifests.md.

-- Lanes that take turns at all, and when each last had one.
create table manifest_turn (
    lane  text primary key references lane,
    epoch int not null,
    at    timestamptz not null
) with (fillfactor = 50);

create table lane_manifest (
    manifest    bigint generated always as identity primary key,
    lane        text not null references lane,
    epoch       int not null,
    day         date not null,
    first_seq   bigint not null check (first_seq > 0),
    last_seq    bigint not null,
    received_at timestamptz not null,
    payload     bytea not null,
    signature   bytea not null check (length(signature) = 64),
    constraint manifest_of_journal foreign key (lane, epoch) references lane_epoch,
    check (last_seq >= first_seq - 1)
);
-- The last of a day, and the last day of a journal.
create index lane_manifest_of_day on lane_manifest (lane, epoch, day, manifest);
-- A turn that came twice is one.
create unique index manifest_once on lane_manifest (lane, epoch, day, sha256(payload));

create table manifest_verdict (
    verdict    bigint generated always as identity primary key,
    manifest   bigint not null references lane_manifest,
    checked_at timestamptz not null,
    -- Both agree; numbers are not here yet; all are here, and a figure is another.
    verdict_of text not null check (verdict_of in ('agrees', 'short', 'differs')),
    -- Each figure that differs, in words.
    figures    text[] not null,
    -- The loops likewise; they keep no day open.
    loops      text[] not null,
    check ((verdict_of = 'agrees') = (figures = '{}'))
);
create index manifest_verdict_of on manifest_verdict (manifest, verdict);

create trigger lane_manifest_is_append_only before update or delete or truncate on lane_manifest
    for each statement execute function refuse_change();
create trigger manifest_verdict_is_append_only before update or delete or truncate on manifest_verdict
    for each statement execute function refuse_change();

-- The manifest that counts of each journal and day, with the last word on it.
create view lane_manifest_v1 as
select m.manifest, m.lane, m.epoch, m.day, m.first_seq, m.last_seq, m.received_at, v.verdict_of, v.figures,
       v.loops, v.checked_at
from (select distinct on (lane, epoch, day) * from lane_manifest order by lane, epoch, day, manifest desc) m
left join lateral (select * from manifest_verdict x where x.manifest = m.manifest
                   order by x.verdict desc limit 1) v on true;
