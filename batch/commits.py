"""Changes as one commit, tried again when somebody else's comes first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

ATTEMPTS = 8
PAUSE_SECONDS = 0.1

Answer = TypeVar("Answer")


def commit(load: Callable[[], Table], change: Callable[[Table], Answer]) -> Answer:
    """Makes a change to the table as `load` gives it, which must be as it is now; what the change answers.

    pyiceberg's own retry is off: it would apply the change to whatever the table is by now, and only `load` and
    `change` know whether that is still right. Raises `CommitFailedException` when others were first every time.
    """
    return again(lambda: change(_alone(load())), CommitFailedException)


def again(attempt: Callable[[], Answer], lost: type[Exception]) -> Answer:
    """What the attempt answers, tried again, up to `ATTEMPTS` times, when it lost against somebody else's."""
    for number in range(ATTEMPTS - 1):
        try:
            return attempt()
        except lost:
            time.sleep(random.uniform(0, PAUSE_SECONDS * 2**number))  # noqa: S311 - spreads attempts, no secret
    return attempt()


def _alone(table: Table) -> Table:
    table.metadata.properties["commit.retry.num-retries"] = "0"
    return table
