"""The SQL of views' histories, with the columns `event_time` and `created_at`."""

from __future__ import annotations

NEIGHBOURS, INTERESTS = 10, 5
"""How many neighbours of a product, and interests of a user, are served."""


def published(table: str) -> str:
    """Rows of every published load of a batch table."""
    return f"SELECT * FROM {table} WHERE (day, version) IN (SELECT day, version FROM batch_feature_loads)"


def best(kind: str, field: str) -> str:
    """The first neighbours of one kind."""
    pairs = f"arraySort(groupArrayIf((rank, {field}), kind = '{kind}'))"
    return f"arrayMap(pair -> pair.2, arraySlice({pairs}, 1, {NEIGHBOURS}))"


def first(dimension: str, field: str) -> str:
    """The first interests of one dimension."""
    pairs = f"arraySort(groupArrayIf((rank, {field}), dimension = '{dimension}'))"
    return f"arrayMap(pair -> pair.2, arraySlice({pairs}, 1, {INTERESTS}))"


def grouped(table: str, key: str, **columns: str) -> str:
    """One row per key and load, with columns that are aggregates."""
    chosen = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    keys = f"tenant_id, {key}, event_time, created_at"
    return f"SELECT {keys}, {chosen} FROM ({published(table)}) GROUP BY {keys}"


def pushed(table: str, key: str, where: str = "") -> str:
    """Rows that were put online, each once: two of one moment would give training two rows for one."""
    once = f"LIMIT 1 BY tenant_id, {key}, event_time, appended_at"
    return f"SELECT *, appended_at AS created_at FROM {table} FINAL {where} {once}"
