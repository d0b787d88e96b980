"""Finished recomputes without Spark and Kafka, and a ClickHouse of one's own to publish them into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from batch.coverage import Coverage
from batch.fold import Tables, event_tables, fold_events, order_tables
from batch.results import RESULT_TABLES, Manifest, Results
from infra.clients.clickhouse import connect, migrate
from infra.settings import ClickHouse
from schemas.frames import empty
from schemas.sessions import REACH_COLUMNS, SessionRules
from schemas.tables import clickhouse_migrations
from schemas.tables.lake import to_arrow
from serving.merged import statements
from tests.merge.frames import event_frame, order_frame
from tests.oracle.records import LogRecord
from tests.support.clickhouse import running_owner

RULES = SessionRules()


def write_run(root: Path, run: int, day: date, records: Sequence[LogRecord], dataset: str = "events") -> Manifest:
    """Writes what a recompute of a day from so many lake commits leaves, landed at noon of the day after."""
    files = {}
    for name, rows in _tables(dataset, day, records).items():
        folder = root / dataset / f"run{run}" / name
        folder.mkdir(parents=True)
        pq.write_table(to_arrow(rows, RESULT_TABLES[name]), folder / "part.parquet")
        files[name] = (f"{name}/part.parquet",)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=1)
    coverage = Coverage(1, {0: len(records)}, noon)
    manifest = Manifest(dataset, f"run{run}", (day,), run, run, coverage, RULES.definition, files)
    Results(root.as_uri()).finish(manifest, empty({"log_partition": pl.Int32(), **REACH_COLUMNS}))
    return manifest


def _tables(dataset: str, day: date, records: Sequence[LogRecord]) -> Tables:
    if dataset == "orders":
        return order_tables(order_frame(records), [day])
    return event_tables(*fold_events(event_frame(records), RULES), [day])


@contextmanager
def migrated_warehouse(folder: Path) -> Iterator[ClickHouse]:
    """A process of ClickHouse with all tables and views, and the settings that lead there."""
    with running_owner(folder) as endpoint:
        users = {user: {"password": password} for user, password in endpoint.users.items()}
        own = {"host": endpoint.host, "port": endpoint.port, **users.pop("writer"), **users}
        settings = ClickHouse.model_validate(own)
        with closing(connect(settings, "admin", "default")) as client:
            client.command("CREATE DATABASE IF NOT EXISTS rivermeet")
        with closing(connect(settings, "admin")) as client:
            migrate(client, clickhouse_migrations(), statements())
        yield settings
