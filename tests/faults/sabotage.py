"""Mechanisms taken away from a worker, from outside: each must be seen by the suite (`test_controls.py`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from unittest import mock

import polars as pl

from infra.clients.clickhouse import Client
from schemas.frames import empty
from streams import restore
from streams.app import Wiring
from streams.ledger import Ledger
from streams.transport import SliceConsumer


def _ack_before_write() -> None:
    """What is handed on counts as written, and nobody asks the store, which would tell what it lacks."""
    delivered = Ledger.delivered

    async def not_asked(_self: Wiring, _partitions: Collection[Any]) -> None:
        return None

    def at_once(self: Ledger, item: Any, generation: int) -> bool:
        taken = delivered(self, item, generation)
        self.written(item, generation)
        return taken

    _replace(Ledger, Ledger.delivered, at_once)
    _replace(Wiring, Wiring.applied, not_asked)


def _restart_at_end() -> None:
    """An assignment is read from where the log ends, not from the committed offset."""
    perform_seek = SliceConsumer.perform_seek

    async def at_end(self: SliceConsumer) -> None:
        async def nothing(_partitions: Collection[Any]) -> dict[Any, Any]:
            return {}

        no_commit = mock.patch.object(self._thread, "committed", nothing)
        with no_commit, mock.patch.object(self, "earliest_offsets", self.highwaters):
            await perform_seek(self)

    _replace(SliceConsumer, SliceConsumer.perform_seek, at_end)


def _no_fetch_back() -> None:
    """What memory lacks is taken to be nothing."""

    def nothing(_client: Client, _tables: Any, columns: Mapping[str, pl.DataType], *_: Any) -> pl.DataFrame:
        return empty(columns)

    _replace(restore, restore.once, nothing)


def _believe_everything() -> None:
    """Stored events count for the state wherever they lie in the log."""
    _replace(restore, restore.below_start, lambda stored, _below: stored)


def _replace(owner: Any, what: Callable[..., Any], with_what: Any) -> None:
    """`what` is named by itself, not by a text, which would outlive it."""
    mock.patch.object(owner, what.__name__, with_what).start()


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "ack_before_write": _ack_before_write,
    "restart_at_end": _restart_at_end,
    "no_fetch_back": _no_fetch_back,
    "believe_everything": _believe_everything,
}
"""Name -> what is done to the process before the worker starts."""
