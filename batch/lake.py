"""The lake: where its catalog is, how Spark and pyiceberg reach it, and the making of its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import CommitFailedException, RESTError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import IntegerType
from sqlalchemy.exc import OperationalError

from batch.files import LakeFile, Target
from batch.storage import Storage, on_s3
from schemas.tables.lake import LakeTable

CATALOG = "lake"
NAMESPACE = "rivermeet"
EPOCH = date(1970, 1, 1)
ALL_PARTITIONS = 1 << 16
LOCAL_FILES = "pyiceberg.io.fsspec.FsspecFileIO"
"""What pyiceberg takes otherwise brings pandas along, which takes longer to import than a short step takes to run."""

SQLITE = "jdbc:sqlite:"
DRIVERS = {"sqlite": "org.xerial:sqlite-jdbc:3.50.3.0", "postgresql": "org.postgresql:postgresql:42.7.7"}
"""Kind of database -> its driver's Maven coordinates."""
S3_PACKAGE = "org.apache.iceberg:iceberg-aws-bundle:1.11.0"


@dataclass(frozen=True)
class LakeConfig:
    """Where the lake is."""

    catalog_uri: str
    """A JDBC address of SQLite or Postgres, or the URL of an Iceberg REST catalog."""
    warehouse: str
    """The folder or bucket of the tables: a path, or a URI of an object store."""
    access: Mapping[str, str] = field(default_factory=dict)
    """Under Iceberg's names: how to reach an object store (`s3.endpoint` ...) and to log in to a REST catalog, and the
    name of the warehouse there."""

    @property
    def is_rest(self) -> bool:
        """Whether the catalog is a service."""
        return self.catalog_uri.startswith(("http://", "https://"))

    @property
    def storage(self) -> Storage:
        """How to reach the files."""
        return Storage({name: value for name, value in self.access.items() if name.startswith("s3.")})

    @property
    def on_s3(self) -> bool:
        """Whether the files are in an object store that speaks S3."""
        return on_s3(self.warehouse)

    @property
    def warehouse_uri(self) -> str:
        """The warehouse as a URI."""
        return self.warehouse if "://" in self.warehouse else Path(self.warehouse).absolute().as_uri()


def spark_name(table: LakeTable) -> str:
    """The table's name in Spark SQL."""
    return f"{CATALOG}.{NAMESPACE}.{table.name}"


def spark_catalog(lake: LakeConfig) -> dict[str, str]:
    """Spark's configuration of the catalog, without the prefix that names it."""
    kind = {"type": "rest"} if lake.is_rest else {"type": "jdbc", "jdbc.schema-version": "V1"}
    where = {"uri": lake.catalog_uri, "warehouse": lake.warehouse_uri}
    files = {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO"} if lake.on_s3 else {}
    region = {"client.region": lake.access["s3.region"]} if "s3.region" in lake.access else {}
    return {**kind, **where, **files, **region, **lake.access}


def spark_packages(lake: LakeConfig) -> tuple[str, ...]:
    """What Spark needs for this catalog and these files: a database driver, a client of the object store."""
    drivers = [package for kind, package in DRIVERS.items() if lake.catalog_uri.startswith(f"jdbc:{kind}:")]
    return (*drivers, *([S3_PACKAGE] if lake.on_s3 else []))


class CatalogUnavailable(Exception):
    """The catalog of the lake does not answer, or refuses. Nothing was done; run the command again when it does."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"the lake's catalog at {place} does not answer: {why}; run the command again when it does")
        self.place, self.why = place, why


def open_catalog(lake: LakeConfig) -> Catalog:
    """The same catalog without Spark: for metadata, which needs no JVM. Raises `CatalogUnavailable`."""
    if not lake.is_rest:
        make_folder(lake)
    try:
        return load_catalog(CATALOG, **python_catalog(lake))
    except (OperationalError, OSError, RESTError) as error:
        # The address may hold a password behind the question mark.
        raise CatalogUnavailable(lake.catalog_uri.partition("?")[0], str(error).splitlines()[0]) from error


def python_catalog(lake: LakeConfig) -> dict[str, str]:
    """pyiceberg's configuration of the catalog."""
    kind, uri = ("rest", lake.catalog_uri) if lake.is_rest else ("sql", _sqlalchemy(lake.catalog_uri))
    style = {"s3.force-virtual-addressing": "false"} if lake.access.get("s3.path-style-access") == "true" else {}
    files = {} if "://" in lake.warehouse else {"py-io-impl": LOCAL_FILES}
    return {"type": kind, "uri": uri, "warehouse": lake.warehouse_uri, **files, **lake.access, **style}


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
    """Makes what is missing: tables, and columns that a table has got since it was made."""
    catalog.create_namespace_if_not_exists(NAMESPACE)
    for table in tables:
        if not catalog.table_exists((NAMESPACE, table.name)):
            _create(catalog, table)
        elif set(table.frame_schema) - {field.name for field in load_table(catalog, table).schema().fields}:
            with load_table(catalog, table).update_schema() as change:
                change.union_by_name(table.arrow_schema)


def load_table(catalog: Catalog, table: LakeTable) -> Table:
    """The table as of now."""
    return catalog.load_table((NAMESPACE, table.name))


def target(table: Table, storage: Storage) -> Target:
    """The table as its writers see it."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return Target(table.location(), schema_to_pyarrow(table.schema()), storage)


def append(table: Table, files: Iterable[str], properties: Mapping[str, str]) -> None:
    """Makes the files part of the table, with the properties, in one commit, if the table is still as `table` has it.

    To be called by `batch.commits.commit`. Raises `CommitFailedException` if somebody has committed meanwhile.
    """
    from pyiceberg.io.pyarrow import parquet_files_to_data_files

    with (
        table.transaction() as transaction,
        transaction.update_snapshot(snapshot_properties=dict(properties)).merge_append() as appended,
    ):
        for file in parquet_files_to_data_files(table.io, table.metadata, iter(files)):
            appended.append_data_file(file)


def exchange(table: Table, old: Collection[str], new: Iterable[str], properties: Mapping[str, str]) -> None:
    """Puts files in the place of others in one commit. To be called as `append` is."""
    from pyiceberg.io.pyarrow import parquet_files_to_data_files

    gone = set(old)
    with (
        table.transaction() as transaction,
        transaction.update_snapshot(snapshot_properties=dict(properties)).overwrite() as rewritten,
    ):
        for file in data_files(table):
            if file.file_path in gone:
                rewritten.delete_data_file(file)
        for made in parquet_files_to_data_files(table.io, table.metadata, iter(new)):
            rewritten.append_data_file(made)


def data_files(table: Table) -> list[DataFile]:
    """The data files of the table as it is now."""
    return [task.file for task in table.scan().plan_files()] if table.current_snapshot() else []


def files_of(table: Table, snapshot_id: int) -> tuple[LakeFile, ...]:
    """The data files of a snapshot, in an order that depends on nothing but their content's place in the log."""
    found = [_lake_file(table, task.file) for task in table.scan(snapshot_id=snapshot_id).plan_files()]
    return tuple(sorted(found, key=lambda file: (file.day, file.first_partition, file.uri)))


def _lake_file(table: Table, file: DataFile) -> LakeFile:
    partition = table.schema().find_field("log_partition").field_id
    bounds = [bound.get(partition) for bound in (file.lower_bounds or {}, file.upper_bounds or {})]
    first, last = (from_bytes(IntegerType(), bound) if bound else None for bound in bounds)
    day = EPOCH + timedelta(days=file.partition[0])
    partitions = (0, ALL_PARTITIONS) if first is None or last is None else (first, last)
    return LakeFile(file.file_path, day, file.record_count, file.file_size_in_bytes, *partitions)


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
