"""The push consumer: from records to what is served, through stops, replays and stores that are away."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from feature_store.consumer import Rounds
from feature_store.live import LiveSession
from feature_store.popularity import LiveProduct
from feature_store.push import PATIENCE_S, Pusher, Record, SinkUnavailable
from feature_store.sinks import Stores
from feature_store.writing import OnlineWriter
from infra.clients.clickhouse import Client
from infra.settings import ROOT, Settings
from schemas.codec import Schema, encode_record
from schemas.codec.wire import writer_schema
from schemas.subjects import subject
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS, TOPICS

TENANT = f"push-{time.time_ns()}"
IDS = {"session-metric": 1, "product-popularity": 2}


def resolver(schema_id: int) -> Schema:
    name = next(name for name, number in IDS.items() if number == schema_id)
    return writer_schema(schema_id, subject(name).latest.text)


def session_metric(user: str, end_ms: int, as_of: int, page_views: int) -> bytes:
    example = json.loads((ROOT / "schemas/examples/session-metric/good/v2_all_fields.json").read_text())["record"]
    session = {**example["sessions"][0], "sessionStart": end_ms - 1000, "sessionEnd": end_ms, "userId": user}
    session |= {"pageViews": page_views, "durationMs": 1000}
    record = {**example, "tenantId": TENANT, "sessionId": f"s-{user}", "asOf": as_of, "sessions": [session]}
    return encode_record(record, subject("session-metric").latest, IDS["session-metric"])


def popularity(product: str, window: int, as_of: int, views: int) -> bytes:
    path = ROOT / "schemas/examples/product-popularity/good/one_window.json"
    record = json.loads(path.read_text())["record"] | {"tenantId": TENANT, "productId": product}
    record |= {"windowStart": window, "asOf": as_of, "views": views}
    return encode_record(record, subject("product-popularity").latest, IDS["product-popularity"])


class Kept:
    """A sink that keeps what it is given, and is away when told."""

    passing: tuple[type[Exception], ...] = (ConnectionError,)

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.history: list[LiveSession] = []
        self.online: list[LiveSession] = []
        self.products: list[LiveProduct] = []

    def keep(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct], now_ms: int) -> None:
        self.history.extend(sessions)

    def serve(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct]) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionError("away")
        self.online.extend(sessions)
        self.products.extend(products)


def record(value: bytes | None, offset: int, topic: str = SESSION_METRICS.name, **other: Any) -> Record:
    return Record(topic, 0, offset, 1_763_700_100_000 + offset, value, **other)


def pusher(sink: Kept, slept: list[float] | None = None) -> Pusher:
    pauses = [] if slept is None else slept
    return Pusher(sink, resolver, lambda _tenant, _product: None, lambda: 1_763_700_200.0, pauses.append)


def test_a_round_keeps_of_each_session_the_newest() -> None:
    sink = Kept()
    values = [session_metric("u", 1_763_700_000_000 + n, n, n) for n in (1, 3, 2)]
    assert pusher(sink).round([record(value, n) for n, value in enumerate(values)]) == 1
    assert [one.page_views for one in sink.online] == [3]


def test_what_cannot_be_read_is_left_out_and_counted() -> None:
    sink = Kept()
    found = pusher(sink)
    found.round([record(b"\x00\x00\x00\x00\x01\xff", 0), record(None, 1), record(session_metric("u", 1, 1, 1), 2)])
    assert (found.counts.refused, len(sink.online)) == (2, 1)


def test_a_store_that_is_away_is_waited_for_and_then_the_process_ends() -> None:
    slept: list[float] = []
    sink = Kept(away=4)
    pusher(sink, slept).round([record(session_metric("u", 1, 1, 1), 0)])
    assert (len(sink.online), slept) == (1, [0.1, 0.2, 0.4, 0.8])
    with pytest.raises(SinkUnavailable):
        pusher(Kept(away=10_000), slept).round([record(session_metric("u", 1, 1, 1), 0)])
    assert sum(slept) < 3 * PATIENCE_S


def test_counts_that_are_read_again_are_remembered_and_not_told() -> None:
    sink = Kept()
    found = pusher(sink)
    window = 1_763_700_000_000
    found.round([record(popularity("p", window - 300_000, 1, 5), 0, PRODUCT_POPULARITY.name, restoring=True)])
    told = len(sink.products)
    found.round([record(popularity("p", window, 2, 2), 1, PRODUCT_POPULARITY.name)])
    assert told <= 1, "once, by the new window"
    assert sink.products[-1].views_60m == 7


def make_anew(bootstrap: str, *names: str) -> None:
    """Topics without records, though a worker of another test has written to them."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for deleted in admin.delete_topics(list(names)).values():
        deleted.exception(30)
    deadline = time.monotonic() + 30
    missing = list(names)
    while missing and time.monotonic() < deadline:
        made = admin.create_topics([NewTopic(n, TOPICS[n].partitions, 1, config=TOPICS[n].config()) for n in missing])
        missing = [name for name, done in made.items() if done.exception(30) is not None]
        time.sleep(0.2)
    assert missing == []


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_from_the_log_to_what_is_served_through_a_restart(
    kafka: str, feature_settings: Settings, feature_store: Any, online: OnlineWriter, history: Client
) -> None:
    make_anew(kafka, SESSION_METRICS.name, PRODUCT_POPULARITY.name)
    now = int(time.time() * 1000)
    window = now - now % 300_000
    group, producer = f"features-{now}", Producer({"bootstrap.servers": kafka})
    sink = Stores(history, online)

    def send(*values: tuple[str, bytes]) -> None:
        for topic, value in values:
            producer.produce(topic, value, partition=0)
        assert producer.flush(30) == 0

    def consume(records: int, *, commit: bool = True) -> Pusher:
        found = Pusher(sink, resolver, lambda _tenant, _product: "shoes")
        rounds = Rounds({"bootstrap.servers": kafka}, group)
        deadline = time.monotonic() + 60
        while found.counts.read < records and time.monotonic() < deadline:
            taken = rounds.next()
            found.round(taken)
            if commit:
                rounds.commit(taken)
        rounds.close()
        return found

    def read() -> tuple[Any, Any]:
        users = feature_store.get_online_features(
            features=["user_live:live_session_views", "user_recent:last_category"],
            entity_rows=[{"tenant_id": TENANT, "user_id": "log"}],
        ).to_dict()
        products = feature_store.get_online_features(
            features=["product_live:product_views_60m"], entity_rows=[{"tenant_id": TENANT, "product_id": "p-log"}]
        ).to_dict()
        return users["live_session_views"][0], products["product_views_60m"][0]

    send(
        (SESSION_METRICS.name, session_metric("log", now - 2_000, 1, 3)),
        (PRODUCT_POPULARITY.name, popularity("p-log", window - 300_000, 1, 5)),
    )
    consume(2)
    assert read() == (3, 5)
    send(
        (SESSION_METRICS.name, session_metric("log", now - 1_000, 2, 4)),
        (SESSION_METRICS.name, session_metric("log", now - 3_000, 1, 2)),
        (PRODUCT_POPULARITY.name, popularity("p-log", window, 3, 2)),
    )
    consume(3, commit=False)
    assert read() == (4, 7)
    consume(3)
    assert read() == (4, 7), "the same records again change nothing"
    assert consume(1).counts.pushed <= 2, "only memory is read again"
    assert read() == (4, 7)
