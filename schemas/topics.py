"""Every topic: what it carries, how it is keyed and split, how long it is kept. Nothing else defines a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from schemas.partitioner import partition_for

MAX_RECORD_BYTES = 1_048_576
"""Greatest size of a record in any topic; a longer value is refused before it is decoded."""


class UnknownTopic(KeyError):
    """No topic of the table has this name; `name` is what was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no topic {name}; known are {', '.join(TOPICS)}")
        self.name = name


class Cleanup(StrEnum):
    """What Kafka does with old records."""

    DELETE = "delete"
    COMPACT = "compact"
    COMPACT_DELETE = "compact,delete"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `key` and `partition_by` name fields of the record (or say what entity they are).

    `partition_by` may differ from `key`: then producers compute the partition themselves with `Topic.partition_for`.
    `retention` is None when nothing is deleted by age. `subject` is None where this repository sets no contract for
    the values. `dead_letters` tells whether a record that cannot be used goes to the topic `dead-letters`.
    """

    name: str
    key: str
    partition_by: str
    partitions: int
    retention: timedelta | None
    subject: str | None = None
    cleanup: Cleanup = Cleanup.DELETE
    compaction_lag: timedelta = timedelta(0)
    dead_letters: bool = False

    @property
    def registry_subject(self) -> str:
        """The subject of the values in the registry (topic name strategy)."""
        return f"{self.name}-value"

    @property
    def keyed_by_partition_field(self) -> bool:
        """Whether any producer's default partitioner finds the right partition from the key alone."""
        return self.key == self.partition_by

    def partition_for(self, value: str) -> int:
        """The partition of a record whose `partition_by` field has this value."""
        return partition_for(value.encode(), self.partitions)

    def config(self) -> dict[str, str]:
        """The topic's configuration as Kafka takes it. Times are stamped by the broker: they are the receipt times."""
        retention = -1 if self.retention is None else _milliseconds(self.retention)
        return {
            "cleanup.policy": self.cleanup.value,
            "compression.type": "producer",
            "max.message.bytes": str(MAX_RECORD_BYTES),
            "message.timestamp.type": "LogAppendTime",
            "min.compaction.lag.ms": str(_milliseconds(self.compaction_lag)),
            "retention.ms": str(retention),
        }


_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)

USER_EVENTS = Topic("user-events", "sessionId", "sessionId", 24, _WEEK, "user-event", dead_letters=True)
TRANSACTIONS = Topic(
    "transactions",
    "transactionId",
    "userId",
    12,
    _MONTH,
    "transaction",
    Cleanup.COMPACT_DELETE,
    _WEEK,
    dead_letters=True,
)
USER_PROFILES = Topic("user-profiles", "userId", "userId", 6, None, "user-profile", Cleanup.COMPACT, dead_letters=True)
INVENTORY_UPDATES = Topic(
    "inventory-updates", "productId", "productId", 6, _WEEK, "inventory-update", dead_letters=True
)
SERVICE_TICKETS = Topic("service-tickets", "userId", "userId", 6, _WEEK, "service-ticket", dead_letters=True)
EXTERNAL_SIGNALS = Topic("external-signals", "source", "source", 6, _WEEK, "external-signal", dead_letters=True)
USER_SIGHTINGS = Topic("user-sightings", "userId", "userId", 12, timedelta(days=1), "user-sighting", dead_letters=True)
SESSION_METRICS = Topic("session-metrics", "sessionId", "sessionId", 12, _WEEK, "session-metric")
PRODUCT_POPULARITY = Topic("product-popularity", "productId", "productId", 12, _WEEK, "product-popularity")
ALERTS = Topic("alerts", "entity", "entity", 12, _WEEK, "alert")
DEAD_LETTERS = Topic("dead-letters", "logTopic", "logTopic", 6, _MONTH, "dead-letter")

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        USER_EVENTS,
        TRANSACTIONS,
        USER_PROFILES,
        INVENTORY_UPDATES,
        SERVICE_TICKETS,
        EXTERNAL_SIGNALS,
        USER_SIGHTINGS,
        SESSION_METRICS,
        PRODUCT_POPULARITY,
        ALERTS,
        DEAD_LETTERS,
    )
}


def topic(name: str) -> Topic:
    """The topic of this name with its default partitions; raises UnknownTopic."""
    try:
        return TOPICS[name]
    except KeyError:
        raise UnknownTopic(name) from None


def with_partitions(partitions: Mapping[str, int]) -> dict[str, Topic]:
    """All topics by name, with the partition counts of `partitions` where it names one.

    Raises UnknownTopic, ValueError.

    A count is fixed when the topic is made: it never changes within an epoch.
    """
    for name, count in partitions.items():
        if count < 1:
            raise ValueError(f"topic {name} cannot have {count} partitions; set 1 or more")
    return TOPICS | {name: replace(topic(name), partitions=count) for name, count in partitions.items()}


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
