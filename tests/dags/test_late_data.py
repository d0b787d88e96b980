"""Landings find late days, and the recompute takes exactly those, once."""

from __future__ import annotations

import pytest

from tests.dags.conftest import Airflow

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

LANDED = {"say": [{"topic": "user-events", "snapshot_id": 11, "end": {"0": 5}}]}
LATE = {
    "say": [
        {"dataset": "events", "day": "2026-03-01"},
        {"dataset": "events", "day": "2026-03-02"},
        {"dataset": "orders", "day": "2026-03-02"},
    ]
}
GOOD: dict[str, object] = {
    "late": LATE,
    "validate": {"say": [{"day": "2026-03-02", "dataset": "DATASET", "passed": True}]},
    "recompute": {"say": [{"run": "run-DATASET", "coverage": {"end": {"0": 9}}}]},
    "publish": {"say": [{"dataset": "DATASET", "version": 7, "days": ["2026-03-02"]}]},
    "notify": {"say": {}},
}
NOON = "2026-03-04T12:10:00+00:00"


def test_a_landing_tells_which_closed_days_it_touched(airflow: Airflow) -> None:
    tried = airflow.run("lake_landing", NOON, {"land": LANDED, "late": LATE})
    assert tried.state == "success"
    assert [" ".join(command) for command in tried.asked] == ["land --json", "late --wait 30 --cap 4 --json"]
    assert tried.assets["lake"] == {"landings": {"user-events": {"snapshot": 11, "offsets": {"0": 5}}}}
    assert tried.assets["late_data"] == {"days": ["2026-03-01", "2026-03-02"]}


def test_a_landing_that_touched_none_starts_nothing(airflow: Airflow) -> None:
    tried = airflow.run("lake_landing", "2026-03-04T13:10:00+00:00", {"land": LANDED, "late": {"say": []}})
    assert (tried.state, tried.tasks["find_late_days"]) == ("success", "skipped")
    assert set(tried.assets) == {"lake"}


def test_late_days_are_computed_and_published_once(airflow: Airflow) -> None:
    tried = airflow.run("late_data_recompute", NOON, GOOD, {})
    assert tried.state == "success"
    asked = [" ".join(command) for command in tried.asked]
    assert asked == [
        "late --wait 30 --cap 4 --json",
        "validate --day 2026-03-01 --dataset events --report-only --json",
        "validate --day 2026-03-02 --dataset events --report-only --json",
        "recompute --day 2026-03-02 --day 2026-03-02 --dataset events --json",
        "validate --day 2026-03-02 --dataset orders --report-only --json",
        "recompute --day 2026-03-02 --dataset orders --json",
        "publish --day 2026-03-02 --dataset events --run run-events --json",
        "publish --day 2026-03-02 --dataset orders --run run-orders --json",
        "notify --day 2026-03-02 --json",
    ]
    offsets = {"events": {"0": 9}, "orders": {"0": 9}}
    wanted = {"days": ["2026-03-02"], "versions": {"events": 7, "orders": 7}, "offsets": offsets}
    assert tried.assets == {"publications": wanted}


def test_a_run_that_finds_nothing_left_publishes_nothing(airflow: Airflow) -> None:
    tried = airflow.run("late_data_recompute", "2026-03-05T12:10:00+00:00", {"late": {"say": []}}, {})
    assert tried.tasks == dict.fromkeys(("due_days", "recompute", "publish", "report"), "skipped")
    assert [command[0] for command in tried.asked] == ["late"]


def test_a_day_that_the_gate_refuses_is_left_out(airflow: Airflow) -> None:
    refused = {"say": [{"day": "2026-03-02", "dataset": "DATASET", "passed": False}]}
    tried = airflow.run("late_data_recompute", "2026-03-06T12:10:00+00:00", GOOD | {"validate": refused}, {})
    assert [command[0] for command in tried.asked] == ["late", "validate", "validate", "validate"]
    assert (tried.tasks["publish"], tried.assets) == ("skipped", {})


def test_maintenance_asks_for_maintenance(airflow: Airflow) -> None:
    tried = airflow.run("maintenance", "2026-03-06T04:30:00+00:00", {"maintenance": {"say": {}}})
    assert (tried.state, tried.asked) == ("success", [["maintenance", "--json"]])
