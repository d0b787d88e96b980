"""``rivermeet dead-letters``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from infra.cli._errors import CommandError, NotRunningError
from infra.cli._output import Json, notes, print_json, print_table

SHOWN = ("topic", "log_partition", "log_offset", "append_time", "reason", "message")


def command(
    reason: Annotated[str | None, typer.Option("--reason", help="Only those with this reason code.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="Only those of this topic.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the records that could not be used, with the reason; as JSON also with their bytes in Base64.

    Example: [bold]rivermeet dead-letters --reason truncated --limit 5[/]
    """
    from schemas.reasons import MEANING, Reason

    if reason is not None and reason not in set(Reason):
        raise CommandError(f"there is no reason {reason!r}; there are {', '.join(sorted(Reason))}")
    rows, total = _read(reason, topic, limit)
    if json:
        print_json([{**row, "meaning": MEANING[Reason(row["reason"])]} for row in rows])
        return
    print_table(SHOWN, [[row[name] for name in SHOWN] for row in rows])
    notes.print(f"{len(rows)} of {total} dead letters")


def _read(reason: str | None, topic: str | None, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The newest rows that match, and how many match."""
    import polars as pl
    from clickhouse_connect.driver.exceptions import OperationalError

    from infra.clients.clickhouse import connect
    from infra.settings import load_settings

    where = "(%(reason)s = '' OR reason = %(reason)s) AND (%(topic)s = '' OR topic = %(topic)s)"
    wanted = {"reason": reason or "", "topic": topic or "", "limit": limit}
    columns = ", ".join((*SHOWN, "log_epoch", "base64Encode(key) AS key_base64", "base64Encode(value) AS value_base64"))
    newest = f"SELECT {columns} FROM dead_letters WHERE {where} ORDER BY append_time DESC, log_offset DESC"
    try:
        client = connect(load_settings().clickhouse, "analyst")
    except OperationalError as error:
        raise NotRunningError("ClickHouse") from error
    rows = pl.DataFrame(client.query_arrow(f"{newest} LIMIT %(limit)s", parameters=wanted)).to_dicts()
    total = int(client.command(f"SELECT count() FROM dead_letters WHERE {where}", parameters=wanted))
    client.close()
    return rows, total
