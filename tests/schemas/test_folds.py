"""The shared definitions against the oracle, on random events."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas import orders, products, sessions
from schemas.frames import utc_day
from schemas.sessions import SESSION_COLUMNS, SessionRules
from tests.merge.frames import event_frame, order_frame
from tests.oracle.answer import fold
from tests.oracle.log import at, event, order
from tests.oracle.records import LogRecord

RULES = SessionRules()
START = at("2026-03-01 23:00")
MINUTES = st.integers(0, 120) | st.sampled_from([29, 30, 31, 60, 61, 1440, 1470, 1500])

events = st.builds(
    lambda minute, second, **rest: _event(minute, second, rest),
    minute=MINUTES,
    second=st.sampled_from([0, 0, 10, 11, 59]),
    kind=st.sampled_from(["page_view", "page_view", "click", "purchase", "add_to_cart", "search"]),
    session=st.sampled_from(["a", "b"]),
    event_id=st.sampled_from([f"e{n}" for n in range(12)]),
    user=st.sampled_from([None, "u", "v"]),
    page=st.sampled_from([None, "/x", "/y"]),
    product=st.sampled_from([None, "p", "q"]),
    referrer=st.sampled_from([None, "r"]),
    platform=st.sampled_from(["web", "ios"]),
    agent=st.sampled_from(["agent", "Crawler/2.1", "Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X)"]),
    ip=st.sampled_from(["192.0.2.7", "17.1.2.3", "126.1.2.3"]),
    experiments=st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["a", "b"])),
    tenant=st.sampled_from(["t", "default"]),
    partition=st.integers(0, 1),
)


def _event(minute: int, second: int, rest: dict[str, Any]) -> LogRecord:
    record = event(0, "2026-03-01 23:00", append="2026-03-05 00:00", **rest)
    assert record.value is not None
    return replace(record, value={**record.value, "timestamp": START + minute * 60_000 + second * 1000})


def _numbered(records: list[LogRecord]) -> list[LogRecord]:
    return [replace(record, offset=offset) for offset, record in enumerate(records)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value.timestamp() * 1000) if isinstance(value, datetime) else value for name, value in row.items()
    }


def _key(row: dict[str, Any]) -> str:
    return str([row[name] for name in ("tenant_id", "session_id", "log_partition", "session_start")])


@given(st.lists(events, max_size=40))
def test_sessions_are_the_oracles(records: list[LogRecord]) -> None:
    log = _numbered(records)
    rows = sessions.fold(sessions.without_duplicates(event_frame(log)), RULES).select(*SESSION_COLUMNS)
    assert rows.schema == pl.Schema(SESSION_COLUMNS)
    want = [asdict(session) for session in fold(log).sessions]
    assert sorted(map(_plain, rows.to_dicts()), key=_key) == sorted(want, key=_key)


@given(st.lists(events, max_size=40), st.randoms(use_true_random=False))
def test_sessions_do_not_depend_on_the_order_of_reading_or_on_repeated_reading(
    records: list[LogRecord], rng: Any
) -> None:
    log = _numbered(records)
    shuffled = log + log[::2]
    rng.shuffle(shuffled)
    once, again = (
        sessions.fold(sessions.without_duplicates(event_frame(part)), RULES).drop("event_days")
        for part in (log, shuffled)
    )
    assert once.equals(again)


@given(st.lists(events, max_size=40))
def test_product_counts_are_the_oracles(records: list[LogRecord]) -> None:
    log = _numbered(records)
    used = sessions.without_duplicates(event_frame(log)).with_columns(day=utc_day("event_time"))
    rows = products.count(used, ["tenant_id", "day", "product_id"]).to_dicts()
    got = {
        (row["tenant_id"], row["day"], row["product_id"], counter): row[counter]
        for row in rows
        for counter in products.COUNTERS
        if row[counter]
    }
    assert got == {tuple(key): count for key, count in fold(log).products.items()}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["completed", "refunded"]), st.integers(0, 2)), max_size=20)
)
def test_repeated_order_facts_are_dropped_as_in_the_oracle(drawn: list[tuple[int, str, int]]) -> None:
    log = [
        order(offset, f"2026-03-01 10:0{minute}", 5.0, status, transaction=f"x{number}", append="2026-03-02 00:00")
        for offset, (number, status, minute) in enumerate(drawn)
    ]
    kept = orders.without_duplicates(order_frame(log))["log_offset"].to_list()
    assert sorted(kept) == sorted(fact.position.offset for fact in fold(log).orders)


def test_a_changed_rule_changes_the_definition() -> None:
    assert RULES.definition == SessionRules().definition
    assert RULES.definition != replace(RULES, engaged_page_views=3).definition
