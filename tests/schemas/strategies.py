"""Generated records of the input contracts, and bytes that are nearly records."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.codec import encode_record
from schemas.subjects import subject
from tests.schemas.examples import IDS

LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(1_600_000_000_000, 1_800_000_000_000))
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["page", "productId", "query", "~" * 70, "203.0.113.7", "2001:db8::1"])
)
TEXT_MAPS = st.dictionaries(TEXTS, TEXTS, max_size=4)
DOUBLES = st.one_of(st.floats(), st.decimals(-(10**6), 10**6, places=2).map(float))

_EVENT = {
    "eventId": TEXTS,
    "userId": st.none() | TEXTS,
    "sessionId": TEXTS,
    "eventType": st.sampled_from(["page_view", "click", "purchase", "add_to_cart", "search"]),
    "timestamp": LONGS,
    "properties": TEXT_MAPS,
    "context": st.fixed_dictionaries(
        {"userAgent": TEXTS, "ip": TEXTS, "platform": TEXTS, "referrer": st.none() | TEXTS},
    ),
}
_EVENT_V2 = {"tenantId": TEXTS, "receivedAt": st.none() | LONGS, "experiments": TEXT_MAPS}
_ITEM = {"productId": TEXTS, "quantity": st.integers(-(2**31), 2**31 - 1), "price": DOUBLES, "category": TEXTS}
_TRANSACTION = {
    "transactionId": TEXTS,
    "userId": TEXTS,
    "orderItems": st.lists(st.fixed_dictionaries(_ITEM), max_size=3),
    "totalAmount": DOUBLES,
    "currency": st.sampled_from(["EUR", "JPY", "KWD", "eur"]),
    "paymentMethod": TEXTS,
    "status": TEXTS,
    "timestamp": LONGS,
}
_PROFILE = {
    "userId": TEXTS,
    "tenantId": TEXTS,
    "emailHash": st.none() | TEXTS,
    "country": st.none() | TEXTS,
    "signupAt": st.none() | LONGS,
    "segments": st.lists(TEXTS, max_size=3),
    "attributes": TEXT_MAPS,
    "timestamp": LONGS,
}
_INVENTORY = {
    "productId": TEXTS,
    "tenantId": TEXTS,
    "warehouse": TEXTS,
    "quantity": st.integers(-(2**31), 2**31 - 1),
    "reserved": st.integers(-(2**31), 2**31 - 1),
    "reason": TEXTS,
    "timestamp": LONGS,
}
_TICKET = {
    **dict.fromkeys(("ticketId", "userId", "tenantId", "status", "priority", "category", "channel"), TEXTS),
    "productId": st.none() | TEXTS,
    "transactionId": st.none() | TEXTS,
    "openedAt": LONGS,
    "timestamp": LONGS,
}
_SIGNAL = {
    **dict.fromkeys(("source", "tenantId", "metric", "unit"), TEXTS),
    "value": DOUBLES,
    "region": st.none() | TEXTS,
    "productId": st.none() | TEXTS,
    "timestamp": LONGS,
}
_SIGHTING = {
    **dict.fromkeys(("tenantId", "userId", "sessionId", "eventId", "ip"), TEXTS),
    **dict.fromkeys(("timestamp", "logOffset"), LONGS),
    **dict.fromkeys(("logEpoch", "logPartition"), st.integers(-(2**31), 2**31 - 1)),
}
FIELDS: dict[tuple[str, int], dict[str, st.SearchStrategy[Any]]] = {
    ("user-event", 1): _EVENT,
    ("user-event", 2): {**_EVENT, **_EVENT_V2},
    ("transaction", 1): _TRANSACTION,
    ("transaction", 2): {**_TRANSACTION, "tenantId": TEXTS},
    ("user-profile", 1): _PROFILE,
    ("inventory-update", 1): _INVENTORY,
    ("service-ticket", 1): _TICKET,
    ("external-signal", 1): _SIGNAL,
    ("user-sighting", 1): _SIGHTING,
}


def values(name: str) -> st.SearchStrategy[bytes]:
    """Records of any version of a subject, on the wire."""
    return st.one_of([_versioned(*key) for key in FIELDS if key[0] == name])


def _versioned(name: str, version: int) -> st.SearchStrategy[bytes]:
    schema, schema_id = subject(name).version(version), IDS[name, version]
    return st.fixed_dictionaries(FIELDS[name, version]).map(lambda record: encode_record(record, schema, schema_id))


@st.composite
def mutated(draw: st.DrawFn, name: str) -> bytes:
    """A record with bytes changed, cut out, put in or doubled."""
    value = bytearray(draw(values(name)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 3)))
        byte = st.sampled_from([0, 1, 2, 3, 0x7E, 0x7F, 0x80, 0xC3, 0xED, 0xFF]) | st.integers(0, 255)
        value[start:end] = bytes(draw(st.lists(byte, max_size=10)))
    return bytes(value)
