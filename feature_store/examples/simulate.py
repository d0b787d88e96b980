"""Data to try the store with: a shop whose shoppers fade before they leave, folded into loads as the batch layer does.

    python -m feature_store.examples.simulate

It writes loads of tenant `loyal-shop` for every fifth day up to yesterday into the warehouse of this stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import polars as pl

from infra.clients.clickhouse import Client, connect, insert
from infra.settings import load_settings
from infra.simulator.loyalty import Regular, Visit, regulars, visits
from schemas.frames import TIMESTAMP
from schemas.segments import LOOKBACK, ChurnModel, user_base
from schemas.user_activity import of_orders, of_sessions

TENANT, CURRENCY = "loyal-shop", "EUR"
SHOPPERS, DAYS, STEP, SEED = 1_000, 200, 5, 20
KNOWN_AFTER = timedelta(hours=3)
"""How long after the end of a day its features are published."""

_COUNTS = ("events", "page_views", "clicks", "searches", "add_to_carts", "purchases", "duration_ms")
_SESSIONS: dict[str, Any] = {
    "day": pl.Date,
    **dict.fromkeys(("tenant_id", "user_id", "device_class", "platform"), pl.String),
    **dict.fromkeys(("session_start", "session_end"), TIMESTAMP),
    **dict.fromkeys(_COUNTS, pl.Int64),
    **dict.fromkeys(("converted", "overlong"), pl.Boolean),
}
_ORDERS: dict[str, Any] = {
    "day": pl.Date,
    **dict.fromkeys(("tenant_id", "user_id", "currency", "status"), pl.String),
    "amount_minor": pl.Int64,
    "order_time": TIMESTAMP,
}


def simulate(client: Client, today: date, shoppers: int = SHOPPERS, tenant: str = TENANT) -> list[Regular]:
    """Write the loads; answers the shoppers, who know when they leave. Raises `StoreUnavailable`."""
    rng, first = Random(SEED), today - timedelta(days=DAYS)  # noqa: S311 - not for secrets
    found = regulars(rng, shoppers, DAYS)
    activity = _activity(visits(rng, found, DAYS, _milliseconds(first)), first, tenant)
    for back in reversed(range(0, DAYS - LOOKBACK, STEP)):
        day = today - timedelta(days=1 + back)
        _load(client, user_base(activity, day, ChurnModel()), day)
    return found


def _activity(made: Iterable[Visit], first: date, tenant: str) -> pl.DataFrame:
    rows = list(made)
    sessions = of_sessions(pl.DataFrame([_session(visit, first, tenant) for visit in rows], schema=_SESSIONS))
    bought = [_order(visit, first, tenant) for visit in rows if visit.purchases]
    return pl.concat([sessions, of_orders(pl.DataFrame(bought, schema=_ORDERS))])


def _session(visit: Visit, first: date, tenant: str) -> dict[str, Any]:
    return {
        "day": first + timedelta(days=visit.day),
        "tenant_id": tenant,
        "user_id": visit.user_id,
        "device_class": visit.device,
        "platform": "web",
        "session_start": _moment(visit.start_ms),
        "session_end": _moment(visit.start_ms + visit.seconds * 1000),
        "events": visit.page_views + visit.add_to_carts + visit.purchases,
        "page_views": visit.page_views,
        "clicks": 0,
        "searches": 0,
        "add_to_carts": visit.add_to_carts,
        "purchases": visit.purchases,
        "duration_ms": visit.seconds * 1000,
        "converted": bool(visit.purchases),
        "overlong": False,
    }


def _order(visit: Visit, first: date, tenant: str) -> dict[str, Any]:
    return {
        "day": first + timedelta(days=visit.day),
        "tenant_id": tenant,
        "user_id": visit.user_id,
        "currency": CURRENCY,
        "status": "completed",
        "amount_minor": visit.amount_minor,
        "order_time": _moment(visit.start_ms + visit.seconds * 1000),
    }


def _load(client: Client, features: pl.DataFrame, day: date) -> None:
    created = datetime.combine(day + timedelta(days=1), time(), UTC) + KNOWN_AFTER
    # Loads of the batch layer have greater versions and newer inputs: this one never takes their place.
    version = int(day.strftime("%Y%m%d"))
    stamp = {"version": pl.lit(version, pl.UInt64), "created_at": pl.lit(created).cast(TIMESTAMP)}
    insert(client, "batch_user_features", features.with_columns(**stamp))
    pointer = {"day": day, "events_sequence": 0, "orders_sequence": 0, "events_run": "simulated", "orders_run": ""}
    insert(client, "batch_feature_loads", pl.DataFrame([pointer]).with_columns(**stamp))


def _milliseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


if __name__ == "__main__":
    with closing(connect(load_settings().clickhouse)) as opened:
        simulate(opened, datetime.now(UTC).date())
