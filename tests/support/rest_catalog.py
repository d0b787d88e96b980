"""A real Iceberg REST catalog: the server against which Iceberg tests clients of its own, from Maven."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from infra.jars import SPARK, Bundle, fetch
from infra.java import java
from infra.settings import LOOPBACK
from infra.stack.state import free_port
from tests.support.waiting import until

ICEBERG, JETTY = "1.11.0", "12.1.14"
LIBRARIES = Bundle(
    "iceberg-rest",
    f"{ICEBERG}-{JETTY}",
    (
        *(f"org.apache.iceberg:iceberg-{part}:{ICEBERG}" for part in ("api", "bundled-guava", "common", "core")),
        *(f"org.eclipse.jetty.compression:jetty-compression-{part}:{JETTY}" for part in ("common", "gzip", "server")),
        *(
            f"org.eclipse.jetty:jetty-{part}:{JETTY}"
            for part in ("http", "io", "security", "server", "session", "util")
        ),
        f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{JETTY}",
        "com.github.ben-manes.caffeine:caffeine:2.9.3",
        "jakarta.servlet:jakarta.servlet-api:6.0.0",
        "org.apache.httpcomponents.core5:httpcore5:5.4",
    ),
    alone=True,
)
"""What the server needs and Spark does not bring."""
SERVER = Bundle(
    "iceberg-rest-server",
    ICEBERG,
    (
        f"org.apache.iceberg:iceberg-core:{ICEBERG}:tests",
        f"org.apache.iceberg:iceberg-open-api:{ICEBERG}:test-fixtures",
    ),
    alone=True,
)
READY_SECONDS = 60.0


@contextmanager
def rest_catalog(cache: Path, folder: Path) -> Iterator[str]:
    """Its address; it keeps its tables below the folder, and their names in SQLite."""
    fetch(cache, lambda _line: None, (SPARK, LIBRARIES, SERVER))
    port = free_port()
    # What both need is ours first: Spark's servlets are older.
    driver = next(SPARK.folder(cache).glob("sqlite-jdbc-*.jar"))
    brought = Path(pyspark.__file__).parent / "jars"
    jars = (LIBRARIES.folder(cache) / "*", SERVER.folder(cache) / "*", driver, brought / "*")
    options = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, jars)))
    own = {
        "CATALOG_URI": f"jdbc:sqlite:{folder}/catalog.db",
        "CATALOG_WAREHOUSE": (folder / "warehouse").as_uri(),
        "CATALOG_REST_PORT": str(port),
    }
    with subprocess.Popen([java(), *options, "org.apache.iceberg.rest.RESTCatalogServer"], env=os.environ | own) as one:
        try:
            until(lambda: answers(f"http://{LOOPBACK}:{port}/v1/config"), "the catalog", READY_SECONDS)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            one.kill()


def answers(url: str) -> bool:
    """Whether something is served there."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
