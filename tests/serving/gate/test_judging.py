"""Verdicts of the gate: what it lets through, both layers can use; what it refuses, it says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.codec import decode_record, writer_schema
from schemas.partitioner import partition_for
from schemas.subjects import subject
from serving.gate.contract import EVENTS, ORDERS, Intake
from serving.gate.judging import Judged, Outcome, Sender, Target, judge_batch

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
SENDER = Sender("acme", NOW, "203.0.113.9", "browser/1")
EVENT: dict[str, Any] = {"eventId": "e1", "sessionId": "s1", "eventType": "page_view", "timestamp": NOW_MS}
ORDER: dict[str, Any] = {
    "transactionId": "t1",
    "userId": "u1",
    "orderItems": [{"productId": "p", "quantity": 2, "price": 1.5, "category": "c"}],
    "totalAmount": 3.0,
    "currency": "EUR",
    "paymentMethod": "card",
    "status": "completed",
    "timestamp": NOW_MS,
}


def judged(intake: Intake, *records: Any, seen: frozenset[tuple[str, ...]] = frozenset()) -> Judged:
    contract = subject(str(intake.topic.subject)).latest
    target = Target(7, {7: writer_schema(7, contract.text)}, lambda value: partition_for(value.encode(), 24))
    return judge_batch(intake, records, SENDER, target, seen)


def decoded(intake: Intake, value: bytes) -> dict[str, Any]:
    contract = subject(str(intake.topic.subject)).latest
    return decode_record(value, {7: writer_schema(7, contract.text)}, contract)


def test_the_gate_sets_tenant_and_receipt_time_and_fills_what_a_browser_leaves_out() -> None:
    (message,) = judged(EVENTS, EVENT).outgoing
    assert decoded(EVENTS, message.value) == EVENT | {
        "userId": None,
        "properties": {},
        "experiments": {},
        "tenantId": "acme",
        "receivedAt": NOW_MS,
        "context": {"userAgent": "browser/1", "ip": "203.0.113.9", "platform": "web", "referrer": None},
    }
    assert (message.key, message.partition) == (b"s1", partition_for(b"s1", 24))


def test_an_order_is_keyed_by_itself_and_placed_by_its_user() -> None:
    (message,) = judged(ORDERS, ORDER).outgoing
    assert (message.key, message.partition) == (b"t1", partition_for(b"u1", 24))
    assert decoded(ORDERS, message.value) == ORDER | {"tenantId": "acme"}


@pytest.mark.parametrize("name", ["tenantId", "receivedAt"])
def test_nobody_may_say_what_the_gate_sets(name: str) -> None:
    (verdict,) = judged(EVENTS, EVENT | {name: "other"}).verdicts
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, "set_by_the_gate")


@pytest.mark.parametrize(
    ("record", "reason", "message"),
    [
        (EVENT | {"eventId": " "}, "blank", "event_id is not blank"),
        (EVENT | {"timestamp": NOW_MS + 3_600_001}, "too_far_ahead", "event_time is at most an hour"),
        (EVENT | {"timestamp": 5}, "too_old", "2000"),
        (EVENT | {"timestamp": "now"}, "not_the_contract", "timestamp is no long"),
        (EVENT | {"timestamp": 1.5}, "not_the_contract", "timestamp is no long"),
        (EVENT | {"timestamp": True}, "not_the_contract", "timestamp is no long"),
        (EVENT | {"timestamp": 2**63}, "not_the_contract", "timestamp is no long"),
        (EVENT | {"eventType": "look"}, "not_the_contract", "eventType is none of page_view"),
        (EVENT | {"eventType": []}, "not_the_contract", "eventType is none of page_view"),
        (EVENT | {"sessionId": "\ud800"}, "not_the_contract", "sessionId is no string"),
        (EVENT | {"extra": 1}, "not_the_contract", "extra is no field"),
        (EVENT | {"properties": {"a": 1}}, "not_the_contract", "properties.a is no string"),
        (EVENT | {"context": None}, "not_the_contract", "context is no object"),
        (EVENT | {"context": {"ip": "", "more": ""}}, "not_the_contract", "context.more is no field"),
        (EVENT | {"context": {"ip": 1}}, "not_the_contract", "context.ip is no string"),
        ({"eventId": "e1"}, "not_the_contract", "sessionId is missing"),
        ([1], "not_the_contract", "the record is no object"),
        (EVENT | {"properties": {"a": "x" * 2_000_000}}, "too_large", "1048576 bytes"),
    ],
)
def test_what_is_wrong_with_an_event_is_named(record: Any, reason: str, message: str) -> None:
    found = judged(EVENTS, EVENT, record)
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.ACCEPTED, Outcome.REFUSED]
    assert found.verdicts[1].reason == reason
    assert message in str(found.verdicts[1].message)
    assert len(found.outgoing) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"currency": "gold"}, "unknown_currency"),
        ({"status": "lost"}, "unknown_status"),
        ({"totalAmount": 1e300}, "amount_range"),
        ({"orderItems": [{"productId": "p", "quantity": 2**31, "price": 1.0, "category": ""}]}, "not_the_contract"),
        ({"orderItems": None}, "not_the_contract"),
    ],
)
def test_what_is_wrong_with_an_order_is_named(change: dict[str, Any], reason: str) -> None:
    (verdict,) = judged(ORDERS, ORDER | change).verdicts
    assert (verdict.id, verdict.outcome, verdict.reason) == ("t1", Outcome.REFUSED, reason)


def test_the_same_event_of_a_session_is_sent_once() -> None:
    found = judged(EVENTS, EVENT, EVENT, EVENT | {"sessionId": "s2"}, seen=frozenset({("events", "acme", "s3", "e1")}))
    assert [verdict.outcome for verdict in found.verdicts] == ["accepted", "duplicate", "accepted"]
    first_bad = judged(EVENTS, EVENT | {"timestamp": 5}, EVENT)
    assert [verdict.outcome for verdict in first_bad.verdicts] == ["refused", "accepted"]
    known = judged(EVENTS, EVENT, seen=frozenset({("events", "acme", "s1", "e1")}))
    assert (known.verdicts[0].outcome, known.outgoing) == (Outcome.DUPLICATE, [])


def test_another_status_of_an_order_is_another_fact() -> None:
    later = ORDER | {"status": "refunded", "timestamp": NOW_MS + int(timedelta(minutes=1).total_seconds() * 1000)}
    assert [v.outcome for v in judged(ORDERS, ORDER, later, ORDER).verdicts] == ["accepted", "accepted", "duplicate"]
