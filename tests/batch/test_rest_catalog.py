"""A lake whose catalog is a REST service: the same landings and the same upkeep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog

from batch.lake import LakeConfig, create_tables, load_table, open_catalog
from batch.land import Lander, LandingOptions, Source
from batch.landings import commits
from batch.maintenance import Keeper, Upkeep
from batch.ranges import covered_by
from batch.storage import Storage
from batch.workers import Workers
from infra.settings import load_settings
from schemas.tables.lake import DEAD_LETTERS, EVENTS
from tests.batch.logs import TestTopic, event, judge_json
from tests.support.rest_catalog import rest_catalog

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

NOON = datetime(2100, 3, 2, 12, tzinfo=UTC)
NOW = Upkeep(snapshots=timedelta(0), orphans=timedelta(0), small_files=2)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[LakeConfig]:
    with rest_catalog(load_settings().cache, tmp_path) as url:
        login = {"credential": "lake:secret", "oauth2-server-uri": f"{url}/v1/oauth/tokens", "warehouse": "shop"}
        yield LakeConfig(url, str(tmp_path / "warehouse"), login)


def lander(workers: Workers, catalog: Catalog, log: TestTopic) -> Lander:
    source, kafka = Source(log.name, EVENTS, judge_json), {"bootstrap.servers": log.bootstrap}
    return Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: NOON)


def test_landings_beside_each_other_and_upkeep_leave_each_record_once(
    lake: LakeConfig, workers: Workers, topic: Callable[[int], TestTopic]
) -> None:
    log = topic(2)
    # Two that make the namespace at one moment are more than the store behind this server can tell apart.
    create_tables(open_catalog(lake), (EVENTS, DEAD_LETTERS))
    for number in range(3):
        log.send({number % 2: [event("s", str(number), f"2026-03-02T10:{number:02}:00")]})
        with ThreadPoolExecutor(2) as both:
            landings = [both.submit(lander(workers, open_catalog(lake), log).land) for _ in range(2)]
        assert {one.result().end[number % 2] for one in landings} == {number // 2 + 1}
    catalog = open_catalog(lake)
    offsets = covered_by(commits(load_table(catalog, EVENTS)), 1)
    done = Keeper(catalog, Storage(), NOW, lambda: datetime.now(UTC)).keep(EVENTS)
    assert done is not None
    assert (done.files_before, done.files_after) == (3, 1)
    table = load_table(catalog, EVENTS)
    assert covered_by(commits(table), 1) == offsets
    assert sorted(table.scan().to_arrow()["event_id"].to_pylist()) == ["0", "1", "2"]
