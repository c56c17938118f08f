-- Image review: neither of two attendants looks at their own work, and what was read is erased in time.

-- Who agreed at the lane, where it took two.
alter table review_item add column second text;

-- What a reviewer read or wrote is kept as long as somebody may have to see it, and no longer.
alter table review_look add column erased_at timestamptz;
alter table review_look drop constraint review_look_check;
alter table review_look drop constraint review_look_check3;
alter table review_look add constraint look_has_a_plate_until_erased
    check (case when erased_at is null then (answer = 'read') = (plate is not null) else plate is null end);
alter table review_look add constraint look_has_a_note_until_erased
    check (case when erased_at is null then (note is not null) = (reason is not null and reason = 99)
                else note is null end);

create function refuse_all_but_erasing() returns trigger language plpgsql as $$
declare
    erased text[] := array['plate', 'note', 'erased_at'];
begin
    if (old.plate is not null or old.note is not null)
       and new.plate is null and new.note is null and new.erased_at is not null
       and to_jsonb(new) - erased = to_jsonb(old) - erased then
        return new;
    end if;
    raise exception '% is append-only, but for plates and notes that are erased', tg_table_name
        using errcode = 'restrict_violation';
end $$;
drop trigger review_look_is_append_only on review_look;
create trigger review_look_is_append_only before delete or truncate on review_look
    for each statement execute function refuse_change();
create trigger review_look_only_erases before update on review_look
    for each row execute function refuse_all_but_erasing();
-- What is to be erased next, among what is left.
create index review_end_by_time on review_end (ended_at);
create index review_look_to_erase on review_look (item) where plate is not null or note is not null;
-- The looks behind a case.
create index review_end_by_case on review_end (case_code) where case_code is not null;

-- Erases what was read and written of items that ended before an instant and whose case, if any, is
-- settled: all of it, or what has one plate that somebody asks to have erased. Tells of how many looks.
create function erase_reviewed_plates(ended_before timestamptz, of_plate text, erased timestamptz)
    returns bigint language sql as $$
    with gone as (
        update review_look k set plate = null, note = null, erased_at = erased
        from review_end e
        where e.item = k.item and e.ended_at < ended_before and (k.plate is not null or k.note is not null)
          and (of_plate is null or k.plate = of_plate
               or position(of_plate in upper(regexp_replace(k.note, '[^[:alnum:]]', '', 'g'))) > 0)
          and (e.case_code is null or exists (select from settlement_case_event s
                                              where s.code = e.case_code and s.state = 'settled'))
        returning 1)
    select count(*) from gone
$$;
