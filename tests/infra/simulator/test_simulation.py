"""The simulated shop: what it sends, and that its truth is what the oracle makes of it."""

from collections import Counter
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import fastavro
import pytest

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.simulator.faults import Shares
from infra.simulator.truth import utc_day
from tests.infra.simulator.shop import NOW, SETTINGS, Run, run
from tests.oracle.answer import Answer, fold
from tests.oracle.feed import as_log
from tests.oracle.log import at
from tests.oracle.records import utc_day as oracle_day

AVRO = Path(__file__).parents[3] / "schemas" / "avro"
REWRITTEN = {"productId": "rewritten", "page": "/rewritten"}
SUBJECTS = {USER_EVENTS: "user-event", TRANSACTIONS: "transaction"}


@pytest.fixture(scope="module")
def shop() -> Run:
    return run()


@pytest.fixture(scope="module")
def answer(shop: Run) -> Answer:
    return fold(as_log(shop.messages))


@cache
def schema(topic: str, version: int) -> object:
    return fastavro.schema.load_schema(AVRO / SUBJECTS[topic] / f"v{version}.avsc")


def good(messages: list[Message]) -> list[dict[str, object]]:
    return [dict(message.value) for message in messages if not isinstance(message.value, bytes) and not message.damage]


def keys(value: dict[str, object]) -> tuple[object, object]:
    """Key and partition key of a message with this value."""
    if "sessionId" in value:
        return value["sessionId"], value["sessionId"]
    return value["transactionId"], value["userId"]


@pytest.mark.parametrize("seed", range(4))
def test_the_truth_is_what_the_oracle_makes_of_the_messages(seed: int) -> None:
    found = run(seed=seed)
    answer = fold(as_log(found.messages))
    metrics = {tuple(key): asdict(row) for key, row in answer.daily_metrics.items()}
    revenue = {tuple(key): asdict(row) for key, row in answer.daily_revenue.items()}
    assert metrics == {key: asdict(row) for key, row in found.truth.daily_metrics().items()}
    assert revenue == {key: asdict(row) for key, row in found.truth.daily_revenue().items()}


def test_sessions_are_the_intended_ones(shop: Run, answer: Answer) -> None:
    intended = Counter(
        (session.tenant_id, session.session_id, session.user_id, session.start_ms, session.end_ms, session.engaged)
        for sessions in shop.truth.sessions.values()
        for session in sessions
    )
    assert intended == Counter(
        (row.tenant_id, row.session_id, row.user_id, row.session_start, row.session_end, row.engaged)
        for row in answer.sessions
    )


def test_the_truth_keeps_the_accounts(shop: Run, answer: Answer) -> None:
    for topic in (USER_EVENTS, TRANSACTIONS):
        accounts = [account for log, account in answer.accounts.items() if log.topic == topic]
        assert sum(account.records for account in accounts) == shop.truth.sent[topic]
        assert sum(account.duplicates for account in accounts) == shop.truth.duplicates[topic] > 0
        assert sum(account.dead_letters for account in accounts) == shop.truth.dead_letters[topic]
        assert sum(account.cold for account in accounts) == 0


def test_received_all_at_once_the_answer_is_the_same(shop: Run, answer: Answer) -> None:
    at_once = fold(as_log(replace(message, send_time_ms=NOW) for message in shop.messages))
    assert at_once.daily_metrics == answer.daily_metrics
    assert at_once.positions("duplicate") == answer.positions("duplicate")


def test_messages_come_in_send_order_and_none_after_now(shop: Run) -> None:
    times = [message.send_time_ms for message in shop.messages]
    assert times == sorted(times)
    assert times[-1] <= NOW


def test_the_same_seed_makes_the_same_messages_and_another_one_others(shop: Run) -> None:
    assert run().messages == shop.messages
    assert run(seed=8).messages != shop.messages


def test_every_fault_happens(shop: Run, answer: Answer) -> None:
    reasons = Counter(answer.dead_letters.values())
    assert reasons.keys() == {"garbage", "truncated", "unknown_schema_id", "ahead", "blank_id"}
    delays = [
        message.send_time_ms - int(str(value["timestamp"])) for message in shop.messages for value in good([message])
    ]
    assert any(delay > 86_400_000 for delay in delays)
    assert any(60_000 > delay > 10_000 for delay in delays)
    offered = Counter((row.tenant_id, row.session_id) for row in answer.sessions)
    assert max(offered.values()) > 1
    assert any(value.get("properties") == REWRITTEN for value in good(shop.messages))


def test_the_shop_has_all_that_the_pipeline_must_bear(answer: Answer) -> None:
    assert {row.tenant_id for row in answer.sessions} == {"default", "north", "sakura"}
    assert {order.currency for order in answer.orders} == {"EUR", "GBP", "USD", "JPY"}
    assert {order.status for order in answer.orders} == {"pending", "completed", "refunded", "cancelled"}
    assert {event.event_type for event in answer.events} == {"page_view", "click", "search", "add_to_cart", "purchase"}
    assert any(row.overlong for row in answer.sessions)
    assert any(oracle_day(row.session_end) > row.day and not row.overlong for row in answer.sessions)
    assert any(row.user_id is None for row in answer.sessions)
    visitors = Counter(row.user_id for row in answer.sessions if row.user_id)
    assert max(visitors.values()) > 5


def test_without_faults_every_record_is_used() -> None:
    quiet = Shares(version_1=0, resent=0, rewritten=0, late=0, out_of_order=0, broken=0, resumed=0)
    found = run(replace(SETTINGS, shares=quiet, crawlers=False))
    answer = fold(as_log(found.messages))
    assert {message.version for message in found.messages} == {2}
    assert {(m.key, m.partition_key) for m in found.messages} == {keys(value) for value in good(found.messages)}
    assert all(account.used == account.records for account in answer.accounts.values())
    assert not any(row.overlong for row in answer.sessions)
    assert len({(row.tenant_id, row.session_id) for row in answer.sessions}) == len(answer.sessions)


def test_values_fit_their_schema_version(shop: Run) -> None:
    versions: Counter[tuple[str, int]] = Counter()
    for message in shop.messages:
        if not isinstance(message.value, bytes):
            versions[message.topic, message.version] += 1
            fastavro.validation.validate(message.value, schema(message.topic, message.version), strict=True)
    assert versions.keys() == {(topic, version) for topic in SUBJECTS for version in (1, 2)}


def test_a_run_that_ends_at_midnight_has_nothing_of_the_day_that_begins() -> None:
    midnight = at("2026-03-08 00:00")
    found = run(now_ms=midnight)
    days = {day for _, day in found.truth.daily_metrics()}
    assert max(days) <= utc_day(midnight)
    assert {utc_day(message.send_time_ms) for message in found.messages} >= {utc_day(midnight - 1)}
