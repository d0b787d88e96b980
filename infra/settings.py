"""Where everything is: addresses, credentials and the few numbers that a deployment may choose.

Values come, the first that has one wins, from the environment (prefix ``RIVERMEET_``, nested names joined by two
underscores: ``RIVERMEET_KAFKA__BOOTSTRAP``), from ``<home>/stack.json`` which ``rivermeet up`` writes for the stack it
started, and from the defaults below.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.alerts import AlertRules

ROOT = Path(__file__).resolve().parents[1]
STACK_FILE = "stack.json"
LOOPBACK = "127.0.0.1"
SPARK_JAVA_HOME = Path(sys.prefix) / "spark-java"
# Archives of loaded classes, in that folder: Java's own, and on top of it those of Spark.
JAVA_ARCHIVE, SPARK_ARCHIVE = "java.jsa", "spark.jsa"

Role = Literal["writer", "analyst", "admin"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Login(_Frozen):
    """A name and its password."""

    user: str
    password: SecretStr = SecretStr("")


class _Analyst(Login):
    user: str = "analyst"


class _Admin(Login):
    user: str = "admin"


class Kafka(_Frozen):
    """The brokers, how to log in to them (plaintext on loopback by default), and copies kept of each new topic."""

    bootstrap: str = f"{LOOPBACK}:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    user: str = ""
    password: SecretStr = SecretStr("")
    replication: PositiveInt = 1

    def client_config(self) -> dict[str, str]:
        """Connection options under librdkafka's names, as confluent-kafka clients take them."""
        config = {"bootstrap.servers": self.bootstrap, "security.protocol": self.security_protocol}
        if self.security_protocol.startswith("SASL"):
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password.get_secret_value(),
            }
        return config


class Registry(_Frozen):
    """The schema registry's Confluent API; a login, where one is asked for, is part of the address."""

    url: str = f"http://{LOOPBACK}:8081/apis/ccompat/v7"


class ClickHouse(_Frozen):
    """The HTTP endpoint and its users: ``user`` writes, ``analyst`` reads the views, ``admin`` owns the tables."""

    host: str = LOOPBACK
    port: int = 8123
    secure: bool = False
    database: str = "rivermeet"
    user: str = "writer"
    password: SecretStr = SecretStr("")
    analyst: _Analyst = _Analyst()
    admin: _Admin = _Admin()

    def login(self, role: Role) -> Login:
        """Name and password of one of the three users."""
        logins: dict[Role, Login] = {
            "writer": Login(user=self.user, password=self.password),
            "analyst": self.analyst,
            "admin": self.admin,
        }
        return logins[role]


class Cassandra(_Frozen):
    """Contact point and login; ``datacenter`` is the local one, which drivers prefer; copies kept of each row."""

    host: str = LOOPBACK
    port: int = 9042
    user: str = "rivermeet"
    password: SecretStr = SecretStr("")
    datacenter: str = "datacenter1"
    keyspace: str = "rivermeet"
    replication: PositiveInt = 1


class S3(_Frozen):
    """An object store that speaks S3; what is empty comes from the environment, as Amazon's own tools take it."""

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    path_style: bool = False


class Lake(_Frozen):
    """The Iceberg catalog and the folder or bucket of the tables; by default SQLite and files below ``<home>/lake``.

    ``catalog_uri`` is a JDBC address of SQLite or Postgres, or the URL of a REST catalog, to which ``token`` logs in.
    ``catalog_properties`` are what else its clients are told, under Iceberg's names: ``credential``,
    ``oauth2-server-uri``, ``scope``, or as ``warehouse`` the name by which the catalog knows it.
    ``warehouse`` is a path or ``s3://bucket/folder``.
    """

    catalog_uri: str = ""
    warehouse: str = ""
    token: SecretStr = SecretStr("")
    catalog_properties: dict[str, SecretStr] = {}
    s3: S3 = S3()


class Spark(_Frozen):
    """How the batch layer runs Spark; the defaults are for one small machine.

    Work on up to `inline_rows` rows is done in the command's own process, since it ends before Spark would have
    started; with 0 all of it is Spark's. ``java_home`` is the Java 17 of the driver, by default the one of this
    environment.
    """

    master: str = "local[2]"
    java_home: Path | None = None
    driver_memory: str = "2g"
    shuffle_partitions: PositiveInt = 4
    inline_rows: NonNegativeInt = 300_000


class Api(_Frozen):
    """Where the HTTP API and the dashboard listen; ``key``, if any, opens every tenant (the local stack makes one).

    ``cors_origins``: web origins whose pages may read answers, none by default. Each key may make so many requests and
    send so many records per second.
    """

    host: str = LOOPBACK
    port: int = 8000
    key: SecretStr = SecretStr("")
    cors_origins: tuple[str, ...] = ()
    requests_per_second: PositiveInt = 200
    records_per_second: PositiveInt = 50_000


class Features(_Frozen):
    """Where the feature server listens; it asks for no key, so it stays on loopback behind the API."""

    host: str = LOOPBACK
    port: int = 6566


class Airflow(_Frozen):
    """Airflow's web server and REST API, and the login of its one administrator."""

    host: str = LOOPBACK
    port: int = 8080
    user: str = "admin"
    password: SecretStr = SecretStr("")


class Smtp(_Frozen):
    """A mail server; mail is sent where it and recipients are named. ``starttls`` off is for a server on loopback."""

    host: str = ""
    port: int = 587
    starttls: bool = True
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "rivermeet@localhost"
    recipients: tuple[str, ...] = ()


class Notify(_Frozen):
    """Who gets the report of a day, and word of failures: a webhook (Slack's form), mail, both, or nobody.

    ``docs_url`` is where `rivermeet batch docs`, or a web server in its place, shows reports and Data Docs.
    """

    webhook: str = ""
    smtp: Smtp = Smtp()
    docs_url: str = f"http://{LOOPBACK}:8090"


class Memory(_Frozen):
    """The most that one worker of the speed layer holds; what is over is in the store and read back when needed.

    ``sessions`` session ids, ``events`` ids of their events, ``orders`` transactions, ``windows`` product counters;
    ``pending_records`` and ``pending_bytes`` wait for a tick before the intake stops; ``slice_bytes`` make one slice.
    """

    sessions: PositiveInt = 1_500_000
    events: PositiveInt = 12_000_000
    orders: PositiveInt = 1_000_000
    windows: PositiveInt = 2_000_000
    pending_records: PositiveInt = 120_000
    pending_bytes: PositiveInt = 64 << 20
    slice_bytes: PositiveInt = 8 << 20


class Ports(_Frozen):
    """Ports of the local stack; 0 picks a free one, which the stack then keeps.

    The controller of Kafka and the gossip of Cassandra are used by nobody else.
    """

    kafka: int = 9092
    kafka_controller: int = 0
    registry: int = 8081
    cassandra: int = 9042
    cassandra_storage: int = 0
    clickhouse: int = 8123
    api: int = 8000
    airflow: int = 8080
    features: int = 6566


def _default_home() -> Path:
    """The state folder of a checkout lies in it, wherever the command is called from; else in the working folder."""
    return (ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()) / ".rivermeet"


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rivermeet"


class Settings(BaseSettings):
    """All settings, immutable. Built by `load_settings`.

    Fields: ``home`` state folder of the local stack; ``cache`` folder of fetched jars, shared by all stacks of a user;
    ``partitions`` partition counts by topic where they differ from ``schemas.topics`` (fixed once a topic exists);
    ``alerts`` thresholds of the rules about unusual behaviour; ``horizon_days`` days after its end for which a day
    still takes late events hot; ``session_gap_minutes`` pause that ends a session.
    """

    model_config = SettingsConfigDict(
        env_prefix="RIVERMEET_", env_nested_delimiter="__", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    home: Path = Field(default_factory=_default_home)
    cache: Path = Field(default_factory=_default_cache)
    kafka: Kafka = Kafka()
    registry: Registry = Registry()
    clickhouse: ClickHouse = ClickHouse()
    cassandra: Cassandra = Cassandra()
    lake: Lake = Lake()
    spark: Spark = Spark()
    api: Api = Api()
    airflow: Airflow = Airflow()
    features: Features = Features()
    notify: Notify = Notify()
    memory: Memory = Memory()
    ports: Ports = Ports()
    partitions: dict[str, PositiveInt] = Field(default_factory=dict)
    alerts: AlertRules = AlertRules()
    horizon_days: PositiveInt = 7
    session_gap_minutes: int = Field(default=30, ge=1, le=1_440)

    @property
    def api_keys_file(self) -> Path:
        """The hashes of the keys that ``rivermeet keys`` made."""
        return self.home / "api-keys.json"

    @property
    def spark_ivy(self) -> Path:
        """Value for ``spark.jars.ivy``: the folder in which Spark's packages are already resolved."""
        return self.cache / "spark-ivy"

    @property
    def spark_java_home(self) -> Path:
        """Value for ``JAVA_HOME`` of Spark's driver; by default it leads to the Java of this environment."""
        return self.spark.java_home or SPARK_JAVA_HOME

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before what `load_settings` read from the state folder."""
        return env_settings, init_settings


def load_settings(home: Path | None = None) -> Settings:
    """Read the settings once, at the edge of a process, and hand them in from there.

    ``home`` names the state folder; without it ``RIVERMEET_HOME`` does, else ``.rivermeet`` in the checkout.
    Raises ``pydantic.ValidationError`` naming the setting that has a wrong value.
    """
    folder = Path(home or os.environ.get("RIVERMEET_HOME") or _default_home()).expanduser().resolve()
    settings = Settings(**read_stack_file(folder))
    lake = {
        "catalog_uri": settings.lake.catalog_uri or f"jdbc:sqlite:{folder / 'lake' / 'catalog.db'}",
        "warehouse": settings.lake.warehouse or str(folder / "lake" / "warehouse"),
    }
    return settings.model_copy(update={"home": folder, "lake": settings.lake.model_copy(update=lake)})


def read_stack_file(home: Path) -> dict[str, Any]:
    """What ``rivermeet up`` recorded in this state folder, by setting; empty where no stack was ever started."""
    try:
        document: dict[str, Any] = json.loads((home / STACK_FILE).read_text())
    except FileNotFoundError:
        return {}
    return document
