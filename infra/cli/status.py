"""``rivermeet status``."""

from __future__ import annotations

from json import loads as json_of
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli._errors import Code
from infra.cli._output import Json, notes, output, print_json, print_table

if TYPE_CHECKING:
    from infra.accounting import Entry
    from infra.settings import Settings
    from infra.stack.status import Status


def command(
    accounting: Annotated[
        bool, typer.Option("--accounting/--no-accounting", help="Count what became of every record, in both layers.")
    ] = True,
    json: Json = False,
) -> None:
    """Show every service, and whether every record is accounted for.

    A record of the log is used, a duplicate, a dead letter, or cold: in both layers the four add up to the records
    that were read, and for records that both have read they are the same.

    Ends with exit code 3 unless all services are ready, and with 1 where records are not accounted for.

    Example: [bold]rivermeet status --json[/]
    """
    from infra.settings import load_settings
    from infra.stack.status import status

    settings = load_settings()
    services = status(settings)
    ready = {service.name for service in services if service.state == "ready"}
    entries = _account(settings) if accounting and "clickhouse" in ready else []
    if json:
        print_json(
            {
                "services": [service.document() for service in services],
                "accounting": [entry.document() for entry in entries],
                "worker": _worker(settings),
            }
        )
    else:
        _show(services, entries)
        _show_worker(_worker(settings))
    if not all(entry.holds for entry in entries):
        raise typer.Exit(Code.FAILED)
    if len(ready) < len(services):
        raise typer.Exit(Code.NOT_RUNNING)


def _worker(settings: Settings) -> dict[str, Any]:
    """What the speed layer's worker told last; nothing if none ever ran."""
    try:
        document: dict[str, Any] = json_of((settings.home / "run" / "worker.json").read_text())
    except FileNotFoundError:
        return {}
    return document


def _show_worker(worker: dict[str, Any]) -> None:
    """A line where the intake is stopped or a tick is tried again: else there is nothing to say."""
    if worker.get("backpressure"):
        notes.print(f"backpressure: {worker['pending']['records']} records wait, no more are read", style="yellow")
    if worker.get("waiting_for"):
        notes.print(f"the worker waits: {worker['waiting_for']}", style="yellow", markup=False)


def _account(settings: Settings) -> list[Entry]:
    from batch.lake import LakeConfig, open_catalog
    from infra.accounting import Lake, Speed, entries
    from infra.clients.clickhouse import connect

    catalog = open_catalog(LakeConfig(settings.lake.catalog_uri, settings.lake.warehouse))
    return entries(Speed(connect(settings.clickhouse)), Lake(catalog, settings.horizon_days))


def _show(services: list[Status], entries: list[Entry]) -> None:
    print_table(
        ("service", "state", "pid", "ports", "memory", "up"),
        [
            (s.name, s.state, s.pid, " ".join(str(port) for port in s.ports if port), s.memory_text, s.age_text)
            for s in services
        ],
    )
    if entries:
        output.print()
        _show_accounts(entries)


def _show_accounts(entries: list[Entry]) -> None:
    """A line per topic and layer; partitions are named where something is wrong."""
    from infra.accounting import VERDICTS, Layer, total

    layers: tuple[Layer, ...] = ("speed", "batch")
    rows = []
    for topic in sorted({entry.log.topic for entry in entries}):
        for layer in layers:
            own = [entry for entry in entries if entry.log.topic == topic and layer in entry.accounts]
            sums = total(entry.accounts[layer] for entry in own)
            broken = [f"{entry.log.partition}" for entry in own if not entry.accounts[layer].holds]
            rows.append((topic, layer, *sums.values(), f"broken: {', '.join(broken)}" if broken else "holds"))
    print_table(("topic", "layer", "records", *(verdict.replace("_", " ") for verdict in VERDICTS), "law"), rows)
    for entry in entries:
        if not entry.agrees:
            speed, batch = (dict(entry.shared[layer].counts) for layer in layers)
            notes.print(f"[bold red]{entry.log.topic}/{entry.log.partition}[/]: the layers differ: {speed} and {batch}")
