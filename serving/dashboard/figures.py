"""The figures of the overview, each read from the merged views by one query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clients.clickhouse import Client
from schemas.frames import TIMESTAMP, milliseconds
from schemas.metrics import METRICS
from schemas.rollup import fold
from schemas.sessions import SessionRules
from serving.api.store import rows
from serving.dashboard.spans import Span

SHOWN = 6
_ALERTS_SHOWN = 20
_COUNTS = pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))
_SPLITS = {
    "devices": "toString(device_class)",
    "countries": "ifNull(toString(country), '')",
    "tenants": "toString(tenant_id)",
}
_UNKNOWN_TABLE, _NOT_ALLOWED = 60, 497
_FOLDS = {metric.name: metric for metric in METRICS}
_START = "fromUnixTimestamp64Milli({start:Int64}, 'UTC')"
_END = "fromUnixTimestamp64Milli({end:Int64}, 'UTC')"
_DAYS = "day BETWEEN {first_day:Date} AND {last_day:Date}"
_KEY = "tenant_id, session_id, log_epoch, log_partition"
GAP = SessionRules().gap

Row = dict[str, Any]


def parameters(span: Span, tenant: str | None) -> Row:
    """The parameters that all queries here take. A session may have begun on the day before the span."""
    return {
        "start": milliseconds(span.start),
        "end": milliseconds(span.end),
        "first_day": span.first_day,
        "last_day": span.last_day,
        "tenant": tenant or "",
    }


def sessions(client: Client, span: Span, tenant: str | None) -> Row:
    """Sessions that begin in the span, as they stood at its end: what happened in them later is left out.

    Also how many there are by device class, country and tenant, the most frequent first.
    """
    where = f"{_DAYS} AND session_start >= {_START} AND session_start < {_END}{_of(tenant)}"
    over = f"session_end < {_END}"
    counted = (f"sumMap(map({name}, toUInt64(1))) AS {key}" for key, name in _SPLITS.items())
    sql = (
        f"SELECT {fold(_FOLDS['sessions'])} AS sessions, {fold(_FOLDS['visitors'])} AS visitors,"
        f" countIf(converted AND {over}) AS conversions, countIf(NOT overlong AND {over}) AS timed,"
        f" sumIf(duration_ms, NOT overlong AND {over}) AS ms, countIf(NOT {over}) AS going_on,"
        " uniqExactIf((tenant_id, session_id, log_epoch, log_partition), layer = 'speed' AND publication_version > 0)"
        f" AS late_groups, {', '.join(counted)} FROM sessions WHERE {where}"
    )
    names = ("sessions", "visitors", "conversions", "timed", "ms", "going_on", "late_groups")
    columns = {**dict.fromkeys(names, pl.Int64()), **dict.fromkeys(_SPLITS, _COUNTS)}
    (found,) = rows(client, sql, columns, parameters(span, tenant))
    # At the present nothing lies behind the end of the span, but a clock that runs ahead may say so.
    open_ = _going_on(client, span, tenant, where) if found["going_on"] else dict.fromkeys(("bought", "timed", "ms"), 0)
    timed = found["timed"] + open_["timed"]
    conversions = found["conversions"] + open_["bought"]
    return {
        "sessions": found["sessions"],
        "visitors": found["visitors"],
        "conversions": conversions,
        "conversion_rate": conversions / found["sessions"] if found["sessions"] else None,
        "avg_session_seconds": (found["ms"] + open_["ms"]) / timed / 1000 if timed else None,
        "late_groups": found["late_groups"],
        **{key: _ranked(found[key]) for key in _SPLITS},
    }


def _ranked(counts: list[Row]) -> list[Row]:
    """(name, sessions) of the most frequent values, and of all others together."""
    ranked = sorted(((pair["key"], pair["value"]) for pair in counts), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(sessions for _, sessions in ranked[SHOWN:])
    shown = [*ranked[:SHOWN], *([("other", rest)] if rest else [])]
    return [{"name": name, "sessions": sessions} for name, sessions in shown]


def _going_on(client: Client, span: Span, tenant: str | None, where: str) -> Row:
    """Of the sessions that went on past the end of the span: what their events until then make of them."""
    events = (
        f"SELECT {_KEY}, event_time, event_type FROM events"
        f" WHERE day BETWEEN {{first_day:Date}} AND {{last_day:Date}} AND event_time < {_END}{_of(tenant)}"
    )
    sql = (
        "SELECT countIf(buys) AS bought, countIf(length <= 86400000) AS timed,"
        " sumIf(length, length <= 86400000) AS ms FROM ("
        f"SELECT {_KEY}, session_start, countIf(event_type = 'purchase') > 0 AS buys,"
        " dateDiff('millisecond', session_start, max(event_time)) AS length"
        f" FROM (SELECT {_KEY}, session_start FROM sessions WHERE {where} AND session_end >= {_END}) AS s"
        f" INNER JOIN ({events}) AS e USING ({_KEY}) WHERE event_time >= session_start GROUP BY {_KEY}, session_start)"
    )
    names = ("bought", "timed", "ms")
    return rows(client, sql, dict.fromkeys(names, pl.Int64()), parameters(span, tenant))[0]


def revenue(client: Client, span: Span, tenant: str | None, grain: str) -> list[Row]:
    """Net revenue by currency and hour or day of the span: currency, slot (from 0), net_minor, orders."""
    start = "toStartOfHour(order_time)" if grain == "hour" else "toStartOfDay(order_time)"
    slot = f"dateDiff('{grain}', {_START}, {start})"
    sql = (
        f"SELECT currency, {slot} AS slot, {fold(_FOLDS['net_revenue_minor'])} AS net_minor,"
        f" {fold(_FOLDS['orders'])} AS orders FROM orders"
        f" WHERE {_DAYS} AND order_time >= {_START} AND order_time < {_END}{_of(tenant)}"
        " GROUP BY currency, slot ORDER BY currency, slot"
    )
    columns = {"currency": pl.String(), "slot": pl.Int64(), "net_minor": pl.Int64(), "orders": pl.Int64()}
    return rows(client, sql, columns, parameters(span, tenant))


def activity(client: Client, now: datetime, tenant: str | None, hours: int) -> Row:
    """Of the hours before: `traffic`, events by minute (`closed`: all of them are in a publication), and
    `active_sessions`, session ids with an event in the last half hour: after such a pause a session has ended.
    """
    span = Span(now.replace(second=0, microsecond=0) - timedelta(hours=hours), now)
    minute = "toInt64(toUnixTimestamp(toStartOfMinute(event_time)))"
    sql = (
        f"SELECT sumMap(map({minute}, toUInt64(1))) AS minutes,"
        f" sumMap(map({minute}, toUInt64(layer = 'speed'))) AS open_minutes,"
        " uniqExactIf((tenant_id, session_id), event_time > fromUnixTimestamp64Milli({active_since:Int64}, 'UTC'))"
        f" AS active_sessions FROM events WHERE {_DAYS}{_of(tenant)}"
        f" AND event_time >= {_START} AND event_time <= {_END}"
    )
    pairs = pl.List(pl.Struct({"key": pl.Int64, "value": pl.Int64}))
    columns = {"minutes": pairs, "open_minutes": pairs, "active_sessions": pl.Int64()}
    values = parameters(span, tenant) | {"active_since": milliseconds(now - GAP)}
    (found,) = rows(client, sql, columns, values)
    unpublished = {pair["key"]: pair["value"] for pair in found["open_minutes"]}
    traffic = [
        {
            "minute": datetime.fromtimestamp(pair["key"], UTC),
            "events": pair["value"],
            "closed": not unpublished.get(pair["key"]),
        }
        for pair in found["minutes"]
    ]
    return {"active_sessions": found["active_sessions"], "traffic": traffic}


def applied(client: Client) -> dict[int, int]:
    """Partition of the events' log -> offset below which the speed layer has applied it."""
    sql = "SELECT log_partition, applied FROM progress WHERE dataset = 'events'"
    found = rows(client, sql, {"log_partition": pl.Int64(), "applied": pl.Int64()}, {})
    return {row["log_partition"]: row["applied"] for row in found}


def moved(client: Client) -> Row:
    """A mark that changes whenever an answer can: what is applied, and the last publication."""
    sql = "SELECT sum(applied) AS applied, (SELECT max(sequence) FROM publications) AS sequence FROM progress"
    return rows(client, sql, {"applied": pl.Int64(), "sequence": pl.Int64()}, {})[0]


def alerts(client: Client, now: datetime, tenant: str | None) -> list[Row] | None:
    """Alerts of the last hour, latest first; None where nothing raises alerts."""
    span = Span(now - timedelta(hours=1), now)
    sql = (
        "SELECT alert_id, tenant_id, rule, severity, entity, session_id, window_end, message FROM alerts"
        f" WHERE {_DAYS} AND window_end >= {_START}{_of(tenant)} "
        f" ORDER BY window_end DESC, alert_id LIMIT {_ALERTS_SHOWN}"
    )
    texts = ("alert_id", "tenant_id", "rule", "severity", "entity", "session_id", "message")
    columns = {**dict.fromkeys(texts, pl.String()), "window_end": TIMESTAMP}
    # The day of an alert is that of its cooldown, which may begin before midnight.
    return _if_there(
        client,
        sql,
        columns,
        parameters(Span(span.start - timedelta(days=1), span.end), tenant) | {"start": milliseconds(span.start)},
    )


def last_publication(client: Client) -> Row | None:
    """The publication of events that was made last: day, published_at; None where there is none."""
    sql = (
        "SELECT day, published_at FROM publications WHERE dataset = 'events' AND current"
        " ORDER BY sequence DESC, day DESC LIMIT 1"
    )
    found = rows(client, sql, {"day": pl.Date(), "published_at": TIMESTAMP}, {})
    return found[0] if found else None


def dead_letters(client: Client, now: datetime) -> int:
    """Records of the last day that could not be used, of all tenants."""
    sql = f"SELECT count() AS dead FROM dead_letters WHERE append_time >= {_START}"
    (found,) = rows(client, sql, {"dead": pl.Int64()}, {"start": milliseconds(now - timedelta(days=1))})
    return int(found["dead"])


def reconciliation(client: Client) -> Row | None:
    """The last comparison of both layers: day, checked_at, compared and unequal groups; None where there is none."""
    sql = (
        "SELECT max(day) AS of_day, max(checked_at) AS last_checked_at, sum(groups) AS compared,"
        " sum(differing + missing + extra) AS unequal FROM reconciliation"
        " WHERE (day, checked_at) IN"
        " (SELECT day, max(checked_at) FROM reconciliation GROUP BY day ORDER BY day DESC LIMIT 1)"
    )
    columns = {"of_day": pl.Date(), "last_checked_at": TIMESTAMP, "compared": pl.Int64(), "unequal": pl.Int64()}
    return _last_checked(_if_there(client, sql, columns, {}))


def gate_results(client: Client) -> Row | None:
    """The last run of the quality gate: day, checked_at, checks, failed, warned; None where there is none."""
    sql = (
        "SELECT max(day) AS of_day, max(checked_at) AS last_checked_at, count() AS checks,"
        " countIf(NOT passed AND severity = 'fail') AS failed, countIf(NOT passed AND severity = 'warn') AS warned"
        " FROM gate_results WHERE (day, checked_at) IN"
        " (SELECT day, max(checked_at) FROM gate_results GROUP BY day ORDER BY day DESC LIMIT 1)"
    )
    numbers = dict.fromkeys(("checks", "failed", "warned"), pl.Int64())
    return _last_checked(_if_there(client, sql, {"of_day": pl.Date(), "last_checked_at": TIMESTAMP, **numbers}, {}))


def _last_checked(found: list[Row] | None) -> Row | None:
    row = found[0] if found else None
    if row is None or not (row.get("compared") or row.get("checks")):
        return None
    return {"day": row.pop("of_day"), "checked_at": row.pop("last_checked_at"), **row}


def _if_there(client: Client, sql: str, columns: Mapping[str, pl.DataType], values: Row) -> list[Row] | None:
    """The rows of a view that this deployment may not have; None then."""
    try:
        return rows(client, sql, columns, values)
    except DatabaseError as error:
        if error.code in (_UNKNOWN_TABLE, _NOT_ALLOWED):
            return None
        raise


def _of(tenant: str | None) -> str:
    return "" if tenant is None else " AND tenant_id = {tenant:String}"
