"""How commands fail: with one sentence on standard error and an exit code that a script can tell apart."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import typer
from rich.text import Text

from infra.cli._output import notes


class Code(IntEnum):
    """Exit codes of ``rivermeet``; usage errors, which typer finds, have 2."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    INCOMPLETE = 4


class CommandError(Exception):
    """A command cannot do what it was asked; the message says what to do."""

    def __init__(self, message: str, code: Code = Code.FAILED) -> None:
        self.code = code
        super().__init__(message)


class NotRunningError(CommandError):
    """The command needs a server that is not there."""

    def __init__(self, what: str = "the stack") -> None:
        super().__init__(f"{what} does not run here: start it with `rivermeet up`", Code.NOT_RUNNING)


def guarded(command: Callable[..., Any] | None) -> Callable[..., None]:
    """The same command, with the errors that it is meant to raise told in a sentence instead of a traceback."""
    if command is None:
        raise ValueError("a registered command without a function")

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except _expected() as error:
            notes.print(Text.assemble(("error: ", "bold red"), _sentence(error)))
            raise typer.Exit(error.code if isinstance(error, CommandError) else Code.FAILED) from error

    return run


def _expected() -> tuple[type[Exception], ...]:
    from pydantic import ValidationError

    from infra.bench.running import MeasurementFailed
    from infra.clients.clickhouse import StoreUnavailable
    from infra.jars import FetchFailedError
    from infra.replay.rows import UnreadableFileError
    from infra.send import SendError
    from infra.stack.errors import StackError
    from schemas.registry import RegistryUnavailable

    ours = (CommandError, MeasurementFailed, StackError, FetchFailedError, SendError, UnreadableFileError)
    return (*ours, RegistryUnavailable, StoreUnavailable, ValidationError, TimeoutError)


def _sentence(error: Exception) -> str:
    problems = getattr(error, "errors", None)
    if not callable(problems):
        return str(error)
    # pydantic's own text spreads over several lines and shows its classes.
    return "; ".join(
        f"setting RIVERMEET_{'__'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in problems()
    )
