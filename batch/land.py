"""Landing: the next range of a topic becomes rows of the lake, and the range is part of the same commit.

Dead letters are written first and the usable rows last, with the range: a landing that dies in between has landed
nothing, and its dead letters are written again at the same positions, by which every reader collapses them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.catalog import Catalog
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.types import from_arrow_schema

from batch.lake import create_tables, load_table, spark_name
from batch.landings import LANDING, LandedDay, LandedRange, commits
from batch.log import LogEnds, read_ends
from batch.ranges import Covered, LogReplaced, Range, check_same_log, covered_by, landed_until, next_range
from batch.staging import RAW_COLUMNS, REFUSAL, Judge, Stage, staged_schema
from schemas.tables.lake import DEAD_LETTERS, LakeTable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A topic, the table that it is landed into, and how its records are judged."""

    topic: str
    table: LakeTable
    judge: Judge


@dataclass(frozen=True)
class LandingOptions:
    """Choices of one landing."""

    epoch: int = 1
    topic_id: str = ""
    """The id that the topic must have; any if empty, unless something of the epoch was landed before."""
    chunk: int = 500_000
    """How many offsets one commit takes at most."""
    accept_loss: bool = False
    """Land on although Kafka has deleted records that were never landed."""


@dataclass(frozen=True)
class LandingReport:
    """What a landing brought."""

    topic: str
    epoch: int
    snapshot_id: int
    start: Mapping[int, int]
    end: Mapping[int, int]
    landed_until: datetime
    """All that was appended before is in the lake."""
    commits: int
    records: int
    dead_letters: int
    lost: int
    """Offsets that had expired in Kafka and were given up."""


@dataclass(frozen=True)
class Lander:
    """The landing of one topic with everything it needs."""

    spark: SparkSession
    catalog: Catalog
    kafka: Mapping[str, str]
    """Configuration of a Kafka client, under librdkafka's names."""
    source: Source
    options: LandingOptions
    clock: Callable[[], datetime]

    def land(self) -> LandingReport:
        """Lands everything up to the end that the topic has now, at least one commit.

        Raises `LogUnavailable`, `LogReplaced`, `RecordsExpired`, `LakeHistoryBroken`.
        """
        create_tables(self.catalog, (self.source.table, DEAD_LETTERS))
        ends = read_ends(self.kafka, self.source.topic, self.clock)
        if self.options.topic_id not in {"", ends.topic_id}:
            raise LogReplaced(ends.topic, f"its id is {ends.topic_id}, and {self.options.topic_id} was read before")
        landed = [self._land_next(ends)]
        while any(landed[-1].end[p] < end for p, end in ends.end.items()):
            landed.append(self._land_next(ends))
        return self._report(landed)

    def _land_next(self, ends: LogEnds) -> LandedRange:
        before = commits(load_table(self.catalog, self.source.table))
        have = covered_by(before, self.options.epoch)
        if any(ends.end.get(p, 0) < offset for p, offset in have.offsets.items()):
            # Another landing may have gone past them since they were taken; if not, the check below refuses the log.
            ends = read_ends(self.kafka, self.source.topic, self.clock)
        check_same_log(ends, self.options.epoch, before, have)
        todo = next_range(ends, have, self.options.chunk, accept_loss=self.options.accept_loss)
        staged = self._stage(todo, have.append_times).persist(StorageLevel.DISK_ONLY)
        try:
            landed = self._describe(ends, todo, have, staged)
            self._commit(staged, landed)
        finally:
            staged.unpersist()
        log.info("landed %d records of %s, %d of them dead letters", landed.records, landed.topic, landed.dead_letters)
        return landed

    def _stage(self, todo: Range, append_times: Mapping[int, int]) -> DataFrame:
        stage = Stage(self.source.topic, self.options.epoch, self.source.table, self.source.judge, dict(append_times))
        schema = from_arrow_schema(staged_schema(self.source.table))
        if not todo.offsets:
            return self.spark.createDataFrame([], schema)
        reader = self.spark.read.format("kafka").options(**kafka_options(self.kafka), failOnDataLoss="true")
        raw = reader.options(
            assign=json.dumps({self.source.topic: sorted(todo.end)}),
            startingOffsets=self._offsets(todo.read_from),
            endingOffsets=self._offsets(todo.end),
        ).load()
        return raw.select(*RAW_COLUMNS).mapInArrow(stage, schema)

    def _offsets(self, offsets: Mapping[int, int]) -> str:
        return json.dumps({self.source.topic: {str(p): offset for p, offset in offsets.items()}})

    def _describe(self, ends: LogEnds, todo: Range, have: Covered, staged: DataFrame) -> LandedRange:
        """Counts what was staged; this is also what fills the cache."""
        rows = (
            staged.groupBy("log_partition", "day", F.col("reason").isNotNull().alias("dead"))
            .agg(
                F.count("*").alias("records"),
                F.min("log_offset").alias("first_offset"),
                F.max("log_offset").alias("last_offset"),
                (F.max(F.unix_millis("append_time"))).alias("append_time"),
            )
            .collect()
        )
        append_times = _greatest(have.append_times, rows)
        return LandedRange(
            topic=ends.topic,
            topic_id=ends.topic_id,
            epoch=self.options.epoch,
            start=todo.start,
            end=todo.end,
            taken_at=landed_until(ends, todo, append_times),
            append_times=append_times,
            records=sum(row.records for row in rows),
            dead_letters=sum(row.records for row in rows if row.dead),
            days=_days(rows),
            lost=todo.lost,
        )

    def _commit(self, staged: DataFrame, landed: LandedRange) -> None:
        dead = staged.where("reason IS NOT NULL").withColumn("topic", F.lit(landed.topic))
        if landed.dead_letters:
            dead.select(*DEAD_LETTERS.frame_schema).writeTo(spark_name(DEAD_LETTERS)).append()
        usable = staged.where("reason IS NULL").drop(*REFUSAL)
        target = usable.writeTo(spark_name(self.source.table))
        target.option(f"snapshot-property.{LANDING}", landed.to_json()).append()

    def _report(self, landed: list[LandedRange]) -> LandingReport:
        first, last = landed[0], landed[-1]
        now = commits(load_table(self.catalog, self.source.table))
        return LandingReport(
            topic=last.topic,
            epoch=last.epoch,
            snapshot_id=next(commit.snapshot_id for commit in reversed(now) if commit.landed == last),
            start=first.start,
            end=last.end,
            landed_until=last.taken_at,
            commits=len(landed),
            records=sum(one.records for one in landed),
            dead_letters=sum(one.dead_letters for one in landed),
            lost=sum(offset - one.start[p] for one in landed for p, offset in one.lost.items()),
        )


def kafka_options(client: Mapping[str, str]) -> dict[str, str]:
    """Spark's options for a configuration under librdkafka's names."""
    config = dict(client)
    user, password = config.pop("sasl.username", None), config.pop("sasl.password", "")
    options = {f"kafka.{name}": value for name, value in config.items()}
    if user is not None:
        module = "scram.ScramLoginModule" if "SCRAM" in config.get("sasl.mechanism", "") else "plain.PlainLoginModule"
        login = f'username="{user}" password="{password}"'
        options["kafka.sasl.jaas.config"] = f"org.apache.kafka.common.security.{module} required {login};"
    return options


def _greatest(before: Mapping[int, int], rows: Iterable[Row]) -> dict[int, int]:
    after = dict(before)
    for row in rows:
        after[row.log_partition] = max(after.get(row.log_partition, 0), row.append_time)
    return after


def _days(rows: Iterable[Row]) -> tuple[LandedDay, ...]:
    usable = [
        LandedDay(row.day, row.log_partition, row.records, row.first_offset, row.last_offset)
        for row in rows
        if not row.dead
    ]
    return tuple(sorted(usable, key=lambda landed: (landed.day, landed.partition)))
