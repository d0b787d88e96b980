"""What each layer made of the records of a range of offsets, and whether that adds up and agrees.

Every offset is a record: these logs have no gaps, since nobody writes to them in transactions, and both layers read
them before compaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

Layer = Literal["speed", "batch"]
VERDICTS = ("used", "duplicates", "dead_letters", "cold")


@dataclass(frozen=True, order=True)
class Log:
    """One partition of one incarnation of a topic."""

    topic: str
    epoch: int
    partition: int


@dataclass(frozen=True)
class Span:
    """Offsets from `first` to below `end`; `lost` of them had expired in Kafka before they were read."""

    first: int
    end: int
    lost: int = 0

    @property
    def records(self) -> int:
        """How many records there were to judge."""
        return self.end - self.first - self.lost

    def shared_with(self, other: Span) -> Span:
        """The offsets that lie in both; empty where there are none."""
        first = max(self.first, other.first)
        return Span(first, max(first, min(self.end, other.end)), max(self.lost, other.lost))


@dataclass(frozen=True)
class Account:
    """What one layer made of the records of a span; `counts`: verdict (all of `VERDICTS`) -> records."""

    span: Span
    counts: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether every record has exactly one verdict."""
        return self.span.records == sum(self.counts.values())

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {**asdict(self.span), "records": self.span.records, **self.counts, "holds": self.holds}


@dataclass(frozen=True)
class Entry:
    """The accounts of one partition: each layer's of all that it knows, and both layers' of what both know."""

    log: Log
    accounts: Mapping[Layer, Account]
    shared: Mapping[Layer, Account] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether both layers count the shared records alike."""
        return len({tuple(account.counts[verdict] for verdict in VERDICTS) for account in self.shared.values()}) <= 1

    @property
    def holds(self) -> bool:
        """Whether the law holds in each layer, and both agree."""
        return self.agrees and all(account.holds for account in self.accounts.values())

    def document(self) -> dict[str, Any]:
        """For scripts."""
        own = {str(layer): account.document() for layer, account in self.accounts.items()}
        shared = {str(layer): account.document() for layer, account in self.shared.items()}
        return {**asdict(self.log), **own, "shared": shared, "agrees": self.agrees, "holds": self.holds}


class Knowing(Protocol):
    """A layer that can be asked what it made of records."""

    @property
    def spans(self) -> Mapping[Log, Span]:
        """All that the layer has read."""
        ...

    def accounts(self, spans: Mapping[Log, Span]) -> dict[Log, Account]:
        """The account of each span."""
        ...


def entries(speed: Knowing, batch: Knowing) -> list[Entry]:
    """The accounts of every partition that a layer knows."""
    own: dict[Layer, dict[Log, Account]] = {
        "speed": speed.accounts(speed.spans),
        "batch": batch.accounts(batch.spans),
    }
    both = {log: speed.spans[log].shared_with(batch.spans[log]) for log in speed.spans.keys() & batch.spans.keys()}
    shared: dict[Layer, dict[Log, Account]] = {"speed": speed.accounts(both), "batch": batch.accounts(both)}
    return [Entry(log, _of(log, own), _of(log, shared)) for log in sorted({*speed.spans, *batch.spans})]


def _of(log: Log, known: Mapping[Layer, Mapping[Log, Account]]) -> dict[Layer, Account]:
    return {layer: accounts[log] for layer, accounts in known.items() if log in accounts}


def total(accounts: Iterable[Account]) -> dict[str, int]:
    """Records and verdicts of several accounts."""
    found = list(accounts)
    sums = {verdict: sum(account.counts[verdict] for account in found) for verdict in VERDICTS}
    return {"records": sum(account.span.records for account in found), **sums}
