"""The two datasets of the batch layer, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.frames import POSITION
from schemas.tables.lake import EVENTS, TRANSACTIONS, LakeTable
from schemas.topics import TRANSACTIONS as TRANSACTIONS_TOPIC
from schemas.topics import USER_EVENTS, Topic


@dataclass(frozen=True)
class Dataset:
    """What is landed, validated, recomputed and published together."""

    name: str
    topic: Topic
    table: LakeTable
    never_null: tuple[str, ...]

    @property
    def contract(self) -> str:
        """The subject whose rules the rows keep."""
        return self.topic.subject or ""


DATASETS = {
    "events": Dataset(
        "events",
        USER_EVENTS,
        EVENTS,
        ("tenant_id", "session_id", "event_id", "event_type", "event_time", "append_time", *POSITION),
    ),
    "orders": Dataset(
        "orders",
        TRANSACTIONS_TOPIC,
        TRANSACTIONS,
        ("tenant_id", "transaction_id", "user_id", "status", "currency", "amount_minor", "order_time", *POSITION),
    ),
}
