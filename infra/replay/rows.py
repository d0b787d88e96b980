"""Rows of a CSV file, plain or gzipped, one at a time."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO


class UnreadableRowError(ValueError):
    """A row does not fit the data set: check that the file is the published one and complete."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path.name}, line {line}: {why}; check that the file is the published one and complete")
        self.path = path
        self.line = line
        self.why = why


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row by column); raises UnreadableRowError for another header or a row of another length."""
    with open_text(path) as lines:
        rows = csv.reader(lines)
        if tuple(next(rows, ())) != columns:
            raise UnreadableRowError(path, 1, f"the header is not {','.join(columns)}")
        for row in rows:
            if len(row) != len(columns):
                raise UnreadableRowError(path, rows.line_num, f"{len(row)} fields instead of {len(columns)}")
            yield rows.line_num, dict(zip(columns, row, strict=True))


def open_text(path: Path) -> TextIO:
    """Open a file that may be gzipped."""
    return gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(newline="")


def utc_ms(text: str) -> int:
    """Return a time written as `2011-12-09 12:50:00`, taken as UTC, in milliseconds; raises ValueError."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
