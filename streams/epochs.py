"""Which incarnation of a topic the stored positions speak of: an epoch, bound to the id that Kafka gave the topic."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from infra.clients.clickhouse import Client, insert, select
from streams.errors import AnotherLog, PartitionsChanged

FIRST_EPOCH = 1

_EPOCH_COLUMNS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "log_epoch": pl.Int32(),
    "topic_id": pl.String(),
    "partitions": pl.Int32(),
}
_APPLIED = """
SELECT log_partition, applied FROM speed_progress FINAL WHERE topic = %(topic)s AND log_epoch = %(epoch)s
"""


class Epochs:
    """The epochs of topics, kept in ClickHouse beside the rows that carry them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        """The epoch of this log; the first one is bound when nothing of the topic is known.

        Raises `AnotherLog` when the topic was made anew or ends below what is stored, and `PartitionsChanged`.
        """
        sql = "SELECT * FROM log_epochs FINAL WHERE topic = %(topic)s ORDER BY log_epoch DESC LIMIT 1"
        known = select(self._client, sql, _EPOCH_COLUMNS, {"topic": topic}).to_dicts()
        if not known:
            return self._bind(topic, topic_id, partitions)
        if known[0]["topic_id"] != topic_id:
            raise AnotherLog(topic, f"its id is {topic_id}, and {known[0]['topic_id']} was read before")
        if known[0]["partitions"] != partitions:
            raise PartitionsChanged(topic, known[0]["partitions"], partitions)
        self._check_ends(topic, known[0]["log_epoch"], end_offsets)
        return int(known[0]["log_epoch"])

    def _bind(self, topic: str, topic_id: str, partitions: int) -> int:
        row = {"topic": [topic], "log_epoch": [FIRST_EPOCH], "topic_id": [topic_id], "partitions": [partitions]}
        insert(self._client, "log_epochs", pl.DataFrame(row, schema=_EPOCH_COLUMNS))
        return FIRST_EPOCH

    def _check_ends(self, topic: str, epoch: int, end_offsets: Mapping[int, int]) -> None:
        columns = {"log_partition": pl.Int32(), "applied": pl.Int64()}
        stored = select(self._client, _APPLIED, columns, {"topic": topic, "epoch": epoch})
        for partition, applied in stored.iter_rows():
            if end_offsets.get(partition, 0) < applied:
                found = f"partition {partition} ends at {end_offsets.get(partition, 0)} and {applied} was read before"
                raise AnotherLog(topic, found)
