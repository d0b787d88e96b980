"""What every view and column means: comments in the database and the page DICTIONARY.md, made from one source.

Metrics speak for themselves in `schemas.metrics`, columns of tables in `schemas.tables`; what views add is said here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.metrics import GRAIN_KEYS, of_grain
from schemas.tables import clickhouse_migrations

_COLUMN = re.compile(r"^ *(?:ADD COLUMN IF NOT EXISTS )?(\w+) .+? COMMENT '((?:[^']|'')*)'", re.MULTILINE)

_ORIGIN = {
    "layer": "batch, speed or merged: which layer the row comes from",
    "publication_version": "Version of the day's publication; 0 where the day is not published",
    "late_groups": "Groups (of revenue: order facts) for which the speed layer answers on a published day",
}
_KEYS = {"tenant_id": "Customer that the row belongs to", "day": "UTC day", "currency": "ISO 4217 code"}


@dataclass(frozen=True)
class Entry:
    """A view: what a row is, and the meaning of its columns; of an analysis also that of its parameters."""

    name: str
    row: str
    columns: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def comment(self) -> str:
        """The comment of the view: an analysis has no columns to comment on, so it tells of them too."""
        if not self.parameters:
            return self.row
        told = [f"{name}: {meaning}" for name, meaning in {**self.parameters, **self.columns}.items()]
        return f"{self.row}. {'; '.join(told)}"


_ROWS = {
    "events": ("batch_events", "A used event; duplicates and dead letters are left out"),
    "sessions": ("batch_sessions", "A session, on the UTC day of its first event"),
    "sessions_by_id": ("batch_sessions", "A session, as in view sessions, where it is looked up by its session id"),
    "orders": ("batch_orders", "A status change of an order, on its own UTC day"),
    "daily_breakdowns": ("batch_breakdowns", "A metric of a tenant's published UTC day within a member of a dimension"),
    "product_daily": ("batch_products", "A product of a tenant on a UTC day, by the day of the event"),
    "publications": ("batch_publications", "A day of a publication that took place"),
    "progress": ("speed_progress", "A partition of the log as the speed layer reads it now"),
    "dead_letters": ("speed_dead_letters", "A record that could not be used"),
    "alerts": ("speed_alerts", "Something unusual, once for each rule, entity and hour"),
    "product_popularity": ("speed_products", "Five minutes of event time in which something was done with a product"),
    "trending_products": ("speed_products", "A product of a tenant, over the day before the newest event applied"),
    "active_sessions": ("batch_sessions", "A session that may go on, of those that began within two days"),
    "user_orders": ("orders_speed", "A user and currency with completed orders"),
    "inventory": ("speed_inventory", "A product in a warehouse, as its newest record says"),
    "inventory_history": ("speed_inventory", "A change of stock"),
    "tickets": ("speed_tickets", "A service ticket, as its newest record says"),
    "ticket_history": ("speed_tickets", "A state of a service ticket"),
    "profiles": ("speed_profiles", "A user, as the newest profile says"),
    "profile_history": ("speed_profiles", "A state of a user's profile"),
    "signals": ("speed_signals", "A figure from outside about one time, as it was given last"),
    "current_signals": ("speed_signals", "The newest figure of a source, metric, region and product"),
    "gate_results": ("batch_gate_results", "A check of a run of the gate over a UTC day"),
    "reconciliation": ("batch_reconciliation", "A metric of a UTC day, by the speed layer and by the batch"),
    "user_features": ("batch_user_features", "A user as of the end of a UTC day, by the newest load"),
    "user_features_history": ("batch_user_features", "A user as of the end of a UTC day, by one of its loads"),
    "product_features": ("batch_product_features", "A product as of the end of a UTC day, by the newest load"),
    "product_features_history": ("batch_product_features", "A product as of the end of a UTC day, by one of its loads"),
    "user_affinity": ("batch_user_affinity", "A user and category as of the end of a UTC day, by the newest load"),
    "user_affinity_history": ("batch_user_affinity", "A user and category as of the end of a UTC day, by one load"),
    "product_neighbours": ("batch_product_pairs", "A pair of products as of the end of a UTC day, by the newest load"),
    "product_neighbours_history": ("batch_product_pairs", "A pair of products as of the end of a UTC day, by one load"),
}
_OF_VIEW = {
    "gate_results": {"current": "Whether this is of the newest run of the day and dataset"},
    "reconciliation": {"current": "Whether this is of the newest comparison of the day and dataset"},
}
"""What a name means in one view, where it means something else in others."""
_ADDED = {
    "current": "Whether readers get this publication for the day now",
    "dataset": "events or orders",
    **_ORIGIN,
    "units": "Pieces in completed orders",
    "revenue_minor": "Currency -> amount of these pieces, minor units, gross",
    "score": "Weighted counts, halved for every hour of age: see schemas/products.py",
    "seen_until": "Time of the newest event that the speed layer has applied",
    "orders": "Completed orders",
    "total_minor": "Their sum, minor units",
    "mean_minor": "Their mean, minor units",
    "first_order": "Time of the first of them",
    "last_order": "Time of the last of them",
}
_GRAINS = {
    "daily_metrics": "A tenant's UTC day on which there were sessions or events",
    "daily_revenue": "A tenant's UTC day and currency on which there were orders",
}
_SPAN = {"from_day": "first UTC day", "to_day": "last UTC day", "tenant": "a tenant, '' for all"}

ANALYSES: tuple[Entry, ...] = (
    Entry(
        "funnel",
        "A step of an ordered funnel",
        {
            "tenant_id": _KEYS["tenant_id"],
            "segment": "value of segment_by at the visitor's first such event",
            "step": "place, from 1",
            "event_type": "the event that takes it",
            "visitors": "visitors who took this step and all before it in order, within the window from the first",
            "of_first": "visitors at the first step",
            "share": "ratio 0..1 of these; null without any",
        },
        {
            **_SPAN,
            "steps": "event types in order; a repeated one needs a further event",
            "window_s": "seconds after the first step",
            "segment_by": "platform, device_class, country or ''",
        },
    ),
    Entry(
        "retention",
        "A cohort of users first seen in one period, in a period since",
        {
            "tenant_id": _KEYS["tenant_id"],
            "cohort": "first UTC day of the period in which they were first seen",
            "period": "periods since; 0 is the first",
            "users": "users of the cohort with a session in this period",
            "of_cohort": "users of the cohort",
            "share": "ratio 0..1 of these",
            "complete": "the period is over by to_day; one that is not is no drop",
        },
        {**_SPAN, "period": "day or week, which begins on Monday"},
    ),
    Entry(
        "hourly_traffic",
        "A tenant's UTC hour with events",
        {
            "tenant_id": _KEYS["tenant_id"],
            "hour": "start of the hour",
            "events": "events",
            "page_views": "page views",
            "visitors": "distinct users, or session ids of those not signed in, with an event in the hour",
            "purchases": "purchase events",
        },
        _SPAN,
    ),
    Entry(
        "top_products",
        "A product with events in a span of time, most viewed first",
        {
            "tenant_id": _KEYS["tenant_id"],
            "product_id": "product",
            "views": "page views of it",
            "clicks": "clicks on it",
            "add_to_carts": "times put in a cart",
            "purchases": "purchase events",
        },
        {
            "from_time": "first moment, UTC; five minutes of which the span has a part count whole",
            "to_time": "first moment after the span",
            "tenant": _SPAN["tenant"],
            "category": "beginning of properties.category, '' for all",
        },
    ),
    Entry(
        "user_timeline",
        "An event or order of one user",
        {
            "at": "when it happened, UTC",
            "what": "event type, or order and its status",
            "session_id": "session id of an event",
            "product_id": "product of an event",
            "page": "page of an event",
            "search_query": "what was searched for",
            "transaction_id": "order",
            "amount_minor": "amount of an order, minor units",
            "currency": _KEYS["currency"],
        },
        {**_SPAN, "user": "a user of the tenant, or of any"},
    ),
    Entry(
        "search_terms",
        "A term that was searched for, in lower case without blanks around it",
        {
            "tenant_id": _KEYS["tenant_id"],
            "term": "the term",
            "searches": "search events",
            "visitors": "distinct users, or session ids of those not signed in, who searched",
            "searches_before_purchase": "searches with a later purchase event in the same session id",
        },
        _SPAN,
    ),
    Entry(
        "cart_abandonment",
        "A tenant's UTC day with sessions",
        {
            "tenant_id": _KEYS["tenant_id"],
            "day": _KEYS["day"],
            "sessions_with_cart": "sessions that put a product in a cart",
            "abandoned": "those without a purchase event",
            "share": "ratio 0..1 of these; null without any",
        },
        _SPAN,
    ),
    Entry(
        "revenue_by",
        "A value of a dimension of orders, in one currency",
        {
            "tenant_id": _KEYS["tenant_id"],
            "value": "value of the dimension",
            "currency": _KEYS["currency"],
            "orders": "completed orders",
            "gross_minor": "amount of completed orders, minor units",
            "refunded_minor": "amount of refunded orders, minor units",
            "net_minor": "the difference, minor units",
        },
        {**_SPAN, "dimension": "category, product, user, payment_method or ''; the first two count lines"},
    ),
)
"""Parameterised views, by the files of `views/analyses`."""


def described() -> frozenset[str]:
    """The views that `entry` knows."""
    return frozenset({**_ROWS, **_GRAINS})


def entry(view: str) -> Entry:
    """What a view is, and the meaning of its columns and perhaps of others. KeyError if nothing is said of it."""
    if view in _GRAINS:
        metrics = {m.name: f"{m.meaning} [{m.unit}]" for m in of_grain(view)}  # type: ignore[arg-type]
        keys = {key: _KEYS[key] for key in GRAIN_KEYS[view]}  # type: ignore[index]
        return Entry(view, _GRAINS[view], {**keys, **metrics, **_ORIGIN}, {})
    table, row = _ROWS[view]
    return Entry(view, row, {**_columns_of(table), **_ADDED, **_OF_VIEW.get(view, {})}, {})


def comments(view: str) -> str:
    """The statement that comments on a view and its columns."""
    known = entry(view)
    parts = [f"COMMENT COLUMN IF EXISTS {name} {quoted(meaning)}" for name, meaning in known.columns.items()]
    return f"ALTER TABLE {view} {', '.join([*parts, f'MODIFY COMMENT {quoted(known.comment)}'])}"


def page(columns: Mapping[str, Mapping[str, tuple[str, str]]], tables: Mapping[str, str]) -> str:
    """The page. `columns`: view -> column -> (type, comment), `tables`: view -> comment, as the database has them."""
    parts = [_HEAD]
    for view in sorted(columns):
        rows = [f"| `{name}` | {_cell(kind)} | {_cell(meaning)} |" for name, (kind, meaning) in columns[view].items()]
        parts.append(
            "\n".join([f"## {view}\n\n{tables[view]}.\n", "| column | type | meaning |", "|---|---|---|", *rows])
        )
    for one in ANALYSES:
        rows = [f"| `{name}` | {_cell(meaning)} |" for name, meaning in one.columns.items()]
        taken = ", ".join(f"`{name}` ({meaning})" for name, meaning in one.parameters.items())
        head = f"## {one.name}(...)\n\n{one.row}. Parameters: {taken}.\n"
        parts.append("\n".join([head, "| column | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


_HEAD = """# Data dictionary

Every view that analysts read, with its columns: the comments that the database has. Made from `schemas/metrics.py`, the
tables and [dictionary.py](dictionary.py) by `python -m tests.serving.write_dictionary`; a test compares it."""


def _columns_of(table: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for migration in clickhouse_migrations():
        if re.search(rf"TABLE (?:IF NOT EXISTS )?{table}\b", migration.sql):
            found |= {name: meaning.replace("''", "'") for name, meaning in _COLUMN.findall(migration.sql)}
    return found


def quoted(meaning: str) -> str:
    """A string literal of SQL."""
    return "'" + meaning.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
