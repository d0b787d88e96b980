"""Where units of work run: in this process while there is little to do, else as tasks of Spark.

A unit is a pure function of what it is handed and of files that do not change, and writes only files of names that
nobody else uses. So it may run twice: only the answer of the attempt that is reported counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from batch.files import FileDamaged, LakeFile, check
from batch.storage import Storage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Unit = TypeVar("Unit")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Workers:
    """Runs units of work: of up to `inline_rows` here; for more `spark` is called, and with it Spark started."""

    spark: Callable[[], SparkSession]
    inline_rows: int

    def run(self, work: Callable[[Unit], Answer], units: Sequence[Unit], rows: int) -> list[Answer]:
        """The answers in the order of the units, of `rows` rows in all."""
        if rows <= self.inline_rows or not units:
            return [work(unit) for unit in units]
        tasks = self.spark().sparkContext.parallelize(units, len(units)).map(work)
        answers: list[Answer] = tasks.collect()
        return answers


def check_files(workers: Workers, storage: Storage, files: Sequence[LakeFile]) -> None:
    """Holds the bytes of files against their checksums. Raises `FileDamaged`."""
    found = workers.run(_Damage(storage), [file.uri for file in files], sum(file.rows for file in files))
    for error in found:
        if error is not None:
            raise error


@dataclass(frozen=True)
class _Damage:
    """The work on a file; Spark hands on answers as they are, and errors only as text."""

    storage: Storage

    def __call__(self, uri: str) -> FileDamaged | None:
        try:
            check(self.storage, uri)
        except FileDamaged as damaged:
            return damaged
        return None
