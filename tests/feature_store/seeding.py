"""Loads of batch features, as the batch layer leaves them; columns that a test leaves out have the table's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from infra.clients.clickhouse import Client, insert
from tests.support.clickhouse import clear as clear_tables

_TIME = pl.Datetime("ms", "UTC")


def end_of(day: date) -> datetime:
    """From when on the features of a day hold."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def load(
    client: Client, day: date, version: int, created: datetime, tables: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Write the rows of a load, then publish it."""
    for table, rows in tables.items():
        frame = pl.DataFrame(list(rows)).with_columns(
            day=pl.lit(day),
            version=pl.lit(version, pl.UInt64),
            created_at=pl.lit(created).cast(_TIME),
            event_time=pl.lit(end_of(day)).cast(_TIME),
        )
        insert(client, table, frame)
    pointer = {"day": day, "version": version, "events_sequence": version, "orders_sequence": version}
    insert(
        client,
        "batch_feature_loads",
        pl.DataFrame(
            [pointer | {"events_run": f"run-{version}", "orders_run": "", "created_at": created}],
            schema_overrides={"version": pl.UInt64(), "created_at": _TIME},
        ),
    )


def user(tenant: str, name: str, **features: Any) -> dict[str, Any]:
    """A row of batch_user_features."""
    nulls = {"avg_order_value_minor": None, "device_type": None, "preferred_category": None, "last_purchase": None}
    kinds = {"sessions_30d": 1, "lifecycle": "active", "churn_risk_score": 0.25, "segment": "regulars"}
    return {"tenant_id": tenant, "user_id": name, **nulls, **kinds, **features}


def clear(client: Client) -> None:
    """Empty every table that loads and checks write."""
    tables = ("user_features", "product_features", "user_affinity", "product_pairs", "feature_loads")
    ours = ("live_sessions", "live_products", "gate", "materializations", "served", "consistency")
    clear_tables(client, (*(f"batch_{table}" for table in tables), *(f"feature_{table}" for table in ours)))
