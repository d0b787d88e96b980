"""How far the speed layer is behind: a partition that is applied to the log's end is not, however long it is quiet."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from infra.settings import Kafka, Settings
from serving.api.provenance import applied_until
from serving.log import Ends, LogEnds
from tests.support.stack import RunStack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET, BUSY = NOON - timedelta(hours=3), NOON - timedelta(seconds=4)


def test_a_quiet_partition_is_as_far_as_the_question() -> None:
    applied = {0: (10, QUIET), 1: (20, BUSY)}
    assert applied_until(applied, None) == QUIET
    assert applied_until(applied, Ends(NOON, {0: 10, 1: 21})) == BUSY
    assert applied_until(applied, Ends(NOON, {0: 10, 1: 20})) == NOON
    assert applied_until(applied, Ends(NOON, {0: 11, 1: 20})) == QUIET
    assert applied_until(applied, Ends(BUSY - timedelta(hours=1), {0: 11, 1: 20})) == QUIET
    assert applied_until({}, Ends(NOON, {0: 0})) is None


def test_of_an_empty_log_all_is_applied_that_says_so() -> None:
    assert Ends(NOON, {0: 0, 1: 0}).reached({0: 0}) == {0}


@pytest.mark.servers
def test_kafka_says_where_the_log_ends(run_stack: RunStack) -> None:
    ends = LogEnds(Settings(kafka=run_stack.server("topics").kafka), lambda: NOON)
    assert ends.of("events") is None
    deadline = time.monotonic() + 20
    while (found := ends.of("events")) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    ends.close()
    assert found is not None
    assert (found.asked_at, sorted(found.offsets)) == (NOON, list(range(len(found.offsets))))
    assert found.offsets


def test_while_kafka_is_away_nobody_waits() -> None:
    ends = LogEnds(Settings(kafka=Kafka(bootstrap="127.0.0.1:1")), lambda: NOON)
    started = time.monotonic()
    assert ends.of("events") is None
    ends.close()
    assert time.monotonic() - started < 1
