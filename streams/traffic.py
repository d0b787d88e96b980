"""When the traffic of an hour is judged: once every partition has applied all that counts for it.

The worker of partition 0 judges; a new one begins with the hours that the one before may have left. Time is the log's:
an hour is over when the append times of all partitions have passed its end and the grace. A partition in which nothing
is appended would hold that up for ever, so after `PATIENCE` the hour is judged without it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.alerts import CANDIDATE_COLUMNS, AlertRules
from schemas.anomalies import traffic
from schemas.frames import TIMESTAMP, empty
from streams.records import USER_EVENTS, Range

PATIENCE = timedelta(hours=2)
ASK_AGAIN = timedelta(seconds=10)
_JUDGE = 0
_HOURS_ASKED = 24
"""Hours that one question covers: after an outage there are many, and most of what each needs is the same."""
_NONE = empty(CANDIDATE_COLUMNS)

_SLOWEST = "SELECT min(append_time) AS append_time FROM progress WHERE dataset = 'events'"
_COUNTS = """
SELECT tenant_id, toStartOfHour(event_time) AS hour, uniqExact(log_epoch, log_partition, log_offset) AS events
FROM
(
    SELECT tenant_id, event_time, append_time, log_epoch, log_partition, log_offset FROM events_speed
    WHERE day IN %(days)s
    UNION ALL
    SELECT tenant_id, event_time, append_time, log_epoch, log_partition, log_offset FROM batch_events
    WHERE day IN %(days)s
)
WHERE toUnixTimestamp(hour) IN %(hours)s AND append_time < hour + INTERVAL %(late)s SECOND
GROUP BY tenant_id, hour
"""


@dataclass(frozen=True)
class Judged:
    """The next hour to judge, None before any record of partition 0, and when its readiness was asked for last."""

    hour: datetime | None = None
    asked: datetime | None = None


def derive(client: Client, rules: AlertRules, ranges: Sequence[Range], before: Judged) -> tuple[pl.DataFrame, Judged]:
    """(`CANDIDATE_COLUMNS`, what to remember) of the hours that this tick finds over."""
    tick = next((one for one in ranges if (one.topic, one.partition) == (USER_EVENTS, _JUDGE)), None)
    if tick is None:
        return _NONE, before
    hour = before.hour or _last_over(tick.first_append_time - PATIENCE - traffic.HOUR, rules)
    now = tick.last_append_time
    if hour > _last_over(now, rules) or (before.asked is not None and now < before.asked + ASK_AGAIN):
        return _NONE, Judged(hour, before.asked)
    # What this tick brings is not stored yet, so only what was appended before it can be over.
    patient = tick.first_append_time - PATIENCE
    last = max(_last_over(_slowest(client), rules), _last_over(patient, rules))
    found = [_NONE]
    while hour <= last:
        hours = [hour + traffic.HOUR * n for n in range(_HOURS_ASKED) if hour + traffic.HOUR * n <= last]
        found.append(_candidates(client, rules, hours, tick))
        hour = hours[-1] + traffic.HOUR
    return pl.concat(found), Judged(hour, now)


def _last_over(append_time: datetime, rules: AlertRules) -> datetime:
    """The start of the last hour that is over at this append time."""
    end = append_time - rules.traffic_grace
    return end.replace(minute=0, second=0, microsecond=0) - traffic.HOUR


def _slowest(client: Client) -> datetime:
    found = select(client, _SLOWEST, {"append_time": TIMESTAMP})["append_time"].to_list()
    return found[0] if found and found[0] is not None else datetime(1970, 1, 2, tzinfo=UTC)


def _candidates(client: Client, rules: AlertRules, hours: Sequence[datetime], tick: Range) -> pl.DataFrame:
    compared = {hour: traffic.hours_to_compare(hour) for hour in hours}
    counts = _counts(client, rules, {each for some in compared.values() for each in some})
    found = [traffic.fold(counts.filter(pl.col("hour").is_in(some)), hour, rules) for hour, some in compared.items()]
    return pl.concat(found).with_columns(
        log_topic=pl.lit(tick.topic),
        log_epoch=pl.lit(tick.epoch, pl.Int32),
        log_partition=pl.lit(tick.partition, pl.Int32),
        as_of=pl.lit(tick.end - 1, pl.Int64),
    )


def _counts(client: Client, rules: AlertRules, hours: Collection[datetime]) -> pl.DataFrame:
    parameters = {
        "hours": sorted(round(each.timestamp()) for each in hours),
        "days": sorted({each.date() for each in hours}),
        "late": (traffic.HOUR + rules.traffic_grace) // timedelta(seconds=1),
    }
    columns = {"tenant_id": pl.String(), "hour": pl.Int64(), "events": pl.Int64()}
    counts = select(client, _COUNTS, columns, parameters)
    return counts.with_columns((pl.col("hour") * 1_000).cast(TIMESTAMP))
