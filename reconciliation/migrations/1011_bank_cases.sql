-- What banks do beside paying what they were told, once: pay twice, give back a part, pay late, or name
-- a payment that nobody ordered. All of it is kept, posted where it is known whose it is, and a case.

alter table settlement_case drop constraint settlement_case_kind_check;
alter table settlement_case add constraint settlement_case_kind_check
    check (kind in ('hole', 'unproven', 'only-ours', 'only-theirs', 'amount-differs', 'class-differs', 'duplicate',
                    'bank-short', 'bank-returned', 'bank-over', 'bank-unknown', 'bank-late', 'dispute'));

-- When the bank was to pay.
alter table payment_order add column execute_on date;

-- Payments of which everything came back. They are over: what they were for is ordered again.
create table payment_came_back (
    end_to_end   text primary key references payment,
    came_back_at timestamptz not null
);
create trigger payment_came_back_is_append_only before update or delete or truncate on payment_came_back
    for each statement execute function refuse_change();

-- Lines of an issuer's bank about a payment that nobody ordered, as the bank names it.
create table bank_line_unknown (
    issuer         text not null references issuer,
    bank_reference text not null,
    named          text not null,
    kind           text not null check (kind in ('paid', 'returned')),
    amount         bigint not null check (amount > 0),
    booked_on      date not null,
    noted_at       timestamptz not null,
    constraint unknown_once primary key (issuer, bank_reference)
);
create trigger bank_line_unknown_is_append_only before update or delete or truncate on bank_line_unknown
    for each statement execute function refuse_change();

create or replace view payment_v1 as
select p.end_to_end, p.payment_order, p.issuer, p.operator, p.amount, o.currency, o.created_at,
       coalesce(b.paid, 0)::bigint as paid, coalesce(b.returned, 0)::bigint as returned,
       exists (select from payment_came_back c where c.end_to_end = p.end_to_end) as came_back, o.execute_on
from payment p
join payment_order o using (payment_order)
left join lateral (
    select sum(amount) filter (where kind = 'paid') as paid,
           sum(amount) filter (where kind = 'returned') as returned
    from payment_booking k where k.end_to_end = p.end_to_end) b on true;

-- A window whose payment came back in part is a paid one again, until the bank shows all of it.
create or replace function follow_window() returns trigger language plpgsql as $$
declare
    before window_change;
begin
    select * into before from window_change w
    where w.operator = new.operator and w.day = new.day order by w.place desc limit 1;
    if new.place <> coalesce(before.place, 0) + 1
       or (coalesce(before.state, 'open'), new.state) not in (
           ('open', 'closing'), ('closing', 'closed'), ('closed', 'approved'), ('approved', 'paid'),
           ('paid', 'approved'), ('paid', 'matched'), ('matched', 'approved'), ('matched', 'paid')) then
        raise exception 'window % of % cannot become % after %', new.day, new.operator, new.state,
            coalesce(before.state, 'open') using errcode = 'restrict_violation';
    end if;
    if new.state = 'closing' and not exists (
           select from settlement_day d where d.operator = new.operator and d.day = new.day and d.state = 'closed')
       or new.state = 'closed' and not exists (
           select from statement s where s.operator = new.operator and s.day = new.day)
       or new.state = 'approved' and not exists (
           select from proposal p join approval a using (proposal)
           where p.kind = 'settlement' and p.operator = new.operator and p.day = new.day) then
        raise exception 'window % of % lacks what makes it %', new.day, new.operator, new.state
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
