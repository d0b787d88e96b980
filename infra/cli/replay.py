"""``rivermeet replay``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._errors import CommandError
from infra.cli._output import Json, notes, print_json, progress

if TYPE_CHECKING:
    from datetime import date

    from infra.messages import Message

STEP = 5_000


class DataSet(StrEnum):
    """Published data sets that can be replayed."""

    RETAIL = "retail"
    REES46 = "rees46"


FILES = {DataSet.RETAIL: "online_retail.csv", DataSet.REES46: "rees46_2019-10-01.csv"}


def command(
    name: Annotated[DataSet, typer.Argument(help="retail: UCI Online Retail; rees46: a day of a REES46 store.")],
    data: Annotated[
        Path,
        typer.Option("--data", exists=True, file_okay=False, help="Folder of the files, plain or gzipped."),
    ],
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Whom the records belong to; the name of the data set by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Send a published data set to Kafka, with the times of the data.

    The data is years old. The speed layer answers for it where RIVERMEET_HORIZON_DAYS was set to 6000 before
    [bold]rivermeet up[/]; else its records are cold, and a day shows them after [bold]rivermeet batch run[/].

    Example: [bold]rivermeet replay retail --data ~/data[/]
    """
    from infra.send import send_all
    from infra.settings import load_settings

    settings = load_settings()
    with progress("sending") as report:
        watch = _Watch(_messages(name, _file(data, FILES[name]), tenant or name.value))
        count = send_all(settings, watch.counted(report))
    if json:
        print_json({"data_set": name.value, "records": count, "first_day": watch.first, "last_day": watch.last})
        return
    notes.print(f"sent {count} records of {watch.first} to {watch.last}")


class _Watch:
    """Counts messages that pass, and keeps the days that they lie on."""

    def __init__(self, messages: Iterator[Message]) -> None:
        self._messages = messages
        self.first: date | None = None
        self.last: date | None = None

    def counted(self, report: Callable[[str], None]) -> Iterator[Message]:
        from infra.simulator.truth import utc_day

        for count, message in enumerate(self._messages, 1):
            self.last = utc_day(message.send_time_ms)
            self.first = self.first or self.last
            if count % STEP == 0:
                report(f"{count} records, up to {self.last}")
            yield message


def _file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise CommandError(f"there is no {name}.gz or {name} in {folder}: name the folder that holds it with --data")


def _messages(name: DataSet, path: Path, tenant: str) -> Iterator[Message]:
    from infra.replay.rees46 import rees46_messages
    from infra.replay.retail import retail_messages

    return retail_messages(path, tenant) if name is DataSet.RETAIL else rees46_messages(path, tenant)
