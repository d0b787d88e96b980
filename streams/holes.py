"""Waits while records that the speed layer can no longer read are in no published version of their day.

Nothing past such a hole may be applied: neither rows nor verdicts could be derived across it.
"""

from __future__ import annotations

import polars as pl

from infra.clients.clickhouse import Client, select
from streams.progress import Progress
from streams.records import TRANSACTIONS, USER_EVENTS, Range

DATASETS = {USER_EVENTS: "events", TRANSACTIONS: "orders"}

_OPEN_DAYS = """
SELECT toString(l.day) AS day
FROM batch_landings AS l FINAL
LEFT JOIN (SELECT * FROM current_publications WHERE dataset = %(dataset)s) AS p ON l.day = p.day
WHERE l.dataset = %(dataset)s AND l.log_epoch = %(epoch)s AND l.log_partition = %(partition)s
    AND l.first_offset < %(complete_from)s
    AND (ifNull(p.version, 0) = 0 OR p.cut[%(partition)s] < least(l.last_offset + 1, %(complete_from)s))
ORDER BY day
"""
_LANDED = """
SELECT max(cut[%(partition)s]) AS landed
FROM current_publications WHERE dataset = %(dataset)s AND log_epoch = %(epoch)s
"""


class WaitForPublication(Exception):
    """Records below `complete_from` are in no published version of their day; land and publish them."""

    def __init__(self, topic: str, partition: int, complete_from: int, days: list[str]) -> None:
        what = f"days {', '.join(days)}" if days else "records that no publication covers"
        super().__init__(
            f"{topic}/{partition} is complete only from offset {complete_from}, and {what} below it must be published"
            " first: run `rivermeet batch run` for them"
        )
        self.topic = topic
        self.partition = partition
        self.complete_from = complete_from
        self.days = days


def require_no_open_hole(client: Client, tick: Range, progress: Progress) -> None:
    """Raises `WaitForPublication` unless everything below `complete_from` is in a published version of its day."""
    if progress.complete_from == 0:
        return
    parameters = {
        "dataset": DATASETS[tick.topic],
        "epoch": tick.epoch,
        "partition": tick.partition,
        "complete_from": progress.complete_from,
    }
    landed = select(client, _LANDED, {"landed": pl.Int64()}, parameters)["landed"].to_list()[0]
    days = select(client, _OPEN_DAYS, {"day": pl.String()}, parameters)["day"].to_list()
    if days or landed < progress.complete_from:
        raise WaitForPublication(tick.topic, tick.partition, progress.complete_from, days)
