"""``rivermeet replay``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._errors import Code, CommandError
from infra.cli._output import Json, notes, print_json, progress

if TYPE_CHECKING:
    from datetime import date

    from infra.messages import Message
    from infra.replay.rows import Reject, UnreadableRowError

STEP = 5_000
SHOWN = 100
"""Rows that could not be read, in the JSON document; all are counted, and told on standard error."""


class Format(StrEnum):
    """What the rows of a file are."""

    REES46 = "rees46"
    ONLINE_RETAIL = "online-retail"
    JSONL = "jsonl"


class Topic(StrEnum):
    """Where records of a file of JSON lines go."""

    USER_EVENTS = "user-events"
    TRANSACTIONS = "transactions"


Given = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Plain, or gzipped (.gz).")]
Kind = Annotated[
    Format,
    typer.Option(
        "--format",
        help="rees46: a store's log; online-retail: UCI Online Retail; jsonl: a UserEvent or Transaction a line.",
    ),
]
ShiftTo = Annotated[
    datetime | None,
    typer.Option(
        "--shift-to", formats=["%Y-%m-%d"], help="Move all times by whole days: the first record to this day."
    ),
]
Rate = Annotated[float | None, typer.Option("--rate", min=0.001, help="Records a second; as fast as it goes without.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Send no more than the first so many records.")]
Only = Annotated[Topic | None, typer.Option("--topic", help="Of jsonl: what all lines are; each line's id tells else.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", help="Whom the records belong to; the format's name, or what JSON lines say.")
]


def command(
    file: Given,
    format_: Kind,
    shift_to: ShiftTo = None,
    rate: Rate = None,
    limit: Limit = None,
    topic: Only = None,
    tenant: Tenant = None,
    json: Json = False,
) -> None:
    """Send the records of a file to Kafka, with the times of the data.

    Old data: the speed layer answers for the days of RIVERMEET_HORIZON_DAYS; older records are cold, and a day shows
    them after [bold]rivermeet batch run[/]. Use --shift-to to bring them into the present.

    A row that cannot be read is told with its line and the reason, and counted; all others are sent. Exits with 4 then.

    Example: [bold]rivermeet replay shop.jsonl --format jsonl --rate 200[/]
    """
    from infra.send import send_all
    from infra.settings import load_settings

    if topic is not None and format_ is not Format.JSONL:
        raise CommandError(f"--topic is for jsonl: the topic of {format_} is known", Code.USAGE)
    watch = _Watch()
    with progress("sending") as report:
        messages = islice(_messages(format_, file, topic, tenant, watch.reject), limit)
        timed = _timed(messages, shift_to, rate)
        count = send_all(load_settings(), watch.counted(timed, report))
    watch.tell(count, as_json=json)
    if watch.unreadable:
        raise typer.Exit(Code.INCOMPLETE)


class _Watch:
    """Counts messages that pass and rows that do not, and keeps the days that they lie on."""

    def __init__(self) -> None:
        self.first: date | None = None
        self.last: date | None = None
        self.unreadable = 0
        self._shown: list[dict[str, object]] = []

    def reject(self, error: UnreadableRowError) -> None:
        """Tells and counts a row."""
        self.unreadable += 1
        notes.print(f"line {error.line}: {error.why}", markup=False)
        if len(self._shown) < SHOWN:
            self._shown.append({"line": error.line, "reason": error.why})

    def counted(self, messages: Iterator[Message], report: Callable[[str], None]) -> Iterator[Message]:
        from infra.simulator.truth import utc_day

        for count, message in enumerate(messages, 1):
            day = utc_day(message.send_time_ms)
            self.first, self.last = min(self.first or day, day), max(self.last or day, day)
            if count % STEP == 0:
                report(f"{count} records, up to {self.last}")
            yield message

    def tell(self, sent: int, *, as_json: bool) -> None:
        if as_json:
            days = {"first_day": self.first, "last_day": self.last}
            print_json({"records": sent, **days, "unreadable": self.unreadable, "rows": self._shown})
        elif sent:
            notes.print(f"sent {sent} records of {self.first} to {self.last}; {self.unreadable} rows could not be read")
        else:
            notes.print(f"sent nothing; {self.unreadable} rows could not be read")


def _messages(
    format_: Format, path: Path, topic: Topic | None, tenant: str | None, reject: Reject
) -> Iterator[Message]:
    from infra.replay.jsonl import jsonl_messages
    from infra.replay.rees46 import rees46_messages
    from infra.replay.retail import retail_messages

    if format_ is Format.JSONL:
        return jsonl_messages(path, topic, tenant, reject)
    read = rees46_messages if format_ is Format.REES46 else retail_messages
    return read(path, tenant or format_.value, reject)


def _timed(messages: Iterator[Message], shift_to: datetime | None, rate: float | None) -> Iterator[Message]:
    from infra.replay.timing import paced, shifted

    if shift_to is not None:
        messages = shifted(messages, shift_to.date())
    return messages if rate is None else paced(messages, rate, time.monotonic, time.sleep)
