"""The parts of the memory against dictionaries that do the same."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from streams.index import Index
from streams.known import HASH_SQL, Known, entity_hash
from streams.runs import Runs
from streams.table import Ints, Keys

COLUMNS: dict[str, pl.DataType] = {"group": pl.Int64(), "value": pl.Int64(), "text": pl.String()}


def keys_of(numbers: Ints) -> Keys:
    """Keys that crowd a few places of the table."""
    return (numbers % 7).astype(np.uint64), numbers.astype(np.uint64) << np.uint64(48)


@pytest.mark.parametrize("crowded", [True, False])
def test_an_index_finds_what_was_added_and_nothing_else(crowded: bool) -> None:
    rng = np.random.default_rng(1)
    spread = rng.integers(0, 1 << 64, 60_000, dtype=np.uint64)
    index, count = Index(owners=True), 300 if crowded else 30_000
    numbers = np.arange(2 * count)
    keys = keys_of(numbers) if crowded else (spread[: 2 * count], spread[: 2 * count])
    for part in np.split(numbers[:count], 10):
        index.add((keys[0][part], keys[1][part]), part + 5, part % 100)
    expected = np.where(numbers < count, numbers + 5, -1)
    assert (index.find(keys) == expected).all()
    assert len(index) == count
    index.keep(np.arange(100) % 3 != 0)
    dropped = (numbers % 100) % 3 == 0
    assert (index.find(keys) == np.where(dropped, -1, expected)).all()
    index.keep(np.arange(66) < 33)
    assert len(index) == pytest.approx(count / 3, rel=0.05)


def test_an_index_finds_everything_while_it_grows() -> None:
    hashes = np.random.default_rng(4).integers(0, 1 << 64, (2, 39_200), dtype=np.uint64)
    index, sizes = Index(owners=True), set[int]()
    for end in range(400, 39_201, 400):
        index.add((hashes[0][end - 400 : end], hashes[1][end - 400 : end]), np.arange(end - 400, end), np.arange(400))
        assert (index.find((hashes[0], hashes[1]))[:end] == np.arange(end)).all()
        assert (index.find((hashes[0], hashes[1]))[end:] == -1).all()
        sizes.add(index.bytes)
    tables = [20 << bits for bits in range(12, 18)]
    growing = [one + other for one, other in pairwise(tables)]
    assert sizes == {*tables[:-1], *growing}


def test_runs_give_back_the_newest_rows_of_each_owner() -> None:
    rng = np.random.default_rng(2)
    runs, expected = Runs(COLUMNS), dict[int, list[tuple[int, str]]]()
    for step in range(200):
        owners = np.sort(rng.choice(500, rng.integers(1, 60), replace=False))
        counts = rng.integers(1, 4, len(owners))
        rows = pl.DataFrame({"group": np.repeat(owners, counts)}).with_row_index("value")
        rows = rows.with_columns(value=pl.col("value").cast(pl.Int64) + 1000 * step, text=pl.lit(f"text {step:030}"))
        expected |= {int(o): [] for o in owners}
        for owner, value, text in rows.select("group", "value", "text").rows():
            expected[owner].append((value, text))
        runs.write(rows.select(*COLUMNS))
    found = runs.read(np.array(sorted(expected)))
    assert sorted(found.rows()) == sorted((owner, *row) for owner, rows in expected.items() for row in rows)
    assert runs.rows == found.height
    assert runs.read(np.zeros(0, np.int64)).height == 0


def test_the_filter_knows_all_that_was_added_and_little_else() -> None:
    rng = np.random.default_rng(3)
    known, hashes = Known(bits=20), rng.integers(0, 1 << 64, 20_000, dtype=np.uint64)
    known.add(hashes[:10_000])
    assert known.may_hold(hashes[:10_000]).all()
    assert known.may_hold(hashes[10_000:]).mean() < 0.01


TEXTS = ["", "a", "abcdefg", "abcdefgh", "abcdefghi", "0123456789abcdef", "ü" * 20, "\0", "x" * 256]


def test_the_store_hashes_as_the_worker_does() -> None:
    ours = entity_hash(pl.Series(["default"] * len(TEXTS)), pl.Series(TEXTS)).tolist()
    texts = ", ".join(f"unhex('{text.encode().hex()}')" for text in TEXTS)
    sql = HASH_SQL.format(tenant="'default'", entity="text")
    query = f"SELECT {sql} FROM (SELECT arrayJoin([{texts}]) AS text)"
    # A process of its own, since the engine opens one folder in the life of a process.
    script = f"import chdb; print(chdb.query({query!r}, 'TabSeparated').bytes().decode())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert [int(line) for line in done.stdout.split()] == ours
