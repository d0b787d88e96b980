"""The accounting law: what holds it, and each way of breaking it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from infra.accounting import VERDICTS, Account, Entry, Log, Span, entries, total
from infra.accounting.lake import verdicts
from schemas.frames import TIMESTAMP
from schemas.tables.lake import EVENTS

LOG = Log("user-events", 1, 0)


class Told:
    """A layer that has judged offsets: verdict by offset."""

    def __init__(self, span: Span, judged: Mapping[int, str]) -> None:
        self.spans = {LOG: span}
        self._judged = judged

    def accounts(self, spans: Mapping[Log, Span]) -> dict[Log, Account]:
        return {log: Account(span, self._count(span)) for log, span in spans.items()}

    def _count(self, span: Span) -> dict[str, int]:
        inside = [verdict for offset, verdict in self._judged.items() if span.first <= offset < span.end]
        return {verdict: inside.count(verdict) for verdict in VERDICTS}


ALL = {0: "used", 1: "duplicates", 2: "dead_letters", 3: "cold", 4: "used"}


def entry(speed: Told, batch: Told) -> Entry:
    [found] = entries(speed, batch)
    return found


def test_it_holds_where_every_record_has_a_verdict_and_both_agree() -> None:
    found = entry(Told(Span(0, 5), ALL), Told(Span(0, 4), ALL))
    assert found.holds
    assert found.accounts["speed"].span == Span(0, 5)
    assert {layer: account.span for layer, account in found.shared.items()} == dict.fromkeys(
        ("speed", "batch"), Span(0, 4)
    )
    assert total([found.accounts["speed"]]) == {
        "records": 5, "used": 2, "duplicates": 1, "dead_letters": 1, "cold": 1
    }  # fmt: skip


def test_a_record_without_a_verdict_breaks_it() -> None:
    found = entry(Told(Span(0, 5), {**ALL, 4: "lost"}), Told(Span(0, 4), ALL))
    assert (found.accounts["speed"].holds, found.accounts["batch"].holds) == (False, True)
    assert found.agrees and not found.holds


def test_layers_that_differ_break_it_although_each_adds_up() -> None:
    found = entry(Told(Span(0, 5), ALL), Told(Span(0, 4), {**ALL, 1: "used"}))
    assert all(account.holds for account in found.accounts.values())
    assert not found.agrees and not found.holds


def test_what_only_one_layer_knows_is_not_compared() -> None:
    found = entry(Told(Span(3, 5), ALL), Told(Span(0, 4), {**ALL, 0: "cold"}))
    assert found.holds
    assert found.shared["batch"].span == Span(3, 4)


def test_a_partition_that_one_layer_has_not_begun_has_one_account() -> None:
    silent = Told(Span(0, 0), {})
    silent.spans = {}
    found = entry(Told(Span(0, 5), ALL), silent)
    assert found.holds and not found.shared and set(found.accounts) == {"speed"}
    assert set(found.document()) == {"topic", "epoch", "partition", "speed", "shared", "agrees", "holds"}


def test_expired_records_are_no_records() -> None:
    assert Account(Span(0, 10, lost=4), {**dict.fromkeys(VERDICTS, 0), "used": 6}).holds


def test_landed_rows_are_judged_in_the_order_of_the_verdicts() -> None:
    march = datetime(2026, 3, 2, 12, tzinfo=UTC)
    late = datetime(2026, 3, 20, tzinfo=UTC)
    rows = [
        ("a", "1", march, 0, march),
        ("a", "1", march, 1, march),
        ("a", "1", march, 2, late),
        ("b", "2", march, 3, late),
    ]
    names = ("session_id", "event_id", "event_time", "log_offset", "append_time")
    landed = pl.DataFrame([dict(zip(names, row, strict=True)) for row in [*rows, rows[0]]]).with_columns(
        pl.col("event_time", "append_time").cast(TIMESTAMP),
        tenant_id=pl.lit("t"),
        log_epoch=pl.lit(1, pl.Int32),
        log_partition=pl.lit(0, pl.Int32),
    )
    position = {"log_epoch": pl.Int32(), "log_partition": pl.Int32(), "log_offset": pl.Int64()}
    dead = pl.DataFrame({"log_epoch": [1, 1], "log_partition": [0, 0], "log_offset": [4, 4]}, schema=position)
    found = verdicts(EVENTS, landed, dead, horizon_days=7).sort("log_offset")
    assert found["log_offset"].to_list() == [0, 1, 2, 3, 4]
    assert found["verdict"].to_list() == ["used", "duplicates", "duplicates", "cold", "dead_letters"]
