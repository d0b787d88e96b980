"""Features on Iceberg: the same from both engines, and the same when they are made again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyiceberg.catalog import Catalog

from batch.engine import Engine
from batch.features import INPUTS, Inputs, Trace, Wiring
from batch.lake import create_tables, load_table
from batch.recommendations import generate
from batch.results import Results
from batch.segments import calculate
from schemas.tables.features import DAY_TABLES, FEATURE_TABLES, PRODUCT_PAIRS, USER_FEATURES
from schemas.tables.lake import LakeTable
from tests.batch.runs import write_run
from tests.oracle.log import event, order

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

DAY = date(2026, 3, 2)
EVENTS = [
    event(0, f"{DAY} 10:00", session="a", event_id="1", product="p1", user="u1"),
    event(1, f"{DAY} 10:05", session="a", event_id="2", product="p2", user="u1"),
    event(2, f"{DAY} 10:06", session="a", event_id="3", product="p1", user="u1", kind="purchase"),
    event(3, f"{DAY} 11:00", session="b", event_id="4", product="p1", user="u2"),
    event(4, f"{DAY} 11:01", session="b", event_id="5", product="p2", user="u2"),
    event(5, f"{DAY} 12:00", session="c", event_id="6", product="p3"),
    event(6, f"{DAY} 13:00", session="d", event_id="7", product="p1", user="u1"),
]
ORDERS = [order(0, f"{DAY} 10:07", 10.0, transaction="x", user="u1")]


def rows(catalog: Catalog, table: LakeTable, *columns: str) -> list[tuple[object, ...]]:
    found = pl.DataFrame(load_table(catalog, table).scan().to_arrow())
    return sorted(found.select(columns).rows())


def test_features_are_made_from_recomputes_and_the_same_again_by_spark(
    engines: dict[str, Engine[Any]], catalog: Catalog, tmp_path: Path
) -> None:
    create_tables(catalog, [*DAY_TABLES, *FEATURE_TABLES])
    orders = write_run(tmp_path, 1, DAY, ORDERS, "orders")
    inputs = Inputs((write_run(tmp_path, 1, DAY, EVENTS), orders))
    results = Results(tmp_path.as_uri())
    made = calculate(Wiring(engines["local"], results), inputs)
    assert made.rows["user_features"] == {str(DAY): 2}
    products = generate(Wiring(engines["local"], results), inputs)
    assert products.rows == {"product_features": {str(DAY): 4}, "product_pairs": {str(DAY): 2}}
    before = {table.name: rows(catalog, table, *table.frame_schema) for table in (*DAY_TABLES, *FEATURE_TABLES)}
    assert calculate(Wiring(engines["spark"], results), inputs) == made
    assert generate(Wiring(engines["spark"], results), inputs) == products
    assert before == {table.name: rows(catalog, table, *table.frame_schema) for table in (*DAY_TABLES, *FEATURE_TABLES)}
    users = ("user_id", "sessions_30d", "total_purchases_30d", "orders_30d", "lifecycle", "rfm_frequency")
    assert rows(catalog, USER_FEATURES, *users) == [("u1", 2, 1, 1, "new", 1), ("u2", 1, 0, 0, "new", 0)]
    pairs = ("product_id", "neighbour_id", "baskets_with_both", "baskets", "rank", "lift")
    assert rows(catalog, PRODUCT_PAIRS, *pairs) == [
        ("p1", "p2", 2, 4, 1, pytest.approx(4 / 3)),
        ("p2", "p1", 2, 4, 1, pytest.approx(4 / 3)),
    ]
    newest = load_table(catalog, PRODUCT_PAIRS).current_snapshot()
    assert newest is not None
    assert newest.summary is not None
    assert Trace.from_json(newest.summary.additional_properties[INPUTS]) == inputs.trace
