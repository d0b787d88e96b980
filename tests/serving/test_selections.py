"""How views know which selection counts, and where the speed store begins."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tests.merge.store import HoleError, Store

DAY = date(2026, 3, 1)
SELECTED = "SELECT DISTINCT publication_version AS version FROM sessions WHERE day = %s"


@pytest.fixture(autouse=True)
def _empty(store: Store) -> None:
    store.clear()


def _select(store: Store, place: tuple[int, int, str], read: int = 1) -> None:
    """A selection of events at that (sequence, version, publication_id), which names version `read` of the day."""
    sequence, version, publication = place
    store.client.command(
        "INSERT INTO batch_selections (dataset, sequence, version, publication_id, days, versions)"
        f" VALUES ('events', {sequence}, {version}, '{publication}', ['{DAY}'], [{read}])"
    )


def _load(store: Store, versions: int) -> None:
    for version in range(1, versions + 1):
        store.client.command(f"INSERT INTO batch_sessions (day, version, session_id) VALUES ('{DAY}', {version}, 's')")


def _read(store: Store) -> list[int]:
    return [row["version"] for row in store.rows(SELECTED % f"'{DAY}'")]


PLACES = [
    (2, 9, "z"),
    (10, 1, "a"),
    (10, 1, "ab"),
    (10, 1, "b"),
    (10, 16, "a"),
    (1 << 40, 1, ""),
    (1 << 40, 1 << 36, ""),
]


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_greatest_sequence_version_and_publication_counts(store: Store, newest_first: bool) -> None:
    _load(store, len(PLACES))
    order = list(enumerate(PLACES, 1))
    for read, place in reversed(order) if newest_first else order:
        _select(store, place, read)
        assert _read(store) == [len(PLACES) if newest_first else read]


def test_contents_are_read_anew_where_a_place_is_taken_again(store: Store) -> None:
    """As after a store was lost and its days are published again in the same order."""
    _load(store, 2)
    for read in (1, 2):
        store.clear(("batch_selections",))
        _select(store, (1, 1, "p"), read)
        assert _read(store) == [read]


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_partition_that_a_cut_lacks_is_a_hole(store: Store, partitions: int) -> None:
    """Whatever the order in which partitions begin."""
    cut = ", ".join(f"{number}, 5" for number in range(partitions))
    store.client.command(
        "INSERT INTO batch_publications (dataset, day, sequence, publication_id, version, log_epoch, cut)"
        f" VALUES ('events', '{DAY}', 1, 'p', 1, 1, map({cut}))"
    )
    store.client.command(
        "INSERT INTO batch_selections (dataset, sequence, version, publication_id, days, versions, sequences,"
        f" publications, partitions) VALUES ('events', 1, 1, 'p', ['{DAY}'], [1], [1], ['p'], range({partitions}))"
    )
    for number in reversed(range(partitions)):
        _begin(store, number)
        assert _read(store) == []
    _begin(store, partitions)
    with pytest.raises(HoleError, match=f"partition {partitions} is not in the cut"):
        _read(store)
    assert store.rows("SELECT 1 AS n FROM sessions WHERE day = '2026-03-02'") == []


def _begin(store: Store, partition: int) -> None:
    store.client.command(
        f"INSERT INTO speed_beginnings (topic, log_epoch, log_partition) VALUES ('user-events', 1, {partition})"
    )


@pytest.mark.parametrize("table", ["batch_selections", "speed_beginnings"])
def test_what_every_question_asks_is_known_without_reading_a_part(store: Store, table: str) -> None:
    _select(store, (1, 1, "p"))
    store.client.command("INSERT INTO speed_beginnings (topic) VALUES ('user-events')")
    plan = pl.DataFrame(store.rows(f"EXPLAIN SELECT max(events), max(orders) FROM {table}"))
    assert "_minmax_count_projection" in "\n".join(plan.to_series())
