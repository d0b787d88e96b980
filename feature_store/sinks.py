"""The two stores of the push consumer: ClickHouse for the history, Cassandra for serving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter

import polars as pl
from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from feature_store.live import LiveSession, newest, recent_values, session_values, user_values
from feature_store.online_store import OnlineWriteFailed
from feature_store.popularity import LiveProduct, live_values
from feature_store.writing import OnlineRow, OnlineWriter
from infra.clients.clickhouse import Client, StoreUnavailable, insert, select

_TIME = pl.Datetime("ms", "UTC")
_SESSION_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("tenant_id", "user_id", "session_id"), pl.String),
    **dict.fromkeys(("event_time", "appended_at"), pl.Int64),
    "log_epoch": pl.UInt32,
    "log_partition": pl.UInt16,
    "as_of": pl.UInt64,
    "page_views": pl.Int64,
    "cart_items": pl.Int64,
    "seconds": pl.Float64,
    "products": pl.List(pl.String),
    "category": pl.String,
}
_COUNTS = ("views_5m", "views_60m", "carts_60m", "purchases_60m")
_PRODUCT_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "tenant_id": pl.String,
    "product_id": pl.String,
    "event_time": pl.Int64,
    **dict.fromkeys(_COUNTS, pl.Int64),
}
_session_row, _product_row = attrgetter(*_SESSION_COLUMNS), attrgetter(*_PRODUCT_COLUMNS)


class Stores:
    """The sink of the push consumer."""

    passing: tuple[type[Exception], ...] = (StoreUnavailable, OnlineWriteFailed, NoHostAvailable, DriverException)

    def __init__(self, client: Client, online: OnlineWriter) -> None:
        self._client, self._online = client, online

    def keep(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct], now_ms: int) -> None:
        """One insert per table. Raises `StoreUnavailable`."""
        if sessions:
            frame = pl.DataFrame(list(map(_session_row, sessions)), schema=_SESSION_COLUMNS, orient="row")
            insert(self._client, "feature_live_sessions", _timed(frame, now_ms))
        if products:
            frame = pl.DataFrame(list(map(_product_row, products)), schema=_PRODUCT_COLUMNS, orient="row")
            timed = frame.with_columns(appended_at=pl.col("event_time"))
            insert(self._client, "feature_live_products", _timed(timed, now_ms))

    def serve(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct]) -> None:
        """Sessions under their id, and under the user who is in them. Raises `OnlineWriteFailed`."""
        users = newest((s for s in sessions if s.user_id), lambda s: (s.tenant_id, s.user_id))
        self._online.write_views(
            chain(map(_of_session, sessions), chain(*map(_of_user, users)), map(_of_product, products))
        )


class Categories:
    """Categories of products as the newest batch knows them; read again when they are `seconds` old."""

    _SQL = (
        "SELECT tenant_id, product_id, argMax(category, (event_time, created_at)) AS newest"
        " FROM batch_product_features WHERE (day, version) IN (SELECT day, version FROM batch_feature_loads)"
        " AND category IS NOT NULL GROUP BY tenant_id, product_id"
    )

    def __init__(self, client: Client, seconds: float = 600.0) -> None:
        self._client, self._seconds = client, seconds
        self._known: dict[tuple[str, str], str] = {}
        self._read_at: float | None = None

    def __call__(self, tenant_id: str, product_id: str) -> str | None:
        """The category of a product."""
        return self._known.get((tenant_id, product_id))

    def refresh(self, now: float) -> None:
        """Read them if they are old. Raises `StoreUnavailable`."""
        if self._read_at is None or now - self._read_at > self._seconds:
            columns = dict.fromkeys(("tenant_id", "product_id", "newest"), pl.String())
            rows = select(self._client, self._SQL, columns).iter_rows()
            self._known = {(tenant, product): category for tenant, product, category in rows}
            self._read_at = now


def _of_session(session: LiveSession) -> tuple[str, OnlineRow]:
    row = OnlineRow((session.tenant_id, session.session_id), *session.order, session_values(session))
    return "session_live", row


def _of_user(session: LiveSession) -> Iterator[tuple[str, OnlineRow]]:
    """Side by side, and so one write to Cassandra."""
    for view, values in (("user_live", user_values), ("user_recent", recent_values)):
        yield view, OnlineRow((session.tenant_id, session.user_id), *session.order, values(session))


def _of_product(product: LiveProduct) -> tuple[str, OnlineRow]:
    return "product_live", OnlineRow((product.tenant_id, product.product_id), *product.order, live_values(product))


def _timed(frame: pl.DataFrame, now_ms: int) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("event_time", "appended_at").cast(_TIME), pushed_at=pl.lit(now_ms, pl.Int64).cast(_TIME)
    )
