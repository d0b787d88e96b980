"""Encoded records as templates: the simulator's visits once, then any number of copies by patching bytes.

A copy has its own session id, record id and time; all else (pages, products, users, devices) is the simulator's.
Encoding each record would cost more than the system under test does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from infra.messages import Message
from infra.simulator.catalogue import Catalogue, make_catalogue
from infra.simulator.simulation import SIGNED_IN, ShopSettings
from infra.simulator.values import (
    context_of,
    draw_version,
    event_message,
    event_value,
    new_id,
    order_message,
    order_value,
)
from infra.simulator.visits import REFERRERS, walk
from schemas.codec import encode_record
from schemas.partitioner import partition_for
from schemas.subjects import subject
from schemas.topics import TRANSACTIONS, USER_EVENTS

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
SchemaIds = Mapping[tuple[str, int], int]
"""(subject, version) -> id in the registry."""

ID_DIGITS = 16
TIME_BYTES = 6
TEMPLATE_TIME_MS = 1_700_000_000_000
_SUBJECTS = {USER_EVENTS.name: "user-event", TRANSACTIONS.name: "transaction"}


@dataclass(frozen=True)
class Templates:
    """Encoded records of one topic, and where each has what a copy replaces.

    `lengths`: the record's bytes; `visit`: which visit it belongs to, ascending; `offset_ms`: its time since the visit
    began; `session`, `record`, `time`: places within the record of the session id, of the record's own id and of the
    time (-1 where there is none); `user`: whose it is.
    """

    topic: str
    records: tuple[bytes, ...]
    lengths: Ints
    visit: Ints
    offset_ms: Ints
    session: Ints
    record: Ints
    time: Ints
    user: tuple[str, ...]

    def partitions_by_user(self, partitions: int) -> Ints:
        """The partition of each record by its user."""
        return np.array([partition_for(user.encode(), partitions) for user in self.user], np.int64)


def zigzag6(times_ms: Ints) -> Bytes:
    """Times as Avro writes them, which takes six bytes from 1988 to 2109; one row each."""
    numbers = (times_ms.astype(np.uint64) << np.uint64(1))[:, None] >> (
        np.arange(TIME_BYTES, dtype=np.uint64) * np.uint64(7)
    )
    octets = (numbers & np.uint64(0x7F)).astype(np.uint8)
    octets[:, :-1] |= 0x80
    return octets


def simulate(rng: Random, visits: int, products: int, schema_ids: SchemaIds) -> tuple[Templates, Templates]:
    """Templates of user events and of transactions, from so many simulated visits."""
    settings = ShopSettings(products=products, shoppers=max(2_000, visits))
    catalogue = make_catalogue(rng, settings.tenants, settings.products, settings.shoppers)
    events, orders = _Builder(USER_EVENTS.name, schema_ids), _Builder(TRANSACTIONS.name, schema_ids)
    for number in range(visits):
        _visit(number, rng, settings, catalogue, events, orders)
    return events.build(), orders.build()


def _visit(
    number: int, rng: Random, settings: ShopSettings, catalogue: Catalogue, events: _Builder, orders: _Builder
) -> None:
    tenant = rng.choices(settings.tenants, [tenant.size for tenant in settings.tenants])[0]
    shopper = catalogue.shopper(rng, tenant.tenant_id)
    version = draw_version(rng, tenant.tenant_id, settings.shares.version_1)
    context, session, offset = context_of(shopper, rng.choice(REFERRERS)), new_id(rng), 0
    for step in walk(catalogue, rng, shopper, signed_in=rng.random() < SIGNED_IN):
        offset += step.pause_ms
        record = new_id(rng)
        value = event_value(version, tenant.tenant_id, session, record, step, TEMPLATE_TIME_MS, context)
        events.add(number, offset, event_message(version, value, 0), session, record)
        if step.basket:
            order = order_value(version, shopper, step.basket, "completed", TEMPLATE_TIME_MS)
            orders.add(number, offset, order_message(version, order, 0), None, step.basket.transaction_id[1:])


class _Builder:
    def __init__(self, topic: str, schema_ids: SchemaIds) -> None:
        self._topic, self._schema_ids = topic, schema_ids
        self._records: list[bytes] = []
        self._places: list[tuple[int, int, int, int, int]] = []
        self._users: list[str] = []

    def add(self, visit: int, offset_ms: int, message: Message, session: str | None, record: str) -> None:
        schema = subject(_SUBJECTS[self._topic]).version(message.version)
        encoded = encode_record(
            cast("Mapping[str, Any]", message.value), schema, self._schema_ids[schema.subject, message.version]
        )
        time = bytes(zigzag6(np.array([TEMPLATE_TIME_MS]))[0])
        at_session = encoded.find(session.encode()) if session else -1
        self._places.append((visit, offset_ms, at_session, encoded.find(record.encode()), encoded.find(time)))
        self._records.append(encoded)
        self._users.append(message.partition_key)

    def build(self) -> Templates:
        lengths = np.array([len(record) for record in self._records], np.int64)
        visit, offset, session, record, time = np.array(self._places, np.int64).reshape(-1, 5).T
        return Templates(
            self._topic,
            tuple(self._records),
            lengths,
            visit,
            offset,
            session,
            record,
            time,
            tuple(self._users),
        )
