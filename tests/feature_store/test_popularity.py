"""Counts by window to a product's last hour."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from feature_store.popularity import WINDOW_MS, Popularity, live_values

NOW = 1_763_700_000_000 + 17_000
WINDOW = NOW - NOW % WINDOW_MS
PRODUCT = ("shop", "p-1")


def count(window: int, as_of: int, views: int, partition: int = 0, **other: int) -> dict[str, Any]:
    record = {"tenantId": "shop", "productId": "p-1", "windowStart": window, "logEpoch": 1, "logPartition": partition}
    return record | {"asOf": as_of, "views": views, "clicks": 0, "addToCarts": 0, "purchases": 0} | other


def views(popularity: Popularity, at_ms: int) -> tuple[int, int]:
    value = popularity.value(PRODUCT, at_ms)
    return value.views_5m, value.views_60m


def test_windows_and_partitions_add_up() -> None:
    popularity = Popularity()
    for record in (count(WINDOW, 1, 4), count(WINDOW, 9, 2, 1), count(WINDOW - 11 * WINDOW_MS, 3, 8)):
        popularity.apply(record)
    popularity.apply(count(WINDOW - 12 * WINDOW_MS, 2, 100))
    assert views(popularity, NOW) == (6, 14)


@given(st.permutations([count(WINDOW, 1, 4), count(WINDOW, 5, 6), count(WINDOW, 5, 6), count(WINDOW, 3, 5)]))
def test_of_one_window_and_partition_the_greatest_offset_counts(records: list[dict[str, Any]]) -> None:
    popularity = Popularity()
    for record in records:
        popularity.apply(record)
    assert views(popularity, NOW) == (6, 6)


def test_time_alone_takes_views_out_and_products_away() -> None:
    popularity = Popularity()
    popularity.apply(count(WINDOW, 1, 4))
    popularity.value(PRODUCT, NOW)
    (next_window,) = popularity.advance(NOW + WINDOW_MS)
    assert live_values(next_window)["product_views_5m"] == 0
    assert live_values(next_window)["product_views_60m"] == 4
    assert list(popularity.advance(NOW + 2 * WINDOW_MS)) == []
    (gone,) = popularity.advance(NOW + 12 * WINDOW_MS)
    assert (gone.views_60m, len(popularity)) == (0, 0)


def test_two_values_of_one_moment_have_an_order() -> None:
    popularity = Popularity()
    popularity.apply(count(WINDOW, 1, 4))
    first = popularity.value(PRODUCT, NOW)
    popularity.apply(count(WINDOW, 1, 3, 1))
    second = popularity.value(PRODUCT, NOW)
    assert first.order < second.order
    assert second.views_5m == 7
    assert popularity.value(PRODUCT, NOW + 50) == second
