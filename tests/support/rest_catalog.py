"""A real Iceberg REST catalog: the server against which Iceberg tests clients of its own, from Maven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from infra.jars import SPARK, Bundle, fetch
from infra.java import java
from infra.settings import LOOPBACK

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


@contextmanager
def rest_catalog(cache: Path, folder: Path) -> Iterator[str]:
    """Its address; it keeps its tables below the folder, and their names in SQLite.

    Put together here: by itself the server would listen on all addresses of the machine.
    """
    fetch(cache, lambda _line: None, (SPARK, LIBRARIES, SERVER))
    # What both need is ours first: Spark's servlets are older.
    driver = next(SPARK.folder(cache).glob("sqlite-jdbc-*.jar"))
    brought = Path(pyspark.__file__).parent / "jars"
    jars = (LIBRARIES.folder(cache) / "*", SERVER.folder(cache) / "*", driver, brought / "*")
    port, token, process = launch_gateway(
        classpath=":".join(map(str, jars)),
        javaopts=["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
        java_path=java(),
        die_on_exit=True,
        return_proc=True,
        enable_auth=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token, auto_convert=True))
    try:
        own = {"uri": f"jdbc:sqlite:{folder}/catalog.db", "warehouse": (folder / "warehouse").as_uri()}
        yield f"http://{LOOPBACK}:{_served(gateway.jvm, own)}"
    finally:
        gateway.close()
        process.kill()
        process.wait()


def _served(jvm: Any, catalog: dict[str, str]) -> int:
    """The port at which a catalog of these properties is served."""
    iceberg, jetty = jvm.org.apache.iceberg, jvm.org.eclipse.jetty
    behind = iceberg.jdbc.JdbcCatalog()
    behind.setConf(jvm.org.apache.hadoop.conf.Configuration())
    behind.initialize("behind", catalog)
    servlet = iceberg.rest.RESTCatalogServlet(iceberg.rest.RESTCatalogAdapter(behind))
    context = jetty.ee10.servlet.ServletContextHandler(jetty.ee10.servlet.ServletContextHandler.NO_SESSIONS)
    context.addServlet(jetty.ee10.servlet.ServletHolder(servlet), "/*")
    server = jetty.server.Server(jvm.java.net.InetSocketAddress(LOOPBACK, 0))
    server.setHandler(context)
    server.start()
    return int(server.getURI().getPort())
