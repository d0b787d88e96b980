"""Session metrics to the features of running sessions: pure, and the same in whatever pieces they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

CategoryOf = Callable[[str, str], str | None]
"""The category of a tenant's product; None where nobody knows it."""


class Ordered(Protocol):
    """What has a place in the order of values of one entity: greater is newer."""

    @property
    def order(self) -> tuple[int, int]:
        """Event time and when it was known, milliseconds."""
        ...


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session as of one event. Times are milliseconds UTC; `user_id` is empty if nobody signed in."""

    tenant_id: str
    user_id: str
    session_id: str
    event_time: int
    appended_at: int
    log_epoch: int
    log_partition: int
    as_of: int
    page_views: int
    cart_items: int
    seconds: float
    products: tuple[str, ...]
    category: str | None

    @property
    def order(self) -> tuple[int, int]:
        """Its place among values of one session or user."""
        return self.event_time, self.appended_at


def live_session(record: Mapping[str, Any], appended_ms: int, category_of: CategoryOf) -> LiveSession | None:
    """The running session of a `SessionMetric`: of several sessions of one id the last; None where none is left."""
    if not record["sessions"]:
        return None
    last = max(record["sessions"], key=lambda session: (session["sessionEnd"], session["sessionStart"]))
    tenant, products = record["tenantId"], tuple(last.get("products", ()))
    return LiveSession(
        tenant,
        last["userId"] or "",
        record["sessionId"],
        last["sessionEnd"],
        max(appended_ms, last["sessionEnd"]),
        record["logEpoch"],
        record["logPartition"],
        record["asOf"],
        last["pageViews"],
        max(0, last["addToCarts"] - last["purchases"]),
        last["durationMs"] / 1000,
        products,
        category_of(tenant, products[-1]) if products else None,
    )


_Item = TypeVar("_Item", bound=Ordered)
_Key = TypeVar("_Key")


def newest(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> list[_Item]:
    """Of each key the newest item: what a reader could not see is not written."""
    found: dict[_Key, _Item] = {}
    for item in items:
        best = found.setdefault(key(item), item)
        if item.order > best.order:
            found[key(item)] = item
    return list(found.values())


def session_values(session: LiveSession) -> dict[str, Any]:
    """The features of view session_live."""
    return {
        "session_views": session.page_views,
        "session_cart_items": session.cart_items,
        "session_seconds": session.seconds,
        "session_category": session.category,
    }


def user_values(session: LiveSession) -> dict[str, Any]:
    """The features of view user_live."""
    return {
        "live_session_views": session.page_views,
        "live_cart_items": session.cart_items,
        "live_session_seconds": session.seconds,
        "products_viewed_now": session.products,
    }


def recent_values(session: LiveSession) -> dict[str, Any]:
    """The features of view user_recent."""
    return {"last_seen": session.event_time, "last_category": session.category}
