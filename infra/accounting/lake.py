"""The batch layer's accounts: the lake's rows of what the lake covers, judged by what a recompute runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from batch.coverage import covered
from batch.lake import load_table
from batch.landings import Commit, commits
from infra.accounting.law import VERDICTS, Account, Log, Span
from schemas import orders, sessions
from schemas.frames import POSITION, POSITION_COLUMNS, utc_day
from schemas.tables.lake import DEAD_LETTERS, EVENTS, LakeTable, from_arrow
from schemas.tables.lake import TRANSACTIONS as ORDERS
from schemas.topics import TRANSACTIONS, USER_EVENTS

_TABLES = {USER_EVENTS.name: EVENTS, TRANSACTIONS.name: ORDERS}
_NAMES = {
    EVENTS.name: ("tenant_id", "session_id", "event_id", "event_time", *POSITION_COLUMNS),
    ORDERS.name: ("tenant_id", "transaction_id", "status", "order_time", *POSITION_COLUMNS),
}
_FIRST_OFFSETS = {EVENTS.name: sessions.first_offsets, ORDERS.name: orders.first_offsets}


class Lake:
    """Reads the few columns of the lake that verdicts rest on; the work grows with all that was ever landed."""

    def __init__(self, catalog: Catalog, horizon_days: int) -> None:
        self._catalog, self._horizon_days = catalog, horizon_days
        self._pinned = {topic: found for topic, table in _TABLES.items() if (found := _pin(catalog, table))}
        self._verdicts: dict[str, pl.DataFrame] = {}
        self.spans = {
            log: span for topic, pinned in self._pinned.items() for log, span in _spans(topic, pinned.commits).items()
        }

    def accounts(self, spans: Mapping[Log, Span]) -> dict[Log, Account]:
        """The account of each span."""
        return {log: self._account(log, span) for log, span in spans.items()}

    def _account(self, log: Log, span: Span) -> Account:
        if log.topic not in self._verdicts:
            self._verdicts[log.topic] = self._judge(log.topic)
        rows = self._verdicts[log.topic].filter(
            (pl.col("log_epoch") == log.epoch) & (pl.col("log_partition") == log.partition),
            pl.col("log_offset").is_between(span.first, span.end, closed="left"),
        )
        counted = dict(rows.group_by("verdict").len().iter_rows())
        return Account(span, {verdict: counted.get(verdict, 0) for verdict in VERDICTS})

    def _judge(self, topic: str) -> pl.DataFrame:
        table = _TABLES[topic]
        names = _NAMES[table.name]
        scan = load_table(self._catalog, table).scan(selected_fields=names, snapshot_id=self._pinned[topic].snapshot_id)
        landed = from_arrow(scan.to_arrow(), {name: table.columns[name] for name in names})
        refused = load_table(self._catalog, DEAD_LETTERS).scan(f"topic = '{topic}'", selected_fields=POSITION)
        dead = from_arrow(refused.to_arrow(), {name: POSITION_COLUMNS[name] for name in POSITION})
        return verdicts(table, landed, dead, self._horizon_days)


def verdicts(table: LakeTable, landed: pl.DataFrame, dead: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """`POSITION` and `verdict` of landed rows and dead letters, each position once of its kind.

    `landed` has `POSITION_COLUMNS`, the time of the fact and what its duplicates agree in; `dead` has `POSITION`.
    """
    rows = _FIRST_OFFSETS[table.name](landed.unique(list(POSITION)))
    is_cold = utc_day(table.day_of) + timedelta(days=horizon_days) < utc_day("append_time")
    judged = rows.select(
        *POSITION,
        verdict=pl.when(pl.col("log_offset") > pl.col("first_offset"))
        .then(pl.lit("duplicates"))
        .when(is_cold)
        .then(pl.lit("cold"))
        .otherwise(pl.lit("used")),
    )
    refused = dead.unique(list(POSITION)).select(*POSITION, verdict=pl.lit("dead_letters"))
    return pl.concat([judged, refused])


@dataclass(frozen=True)
class _Pinned:
    snapshot_id: int
    commits: list[Commit]


def _pin(catalog: Catalog, table: LakeTable) -> _Pinned | None:
    try:
        found = load_table(catalog, table)
    except NoSuchTableError:
        return None
    head, landed = found.current_snapshot(), commits(found)
    return _Pinned(head.snapshot_id, landed) if head and landed else None


def _spans(topic: str, landed: list[Commit]) -> dict[Log, Span]:
    """From the beginning of each incarnation of the log to where it is covered."""
    spans: dict[Log, Span] = {}
    for epoch in sorted({commit.landed.epoch for commit in landed}):
        own = [commit for commit in landed if commit.landed.epoch == epoch]
        for partition, end in covered([commit.landing for commit in own]).end.items():
            lost = sum(
                commit.landed.lost.get(partition, commit.landed.start[partition]) - commit.landed.start[partition]
                for commit in own
                if partition in commit.landed.start
            )
            spans[Log(topic, epoch, partition)] = Span(0, end, lost)
    return spans
