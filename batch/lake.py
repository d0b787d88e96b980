"""The lake: where its catalog is, how Spark and pyiceberg reach it, and the making of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from schemas.tables.lake import LakeTable

CATALOG = "lake"
NAMESPACE = "rivermeet"

SQLITE = "jdbc:sqlite:"
DRIVERS = {"sqlite": "org.xerial:sqlite-jdbc:3.50.3.0", "postgresql": "org.postgresql:postgresql:42.7.7"}
"""Kind of database -> its driver's Maven coordinates."""


@dataclass(frozen=True)
class LakeConfig:
    """Where the lake is."""

    catalog_uri: str
    """A JDBC address of SQLite or Postgres, or the URL of an Iceberg REST catalog."""
    warehouse: str
    """The folder or bucket of the tables: a path, or a URI of an object store."""

    @property
    def is_rest(self) -> bool:
        """Whether the catalog is a service."""
        return self.catalog_uri.startswith(("http://", "https://"))

    @property
    def warehouse_uri(self) -> str:
        """The warehouse as a URI."""
        return self.warehouse if "://" in self.warehouse else Path(self.warehouse).absolute().as_uri()


def spark_name(table: LakeTable) -> str:
    """The table's name in Spark SQL."""
    return f"{CATALOG}.{NAMESPACE}.{table.name}"


def spark_catalog(lake: LakeConfig) -> dict[str, str]:
    """Spark's configuration of the catalog, without the prefix that names it."""
    where = {"uri": lake.catalog_uri, "warehouse": lake.warehouse_uri}
    return {"type": "rest", **where} if lake.is_rest else {"type": "jdbc", "jdbc.schema-version": "V1", **where}


def spark_packages(lake: LakeConfig) -> tuple[str, ...]:
    """The database drivers that Spark needs for the catalog."""
    return tuple(package for kind, package in DRIVERS.items() if lake.catalog_uri.startswith(f"jdbc:{kind}:"))


def open_catalog(lake: LakeConfig) -> Catalog:
    """The same catalog without Spark: for metadata, which needs no JVM."""
    if lake.is_rest:
        return load_catalog(CATALOG, type="rest", uri=lake.catalog_uri, warehouse=lake.warehouse_uri)
    make_folder(lake)
    return load_catalog(CATALOG, type="sql", uri=_sqlalchemy(lake.catalog_uri), warehouse=lake.warehouse_uri)


def make_folder(lake: LakeConfig) -> None:
    """SQLite makes its file, but not the folder of it."""
    if lake.catalog_uri.startswith(SQLITE):
        Path(lake.catalog_uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)


def _sqlalchemy(jdbc: str) -> str:
    """A JDBC address in the form of pyiceberg's driver."""
    if jdbc.startswith(SQLITE):
        return f"sqlite:///{jdbc.removeprefix(SQLITE)}"
    return jdbc.removeprefix("jdbc:").replace("postgresql://", "postgresql+psycopg://", 1)


def create_tables(catalog: Catalog, tables: Iterable[LakeTable]) -> None:
    """Makes what is missing; existing tables are left as they are."""
    catalog.create_namespace_if_not_exists(NAMESPACE)
    for table in tables:
        if not catalog.table_exists((NAMESPACE, table.name)):
            _create(catalog, table)


def load_table(catalog: Catalog, table: LakeTable) -> Table:
    """The table as of now."""
    return catalog.load_table((NAMESPACE, table.name))


def _create(catalog: Catalog, table: LakeTable) -> None:
    """Makes the table with its partitions in one commit, so that nobody can write to half of it."""
    properties = {"comment": table.meaning, "rivermeet.writer": table.writer, "format-version": "2"}
    name = (NAMESPACE, table.name)
    try:
        with catalog.create_table_transaction(name, schema=table.arrow_schema, properties=properties) as making:
            making.update_spec().add_identity("day").commit()
    except CommitFailedException:
        if not catalog.table_exists(name):
            raise
