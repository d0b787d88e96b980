"""The edge of a command's process: its settings, what it says of its progress, and the exit codes of its errors."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from infra.settings import Settings

_HOLE = re.compile(r"INCOMPLETE: [^']+")
"""What a merged view says of a day that it cannot answer, and of what mends it (see serving/README.md)."""


class Code(IntEnum):
    """Exit codes; 2 is a wrong command line."""

    DONE = 0
    FAILED = 1
    NOT_REACHED = 3
    GATE_REFUSED = 4
    PUBLICATION_REFUSED = 5
    NOT_WHOLE = 6


@contextmanager
def edge() -> Iterator[Settings]:
    """The settings; errors that are meant for people end the process with a sentence and their own code."""
    from infra.settings import load_settings

    try:
        with _progress():
            yield load_settings()
    except Exception as error:  # the edge of the process: every error is told, and those we know have a code
        code = _code(error)
        if code is None:
            raise
        hole = _HOLE.search(str(error))
        sys.stderr.write(f"error: {hole[0] if hole else error}\n")
        raise typer.Exit(code) from error


@contextmanager
def _progress() -> Iterator[None]:
    """Says on standard error what the steps have done; what libraries log is theirs."""
    ours, told = logging.getLogger("batch"), logging.StreamHandler(sys.stderr)
    ours.setLevel(logging.INFO)
    ours.addHandler(told)
    try:
        yield
    finally:
        ours.removeHandler(told)


def _code(error: Exception) -> Code | None:
    """The exit code of an error that a command is meant to raise; None for any other."""
    from clickhouse_connect.driver.exceptions import DatabaseError
    from pydantic import ValidationError
    from pyiceberg.exceptions import RESTError
    from requests import RequestException
    from sqlalchemy.exc import OperationalError

    from batch.explain import NotPublished, UnknownMetric
    from batch.feature_loads import FeatureLoadDiffers, FeaturesDiffer
    from batch.files import FULL, FileDamaged, NoSpace
    from batch.gate import ExpectationBroken
    from batch.lake import CatalogUnavailable
    from batch.landings import LakeHistoryBroken
    from batch.log import LogUnavailable
    from batch.maintenance import RowsDiffer
    from batch.notify import NotTold
    from batch.publication import PublicationRefused
    from batch.publish import LoadDiffers
    from batch.ranges import LogReplaced, RecordsExpired
    from batch.results import NoSuchRun
    from batch.snapshot import DayForgotten, NothingLanded
    from batch.spark import JavaMissing, JavaTooSmall
    from batch.steps import GateRefused
    from infra.clients.clickhouse import StoreUnavailable

    codes: list[tuple[tuple[type[Exception], ...], Code]] = [
        ((GateRefused,), Code.GATE_REFUSED),
        ((PublicationRefused,), Code.PUBLICATION_REFUSED),
        ((CatalogUnavailable, LogUnavailable, NotTold, StoreUnavailable), Code.NOT_REACHED),
        ((OperationalError, RequestException, RESTError), Code.NOT_REACHED),
        ((LakeHistoryBroken, LoadDiffers, LogReplaced, RecordsExpired, NoSuchRun, NothingLanded), Code.FAILED),
        ((DayForgotten, FileDamaged, NoSpace, NotPublished, RowsDiffer, UnknownMetric), Code.FAILED),
        (
            (ExpectationBroken, FeatureLoadDiffers, FeaturesDiffer, JavaMissing, JavaTooSmall, ValidationError),
            Code.FAILED,
        ),
    ]
    if (isinstance(error, OSError) and error.errno in FULL) or (
        isinstance(error, DatabaseError) and _HOLE.search(str(error))
    ):
        return Code.FAILED
    return next((code for kinds, code in codes if isinstance(error, kinds)), None)
