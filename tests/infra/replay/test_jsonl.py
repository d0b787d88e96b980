"""Lines of JSON as records, whatever data set they come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.replay.jsonl import jsonl_messages
from infra.replay.rows import UnreadableRowError
from tests.oracle.answer import fold
from tests.oracle.feed import as_log
from tests.oracle.verdicts import Rules

EVENT: dict[str, Any] = {
    "eventId": "e1",
    "userId": None,
    "sessionId": "s1",
    "eventType": "click",
    "timestamp": 1_570_000_000_000,
    "properties": {"productId": "p1"},
    "context": {"userAgent": "", "ip": "", "platform": "web", "referrer": None},
}
ORDER: dict[str, Any] = {
    "transactionId": "t1",
    "userId": "u1",
    "orderItems": [{"productId": "p1", "quantity": 2, "price": 5, "category": "toys"}],
    "totalAmount": 10,
    "currency": "EUR",
    "paymentMethod": "card",
    "status": "completed",
    "timestamp": 1_570_000_000_000,
    "tenantId": "shop",
}


def read(path: Path, *lines: object, **options: Any) -> list[Message]:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return list(jsonl_messages(path, **options))


def test_events_and_orders_are_told_apart_and_can_be_used(tmp_path: Path) -> None:
    event, order = read(tmp_path / "a.jsonl", EVENT, "", ORDER)
    assert (event.topic, event.key, event.partition_key) == (USER_EVENTS, "s1", "s1")
    assert (order.topic, order.key, order.partition_key) == (TRANSACTIONS, "t1", "u1")
    assert event.value == {**EVENT, "tenantId": "default", "receivedAt": None, "experiments": {}}
    answer = fold(as_log([event, order]), Rules(horizon_days=100_000))
    assert [account.used for account in answer.accounts.values()] == [1, 1]


def test_a_tenant_may_be_put_in_the_place_of_the_records_own(tmp_path: Path) -> None:
    messages = read(tmp_path / "a.jsonl", EVENT, ORDER, tenant_id="mine")
    assert {message.value["tenantId"] for message in messages if not isinstance(message.value, bytes)} == {"mine"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "not a JSON object"),
        ({"id": 1}, "its topic is not known"),
        ({**EVENT, "transactionId": "t"}, "its topic is not known"),
        ({**EVENT, "eventType": "look"}, "eventType is none of"),
        ({**EVENT, "colour": "red"}, "colour is no field of the contract"),
        ({name: EVENT[name] for name in EVENT if name != "sessionId"}, "sessionId is missing"),
        ({**ORDER, "timestamp": "now"}, "timestamp is no long"),
    ],
)
def test_a_line_that_does_not_fit_is_told_and_the_next_follows(tmp_path: Path, line: object, why: str) -> None:
    told: list[UnreadableRowError] = []
    (message,) = read(tmp_path / "a.jsonl", line, EVENT, reject=told.append)
    assert message.key == "s1"
    assert [(error.line, why in error.why) for error in told] == [(1, True)], told


def test_lines_of_another_topic_than_the_named_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRowError, match="line 1: not a transaction"):
        read(tmp_path / "a.jsonl", EVENT, topic=TRANSACTIONS)
