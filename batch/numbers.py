"""The daily figures of a published day, as readers get them; none where a hole would be the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from batch.publication import Publication
from infra.clients.clickhouse import Client, select
from schemas.metrics import GRAIN_KEYS, Grain, of_grain

_VIEWS: dict[str, Grain] = {"events": "daily_metrics", "orders": "daily_revenue"}


def day_numbers(
    client: Client, day: date, current: Mapping[str, Publication | None]
) -> dict[str, list[dict[str, Any]]]:
    """View -> its rows of the day, for every dataset that is published and has no hole then."""
    holes = select(
        client, "SELECT DISTINCT dataset FROM holes WHERE day = %(day)s", {"dataset": pl.String()}, {"day": day}
    )
    whole = [name for name, published in current.items() if published and name not in holes["dataset"]]
    return {grain: _rows(client, grain, day) for dataset, grain in _VIEWS.items() if dataset in whole}


def _rows(client: Client, grain: Grain, day: date) -> list[dict[str, Any]]:
    columns: dict[str, pl.DataType] = {key: pl.String() for key in GRAIN_KEYS[grain] if key != "day"}
    for metric in of_grain(grain):
        columns[metric.name] = pl.Float64() if metric.kind == "ratio" else pl.Int64()
    sql = f"SELECT {', '.join(columns)} FROM {grain} WHERE day = %(day)s ORDER BY ALL"
    return select(client, sql, columns, {"day": day}).to_dicts()
