//! What `verify` checks of charges beside rating them again.

/// Id, promise and statement: how many were looked at, how many break it, and the first of those.
pub(crate) const STORED: [(&str, &str, &str); 2] = [
    (
        "I14",
        "a charge is its fare less discount and caps",
        "with checked as (select b.lane || ':' || b.epoch || ':' || b.seq as who, \
                b.gross - b.discount - b.over_trip_cap - b.over_day_cap is distinct from p.amount as broken \
            from charge_basis b left join passage_v1 p using (lane, epoch, seq)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
    (
        "I14",
        "a vehicle's day costs what its charges come to, each knows those before it, and none is over the cap",
        // Who the vehicle is stays out of what is said.
        "with charged as (select day_spent, day_cap, day_before, \
                gross - discount - over_trip_cap - over_day_cap as amount \
            from charge_basis where day_spent is not null), \
         counted as (select *, coalesce(sum(amount) over (partition by day_spent order by day_before, amount \
                rows between unbounded preceding and 1 preceding), 0) as before from charged), \
         summed as (select day_spent, sum(amount) as amount, \
                bool_or(day_before <> before or (amount > 0 and day_before + amount > day_cap)) as wrong \
            from counted group by 1), \
         checked as (select s.operator || ', ' || s.day || ', vehicle-day ' || s.day_spent as who, \
                s.charged <> coalesce(c.amount, 0) or coalesce(c.wrong, false) as broken \
            from day_spent s left join summed c using (day_spent)) \
         select count(*), count(*) filter (where broken), min(who) filter (where broken) from checked",
    ),
];
