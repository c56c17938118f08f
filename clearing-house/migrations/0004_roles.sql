-- Who is let in.

-- The broker's users that were issued to lanes, by their public keys; one is good for every lane
-- that it names. Instants here are the machine's, as the broker has them.
create table lane_credential (
    lane        text not null references lane,
    broker_user text not null,
    issued_at   timestamptz not null,
    revoked_at  timestamptz,
    primary key (lane, broker_user)
);

-- What the broker is to be told of its account, signed as it is; the last one counts.
create table broker_account (
    broker_account bigint generated always as identity primary key,
    token          text not null,
    issued_at      timestamptz not null
);

-- What the road authority sees of traffic and revenue: counts and sums, no plate, tag or account. A
-- function that reads as the owner, because a view over views reads as whoever asks.
create function traffic() returns table (
    operator text, station text, lane_name text, day date, vehicle_group smallint, disposition text,
    payer text, passages bigint, amount bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select operator, station, lane_name, day, vehicle_group, disposition, payer, count(*),
           sum(amount)::bigint
    from passage_v1
    group by operator, station, lane_name, day, vehicle_group, disposition, payer
$$;
create view traffic_v1 as select * from traffic();
