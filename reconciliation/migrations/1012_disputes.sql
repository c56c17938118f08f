-- Opens the case of a trip that somebody disputes, or finds the one that is there; returns its code.
-- For the clearing house's API, which may do this one thing to cases: it runs with the owner's hands.
-- Due within the days that `cases::Kind::Dispute` has.
create function open_dispute(of_operator text, of_day date, passage text, ours text, theirs text,
                             disputed bigint, by text, at timestamptz)
returns text language plpgsql security definer set search_path = public, pg_temp as $$
declare
    made text;
begin
    insert into settlement_case (code, kind, operator, day, subject, ours, theirs, amount, opened_at, opened_by,
                                 due_at)
    values ('C-' || extract(year from at) || '-' || lpad(nextval('settlement_case_number')::text, 6, '0'),
            'dispute', of_operator, of_day, passage, ours, theirs, disputed, at, by, at + interval '15 days')
    on conflict on constraint one_case_for_each do nothing returning code into made;
    if made is null then
        select c.code into strict made from settlement_case c
        where c.kind = 'dispute' and c.operator = of_operator and c.subject = passage;
    end if;
    return made;
end $$;
