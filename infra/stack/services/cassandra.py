"""Cassandra: one node on loopback that asks for a password."""

from __future__ import annotations

import json
from pathlib import Path

from infra import jars
from infra.settings import LOOPBACK, Settings
from infra.stack.plan import Command, Service
from infra.stack.probes import SECONDS, listens
from infra.stack.services.jvm import classpath, jvm

HEAP = "384m"
FIRST_LOGIN = "cassandra"

# What Cassandra 5 reaches into under Java 17, as in the options file of its own distribution.
_EXPORTS = (
    "java.base/java.lang.ref java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch "
    "java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server "
    "java.sql/java.sql jdk.unsupported/sun.misc"
)
_OPENS = (
    "java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.net "
    "java.base/java.nio java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic "
    "java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module "
    "java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar java.base/sun.nio.ch "
    "jdk.management/com.sun.management.internal"
)
# A lone node has nobody to wait for, nor anything to work out anew that is known.
_ALONE = {
    "cassandra.skip_wait_for_gossip_to_settle": "0",
    "cassandra.ring_delay_ms": "100",
    "cassandra.superuser_setup_delay_ms": "0",
    "cassandra.initial_token": "0",
    # Our passwords are of 24 random bytes, which nobody guesses, however soon a guess is told to be wrong.
    "cassandra.auth_bcrypt_gensalt_log2_rounds": "4",
    # It makes that many rows at each start, and measures them to know what one takes.
    "cassandra.memtable_row_overhead_computation_step": "1000",
}
_LOGBACK = """<configuration>
<appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%date{ISO8601} %-5level %logger{0} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="OUT"/></root></configuration>
"""


def _configuration(settings: Settings, folder: Path) -> dict[str, object]:
    """The node's ``cassandra.yaml``; JSON is YAML."""
    return {
        "cluster_name": "rivermeet",
        "num_tokens": 1,
        "listen_address": LOOPBACK,
        "rpc_address": LOOPBACK,
        "storage_port": settings.ports.cassandra_storage,
        "native_transport_port": settings.ports.cassandra,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{LOOPBACK}:{settings.ports.cassandra_storage}"}],
            }
        ],
        "endpoint_snitch": "SimpleSnitch",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "authenticator": "PasswordAuthenticator",
        "authorizer": "CassandraAuthorizer",
        "role_manager": "CassandraRoleManager",
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "1000ms",
        "commitlog_segment_size": "8MiB",
        "commitlog_total_space": "64MiB",
        "memtable_heap_space": "64MiB",
        "memtable_offheap_space": "64MiB",
        "file_cache_size": "32MiB",
        "key_cache_size": "8MiB",
        "concurrent_reads": 16,
        "concurrent_writes": 16,
        "auto_snapshot": False,
        "data_file_directories": [str(folder / "data")],
        "commitlog_directory": str(folder / "commitlog"),
        "saved_caches_directory": str(folder / "saved_caches"),
        "hints_directory": str(folder / "hints"),
        "cdc_raw_directory": str(folder / "cdc_raw"),
    }


def _command(settings: Settings) -> Command:
    folder = settings.home / "cassandra"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cassandra.yaml").write_text(json.dumps(_configuration(settings, folder), indent=1))
    (folder / "logback.xml").write_text(_LOGBACK)
    properties = _ALONE | {
        "cassandra.config": (folder / "cassandra.yaml").as_uri(),
        "cassandra.storagedir": str(folder),
        "cassandra-foreground": "yes",
        "logback.configurationFile": str(folder / "logback.xml"),
        "jdk.attach.allowAttachSelf": "true",
        "io.netty.tryReflectionSetAccessible": "true",
        "java.awt.headless": "true",
    }
    java = jvm(
        jars.CASSANDRA,
        settings.cache,
        HEAP,
        *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS.split()),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS.split()),
        *(f"-D{name}={value}" for name, value in properties.items()),
        *classpath(jars.CASSANDRA, settings.cache),
    )
    return Command((*java, "org.apache.cassandra.service.CassandraDaemon"))


def _ready(settings: Settings) -> bool:
    """Ready when our own user can log in; on the first start that user is made, and the well-known one shut out."""
    if not listens(settings.ports.cassandra):
        return False
    password = settings.cassandra.password.get_secret_value()
    return _run(settings, settings.cassandra.user, password, _SHUT_OUT) or (
        _run(settings, FIRST_LOGIN, FIRST_LOGIN, _create_user(settings.cassandra.user, password))
        and _run(settings, settings.cassandra.user, password, _SHUT_OUT)
    )


_SHUT_OUT = f"ALTER ROLE {FIRST_LOGIN} WITH LOGIN = false AND SUPERUSER = false"


def _create_user(user: str, password: str) -> str:
    return f"CREATE ROLE IF NOT EXISTS {user} WITH PASSWORD = '{password}' AND LOGIN = true AND SUPERUSER = true"


def _run(settings: Settings, user: str, password: str, statement: str) -> bool:
    """Whether this user could log in and run the statement."""
    from cassandra import DriverException
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import Cluster, NoHostAvailable

    cluster = Cluster(
        [LOOPBACK],
        port=settings.ports.cassandra,
        auth_provider=PlainTextAuthProvider(user, password),
        protocol_version=5,
        connect_timeout=SECONDS,
        control_connection_timeout=SECONDS,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )
    try:
        cluster.connect().execute(statement, timeout=SECONDS)
    except (NoHostAvailable, DriverException):
        return False
    finally:
        cluster.shutdown()
    return True


CASSANDRA = Service("cassandra", _command, _ready, ports=("cassandra", "cassandra_storage"), memory=650)
