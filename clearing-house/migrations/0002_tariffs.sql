-- Tariffs, the rights of vehicles to discounts, and what charges consist of.
--
-- Of a charge that is simply its published fare nothing is here: amount, reason and tariff version
-- say everything.

-- A version is the document it came as: fares, roads, rates, discounts, caps and rules.
create table tariff (
    operator    text not null references operator,
    version     text not null,
    currency    char(3) not null,
    valid_from  timestamptz not null,
    valid_until timestamptz check (valid_until > valid_from),
    source      text not null,
    document    jsonb not null,
    primary key (operator, version),
    constraint one_tariff_at_a_time unique (operator, valid_from)
);
create trigger tariff_is_append_only before update or delete or truncate on tariff
    for each statement execute function refuse_change();

-- The published amounts, for reports.
create view fare_v1 as
select t.operator, t.version, t.valid_from, t.valid_until, f.row ->> 'entry' as entry,
       coalesce(f.row ->> 'station', f.row ->> 'exit') as station,
       a.place::smallint as vehicle_group, a.amount::text::bigint as amount
from tariff t
cross join jsonb_array_elements(t.document -> 'fare') as f (row)
cross join jsonb_array_elements(f.row -> 'amounts') with ordinality as a (amount, place);

-- A vehicle's right to a discount of an operator's tariff, such as a local resident's. Personal data.
create table entitlement (
    entitlement bigint generated always as identity primary key,
    plate       text not null,
    operator    text not null references operator,
    discount    text not null,
    valid_from  timestamptz not null,
    valid_until timestamptz not null check (valid_until > valid_from),
    -- What it was granted by.
    reference   text not null,
    granted_at  timestamptz not null,
    constraint entitled_once unique (plate, operator, discount, valid_from)
);
create trigger entitlement_is_append_only before update or delete or truncate on entitlement
    for each statement execute function refuse_change();

-- What an operator's day of a vehicle has cost, where the tariff caps days. Its row is what workers
-- wait for, so that together they do not charge more than the cap. Personal data.
create table day_spent (
    day_spent bigint generated always as identity primary key,
    operator  text not null references operator,
    day       date not null,
    plate     text not null,
    charged   bigint not null default 0 check (charged >= 0),
    constraint one_day_of_a_vehicle unique (operator, day, plate)
);

-- What a charge consists of: fare, less discount, less what is over the caps, is the amount.
create table charge_basis (
    lane          text not null,
    epoch         int not null,
    seq           bigint not null,
    operator      text not null,
    gross         bigint not null check (gross >= 0),
    discount      bigint not null check (discount >= 0),
    discount_name text,
    over_trip_cap bigint not null check (over_trip_cap >= 0),
    over_day_cap  bigint not null check (over_day_cap >= 0),
    -- The cap of the vehicle's day, what it had cost before, and where that is counted.
    day_cap       bigint check (day_cap >= 0),
    day_before    bigint check (day_before >= 0),
    day_spent     bigint references day_spent,
    -- What was strange about the trip, for people to look at.
    cases         text[] not null,
    -- Gantries on its way that did not see the vehicle.
    missed        text[] not null,
    primary key (lane, epoch, seq),
    check (gross >= discount + over_trip_cap + over_day_cap),
    check ((day_cap is null) = (day_before is null) and (day_cap is null) = (day_spent is null)),
    check (discount = 0 or discount_name is not null)
);
create index charge_basis_of_day on charge_basis (day_spent) where day_spent is not null;
-- The desk asks for what is strange.
create index charge_basis_with_case on charge_basis (operator) where cases <> '{}';
create trigger charge_basis_is_append_only before update or delete or truncate on charge_basis
    for each statement execute function refuse_change();
