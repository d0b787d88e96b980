"""The push consumer as a process that is killed in the middle of its work, again and again."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
import pytest

from infra.bench.features import update
from infra.clients.clickhouse import Client
from infra.send import Sender
from infra.settings import Settings
from tests.support.killing import kill
from tests.support.long import in_long_runs
from tests.support.stack import RunStack

pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(600),
    in_long_runs,
]

USERS, KILLS, UPDATES = 300, 4, 3_000
SECONDS = 120.0
TENANT = "push-killed"


def served(feature_store: Any) -> list[int | None]:
    """The time of the last act of each user, as a model is given it."""
    rows = [{"tenant_id": TENANT, "user_id": f"u{number}"} for number in range(USERS)]
    found = feature_store.get_online_features(features=["user_recent:last_seen"], entity_rows=rows).to_dict()
    return list(found["last_seen"])


def test_whatever_kills_it_the_last_value_is_served_and_kept(
    run_stack: RunStack, feature_settings: Settings, feature_store: Any, history: Client
) -> None:
    run_stack.server("feature-push", "topics", "schemas")
    sender, began = Sender(feature_settings), int(time.time() * 1000)
    last: dict[int, int] = {}
    for number in range(KILLS * UPDATES):
        user, at = number % USERS, began + number
        sender.send(update(TENANT, user, at, number))
        last[user] = at
        if number % UPDATES == UPDATES // 2:
            sender.finish()
            kill(run_stack.home, "feature-push")
            run_stack.server("feature-push")
    sender.finish()

    expected = [last[user] for user in range(USERS)]
    deadline = time.monotonic() + SECONDS
    while (found := served(feature_store)) != expected:
        assert time.monotonic() < deadline, sum(a != b for a, b in zip(found, expected, strict=True))
        time.sleep(0.5)
    kept = pl.DataFrame(
        history.query_arrow(
            "SELECT user_id, toUnixTimestamp64Milli(max(event_time)) AS at FROM feature_live_sessions FINAL"
            f" WHERE tenant_id = '{TENANT}' GROUP BY user_id"
        )
    )
    assert dict(kept.iter_rows()) == {f"u{user}": at for user, at in last.items()}
