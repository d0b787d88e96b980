"""The commands of the batch layer: `python -m batch ...`, also as `rivermeet batch ...`.

Every command is safe to run again. What it did goes to standard output, with `--json` as one document. Modules that are
heavy are imported when a command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from batch.exits import Code, edge
from batch.printing import show

if TYPE_CHECKING:
    from datetime import date

    from batch.datasets import Dataset
    from batch.report import QualityReport
    from batch.steps import Steps


class Choice(StrEnum):
    """The datasets."""

    EVENTS = "events"
    ORDERS = "orders"


class Topic(StrEnum):
    """What is landed."""

    EVENTS = "events"
    ORDERS = "orders"
    PROFILES = "profiles"
    INVENTORY = "inventory"
    TICKETS = "tickets"
    SIGNALS = "signals"


EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a server did not answer, 4 the gate refused the day, "
    "5 the publication was refused because a newer one is in place or the day is not over, "
    "6 a dataset of the day did not pass its gate or is not published."
)
app = typer.Typer(help="Land, validate, recompute and publish days.", epilog=EPILOG, no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead, for scripts.")]
Datasets = Annotated[
    list[Choice] | None, typer.Option("--dataset", help="events or orders; repeat for both, which is the default.")
]
Topics = Annotated[
    list[Topic] | None, typer.Option("--topic", help="What to land; may be repeated. All topics by default.")
]
Day = Annotated[datetime, typer.Option("--day", formats=["%Y-%m-%d"], help="A UTC day, such as 2026-03-02.")]
Days = Annotated[list[datetime], typer.Option("--day", formats=["%Y-%m-%d"], help="A UTC day; may be repeated.")]
To = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Also all days after --day, up to this one.")
]
Missed = Annotated[
    bool, typer.Option("--missed", help="Also the days of the week before it that were landed and never published.")
]
Snapshot = Annotated[int | None, typer.Option("--snapshot", help="A snapshot of the lake; the newest by default.")]
Run = Annotated[str | None, typer.Option("--run", help="A finished recompute; the newest with the day by default.")]
OrNewer = Annotated[
    bool, typer.Option("--or-newer", help="End with 0 also if all its days are published from newer snapshots.")
]
OrdersRun = Annotated[
    str | None, typer.Option("--orders-run", help="A finished recompute of orders; the newest with the day by default.")
]
From = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first UTC day.")]
Until = Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last UTC day.")]
AtOnce = Annotated[int, typer.Option("--at-once", min=1, help="Days that one recompute takes at most.")]
Reconciled = Annotated[bool, typer.Option("--reconcile", help="Compare the speed layer with the day, too.")]
ReportOnly = Annotated[bool, typer.Option("--report-only", help="End with 0 also if the gate refuses the day.")]
Text = Annotated[str, typer.Option("--text", help="What to say.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on loopback; 0 picks a free one.")]
Wait = Annotated[int, typer.Option("--wait", min=0, help="Minutes that the first late record of a day has waited.")]
Cap = Annotated[int, typer.Option("--cap", min=1, help="How often a day is published within 24 hours at most.")]
Chunk = Annotated[int, typer.Option("--chunk", min=1, help="Offsets that one commit takes at most.")]
Loss = Annotated[
    bool, typer.Option("--accept-loss", help="Go on without records that Kafka deleted before they were landed.")
]
CHUNK = 2_000_000


@app.command()
def land(topic: Topics = None, chunk: Chunk = CHUNK, accept_loss: Loss = False, as_json: Json = False) -> None:
    """Bring what is new in Kafka into the lake."""
    with _steps() as steps:
        from batch.datasets import LANDED

        chosen = [LANDED[name] for name in dict.fromkeys(topic or list(Topic))]
        show([steps.land(one, chunk, accept_loss=accept_loss) for one in chosen], as_json)


@app.command()
def validate(
    day: Day,
    missed: Missed = False,
    dataset: Datasets = None,
    snapshot: Snapshot = None,
    report_only: ReportOnly = False,
    as_json: Json = False,
) -> None:
    """Hold a landed day against the quality rules. Exits with 4 if it must not be published, missed days apart."""
    with _steps() as steps:
        days = [*(steps.missed(day.date()) if missed else ()), day.date()]
        chosen = _chosen(dataset, snapshot)
        reports = [steps.validate(one, own, snapshot) for own in days for one in chosen]
        if len(chosen) > 1:
            reports += [steps.validate_across(own, *chosen) for own in days]
    show(reports, as_json)
    if not report_only and not all(found.passed for found in reports if found.day == day.date()):
        raise typer.Exit(Code.GATE_REFUSED)


@app.command()
def recompute(
    day: Days, to: To = None, dataset: Datasets = None, snapshot: Snapshot = None, as_json: Json = False
) -> None:
    """Compute days, and those that must move with them, from one snapshot of the lake."""
    days = _dates(day, to)
    with _steps() as steps:
        show([steps.recompute(one, days, snapshot) for one in _chosen(dataset, snapshot)], as_json)


@app.command()
def publish(
    day: Day, dataset: Datasets = None, run: Run = None, or_newer: OrNewer = False, as_json: Json = False
) -> None:
    """Load a finished recompute and make it the answer. Exits with 5 if something newer is in place."""
    with _steps() as steps:
        show([steps.publish(one, day.date(), run, or_newer=or_newer) for one in _chosen(dataset, run)], as_json)


@app.command("run")
def run_all(
    day: Days,
    to: To = None,
    dataset: Datasets = None,
    chunk: Chunk = CHUNK,
    accept_loss: Loss = False,
    as_json: Json = False,
) -> None:
    """Land, validate, recompute and publish days, in one process."""
    days = _dates(day, to)
    with _steps() as steps:
        done = [steps.run(one, days, chunk, accept_loss=accept_loss) for one in _chosen(dataset)]
        show(done, as_json)


@app.command()
def segments(day: Day, run: Run = None, orders_run: OrdersRun = None, as_json: Json = False) -> None:
    """Make the features of users: behaviour, RFM, lifecycle, churn risk, affinity. Written to the lake."""
    with _steps() as steps:
        show(steps.segments(day.date(), {"events": run, "orders": orders_run}), as_json)


@app.command()
def recommendations(day: Day, run: Run = None, orders_run: OrdersRun = None, as_json: Json = False) -> None:
    """Make the features of products, and which products go together. Written to the lake."""
    with _steps() as steps:
        show(steps.recommendations(day.date(), {"events": run, "orders": orders_run}), as_json)


@app.command("explain")
def explain_number(
    day: Day,
    metric: Annotated[str, typer.Option("--metric", help="A metric of the catalogue, such as sessions.")],
    as_json: Json = False,
) -> None:
    """Trace the number that readers get to its publication, snapshot, offsets and sample events."""
    with _steps() as steps:
        found = steps.explain(day.date(), metric)
        if as_json:
            show(found, as_json)
        else:
            sys.stdout.write(found.to_markdown())


@app.command()
def maintenance(
    snapshot_days: Annotated[int, typer.Option(min=0, help="Days that old snapshots of the lake are kept.")] = 7,
    orphan_days: Annotated[int, typer.Option(min=1, help="Days that files are kept which no snapshot names.")] = 3,
    keep_days: Annotated[int, typer.Option(min=0, help="Days of data that the lake keeps; 0 keeps all.")] = 0,
    version_days: Annotated[int, typer.Option(min=1, help="Days that replaced versions stay in ClickHouse.")] = 8,
    as_json: Json = False,
) -> None:
    """Make few large files of many small ones, and delete old snapshots, left files, old days, replaced versions."""
    with _steps() as steps:
        from batch.maintenance import Upkeep

        upkeep = Upkeep(timedelta(days=snapshot_days), timedelta(days=orphan_days), keep_days)
        show(steps.maintain(upkeep, timedelta(days=version_days)), as_json)


@app.command()
def features(day: Day, as_json: Json = False) -> None:
    """Load the features of a day into ClickHouse, where the feature store and analysts read them."""
    with _steps() as steps:
        show(steps.load_features(day.date()), as_json)


@app.command()
def reconcile(day: Day, dataset: Datasets = None, as_json: Json = False) -> None:
    """Compare the speed layer with a published day, metric by metric. Exits with 4 if too much of it differs."""
    from batch.reconcile import NotComparable

    found, skipped = [], []
    with _steps() as steps:
        for one in _chosen(dataset):
            try:
                found.append(steps.reconcile(one, day.date()))
            except NotComparable as error:
                skipped.append({"dataset": error.dataset, "day": error.day, "not_compared": error.why})
        show([*found, *skipped], as_json)
    if any(one.check.severity == "fail" for one in found):
        raise typer.Exit(Code.GATE_REFUSED)


@app.command()
def rollback(day: Day, dataset: Datasets = None, as_json: Json = False) -> None:
    """Point readers back to what was published of a day before. Exits with 5 where that would lose records."""
    with _steps() as steps:
        show([steps.roll_back(one, day.date()) for one in _chosen(dataset)], as_json)


@app.command()
def late(wait: Wait = 30, cap: Cap = 4, dataset: Datasets = None, as_json: Json = False) -> None:
    """List the published days with landed records that they have not counted, and that are due for a recompute."""
    with _steps() as steps:
        from batch.late import Patience

        patience = Patience(timedelta(minutes=wait), cap)
        show([one for own in _chosen(dataset) for one in steps.late(own, patience)], as_json)


@app.command()
def backfill(first: From, last: Until, dataset: Datasets = None, at_once: AtOnce = 7, as_json: Json = False) -> None:
    """Publish a span of days from the lake, with their features. Goes on where an earlier one died; never does a day
    twice. Exits with 4 if the gate refused a day."""
    if last < first:
        raise typer.BadParameter("it lies before --from", param_hint="--to")
    with _steps() as steps:
        from batch.backfill import span

        done = [steps.backfill(one, span(first.date(), last.date()), at_once) for one in _chosen(dataset)]
        steps.backfill_features({day for one in done for day in one.published})
        show(done, as_json)
    if any(one.refused for one in done):
        raise typer.Exit(Code.GATE_REFUSED)


@app.command()
def report(day: Day, reconciled: Reconciled = False, as_json: Json = False) -> None:
    """Write down the numbers of a day, what the gate said, and what is published."""
    with _steps() as steps:
        _print_report(steps.report(day.date(), reconciled=reconciled), as_json)


@app.command()
def notify(day: Day, as_json: Json = False) -> None:
    """Send the report of a day by webhook or mail, as the settings say. Exits with 6 if the day is not whole."""
    with _steps() as steps:
        from batch.notify import send_report

        found = steps.report(day.date())
        _print_report(found, as_json)
        send_report(steps.settings.notify, found)
    if not found.complete:
        raise typer.Exit(Code.NOT_WHOLE)


@app.command()
def alert(text: Text, as_json: Json = False) -> None:
    """Send a line by webhook or mail, as the settings say."""
    with edge() as settings:
        from batch.notify import send_alert

        show({"told": send_alert(settings.notify, text)}, as_json)


@app.command()
def docs(port: Port = 8090) -> None:
    """Show reports and Data Docs in a browser, until interrupted."""
    with _steps() as steps:
        from batch.docs import docs_server

        with docs_server(steps.config.state, port) as server:
            sys.stderr.write(f"http://{server.server_name}:{server.server_port}/gate/\n")
            server.serve_forever()


def _print_report(found: QualityReport, as_json: bool) -> None:
    sys.stdout.write(found.to_json() + "\n" if as_json else found.to_markdown())


def _chosen(names: list[Choice] | None, pinned: object = None) -> list[Dataset]:
    """The datasets that were named, or all; only one may be, where a snapshot or a run of it is named too."""
    from batch.datasets import DATASETS

    chosen = list(dict.fromkeys(names or list(Choice)))
    if pinned is not None and len(chosen) > 1:
        raise typer.BadParameter("a snapshot or run belongs to one dataset: name it with --dataset")
    return [DATASETS[name] for name in chosen]


def _dates(days: list[datetime], to: datetime | None) -> list[date]:
    """The days that were named, with all days from the first of them to `to`."""
    if to is not None and to < min(days):
        raise typer.BadParameter("it lies before --day", param_hint="--to")
    span = (to - min(days)).days + 1 if to else 0
    return sorted({*(day.date() for day in days), *(min(days).date() + timedelta(days=n) for n in range(span))})


@contextmanager
def _steps() -> Iterator[Steps]:
    """The steps of this process, within its edge."""
    with edge() as settings:
        from batch.steps import open_steps

        with open_steps(settings) as steps:
            yield steps
