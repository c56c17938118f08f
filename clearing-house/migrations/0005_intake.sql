-- How far each partition of the passages' stream is in the books.
--
-- Written in the transaction that stores a batch, so that the books and their place in the stream
-- never disagree; the broker keeps no place of its own. `tenure` is raised whenever a worker takes
-- the partition: what a worker of an earlier tenure still wants to write is refused.

create table intake_partition (
    partition smallint primary key check (partition >= 0),
    tenure    bigint not null default 0,
    -- Which stream the numbers below count: a broker that lost its store begins another.
    stream    text not null default '',
    -- Everything up to here is in the books, but for what is behind.
    head      bigint not null default 0 check (head >= 0),
    -- Stretches that were passed over so that new traffic need not wait for them.
    behind    int8multirange not null default '{}'
) with (fillfactor = 50);
