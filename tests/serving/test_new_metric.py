"""A metric that is added to the catalogue shows in the rollup, the view, the dictionary and the API by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from batch.publish import roll_up_missing
from schemas import metrics
from schemas.metrics import METRICS, Metric
from serving.dictionary import entry
from serving.merged import statements
from tests.merge import scenarios
from tests.merge.scenarios import AFTER_MIDNIGHT, DAY, History
from tests.merge.store import HoleError, Store

ADDED = Metric(
    "long_sessions", "daily_metrics", "count", "sessions", "Long ones", "sessions", where="duration_ms >= 600000"
)
_API = """
from schemas import metrics
metrics.METRICS = (*metrics.METRICS, metrics.Metric("long_sessions", "daily_metrics", "count", "sessions", "Long ones",
    "sessions", where="duration_ms >= 600000"))
from serving.api.models import DAILY_METRICS
assert "long_sessions" in DAILY_METRICS.row.model_fields
"""


@pytest.fixture
def added(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """A published day, and then the new metric, with views made as `rivermeet prepare` makes them."""
    history = scenarios.History(store)
    history.event(1300)
    history.event(1310)
    history.tick()
    history.until(DAY + AFTER_MIDNIGHT)
    history.land()
    history.publish(0)
    with monkeypatch.context() as patch:
        patch.setattr(metrics, "METRICS", (*METRICS, ADDED))
        _make_views(store)
        yield history
    _make_views(store)


def _make_views(store: Store) -> None:
    for _, statement in statements():
        store.client.command(statement)


def test_it_shows_in_rollup_view_and_dictionary(added: History, store: Store) -> None:
    question = f"SELECT sessions, long_sessions FROM daily_metrics WHERE day = '{added.date(0)}'"
    with pytest.raises(HoleError, match="rivermeet prepare"):
        store.rows(question)
    assert roll_up_missing(store.client) == [added.date(0)]
    assert store.rows(question) == [{"sessions": 1, "long_sessions": 1}]
    assert entry("daily_metrics").columns["long_sessions"] == "Long ones [sessions]"

    added.event(1325, session="s2")
    added.event(1318)
    added.tick()
    assert store.rows(question) == [{"sessions": 2, "long_sessions": 1}]
    assert roll_up_missing(store.client) == []


def test_it_shows_in_the_api() -> None:
    subprocess.run([sys.executable, "-c", _API], check=True, timeout=60)
