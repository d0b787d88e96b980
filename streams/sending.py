"""Sends a worker's rows to topics for as long as the worker is there: one end of the socket of `streams.outbox`.

The worker writes pickled `Part`s, none of which is answered, and CONFIRM, which is answered by a pickled `Confirmed`.
"""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from socket import socket
from typing import Protocol

import polars as pl
import pyarrow as pa

from streams.framing import receive, send
from streams.outputs import OutputUnavailable
from streams.writes import Write

CONFIRM = b""
_TOGETHER = 4_000
"""Rows that are sent and made records at a time: what so many take stays in the processor's caches."""


@dataclass(frozen=True)
class Part:
    """Some rows of a table that has a topic, as an Arrow stream; `schema_id` is that of the topic's contract."""

    table: str
    schema_id: int
    rows: bytes

    def write(self) -> Write:
        """The rows as they were."""
        return Write(self.table, pl.read_ipc_stream(self.rows))


def parts_of(write: Write, schema_id: int) -> Iterator[Part]:
    """The rows, some at a time.

    By way of Arrow: polars would write with each part all texts that are nested in rows of the others.
    """
    rows = write.rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    for batch in rows.to_batches(max_chunksize=_TOGETHER):
        yield Part(write.table, schema_id, _stream(batch))


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


class Topics(Protocol):
    """What sends rows: `streams.outputs.Outputs`."""

    def send(self, write: Write, schema_id: int) -> None:
        """Hands rows over. Raises OutputUnavailable."""

    def confirm(self) -> None:
        """Returns when all that was handed over is safe. Raises OutputUnavailable."""


class SendingFailed(Exception):
    """Rows could not be made records for a reason that no waiting mends; `trace` is where it was met."""

    def __init__(self, trace: str) -> None:
        super().__init__(f"the process that sends rows to topics met an error: {trace}")
        self.trace = trace

    def __reduce__(self) -> tuple[type[SendingFailed], tuple[str]]:
        return type(self), (self.trace,)


@dataclass(frozen=True)
class Confirmed:
    """The answer to CONFIRM: why not all that was written since the one before is safe, if it is not.

    `cpu_seconds` is what the process has used since its start.
    """

    error: OutputUnavailable | SendingFailed | None
    cpu_seconds: float


def serve(worker: socket, topics: Topics) -> None:
    """Sends what comes, until the worker is gone. After an error nothing is sent until the worker has heard of it."""
    error = None
    while (message := _next(worker)) is not None:
        if message != CONFIRM:
            error = error or _tried(partial(_send, topics, message))
            continue
        error = error or _tried(topics.confirm)
        send(worker, pickle.dumps(Confirmed(error, time.process_time())))
        error = None


def _next(worker: socket) -> bytearray | None:
    try:
        return receive(worker)
    except (EOFError, OSError):
        return None


def _send(topics: Topics, message: bytearray) -> None:
    part: Part = pickle.loads(message)  # noqa: S301 - from the worker that started this process
    topics.send(part.write(), part.schema_id)


def _tried(action: Callable[[], None]) -> OutputUnavailable | SendingFailed | None:
    try:
        action()
    except OutputUnavailable as error:
        return error
    except Exception:  # noqa: BLE001 - told to the worker, which gives up after some tries
        return SendingFailed(traceback.format_exc())
    return None
