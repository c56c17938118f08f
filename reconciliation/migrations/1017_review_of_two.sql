-- Image review: neither of two attendants looks at their own work, and what was read is erased in time.

-- Who agreed at the lane, where it took two.
alter table review_item add column second text;

-- A plate that a reviewer read is kept as long as somebody may have to see it, and no longer.
alter table review_look add column erased_at timestamptz;
alter table review_look drop constraint review_look_check;
alter table review_look add constraint look_read_a_plate
    check ((answer = 'read') = (plate is not null or erased_at is not null));
alter table review_look add constraint look_has_no_plate_once_erased
    check (erased_at is null or plate is null);

create function refuse_all_but_erasing() returns trigger language plpgsql as $$
begin
    if old.plate is not null and new.plate is null and new.erased_at is not null
       and to_jsonb(new) - array['plate', 'erased_at'] = to_jsonb(old) - array['plate', 'erased_at'] then
        return new;
    end if;
    raise exception '% is append-only, but for plates that are erased', tg_table_name
        using errcode = 'restrict_violation';
end $$;
drop trigger review_look_is_append_only on review_look;
create trigger review_look_is_append_only before delete or truncate on review_look
    for each statement execute function refuse_change();
create trigger review_look_only_erases before update on review_look
    for each row execute function refuse_all_but_erasing();
-- What is to be erased next.
create index review_end_by_time on review_end (ended_at);

-- Erases what was read of items that ended before an instant and whose case, if any, is settled: every
-- plate, or one that somebody asks to have erased. Tells how many.
create function erase_reviewed_plates(ended_before timestamptz, of_plate text, erased timestamptz)
    returns bigint language sql as $$
    with gone as (
        update review_look k set plate = null, erased_at = erased
        from review_end e left join settlement_case_v1 c on c.code = e.case_code
        where e.item = k.item and e.ended_at < ended_before and k.plate is not null
          and (of_plate is null or k.plate = of_plate)
          and (e.case_code is null or c.state = 'settled')
        returning 1)
    select count(*) from gone
$$;
