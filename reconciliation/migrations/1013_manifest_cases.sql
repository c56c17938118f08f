-- Cases of a lane's manifest that was not told in time, that differs from the books, or whose loops
-- counted other vehicles than there are passages.

alter table settlement_case drop constraint settlement_case_kind_check;
alter table settlement_case add constraint settlement_case_kind_check
    check (kind in ('hole', 'unproven', 'only-ours', 'only-theirs', 'amount-differs', 'class-differs', 'duplicate',
                    'bank-short', 'bank-returned', 'bank-over', 'bank-unknown', 'bank-late', 'dispute',
                    'manifest-missing', 'manifest-differs', 'loops-differ'));
