"""The gate in this process and on real Spark; its rules are held against the masks of the speed layer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog

from batch.datasets import DATASETS
from batch.engine import Engine
from batch.expectations import compiled, derived
from batch.gate import _flat, _run, validate
from batch.lake import load_table
from batch.land import Lander, LandingOptions, Source
from batch.snapshot import pin
from batch.storage import Storage
from batch.workers import Workers
from schemas.checks import Severity, holds
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS
from schemas.rules import rules_for
from schemas.tables.lake import EVENTS, TRANSACTIONS, LakeTable, to_arrow
from tests.batch.logs import TestTopic, event, judge_json

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENT = {
    "tenant_id": "t",
    "session_id": "s",
    "event_id": "e",
    "user_id": "u",
    "event_type": "click",
    "event_time": NOON,
    "product_id": "p",
    "page": "/",
    "search_query": "q",
    "platform": "web",
    "user_agent": "x",
    "ip": "",
    "referrer": "r",
    "properties": [],
    "experiments": [],
    "schema_id": 1,
    "log_epoch": 1,
    "log_partition": 0,
    "log_offset": 0,
    "append_time": NOON,
}
ITEM = {"product_id": "p", "quantity": 1, "price_minor": 1, "category": "c"}
ORDER = {
    "tenant_id": "t",
    "transaction_id": "x",
    "user_id": "u",
    "status": "completed",
    "order_time": NOON,
    "currency": "EUR",
    "amount_minor": 1,
    "payment_method": "card",
    "items": [ITEM, ITEM],
    "schema_id": 1,
    "log_epoch": 1,
    "log_partition": 0,
    "log_offset": 0,
    "append_time": NOON,
}
ODD = {
    "long": "x" * 9000,
    "tab": " \t",
    "late": NOON + timedelta(hours=1, milliseconds=1),
    "old": datetime(1999, 12, 31, tzinfo=UTC),
    "edge": NOON + timedelta(hours=1),
    "big": 10**14 + 1,
    "zero": [ITEM, {**ITEM, "quantity": 0}],
    "price": [{**ITEM, "price_minor": -(10**15)}],
    "none": None,
    "empty": [],
}
ORDER_BREAKS = {
    "user_id": ["tab", "long", "none"],
    "status": ["tab"],
    "currency": ["tab"],
    "amount_minor": ["big"],
    "items": ["zero", "price", "empty"],
    "order_time": ["late", "old", "edge"],
    "payment_method": ["long"],
}
EVENT_BREAKS = {
    "user_id": ["tab", "long", "none"],
    "platform": ["tab"],
    "page": ["long"],
    "event_time": ["late", "old", "edge"],
}


@pytest.mark.parametrize("engine_name", ["local", "spark"])
@pytest.mark.parametrize(
    ("contract", "table", "good", "breaks"),
    [("user-event", EVENTS, EVENT, EVENT_BREAKS), ("transaction", TRANSACTIONS, ORDER, ORDER_BREAKS)],
    ids=["events", "orders"],
)
def test_an_expectation_finds_the_rows_that_the_rule_finds(
    engines: dict[str, Engine[Any]],
    engine_name: str,
    tmp_path: Path,
    contract: str,
    table: LakeTable,
    good: dict[str, object],
    breaks: dict[str, list[str]],
) -> None:
    rows = [good, *({**good, column: ODD[odd]} for column, odds in breaks.items() for odd in odds)]
    frame = pl.DataFrame(rows, schema=ORDER_COLUMNS if table is TRANSACTIONS else EVENT_COLUMNS)
    rules = rules_for(contract)
    (tmp_path / "day").mkdir()
    pq.write_table(to_arrow(frame, table), tmp_path / "day" / "rows.parquet")
    engine = engines[engine_name]
    lake = engine.derive(engine.read([(tmp_path / "day" / "rows.parquet").as_uri()], table), list(derived(rules)))
    asked = {rule: list(compiled(rule)) for rule in rules}
    flat = engine.sql(_flat(DATASETS[table.name.replace("transactions", "orders")], list(derived(rules))), rows=lake)
    expected = [e for found in asked.values() for e in found]
    checks = {check.name: check for check in _run(engine, flat, expected, tmp_path)}
    broken = {rule.name for rule in rules if not frame.select(holds(rule).all()).item()}
    assert broken == {rule.name for rule, own in asked.items() if not all(checks[e.name].passed for e in own)}
    assert len(broken) >= 6
    for rule, own in asked.items():
        if len(own) == 1:
            assert checks[own[0].name].unexpected == frame.select((~holds(rule)).sum()).item()
    assert (tmp_path / "index.html").exists()


@pytest.mark.parametrize("engine_name", ["local", "spark"])
def test_a_day_is_let_through_warned_about_or_refused(
    engines: dict[str, Engine[Any]],
    engine_name: str,
    workers: Workers,
    catalog: Catalog,
    topic: Callable[[int], TestTopic],
    tmp_path: Path,
) -> None:
    engine = engines[engine_name]
    log = topic(2)
    source = Source(log.name, EVENTS, judge_json)
    clock = lambda: datetime(2100, 1, 1, tzinfo=UTC)  # noqa: E731
    kafka = {"bootstrap.servers": log.bootstrap}
    lander = Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), clock)

    log.send({0: [event("s", "a", "2026-03-02T10:00:00"), b"bad"]})
    lander.land()
    warned = validate(engine, DATASETS["events"], pin(load_table(catalog, EVENTS), EVENTS), MONDAY, tmp_path)
    assert (warned.passed, warned.rows) == (True, 1)
    assert [check.name for check in warned.broken(Severity.WARN)] == ["fresh", "dead_letters_few"]

    log.send({1: [event(" ", "b", "2026-03-02T11:00:00")]})
    lander.land()
    refused = validate(engine, DATASETS["events"], pin(load_table(catalog, EVENTS), EVENTS), MONDAY, tmp_path)
    assert (refused.passed, refused.rows) == (False, 2)
    assert [(check.name, check.unexpected) for check in refused.broken(Severity.FAIL)] == [("session_id_not_blank", 1)]
    assert Path(refused.docs, "index.html").exists()
    assert Path(refused.docs).parent.joinpath("report.json").read_text() == refused.to_json()
