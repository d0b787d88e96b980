"""A landing decides about bytes exactly as the speed layer's functions do, with schemas from a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyiceberg.catalog import Catalog
from pyspark.sql import SparkSession

from batch.judging import RegistryJudge
from batch.lake import load_table
from batch.land import Lander, LandingOptions, Source
from batch.landings import commits
from batch.storage import Storage
from batch.workers import Workers
from schemas.codec import encode_record, header, resolve
from schemas.frames import DEAD_LETTER_COLUMNS, EVENT_COLUMNS
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.tables.lake import DEAD_LETTERS, EVENTS, from_arrow
from schemas.topics import USER_EVENTS
from schemas.verdicts import judge
from tests.batch.logs import TestTopic

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

EXAMPLES = Path("schemas/examples/user-event/good")


@pytest.fixture(scope="session")
def ids(registry_url: str) -> dict[int, int]:
    return Registry(registry_url).register(USER_EVENTS)


@pytest.fixture
def values(ids: dict[int, int]) -> list[bytes]:
    """All good examples, and what no decoder accepts."""
    versions = {f"user-event/v{version.version}": version for version in subject("user-event").versions}
    examples = [json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.json"))]
    good = [
        encode_record(example["record"], versions[example["writer"]], ids[versions[example["writer"]].version])
        for example in examples
        if "record" in example
    ]
    return [*good, b"", b"no avro", good[0][:-1], good[0] + b"x", header(999_999) + good[0][5:]]


def landed(workers: Workers, catalog: Catalog, log: TestTopic, url: str) -> Lander:
    source = Source(log.name, EVENTS, RegistryJudge(USER_EVENTS.name, url))
    kafka, now = {"bootstrap.servers": log.bootstrap}, datetime(2100, 1, 1, tzinfo=UTC)
    return Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: now)


@pytest.fixture(params=[0, 1_000], ids=["on Spark", "in this process"])
def workers(request: pytest.FixtureRequest, spark: SparkSession) -> Workers:
    return Workers(lambda: spark, request.param)


def test_a_landing_and_the_speed_layer_decide_alike(
    workers: Workers,
    catalog: Catalog,
    topic: Callable[[int], TestTopic],
    registry_url: str,
    values: list[bytes],
) -> None:
    log = topic(1)
    log.send({0: values})
    report = landed(workers, catalog, log, registry_url).land()
    rows = from_arrow(load_table(catalog, EVENTS).scan().to_arrow(), EVENT_COLUMNS).sort("log_offset")
    dead = from_arrow(load_table(catalog, DEAD_LETTERS).scan().to_arrow(), DEAD_LETTER_COLUMNS).sort("log_offset")
    times = pl.concat([part.select("log_offset", "append_time") for part in (rows, dead)]).sort("log_offset")
    positions = times.select(
        pl.lit(1, pl.Int32).alias("log_epoch"), pl.lit(0, pl.Int32).alias("log_partition"), "log_offset", "append_time"
    ).with_row_index("row")
    schemas = resolve(values, Registry(registry_url).resolve)
    usable, refused = judge(USER_EVENTS.name, positions, [b"k"] * len(values), values, schemas)
    assert report.records == len(values)
    assert report.dead_letters == refused.height >= 5
    assert_frame_equal(rows, usable.sort("log_offset"))
    assert_frame_equal(dead, refused.with_columns(topic=pl.lit(log.name)).sort("log_offset"))


def test_a_registry_that_is_down_stops_the_landing(
    workers: Workers, catalog: Catalog, topic: Callable[[int], TestTopic], values: list[bytes]
) -> None:
    log = topic(1)
    log.send({0: values[:1]})
    with pytest.raises(Exception, match="registry"):
        landed(workers, catalog, log, "http://127.0.0.1:9").land()
    assert commits(load_table(catalog, EVENTS)) == []
    assert load_table(catalog, DEAD_LETTERS).current_snapshot() is None
