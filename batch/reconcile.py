"""Speed against batch, over what both know of a published day: every metric, group by group.

Compared are groups whose last event lies below the cut: the batch has counted them, and the speed layer has a row or
facts of its own that nobody reads any more. Of one log both must say the same, so the difference is 0 unless something
was lost. What makes it differ is listed in CHECKS.md. A partition is left out where the two do not know the same
records: where the speed layer is behind the cut, or began after records of the day. Past the horizon of the day the
speed layer keeps cold facts, which are compared, and writes no rows of sessions: groups touched then are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from batch.publication import Publication
from infra.clients.clickhouse import Client, insert, select
from schemas import gates, reconcile
from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS, ORDER_GROUP
from schemas.gates import Check
from schemas.lateness import Horizon
from schemas.metrics import METRICS, Metric, Source
from schemas.products import COUNTERS
from schemas.sessions import SESSION_COLUMNS

GROUPS_PER_SHARD = 500_000
"""Rows that are compared at a time."""

LIMIT = gates.Limit("reconciled", "groups differ between the speed and the batch layer", 0.0, 0.01)

_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "dataset": pl.String(),
    "version": pl.Int64(),
    "checked_at": pl.Datetime("ms", "UTC"),
    "source": pl.String(),
    **{name: kind for name, kind in reconcile.RESULT_COLUMNS.items() if name != "worst"},
    "worst": pl.List(pl.String()),
}
_PRODUCT = ("tenant_id", "product_id")
_PRODUCT_METRICS = tuple(
    Metric(name, "daily_metrics", "sum", "events", f"{name} of products", "events", value=name) for name in COUNTERS
)


class NotComparable(Exception):
    """There is nothing to compare the published day with."""

    def __init__(self, day: date, dataset: str, why: str) -> None:
        super().__init__(f"{dataset} of {day} cannot be reconciled: {why}")
        self.day, self.dataset, self.why = day, dataset, why


@dataclass(frozen=True)
class Reconciliation:
    """What a comparison found, over all metrics. What it left out is not kept: read back, it is empty and 0."""

    dataset: str
    day: date
    version: int
    left_out: dict[int, str]
    """Partition -> why it was not compared."""
    past_horizon: int
    """Groups whose sessions of the day were not compared, since an event touched them past the day's horizon."""
    groups: int
    equal: int
    differing: int
    missing: int
    extra: int
    smape: float
    """Of the metric that differs most."""
    worst: tuple[str, ...]
    check: Check


@dataclass(frozen=True)
class _Kind:
    """One kind of row that both layers have, and how each is read below the cut, given the partitions to compare."""

    source: str
    keys: tuple[str, ...]
    columns: Mapping[str, pl.DataType]
    shard: str
    metrics: tuple[Metric, ...]
    speed: str
    batch: str


_BELOW = "(log_epoch, {position}) < (%(epoch)s, %(ends)s[indexOf(%(partitions)s, log_partition)])"
_SCOPE = "day = %(day)s AND log_partition IN %(partitions)s"
_NESTED = ", ".join(f"s.{name} AS {name}" for name in SESSION_COLUMNS if name not in GROUP)


def _of(source: Source) -> tuple[Metric, ...]:
    return tuple(metric for metric in METRICS if metric.source == source)


def _facts(
    source: Source, keys: tuple[str, ...], columns: Mapping[str, pl.DataType], speed: tuple[str, ...], batch: str
) -> _Kind:
    names = ", ".join(columns)
    scope = f"{_SCOPE} AND {_BELOW.format(position='log_offset')}"
    return _Kind(
        source,
        keys,
        columns,
        keys[1],
        _of(source),
        " UNION ALL ".join(f"SELECT {names} FROM (SELECT * FROM {table} FINAL) WHERE {scope}" for table in speed),
        f"SELECT {names} FROM {batch} WHERE {_SCOPE} AND version = %(version)s",
    )


_GROUP = ", ".join(GROUP)
_NEWER = (
    f"SELECT {_GROUP} FROM (SELECT * FROM speed_sessions FINAL)"
    f" WHERE {_SCOPE} AND NOT ({_BELOW.format(position='as_of')})"
)
_PAST_HORIZON = (
    "SELECT tenant_id, entity_id, log_epoch, log_partition FROM speed_reach WHERE dataset = %(dataset)s"
    " AND has(days, toDate(%(day)s)) AND toDate(append_time) > %(hot_until)s AND log_partition IN %(partitions)s"
)
_EVENTS = {name: EVENT_COLUMNS[name] for name in (*GROUP, "event_type", "user_id", "product_id", "log_offset")}
_ORDERS = {
    name: ORDER_COLUMNS[name]
    for name in (*ORDER_GROUP, "user_id", "status", "currency", "amount_minor", "payment_method", "log_offset")
}
_KINDS = {
    "events": (
        _Kind(
            "sessions",
            GROUP,
            SESSION_COLUMNS,
            "session_id",
            _of("sessions"),
            f"SELECT {_GROUP}, {_NESTED} FROM (SELECT * FROM speed_sessions FINAL) ARRAY JOIN sessions AS s"
            f" WHERE {_SCOPE} AND {_BELOW.format(position='as_of')} AND ({_GROUP}) NOT IN ({_PAST_HORIZON})",
            f"SELECT {', '.join(SESSION_COLUMNS)} FROM batch_sessions WHERE {_SCOPE} AND version = %(version)s"
            f" AND ({_GROUP}) NOT IN ({_NEWER}) AND ({_GROUP}) NOT IN ({_PAST_HORIZON})",
        ),
        _facts("events", GROUP, _EVENTS, ("events_speed", "events_cold"), "batch_events"),
    ),
    "orders": (_facts("orders", ORDER_GROUP, _ORDERS, ("orders_speed", "orders_cold"), "batch_orders"),),
}


def reconcile_day(
    client: Client, dataset: str, published: Publication | None, day: date, horizon: Horizon, now: datetime
) -> Reconciliation:
    """Compares, and writes what it found into `batch_reconciliation`. Raises `NotComparable`."""
    if published is None:
        raise NotComparable(day, dataset, "it is not published; publish it first")
    if published.sealed:
        raise NotComparable(day, dataset, "it is sealed, and its speed rows may be gone")
    reasons = _reasons_by_partition(client, published)
    left_out = {partition: why for partition, why in reasons.items() if why}
    partitions = sorted(published.cut.keys() - left_out.keys())
    if left_out and len(left_out) == len(reasons):
        raise NotComparable(day, dataset, f"no partition is known to both layers alike ({_reasons(left_out)})")
    parameters = _parameters(published, partitions, horizon)
    results = {kind.source: _compared(client, kind, parameters) for kind in _KINDS[dataset]}
    if dataset == "events" and not left_out:
        results["products"] = _products(client, parameters)
    found = pl.concat([_told(source, rows) for source, rows in results.items()])
    _keep(client, published, found, now)
    return _summary(published, left_out, _past_horizon(client, parameters), found)


def newest(client: Client, published: Publication) -> Reconciliation | None:
    """What the newest comparison with this version found, if there was one."""
    columns = {name: _COLUMNS[name] for name in ("groups", "equal", "differing", "missing", "extra", "smape", "worst")}
    sql = (
        f"SELECT {', '.join(columns)} FROM reconciliation"
        " WHERE current AND day = %(day)s AND dataset = %(dataset)s AND version = %(version)s"
    )
    own = {"day": published.day, "dataset": published.dataset, "version": published.version}
    found = select(client, sql, columns, own)
    return _summary(published, {}, 0, found) if found.height else None


def _reasons_by_partition(client: Client, published: Publication) -> dict[int, str]:
    """Partition with records of the day -> why the speed layer does not know all of them; '' where it does."""
    progress = select(
        client,
        "SELECT log_partition, applied, complete_from FROM progress"
        " WHERE dataset = %(dataset)s AND log_epoch = %(epoch)s",
        {"log_partition": pl.Int64(), "applied": pl.Int64(), "complete_from": pl.Int64()},
        {"dataset": published.dataset, "epoch": published.log_epoch},
    )
    reach = {row["log_partition"]: row for row in progress.to_dicts()}
    landed = select(
        client,
        "SELECT log_partition, min(first_offset) AS first FROM batch_landings FINAL"
        " WHERE dataset = %(dataset)s AND day = %(day)s AND log_epoch = %(epoch)s GROUP BY log_partition",
        {"log_partition": pl.Int64(), "first": pl.Int64()},
        {"dataset": published.dataset, "day": published.day, "epoch": published.log_epoch},
    )
    first = dict(landed.iter_rows())
    return {p: _reason(reach.get(p), published.cut.get(p, 0), offset) for p, offset in first.items()}


def _reason(progress: Mapping[str, int] | None, cut: int, first: int) -> str:
    if progress is None:
        return "never streamed"
    if progress["applied"] < cut:
        return f"the speed layer is at {progress['applied']}, behind the cut {cut}"
    if progress["complete_from"] > first:
        return f"streamed from {progress['complete_from']} on, the day begins at {first}"
    return ""


def _reasons(left_out: Mapping[int, str]) -> str:
    return "; ".join(f"partition {partition}: {why}" for partition, why in sorted(left_out.items()))


def _compared(client: Client, kind: _Kind, parameters: Mapping[str, object]) -> pl.DataFrame:
    rows = select(client, f"SELECT count() AS n FROM ({kind.batch})", {"n": pl.Int64()}, parameters).item()
    shards = 1 + rows // GROUPS_PER_SHARD
    return reconcile.added(list(_shards(client, kind, parameters, shards)))


def _parameters(published: Publication, partitions: list[int], horizon: Horizon) -> dict[str, object]:
    return {
        "dataset": published.dataset,
        "day": published.day,
        "version": published.version,
        "epoch": published.log_epoch,
        "ends": [published.cut[partition] for partition in partitions],
        "partitions": partitions,
        "hot_until": published.day + timedelta(days=horizon.days),
    }


def _shards(client: Client, kind: _Kind, parameters: Mapping[str, object], shards: int) -> Iterator[pl.DataFrame]:
    for shard in range(shards):
        mine = f" WHERE cityHash64({kind.shard}) %% {shards} = {shard}"
        sides = [
            reconcile.per_group(
                select(client, f"SELECT * FROM ({sql}){mine}", kind.columns, parameters), kind.keys, kind.metrics
            )
            for sql in (kind.speed, kind.batch)
        ]
        yield reconcile.compare(*sides)


def _products(client: Client, parameters: Mapping[str, object]) -> pl.DataFrame:
    """Product counters: windows and cold facts of the speed layer against batch rows and hot facts past the cut.

    Windows do not say how far they know a partition, so they are compared only where all partitions are.
    """
    keys, names = ", ".join(_PRODUCT), ", ".join(COUNTERS)
    sums = ", ".join(f"toInt64(sum({name})) AS {name}" for name in COUNTERS)
    columns = dict.fromkeys(_PRODUCT, pl.String()) | dict.fromkeys(COUNTERS, pl.Int64())
    below = _BELOW.format(position="log_offset")
    speed = (
        f"SELECT {keys}, {names} FROM (SELECT * FROM speed_products FINAL) WHERE day = %(day)s"
        f" UNION ALL {_product_facts('events_cold', below)}"
    )
    batch = (
        f"SELECT {keys}, {names} FROM batch_products WHERE day = %(day)s AND version = %(version)s"
        f" UNION ALL {_product_facts('events_speed', f'NOT ({below})')}"
    )
    sides = [
        select(client, f"SELECT {keys}, {sums} FROM ({sql}) GROUP BY {keys}", columns, parameters)
        for sql in (speed, batch)
    ]
    return reconcile.compare(*[reconcile.per_group(side, _PRODUCT, _PRODUCT_METRICS) for side in sides])


def _product_facts(table: str, condition: str) -> str:
    """The counters of each event of the day that names a product."""
    counters = ", ".join(f"toUInt64(event_type = '{kind}') AS {name}" for name, kind in COUNTERS.items())
    kinds = ", ".join(f"'{kind}'" for kind in COUNTERS.values())
    return (
        f"SELECT tenant_id, assumeNotNull(fact.product_id) AS product_id, {counters}"
        f" FROM (SELECT * FROM {table} FINAL) AS fact WHERE day = %(day)s AND {condition}"
        f" AND fact.product_id IS NOT NULL AND event_type IN ({kinds})"
    )


def _past_horizon(client: Client, parameters: Mapping[str, object]) -> int:
    sql = f"SELECT count() AS n FROM (SELECT DISTINCT * FROM ({_PAST_HORIZON}))"
    found: int = select(client, sql, {"n": pl.Int64()}, parameters).item()
    return found


def _told(source: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The results of one kind of rows, with the offenders as texts."""
    one = pl.element().struct
    text = pl.format("{}: speed {}, batch {}", one.field("group"), one.field("speed"), one.field("batch"))
    named = pl.format("{} of {}", pl.col("metric"), pl.col("worst"))
    told = rows.with_columns(source=pl.lit(source), worst=pl.col("worst").list.eval(text).cast(pl.List(pl.String)))
    lists = told.with_row_index().explode("worst", empty_as_null=True).with_columns(worst=named)
    texts = lists.group_by("index", maintain_order=True).agg(pl.col("worst").drop_nulls())
    return told.with_columns(texts["worst"])


def _keep(client: Client, published: Publication, found: pl.DataFrame, now: datetime) -> None:
    stamp = {
        "day": pl.lit(published.day),
        "dataset": pl.lit(published.dataset),
        "version": pl.lit(published.version),
        "checked_at": pl.lit(now.astimezone(UTC)),
    }
    if found.height:
        rows = found.with_columns(**stamp).select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items())
        insert(client, "batch_reconciliation", rows)


def _summary(
    published: Publication, left_out: dict[int, str], past_horizon: int, found: pl.DataFrame
) -> Reconciliation:
    """The comparison as a whole; `worst` as texts."""
    names = ("groups", "equal", "differing", "missing", "extra")
    counted = {name: int(found[name].sum()) for name in names}
    return Reconciliation(
        published.dataset,
        published.day,
        published.version,
        left_out,
        past_horizon,
        **counted,
        smape=max(found["smape"].to_list(), default=0.0),
        worst=tuple(found["worst"].explode(empty_as_null=False).drop_nulls().to_list()[: reconcile.WORST]),
        check=LIMIT.judge(counted["groups"] - counted["equal"], counted["groups"]),
    )
