"""A user's features, deleted online and offline, and looked for again.

What the lake and the logs hold of the user is not touched: until it is gone there too, the next recompute makes new
rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from feature_store.catalogue import PRODUCT, SESSION, TENANT, USER, VIEWS
from feature_store.writing import OnlineWriter
from infra.clients.clickhouse import Client, select

OFFLINE = ("batch_user_features", "batch_user_affinity", "feature_live_sessions")
"""Tables with rows of users."""
_WHERE = f"{TENANT} = {{tenant:String}} AND {USER} = {{user:String}}"
_SERVED = "has(entity, {user:String}) AND entity[1] = {tenant:String}"


class StillThere(Exception):
    """Rows of the user were found after they had been deleted. Stop what writes them, then forget the user again."""

    def __init__(self, found: dict[str, int]) -> None:
        said = ", ".join(f"{count} in {where}" for where, count in found.items())
        super().__init__(f"rows of the user are still there ({said}): something writes them; stop it and try again")
        self.found = found


@dataclass(frozen=True)
class Forgotten:
    """What was deleted: rows by offline table, and entities by online view; and that nothing of it is left."""

    tenant_id: str
    user_id: str
    offline: dict[str, int]
    online: dict[str, int]


def forget(client: Client, online: OnlineWriter, tenant: str, user: str, now_ms: int) -> Forgotten:
    """Delete a user's rows. Raises `StillThere`, `StoreUnavailable`."""
    entities = _entities(client, tenant, user)
    before = _counts(client, tenant, user)
    held = {view: sum(online.holds(view, found)) for view, found in entities.items()}
    for view, found in entities.items():
        online.erase(view, found, now_ms)
    for table, where in _places():
        client.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 1", _who(tenant, user))
    left = _counts(client, tenant, user) | {view: sum(online.holds(view, found)) for view, found in entities.items()}
    if remaining := {where: count for where, count in left.items() if count}:
        raise StillThere(remaining)
    return Forgotten(tenant, user, before, held)


def _places() -> list[tuple[str, str]]:
    return [*((table, _WHERE) for table in OFFLINE), ("feature_served", _SERVED)]


def _counts(client: Client, tenant: str, user: str) -> dict[str, int]:
    return {
        table: int(
            select(
                client, f"SELECT count() AS n FROM {table} WHERE {where}", {"n": pl.Int64()}, _who(tenant, user)
            ).item()
        )
        for table, where in _places()
    }


def _entities(client: Client, tenant: str, user: str) -> dict[str, list[tuple[str, ...]]]:
    """The keys under which each online view may hold something of the user; products and sessions by the history."""
    products = _column(client, f"SELECT DISTINCT value AS found FROM batch_user_affinity WHERE {_WHERE}", tenant, user)
    sessions = _column(
        client, f"SELECT DISTINCT {SESSION} AS found FROM feature_live_sessions WHERE {_WHERE}", tenant, user
    )
    keys: dict[tuple[str, ...], list[tuple[str, ...]]] = {
        (TENANT, USER): [(tenant, user)],
        (TENANT, USER, PRODUCT): [(tenant, user, product) for product in products],
        (TENANT, SESSION): [(tenant, session) for session in sessions],
    }
    return {view.name: keys[view.keys] for view in VIEWS.values() if view.keys in keys}


def _column(client: Client, sql: str, tenant: str, user: str) -> list[str]:
    return select(client, sql, {"found": pl.String()}, _who(tenant, user)).get_column("found").to_list()


def _who(tenant: str, user: str) -> dict[str, str]:
    return {"tenant": tenant, "user": user}
