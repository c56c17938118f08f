-- Directives: what lanes are to go by. A version is never changed; the last one counts.
create table directive (
    subject   text not null check (subject like 'etc.v1.directive.%'),
    version   bigint not null check (version > 0),
    payload   bytea not null,
    signature text not null,
    issued_at timestamptz not null,
    constraint directive_pkey primary key (subject, version)
);
