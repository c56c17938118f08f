-- What each partner was last told of each tag, by lists of our own books: what its next list of changes is
-- made of. Updated in place, as it can be made again from the files that were sent. Personal data.
create table partner_listed (
    partner text not null,
    -- A list with its changes.
    channel text not null,
    -- Whose tags. A whole list takes the place of the one before, whosever that was.
    issuer  text not null,
    serial  bigint not null check (serial >= 0),
    -- The record, as JSON.
    said    text not null,
    primary key (partner, channel, issuer, serial)
);

-- The list that a partner's files lead to: its last whole one, with the changes since. Personal data.
create view partner_list_v1 as
select w.partner, w.channel, r.identity, r.file_no, r.body
from (select partner, channel, max(stamp) as stamp from partner_file
      where direction = 'received' and list_entries is not null group by partner, channel) w
cross join lateral (
    select distinct on (r.identity) r.identity, r.file_no, r.body
    from partner_file f join partner_record r using (file_no)
    where f.direction = 'received' and f.partner = w.partner and f.channel = w.channel
      and f.list_name is not null and f.stamp >= w.stamp
    order by r.identity, f.stamp desc) r
-- IAG's word for a tag that is taken off.
where r.body ->> 'STATUS' is distinct from '4';
