-- Contracts: on which terms each issuer pays each operator, and where. Never changed: other terms are
-- a new row that counts from another day on.

create table contract (
    operator        text not null references operator,
    issuer          text not null references issuer,
    valid_from      date not null,
    fee_share       numeric(9, 6) not null check (fee_share >= 0 and fee_share < 1),
    fee_per_passage bigint not null check (fee_per_passage >= 0),
    vat_share       numeric(9, 6) not null check (vat_share >= 0 and vat_share < 1),
    rounding        text not null check (rounding in ('half-up', 'down')),
    -- Whose bank holidays count.
    calendar        text not null,
    -- How long after the cut-off the money is there, and what a bank holiday does to that.
    pay_within_h    int not null check (pay_within_h > 0),
    on_holiday      text not null check (on_holiday in ('next-bank-day', 'no-matter')),
    -- By when a month and a year are agreed.
    month_by_day    int not null check (month_by_day between 1 and 28),
    year_within_d   int not null check (year_within_d > 0),
    -- How long before a deadline it is said that it is near.
    warn_h          int not null check (warn_h >= 0),
    constraint one_contract_from_a_day primary key (operator, issuer, valid_from)
);

create table bank_calendar (
    calendar text not null,
    day      date not null,
    name     text not null,
    primary key (calendar, day)
);

create table bank_weekend (
    calendar text not null,
    -- 1 is Monday.
    weekday  int not null check (weekday between 1 and 7),
    primary key (calendar, weekday)
);

-- Where an operator is paid and an issuer pays from.
create table bank_account (
    party_kind text not null check (party_kind in ('operator', 'issuer')),
    party      text not null,
    valid_from date not null,
    holder     text not null check (length(holder) between 1 and 140),
    number     text not null check (number ~ '^[A-Z0-9]{4,34}$'),
    bic        text not null check (bic ~ '^[A-Z0-9]{8}([A-Z0-9]{3})?$'),
    constraint one_bank_account_from_a_day primary key (party_kind, party, valid_from)
);

create trigger contract_is_append_only before update or delete or truncate on contract
    for each statement execute function refuse_change();
create trigger bank_account_is_append_only before update or delete or truncate on bank_account
    for each statement execute function refuse_change();

-- What a settlement needs of the ledger beside tolls and fees: the tax on the fee, and the payment.
alter table ledger_account
    drop constraint ledger_account_kind_check,
    drop constraint ledger_account_check2,
    add constraint ledger_account_kind_check check (kind in ('customer', 'payable', 'bank', 'fee', 'vat', 'till',
        'cash-toll', 'suspense', 'write-off', 'held')),
    add constraint ledger_account_of_issuer check ((kind in ('customer', 'payable', 'bank', 'fee', 'vat', 'suspense',
        'write-off', 'held')) = (issuer is not null));
alter table direct_transfer
    drop constraint direct_transfer_kind_check,
    add constraint direct_transfer_kind_check check (kind in ('top-up', 'refund', 'fee', 'payment', 'reversal',
        'repost', 'adjustment', 'hold', 'release'));
