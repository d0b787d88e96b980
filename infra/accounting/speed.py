"""The speed layer's accounts: distinct offsets in the tables that it writes, of what it says is applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import polars as pl
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.accounting.law import VERDICTS, Account, Log, Span
from infra.clients.clickhouse import Client, select
from schemas.topics import TRANSACTIONS, USER_EVENTS

_TABLES = {
    USER_EVENTS.name: {"used": "events_speed", "cold": "events_cold"},
    TRANSACTIONS.name: {"used": "orders_speed", "cold": "orders_cold"},
}
_SHARED_TABLES = {"duplicates": "speed_duplicates", "dead_letters": "speed_dead_letters"}
_PROGRESS_COLUMNS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    **dict.fromkeys(("log_epoch", "log_partition", "complete_from", "applied"), pl.Int64()),
}
_PROGRESS = f"SELECT {', '.join(_PROGRESS_COLUMNS)} FROM speed_progress FINAL WHERE topic IN %(topics)s"
_NO_TABLES = (60, 81)
"""ClickHouse's codes for an unknown table and database: nothing was ever applied."""
_COUNTS = {"log_epoch": pl.Int64(), "log_partition": pl.Int64(), "verdict": pl.String(), "records": pl.Int64()}


class Speed:
    """Asks ClickHouse, as a user who may read the speed layer's tables."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.spans = self._spans()

    def _spans(self) -> dict[Log, Span]:
        """What each partition has from where it is complete to where it is applied."""
        try:
            rows = select(self._client, _PROGRESS, _PROGRESS_COLUMNS, {"topics": list(_TABLES)}).rows()
        except DatabaseError as error:
            if error.code in _NO_TABLES:
                return {}
            raise
        return {Log(topic, epoch, partition): Span(first, end) for topic, epoch, partition, first, end in rows}

    def accounts(self, spans: Mapping[Log, Span]) -> dict[Log, Account]:
        """The account of each span."""
        by_topic: dict[str, dict[Log, Span]] = defaultdict(dict)
        for log, span in spans.items():
            by_topic[log.topic][log] = span
        found: dict[Log, Account] = {}
        for topic, of_topic in by_topic.items():
            counts = self._count(topic, of_topic)
            for log, span in of_topic.items():
                found[log] = Account(span, {verdict: counts.get((log, verdict), 0) for verdict in VERDICTS})
        return found

    def _count(self, topic: str, spans: Mapping[Log, Span]) -> dict[tuple[Log, str], int]:
        inside = " OR ".join(_within(log, span) for log, span in spans.items())
        parts = [
            f"SELECT log_epoch, log_partition, '{verdict}' AS verdict, uniqExact(log_offset) AS records"
            f" FROM {table} WHERE ({inside}){topic_too} GROUP BY log_epoch, log_partition"
            for tables, topic_too in ((_TABLES[topic], ""), (_SHARED_TABLES, " AND topic = %(topic)s"))
            for verdict, table in tables.items()
        ]
        rows = select(self._client, " UNION ALL ".join(parts), _COUNTS, {"topic": topic}).rows()
        return {(Log(topic, epoch, partition), verdict): records for epoch, partition, verdict, records in rows}


def _within(log: Log, span: Span) -> str:
    position = f"log_epoch = {log.epoch} AND log_partition = {log.partition}"
    return f"({position} AND log_offset >= {span.first} AND log_offset < {span.end})"
