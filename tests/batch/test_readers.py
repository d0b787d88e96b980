"""Other engines open the lake's tables as they are; LAKE.md shows the same lines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pyiceberg.catalog import Catalog

from batch.lake import LakeConfig, load_table, open_catalog
from batch.land import Lander, LandingOptions, Source
from batch.storage import Storage
from batch.workers import Workers
from infra.settings import ROOT
from schemas.tables.lake import EVENTS
from tests.batch.logs import TestTopic, event, judge_json

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

LINES = {
    "pyiceberg": "catalog.load_table('rivermeet.events').scan().to_arrow()",
    "polars": "pl.scan_iceberg(catalog.load_table('rivermeet.events'))",
    "DuckDB": "SELECT * FROM iceberg_scan('<metadata file>')",
    "ClickHouse": "SELECT * FROM icebergLocal('<folder of the table>')",
}


@pytest.fixture
def landed(workers: Workers, tmp_path: Path, topic: Callable[[int], TestTopic]) -> Catalog:
    catalog = open_catalog(LakeConfig(f"jdbc:sqlite:{tmp_path}/catalog.db", str(tmp_path / "warehouse")))
    log = topic(1)
    log.send({0: [event("s", str(n), f"2026-03-0{n + 1}T10:00:00", page="/x") for n in range(3)]})
    source, kafka = Source(log.name, EVENTS, judge_json), {"bootstrap.servers": log.bootstrap}
    now = datetime(2100, 1, 1, tzinfo=UTC)
    Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: now).land()
    return catalog


def test_pyiceberg_and_polars_and_duckdb_read_what_was_landed(landed: Catalog) -> None:
    table = load_table(landed, EVENTS)
    assert table.scan("day = '2026-03-02'").to_arrow()["event_id"].to_pylist() == ["1"]
    rows = pl.scan_iceberg(table).filter(pl.col("event_time") >= datetime(2026, 3, 2, tzinfo=UTC)).collect()
    assert sorted(rows["event_id"]) == ["1", "2"]
    found = table.scan().to_duckdb("events").sql("SELECT count(*), min(event_id) FROM events WHERE page = '/x'")
    assert found.fetchall() == [(3, "0")]


def test_duckdb_reads_the_metadata_itself(landed: Catalog) -> None:
    engine = duckdb.connect()
    try:
        engine.load_extension("iceberg")
    except duckdb.Error:
        pytest.skip("DuckDB's extension for Iceberg is not installed here")
    found = engine.sql(f"SELECT count(*) FROM iceberg_scan('{load_table(landed, EVENTS).metadata_location}')")
    assert found.fetchall() == [(3,)]


def test_clickhouse_reads_the_folder_of_the_table(landed: Catalog) -> None:
    folder = Path(load_table(landed, EVENTS).location().removeprefix("file://"))
    sql = "SELECT event_id, day, properties['page'] FROM icebergLocal('events') ORDER BY event_id"
    code = f'import chdb; print(chdb.query("{sql}", "TSV"), end="")'
    # The engine opens files below the folder that it was started in.
    done = subprocess.run([sys.executable, "-c", code], cwd=folder.parent, capture_output=True, text=True, check=True)
    assert done.stdout == "0\t2026-03-01\t/x\n1\t2026-03-02\t/x\n2\t2026-03-03\t/x\n"


def test_the_page_shows_these_lines() -> None:
    shown = Path(ROOT, "batch", "LAKE.md").read_text().replace('"', "'")
    assert [name for name, line in LINES.items() if line not in shown] == []
