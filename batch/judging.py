"""How Spark's workers judge records: by the contracts and rules of the speed layer, with schemas from the registry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from batch.consume import RawRecords
from batch.staging import Judged
from schemas.codec import Resolver, resolve
from schemas.frames import TIMESTAMP
from schemas.registry import Registry
from schemas.verdicts import judge


@dataclass(frozen=True)
class RegistryJudge:
    """Judges records by the contract of a topic; a worker asks the registry for each schema id once.

    A registry that gives no answer stops the landing with `RegistryUnavailable`: nothing is decided about the records.
    """

    contract: str
    """The topic whose contract the records keep."""
    registry_url: str

    def __call__(self, raw: RawRecords) -> Judged:
        """The verdicts on records of one partition."""
        schemas = resolve(raw.values, _resolver(self.registry_url))
        return Judged(*judge(self.contract, _positions(raw), raw.keys, raw.values, schemas))


@cache
def _resolver(url: str) -> Resolver:
    """One for the life of a worker: what an id stands for never changes."""
    return Registry(url).resolve


def _positions(raw: RawRecords) -> pl.DataFrame:
    frame = pl.DataFrame(
        {"log_offset": raw.offsets, "append_time": raw.append_times}, schema_overrides={"log_offset": pl.Int64}
    )
    return frame.select(
        pl.lit(raw.epoch, pl.Int32).alias("log_epoch"),
        pl.lit(raw.partition, pl.Int32).alias("log_partition"),
        "log_offset",
        pl.col("append_time").cast(TIMESTAMP),
    ).with_row_index("row")
