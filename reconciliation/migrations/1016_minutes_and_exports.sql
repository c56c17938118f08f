-- Minutes of reconciliation: the exact text that was signed of what an operator and another party found.
-- Made again when something has changed, under the next revision; never changed.

create table minutes (
    operator   text not null references operator,
    -- With whom: an issuer, or the bank that it pays through.
    party_kind text not null check (party_kind in ('issuer', 'bank-of')),
    issuer     text not null references issuer,
    -- A day, a month or a year, such as 2026-11-21, 2026-11 or 2026, with its first and last day.
    span       text not null,
    first_day  date not null,
    last_day   date not null,
    revision   int not null check (revision > 0),
    canonical  text not null,
    digest     bytea not null check (digest = sha256(convert_to(canonical, 'UTF8'))),
    signature  bytea not null check (length(signature) = 64),
    issued_at  timestamptz not null,
    constraint one_revision_of_minutes primary key (operator, party_kind, issuer, span, revision)
);
-- Finds the days of a month or a year.
create index minutes_by_day on minutes (operator, party_kind, issuer, first_day);

create trigger minutes_is_append_only before update or delete or truncate on minutes
    for each statement execute function refuse_change();

-- Files written of our own books: what each was written of, so that none is written of the same again.
create table partner_export (
    kind    text not null,
    partner text not null,
    -- An operator, issuer and day; a list at a time; a received file that is answered.
    of      text not null,
    file_no bigint not null references partner_file,
    constraint written_once primary key (kind, partner, of)
);

-- What we made of the records of a received file, in the transaction that posted it.
create table partner_decision (
    file_no     bigint not null,
    record_no   bigint not null,
    partner     text not null,
    -- What the partner calls the transaction, and which correction of it this is: 0 is itself.
    reference   text not null,
    correction  int not null check (correction >= 0),
    disposition text not null check (disposition in ('posted', 'duplicate', 'not-on-file', 'account-invalid',
                                                     'insufficient', 'too-old', 'nothing-to-correct',
                                                     'gives-back')),
    -- What the transaction stands at with us.
    amount      bigint not null check (amount >= 0),
    -- Where it was posted: whom a correction gives it back to.
    account     bigint references account,
    decided_at  timestamptz not null,
    primary key (file_no, record_no),
    check ((disposition = 'posted') = (account is not null)),
    foreign key (file_no, record_no) references partner_record (file_no, record_no)
);
-- Nothing twice; also finds what a transaction stands at.
create unique index one_posting_per_reference on partner_decision (partner, reference, correction)
    where disposition = 'posted';

create trigger partner_export_is_append_only before update or delete or truncate on partner_export
    for each statement execute function refuse_change();
create trigger partner_decision_is_append_only before update or delete or truncate on partner_decision
    for each statement execute function refuse_change();
