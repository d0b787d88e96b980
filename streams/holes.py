"""Waits while records that the speed layer can no longer read are in no published version of their day.

Nothing past such a hole may be applied: neither rows nor verdicts could be derived across it.
"""

from __future__ import annotations

import polars as pl

from infra.clients.clickhouse import Client, select
from streams.progress import Progress
from streams.records import TRANSACTIONS, USER_EVENTS, Range

DATASETS = {USER_EVENTS: "events", TRANSACTIONS: "orders"}

_LOST = """
SELECT day FROM holes
WHERE dataset = %(dataset)s AND log_partition = %(partition)s AND kind = 'lost' ORDER BY day DESC
"""


class WaitForPublication(Exception):
    """Records below `complete_from` are in no published version of their day; land and publish them."""

    def __init__(self, topic: str, partition: int, complete_from: int, days: list[str]) -> None:
        super().__init__(
            f"{topic}/{partition} is complete only from offset {complete_from}; days on which records below it lie must"
            f" be published first: run `rivermeet batch run --day D` for each of {', '.join(days)}"
        )
        self.topic = topic
        self.partition = partition
        self.complete_from = complete_from
        self.days = days


def require_no_open_hole(client: Client, tick: Range, progress: Progress) -> None:
    """Raises `WaitForPublication` unless everything below `complete_from` is in a published version of its day.

    Nothing is derived across a hole of states, and no layer publishes them by day, so they need not wait.
    The view of holes tells, from the progress that is stored: write that first.
    """
    if progress.complete_from == 0 or tick.topic not in DATASETS:
        return
    parameters = {"dataset": DATASETS[tick.topic], "partition": tick.partition}
    days = select(client, _LOST, {"day": pl.Date()}, parameters)["day"].to_list()
    if days:
        raise WaitForPublication(tick.topic, tick.partition, progress.complete_from, [str(day) for day in days])
