"""The gate as a whole: a batch in, verdicts out, once Kafka has acknowledged what was accepted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool

from serving.gate.contract import Intake
from serving.gate.judging import Judged, Sender, Verdict, judge_batch
from serving.gate.outlet import DELIVERY_SECONDS, LogUnavailable, Outlet
from serving.gate.seen import Seen

_MARGIN_SECONDS = 5.0

Count = Callable[[str, str, int], None]
"""Told (list's name, outcome, how many records)."""


class Gate:
    """Takes batches of records of every tenant."""

    def __init__(self, outlet: Outlet, count: Count) -> None:
        self.outlet = outlet
        self._seen = Seen()
        self._count = count

    async def take(self, intake: Intake, records: Sequence[Any], sender: Sender) -> list[Verdict]:
        """Verdicts on the records; all that were accepted are acknowledged by all replicas.

        Raises LogUnavailable when any was not acknowledged: the batch may be sent again as it is, for what did get
        through becomes a duplicate. Raises Crowded when too many records wait for Kafka.
        """
        judged = await run_in_threadpool(self._judge, intake, records, sender)
        waiting = asyncio.wrap_future(self.outlet.send(intake.topic, judged.outgoing))
        try:
            why = await asyncio.wait_for(waiting, DELIVERY_SECONDS + _MARGIN_SECONDS)
        except TimeoutError as error:
            raise LogUnavailable("no acknowledgement in time") from error
        if why is not None:
            raise LogUnavailable(why)
        self._seen.add(message.identity for message in judged.outgoing)
        for outcome, count in Counter(verdict.outcome for verdict in judged.verdicts).items():
            self._count(intake.name, outcome.value, count)
        return judged.verdicts

    def _judge(self, intake: Intake, records: Sequence[Any], sender: Sender) -> Judged:
        return judge_batch(intake, records, sender, self.outlet.target(intake.topic), self._seen)

    def close(self) -> None:
        """Waits for what is on its way."""
        self.outlet.close()
