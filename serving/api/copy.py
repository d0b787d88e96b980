"""What the copy for point reads can still answer while ClickHouse is away, marked as partial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.clients.cassandra import PointsUnavailable
from serving.api.context import Context
from serving.api.days import Days
from serving.api.problems import UNAVAILABLE, Problem


def or_copy(
    context: Context,
    days: Days,
    asked: Callable[[], dict[str, Any]],
    copied: Callable[[str], list[dict[str, Any]]],
    tenant: str | None,
) -> dict[str, Any]:
    """The answer, or while ClickHouse is away the sessions of the days that the copy has for the tenant.

    Raises `Problem`: also if the copy has none, for then nobody knows.
    """
    try:
        return asked()
    except Problem as problem:
        if problem.kind is not UNAVAILABLE or tenant is None:
            raise
        found = _sessions(days, copied, tenant)
        if not found:
            raise
        return {
            "data": found,
            "page": {"size": len(found), "next_cursor": None},
            "provenance": {
                "dataset": "events",
                "source": "cassandra",
                "partial": True,
                "publication_sequence": None,
                "applied_until": None,
                "speed_lag_seconds": None,
                "answered_at": context.clock(),
            },
        }


def _sessions(days: Days, copied: Callable[[str], list[dict[str, Any]]], tenant: str) -> list[dict[str, Any]]:
    try:
        found = copied(tenant)
    except PointsUnavailable:
        return []
    within = [one for one in found if days.first <= one["day"] <= days.last]
    return [{**one, "layer": "speed", "publication_version": None} for one in within]
