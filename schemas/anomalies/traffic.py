"""Traffic that falls or rises beyond what is usual for a tenant, by the hour.

Of an hour those events count that reached the log within `traffic_grace` of its end, so that an hour's figure never
changes. Usual is the median of the same hour of the week in earlier weeks, or, while there are fewer than
`traffic_weeks` of them, of the last day's hours. The band around it is `traffic_width` times the median absolute
deviation, made comparable with a standard deviation (1.4826), and at least `traffic_share` of the median.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median

import polars as pl

from schemas.alerts import CANDIDATE_COLUMNS, AlertRules, Severity

RULE = "traffic"
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
MOST_WEEKS = 8
LAST_HOURS = 24
FEWEST_HOURS = 6
"""Of fewer hours nothing can be said."""
_NORMAL = 1.4826

HOUR_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "hour": pl.Datetime("ms", "UTC"),
    "events": pl.Int64(),
}
"""How many events of an hour (its start) a tenant had. An hour without events has no row."""


def hours_to_compare(hour: datetime) -> list[datetime]:
    """The hour, and those that it may be compared with."""
    return [hour, *_weeks(hour), *_day(hour)]


def fold(counts: pl.DataFrame, hour: datetime, rules: AlertRules) -> pl.DataFrame:
    """`CANDIDATE_COLUMNS`, without the position, of one hour from the counts (`HOUR_COLUMNS`) of `hours_to_compare`."""
    by_tenant: dict[str, dict[datetime, int]] = {}
    for row in counts.iter_rows(named=True):
        by_tenant.setdefault(row["tenant_id"], {})[row["hour"]] = row["events"]
    found = [_judge(tenant, known, hour, rules) for tenant, known in sorted(by_tenant.items())]
    return pl.DataFrame([row for row in found if row], schema=CANDIDATE_COLUMNS)


def _judge(tenant: str, counts: dict[datetime, int], hour: datetime, rules: AlertRules) -> dict[str, object] | None:
    usual, basis = _usual(counts, hour, rules)
    if len(usual) < min(FEWEST_HOURS, rules.traffic_weeks):
        return None
    middle = median(usual)
    deviation = median(abs(value - middle) for value in usual) * _NORMAL
    width = max(rules.traffic_width * deviation, rules.traffic_share * middle)
    seen = counts.get(hour, 0)
    if abs(seen - middle) <= width or abs(seen - middle) < rules.traffic_floor:
        return None
    return _row(tenant, hour, seen, middle, width, basis)


def _usual(counts: dict[datetime, int], hour: datetime, rules: AlertRules) -> tuple[list[int], str]:
    """The figures to compare with, from the tenant's first hour on; an hour without events is 0."""
    first = min(counts)
    weeks = [counts.get(each, 0) for each in _weeks(hour) if each >= first]
    if len(weeks) >= rules.traffic_weeks:
        return weeks, "same hour of the week"
    hours = [counts.get(each, 0) for each in _day(hour) if each >= first]
    return (hours if len(hours) >= FEWEST_HOURS else []), "last hours"


def _row(tenant: str, hour: datetime, seen: int, middle: float, width: float, basis: str) -> dict[str, object]:
    rises = seen > middle
    limit = middle + width if rises else max(0.0, middle - width)
    facts = {"usual": f"{middle:g}", "width": f"{width:g}", "basis": basis}
    return {
        "tenant_id": tenant,
        "rule": RULE,
        "severity": (Severity.CRITICAL if seen == 0 else Severity.WARNING).value,
        "entity": tenant,
        "window_start": hour,
        "window_end": hour,
        "observed": float(seen),
        "threshold": limit,
        "message": f"{seen} events in an hour, {'more' if rises else 'fewer'} than the usual {middle:g}.",
        "evidence": [{"key": key, "value": value} for key, value in facts.items()],
    }


def _weeks(hour: datetime) -> list[datetime]:
    return [hour - WEEK * number for number in range(1, MOST_WEEKS + 1)]


def _day(hour: datetime) -> list[datetime]:
    return [hour - HOUR * number for number in range(1, LAST_HOURS + 1)]
