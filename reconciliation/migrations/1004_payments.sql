-- Payments: what the banks were told to move for approved windows, and what their statements show.

create table payment_order (
    payment_order bigint generated always as identity primary key,
    issuer        text not null references issuer,
    currency      char(3) not null,
    created_at    timestamptz not null,
    payments      int not null check (payments > 0),
    total         bigint not null check (total > 0),
    -- The file for the issuer's bank, as it was made.
    document      text not null
);

-- One credit transfer: an issuer's debt to an operator for some days.
create table payment (
    end_to_end    text primary key,
    payment_order bigint not null references payment_order,
    issuer        text not null references issuer,
    operator      text not null references operator,
    amount        bigint not null check (amount > 0)
);
create index payment_of_order on payment (payment_order);

-- Which positions a payment is for.
create table payment_part (
    end_to_end text not null references payment,
    operator   text not null,
    day        date not null,
    issuer     text not null,
    net        bigint not null,
    primary key (end_to_end, day),
    foreign key (operator, day, issuer) references settlement_position (operator, day, issuer)
);
create index payment_part_of_position on payment_part (operator, day, issuer);

-- Positions that are not paid by themselves, because the pair's sum is not above zero: they wait for
-- the next payment of the pair.
create table payment_carry (
    operator   text not null,
    day        date not null,
    issuer     text not null,
    net        bigint not null,
    carried_at timestamptz not null,
    primary key (operator, day, issuer),
    foreign key (operator, day, issuer) references settlement_position (operator, day, issuer)
);

-- What a bank's statement shows of a payment.
create table payment_booking (
    payment_booking bigint generated always as identity primary key,
    end_to_end      text not null references payment,
    -- Whose bank: each numbers by itself.
    issuer          text not null references issuer,
    kind            text not null check (kind in ('paid', 'returned')),
    amount          bigint not null check (amount > 0),
    booked_on       date not null,
    bank_reference  text not null,
    noted_at        timestamptz not null,
    constraint booked_once unique (issuer, bank_reference)
);
create index payment_booking_of_payment on payment_booking (end_to_end);

create trigger payment_order_is_append_only before update or delete or truncate on payment_order
    for each statement execute function refuse_change();
create trigger payment_is_append_only before update or delete or truncate on payment
    for each statement execute function refuse_change();
create trigger payment_part_is_append_only before update or delete or truncate on payment_part
    for each statement execute function refuse_change();
create trigger payment_carry_is_append_only before update or delete or truncate on payment_carry
    for each statement execute function refuse_change();
create trigger payment_booking_is_append_only before update or delete or truncate on payment_booking
    for each statement execute function refuse_change();

-- Every payment and what became of it.
create view payment_v1 as
select p.end_to_end, p.payment_order, p.issuer, p.operator, p.amount, o.currency, o.created_at,
       coalesce(b.paid, 0)::bigint as paid, coalesce(b.returned, 0)::bigint as returned
from payment p
join payment_order o using (payment_order)
left join lateral (
    select sum(amount) filter (where kind = 'paid') as paid,
           sum(amount) filter (where kind = 'returned') as returned
    from payment_booking k where k.end_to_end = p.end_to_end) b on true;
