"""Matches two CSV files by identity in DuckDB; prints seconds, peak memory and counts as JSON.

usage: matching_duckdb.py OURS THEIRS full-join|group-by THREADS
"""

import json
import resource
import sys
import time

import duckdb

ours, theirs, way, threads = sys.argv[1:]
database = duckdb.connect()
database.execute(f"set threads = {int(threads)}")
database.execute("set preserve_insertion_order = false")
TABLE = (
    "read_csv(?, header = true, columns = {"
    "'identity': 'UUID', 'station': 'VARCHAR', 'tag': 'VARCHAR', 'time': 'VARCHAR', "
    "'group': 'UTINYINT', 'amount': 'BIGINT'})"
)
# Of an identity that a side has more than once, the first is compared and the others are counted.
COUNTS = """
    count(*) filter (a_rows > 0 and b_rows > 0 and a_group = b_group and a_amount = b_amount),
    count(*) filter (a_rows > 0 and b_rows > 0 and a_group = b_group and a_amount <> b_amount),
    count(*) filter (a_rows > 0 and b_rows > 0 and a_group <> b_group),
    count(*) filter (b_rows is null or b_rows = 0),
    count(*) filter (a_rows is null or a_rows = 0),
    sum(greatest(coalesce(a_rows, 0) - 1, 0) + greatest(coalesce(b_rows, 0) - 1, 0))
"""
SIDE = 'select identity, count(*) {0}_rows, min(amount) {0}_amount, min("group") {0}_group'
QUERIES = {
    "full-join": f"""
        with a as ({SIDE.format("a")} from {TABLE} group by identity),
             b as ({SIDE.format("b")} from {TABLE} group by identity)
        select {COUNTS} from a full join b using (identity)""",
    "group-by": f"""
        with every_row as (
            select identity, amount, "group", true as is_ours from {TABLE}
            union all
            select identity, amount, "group", false from {TABLE}),
        keyed as (
            select count(*) filter (is_ours) a_rows, count(*) filter (not is_ours) b_rows,
                   min(amount) filter (is_ours) a_amount,
                   min(amount) filter (not is_ours) b_amount,
                   min("group") filter (is_ours) a_group,
                   min("group") filter (not is_ours) b_group
            from every_row group by identity)
        select {COUNTS} from keyed""",
}
started = time.monotonic()
counts = database.execute(QUERIES[way], [ours, theirs]).fetchone()
seconds = time.monotonic() - started
peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak_kib": peak_kib, "counts": [int(n) for n in counts]}))
