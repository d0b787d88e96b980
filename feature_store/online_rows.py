"""Rows for the online store: a value of a view with its version, and which of them go to Cassandra in one message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType, BoundStatement, Statement

from feature_store.feast_import import FeatureView, Map, Value
from feature_store.model import Kind
from feature_store.versions import version

BYTES_PER_BATCH = 4_096
"""Cassandra warns of batches of more than 5 KiB, with all that goes around the values."""
ROW_BYTES = 80
"""What goes around a value, about."""


class OnlineValue(NamedTuple):
    """The value of a view for one entity: its key in the store, times, and all features as a `feast.types.Map`."""

    view: FeatureView
    key: str
    event: datetime
    created: datetime | None
    features: bytes

    @property
    def parameters(self) -> tuple[str, str, datetime, datetime | None, bytes, int]:
        """What `online_cql.WRITE` asks for."""
        known = None if self.created is None else _milliseconds(self.created)
        number = version(_milliseconds(self.event), known)
        return self.key, self.view.name, self.event, self.created, self.features, number


def of_messages(values: Mapping[str, Value]) -> bytes:
    """All features as Feast hands them over. Equal values have equal bytes, so that a replay changes nothing at all."""
    return _bytes(Map(val=values))


def of_values(kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> bytes:
    """All features from plain values; None is null. Raises `KeyError` for one that is left out."""
    stored = Map()
    for name, kind in kinds.items():
        message = stored.val[name]
        if (value := values[name]) is not None:
            _SET[kind](message, value)
    return _bytes(stored)


def batches(session: Session, bound: Iterable[tuple[BoundStatement, int]]) -> Iterator[BatchStatement | BoundStatement]:
    """Statements with their sizes: those that one node takes, together, since a message costs more than a row. Each
    keeps its own version; those of one entity that follow each other are one write to Cassandra. A large one goes
    alone: Cassandra refuses batches of more than 50 KiB."""
    metadata = session.cluster.metadata
    waiting: dict[Any, BatchStatement] = {}
    filled: dict[Any, int] = {}
    for statement, size in bound:
        if size > BYTES_PER_BATCH:
            yield statement
            continue
        replicas = metadata.get_replicas(statement.keyspace, statement.routing_key)
        owner = replicas[0] if replicas else None
        batch = waiting.setdefault(owner, BatchStatement(BatchType.UNLOGGED))
        batch.add(statement)
        filled[owner] = filled.get(owner, 0) + size + ROW_BYTES
        if filled[owner] > BYTES_PER_BATCH:
            yield waiting.pop(owner)
            filled[owner] = 0
    yield from waiting.values()


def send(session: Session, messages: Iterable[Statement], at_once: int) -> list[Exception]:
    """Send all, making the next while Cassandra takes those before; stops at a failure and answers all there were.

    Raises `cassandra.cluster.NoHostAvailable` where there is nobody to send to."""
    under_way: deque[ResponseFuture] = deque()
    failures: list[Exception] = []

    def wait(left: int) -> None:
        while len(under_way) > left:
            try:
                under_way.popleft().result()
            except (DriverException, NoHostAvailable) as error:
                failures.append(error)

    for message in messages:
        wait(at_once - 1)
        if failures:
            break
        under_way.append(session.execute_async(message))
    wait(0)
    return failures


def utc(moment: datetime) -> datetime:
    """Feast and the driver give UTC, some without saying so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bytes(stored: Map) -> bytes:
    found: bytes = stored.SerializeToString(deterministic=True)
    return found


def _milliseconds(moment: datetime) -> int:
    return int(utc(moment).timestamp() * 1000)


def _texts(message: Value, value: Sequence[str]) -> None:
    message.string_list_val.SetInParent()
    message.string_list_val.val.extend(value)


def _numbers(message: Value, value: Sequence[float]) -> None:
    message.double_list_val.SetInParent()
    message.double_list_val.val.extend(value)


def _setter(field: str) -> Callable[[Value, Any], None]:
    return lambda message, value: setattr(message, field, value)


_SET: Mapping[Kind, Callable[[Value, Any], None]] = {
    Kind.STRING: _setter("string_val"),
    Kind.INT64: _setter("int64_val"),
    Kind.FLOAT64: _setter("double_val"),
    Kind.BOOL: _setter("bool_val"),
    Kind.STRINGS: _texts,
    Kind.FLOATS: _numbers,
}
