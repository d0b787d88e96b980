"""The merged views: SQL templates of `views/`, filled from the frames' columns and the catalogue of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl

from schemas import rollup
from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS, STRING_MAP, TIMESTAMP
from schemas.metrics import Metric, of_grain
from schemas.products import COUNTERS, WINDOW
from schemas.sessions import SESSION_COLUMNS
from serving import dictionary, hot, journeys

_FOLDER = Path(__file__).parent / "views"

INTERNAL = ("current_publications", "found_holes", "closed_figures", "open_figures")
"""Views that others are made of, in the order in which they depend on each other."""

ANALYST = (
    "events",
    "sessions",
    "sessions_by_id",
    "orders",
    "product_daily",
    "daily_metrics",
    "daily_revenue",
    "daily_breakdowns",
    "publications",
    "progress",
    "dead_letters",
    "gate_results",
    "reconciliation",
    "user_features",
    "user_features_history",
    "product_features",
    "product_features_history",
    "user_affinity",
    "user_affinity_history",
    "product_neighbours",
    "product_neighbours_history",
)
"""Views for analysts."""

KEPT = ("selection_of",)
"""Dictionaries of tables alone, which the views below ask."""

DICTIONARIES = (
    *KEPT,
    "holes_of",
    "closed_figures_kept",
    "closed_figures_now",
    "open_figures_kept",
    "open_figures_now",
    "open_days_now",
    "known_days_kept",
    "known_days_now",
)
"""Queries behind which views put what is seldom asked for, or what can be kept."""

_RAISE = "toUInt8(message)"
"""Fails with the message, which is no number, in its text."""

_ITEMS = "Array(Tuple(product_id String, quantity Int32, price_minor Int64, category String))"
_TOPICS = {"events": "user-events", "orders": "transactions"}
STATE = "speed_state.2.2[indexOf(speed_state.2.1, day)] + speed_state.3"
"""A number for what a published day's figures are made of, beside its batch rows."""

SELECTION = "sipHash64(published)"
"""A number for which selection it is that a view reads."""

_SITUATION = "sum(DISTINCT sipHash64(if(endsWith(partition, 'false)'), partition, concat(name, hash_of_all_files))))"
"""A number for all that kept days rest on, of the rows of `parts/situation.sql`."""

_NEVER = (1 << 64) - 1
"""Past every offset: the bound where there is none."""

_UNTIL = "{published_until:DateTime64(3, 'UTC')}"
_FROM, _TO = "{from_time:DateTime64(3, 'UTC')}", "{to_time:DateTime64(3, 'UTC')}"
_DAYS_OF_TIMES = f"day BETWEEN toDate({_FROM}) AND toDate({_TO})"
_WINDOW_MS = WINDOW // timedelta(milliseconds=1)
_SINCE = f"toStartOfFiveMinutes({_FROM})"
_POPULAR = f"{_DAYS_OF_TIMES} AND {journeys.OF_TENANT}"
_POPULAR_WINDOWS = f"{_POPULAR} AND window_start >= {_SINCE} AND window_start < {_TO}"
"""Windows that `top_products` counts: all that its span touches."""

_POPULAR_FACTS = (
    f"{_POPULAR} AND event_time >= {_SINCE}"
    f" AND event_time < toStartOfFiveMinutes(addMilliseconds({_TO}, {_WINDOW_MS - 1}))"
    " AND product_id IS NOT NULL AND event_type != 'search'"
    " AND ({category:String} = '' OR startsWith(properties['category'], {category:String}))"
)
"""Facts of the same windows. Without a category the properties, which are long, are not read."""

PINNED = ("events", "sessions", "orders", "product_daily", "daily_metrics", "daily_revenue")
"""Views that also exist as `<name>_at(published_until = ...)`: what had been published at that moment alone."""


def statements(database: str = "rivermeet") -> list[tuple[str, str]]:
    """(name, CREATE OR REPLACE ...) of every view, in an order in which they can be created in that database."""
    filling, pinned = _filling(database), _filling(database, pinned=True)
    internal = [(name, _create(name, filling)) for name in INTERNAL]
    views = [(name, _create(name, filling)) for name in ("known_days", "open_days", "holes", *ANALYST)]
    at = [(f"{name}_at", _create(_pinned(name), pinned, f"{name}_at")) for name in PINNED]
    analyses = [(one.name, _analysis(one, filling)) for one in dictionary.ANALYSES]
    known = dictionary.described()
    said = [(f"comments of {name}", dictionary.comments(name)) for name in (*ANALYST, *hot.VIEWS) if name in known]
    made = {name: _fill(_read(f"parts/{name}"), filling) for name in DICTIONARIES}
    kept = [(name, made.pop(name)) for name in KEPT]
    return [*kept, *internal, *made.items(), *views, *at, *analyses, *hot.statements(filling), *said]


def situation(database: str = "rivermeet") -> str:
    """A query for one number, another one whenever anything has changed that kept days rest on."""
    return f"SELECT {_SITUATION} AS situation FROM {_situation(database)}"


def open_states(database: str = "rivermeet") -> str:
    """A subquery of (day, state); a query that names it must say which selection is `published`."""
    return _fill(_read("parts/open_states"), {"database": database, "selection": SELECTION}).rstrip()


def _situation(database: str) -> str:
    return _fill(_read("parts/situation"), {"database": database}).rstrip()


def _create(name: str, filling: dict[str, str], view: str = "") -> str:
    return f"CREATE OR REPLACE VIEW {view or name} AS\n{_fill(_read(name), filling)}"


def _pinned(name: str) -> str:
    """The template of the view as of a moment: its own where it has one."""
    own = f"parts/{name}_at"
    return own if (_FOLDER / f"{own}.sql").exists() else name


def _analysis(analysis: dictionary.Entry, filling: dict[str, str]) -> str:
    """A parameterised view; its columns are not known before it is called, so its comment tells of them."""
    text = _fill(_read(f"analyses/{analysis.name}"), filling)
    return f"CREATE OR REPLACE VIEW {analysis.name} AS\n{text.rstrip()}\nCOMMENT {dictionary.quoted(analysis.comment)}"


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text()


def _fill(text: str, filling: dict[str, str]) -> str:
    for key, value in filling.items():
        text = text.replace("{" + key + "}", value)
    return text


def _filling(database: str, *, pinned: bool = False) -> dict[str, str]:
    return {
        **_publication_parts(database, pinned),
        **_column_parts(),
        **_metric_parts(),
        "raise": _RAISE,
        "days_of_times": _DAYS_OF_TIMES,
        "popular_facts": _POPULAR_FACTS,
        "popular_windows": _POPULAR_WINDOWS,
        "funnel_levels": journeys.levels(journeys.VISITOR, journeys.SEGMENT, journeys.OF_TENANT),
        "retention_seen": journeys.seen(journeys.OF_TENANT),
    }


def _publication_parts(database: str, pinned: bool) -> dict[str, str]:
    """How views know what is published, what is missing, and which speed rows answer: of a pinned view none."""
    live, until = ("0 AND ", f" WHERE published_at <= {_UNTIL}") if pinned else ("", "")
    said = {
        name: f"dictGet('{database}.selection_of', '{name}', published)"
        for name in ("days", "versions", "hot_days", "hot_versions", "places", "bounds", "known")
    }
    unpublished = f"day NOT IN {said['days']}"
    past_cut = f"transform(place, {said['places']}, {said['bounds']}, {_NEVER}) <= reached"
    parts = {
        "open": f"{live}{unpublished}",
        "late": f"{live}late AND {past_cut}",
        "answers": f"{live}({unpublished} OR (late AND {past_cut}))",
        "order_answers": f"{live}({unpublished} OR {past_cut})",
        "speed_version": f"transform(day, {said['days']}, {said['versions']}, toUInt64(0))",
        "selected": f"arrayZip({said['days']}, {said['versions']})",
        "hot": f"arrayZip({said['hot_days']}, {said['hot_versions']})",
        "selection": SELECTION,
        "hole_rows": "arrayJoin(arrayZip(found.1, found.3, found.4, found.2))",
        "speed_state": _fill(_read("parts/speed_state"), {"database": database}).rstrip(),
        "situation": situation(database),
        "situation_number": _SITUATION,
        "situation_parts": _situation(database),
        "state": STATE,
        "open_days": f"arrayFilter(day -> NOT has({said['days']}, day), states.1)",
        "open_states": open_states(database),
        "database": database,
        "orders": f"orders_at(published_until = {_UNTIL})" if pinned else "orders",
    }
    for dataset, topic in _TOPICS.items():
        names = {
            "dataset": dataset,
            "topic": topic,
            "database": database,
            "before_pin": until,
            "is_live": live,
            "known": said["known"],
        }
        missing = _fill(_read("parts/missing"), names).rstrip()
        parts[f"{dataset}_missing"] = missing
        parts[f"{dataset}_holes"] = _fill(_read("parts/holes"), {"missing": missing})
        parts[f"{dataset}_published"] = _fill(_read("parts/published"), names).rstrip()
    return parts


def _column_parts() -> dict[str, str]:
    sessions = [column for column in SESSION_COLUMNS if column not in GROUP]
    return {
        "event_columns": _list(EVENT_COLUMNS),
        "event_defaults": _list(map(_default, EVENT_COLUMNS.values())),
        "order_columns": _list(ORDER_COLUMNS),
        "order_defaults": _list(map(_default, ORDER_COLUMNS.values())),
        "group_columns": _list(GROUP),
        "group_defaults": _list(_default(SESSION_COLUMNS[column]) for column in GROUP),
        "session_columns": _list(sessions),
        "session_defaults": _list(_default(SESSION_COLUMNS[column]) for column in sessions),
        "session_elements": _list(f"tupleElement(session, {n}) AS {column}" for n, column in enumerate(sessions, 1)),
        "session_arrays": _list(f"sessions.{column} AS {column}" for column in sessions),
        "counters": _list(COUNTERS),
        "counter_sums": _list(f"sum(part.{name}) AS {name}" for name in COUNTERS),
        "counter_facts": _list(f"toUInt64(event_type = '{kind}') AS {name}" for name, kind in COUNTERS.items()),
        "counter_pairs": _list(f"('{kind}', {name})" for name, kind in COUNTERS.items()),
        "counter_times": _list(f"sumIf(times, kind = '{kind}') AS {name}" for name, kind in COUNTERS.items()),
        "counter_defaults": _list(f"toUInt64({_RAISE}) AS {name}" for name in COUNTERS),
        "counted_types": _list(f"'{kind}'" for kind in COUNTERS.values()),
    }


def _metric_parts() -> dict[str, str]:
    """The catalogue, as figures of one array (see `schemas.rollup`) and as columns of the answer."""
    metrics, count = rollup.folded(), len(rollup.folded())
    fields = _session_fields()
    totals = {metric.name: f"total[{n}]" for n, metric in enumerate(metrics, 1)}
    places = {metric.name: f"row.{n}" for n, metric in enumerate(metrics, 5)}
    late_groups, late_rows = f"total[{count + 1}]", f"total[{count + 2}]"
    closed = (f"if({late_rows} = 0, 'batch', 'merged')", "version", f"toUInt64({late_groups})")
    changes = {metric.name: f"sumIf(change, metric = {n})" for n, metric in enumerate(rollup.distinct(), 2)}
    return {
        "catalogue": rollup.catalogue(),
        "event_figures": rollup.figures("events"),
        "counted_figures": rollup.counted("events", "times"),
        "counted_fields": _list(["tenant_id", "day", *rollup.fields("events", EVENT_COLUMNS)]),
        "session_figures": rollup.sorted_figures("sessions"),
        "row_figures": rollup.row_figures("sessions"),
        "changes": f"CAST([{_list(changes.get(metric.name, '0') for metric in metrics)}], 'Array(Int64)')",
        "members": rollup.members(),
        "group_key": rollup.GROUP_KEY,
        "speed_fields": _list(f"sessions.{column} AS {column}" for column in fields),
        "joined_fields": _list(fields),
        "first_field": fields[0],
        "count": str(count),
        "rows": f"{count + 3}",
        "metrics": _list(f"{_of_places(metric, totals)} AS {metric.name}" for metric in of_grain("daily_metrics")),
        "row_metrics": _list(f"{_of_places(metric, places)} AS {metric.name}" for metric in of_grain("daily_metrics")),
        "open_row": _list(("tenant", "'speed'", "toUInt64(0)", "toUInt64(0)", *totals.values())),
        "closed_row": _list(("tenant", *closed, *totals.values())),
        "rows_type": f"Array(Tuple(String, String, UInt64, UInt64, {_list('Int64' for _ in metrics)}))",
        "revenue_metrics": _list(f"{_of_rows(metric)} AS {metric.name}" for metric in of_grain("daily_revenue")),
    }


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


def _default(dtype: pl.DataType) -> str:
    """A value of the column's type for the row of a hole. No value is ever read: making it raises the message.

    All are made of the message, for a constant would let the engine drop the row by a condition on that column alone.
    """
    if dtype == TIMESTAMP:
        return f"toDateTime64({_RAISE}, 3, 'UTC')"
    if dtype == STRING_MAP:
        return f"map(toString({_RAISE}), '')"
    if dtype == pl.List(pl.String):
        return f"[toString({_RAISE})]"
    if isinstance(dtype, pl.List):
        return f"CAST([(toString({_RAISE}), 0, 0, '')], '{_ITEMS}')"
    return {pl.String: f"toString({_RAISE})", pl.Boolean: f"toBool({_RAISE})"}.get(type(dtype), _RAISE)


def _session_fields() -> list[str]:
    """The columns of a session that the catalogue speaks of, and always one that no session lacks."""
    spoken = rollup.fields("sessions", SESSION_COLUMNS)
    return [name for name in SESSION_COLUMNS if name not in GROUP and (name in spoken or name == "session_start")]


def _of_places(metric: Metric, places: dict[str, str]) -> str:
    """A metric of `daily_metrics`, from the added figures, of which it is told where they are."""
    return places[metric.name] if metric.kind != "ratio" else _ratio(metric, places)


def _of_rows(metric: Metric) -> str:
    """A metric of a grain that is folded from rows when it is asked for."""
    values = {folded.name: rollup.fold(folded) for folded in of_grain(metric.grain) if folded.kind != "ratio"}
    return values[metric.name] if metric.kind != "ratio" else _ratio(metric, values)


def _ratio(metric: Metric, values: dict[str, str]) -> str:
    scale = "" if metric.scale == 1 else f" * {metric.scale}"
    top, bottom = values[metric.numerator], values[metric.denominator]
    return f"divideOrNull({top}, {bottom}){scale}"
