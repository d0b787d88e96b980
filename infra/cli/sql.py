"""``rivermeet sql``."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._errors import CommandError, NotRunningError
from infra.cli._output import Json, notes, print_rows

if TYPE_CHECKING:
    import polars as pl

    from infra.settings import Role

ANSWERING = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS")
SHOWN_ROWS = 1000


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class User(StrEnum):
    """Whose rights a query has."""

    ANALYST = "analyst"
    WRITER = "writer"
    ADMIN = "admin"


def command(
    query: Annotated[str, typer.Argument(help="A statement in ClickHouse's SQL; - reads it from standard input.")],
    user: Annotated[User, typer.Option("--as", help="Run as this user; analysts read the views.")] = User.ANALYST,
    format: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.TABLE,  # noqa: A002
    json: Json = False,
) -> None:
    """Ask ClickHouse a question, as an analyst does.

    Example: [bold]rivermeet sql "SELECT * FROM daily_metrics ORDER BY day DESC LIMIT 7"[/]
    """
    statement = (sys.stdin.read() if query == "-" else query).strip().rstrip(";")
    frame = _run(statement, user.value)
    if frame is not None:
        _print(frame, Format.JSON if json else format)


def _run(statement: str, role: Role) -> pl.DataFrame | None:
    """The answer's rows; None for a statement that has none."""
    import polars as pl
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    from infra.clients.clickhouse import connect
    from infra.settings import load_settings

    try:
        with closing(connect(load_settings().clickhouse, role)) as client:
            if statement.upper().startswith(ANSWERING):
                return pl.DataFrame(client.query_arrow(statement))
            client.command(statement)
            return None
    except OperationalError as error:
        raise NotRunningError("ClickHouse") from error
    except DatabaseError as error:
        raise CommandError(_reason(str(error))) from error


def _reason(text: str) -> str:
    """What ClickHouse says is wrong, without its envelope and the list of all that could have been meant."""
    found = re.search(r"DB::Exception: (.*?)(\. Expected one of:|: In scope| \(for url|$)", text, re.DOTALL)
    return found[1] if found else text


def _print(frame: pl.DataFrame, form: Format) -> None:
    if form is Format.JSON:
        sys.stdout.write(frame.write_json() + "\n")
    elif form is Format.CSV:
        sys.stdout.write(frame.write_csv())
    else:
        print_rows(frame.columns, frame.head(SHOWN_ROWS).rows())
        if frame.height > SHOWN_ROWS:
            notes.print(f"the first {SHOWN_ROWS} of {frame.height} rows; `--format csv` prints all of them")
