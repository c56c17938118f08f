-- Corrections by two people: one says what a transfer should have been, another lets it be posted.

create table correction_proposal (
    proposal    bigint generated always as identity primary key,
    transfer    bigint not null,
    -- What it should have been; 0: it should not have been.
    should_be   bigint not null check (should_be >= 0),
    reason      text not null check (reason <> ''),
    proposed_by text not null check (proposed_by <> ''),
    proposed_at timestamptz not null,
    constraint correction_proposal_of unique (proposal, proposed_by)
);

-- Never the same, whoever writes the row.
create table correction_approval (
    proposal    bigint not null,
    proposed_by text not null,
    approved_by text not null check (approved_by <> ''),
    approved_at timestamptz not null,
    -- The settlement day it fell into.
    day         date not null,
    constraint correction_approved_once primary key (proposal),
    constraint approval_of_correction foreign key (proposal, proposed_by)
        references correction_proposal (proposal, proposed_by),
    constraint two_people_correct check (approved_by <> proposed_by)
);

create trigger correction_proposal_is_append_only
    before update or delete or truncate on correction_proposal
    for each statement execute function refuse_change();
create trigger correction_approval_is_append_only
    before update or delete or truncate on correction_approval
    for each statement execute function refuse_change();

-- Lets whoever corrects the ledger tell the lanes' list, without seeing whose tags they are.
create function note_accounts_on_list(accounts bigint[]) returns void
    language sql security definer set search_path = public as $$
    insert into list_change (tag) select t.tag from tag t join vehicle v using (plate)
    where v.account = any(accounts) order by t.tag
$$;
