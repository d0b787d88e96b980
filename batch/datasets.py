"""What the batch layer lands, and the two datasets of it that it computes and publishes."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.frames import POSITION
from schemas.tables.lake import EVENTS, INVENTORY, PROFILES, SIGNALS, TICKETS, TRANSACTIONS, LakeTable
from schemas.topics import EXTERNAL_SIGNALS, INVENTORY_UPDATES, SERVICE_TICKETS, USER_EVENTS, USER_PROFILES, Topic
from schemas.topics import TRANSACTIONS as TRANSACTIONS_TOPIC


@dataclass(frozen=True)
class Landed:
    """A topic, and the table of the lake that its usable records go to."""

    name: str
    topic: Topic
    table: LakeTable


@dataclass(frozen=True)
class Dataset(Landed):
    """What is landed, validated, recomputed and published together."""

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

LANDED: dict[str, Landed] = {
    **DATASETS,
    "profiles": Landed("profiles", USER_PROFILES, PROFILES),
    "inventory": Landed("inventory", INVENTORY_UPDATES, INVENTORY),
    "tickets": Landed("tickets", SERVICE_TICKETS, TICKETS),
    "signals": Landed("signals", EXTERNAL_SIGNALS, SIGNALS),
}
"""All that is landed: the datasets, then the states, which features and reports look up."""
