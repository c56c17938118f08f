"""Matches two CSV files by identity in Polars; prints seconds, peak memory and counts as JSON.

usage: matching_polars.py OURS THEIRS full-join|group-by THREADS
"""

import json
import os
import resource
import sys
import time

ours, theirs, way, threads = sys.argv[1:]
os.environ["POLARS_MAX_THREADS"] = threads
import polars as pl  # noqa: E402  (it reads the number of threads when it is loaded)


def rows(path):
    """The columns that are compared."""
    types = {"identity": pl.String, "group": pl.UInt8, "amount": pl.Int64}
    table = pl.scan_csv(path, schema_overrides=types)
    return table.select("identity", "group", "amount")


def side(path, name):
    """One row an identity: the first is compared, the others are counted."""
    return (
        rows(path)
        .group_by("identity")
        .agg(
            pl.len().cast(pl.Int64).alias(f"{name}_rows"),
            pl.col("amount").min().alias(f"{name}_amount"),
            pl.col("group").min().alias(f"{name}_group"),
        )
    )


def full_join():
    """Each side grouped, then joined."""
    return side(ours, "a").join(side(theirs, "b"), on="identity", how="full", coalesce=True)


def group_by():
    """Both sides in one table, grouped once."""
    both = pl.concat(
        [
            rows(ours).with_columns(pl.lit(True).alias("is_ours")),
            rows(theirs).with_columns(pl.lit(False).alias("is_ours")),
        ]
    )
    of_a, of_b = pl.col("is_ours"), ~pl.col("is_ours")
    parts = []
    for name, of in (("a", of_a), ("b", of_b)):
        parts += [
            of.sum().cast(pl.Int64).alias(f"{name}_rows"),
            pl.col("amount").filter(of).min().alias(f"{name}_amount"),
            pl.col("group").filter(of).min().alias(f"{name}_group"),
        ]
    return both.group_by("identity").agg(parts)


def counted(table):
    """Six counts of the classes."""
    a, b = pl.col("a_rows").fill_null(0), pl.col("b_rows").fill_null(0)
    both = (a > 0) & (b > 0)
    same_group = pl.col("a_group") == pl.col("b_group")
    same_amount = pl.col("a_amount") == pl.col("b_amount")
    return table.select(
        (both & same_group & same_amount).sum().alias("0"),
        (both & same_group & ~same_amount).sum().alias("1"),
        (both & ~same_group).sum().alias("2"),
        (b == 0).sum().alias("3"),
        (a == 0).sum().alias("4"),
        ((a - 1).clip(lower_bound=0) + (b - 1).clip(lower_bound=0)).sum().alias("5"),
    )


started = time.monotonic()
ways = {"full-join": full_join, "group-by": group_by}
counts = counted(ways[way]()).collect(engine="streaming").row(0)
seconds = time.monotonic() - started
peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak_kib": peak_kib, "counts": [int(n) for n in counts]}))
