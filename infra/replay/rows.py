"""Rows of a file, plain or gzipped, one at a time; what cannot be read is handed to `reject`, and the next follows."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from schemas.json_form import is_utf8


class UnreadableRowError(ValueError):
    """A row does not fit the data set: check that the file is the published one and complete."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path.name}, line {line}: {why}; check that the file is the published one and complete")
        self.path = path
        self.line = line
        self.why = why


class UnreadableFileError(ValueError):
    """The file as a whole is not of this format, or ends in the middle: name the right format, or fetch it again."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read: {why}; check the format, and that the file is whole")
        self.path, self.why = path, why


Reject = Callable[[UnreadableRowError], None]


def strictly(error: UnreadableRowError) -> None:
    """A `Reject` that stops at the first row: raises it."""
    raise error


def read_rows(path: Path, columns: tuple[str, ...], reject: Reject) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row by column). Raises UnreadableFileError, also for another header."""
    lines = read_lines(path, reject)
    numbers = [0]

    def texts() -> Iterator[str]:
        for numbers[0], line in lines:
            yield line

    rows = csv.reader(texts(), strict=True)
    if tuple(next(rows, ())) != columns:
        raise UnreadableFileError(path, f"the header is not {','.join(columns)}")
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            reject(UnreadableRowError(path, numbers[0], str(problem)))
            continue
        if len(row) == len(columns):
            yield numbers[0], dict(zip(columns, row, strict=True))
        else:
            reject(UnreadableRowError(path, numbers[0], f"{len(row)} fields instead of {len(columns)}"))


def read_lines(path: Path, reject: Reject) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of what is UTF-8. Raises UnreadableFileError."""
    with open_text(path) as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.isascii() or is_utf8(line):
                    yield number, line
                else:
                    reject(UnreadableRowError(path, number, "not UTF-8"))
        except (OSError, EOFError, zlib.error) as problem:
            raise UnreadableFileError(path, str(problem)) from problem


def open_text(path: Path) -> TextIO:
    """Open a file that may be gzipped; bytes that are no UTF-8 become surrogates."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8", errors="surrogateescape", newline="")


def utc_ms(text: str) -> int:
    """Return a time written as `2011-12-09 12:50:00`, taken as UTC, in milliseconds; raises ValueError."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
