-- What a review found: corrections that were proposed twice, lanes that forgot what they were asked for.

-- One correction is proposed once: two people who see the same mistake at the same moment make one
-- proposal, and whoever comes second is told of the first.

alter table correction_proposal add constraint correction_proposed_once unique (transfer, should_be);

-- Days of a journal that its lane was asked for when it had forgotten them. The books have every number
-- up to there, so they stand for themselves; that nobody else counted is kept, in the lane's own words.
create table manifest_forgotten (
    lane        text not null references lane,
    epoch       int not null,
    -- The last number that the journal had forgotten, and the settlement day that it was written in.
    upto_seq    bigint not null check (upto_seq > 0),
    day         date not null,
    received_at timestamptz not null,
    payload     bytea not null,
    signature   bytea not null check (length(signature) = 64),
    primary key (lane, epoch, upto_seq),
    constraint forgotten_of_journal foreign key (lane, epoch) references lane_epoch
);
create trigger manifest_forgotten_is_append_only before update or delete or truncate on manifest_forgotten
    for each statement execute function refuse_change();
