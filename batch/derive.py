"""Tables of the lake that are derived from a recomputed day: user segments and product pairs.

A derivation is a function of the run's rows and overwrites its days, so that doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.types import from_arrow_schema

from batch.lake import spark_name
from batch.results import RESULT_TABLES, Manifest, Results
from schemas.tables.lake import LakeTable


@dataclass(frozen=True)
class Derivation:
    """A table, the result table that it is made of, and how."""

    name: str
    source: str
    table: LakeTable
    make: Callable[[DataFrame], DataFrame]
    summary: str
    """The column by which the report counts rows; '' counts all together."""


@dataclass(frozen=True)
class DerivedReport:
    """What was written."""

    derivation: str
    run: str
    days: tuple[date, ...]
    rows: Mapping[str, int]
    """Value of the summary column -> rows."""


def derive(spark: SparkSession, results: Results, manifest: Manifest, derivation: Derivation) -> DerivedReport:
    """Overwrites the days of the run in the derivation's table."""
    files = [results.uri(manifest.dataset, manifest.run, name) for name in manifest.files[derivation.source]]
    schema = from_arrow_schema(RESULT_TABLES[derivation.source].arrow_schema)
    rows = spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)
    made = derivation.make(rows).select(*derivation.table.frame_schema)
    days = F.col("day").isin(list(manifest.days))
    made.writeTo(spark_name(derivation.table)).overwrite(days)
    written = spark.table(spark_name(derivation.table)).where(days)
    key = F.col(derivation.summary) if derivation.summary else F.lit("rows")
    counted = {row.key: row["count"] for row in written.groupBy(key.alias("key")).count().collect()}
    return DerivedReport(derivation.name, manifest.run, manifest.days, counted)
