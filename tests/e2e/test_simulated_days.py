"""A simulated shop through the whole of Rivermeet: the views are the truth before and after publications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.demo.story import Story
from infra.simulator.truth import Truth
from schemas.lateness import CLOCK_MARGIN, is_publishable
from tests.e2e.answers import check_truth, layers
from tests.e2e.stack import Live, live

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("shop") / "home") as stack:
        yield stack


def test_a_shop_from_its_first_record_to_a_late_event(shop: Live) -> None:
    """The demo without Airflow, with every row of both views compared at each step, and every record accounted for."""
    story = Story(shop.settings, 11, datetime.now(UTC))
    story.simulate()
    shop.wait_applied()
    check_truth(shop, story.truth)
    check_accounting(shop, story.truth, landed=False)
    assert set(layers(shop, "default").values()) == {"speed"}

    closed, opened = story.days.closed, story.days.open
    shop.batch("run", "--day", str(closed[0]), "--to", str(closed[-1]))
    check_truth(shop, story.truth)
    check_accounting(shop, story.truth, landed=True)
    assert layers(shop, "north") == {**dict.fromkeys(closed, "batch"), **{day: answering(day) for day in opened}}

    event = story.late_event()
    before = story.group(event)
    shop.send([event.message])
    after = story.group(event)
    check_truth(shop, story.truth)
    assert (after.late_groups, after.page_views) == (1, before.page_views + 1)
    story.recompute()
    check_truth(shop, story.truth)
    story.require_layers([before, after, story.group(event)])
    check_accounting(shop, story.truth, landed=True)


def answering(day: date) -> str:
    """The layer of a day that is connected with published ones: it moves with them once it may be published."""
    return "batch" if is_publishable(day, datetime.now(UTC) - CLOCK_MARGIN) else "speed"


def check_accounting(shop: Live, truth: Truth, *, landed: bool) -> None:
    """`rivermeet status` accounts for every record that was sent, with the verdicts that the simulator expects."""
    status = shop.cli("status", "--json")
    entries = json.loads(status.stdout)["accounting"]
    assert all(entry["holds"] for entry in entries)
    for layer in ("speed", "batch") if landed else ("speed",):
        for topic, sent in truth.sent.items():
            own = [entry[layer] for entry in entries if entry["topic"] == topic]
            total = {name: sum(account[name] for account in own) for name in ("records", "used", "duplicates", "cold")}
            dead = sum(account["dead_letters"] for account in own)
            assert dead == truth.dead_letters[topic]
            used = sent - dead - truth.duplicates[topic]
            assert total == {"records": sent, "used": used, "duplicates": truth.duplicates[topic], "cold": 0}


def test_a_record_that_vanishes_from_a_store_breaks_the_law(shop: Live) -> None:
    [row] = shop.own("SELECT log_partition, log_offset FROM events_speed ORDER BY log_offset LIMIT 1")
    position = f"log_partition = {row['log_partition']} AND log_offset = {row['log_offset']}"
    shop.change(f"DELETE FROM events_speed WHERE {position}")
    status = shop.cli("status", "--json")
    assert status.returncode == 1
    broken = [entry for entry in json.loads(status.stdout)["accounting"] if not entry["holds"]]
    [(topic, partition, layer)] = [(e["topic"], e["partition"], e["speed"]["holds"]) for e in broken]
    assert (topic, partition, layer) == ("user-events", row["log_partition"], False)
    assert not broken[0]["agrees"]
    assert f"broken: {partition}" in shop.cli("status").stdout


def test_dead_letters_are_listed_with_their_reason(shop: Live) -> None:
    found = json.loads(shop.cli("dead-letters", "--json", "--limit", "1000").stdout)
    reasons = {letter["reason"] for letter in found}
    assert {"truncated", "unknown_schema", "too_far_ahead", "blank"} <= reasons
    assert all(letter["value_base64"] and letter["meaning"] for letter in found)
    [one] = json.loads(shop.cli("dead-letters", "--json", "--reason", "blank", "-n", "1").stdout)
    assert one["reason"] == "blank"
    assert shop.cli("dead-letters", "--reason", "no_such").returncode == 1


def test_what_a_load_wrote_down_is_what_the_views_answer(shop: Live, tmp_path: Path) -> None:
    history = ("--days-back", "1", "--visits", "40", "--seed", "3", "--suffix", "-old")
    faults = ("--late", "0.05", "--out-of-order", "0.1", "--duplicates", "0.05", "--broken", "0.02")
    for name, options in {"history": history, "live": ("--rate", "50", "--seconds", "2", "--suffix", "-new")}.items():
        done = shop.cli("load", *options, *faults, "--truth", str(tmp_path / name), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["records"] > 50
    shop.wait_applied()
    for name in ("history", "live"):
        truth = json.loads((tmp_path / name).read_text())
        for view in ("daily_metrics", "daily_revenue"):
            for expected in truth[view]:
                assert answered(shop, view, expected) == pytest.approx(expected)


def answered(shop: Live, view: str, expected: dict[str, Any]) -> dict[str, Any]:
    """The row of a view that should be as expected."""
    keys = [key for key in ("tenant_id", "day", "currency") if key in expected]
    same = " AND ".join(f"toString({key}) = %({key})s" for key in keys)
    [row] = shop.ask(f"SELECT * FROM {view} WHERE {same}", **{key: expected[key] for key in keys})
    return {name: str(row[name]) if name == "day" else row[name] for name in expected}
