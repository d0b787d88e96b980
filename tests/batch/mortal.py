"""A landing, or a recompute of a day, in a process of its own, for tests: it is killed before it closes its n-th file.

Arguments: the lake's catalog and warehouse, Kafka's address, the topic, the folder of results, `land` or a day, and n.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count
from unittest.mock import patch

import pyarrow as pa

from batch.files import new_file
from batch.lake import LakeConfig, files_of, load_table, open_catalog
from batch.land import Lander, LandingOptions, Source
from batch.recompute import Recompute
from batch.results import Results
from batch.snapshot import pin
from batch.storage import Storage
from batch.workers import Workers
from schemas.sessions import SessionRules
from schemas.tables.lake import EVENTS
from tests.batch.logs import judge_json

LATER = datetime(2026, 3, 9, tzinfo=UTC)
_files = count(1)


@contextmanager
def mortal_file(storage: Storage, uri: str) -> Iterator[pa.NativeFile]:
    """A new file that is written, and never closed if it is the n-th."""
    with new_file(storage, uri) as out:
        yield out
        if next(_files) == int(sys.argv[-1]):
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Does what is asked for; a file of every kind passes through `mortal_file`."""
    catalog_uri, warehouse, bootstrap, topic, root, what, _ = sys.argv[1:]
    catalog = open_catalog(LakeConfig(catalog_uri, warehouse))
    workers = Workers(lambda: sys.exit("Spark was asked for"), inline_rows=100_000)
    with patch("batch.files.new_file", mortal_file), patch("batch.results.new_file", mortal_file):
        if what == "land":
            source = Source(topic, EVENTS, judge_json)
            kafka = {"bootstrap.servers": bootstrap}
            Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: LATER).land()
            return
        table = load_table(catalog, EVENTS)
        pinned = pin(table, EVENTS)
        files = files_of(table, pinned.snapshot_id)
        Recompute(workers, Results(root), pinned, files, {}, SessionRules()).events([date.fromisoformat(what)])


if __name__ == "__main__":
    main()
