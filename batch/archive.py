"""`python -m batch.archive JAVA SPARK`: keep the classes that Spark loads in the form that Java starts from at once.

Java reads, checks and links some 15,000 classes at every start of Spark. The archive holds them as they are afterwards;
a Java or jars that differ from those it was made with ignore it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import SparkSession

from batch.lake import LakeConfig, make_folder
from batch.spark import Archive, spark_config, spark_session
from infra.settings import load_settings

EXIT_SECONDS = 300


def main(base: Path, target: Path) -> None:
    """Runs what every job runs, in a lake of its own, and writes the archive, on top of Java's own, when Java ends."""
    with tempfile.TemporaryDirectory(prefix="rivermeet-") as folder:
        lake = LakeConfig(f"jdbc:sqlite:{folder}/catalog.db", f"{folder}/warehouse")
        config = replace(spark_config(load_settings()), lake=lake, state=Path(folder), archive=Archive(base, target))
        make_folder(lake)
        with spark_session(config) as spark:
            _exercise(spark, folder)
            java = SparkContext._gateway.proc
        java.stdin.close()
        java.wait(EXIT_SECONDS)


def _exercise(spark: SparkSession, folder: str) -> None:
    rows = spark.range(100).selectExpr("id", "id % 7 AS key", "CAST(id AS STRING) AS name", "current_date() AS day")
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.archive")
    rows.writeTo("lake.archive.rows").partitionedBy("day").create()
    stored = spark.table("lake.archive.rows")
    counted = stored.repartition(2, "key").mapInArrow(_same, stored.schema).groupBy("key").count()
    counted.join(stored.select("key").distinct(), ["key"], "left_semi").write.parquet(f"{folder}/counted")


def _same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
